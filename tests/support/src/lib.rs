//! Test kit: world builder, loopback provider, nats-server, processes.
