//! The state of one run, folded from its stream. It carries what is legal next, and no content:
//! values stand in the payload store and appear here by reference.
//!
//! A run has one or more [`Branch`]es: the workflow itself, and the branches of the forks that are
//! under way. Which of them an event concerns follows from its task, decision, attempt or timer.

mod activity;
mod ask;
mod branch;

pub use activity::{Activity, Fork, Leaf};
pub use branch::{Branch, BranchKey, Frame, FrameKind, Tries, Wait};

use placet_model::approval::Requirement;
use placet_model::attempt::{Evidence, RefuseReason};
use placet_model::decision::{DecisionState, VoidReason};
use placet_model::draft::{ActionId, BoundField, DraftDocument};
use placet_model::event::attempt::{AttemptRefused, AttemptStarted};
use placet_model::event::decision::{
    DraftPrepared, NoticeKind, ResolutionCast, StandingUsed, VoteCast,
};
use placet_model::event::route::SendRouted;
use placet_model::event::run::{FaultFact, RunStarted, TimerKind};
use placet_model::{
    AttemptId, DecisionId, Digest, Iteration, PayloadRef, Position, Principal, Revision, RunId,
    TaskPath, TimerId, Timestamp, Uptime,
};
use std::collections::{BTreeMap, BTreeSet};
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
    /// Lines of control flow: the workflow itself, then the branches of its forks, in the order in
    /// which they began.
    branches: Vec<Branch>,
    /// Attempts whose task is gone (cancelled, timed out): they still end in a known outcome.
    pub detached: BTreeMap<AttemptId, Detached>,
    /// Look-ups of attempts in doubt; also one under way of an attempt that somebody has settled.
    pub lookups: BTreeMap<AttemptId, Lookup>,
    /// Timers that are armed.
    pub timers: BTreeMap<TimerId, Timer>,
    /// Last draft revision of each action; counts on across the workflow's own retries.
    pub drafts: BTreeMap<(TaskPath, Iteration), u32>,
    /// Where calls by a channel were led.
    pub routes: BTreeMap<(TaskPath, Iteration), SendRouted>,
    /// What was asked for the card of the draft that is to follow.
    pub previews: BTreeMap<(TaskPath, Iteration), Preview>,
    /// Votes by (voter, request id): the same request id gives the same answer.
    pub requests: BTreeMap<(String, String), VoteCast>,
    /// The same of what was said of attempts in doubt.
    pub resolutions: BTreeMap<(String, String), ResolutionCast>,
    /// How decisions that are over ended, for late votes.
    pub closed: BTreeMap<DecisionId, DecisionState>,
    /// Events that were taken: each is taken once.
    pub taken: BTreeSet<Position>,
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
    /// The event that began it, with the definition and plan of today.
    pub started: RunStarted,
    /// When.
    pub started_at: Timestamp,
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
    /// The same moment by the clock that nobody can set.
    pub requested_uptime: Option<Uptime>,
    /// When the answer becomes no.
    pub expires_at: Timestamp,
    /// What must be met; at least the draft's own requirement.
    pub requirement: Requirement,
    /// Votes so far.
    pub votes: Vec<VoteCast>,
    /// Who has written the draft, where that is not the workflow: their vote does not count.
    pub editor: Option<Principal>,
    /// Users and groups who are to decide instead of all who could.
    pub assigned: Vec<Principal>,
    /// The standing approval under which some of them were given in advance.
    pub standing: Option<StandingUsed>,
    /// Notices that people have had: the moment for which each was due, and why.
    pub notices: Vec<(Timestamp, NoticeKind)>,
    /// The attempt that has claimed it before and proved that nothing was sent.
    pub prior: Option<(AttemptId, u32)>,
}

/// What a provider was asked for the card of a draft that is not made yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// Which read.
    pub read: AttemptId,
    /// When it began.
    pub begun_at: Timestamp,
    /// Whether nobody waits for it any more.
    pub ended: bool,
    /// What the draft is made from.
    pub with: PayloadRef,
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
    /// The moment at which that try was weighed, by the clock that nobody can set.
    pub first_uptime: Option<Uptime>,
    /// The approval that it consumed; none for an ungated read.
    pub ask: Option<Ask>,
    /// Whether one of its tries has been in doubt: then no later try can prove that nothing was
    /// sent.
    pub doubted: bool,
    /// Why the last of them was: what has moved on, or is there and not final, does not go again.
    pub doubt: Option<Evidence>,
}

/// An attempt whose task is gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Detached {
    /// The attempt.
    pub attempt: Attempt,
    /// Whether its outcome is in doubt.
    pub in_doubt: bool,
}

/// How the look-ups of an attempt stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookup {
    /// The last one that was planned or begun.
    pub number: u32,
    /// How it stands.
    pub stage: LookupStage,
}

/// How a look-up stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupStage {
    /// It is to begin at this moment.
    Due(Timestamp),
    /// It has left.
    UnderWay,
    /// No further one is made: a person says what became of the attempt.
    Over,
    /// It has proved that nothing was sent: the same bytes may go again.
    Absent,
    /// The same bytes went again since: what was found before says nothing about that.
    Outdated,
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

impl Refused {
    /// What the event says of it.
    pub(crate) fn of(body: &AttemptRefused) -> Self {
        let (reason, status) = (body.reason, body.answer.status);
        Self { reason, status, code: body.code.clone(), detail: body.detail }
    }
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
    pub fn absent(id: RunId) -> Self {
        Self {
            id,
            revision: Revision::START,
            touched_at: Timestamp::EPOCH,
            phase: Phase::Absent,
            branches: vec![Branch::new(BranchKey::main())],
            detached: BTreeMap::new(),
            lookups: BTreeMap::new(),
            timers: BTreeMap::new(),
            drafts: BTreeMap::new(),
            routes: BTreeMap::new(),
            previews: BTreeMap::new(),
            requests: BTreeMap::new(),
            resolutions: BTreeMap::new(),
            closed: BTreeMap::new(),
            taken: BTreeSet::new(),
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
            Phase::Absent | Phase::Running(_) | Phase::Ending(..) => false,
        }
    }

    /// Its lines of control flow, the workflow itself first.
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }

    pub(crate) fn branches_mut(&mut self) -> &mut Vec<Branch> {
        &mut self.branches
    }

    /// The workflow itself.
    pub fn main(&self) -> &Branch {
        &self.branches[0]
    }

    pub(crate) fn main_mut(&mut self) -> &mut Branch {
        &mut self.branches[0]
    }

    /// The branch with this key; the workflow itself where it is gone.
    pub fn branch(&self, key: &BranchKey) -> &Branch {
        self.branches.iter().find(|branch| branch.key == *key).unwrap_or(&self.branches[0])
    }

    /// Place of the branch in which a task runs, or would run.
    pub(crate) fn place_of(&self, task: &TaskPath) -> usize {
        let inside = |(_, branch): &(usize, &Branch)| task.is_inside(&branch.key.head);
        let deepest = |(_, branch): &(usize, &Branch)| branch.key.head.as_str().len();
        let found = self.branches.iter().enumerate().filter(inside).max_by_key(deepest);
        found.map_or(0, |(place, _)| place)
    }

    /// The branch in which a task runs, or would run.
    pub fn branch_of(&self, task: &TaskPath) -> &Branch {
        &self.branches[self.place_of(task)]
    }

    /// The branches inside a container.
    pub fn branches_inside<'a>(
        &'a self,
        container: &'a TaskPath,
    ) -> impl Iterator<Item = &'a Branch> {
        self.branches.iter().filter(|branch| branch.key.head.is_inside(container))
    }

    /// The open frames around what happens in a branch, outermost first: those of the branches
    /// around it up to the fork, then its own.
    pub fn frames_around<'a>(&'a self, branch: &'a Branch) -> impl Iterator<Item = &'a Frame> {
        let around = |other: &&Branch| {
            other.key == branch.key
                || other.key.is_main()
                || branch.key.head.is_inside(&other.key.head)
        };
        self.branches.iter().filter(around).flat_map(|branch| &branch.frames)
    }

    /// The requests that are open or approved and unspent.
    pub fn asks(&self) -> impl Iterator<Item = &Ask> {
        self.branches.iter().filter_map(|branch| branch.activity.ask())
    }

    /// The branch and the request of this decision, if it is open or approved and unspent, also
    /// where a try has proved that nothing was sent.
    pub fn unsettled(&self, decision: DecisionId) -> Option<(&Branch, &Ask)> {
        self.branches.iter().find_map(|branch| {
            let ask = branch.activity.unsettled().filter(|ask| ask.decision == decision)?;
            Some((branch, ask))
        })
    }

    /// The attempts of tasks that are still there.
    pub fn attempts(&self) -> impl Iterator<Item = (&Branch, &Attempt)> {
        let attempt = |branch: &'_ Branch| branch.activity.attempt().is_some();
        self.branches
            .iter()
            .filter(move |branch| attempt(branch))
            .filter_map(|branch| Some((branch, branch.activity.attempt()?)))
    }

    /// The attempt with this id, attached or not.
    pub fn attempt(&self, id: AttemptId) -> Option<&Attempt> {
        self.attempts()
            .map(|(_, attempt)| attempt)
            .find(|attempt| attempt.started.attempt == id)
            .or_else(|| self.detached.get(&id).map(|detached| &detached.attempt))
    }

    /// Whether the outcome of this attempt is in doubt, whether or not its task is still there.
    pub fn is_in_doubt(&self, id: AttemptId) -> bool {
        let mine = |attempt: &Attempt| attempt.started.attempt == id;
        let mut current = self.branches.iter().filter_map(|branch| branch.activity.in_doubt());
        current.any(mine) || self.detached.get(&id).is_some_and(|detached| detached.in_doubt)
    }

    /// How the look-up of this attempt stands.
    pub fn lookup_stage(&self, id: AttemptId) -> Option<LookupStage> {
        self.lookups.get(&id).map(|lookup| lookup.stage)
    }

    /// The attempt in doubt that this decision led to.
    pub fn in_doubt(&self, decision: DecisionId) -> Option<&Attempt> {
        let current = self.branches.iter().filter_map(|branch| branch.activity.in_doubt());
        let detached = self.detached.values().filter(|d| d.in_doubt).map(|d| &d.attempt);
        current.chain(detached).find(|attempt| attempt.started.decision == Some(decision))
    }

    /// What the run is doing, in a word.
    pub fn doing(&self) -> &'static str {
        let busy = self.branches.iter().filter(|branch| branch.failed.is_none());
        let busy = busy.filter(|branch| !matches!(branch.activity, Activity::Forked(..)));
        let mut names = busy.map(|branch| match branch.fault {
            Some(_) => "faulting",
            None => branch.activity.name(),
        });
        let one = names.next().filter(|_| names.next().is_none());
        one.unwrap_or("forked")
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

impl Phase {
    /// The name of the phase, for messages and the grid.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Running(_) => "running",
            Self::Ending(..) => "ending",
            Self::Completed(_) => "completed",
            Self::Faulted(..) => "faulted",
            Self::Cancelled(_) => "cancelled",
        }
    }
}
