//! The live [`Transport`](placet_adapters::Transport): the only crate that names reqwest, and the
//! only one that opens a socket towards a provider.
//!
//! Invariants, each a test: nothing is dialled that [`address`] does not call public, unless the
//! operator lists that very HOST:PORT; the addresses that were checked are the ones connected to;
//! a gated call is never redirected, never retried and never shares a connection; a failure is
//! `BeforeSend` only if no byte of the request can have left, or the server itself says that it did
//! not process it. Reads go through reqwest, which pools; gated calls through hyper's connections
//! (`once`), which tell what reqwest does not: at which stage it ended, and whether a byte was written.

pub mod address;
mod client;
mod client_certificate;
mod config;
pub mod control;
mod destination;
mod document;
mod failure;
mod headers;
mod live;
mod once;
mod renewals;
mod resolver;
mod smtp;
mod timeouts;
mod tokens;
mod transport;
mod turns;

pub use config::{EgressConfig, HostPort, ParseHostPortError};
pub use destination::Refusal;
pub use document::DocumentError;
pub use live::Live;
pub use resolver::{Looking, Lookup, SystemLookup};
pub use timeouts::Timeouts;
pub use transport::Egress;
pub use turns::TurnLimits;
