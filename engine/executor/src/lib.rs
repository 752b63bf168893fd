//! The shell around the core: one writer loop over one closed enum of inputs, turns on a bounded
//! pool, calls on the runtime, timers, recovery.
//!
//! The path of one message: [`Handle::start`] puts a job into the loop → the pool works through a
//! [`turn`] (expressions, rendering, `placet_core`) → the loop appends its facts → the log
//! acknowledges → [`placet_core::react`] says what the world must do → [`perform`] calls the
//! transport with exactly the stored bytes → the answer comes back as an input.
//!
//! Invariants: nothing is called, answered or told before the commit; a parked run is not in
//! memory; a failed commit ends the loop.

pub mod clock;
mod mint;
pub mod world;
mod values;
pub mod env;
mod turn;
mod input;
mod pool;
mod perform;
mod writer;
pub mod handle;
mod engine;
pub mod govern;
pub mod inbox;
pub mod trace;
pub mod public;

pub use clock::Clock;
pub use engine::{Engine, Parts};
pub use handle::{Error, Handle, Notice, Receipt, Start, Vote};
pub use perform::Transports;
pub use turn::Error as TurnError;
pub use world::{Modes, World};
