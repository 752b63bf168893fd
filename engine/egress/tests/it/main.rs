//! The live transport against real sockets on loopback.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test")]

mod authorization_server;
mod common;
mod document;
mod mail_server;
mod mtls;
mod phases;
mod smtp;
mod ssrf;
mod tokens;
mod ways;
