//! `Run::apply`: folds one event into a run. One exhaustive match per kind of event; the legal
//! pairs are the table below, and everything else is an [`Illegal`] that names state and event.
//!
//! ```text
//! absent      RunStarted → idle
//! idle        TaskStarted → idle (container) | started (leaf) · IterationStarted · TaskCompleted · TaskSkipped
//!             · TaskFaulted → faulting · RunCompleted (ending)
//! started     TimerArmed(wait) → waiting → TimerFired → waited
//!             DraftPrepared → drafted → DecisionRequested → asked
//!             AttemptStarted (ungated read) → attempting
//! asked       VoteCast · DecisionSettled → approved | denied
//! approved    AttemptStarted → attempting · RequirementRaised → asked · DecisionVoided → denied
//! attempting  AttemptSucceeded → answered · AttemptRefused → refused | approved (reconnect)
//!             AttemptDeferred → deferred · AttemptInDoubt → in doubt
//! deferred    AttemptStarted (next try) → attempting · RequirementRaised → asked · DecisionVoided → denied
//! in doubt    AttemptReconciled → answered | unsent | given up · AttemptStarted (next try) → attempting
//! unsent      DraftPrepared (next revision) → drafted
//! waited, answered: TaskCompleted or TaskFaulted ends the leaf
//! denied, refused, given up: TaskFaulted ends the leaf
//! faulting    FaultCaught → idle · RunFaulted
//! any running RunCancelled; attempts under way are detached and still end
//! ```
//!
//! Where something is open or unspent (drafted, asked, approved, deferred with a decision) it is
//! settled or void before its task faults or the run is cancelled. Once a try is in doubt, only
//! `AttemptSucceeded` and `AttemptReconciled` settle the attempt. `tests/grid.rs` draws all of it.

mod gate;

use crate::run::{
    Activity, Detached, Frame, FrameKind, Leaf, Phase, Refused, Run, RunFacts, Timer,
};
use placet_model::event::run::{
    FaultCaught, FaultFact, RunStarted, TaskCompleted, TaskFaulted, TaskShape, TaskStarted, Then,
    TimerArmed, TimerKind,
};
use placet_model::{Event, Iteration, PayloadRef, Revision, TaskPath, Timestamp};
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
    /// [`Illegal`] where the event cannot follow; the state is then unchanged.
    pub fn apply(&mut self, event: &Event, at: Timestamp) -> Result<(), Illegal> {
        let mut after = self.clone();
        match after.step(event, at) {
            Ok(()) => {
                after.revision = self.revision.next();
                after.touched_at = at;
                *self = after;
                Ok(())
            }
            Err(No) => Err(self.illegal(event)),
        }
    }

    pub(crate) const fn illegal(&self, event: &Event) -> Illegal {
        Illegal {
            event: event.type_name(),
            revision: self.revision.next(),
            phase: self.phase.name(),
            activity: self.activity.name(),
        }
    }

    fn step(&mut self, event: &Event, at: Timestamp) -> Step {
        match event {
            Event::RunStarted(body) => self.run_started(body, at),
            Event::TaskStarted(body) => self.task_started(body),
            Event::IterationStarted(body) => {
                self.iteration_started(&body.task, &body.iteration, body.index)
            }
            Event::TaskCompleted(body) => self.task_completed(body),
            Event::TaskSkipped(body) => self.task_skipped(&body.task, &body.iteration),
            Event::TaskFaulted(body) => self.task_faulted(body),
            Event::FaultCaught(body) => self.fault_caught(body),
            Event::TimerArmed(body) => self.timer_armed(body),
            Event::TimerFired(body) => self.timer_fired(body.timer),
            Event::RunCompleted(_) => self.run_completed(),
            Event::RunFaulted(body) => self.run_faulted(&body.fault),
            Event::RunCancelled(_) => self.run_cancelled(),
            Event::DraftPrepared(body) => self.draft_prepared(body),
            Event::DecisionRequested(body) => self.decision_requested(body, at),
            Event::VoteCast(body) => self.vote_cast(body),
            Event::DecisionSettled(body) => self.decision_settled(body),
            Event::RequirementRaised(body) => self.requirement_raised(body),
            Event::DecisionVoided(body) => self.decision_voided(body),
            Event::AttemptStarted(body) => self.attempt_started(body, at),
            Event::AttemptSucceeded(body) => {
                self.attempt_succeeded(body.attempt, body.try_number, body.output)
            }
            Event::AttemptRefused(body) => {
                let refused = Refused {
                    reason: body.reason,
                    status: body.answer.status,
                    code: body.code.clone(),
                    detail: body.detail,
                };
                self.attempt_refused(body.attempt, body.try_number, refused)
            }
            Event::AttemptDeferred(body) => {
                self.attempt_deferred(body.attempt, body.try_number, body.until)
            }
            Event::AttemptInDoubt(body) => self.attempt_in_doubt(body.attempt, body.try_number),
            Event::AttemptReconciled(body) => self.attempt_reconciled(body),
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
            | Event::EngineStarted(_) => Err(No),
        }
    }

    fn run_started(&mut self, body: &RunStarted, at: Timestamp) -> Step {
        let Phase::Absent = self.phase else { return Err(No) };
        self.frames.push(Frame::list(TaskPath::root(), Iteration::none(), body.first));
        self.phase = Phase::Running(Arc::new(RunFacts { started: body.clone(), started_at: at }));
        Ok(())
    }

    fn running(&self) -> Step {
        if matches!(self.phase, Phase::Running(_)) { Ok(()) } else { Err(No) }
    }

    fn task_started(&mut self, body: &TaskStarted) -> Step {
        self.ready_for(&body.iteration)?;
        self.steps += 1;
        let (task, iteration, input) = (body.task.clone(), body.iteration.clone(), body.input);
        let kind = match (body.shape, body.items) {
            (TaskShape::Leaf, None) => {
                self.activity = Activity::Started(Leaf { task, iteration, input });
                return Ok(());
            }
            (TaskShape::List, None) => FrameKind::List,
            (TaskShape::Try, None) => FrameKind::Try,
            (TaskShape::For, Some(items)) => {
                FrameKind::For { items, count: body.count, current: None }
            }
            (TaskShape::Leaf | TaskShape::List | TaskShape::Try, Some(_))
            | (TaskShape::For, None) => {
                return Err(No);
            }
        };
        self.frames.push(Frame { kind, ..Frame::list(task, iteration, input) });
        Ok(())
    }

    /// A child of the innermost container may begin.
    fn ready_for(&self, iteration: &Iteration) -> Step {
        self.running()?;
        let Activity::Idle = self.activity else { return Err(No) };
        let frame = self.frames.last().ok_or(No)?;
        let before_the_first = matches!(frame.kind, FrameKind::For { current: None, .. });
        let ready = !before_the_first && !frame.exited && frame.child_iteration() == *iteration;
        if ready { Ok(()) } else { Err(No) }
    }

    fn iteration_started(&mut self, task: &TaskPath, iteration: &Iteration, index: u32) -> Step {
        self.running()?;
        let Activity::Idle = self.activity else { return Err(No) };
        let frame = self.frames.last_mut().ok_or(No)?;
        let FrameKind::For { count, ref mut current, .. } = frame.kind else { return Err(No) };
        let due = current.map_or(0, |now| now + 1);
        if frame.task != *task || frame.iteration != *iteration || index != due || index >= count {
            return Err(No);
        }
        *current = Some(index);
        frame.index = 0;
        frame.exited = false;
        frame.steps.clear();
        Ok(())
    }

    fn task_completed(&mut self, body: &TaskCompleted) -> Step {
        self.running()?;
        let instant = matches!(self.activity, Activity::Idle);
        let container = instant
            && self.frames.len() > 1
            && self.frames.last().is_some_and(|f| f.is(&body.task, &body.iteration));
        let mut inner = None;
        if container {
            inner = self.frames.pop();
        } else if instant {
            self.ready_for(&body.iteration)?;
            self.steps += 1;
        } else {
            self.end_leaf(&body.task, &body.iteration)?;
        }
        self.disarm(&body.task, &body.iteration);
        self.context = body.context.or(self.context);
        let frame = self.frames.last_mut().ok_or(No)?;
        frame.value = body.output;
        if let Some(inner) = inner {
            frame.adopt(inner);
        }
        frame.steps.insert(body.task.name(), body.output);
        match (body.then, body.goto) {
            (Then::Continue, None) => frame.index += 1,
            (Then::Exit, None) => frame.exited = true,
            (Then::Goto, Some(index)) => frame.index = index,
            (Then::End, None) => return self.end_run(body.output),
            (Then::Continue | Then::Exit | Then::End, Some(_)) | (Then::Goto, None) => {
                return Err(No);
            }
        }
        Ok(())
    }

    fn end_run(&mut self, output: PayloadRef) -> Step {
        let Phase::Running(facts) = std::mem::replace(&mut self.phase, Phase::Absent) else {
            return Err(No);
        };
        self.phase = Phase::Ending(facts, output);
        Ok(())
    }

    /// A leaf may end when nothing of it is open any more.
    fn end_leaf(&mut self, task: &TaskPath, iteration: &Iteration) -> Step {
        let (Activity::Waited(leaf) | Activity::Answered(leaf, _)) = &self.activity else {
            return Err(No);
        };
        if leaf.task != *task || leaf.iteration != *iteration {
            return Err(No);
        }
        self.activity = Activity::Idle;
        Ok(())
    }

    fn task_skipped(&mut self, task: &TaskPath, iteration: &Iteration) -> Step {
        self.ready_for(iteration)?;
        self.steps += 1;
        let frame = self.frames.last_mut().ok_or(No)?;
        frame.steps.remove(&task.name());
        frame.index += 1;
        Ok(())
    }

    fn task_faulted(&mut self, body: &TaskFaulted) -> Step {
        self.running()?;
        let activity = std::mem::replace(&mut self.activity, Activity::Idle);
        // a request must be settled before its task may fault
        if activity.is_open() {
            return Err(No);
        }
        self.detach(activity);
        let Phase::Running(facts) = std::mem::replace(&mut self.phase, Phase::Absent) else {
            return Err(No);
        };
        self.phase = Phase::Faulting(facts, body.fault.clone(), body.task.clone());
        Ok(())
    }

    fn fault_caught(&mut self, body: &FaultCaught) -> Step {
        let place = self
            .frames
            .iter()
            .rposition(|f| f.is(&body.task, &body.iteration) && f.kind == FrameKind::Try)
            .ok_or(No)?;
        let Phase::Faulting(facts, ..) = std::mem::replace(&mut self.phase, Phase::Absent) else {
            return Err(No);
        };
        self.phase = Phase::Running(facts);
        while self.frames.len() > place + 1 {
            let inner = self.frames.pop().ok_or(No)?;
            self.disarm(&inner.task, &inner.iteration);
            self.frames.last_mut().ok_or(No)?.adopt(inner);
        }
        let inside: Vec<_> = self
            .timers
            .iter()
            .filter(|(_, t)| t.is_inside(&body.task))
            .map(|(id, _)| *id)
            .collect();
        for id in inside {
            self.timers.remove(&id);
        }
        let frame = self.frames.last_mut().ok_or(No)?;
        frame.kind = FrameKind::Catch { fault: body.fault };
        frame.value = frame.input;
        frame.index = 0;
        frame.exited = false;
        Ok(())
    }

    // ---- timers --------------------------------------------------------------------------

    fn timer_armed(&mut self, body: &TimerArmed) -> Step {
        self.running()?;
        let timer = Timer {
            task: body.task.clone(),
            iteration: body.iteration.clone(),
            kind: body.kind,
            due_at: body.due_at,
        };
        match (body.kind, &self.activity) {
            (TimerKind::Wait, Activity::Started(leaf)) => {
                self.activity = Activity::Waiting(leaf.clone(), body.timer);
            }
            (TimerKind::Wait, _) => return Err(No),
            (TimerKind::TaskTimeout | TimerKind::RunTimeout, _) => {}
        }
        if self.timers.insert(body.timer, timer).is_some() { Err(No) } else { Ok(()) }
    }

    fn timer_fired(&mut self, timer: placet_model::TimerId) -> Step {
        self.running()?;
        let fired = self.timers.remove(&timer).ok_or(No)?;
        if fired.kind == TimerKind::Wait {
            let Activity::Waiting(leaf, armed) = &self.activity else { return Err(No) };
            if *armed != timer {
                return Err(No);
            }
            self.activity = Activity::Waited(leaf.clone());
        }
        Ok(())
    }

    /// The timers of a task that has ended.
    fn disarm(&mut self, task: &TaskPath, iteration: &Iteration) {
        self.timers.retain(|_, timer| timer.task != *task || timer.iteration != *iteration);
    }

    // ---- ends ----------------------------------------------------------------------------

    fn run_completed(&mut self) -> Step {
        let finished = self.frames.len() == 1 && matches!(self.activity, Activity::Idle);
        self.phase = match &self.phase {
            Phase::Ending(facts, _) => Phase::Completed(Arc::clone(facts)),
            Phase::Running(facts) if finished => Phase::Completed(Arc::clone(facts)),
            Phase::Running(_)
            | Phase::Absent
            | Phase::Faulting(..)
            | Phase::Completed(_)
            | Phase::Faulted(..)
            | Phase::Cancelled(_) => return Err(No),
        };
        self.close();
        Ok(())
    }

    fn run_faulted(&mut self, fault: &FaultFact) -> Step {
        let (Phase::Faulting(facts, ..) | Phase::Ending(facts, _)) = &self.phase else {
            return Err(No);
        };
        self.phase = Phase::Faulted(Arc::clone(facts), fault.clone());
        self.close();
        Ok(())
    }

    fn run_cancelled(&mut self) -> Step {
        let (Phase::Running(facts) | Phase::Faulting(facts, ..) | Phase::Ending(facts, _)) =
            &self.phase
        else {
            return Err(No);
        };
        self.phase = Phase::Cancelled(Arc::clone(facts));
        let activity = std::mem::replace(&mut self.activity, Activity::Idle);
        if activity.is_open() {
            return Err(No);
        }
        self.detach(activity);
        self.close();
        Ok(())
    }

    fn close(&mut self) {
        self.frames.clear();
        self.timers.clear();
    }

    /// Keeps an attempt whose task is gone: it still ends in a known outcome.
    pub(crate) fn detach(&mut self, activity: Activity) {
        let in_doubt = matches!(activity, Activity::InDoubt(..));
        if let Activity::Attempting(_, attempt) | Activity::InDoubt(_, attempt) = activity {
            self.detached.insert(attempt.started.attempt, Detached { attempt: *attempt, in_doubt });
        }
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
            kind: FrameKind::List,
        }
    }

    fn is(&self, task: &TaskPath, iteration: &Iteration) -> bool {
        self.task == *task && self.iteration == *iteration
    }

    /// The iteration in which the children of this container run.
    pub fn child_iteration(&self) -> Iteration {
        match self.kind {
            FrameKind::For { current: Some(index), .. } => self.iteration.inner(index),
            FrameKind::For { current: None, .. }
            | FrameKind::List
            | FrameKind::Try
            | FrameKind::Catch { .. } => self.iteration.clone(),
        }
    }

    /// Takes over what a container inside has finished, so that `$steps` still sees it; what
    /// stands in a loop stays in the loop.
    fn adopt(&mut self, inner: Self) {
        match inner.kind {
            FrameKind::List | FrameKind::Try | FrameKind::Catch { .. } => {
                self.steps.extend(inner.steps);
            }
            FrameKind::For { .. } => {}
        }
    }
}

impl Timer {
    fn is_inside(&self, container: &TaskPath) -> bool {
        self.task
            .as_str()
            .strip_prefix(container.as_str())
            .is_some_and(|rest| rest.starts_with('/'))
    }
}
