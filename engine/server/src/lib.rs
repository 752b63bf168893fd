//! HTTP API and login.
//!
//! One [`Server`] per engine. It holds no state of its own that matters: everything is asked of the
//! engine's [`placet_executor::Handle`], and every answer to a change comes after the commit.
//!
//! Invariants: GET and HEAD change nothing; nothing but loopback is listened on while access is
//! that of `dev`, and no vote without a signature is taken while it is not; a token or a credential is in no log, error or answer.
//!
//! Reading order: `router` lists the routes and their layers, `guard` is what every request passes,
//! `caller` says who asks, `api` answers, `console` shows pages, `problem` is every answer of no.
#![warn(missing_docs)]

mod access;
mod api;
mod app;
mod authorizations;
mod callback;
mod caller;
mod challenges;
mod conditional;
mod console;
mod documents;
mod extract;
mod guard;
mod hooks;
mod login;
mod metrics;
mod mock;
mod openapi;
mod pages;
mod problem;
mod rates;
mod rebuilds;
mod repeat;
mod router;
mod server;
mod session;
mod token;
mod token_keys;
mod tokens;
mod verifying;
mod waits;
mod witness;
pub mod words;

pub use access::Access;
pub use documents::Documents;
pub use login::Oidc;
pub use mock::{Mock, MockAnswer, MockRequest};
pub use server::{Error, Server, ServerOptions};
pub use token::Token;
pub use tokens::{KnownToken, TokenError, Tokens};
pub use witness::WitnessServer;

/// The reference page of what `GET /metrics` tells.
pub fn metrics_reference() -> String {
    metrics::names::reference()
}

/// The names of what `GET /metrics` tells, each with its kind.
pub fn metric_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    metrics::names::ALL.iter().map(|metric| (metric.name, metric.kind.word()))
}
