//! The server over real HTTP on loopback: who may come in, what each route answers, and that looking
//! changes nothing.
//!
//! covers: S17, T1
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests panic with what they saw")]

mod access;
mod act;
mod audit;
mod browser;
mod conditional;
mod console;
mod deploy;
mod evidence;
mod figures;
mod fuzz;
mod hooks;
mod http;
mod inbox;
mod integrations;
mod keys;
mod login;
mod looking;
mod metrics;
mod openapi;
mod pairing;
mod passkeys;
mod problems;
mod projections;
mod runs;
mod serve;
mod steps;
mod stream;
mod warnings;
mod world;
