//! The fold of one run: what it pins, where it stands, and what follows from that.
//!
//! Due rows and marks are not written event by event: they are functions of the state
//! ([`State::due`], [`State::marks`]), and a commit writes the difference. A row that outlives its
//! reason cannot come about.
//!
//! A run has one line of control flow, and one more for each branch of its forks: which line an
//! event concerns follows from its task, decision or attempt, as in the core. Attempts whose task is
//! gone are kept apart ([`State::detached`]): what becomes of them changes neither where the run
//! stands nor what comes due.

mod gate;

use crate::key::Mark;
use crate::{Due, DueRow, RunStatus, WaitingFor};
use placet_model::draft::Mode;
use placet_model::event::child::ChildStarted;
use placet_model::event::decision::DraftPrepared;
use placet_model::event::run::{
    BranchFaulted, FaultFact, RetryScheduled, RunStarted, TaskCompleted, TaskFaulted, TaskShape,
    TaskStarted, Then, TimerArmed, TimerKind,
};
use placet_model::event::wait::{EventHandled, EventMatched, Taken, WaitStarted};
use placet_model::plan::WorkflowName;
use placet_model::{
    AttemptId, DecisionId, Digest, Event, Iteration, PayloadRef, Position, Principal, Revision,
    RunId, TaskPath, TimerId, Timestamp, aside_event, beside_event, lookup_event, upkeep_event,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a run pins for life: cold, written once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) workflow: WorkflowName,
    pub(crate) plan_digest: Digest,
    pub(crate) mode: Mode,
    pub(crate) requester: Principal,
    pub(crate) started_at: Timestamp,
}

/// Where a run stands: hot, written by every commit that concerns it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) revision: Revision,
    pub(crate) updated_at: Timestamp,
    /// How it ended.
    pub(crate) end: Option<End>,
    /// The run's own timeout, until it passes or is moot.
    pub(crate) deadline: Option<Timestamp>,
    /// Timers that are armed and not moot.
    pub(crate) timers: Vec<Timer>,
    /// Lines of control flow: the workflow itself, then the branches of its forks.
    pub(crate) lines: Vec<Line>,
    /// Attempts whose task is gone.
    pub(crate) detached: Vec<Detached>,
    /// Look-ups of attempts in doubt.
    lookups: Vec<Lookup>,
    /// What is waited for besides people, timers and answers.
    pub(crate) waits: Vec<Wait>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum End {
    Completed(PayloadRef),
    Faulted(FaultFact),
    Cancelled,
}

/// One line of control flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// The head that its tasks share; the root path for the workflow itself.
    head: TaskPath,
    stands: Stands,
    /// What its open request or unspent approval expires at.
    expiry: Option<(DecisionId, Timestamp)>,
    /// The attempt of its current task.
    attempt: Option<Attempt>,
    /// A draft that is not yet in the inbox.
    draft: Option<Box<DraftPrepared>>,
    /// Who has edited the draft of its current task.
    editor: Option<Principal>,
}

/// Where a line stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Stands {
    Ready,
    Waiting(WaitingFor),
    Forked { task: TaskPath, count: u32, race: bool },
    Ended,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Timer {
    id: TimerId,
    task: TaskPath,
    iteration: Iteration,
    kind: TimerKind,
    due_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    id: AttemptId,
    decision: Option<DecisionId>,
    not_after: Timestamp,
    stage: Stage,
    /// Whether it uses an integration, which can be connected again.
    has_integration: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Stage {
    UnderWay,
    Deferred(Timestamp),
    InDoubt,
}

/// A look-up of an attempt in doubt that is due or under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Lookup {
    attempt: AttemptId,
    /// When it is to begin; none while it is under way.
    due_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Detached {
    id: AttemptId,
    decision: Option<DecisionId>,
    in_doubt: bool,
}

/// A wait for events of these types, or for another run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Wait {
    task: TaskPath,
    /// Where the wait began, or began again.
    at: Position,
    types: Vec<String>,
    child: Option<RunId>,
    /// Whether something runs for each event.
    each: bool,
    /// Whether no further event is taken, also while something still runs for the last one.
    ended: bool,
}

/// Why an event cannot follow.
pub(crate) type Step = Result<(), &'static str>;
const OVER: &str = "the run is over";
const NO_ATTEMPT: &str = "the run has no such attempt";

/// What is known of an attempt before its next event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) decision: Option<DecisionId>,
    pub(crate) in_doubt: bool,
    /// The approval that a refused credential makes spendable again.
    pub(crate) spendable: Option<DecisionId>,
}

impl Facts {
    pub(crate) fn of(body: &RunStarted, at: Timestamp) -> Self {
        Self {
            workflow: body.workflow.clone(),
            plan_digest: body.plan_digest,
            mode: body.mode,
            requester: body.requester.clone(),
            started_at: at,
        }
    }
}

impl Attempt {
    fn spendable(&self) -> Option<DecisionId> {
        self.decision.filter(|_| self.has_integration)
    }
}

impl Line {
    fn new(head: TaskPath) -> Self {
        Self { head, stands: Stands::Ready, expiry: None, attempt: None, draft: None, editor: None }
    }
}

impl State {
    pub(crate) fn started(body: &RunStarted, at: Timestamp) -> Self {
        Self {
            revision: Revision::START,
            updated_at: at,
            end: None,
            deadline: body.deadline,
            timers: Vec::new(),
            lines: vec![Line::new(TaskPath::root())],
            detached: Vec::new(),
            lookups: Vec::new(),
            waits: Vec::new(),
        }
    }

    // ---- what follows from the state -----------------------------------------------------

    /// Whether no further event is expected.
    pub(crate) const fn is_settled(&self) -> bool {
        self.is_over() && self.detached.is_empty() && self.lookups.is_empty()
    }

    const fn is_over(&self) -> bool {
        self.end.is_some()
    }

    fn is_ready(&self) -> bool {
        !self.is_over() && self.lines.iter().any(|line| line.stands == Stands::Ready)
    }

    /// What it waits for, when no line can go on by itself.
    pub(crate) fn waiting_for(&self) -> Option<WaitingFor> {
        if self.is_over() || self.is_ready() {
            return None;
        }
        self.lines.iter().find_map(|line| match &line.stands {
            Stands::Waiting(waiting) => Some(*waiting),
            Stands::Ready | Stands::Forked { .. } | Stands::Ended | Stands::Failed => None,
        })
    }

    pub(crate) fn status(&self) -> RunStatus {
        match self.end {
            None if self.is_ready() => RunStatus::Running,
            None => RunStatus::Waiting,
            Some(End::Completed(_)) => RunStatus::Completed,
            Some(End::Faulted(_)) => RunStatus::Faulted,
            Some(End::Cancelled) => RunStatus::Cancelled,
        }
    }

    fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.lines.iter().filter_map(|line| line.attempt.as_ref())
    }

    /// The marks of the run.
    pub(crate) fn marks(&self, run: RunId) -> Vec<Mark> {
        let stage = |stage| self.attempts().any(|attempt| attempt.stage == stage);
        let detached = |in_doubt| self.detached.iter().any(|one| one.in_doubt == in_doubt);
        let mut marks = Vec::new();
        if self.is_ready() {
            marks.push(Mark::Ready(run));
        }
        let looking = self.lookups.iter().any(|lookup| lookup.due_at.is_none());
        if stage(Stage::UnderWay) || detached(false) || looking {
            marks.push(Mark::InFlight(run));
        }
        if stage(Stage::InDoubt) || detached(true) {
            marks.push(Mark::InDoubt(run));
        }
        marks
    }

    /// The due rows of the run.
    pub(crate) fn due(&self, run: RunId) -> Vec<DueRow> {
        let retry = self.attempts().filter_map(|attempt| match attempt.stage {
            Stage::Deferred(until) => Some((until, Due::Retry(attempt.id))),
            Stage::UnderWay | Stage::InDoubt => None,
        });
        let deadline = self.deadline.map(|at| (at, Due::RunDeadline));
        let expiry = self.lines.iter().filter_map(|line| line.expiry);
        let expiry = expiry.map(|(decision, at)| (at, Due::Expiry(decision)));
        let timers = self.timers.iter().map(|timer| (timer.due_at, Due::Timer(timer.id)));
        let lookups = self.lookups.iter();
        let lookups = lookups.filter_map(|one| Some((one.due_at?, Due::Lookup(one.attempt))));
        let all = deadline.into_iter().chain(timers).chain(expiry).chain(retry).chain(lookups);
        all.map(|(at, due)| DueRow { at, run, due }).collect()
    }

    /// The types of events that the run waits for, each with the place where the wait began.
    pub(crate) fn listens(&self) -> BTreeMap<String, Position> {
        let mut listens = BTreeMap::new();
        for wait in &self.waits {
            for kind in &wait.types {
                let at = listens.entry(kind.clone()).or_insert(wait.at);
                *at = (*at).max(wait.at);
            }
        }
        listens
    }

    /// What is known of an attempt.
    pub(crate) fn known(&self, id: AttemptId) -> Option<Known> {
        if let Some(attempt) = self.attempts().find(|attempt| attempt.id == id) {
            let in_doubt = attempt.stage == Stage::InDoubt;
            let (decision, spendable) = (attempt.decision, attempt.spendable());
            return Some(Known { decision, in_doubt, spendable });
        }
        let detached = self.detached.iter().find(|detached| detached.id == id)?;
        let (decision, in_doubt) = (detached.decision, detached.in_doubt);
        Some(Known { decision, in_doubt, spendable: None })
    }

    /// The draft of a task that is not yet in the inbox.
    pub(crate) fn draft(&self, task: &TaskPath) -> Option<&DraftPrepared> {
        self.lines[self.line(task)].draft.as_deref()
    }

    /// Who has written the draft of a task, where that is not the workflow.
    pub(crate) fn editor(&self, task: &TaskPath) -> Option<Principal> {
        self.lines[self.line(task)].editor.clone()
    }

    // ---- lines ---------------------------------------------------------------------------

    /// Place of the line that works on a task.
    fn line(&self, task: &TaskPath) -> usize {
        let inside = |(_, line): &(usize, &Line)| task.is_inside(&line.head);
        let deepest = |(_, line): &(usize, &Line)| line.head.as_str().len();
        let found = self.lines.iter().enumerate().filter(inside).max_by_key(deepest);
        found.map_or(0, |(place, _)| place)
    }

    /// The line with this open or unspent decision.
    fn deciding(&mut self, decision: DecisionId) -> Result<&mut Line, &'static str> {
        let mine = |line: &&mut Line| {
            let open = line.expiry.is_some_and(|(id, _)| id == decision);
            open || line.attempt.as_ref().is_some_and(|a| a.decision == Some(decision))
        };
        self.lines.iter_mut().find(mine).ok_or("the run has no such request")
    }

    fn go_on(&mut self, task: &TaskPath) -> Step {
        self.stand(task, Stands::Ready)
    }

    fn stand(&mut self, task: &TaskPath, stands: Stands) -> Step {
        if self.is_over() {
            return Err(OVER);
        }
        let place = self.line(task);
        self.lines[place].stands = stands;
        Ok(())
    }

    /// The task of a branch has ended: the branch has, and the fork may go on.
    fn after_task(&mut self, task: &TaskPath, stands: Stands) {
        let place = self.line(task);
        let head = &self.lines[place].head;
        let rest = task.as_str().strip_prefix(head.as_str()).unwrap_or_default();
        let is_branch = !head.as_str().is_empty() && !rest[1..].contains('/');
        if is_branch {
            self.lines[place].stands = stands;
            self.join(place);
        }
    }

    /// Lets the fork around a branch go on, once enough of its branches have ended.
    fn join(&mut self, place: usize) {
        let head = self.lines[place].head.clone();
        let around = |line: &Line| match &line.stands {
            Stands::Forked { task, count, race } => {
                let mine = (0..*count).any(|index| task.branch(index) == head);
                mine.then(|| (task.clone(), *count, *race))
            }
            Stands::Ready | Stands::Waiting(_) | Stands::Ended | Stands::Failed => None,
        };
        let found = self.lines.iter().enumerate().find_map(|(at, line)| Some((at, around(line)?)));
        let Some((fork, (task, count, race))) = found else { return };
        let heads: Vec<TaskPath> = (0..count).map(|index| task.branch(index)).collect();
        let stand = |stands: &Stands| {
            let of_fork = self.lines.iter().filter(|line| heads.contains(&line.head));
            of_fork.filter(|line| line.stands == *stands).count()
        };
        let (ended, failed) = (stand(&Stands::Ended), stand(&Stands::Failed));
        let all = count as usize;
        let over = if race { ended > 0 || failed >= all } else { failed > 0 || ended >= all };
        if over {
            self.lines[fork].stands = Stands::Ready;
        }
    }

    /// Leaves the lines inside a container: what was sent for them still ends in a known outcome.
    fn leave(&mut self, container: &TaskPath) {
        if self.lines.len() == 1 {
            return;
        }
        let lines = std::mem::take(&mut self.lines);
        let (left, kept): (Vec<_>, _) =
            lines.into_iter().partition(|line| line.head.is_inside(container));
        self.lines = kept;
        for mut line in left {
            self.detached.extend(line.detach());
            self.timers.retain(|timer| !timer.task.is_inside(&line.head));
            self.waits.retain(|wait| !wait.task.is_inside(&line.head));
        }
    }

    // ---- the fold ------------------------------------------------------------------------

    /// Folds the next event, except the first, which makes the state.
    #[expect(clippy::unnested_or_patterns, reason = "a macro stands for several events")]
    pub(crate) fn apply(&mut self, event: &Event, at: Position) -> Step {
        match event {
            Event::TaskStarted(body) => self.task_started(body, at),
            Event::IterationStarted(body) => self.go_on(&body.task),
            Event::TaskSkipped(body) => self.task_skipped(&body.task),
            Event::TaskCompleted(body) => self.task_completed(body),
            Event::TaskFaulted(body) => self.task_faulted(body),
            Event::FaultCaught(body) => self.caught(&body.task, Stands::Ready),
            Event::RetryScheduled(body) => self.retry_scheduled(body),
            Event::BranchFaulted(body) => self.branch_faulted(body),
            Event::TimerArmed(body) => self.timer_armed(body),
            Event::TimerFired(body) => self.timer_fired(body.timer),
            Event::RunCompleted(body) => self.end(End::Completed(body.output)),
            Event::RunFaulted(body) => self.end(End::Faulted(body.fault.clone())),
            Event::RunCancelled(_) => self.end(End::Cancelled),
            Event::RunMigrated(_) => self.migrate(),
            aside_event!() => self.not_over(),
            Event::WaitStarted(body) => self.wait_started(body, at),
            Event::EventMatched(body) => self.event_matched(body, at),
            Event::EventHandled(body) => self.event_handled(body, at),
            Event::EventEmitted(body) => self.go_on(&body.task),
            Event::ChildStarted(body) => self.child_started(body, at),
            Event::ChildEnded(body) => self.child_over(body.child),
            Event::ChildDropped(body) => self.child_over(body.child),
            Event::DraftPrepared(_)
            | Event::DecisionRequested(_)
            | Event::VoteCast(_)
            | Event::ResolutionCast(_)
            | Event::DecisionSettled(_)
            | Event::RequirementRaised(_)
            | Event::DraftEdited(_)
            | Event::DecisionReassigned(_)
            | Event::DecisionVoided(_)
            | Event::StandingUsed(_)
            | Event::VoteDelegated(_)
            | Event::ApproversReminded(_)
            | Event::AttemptStarted(_)
            | Event::AttemptSucceeded(_)
            | Event::AttemptRefused(_)
            | Event::AttemptDeferred(_)
            | Event::AttemptInDoubt(_)
            | Event::AttemptReconciled(_) => self.apply_to_gate(event),
            lookup_event!() => self.looked_up(event),
            Event::RunStarted(_) => Err("the run has begun already"),
            Event::IntegrationConnected(_)
            | Event::CredentialStored(_)
            | Event::CredentialUsed(_)
            | Event::IntegrationTested(_)
            | Event::HealthCheckFailed(_)
            | Event::IntegrationDisabled(_)
            | Event::IntegrationEnabled(_)
            | Event::IntegrationDisconnected(_)
            | Event::IntegrationScoped(_)
            | Event::PolicyChanged(_)
            | Event::OutboundPaused(_)
            | Event::OutboundResumed(_)
            | Event::WorkflowDeployed(_)
            | Event::OperationRegistered(_)
            | upkeep_event!()
            | Event::EventReceived(_)
            | Event::EventsDelivered(_)
            | Event::ScheduleFired(_)
            | Event::ScheduleMatched(_)
            | Event::CheckpointSigned(_)
            | Event::CheckpointCosigned(_)
            | Event::PayloadErased(_)
            | Event::EpochStarted(_)
            | Event::StandingEndorsed(_)
            | Event::BreakGlassReviewed(_)
            | beside_event!() => Err("it is no event of a run"),
        }
    }

    fn task_skipped(&mut self, task: &TaskPath) -> Step {
        self.go_on(task)?;
        self.after_task(task, Stands::Ended);
        Ok(())
    }

    fn wait_started(&mut self, body: &WaitStarted, at: Position) -> Step {
        self.wait(&body.task, at)?.types.clone_from(&body.types);
        self.stand(&body.task, Stands::Waiting(WaitingFor::Event))
    }

    /// The half of the fold that concerns drafts, decisions and attempts.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is control flow, matched there")]
    fn apply_to_gate(&mut self, event: &Event) -> Step {
        match event {
            Event::DraftPrepared(body) => {
                self.go_on(&body.task)?;
                let place = self.line(&body.task);
                self.lines[place].draft = Some(Box::new(body.clone()));
                Ok(())
            }
            Event::DecisionRequested(body) => {
                let waiting = Stands::Waiting(WaitingFor::Decision(body.decision));
                self.stand(&body.task, waiting)?;
                let place = self.line(&body.task);
                self.lines[place].draft = None;
                self.lines[place].expiry = Some((body.decision, body.expires_at));
                Ok(())
            }
            Event::VoteCast(_)
            | Event::ResolutionCast(_)
            | Event::StandingUsed(_)
            | Event::VoteDelegated(_)
            | Event::ApproversReminded(_)
            | Event::DecisionReassigned(_) => Ok(()),
            Event::DraftEdited(body) => {
                self.go_on(&body.task)?;
                let place = self.line(&body.task);
                self.lines[place].editor = Some(body.editor.clone());
                Ok(())
            }
            Event::DecisionSettled(body) => self.settled(body),
            Event::RequirementRaised(body) => {
                let line = self.deciding(body.decision)?;
                // the request stays what it was, with the same end
                if let Some(attempt) = line.attempt.take() {
                    line.expiry = line.expiry.or(Some((body.decision, attempt.not_after)));
                }
                line.stands = Stands::Waiting(WaitingFor::Decision(body.decision));
                self.not_over()
            }
            Event::DecisionVoided(body) => {
                let line = self.deciding(body.decision)?;
                line.attempt = None;
                line.expiry = None;
                line.stands = Stands::Ready;
                self.not_over()
            }
            Event::AttemptStarted(body) => self.attempt_started(body),
            Event::AttemptSucceeded(body) => self.attempt_ended(body.attempt),
            Event::AttemptRefused(body) => self.attempt_refused(body),
            Event::AttemptDeferred(body) => self.attempt_deferred(body),
            Event::AttemptInDoubt(body) => self.attempt_in_doubt(body.attempt),
            Event::AttemptReconciled(body) => self.attempt_ended(body.attempt),
            _ => Err("it concerns no draft, decision or attempt"),
        }
    }

    /// Under the other version the tasks say anew what they want.
    fn migrate(&mut self) -> Step {
        self.not_over()?;
        self.lines.iter_mut().for_each(|line| line.editor = None);
        Ok(())
    }

    const fn not_over(&self) -> Step {
        if self.is_over() { Err(OVER) } else { Ok(()) }
    }

    fn end(&mut self, end: End) -> Step {
        self.not_over()?;
        self.end = Some(end);
        self.leave(&TaskPath::root());
        for line in &mut self.lines {
            self.detached.extend(line.detach());
        }
        self.lines = vec![Line::new(TaskPath::root())];
        self.timers.clear();
        self.waits.clear();
        self.deadline = None;
        Ok(())
    }

    fn task_started(&mut self, body: &TaskStarted, at: Position) -> Step {
        let task = body.task.clone();
        let place = self.line(&task);
        self.lines[place].editor = None;
        let each = body.shape == TaskShape::ListenEach;
        if each || body.shape == TaskShape::Listen {
            self.waits.push(Wait { task, at, types: vec![], child: None, each, ended: false });
            return self.go_on(&body.task);
        }
        let race = body.shape == TaskShape::Race;
        if !race && body.shape != TaskShape::Fork {
            return self.go_on(&body.task);
        }
        let count = body.count;
        self.stand(&body.task, Stands::Forked { task, count, race })?;
        self.lines.extend((0..count).map(|index| Line::new(body.task.branch(index))));
        Ok(())
    }

    fn task_completed(&mut self, body: &TaskCompleted) -> Step {
        self.timers.retain(|t| t.task != body.task || t.iteration != body.iteration);
        self.waits.retain(|wait| wait.task != body.task);
        self.leave(&body.task);
        self.go_on(&body.task)?;
        match body.then {
            Then::Continue | Then::Exit => self.after_task(&body.task, Stands::Ended),
            Then::End => self.leave(&TaskPath::root()),
            Then::Goto => {}
        }
        if body.then == Then::End {
            self.lines[0].stands = Stands::Ready;
            self.waits.clear();
        }
        Ok(())
    }

    /// A fault of the workflow itself is the run's own timeout.
    fn task_faulted(&mut self, body: &TaskFaulted) -> Step {
        self.leave(&body.task);
        self.go_on(&body.task)?;
        let place = self.line(&body.task);
        let line = &mut self.lines[place];
        self.detached.extend(line.detach());
        line.expiry = None;
        line.draft = None;
        self.timers.retain(|t| t.task != body.task && !t.task.is_inside(&body.task));
        self.waits.retain(|wait| wait.task != body.task && !wait.task.is_inside(&body.task));
        if body.task.as_str().is_empty() {
            self.deadline = None;
        }
        Ok(())
    }

    /// A `try` has caught the fault: what was armed inside it is moot.
    fn caught(&mut self, task: &TaskPath, stands: Stands) -> Step {
        self.timers.retain(|timer| {
            let of_attempt = timer.kind == TimerKind::AttemptTimeout && timer.task == *task;
            !of_attempt && !timer.task.is_inside(task)
        });
        self.waits.retain(|wait| !wait.task.is_inside(task));
        self.stand(task, stands)
    }

    fn retry_scheduled(&mut self, body: &RetryScheduled) -> Step {
        self.caught(&body.task, Stands::Waiting(WaitingFor::Timer))?;
        self.timers.push(Timer {
            id: body.timer,
            task: body.task.clone(),
            iteration: body.iteration.clone(),
            kind: TimerKind::Retry,
            due_at: body.due_at,
        });
        Ok(())
    }

    fn branch_faulted(&mut self, body: &BranchFaulted) -> Step {
        self.not_over()?;
        let head = body.task.branch(body.branch);
        let place = self.lines.iter().position(|line| line.head == head);
        let place = place.ok_or("the run has no such branch")?;
        self.lines[place].stands = Stands::Failed;
        self.timers.retain(|timer| !timer.task.is_inside(&head));
        self.waits.retain(|wait| !wait.task.is_inside(&head));
        self.join(place);
        Ok(())
    }

    // ---- timers, events, other runs ------------------------------------------------------

    fn timer_armed(&mut self, body: &TimerArmed) -> Step {
        match body.kind {
            TimerKind::Wait => self.stand(&body.task, Stands::Waiting(WaitingFor::Timer))?,
            TimerKind::TaskTimeout
            | TimerKind::RunTimeout
            | TimerKind::Retry
            | TimerKind::AttemptTimeout => self.not_over()?,
        }
        self.timers.push(Timer {
            id: body.timer,
            task: body.task.clone(),
            iteration: body.iteration.clone(),
            kind: body.kind,
            due_at: body.due_at,
        });
        Ok(())
    }

    /// A timeout that fires says itself, by the fault that follows, what becomes of its task.
    fn timer_fired(&mut self, id: TimerId) -> Step {
        self.not_over()?;
        let place = self.timers.iter().position(|timer| timer.id == id);
        let timer = self.timers.remove(place.ok_or("the run has no such timer")?);
        match timer.kind {
            TimerKind::Wait | TimerKind::Retry => self.go_on(&timer.task),
            TimerKind::TaskTimeout | TimerKind::RunTimeout | TimerKind::AttemptTimeout => Ok(()),
        }
    }

    fn wait(&mut self, task: &TaskPath, at: Position) -> Result<&mut Wait, &'static str> {
        let wait = self.waits.iter_mut().find(|wait| wait.task == *task);
        let wait = wait.ok_or("the run has no such wait")?;
        wait.at = at;
        Ok(wait)
    }

    fn event_matched(&mut self, body: &EventMatched, at: Position) -> Step {
        let wait = self.wait(&body.task, at)?;
        wait.ended = body.ends;
        let runs_for_it = wait.each && body.taken == Taken::Consumed;
        let stands = if body.ends || runs_for_it {
            Stands::Ready
        } else {
            Stands::Waiting(WaitingFor::Event)
        };
        self.stand(&body.task, stands)
    }

    fn event_handled(&mut self, body: &EventHandled, at: Position) -> Step {
        let wait = self.wait(&body.task, at)?;
        wait.ended |= body.ends;
        let more = Stands::Waiting(WaitingFor::Event);
        let stands = if wait.ended { Stands::Ready } else { more };
        self.stand(&body.task, stands)
    }

    fn child_started(&mut self, body: &ChildStarted, at: Position) -> Step {
        if !body.awaited {
            return self.go_on(&body.task);
        }
        let (task, child) = (body.task.clone(), Some(body.child));
        self.waits.push(Wait { task, at, types: vec![], child, each: false, ended: false });
        self.stand(&body.task, Stands::Waiting(WaitingFor::Run(body.child)))
    }

    fn child_over(&mut self, child: RunId) -> Step {
        let place = self.waits.iter().position(|wait| wait.child == Some(child));
        let wait = self.waits.remove(place.ok_or("the run awaits no such run")?);
        self.go_on(&wait.task)
    }
}

impl Line {
    /// The current task is gone: what was sent for it still ends in a known outcome; what was put
    /// off will not be tried again.
    fn detach(&mut self) -> Option<Detached> {
        let Attempt { id, decision, stage, .. } = self.attempt.take()?;
        match stage {
            Stage::UnderWay => Some(Detached { id, decision, in_doubt: false }),
            Stage::InDoubt => Some(Detached { id, decision, in_doubt: true }),
            Stage::Deferred(_) => None,
        }
    }
}
