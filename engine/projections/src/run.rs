//! The fold of one run: what it pins, where it stands, and what follows from that.
//!
//! Due rows and marks are not written event by event: they are functions of the state
//! ([`State::due`], [`State::marks`]), and a commit writes the difference. A row that outlives its
//! reason cannot come about.
//!
//! Attempts whose task is gone are kept apart ([`State::detached`]), as in the core: what becomes
//! of them changes neither where the run stands nor what comes due.

use crate::key::Mark;
use crate::{Due, DueRow, RunStatus, WaitingFor};
use placet_model::attempt::RefuseReason;
use placet_model::decision::Settlement;
use placet_model::draft::Mode;
use placet_model::event::attempt::{AttemptDeferred, AttemptRefused, AttemptStarted};
use placet_model::event::decision::{DecisionSettled, DraftPrepared};
use placet_model::event::run::{FaultFact, RunStarted, TaskFaulted, TimerArmed, TimerKind};
use placet_model::plan::WorkflowName;
use placet_model::{
    AttemptId, DecisionId, Digest, Event, Iteration, PayloadRef, Principal, Revision, RunId,
    TaskPath, TimerId, Timestamp,
};
use serde::{Deserialize, Serialize};

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
    pub(crate) phase: Phase,
    /// The run's own timeout, until it passes or is moot.
    pub(crate) deadline: Option<Timestamp>,
    /// Timers that are armed and not moot.
    pub(crate) timers: Vec<Timer>,
    /// What the open request or unspent approval expires at.
    pub(crate) expiry: Option<(DecisionId, Timestamp)>,
    /// The attempt of the current task.
    pub(crate) attempt: Option<Attempt>,
    /// Attempts whose task is gone.
    pub(crate) detached: Vec<Detached>,
    /// A draft that is not yet in the inbox.
    pub(crate) draft: Option<Box<DraftPrepared>>,
}

/// Where a run is in its life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Phase {
    Ready,
    Waiting(WaitingFor),
    Completed(PayloadRef),
    Faulted(FaultFact),
    Cancelled,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Timer {
    id: TimerId,
    task: TaskPath,
    iteration: Iteration,
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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Detached {
    id: AttemptId,
    decision: Option<DecisionId>,
    in_doubt: bool,
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

impl State {
    pub(crate) const fn started(body: &RunStarted, at: Timestamp) -> Self {
        Self {
            revision: Revision::START,
            updated_at: at,
            phase: Phase::Ready,
            deadline: body.deadline,
            timers: Vec::new(),
            expiry: None,
            attempt: None,
            detached: Vec::new(),
            draft: None,
        }
    }

    // ---- what follows from the state -----------------------------------------------------

    /// Whether no further event is expected.
    pub(crate) const fn is_settled(&self) -> bool {
        self.is_over() && self.detached.is_empty()
    }

    const fn is_over(&self) -> bool {
        match self.phase {
            Phase::Completed(_) | Phase::Faulted(_) | Phase::Cancelled => true,
            Phase::Ready | Phase::Waiting(_) => false,
        }
    }

    pub(crate) const fn status(&self) -> RunStatus {
        match self.phase {
            Phase::Ready => RunStatus::Running,
            Phase::Waiting(_) => RunStatus::Waiting,
            Phase::Completed(_) => RunStatus::Completed,
            Phase::Faulted(_) => RunStatus::Faulted,
            Phase::Cancelled => RunStatus::Cancelled,
        }
    }

    /// The marks of the run.
    pub(crate) fn marks(&self, run: RunId) -> Vec<Mark> {
        let stage = |stage| self.attempt.as_ref().is_some_and(|attempt| attempt.stage == stage);
        let detached = |in_doubt| self.detached.iter().any(|one| one.in_doubt == in_doubt);
        let mut marks = Vec::new();
        if self.phase == Phase::Ready {
            marks.push(Mark::Ready(run));
        }
        if stage(Stage::UnderWay) || detached(false) {
            marks.push(Mark::InFlight(run));
        }
        if stage(Stage::InDoubt) || detached(true) {
            marks.push(Mark::InDoubt(run));
        }
        marks
    }

    /// The due rows of the run.
    pub(crate) fn due(&self, run: RunId) -> Vec<DueRow> {
        let retry = self.attempt.as_ref().and_then(|attempt| match attempt.stage {
            Stage::Deferred(until) => Some((until, Due::Retry(attempt.id))),
            Stage::UnderWay | Stage::InDoubt => None,
        });
        let deadline = self.deadline.map(|at| (at, Due::RunDeadline));
        let expiry = self.expiry.map(|(decision, at)| (at, Due::Expiry(decision)));
        let timers = self.timers.iter().map(|timer| (timer.due_at, Due::Timer(timer.id)));
        let all = deadline.into_iter().chain(timers).chain(expiry).chain(retry);
        all.map(|(at, due)| DueRow { at, run, due }).collect()
    }

    /// What is known of an attempt.
    pub(crate) fn known(&self, id: AttemptId) -> Option<Known> {
        if let Some(attempt) = self.attempt.as_ref().filter(|attempt| attempt.id == id) {
            let in_doubt = attempt.stage == Stage::InDoubt;
            let (decision, spendable) = (attempt.decision, attempt.spendable());
            return Some(Known { decision, in_doubt, spendable });
        }
        let detached = self.detached.iter().find(|detached| detached.id == id)?;
        let (decision, in_doubt) = (detached.decision, detached.in_doubt);
        Some(Known { decision, in_doubt, spendable: None })
    }

    // ---- the fold ------------------------------------------------------------------------

    /// Folds the next event, except the first, which makes the state.
    pub(crate) fn apply(&mut self, event: &Event) -> Step {
        match event {
            Event::TaskStarted(_) | Event::IterationStarted(_) | Event::TaskSkipped(_) => {
                self.go_on(Phase::Ready)
            }
            Event::TaskCompleted(body) => {
                self.timers.retain(|t| t.task != body.task || t.iteration != body.iteration);
                self.go_on(Phase::Ready)
            }
            Event::TaskFaulted(body) => self.task_faulted(body),
            Event::FaultCaught(body) => {
                self.timers.retain(|timer| !is_inside(&timer.task, &body.task));
                self.go_on(Phase::Ready)
            }
            Event::TimerArmed(body) => self.timer_armed(body),
            Event::TimerFired(body) => {
                self.timers.retain(|timer| timer.id != body.timer);
                self.go_on(Phase::Ready)
            }
            Event::RunCompleted(body) => self.end(Phase::Completed(body.output)),
            Event::RunFaulted(body) => self.end(Phase::Faulted(body.fault.clone())),
            Event::RunCancelled(_) => self.end(Phase::Cancelled),
            Event::DraftPrepared(body) => {
                self.draft = Some(Box::new(body.clone()));
                self.go_on(Phase::Ready)
            }
            Event::DecisionRequested(body) => {
                self.draft = None;
                self.expiry = Some((body.decision, body.expires_at));
                self.go_on(Phase::Waiting(WaitingFor::Decision(body.decision)))
            }
            Event::VoteCast(_) => Ok(()),
            Event::DecisionSettled(body) => self.settled(body),
            Event::RequirementRaised(body) => {
                self.attempt = None;
                self.go_on(Phase::Waiting(WaitingFor::Decision(body.decision)))
            }
            Event::DecisionVoided(_) => {
                self.attempt = None;
                self.expiry = None;
                self.go_on(Phase::Ready)
            }
            Event::AttemptStarted(body) => self.attempt_started(body),
            Event::AttemptSucceeded(body) => self.attempt_ended(body.attempt),
            Event::AttemptRefused(body) => self.attempt_refused(body),
            Event::AttemptDeferred(body) => self.attempt_deferred(body),
            Event::AttemptInDoubt(body) => self.attempt_in_doubt(body.attempt),
            Event::AttemptReconciled(body) => self.attempt_ended(body.attempt),
            Event::RunStarted(_) => Err("the run has begun already"),
            Event::IntegrationConnected(_)
            | Event::CredentialStored(_)
            | Event::CredentialUsed(_)
            | Event::IntegrationTested(_)
            | Event::HealthCheckFailed(_)
            | Event::IntegrationDisabled(_)
            | Event::IntegrationEnabled(_)
            | Event::IntegrationDisconnected(_)
            | Event::PolicyChanged(_)
            | Event::OutboundPaused(_)
            | Event::OutboundResumed(_)
            | Event::WorkflowDeployed(_)
            | Event::OperationRegistered(_)
            | Event::EngineStarted(_) => Err("it is no event of a run"),
        }
    }

    fn go_on(&mut self, phase: Phase) -> Step {
        if self.is_over() {
            return Err(OVER);
        }
        self.phase = phase;
        Ok(())
    }

    fn end(&mut self, phase: Phase) -> Step {
        self.go_on(phase)?;
        self.detach();
        self.timers.clear();
        self.deadline = None;
        self.expiry = None;
        self.draft = None;
        Ok(())
    }

    /// A fault of the workflow itself is the run's own timeout.
    fn task_faulted(&mut self, body: &TaskFaulted) -> Step {
        self.go_on(Phase::Ready)?;
        self.detach();
        self.timers.retain(|t| t.task != body.task && !is_inside(&t.task, &body.task));
        self.expiry = None;
        self.draft = None;
        if body.task.as_str().is_empty() {
            self.deadline = None;
        }
        Ok(())
    }

    fn timer_armed(&mut self, body: &TimerArmed) -> Step {
        let phase = match body.kind {
            TimerKind::Wait => Phase::Waiting(WaitingFor::Timer),
            TimerKind::TaskTimeout | TimerKind::RunTimeout => self.phase.clone(),
        };
        self.go_on(phase)?;
        self.timers.push(Timer {
            id: body.timer,
            task: body.task.clone(),
            iteration: body.iteration.clone(),
            due_at: body.due_at,
        });
        Ok(())
    }

    fn settled(&mut self, body: &DecisionSettled) -> Step {
        match body.settlement {
            Settlement::Approved => self.go_on(Phase::Waiting(WaitingFor::Decision(body.decision))),
            Settlement::Rejected
            | Settlement::Responded
            | Settlement::Expired
            | Settlement::Withdrawn
            | Settlement::Superseded => {
                self.expiry = None;
                self.go_on(Phase::Ready)
            }
        }
    }

    fn attempt_started(&mut self, body: &AttemptStarted) -> Step {
        self.expiry = None;
        self.attempt = Some(Attempt {
            id: body.attempt,
            decision: body.decision,
            not_after: body.not_after,
            stage: Stage::UnderWay,
            has_integration: body.integration.is_some(),
        });
        self.go_on(Phase::Waiting(WaitingFor::Answer))
    }

    /// Takes the attempt out: its value when it is the current task's, none when its task is gone.
    fn take(&mut self, id: AttemptId) -> Result<Option<Attempt>, &'static str> {
        if self.attempt.as_ref().is_some_and(|attempt| attempt.id == id) {
            return Ok(self.attempt.take());
        }
        let place = self.detached.iter().position(|detached| detached.id == id);
        self.detached.remove(place.ok_or(NO_ATTEMPT)?);
        Ok(None)
    }

    fn attempt_ended(&mut self, id: AttemptId) -> Step {
        match self.take(id)? {
            Some(_) => self.go_on(Phase::Ready),
            None => Ok(()),
        }
    }

    /// A refused credential proves that nothing was sent: the approval is unspent again.
    fn attempt_refused(&mut self, body: &AttemptRefused) -> Step {
        let Some(attempt) = self.take(body.attempt)? else { return Ok(()) };
        match (body.reason, attempt.spendable()) {
            (RefuseReason::Reconnect, Some(decision)) => {
                self.expiry = Some((decision, attempt.not_after));
                self.go_on(Phase::Waiting(WaitingFor::Decision(decision)))
            }
            (
                RefuseReason::Reconnect
                | RefuseReason::Permanent
                | RefuseReason::Quota
                | RefuseReason::Exhausted
                | RefuseReason::Unreadable,
                _,
            ) => self.go_on(Phase::Ready),
        }
    }

    fn attempt_deferred(&mut self, body: &AttemptDeferred) -> Step {
        let Some(attempt) = self.take(body.attempt)? else { return Ok(()) };
        self.expiry = attempt.decision.map(|decision| (decision, attempt.not_after));
        self.attempt = Some(Attempt { stage: Stage::Deferred(body.until), ..attempt });
        self.go_on(Phase::Waiting(WaitingFor::Deferred))
    }

    fn attempt_in_doubt(&mut self, id: AttemptId) -> Step {
        if let Some(attempt) = self.attempt.as_mut().filter(|attempt| attempt.id == id) {
            attempt.stage = Stage::InDoubt;
            return self.go_on(Phase::Waiting(WaitingFor::InDoubt));
        }
        let detached = self.detached.iter_mut().find(|detached| detached.id == id);
        detached.ok_or(NO_ATTEMPT)?.in_doubt = true;
        Ok(())
    }

    /// The current task is gone: what was sent for it still ends in a known outcome; what was put
    /// off will not be tried again.
    fn detach(&mut self) {
        let Some(Attempt { id, decision, stage, .. }) = self.attempt.take() else { return };
        match stage {
            Stage::UnderWay => self.detached.push(Detached { id, decision, in_doubt: false }),
            Stage::InDoubt => self.detached.push(Detached { id, decision, in_doubt: true }),
            Stage::Deferred(_) => {}
        }
    }
}

/// Whether a task stands inside a container; everything stands inside the workflow itself.
fn is_inside(task: &TaskPath, container: &TaskPath) -> bool {
    let rest = task.as_str().strip_prefix(container.as_str());
    rest.is_some_and(|rest| rest.starts_with('/'))
}
