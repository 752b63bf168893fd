//! What the views hand out. Plain values, apart from the rows as stored, so that a new layout of a
//! table changes nothing for readers.

use crate::inbox::{Place, Rank, Shape};
use placet_model::approval::Requirement;
use placet_model::decision::{DecisionState, Verdict, VoidReason};
use placet_model::draft::{BoundField, Mode};
use placet_model::event::decision::StandingUsed;
use placet_model::manifest::Effect;
use placet_model::plan::WorkflowName;
use placet_model::{
    AttemptId, DecisionId, Digest, EventId, IntegrationId, Iteration, PayloadRef, Position,
    Principal, Revision, RunId, StreamId, TaskPath, TimerId, Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunStatus {
    /// It can go on by itself.
    Running,
    /// Something is awaited; see [`RunRow::waiting_for`].
    Waiting,
    /// It ended well.
    Completed,
    /// It ended by a fault.
    Faulted,
    /// Somebody stopped it.
    Cancelled,
}

impl RunStatus {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Faulted => "faulted",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a waiting run waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitingFor {
    /// A vote on this decision or, once it is approved, its claim.
    Decision(DecisionId),
    /// The timer of a `wait`, or of a retry.
    Timer,
    /// The answer to a try that is under way.
    Answer,
    /// The next try of a call that was put off.
    Deferred,
    /// Somebody who knows whether it was sent.
    InDoubt,
    /// An event.
    Event,
    /// The end of another run.
    Run(RunId),
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// Which run.
    pub run: RunId,
    /// Its definition.
    pub workflow: WorkflowName,
    /// Its pinned plan.
    pub plan_digest: Digest,
    /// Sandbox or live.
    pub mode: Mode,
    /// Who caused it.
    pub requester: Principal,
    /// Where it stands.
    pub status: RunStatus,
    /// What it waits for, with [`RunStatus::Waiting`].
    pub waiting_for: Option<WaitingFor>,
    /// Log time of its first event.
    pub started_at: Timestamp,
    /// Log time of its last event.
    pub updated_at: Timestamp,
    /// Place of its last event in its stream.
    pub revision: Revision,
    /// Its output, with [`RunStatus::Completed`].
    pub output: Option<PayloadRef>,
    /// Type, status and content of its fault, with [`RunStatus::Faulted`].
    pub fault: Option<(String, u16, PayloadRef)>,
}

/// Which runs to list; everything that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    /// Where they stand.
    pub status: Option<RunStatus>,
    /// `namespace/name` of their workflow, any version.
    pub workflow: Option<String>,
}

/// Open items that a list is made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// All of them.
    All,
    /// Those of one shape.
    Shape(Digest),
    /// Those that somebody has caused.
    AskedBy(Principal),
    /// Those that somebody has voted on, or has written.
    InHandsOf(Principal),
}

/// A kind of open items: see [`crate::Rank`] and the module `inbox` for what makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct ShapeRow {
    /// Its name.
    pub shape: Digest,
    /// How many items are open.
    pub count: u64,
    /// How grave they are, and how they stand.
    pub rank: Rank,
    /// Operation name.
    pub operation: String,
    /// What it does to the world.
    pub effect: Effect,
    /// The integration; none where the call uses none.
    pub integration: Option<IntegrationId>,
    /// Sandbox or live.
    pub mode: Mode,
    /// `namespace/name` of the workflow, any version.
    pub workflow: String,
    /// The task.
    pub task: TaskPath,
    /// What must be met.
    pub requirement: Requirement,
    /// Users and groups who are to decide instead.
    pub assigned: Vec<Principal>,
    /// Whether an approver has written the drafts.
    pub edited: bool,
}

impl ShapeRow {
    pub(crate) fn of(shape: Digest, count: u64, stored: Shape) -> Option<Self> {
        Some(Self {
            shape,
            count,
            rank: stored.rank()?,
            operation: stored.operation,
            effect: stored.effect,
            integration: stored.integration,
            mode: stored.mode,
            workflow: stored.workflow,
            task: stored.task,
            requirement: stored.requirement,
            assigned: stored.assigned,
            edited: stored.edited,
        })
    }
}

/// One request for a decision, in whatever state; kept for ever.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionRow {
    /// Which decision.
    pub decision: DecisionId,
    /// What kind of decision it is: items of one shape may be decided together.
    pub shape: Digest,
    /// Its place in the list, while it is open.
    pub place: Option<Place>,
    /// The run that waits for it.
    pub run: RunId,
    /// The run's definition.
    pub workflow: WorkflowName,
    /// Who caused the run.
    pub requester: Principal,
    /// Sandbox or live.
    pub mode: Mode,
    /// The task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// Operation name.
    pub operation: String,
    /// What it does to the world.
    pub effect: Effect,
    /// The integration; none where the call uses none.
    pub integration: Option<IntegrationId>,
    /// Draft revision of the action, from 1.
    pub draft_revision: u32,
    /// The draft: what an approval binds.
    pub digest: Digest,
    /// What must be met, as last raised.
    pub requirement: Requirement,
    /// Log time of the request.
    pub requested_at: Timestamp,
    /// When the answer becomes no.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub state: DecisionState,
    /// The attempt that is in doubt, and since when.
    pub in_doubt: Option<(AttemptId, Timestamp)>,
    /// Who said what, with the log time of the vote, in order.
    pub votes: Vec<(Principal, Verdict, Timestamp)>,
    /// In words, what a raised requirement still lacks; empty once it is settled.
    pub missing: Vec<String>,
    /// Why it is void, and which bound field differed.
    pub void: Option<(VoidReason, Option<BoundField>)>,
    /// Where the evaluated `with` stands, in the run's stream.
    pub with: PayloadRef,
    /// Where the prepared request stands.
    pub request: PayloadRef,
    /// Where the draft document stands.
    pub document: PayloadRef,
    /// Where the author's line for the card stands.
    pub summary: Option<PayloadRef>,
    /// The attempt that claimed it last.
    pub attempt: Option<AttemptId>,
    /// Who has written the draft, where that is not the workflow.
    pub editor: Option<Principal>,
    /// Users and groups who are to decide instead; empty where all may who could.
    pub assigned: Vec<Principal>,
    /// Revision of the run's stream when this row last changed.
    pub revision: Revision,
    /// What the policy said besides when it was asked.
    pub notes: Vec<String>,
    /// The standing approval under which votes were given in advance.
    pub standing: Option<StandingUsed>,
    /// Who has voted in whose place.
    pub delegated: Vec<(Principal, Vec<Principal>)>,
}

/// What comes due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// The run's own timeout.
    RunDeadline,
    /// A timer.
    Timer(TimerId),
    /// The end of an open request or an unspent approval.
    Expiry(DecisionId),
    /// The next try of a call that was put off.
    Retry(AttemptId),
    /// People are to hear again of an open request.
    Notice(DecisionId),
    /// The next look-up of an attempt in doubt.
    Lookup(AttemptId),
}

/// One moment at which a run must be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueRow {
    /// When.
    pub at: Timestamp,
    /// Which run.
    pub run: RunId,
    /// Why.
    pub due: Due,
}

/// Where content stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The stream.
    pub stream: StreamId,
    /// Its payload.
    pub payload: PayloadRef,
}

/// One deployment of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowRow {
    /// `namespace/name`.
    pub family: String,
    /// Semantic version.
    pub version: String,
    /// Its plan.
    pub plan_digest: Digest,
    /// Log time of the deployment.
    pub deployed_at: Timestamp,
}

/// What is paused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pauses {
    /// The whole project.
    pub project: bool,
    /// These integrations.
    pub integrations: BTreeSet<IntegrationId>,
}

/// An event that came, from outside or from a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivalRow {
    /// Place in the log.
    pub position: Position,
    /// Log time.
    pub at: Timestamp,
    /// Type of the event.
    pub kind: String,
    /// Only this run may take it; none is whoever listens.
    pub to: Option<RunId>,
    /// Where the event stands.
    pub envelope: Located,
}

/// A run that was ordered by a task of another run, or by a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    /// The run that was ordered.
    pub run: RunId,
    /// Its plan.
    pub plan_digest: Digest,
    /// Where its input stands; none is null.
    pub input: Option<Located>,
    /// By whom.
    pub by: OrderedBy,
    /// How far it has come.
    pub stage: OrderStage,
    /// Whether whoever ordered it wants no more of it.
    pub dropped: bool,
}

/// How far a run has come that was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStage {
    /// It has not begun.
    Ordered,
    /// It has begun.
    Begun,
    /// It has ended.
    Over,
}

/// Who has ordered a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderedBy {
    /// A task of this run, which awaits its end or does not.
    Run {
        /// Which run.
        run: RunId,
        /// Whether it awaits the end.
        awaited: bool,
    },
    /// The schedule of this family of workflows.
    Schedule {
        /// `namespace/name`.
        family: String,
    },
}

/// What a row about somebody's votes says: the byte in its key, a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum TallyKind {
    /// They voted.
    Voted = 1,
    /// Somebody's later act has undone what they said.
    Reversed = 2,
    /// A request expired; of nobody.
    Expired = 3,
    /// An alarm speaks of them.
    Alarm = 4,
    /// A notice about requests got through to them.
    Heard = 5,
    /// A vote of theirs that was given in advance.
    InAdvance = 6,
}

/// Something that is counted of an approver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TallyRow {
    /// Log time.
    pub at: Timestamp,
    /// Place of its event.
    pub position: Position,
    /// Which decision, where it is about one.
    pub decision: Option<DecisionId>,
    /// The number of the verdict, of the settlement that undid it (0: a review), or of the alarm;
    /// with an expiry how many had voted.
    pub word: u16,
    /// Milliseconds between the request (or what has put it back into the inbox) and the vote.
    pub took_ms: u64,
}

/// How far somebody was told over a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldRow {
    /// All that concerns them up to here.
    pub up_to: Position,
    /// When the last notice was queued.
    pub queued_at: Timestamp,
    /// It has come to no end: which notice, and its tries so far.
    pub under_way: Option<(EventId, u32)>,
}
