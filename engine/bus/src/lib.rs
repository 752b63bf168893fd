//! NATS: the outbox to `JetStream` and the inbox service. No other crate knows NATS.
//!
//! NATS is a bystander: when it is away, nothing is lost and nothing waits for it; when it is back, the stream is caught
//! up exactly once and in order. The log is the record of truth, the stream follows it.
//!
//! Reading order: [`subjects`] names everything that leaves, `connect` gets a server and refuses an unfit one (`durability` asks how
//! it syncs), `stream`
//! makes the stream and checks it, [`outbox`] follows the log and
//! [`public`] is what it shows of it, [`inbox`] answers people
//! ([`client`] is their end of it), [`service`] holds them together.
#![warn(clippy::wildcard_enum_match_arm, missing_docs)]

pub mod client;
pub mod config;
mod connect;
mod desk;
mod durability;
pub mod error;
pub mod identity;
pub mod inbox;
pub mod outbox;
pub mod public;
pub mod seed;
pub mod service;
mod stream;
pub mod subjects;
mod trace;
pub mod words;

pub use client::{ClientError, InboxClient, check_address};
pub use durability::Syncs;
pub use error::Refusal;
pub use identity::Sender;
pub use inbox::{
    About, Answer, Inbox, InboxRefusal, InboxRequest, Notice, Operate, Operation, Verb,
};
pub use outbox::{EventSource, OutboxMessage};
pub use seed::Seed;
pub use service::{Bus, Options, Status};
pub use trace::Trace;
pub use words::Word;
