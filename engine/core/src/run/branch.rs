//! The branches of a run, and the containers that are open in each.

use super::Activity;
use placet_model::event::run::FaultFact;
use placet_model::{Iteration, PayloadRef, Position, Revision, TaskPath, TimerId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Which branch: the workflow itself, or one branch of a `fork`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BranchKey {
    /// The head that its tasks share; the root path for the workflow itself.
    pub head: TaskPath,
    /// Which execution of the `fork`.
    pub iteration: Iteration,
}

/// One line of control flow.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// Which one.
    pub key: BranchKey,
    /// Its `$context`; none is `{}`. What a branch exports is its own until the join.
    pub context: Option<PayloadRef>,
    /// Open containers, outermost first; the first is the workflow, or the branch.
    pub frames: Vec<Frame>,
    /// What its current leaf task is doing.
    pub activity: Activity,
    /// A fault of this task looks for a `try` around it that catches it.
    pub fault: Option<(FaultFact, TaskPath)>,
    /// The fault by which the branch has ended.
    pub failed: Option<FaultFact>,
}

/// An open container: a list of tasks that is being worked through.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The container task; the root path for the workflow itself.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// Its transformed input.
    pub input: PayloadRef,
    /// Raw input of the current child, and in the end the raw output of the list.
    pub value: PayloadRef,
    /// Place of the current child in the list.
    pub index: u32,
    /// Whether a directive has completed the list early.
    pub exited: bool,
    /// Outputs of finished tasks, by name, for `$steps`.
    pub steps: BTreeMap<String, PayloadRef>,
    /// When its latest task began that was gated or sent an event: events from then on may answer
    /// it.
    pub effect_at: Option<Timestamp>,
    /// What kind of container it is.
    pub kind: FrameKind,
}

/// What kind of container a frame is.
#[derive(Debug, Clone, PartialEq)]
pub enum FrameKind {
    /// The workflow itself, or a `do`.
    List,
    /// One branch of a `fork`.
    Branch,
    /// The body of a function, which does not see the steps around it.
    Function,
    /// The list of a `try`.
    Try(Tries),
    /// A `try` that waits for its next retry.
    Backoff {
        /// The retries so far, the next one included.
        tries: Tries,
        /// The whole fault that is retried.
        fault: PayloadRef,
        /// Which timer ends the wait.
        timer: TimerId,
    },
    /// The `catch.do` of a `try`, with the fault that was caught.
    Catch {
        /// The whole fault.
        fault: PayloadRef,
    },
    /// A `for`.
    For {
        /// The items.
        items: PayloadRef,
        /// How many.
        count: u32,
        /// The iteration that is going on.
        current: Option<u32>,
    },
    /// A `listen`.
    Listen(Box<Wait>),
}

/// How often a `try` was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// Retries so far.
    pub retries: u32,
    /// When the first attempt began.
    pub since: Timestamp,
}

/// A wait for events, and what it has taken so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    /// Whether something runs for each event.
    pub each: bool,
    /// Events from this moment on count; none while the wait has not begun.
    pub since: Option<Timestamp>,
    /// Place of its beginning in the run's stream; where the stream begins while it has not begun.
    pub begun: Revision,
    /// Events up to here were taken or passed.
    pub after: Position,
    /// What was read of each event, in the order in which they were taken.
    pub values: Vec<PayloadRef>,
    /// Elements of the output.
    pub elements: Vec<PayloadRef>,
    /// Filters that have matched.
    pub matched: BTreeSet<u32>,
    /// Filters that have matched of the strategy that ends the wait.
    pub until: BTreeSet<u32>,
    /// Values that correlation expects by now.
    pub expected: Option<PayloadRef>,
    /// The event for which something runs.
    pub current: Option<u32>,
    /// Whether no further event is taken.
    pub ended: bool,
}

impl BranchKey {
    /// The workflow itself.
    pub fn main() -> Self {
        Self { head: TaskPath::root(), iteration: Iteration::none() }
    }

    /// Whether this is the workflow itself.
    pub fn is_main(&self) -> bool {
        self.head.as_str().is_empty()
    }
}

impl Branch {
    /// A branch in which nothing has begun.
    pub(crate) const fn new(key: BranchKey) -> Self {
        Self {
            key,
            context: None,
            frames: Vec::new(),
            activity: Activity::Idle,
            fault: None,
            failed: None,
        }
    }

    /// The value with which a branch of a `fork` has ended well.
    pub fn ended(&self) -> Option<PayloadRef> {
        let [frame] = self.frames.as_slice() else { return None };
        let over = frame.kind == FrameKind::Branch && (frame.index > 0 || frame.exited);
        (over && self.is_idle()).then_some(frame.value)
    }

    /// Whether nothing begins in it any more: a fault looks for its `try`, or the branch has ended,
    /// well or by a fault. What has ended well cannot fault afterwards.
    pub(crate) fn is_done(&self) -> bool {
        self.fault.is_some() || self.failed.is_some() || self.ended().is_some()
    }

    /// Whether the flow decides what comes next.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.activity, Activity::Idle) && self.fault.is_none() && self.failed.is_none()
    }
}

impl Wait {
    /// A wait that has not begun.
    pub(crate) const fn new(each: bool) -> Self {
        Self {
            each,
            since: None,
            begun: Revision::START,
            after: Position::START,
            values: Vec::new(),
            elements: Vec::new(),
            matched: BTreeSet::new(),
            until: BTreeSet::new(),
            expected: None,
            current: None,
            ended: false,
        }
    }

    /// Whether an event may be taken now.
    pub const fn is_open(&self) -> bool {
        self.since.is_some() && self.current.is_none() && !self.ended
    }
}
