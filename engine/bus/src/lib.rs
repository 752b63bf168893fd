//! NATS: the outbox to `JetStream` and the inbox service. No other crate knows NATS.
