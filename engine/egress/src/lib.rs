//! The live [`Transport`](placet_adapters::Transport): the only crate that names reqwest, and the
//! only one that opens a socket towards a provider.
//!
//! Invariants, each a test: nothing is dialled that [`address`] does not call public, unless the
//! operator lists that very HOST:PORT; the addresses that were checked are the ones connected to;
//! a gated call is never redirected, never retried and never shares a connection; a failure is
//! `BeforeSend` only if no byte of the request can have left.

pub mod address;
mod client;
mod client_certificate;
mod config;
pub mod control;
mod destination;
mod document;
mod failure;
mod headers;
mod renewals;
mod resolver;
mod smtp;
mod tokens;
mod transport;

pub use config::{EgressConfig, HostPort, ParseHostPortError};
pub use destination::Refusal;
pub use document::DocumentError;
pub use resolver::{Looking, Lookup, SystemLookup};
pub use transport::Egress;
