//! The law of Placet. Pure, total, deterministic: time, ids and randomness are arguments, nothing
//! here does I/O, and nothing here can fail technically.
//!
//! * [`decide()`] turns a command into events, or into a lawful no ([`Refusal`]).
//! * [`Run::apply`](run::Run::apply) folds an event into a run's state; an impossible pair is a
//!   corrupt log and is found by whoever replays it.
//! * [`react`] says what the world must do about a committed event, as data.
//! * [`next`] says where a run's control flow goes from here, given its plan.
//! * [`policy`] resolves who must agree, and counts the votes.
//!
//! The executor is the only caller that performs anything.
#![warn(clippy::wildcard_enum_match_arm, missing_docs)]

pub mod claim;
pub mod decide;
pub mod effect;
pub mod evolve;
pub mod flow;
pub mod policy;
pub mod refusal;
pub mod replay;
pub mod run;
pub mod schedule;
#[cfg(any(test, feature = "test-util"))]
pub mod test_util;

pub use decide::{Command, decide};
pub use effect::{Effect, react};
pub use flow::{Next, next};
pub use refusal::Refusal;
pub use replay::replay;
pub use run::Run;
