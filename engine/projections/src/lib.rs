//! Projections of the log: runs, the inbox, timers, what a restart must look at, integrations,
//! deployed workflows, policy and pauses.
//!
//! Everything here is derived: the log is the truth, and every row can be made again from it.
//! [`Projections`] is folded in the log's own transaction, so a reader that sees an event sees what
//! it means. Nothing here decides anything, has effects, reads a clock or opens a payload; a row
//! that is not what was written is an error that names it, never wrong data.
//!
//! * [`Projections`] goes into `OpenOptions::projector`.
//! * [`Views`] reads, over one snapshot of the log.
//! * [`Past`] is the same reading as of an earlier position, replayed in memory.
//! * [`rebuild()`] makes the tables again beside the live ones; [`compare()`] says whether the live
//!   ones are what the log gives.
//!
//! Reading order: `table` draws the tables, `run` and `decision` are the folds, `fold` is one
//! commit.
#![warn(clippy::wildcard_enum_match_arm, missing_docs)]

mod action;
mod arrival;
mod decision;
mod error;
mod fold;
mod inbox;
mod integrations;
mod key;
mod nonce;
mod order;
mod past;
mod project;
mod projections;
mod rebuild;
mod row;
mod run;
mod store;
mod table;
mod tally;
mod views;

pub use error::Error;
pub use inbox::{ParsePlaceError, Place, Rank};
pub use nonce::Spent;
pub use past::Past;
pub use projections::Projections;
pub use rebuild::{Difference, Progress, Rebuilt, Status, compare, rebuild, status};
pub use row::{
    ArrivalRow, DecisionRow, Due, DueRow, Located, OrderRow, OrderStage, OrderedBy, Pauses,
    RunFilter, RunRow, RunStatus, ShapeRow, Source, TallyKind, TallyRow, ToldRow, WaitingFor,
    WorkflowRow,
};
pub use views::{ShapePlace, Views};
