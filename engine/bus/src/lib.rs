//! NATS: outbox to JetStream, inbox service.
