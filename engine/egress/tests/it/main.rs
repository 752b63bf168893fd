//! The live transport against real sockets on loopback.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test")]

mod common;
mod document;
mod phases;
mod ssrf;
