//! A [`Transport`](placet_adapters::Transport) that answers from response schemas: deterministic,
//! schema-valid, echoing the request. It has no HTTP client, opens no socket and is never given a
//! credential; the holes of a request stay open here.
//!
//! The rules R0–R13 are facts/mocking.md §6. [`World`] is the pure part, for whoever has no engine:
//! it answers a question from its seed and what it was asked before, and remembers what was made,
//! changed and deleted (`mock.state` of a manifest). [`Sandbox`] puts it behind the engine's seam.
//! An operation that has examples (declared, or recorded by `placet adapters record`) answers with
//! those of them that its schema allows, before anything is generated (R1). Not built: GraphQL (R12).

mod desk;
mod examples;
pub mod generate;
mod overlay;
pub mod record;
mod script;
mod seed;
mod store;
mod trails;
mod transport;
mod world;

pub use desk::{Desk, IGNORED_HEADER, NOTE_HEADER, Reply};
pub use script::{Rule, Turn};
pub use seed::GENERATOR;
pub use transport::{Pass, Sandbox};
pub use world::{Asked, Unknown, World};
