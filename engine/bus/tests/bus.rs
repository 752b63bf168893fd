//! The bus against a real nats-server: the stream, the outbox, refusals. Skipped by name where there is no server.
//!
//! covers: S18, S19

#[path = "bus/deployment.rs"]
mod deployment;
#[path = "bus/inbox.rs"]
mod inbox;
#[path = "bus/kit.rs"]
mod kit;
#[path = "bus/log.rs"]
mod log;
#[path = "bus/outbox.rs"]
mod outbox;
#[path = "bus/refusals.rs"]
mod refusals;
