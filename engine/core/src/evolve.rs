//! `Run::apply`: folds one event into a run. One exhaustive match per kind of event; the legal
//! pairs are the table below, and everything else is an [`Illegal`] that names state and event.
//!
//! ```text
//! absent      RunStarted → idle
//! idle        TaskStarted → idle (container) | started (leaf) | forked · IterationStarted
//!             · WaitStarted · EventMatched · EventHandled · EventEmitted
//!             · TaskCompleted · TaskSkipped · TaskFaulted → faulting · RunCompleted (ending)
//! started     TimerArmed(wait) → waiting → TimerFired → waited · SendRouted (again as long as it is started)
//!             PreviewRead (also when unsent): the state stays the same
//!             DraftPrepared → drafted → DecisionRequested → asked
//!             AttemptStarted (ungated read) → attempting
//!             ChildStarted → awaiting → ChildEnded → answered; not awaited → answered
//! asked       VoteCast · DecisionReassigned · DecisionSettled → approved | denied | unsent (edited)
//! asked, approved, deferred with a decision: DecisionVoided(new epoch) → started | unsent (edited)
//! approved    AttemptStarted → attempting · RequirementRaised → asked · DecisionVoided → denied
//! attempting  AttemptSucceeded → answered · AttemptRefused → refused | approved (reconnect)
//!             AttemptDeferred → deferred · AttemptInDoubt → in doubt
//! deferred    AttemptStarted (next try) → attempting · RequirementRaised → asked · DecisionVoided → denied
//! in doubt    AttemptReconciled → answered | unsent | given up · AttemptStarted (next try) → attempting
//! unsent      DraftEdited · DraftPrepared (next revision) → drafted
//! awaiting    ChildDropped → dropped
//! denied      RunMigrated → started, where the request was taken back for that
//! waited, answered: TaskCompleted or TaskFaulted ends the leaf
//! denied, refused, given up, dropped: TaskFaulted ends the leaf
//! forked      TaskCompleted joins the branches · TaskFaulted leaves them
//! faulting    FaultCaught → idle · RetryScheduled → backing off · BranchFaulted · RunFaulted
//! any running RunCancelled; attempts under way are detached and still end
//! ```
//!
//! The states are those of one branch; an event concerns the branch of its task, decision, attempt
//! or timer, and leaves the others alone. Where something is open or unspent (drafted, asked,
//! approved, deferred with a decision, awaiting) it is settled or void before its task faults, its
//! branch is left, or the run is cancelled. Once a try is in doubt, only `AttemptSucceeded` and
//! `AttemptReconciled` settle the attempt. `tests/grid.rs` draws all of it.

mod control;
mod gate;
mod lookup;
mod wait;

use crate::run::{Activity, Frame, FrameKind, Leaf};
use crate::run::{Branch, Detached, Phase, Run, RunFacts};
use placet_model::decision::{DecisionState, VoidReason};
use placet_model::event::run::{FaultFact, RunMigrated, RunStarted};
use placet_model::{
    Event, Iteration, PayloadRef, Revision, TaskPath, Timestamp, attempt_event, beside_event,
    lookup_event, upkeep_event,
};
use std::sync::Arc;

/// An event that cannot follow in this state: a bug when deciding, a corrupt log when replaying.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot follow at revision {revision}: the run is {phase}, its task {activity}")]
pub struct Illegal {
    /// The event's type.
    pub event: &'static str,
    /// Where it would have stood.
    pub revision: Revision,
    /// The run's phase.
    pub phase: &'static str,
    /// The current leaf's state.
    pub activity: &'static str,
}

/// The state did not allow it.
#[derive(Debug)]
pub(crate) struct No;
pub(crate) type Step = Result<(), No>;

impl Run {
    /// Folds the next event of the stream into the state.
    ///
    /// # Errors
    /// [`Illegal`] where the event cannot follow. What is left of the run then means nothing and
    /// must not be used any more: folding in place keeps a long history linear.
    pub fn apply(&mut self, event: &Event, at: Timestamp) -> Result<(), Illegal> {
        let before = (self.phase.name(), self.doing());
        let step = self.step(event, at);
        let (phase, activity) = before;
        let (event, revision) = (event.type_name(), self.revision.next());
        step.map_err(|No| Illegal { event, revision, phase, activity })?;
        self.revision = revision;
        self.touched_at = at;
        Ok(())
    }

    pub(crate) fn illegal(&self, event: &Event) -> Illegal {
        Illegal {
            event: event.type_name(),
            revision: self.revision.next(),
            phase: self.phase.name(),
            activity: self.doing(),
        }
    }

    #[expect(clippy::unnested_or_patterns, reason = "a macro stands for several events")]
    fn step(&mut self, event: &Event, at: Timestamp) -> Step {
        match event {
            Event::RunStarted(body) => self.run_started(body, at),
            Event::TaskStarted(body) => self.task_started(body, at),
            Event::IterationStarted(body) => self.iteration_started(body),
            Event::TaskCompleted(body) => self.task_completed(body),
            Event::TaskSkipped(body) => self.task_skipped(&body.task, &body.iteration),
            Event::TaskFaulted(body) => self.task_faulted(body),
            Event::FaultCaught(body) => self.fault_caught(body),
            Event::RetryScheduled(body) => self.retry_scheduled(body),
            Event::BranchFaulted(body) => self.branch_faulted(body),
            Event::WaitStarted(body) => self.wait_started(body),
            Event::EventMatched(body) => self.event_matched(body),
            Event::EventHandled(body) => self.event_handled(body),
            Event::EventEmitted(body) => self.event_emitted(body, at),
            Event::ChildStarted(body) => self.child_started(body),
            Event::ChildEnded(body) => self.child_ended(body),
            Event::ChildDropped(body) => self.child_dropped(body),
            Event::RunMigrated(body) => self.run_migrated(body),
            Event::TimerArmed(body) => self.timer_armed(body),
            Event::TimerFired(body) => self.timer_fired(body.timer),
            Event::RunCompleted(_) => self.run_completed(),
            Event::RunFaulted(body) => self.run_faulted(&body.fault),
            Event::RunCancelled(_) => self.run_cancelled(),
            Event::SendRouted(body) => self.send_routed(body),
            Event::PreviewRead(body) => self.preview_read(body, at),
            Event::DraftPrepared(body) => self.draft_prepared(body),
            Event::DecisionRequested(body) => self.decision_requested(body, at),
            Event::DraftEdited(body) => self.draft_edited(body),
            Event::DecisionReassigned(body) => self.decision_reassigned(body),
            Event::ActionRequested(_) => self.action_requested(),
            Event::VoteCast(body) => self.vote_cast(body),
            Event::ResolutionCast(body) => self.resolution_cast(body),
            Event::DecisionSettled(body) => self.decision_settled(body),
            Event::RequirementRaised(body) => self.requirement_raised(body),
            Event::DecisionVoided(body) => self.decision_voided(body),
            Event::StandingUsed(body) => self.standing_used(body),
            Event::VoteDelegated(body) => self.vote_delegated(body),
            Event::ApproversReminded(body) => self.approvers_reminded(body),
            attempt_event!() => self.attempted(event, at),
            lookup_event!() => self.looked_up(event),
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
            | beside_event!() => Err(No),
        }
    }

    fn run_started(&mut self, body: &RunStarted, at: Timestamp) -> Step {
        let Phase::Absent = self.phase else { return Err(No) };
        let frame = Frame::list(TaskPath::root(), Iteration::none(), body.first);
        self.main_mut().frames.push(frame);
        self.phase = Phase::Running(Arc::new(RunFacts { started: body.clone(), started_at: at }));
        Ok(())
    }

    /// Says how a run came about that has just begun; it changes nothing.
    fn action_requested(&self) -> Step {
        let first = Revision::START.next();
        if self.revision == first { self.running() } else { Err(No) }
    }

    const fn running(&self) -> Step {
        if matches!(self.phase, Phase::Running(_)) { Ok(()) } else { Err(No) }
    }

    // ---- ends ----------------------------------------------------------------------------

    /// The task list, or a task, says that the run is complete: every other branch is left.
    fn end_run(&mut self, output: PayloadRef) -> Step {
        let Phase::Running(facts) = &self.phase else { return Err(No) };
        self.phase = Phase::Ending(Arc::clone(facts), output);
        self.leave(&TaskPath::root())?;
        let activity = std::mem::replace(&mut self.main_mut().activity, Activity::Idle);
        if activity.is_open() {
            return Err(No);
        }
        self.detach(activity);
        Ok(())
    }

    fn run_completed(&mut self) -> Step {
        let main = self.main();
        let finished = main.frames.len() == 1 && main.is_idle() && self.branches().len() == 1;
        self.phase = match &self.phase {
            Phase::Ending(facts, _) => Phase::Completed(Arc::clone(facts)),
            Phase::Running(facts) if finished => Phase::Completed(Arc::clone(facts)),
            Phase::Running(_)
            | Phase::Absent
            | Phase::Completed(_)
            | Phase::Faulted(..)
            | Phase::Cancelled(_) => return Err(No),
        };
        self.close();
        Ok(())
    }

    fn run_faulted(&mut self, fault: &FaultFact) -> Step {
        let faulting = self.main().fault.is_some();
        self.phase = match &self.phase {
            Phase::Running(facts) if faulting => Phase::Faulted(Arc::clone(facts), fault.clone()),
            Phase::Ending(facts, _) => Phase::Faulted(Arc::clone(facts), fault.clone()),
            Phase::Running(_)
            | Phase::Absent
            | Phase::Completed(_)
            | Phase::Faulted(..)
            | Phase::Cancelled(_) => return Err(No),
        };
        self.close();
        Ok(())
    }

    fn run_cancelled(&mut self) -> Step {
        let (Phase::Running(facts) | Phase::Ending(facts, _)) = &self.phase else {
            return Err(No);
        };
        self.phase = Phase::Cancelled(Arc::clone(facts));
        self.leave(&TaskPath::root())?;
        let activity = std::mem::replace(&mut self.main_mut().activity, Activity::Idle);
        if activity.is_open() {
            return Err(No);
        }
        self.detach(activity);
        self.close();
        Ok(())
    }

    fn close(&mut self) {
        self.branches_mut().truncate(1);
        let main = self.main_mut();
        main.frames.clear();
        main.fault = None;
        self.timers.clear();
    }

    /// Leaves every branch inside a container. Nothing of them may be open any more; their attempts
    /// still end in a known outcome.
    fn leave(&mut self, container: &TaskPath) -> Step {
        if self.branches().len() == 1 {
            return Ok(());
        }
        let inside = |branch: &Branch| branch.key.head.is_inside(container);
        if self.branches().iter().any(|branch| inside(branch) && branch.activity.is_open()) {
            return Err(No);
        }
        let branches = std::mem::take(self.branches_mut());
        let (left, kept) = branches.into_iter().partition(inside);
        *self.branches_mut() = kept;
        for branch in left {
            self.detach(branch.activity);
            self.timers.retain(|_, timer| !timer.task.is_inside(&branch.key.head));
        }
        Ok(())
    }

    /// Keeps an attempt whose task is gone: it still ends in a known outcome.
    pub(crate) fn detach(&mut self, activity: Activity) {
        let in_doubt = matches!(activity, Activity::InDoubt(..));
        if let Activity::Attempting(_, attempt) | Activity::InDoubt(_, attempt) = activity {
            self.detached.insert(attempt.started.attempt, Detached { attempt: *attempt, in_doubt });
        }
    }

    /// Requests that were taken back for it are asked again; nothing else may be under way.
    fn run_migrated(&mut self, body: &RunMigrated) -> Step {
        let Phase::Running(facts) = &self.phase else { return Err(No) };
        let mut facts = RunFacts::clone(facts);
        facts.started.workflow = body.workflow.clone();
        facts.started.plan_digest = body.plan_digest;
        self.phase = Phase::Running(Arc::new(facts));
        for branch in self.branches_mut() {
            if branch.activity.is_open() || branch.activity.attempt().is_some() {
                return Err(No);
            }
            if let Activity::Denied(leaf, denial) = &branch.activity {
                let asked_again = denial.state == DecisionState::Superseded
                    || matches!(denial.void, Some((VoidReason::Migrated, _)));
                if asked_again {
                    // under the other version the task says anew what it wants
                    let leaf = Leaf { editor: None, ..leaf.clone() };
                    branch.activity = Activity::Started(leaf);
                }
            }
        }
        Ok(())
    }
}

impl Frame {
    fn list(task: TaskPath, iteration: Iteration, input: PayloadRef) -> Self {
        Self {
            task,
            iteration,
            input,
            value: input,
            index: 0,
            exited: false,
            steps: std::collections::BTreeMap::new(),
            effect_at: None,
            kind: FrameKind::List,
        }
    }

    fn is(&self, task: &TaskPath, iteration: &Iteration) -> bool {
        self.task == *task && self.iteration == *iteration
    }

    /// The list begins again.
    fn restart(&mut self, value: PayloadRef) {
        self.value = value;
        self.index = 0;
        self.exited = false;
    }

    /// The iteration in which the children of this container run.
    pub fn child_iteration(&self) -> Iteration {
        let current = match &self.kind {
            FrameKind::For { current, .. } => *current,
            FrameKind::Listen(wait) => wait.current,
            FrameKind::List
            | FrameKind::Branch
            | FrameKind::Function
            | FrameKind::Try(_)
            | FrameKind::Backoff { .. }
            | FrameKind::Catch { .. } => None,
        };
        current.map_or_else(|| self.iteration.clone(), |index| self.iteration.inner(index))
    }

    /// Takes over what a container inside has finished, so that `$steps` still sees it; what
    /// stands in a loop, a function or a branch stays there.
    fn adopt(&mut self, inner: Self) {
        self.effect_at = self.effect_at.max(inner.effect_at);
        match inner.kind {
            FrameKind::List | FrameKind::Try(_) | FrameKind::Catch { .. } => {
                self.steps.extend(inner.steps);
            }
            // a retried `try` clears its own entries
            FrameKind::Backoff { .. }
            | FrameKind::For { .. }
            | FrameKind::Listen(_)
            | FrameKind::Branch
            | FrameKind::Function => {}
        }
    }
}
