//! The state of one run, folded from its stream. It carries what is legal next, and no content:
//! values stand in the payload store and appear here by reference.

use placet_model::approval::Requirement;
use placet_model::attempt::RefuseReason;
use placet_model::decision::{DecisionState, VoidReason};
use placet_model::draft::{ActionId, BoundField, DraftDocument};
use placet_model::event::attempt::AttemptStarted;
use placet_model::event::decision::{DraftPrepared, VoteCast};
use placet_model::event::run::{FaultFact, RunStarted, TimerKind};
use placet_model::{
    AttemptId, DecisionId, Digest, Iteration, PayloadRef, Revision, RunId, TaskPath, TimerId,
    Timestamp,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One execution of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Which run.
    pub id: RunId,
    /// Place of its last event in its stream.
    pub revision: Revision,
    /// Log time of its last event.
    pub touched_at: Timestamp,
    /// Where it is in its life.
    pub phase: Phase,
    /// `$context`; none is `{}`.
    pub context: Option<PayloadRef>,
    /// Open containers, outermost first; the first is the workflow itself.
    pub frames: Vec<Frame>,
    /// What the current leaf task is doing.
    pub activity: Activity,
    /// Attempts whose task is gone (cancelled, timed out): they still end in a known outcome.
    pub detached: BTreeMap<AttemptId, Detached>,
    /// Timers that are armed.
    pub timers: BTreeMap<TimerId, Timer>,
    /// Last draft revision of each action; counts on across the workflow's own retries.
    pub drafts: BTreeMap<(TaskPath, Iteration), u32>,
    /// Votes by (voter, request id): the same request id gives the same answer.
    pub requests: BTreeMap<(String, String), VoteCast>,
    /// How decisions that are over ended, for late votes.
    pub closed: BTreeMap<DecisionId, DecisionState>,
    /// Task executions so far.
    pub steps: u64,
}

/// Where a run is in its life.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// No event yet.
    Absent,
    /// Going on, or waiting.
    Running(Arc<RunFacts>),
    /// A fault of this task looks for a `try` around it that catches it.
    Faulting(Arc<RunFacts>, FaultFact, TaskPath),
    /// Every task is done; the workflow's own output is to be made.
    Ending(Arc<RunFacts>, PayloadRef),
    /// Ended well.
    Completed(Arc<RunFacts>),
    /// Ended by a fault.
    Faulted(Arc<RunFacts>, FaultFact),
    /// Stopped by somebody.
    Cancelled(Arc<RunFacts>),
}

/// What a run pins for life.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFacts {
    /// The event that began it.
    pub started: RunStarted,
    /// When.
    pub started_at: Timestamp,
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
    /// What kind of container it is.
    pub kind: FrameKind,
}

/// What kind of container a frame is.
#[derive(Debug, Clone, PartialEq)]
pub enum FrameKind {
    /// The workflow itself, or a `do`.
    List,
    /// The list of a `try`.
    Try,
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
}

/// A leaf task that takes time.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    /// Which task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// Its transformed input.
    pub input: PayloadRef,
}

/// What the current leaf task is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum Activity {
    /// There is none: the flow decides.
    Idle,
    /// It began and has done nothing yet.
    Started(Leaf),
    /// It waits for a timer.
    Waiting(Leaf, TimerId),
    /// Its timer fired.
    Waited(Leaf),
    /// A draft was made and is not yet in the inbox.
    Drafted(Leaf, Box<DraftPrepared>),
    /// The draft is in the inbox.
    Asked(Leaf, Box<Ask>),
    /// Approved and not yet claimed.
    Approved(Leaf, Box<Ask>),
    /// The request ended without permission.
    Denied(Leaf, Box<Denial>),
    /// A try is under way.
    Attempting(Leaf, Box<Attempt>),
    /// A try proved that nothing happened; the same bytes go again later.
    Deferred(Leaf, Box<Attempt>, Timestamp),
    /// Sent, answer unknown.
    InDoubt(Leaf, Box<Attempt>),
    /// It has its raw output.
    Answered(Leaf, PayloadRef),
    /// The provider refused for good.
    Refused(Leaf, Refused),
    /// A person said that it was not sent: a new draft revision is due.
    Unsent(Leaf, Box<DraftPrepared>),
    /// A person gave it up.
    GivenUp(Leaf),
}

/// A request for a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// Which decision.
    pub decision: DecisionId,
    /// The draft.
    pub draft: DraftPrepared,
    /// When the draft was made: the `draft time` of its rendering.
    pub drafted_at: Timestamp,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// When the answer becomes no.
    pub expires_at: Timestamp,
    /// What must be met; at least the draft's own requirement.
    pub requirement: Requirement,
    /// Votes so far.
    pub votes: Vec<VoteCast>,
    /// The attempt that has claimed it before and proved that nothing was sent.
    pub prior: Option<(AttemptId, u32)>,
}

/// A request that ended without permission.
#[derive(Debug, Clone, PartialEq)]
pub struct Denial {
    /// Which decision.
    pub decision: DecisionId,
    /// How it ended.
    pub state: DecisionState,
    /// Why, in the words of the vote that ended it.
    pub reason: Option<PayloadRef>,
    /// Why it is void, and which field differed.
    pub void: Option<(VoidReason, Option<BoundField>)>,
}

/// One claim of one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Its last try.
    pub started: AttemptStarted,
    /// When that try was recorded.
    pub started_at: Timestamp,
    /// When the first try was recorded: the age of an idempotency key counts from here.
    pub first_started_at: Timestamp,
    /// The approval that it consumed; none for an ungated read.
    pub ask: Option<Ask>,
    /// Whether one of its tries has been in doubt: then no later try can prove that nothing was
    /// sent.
    pub doubted: bool,
}

/// An attempt whose task is gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Detached {
    /// The attempt.
    pub attempt: Attempt,
    /// Whether its outcome is in doubt.
    pub in_doubt: bool,
}

/// A refusal by the provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// Why.
    pub reason: RefuseReason,
    /// HTTP status; 0 without an answer.
    pub status: u16,
    /// The provider's own error code.
    pub code: Option<String>,
    /// What the provider said.
    pub detail: Option<PayloadRef>,
}

/// A timer that is armed.
#[derive(Debug, Clone, PartialEq)]
pub struct Timer {
    /// The task it belongs to.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// What it is for.
    pub kind: TimerKind,
    /// When it is due.
    pub due_at: Timestamp,
}

impl Run {
    /// A run without any event.
    pub const fn absent(id: RunId) -> Self {
        Self {
            id,
            revision: Revision::START,
            touched_at: Timestamp::EPOCH,
            phase: Phase::Absent,
            context: None,
            frames: Vec::new(),
            activity: Activity::Idle,
            detached: BTreeMap::new(),
            timers: BTreeMap::new(),
            drafts: BTreeMap::new(),
            requests: BTreeMap::new(),
            closed: BTreeMap::new(),
            steps: 0,
        }
    }

    /// The reference of the `index`-th payload of the `ahead`-th event from now (1 is the next).
    pub const fn slot(&self, ahead: u64, index: u16) -> PayloadRef {
        PayloadRef::new(self.revision.plus(ahead), index)
    }

    /// What the run pins, once it has begun.
    pub fn facts(&self) -> Option<&RunFacts> {
        match &self.phase {
            Phase::Absent => None,
            Phase::Running(facts)
            | Phase::Faulting(facts, ..)
            | Phase::Ending(facts, _)
            | Phase::Completed(facts)
            | Phase::Faulted(facts, _)
            | Phase::Cancelled(facts) => Some(facts),
        }
    }

    /// Whether the run has ended.
    pub const fn is_over(&self) -> bool {
        match self.phase {
            Phase::Completed(_) | Phase::Faulted(..) | Phase::Cancelled(_) => true,
            Phase::Absent | Phase::Running(_) | Phase::Faulting(..) | Phase::Ending(..) => false,
        }
    }

    /// The request that is open or approved and unspent.
    pub fn ask(&self) -> Option<&Ask> {
        self.activity.ask()
    }

    /// The attempt with this id, attached or not.
    pub fn attempt(&self, id: AttemptId) -> Option<&Attempt> {
        self.activity
            .attempt()
            .filter(|attempt| attempt.started.attempt == id)
            .or_else(|| self.detached.get(&id).map(|detached| &detached.attempt))
    }

    /// The attempt in doubt that this decision led to.
    pub fn in_doubt(&self, decision: DecisionId) -> Option<&Attempt> {
        let mut current = None;
        if let Activity::InDoubt(_, attempt) = &self.activity {
            current = Some(&**attempt);
        }
        let detached = self.detached.values().filter(|d| d.in_doubt).map(|d| &d.attempt);
        current
            .into_iter()
            .chain(detached)
            .find(|attempt| attempt.started.decision == Some(decision))
    }

    /// The action that the current leaf performs.
    pub fn action<'a>(&self, leaf: &'a Leaf) -> ActionId<'a> {
        ActionId { run: self.id, task: &leaf.task, iteration: &leaf.iteration }
    }

    /// The draft document of a draft of this run, as it was when it was made.
    pub fn document(&self, project: &str, draft: &DraftPrepared) -> Option<DraftDocument> {
        let facts = self.facts()?;
        Some(DraftDocument {
            v: 1,
            project: project.to_owned(),
            mode: facts.started.mode,
            run: self.id,
            task: draft.task.clone(),
            iteration: draft.iteration.clone(),
            revision: draft.revision,
            send_id: draft.send_id.clone(),
            plan_digest: facts.started.plan_digest,
            operation: draft.operation.clone(),
            operation_digest: draft.operation_digest,
            integration: draft.integration.clone(),
            request_digest: draft.request_digest,
            requirement: draft.requirement.clone(),
            valid_for: draft.requirement.valid_for,
            nonce: draft.nonce.clone(),
        })
    }

    /// The digest of the pinned plan.
    pub fn plan_digest(&self) -> Option<Digest> {
        self.facts().map(|facts| facts.started.plan_digest)
    }
}

impl Activity {
    /// The leaf task, unless idle.
    pub const fn leaf(&self) -> Option<&Leaf> {
        match self {
            Self::Idle => None,
            Self::Started(leaf)
            | Self::Waiting(leaf, _)
            | Self::Waited(leaf)
            | Self::Drafted(leaf, _)
            | Self::Asked(leaf, _)
            | Self::Approved(leaf, _)
            | Self::Denied(leaf, _)
            | Self::Attempting(leaf, _)
            | Self::Deferred(leaf, ..)
            | Self::InDoubt(leaf, _)
            | Self::Answered(leaf, _)
            | Self::Refused(leaf, _)
            | Self::Unsent(leaf, _)
            | Self::GivenUp(leaf) => Some(leaf),
        }
    }

    /// The request that is open or approved and unspent.
    pub fn ask(&self) -> Option<&Ask> {
        let (Self::Asked(_, ask) | Self::Approved(_, ask)) = self else { return None };
        Some(ask)
    }

    /// The attempt that is under way, deferred or in doubt.
    pub fn attempt(&self) -> Option<&Attempt> {
        let (Self::Attempting(_, attempt)
        | Self::Deferred(_, attempt, _)
        | Self::InDoubt(_, attempt)) = self
        else {
            return None;
        };
        Some(attempt)
    }

    /// Whether a draft, a request or an unspent approval is open: these are settled before the
    /// task may end.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Drafted(..) | Self::Asked(..) | Self::Approved(..) => true,
            Self::Deferred(_, attempt, _) => attempt.ask.is_some(),
            Self::Idle
            | Self::Started(_)
            | Self::Waiting(..)
            | Self::Waited(_)
            | Self::Denied(..)
            | Self::Attempting(..)
            | Self::InDoubt(..)
            | Self::Answered(..)
            | Self::Refused(..)
            | Self::Unsent(..)
            | Self::GivenUp(_) => false,
        }
    }

    /// Whether the leaf has its outcome and only has to end: no timer of its own changes that.
    pub const fn is_settled(&self) -> bool {
        match self {
            Self::Waited(_)
            | Self::Denied(..)
            | Self::Answered(..)
            | Self::Refused(..)
            | Self::GivenUp(_) => true,
            Self::Idle
            | Self::Started(_)
            | Self::Waiting(..)
            | Self::Drafted(..)
            | Self::Asked(..)
            | Self::Approved(..)
            | Self::Attempting(..)
            | Self::Deferred(..)
            | Self::InDoubt(..)
            | Self::Unsent(..) => false,
        }
    }

    /// The name of the state, for messages and the grid.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Started(_) => "started",
            Self::Waiting(..) => "waiting",
            Self::Waited(_) => "waited",
            Self::Drafted(..) => "drafted",
            Self::Asked(..) => "asked",
            Self::Approved(..) => "approved",
            Self::Denied(..) => "denied",
            Self::Attempting(..) => "attempting",
            Self::Deferred(..) => "deferred",
            Self::InDoubt(..) => "in doubt",
            Self::Answered(..) => "answered",
            Self::Refused(..) => "refused",
            Self::Unsent(..) => "unsent",
            Self::GivenUp(_) => "given up",
        }
    }
}

impl Phase {
    /// The name of the phase, for messages and the grid.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Running(_) => "running",
            Self::Faulting(..) => "faulting",
            Self::Ending(..) => "ending",
            Self::Completed(_) => "completed",
            Self::Faulted(..) => "faulted",
            Self::Cancelled(_) => "cancelled",
        }
    }
}
