//! The shell around the core: one writer loop over one closed enum of inputs, turns on a bounded
//! pool, calls on the runtime, timers, recovery.
//!
//! The path of one message: [`Handle::start`] puts a job into the loop → the pool works through a
//! `turn` (expressions, rendering, `placet_core`) and hands its facts to the log (`submit`) → the
//! log acknowledges → [`placet_core::react`] says what the world must do → `perform` calls the
//! transport with exactly the stored bytes → the answer comes back as an input.
//!
//! Invariants: nothing is called, answered or told before the commit; a parked run is not in
//! memory; a failed commit ends the loop.

pub mod actions;
mod acts;
pub mod answered;
pub mod arrivals;
pub mod backup;
mod budgets;
mod checkpoints;
pub mod clock;
pub mod connections;
pub mod deploy;
mod engine;
pub mod env;
pub mod epoch;
pub mod erasure;
pub mod events;
mod figures;
pub mod govern;
pub mod handle;
pub mod inbox;
mod input;
mod inputs;
mod keys;
pub mod lost;
mod measures;
mod mint;
mod notices;
mod pages;
pub mod passkeys;
mod perform;
mod pool;
pub mod public;
mod recall;
mod requests;
mod resolve;
mod retention;
pub mod rotations;
pub mod schedules;
mod seat;
mod signals;
mod start;
mod submit;
pub mod telemetry;
pub mod trace;
pub mod triggers;
mod turn;
mod uptime;
mod uses;
mod values;
pub mod world;
mod writer;

pub use checkpoints::checkpoint_of;
pub use clock::Clock;
pub use engine::{Engine, Parts};
pub use handle::{Error, Handle, Load, Notice, Receipt, Signature, Vote};
pub use measures::{CallEnd, Measured};
pub use perform::Transports;
pub use resolve::Resolve;
pub use start::Start;
pub use turn::Error as TurnError;
pub use world::{Modes, World};
