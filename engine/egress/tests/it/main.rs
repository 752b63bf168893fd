//! The live transport against real sockets on loopback.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test")]

mod authorization_server;
mod bombs;
mod common;
mod document;
mod exits;
mod fairness;
mod grants;
mod http2;
mod mail_grant;
mod mail_server;
mod mtls;
mod phases;
mod pool;
mod secure;
mod signed;
mod smtp;
mod ssrf;
mod stages;
mod tokens;
mod ways;
