//! The nouns of Placet: ids, events, plans, drafts, decisions, attempts, manifests.
//!
//! Everything here is a plain value. Nothing here reads a clock, draws randomness, does I/O or
//! decides anything; the law lives in `placet-core`, the world in the crates around it.
//!
//! Reading order: [`id`] and [`stream`] name things, [`plan`] is what an author's YAML becomes,
//! [`request`], [`draft`] and [`decision`] are what an approver consents to ([`signed`] is how a key
//! says so), [`attempt`] is what
//! was done about it, and [`event`] is how all of it is remembered.
#![warn(clippy::wildcard_enum_match_arm, missing_docs)]

pub mod actor;
pub mod approval;
pub mod attempt;
pub mod canonical;
pub mod code;
pub mod cron;
pub mod decision;
pub mod digest;
pub mod draft;
pub mod event;
pub mod fault;
pub mod id;
pub mod integration;
pub mod keys;
pub mod manifest;
pub mod measure;
pub mod nkey;
pub mod passkey;
pub mod path;
pub mod payload;
pub mod plan;
pub mod policy;
pub mod project;
pub mod request;
pub mod route;
pub mod signed;
pub mod stream;
pub mod subject;
pub mod time;
mod wire;

pub use actor::{Actor, Principal};
pub use digest::Digest;
pub use event::{Event, RecordedEvent};
pub use fault::Fault;
pub use id::{AttemptId, DataKeyId, DecisionId, EventId, IntegrationId, RunId, TimerId};
pub use path::{Iteration, TaskPath};
pub use payload::PayloadRef;
pub use stream::{Position, Revision, StreamId};
pub use time::{Duration, Timestamp, Uptime};
