//! A [`Transport`](placet_adapters::Transport) that answers from response schemas: deterministic,
//! schema-valid, echoing the request. It has no HTTP client, opens no socket and is never given a
//! credential; the holes of a request stay open here.
//!
//! The rules R0–R13 are facts/mocking.md §6. Built so far: R0 (validate, generate, overlay,
//! validate), R2 (echo by the manifest and by name), R4, R5 (ids, times), R6 (errors on demand, by
//! operation), R7–R11, R13. Later: declared examples, state, GraphQL.

pub mod generate;
mod overlay;
mod seed;
mod transport;

pub use seed::GENERATOR;
pub use transport::Sandbox;
