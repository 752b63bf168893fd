//! Events about runs that are started by a run or by a schedule, recorded on the starting side.

use crate::plan::WorkflowName;
use crate::wire::wire_enum;
use crate::{Digest, Iteration, PayloadRef, Position, RunId, TaskPath, Timestamp};
use serde::{Deserialize, Serialize};

/// A task ordered a run of another workflow. The run begins after this is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildStarted {
    /// The `run` task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// The child.
    pub child: RunId,
    /// Its definition, `latest` resolved.
    pub workflow: WorkflowName,
    /// Its plan.
    pub plan_digest: Digest,
    /// Its raw input.
    pub input: PayloadRef,
    /// Whether its end is awaited.
    pub awaited: bool,
}

/// The awaited child ended well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildEnded {
    /// The child.
    pub child: RunId,
    /// Its output, a copy.
    pub output: PayloadRef,
}

/// The awaited child is not awaited any more and is cancelled: its task has ended without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildDropped {
    /// The child.
    pub child: RunId,
}

wire_enum! {
    /// Which part of a schedule starts a run.
    Trigger {
        /// A fixed interval.
        Every = 1 "every",
        /// The calendar.
        Cron = 2 "cron",
        /// The end of the run before.
        After = 3 "after",
        /// Events.
        On = 4 "on",
    }
}

/// A schedule ordered a run of its workflow. The run begins after this is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleFired {
    /// Why.
    pub trigger: Trigger,
    /// When it was due.
    pub due_at: Timestamp,
    /// Ticks before it that were missed and are not caught up one by one.
    pub skipped: u32,
    /// The run.
    pub run: RunId,
    /// Its plan.
    pub plan_digest: Digest,
    /// Its raw input; none is null.
    pub input: Option<PayloadRef>,
}

/// A schedule took an event and needs more of them before it starts a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleMatched {
    /// The plan whose schedule it is.
    pub plan_digest: Digest,
    /// Place in the log of the event that was taken.
    pub arrival: Position,
    /// As what it was taken.
    pub taken: crate::event::wait::Taken,
    /// Which filter matched, from 0; 0 where there is none.
    pub filter: u32,
    /// What was read of the event.
    pub value: PayloadRef,
    /// The values that correlation expects from now on, by key; none when nothing was fixed.
    pub expected: Option<PayloadRef>,
}
