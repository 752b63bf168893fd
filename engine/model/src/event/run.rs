//! Events of a run's control flow. Recorded by the executor; replay needs nothing else to know
//! where a run stands: no expression is evaluated twice.

use crate::draft::Mode;
use crate::plan::WorkflowName;
use crate::wire::wire_enum;
use crate::{DataKeyId, Digest, Iteration, PayloadRef, Principal, TaskPath, TimerId, Timestamp};
use serde::{Deserialize, Serialize};

/// A run began. Pins the plan and the mode for life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The definition.
    pub workflow: WorkflowName,
    /// The pinned plan.
    pub plan_digest: Digest,
    /// Sandbox or live.
    pub mode: Mode,
    /// Who caused the run.
    pub requester: Principal,
    /// The data key that seals the run's payloads.
    pub key: DataKeyId,
    /// The raw workflow input.
    pub input: PayloadRef,
    /// The raw input of the first task.
    pub first: PayloadRef,
    /// Feeds everything in the run that looks random (sandbox answers, jitter).
    pub seed: u64,
    /// When the run's own timeout passes.
    pub deadline: Option<Timestamp>,
}

wire_enum! {
    /// How a started task is worked through.
    TaskShape {
        /// It does one thing that takes time: a call, a wait.
        Leaf = 1 "leaf",
        /// A list of tasks.
        List = 2 "list",
        /// A list whose faults may be caught.
        Try = 3 "try",
        /// A list that runs once per item.
        For = 4 "for",
        /// Branches side by side; all of them end well.
        Fork = 5 "fork",
        /// Branches side by side; the first that ends well is enough.
        Race = 6 "race",
        /// A wait for events.
        Listen = 7 "listen",
        /// A wait for events, with something that runs for each of them.
        ListenEach = 8 "listen_each",
        /// The body of a function, which begins without the steps around it.
        Function = 9 "function",
    }
}

/// A task that takes time, or holds tasks, began. Instant tasks have only their end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStarted {
    /// Which task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// How it is worked through.
    pub shape: TaskShape,
    /// Its transformed input.
    pub input: PayloadRef,
    /// The items of a `for`, or the argument of a function; evaluated once.
    pub items: Option<PayloadRef>,
    /// How many items of a `for`, or branches of a `fork`; 0 for anything else.
    pub count: u32,
}

/// A `for` began its next iteration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IterationStarted {
    /// The `for` task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// Which item, from 0.
    pub index: u32,
}

wire_enum! {
    /// What follows a task.
    Then {
        /// The next task of the list.
        Continue = 1 "continue",
        /// The list is complete.
        Exit = 2 "exit",
        /// The run is complete.
        End = 3 "end",
        /// The task at `goto`.
        Goto = 4 "goto",
    }
}

/// A task ended well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCompleted {
    /// Which task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// Its transformed output, the next task's raw input.
    pub output: PayloadRef,
    /// The new context, when the task exports one.
    pub context: Option<PayloadRef>,
    /// What follows.
    pub then: Then,
    /// Place in the list of the task that follows, with [`Then::Goto`].
    pub goto: Option<u32>,
}

/// A task's `if` did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSkipped {
    /// Which task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
}

/// The structure of a fault; its words are content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultFact {
    /// Type URI.
    pub kind: String,
    /// Status.
    pub status: u16,
    /// The whole fault (see [`crate::Fault`]).
    pub content: PayloadRef,
}

/// A task faulted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFaulted {
    /// Which task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// The fault.
    pub fault: FaultFact,
}

/// A `try` caught the fault and runs its `catch.do`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCaught {
    /// The `try` task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// The whole fault.
    pub fault: PayloadRef,
}

/// A `try` caught the fault and tries its list again, once the timer that is armed next has fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryScheduled {
    /// The `try` task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// Which retry, from 1.
    pub retry: u32,
    /// The whole fault.
    pub fault: PayloadRef,
    /// Which timer ends the wait.
    pub timer: TimerId,
    /// When the retry begins.
    pub due_at: Timestamp,
}

/// A fault left a branch of a `fork`: nothing inside the branch caught it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchFaulted {
    /// The `fork` task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// Which branch, from 0, in declared order.
    pub branch: u32,
    /// The fault.
    pub fault: FaultFact,
}

/// A waiting run goes on under another version of its workflow; its open requests were taken back
/// just before and are asked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunMigrated {
    /// The definition from now on.
    pub workflow: WorkflowName,
    /// The plan from now on.
    pub plan_digest: Digest,
}

wire_enum! {
    /// What a timer is for.
    TimerKind {
        /// A `wait` task.
        Wait = 1 "wait",
        /// A task's timeout.
        TaskTimeout = 2 "task_timeout",
        /// The run's timeout.
        RunTimeout = 3 "run_timeout",
        /// The wait before a retry.
        Retry = 4 "retry",
        /// The limit on one attempt of a `try`.
        AttemptTimeout = 5 "attempt_timeout",
    }
}

/// A durable timer was set. Its due moment is absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerArmed {
    /// Which timer.
    pub timer: TimerId,
    /// The task it belongs to.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// What it is for.
    pub kind: TimerKind,
    /// When it is due.
    pub due_at: Timestamp,
}

/// A timer came due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerFired {
    /// Which timer.
    pub timer: TimerId,
}

/// The run ended well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCompleted {
    /// Its output.
    pub output: PayloadRef,
}

/// The run ended by a fault that nothing caught.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFaulted {
    /// The fault.
    pub fault: FaultFact,
}

/// Somebody stopped the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCancelled {
    /// Why, in a person's words.
    pub reason: Option<PayloadRef>,
}
