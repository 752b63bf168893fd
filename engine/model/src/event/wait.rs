//! Events about events: what a run waits for, what it has taken, what it has sent, and what came
//! from outside. The envelopes (`CloudEvents` JSON) are content.

use crate::wire::wire_enum;
use crate::{Digest, Iteration, PayloadRef, Position, RunId, TaskPath, Timestamp};
use serde::{Deserialize, Serialize};

/// A `listen` began to wait. Recorded by the executor right after its `TaskStarted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitStarted {
    /// The `listen` task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// Events from this moment on count, also those that came before the wait.
    pub since: Timestamp,
    /// Types of the events that may match; an empty text is any type.
    pub types: Vec<String>,
}

wire_enum! {
    /// As what an event was taken.
    Taken {
        /// It is of the output.
        Consumed = 1 "consumed",
        /// It is of the strategy that ends the wait.
        Until = 2 "until",
    }
}

/// A waiting task took an event. Recorded by the executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventMatched {
    /// The `listen` task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// Place in the log of the event that was taken.
    pub arrival: Position,
    /// As what it was taken.
    pub taken: Taken,
    /// Which filter matched, from 0; 0 where there is none.
    pub filter: u32,
    /// What was read of the event.
    pub value: PayloadRef,
    /// The values that correlation expects from now on, by key; none when nothing was fixed.
    pub expected: Option<PayloadRef>,
    /// Whether the wait is over with it.
    pub ends: bool,
}

/// What runs for each event of a wait has ended. Recorded by the executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventHandled {
    /// The `listen` task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// Which event, from 0.
    pub index: u32,
    /// The element of the output.
    pub element: PayloadRef,
    /// The new context, when it exports one.
    pub context: Option<PayloadRef>,
    /// Whether the wait is over with it.
    pub ends: bool,
}

/// A task sent an event to whoever listens in the project. Recorded by the executor, in one append
/// with the end of the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventEmitted {
    /// The `emit` task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// Type of the event.
    pub kind: String,
    /// Digest of its source and id: a second one is not heard.
    pub identity: Digest,
    /// The event.
    pub envelope: PayloadRef,
}

/// An event came from outside. Recorded by the executor for whoever may signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventReceived {
    /// Type of the event.
    pub kind: String,
    /// Digest of its source and id: a second one is not recorded.
    pub identity: Digest,
    /// The event.
    pub envelope: PayloadRef,
    /// Only this run may take it; none is whoever listens.
    pub to: Option<RunId>,
}

/// Everybody who waited for an event up to this position has been told of it: a restart looks only
/// at what came later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsDelivered {
    /// Place in the log of the last event that everybody has been told of.
    pub up_to: Position,
}
