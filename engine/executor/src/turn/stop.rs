//! What stops things, and what timers bring about: cancelling, timeouts, the end of a wait; and the
//! move of a waiting run to another version.

use super::{EraseRun, Error, Turn};
use crate::erasure::{Part, told};
use crate::values::Content;
use placet_core::Command;
use placet_core::run::Run;
use placet_log::Erasable;
use placet_model::actor::Role;
use placet_model::event::run::{RunMigrated, TimerFired, TimerKind};
use placet_model::fault::FaultKind;
use placet_model::plan::Plan;
use placet_model::{Actor, Digest, Event, Fault, Iteration, Principal, TaskPath, TimerId};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Commits that are waited for until what a run has recorded is on disk, and how long for each.
const COMMITS_MAX: usize = 60;
const COMMIT: Duration = Duration::from_secs(1);

impl Turn<'_> {
    pub(super) fn cancel(&mut self, by: &Principal, reason: Option<&str>) -> Result<(), Error> {
        self.out.used_world = true;
        let command = Command::Cancel { by: by.clone(), reason: None };
        let mut events = placet_core::decide(&self.out.run, command, self.context())?;
        // the reason is content of the last event, after whatever is taken back first
        let last = self.out.run.slot(events.len() as u64, 0);
        if let (Some(Event::RunCancelled(body)), Some(_)) = (events.last_mut(), reason) {
            body.reason = Some(last);
        }
        for event in events {
            let payloads = match (&event, reason) {
                (Event::RunCancelled(_), Some(text)) => {
                    vec![Content::of_value(Arc::new(Value::String(text.to_owned())))]
                }
                _ => vec![],
            };
            self.record(event, payloads, Actor::Principal(by.clone()))?;
        }
        Ok(())
    }

    /// A timer is due: a wait is over, or a task has taken too long.
    pub(super) fn timer(&mut self, timer: TimerId) -> Result<(), Error> {
        let Some(armed) = self.out.run.timers.get(&timer).cloned() else { return Ok(()) };
        if armed.due_at > self.now {
            return Ok(());
        }
        self.note(TimerFired { timer }, vec![])?;
        match armed.kind {
            TimerKind::Wait => Ok(()),
            TimerKind::Retry => self.attempt_begins(&armed.task, &armed.iteration),
            // the attempt is inside the `try`, which may catch that
            TimerKind::AttemptTimeout => self.time_out(&armed.task.attempt(), armed.iteration),
            TimerKind::TaskTimeout | TimerKind::RunTimeout => {
                self.time_out(&armed.task, armed.iteration)
            }
        }
    }

    /// The run's own timeout has passed.
    pub(super) fn deadline(&mut self) -> Result<(), Error> {
        let due = self.out.run.facts().and_then(|facts| facts.started.deadline);
        if self.out.run.is_over() || due.is_none_or(|due| due > self.now) {
            return Ok(());
        }
        self.time_out(&TaskPath::root(), Iteration::none())
    }

    fn time_out(&mut self, task: &TaskPath, iteration: Iteration) -> Result<(), Error> {
        let words = "it has taken longer than its timeout";
        let place = task.as_str().strip_suffix("/try").map_or_else(|| task.clone(), TaskPath::new);
        let fault = Fault::new(FaultKind::Timeout, words).at(&place);
        let command = Command::TimeOut { fault: fault.clone(), task: task.clone(), iteration };
        let events = placet_core::decide(&self.out.run, command, self.context())?;
        for event in events {
            let faulted = matches!(event, Event::TaskFaulted(_));
            let payloads = if faulted { self.fault_fact(&fault).1 } else { vec![] };
            self.note(event, payloads)?;
        }
        Ok(())
    }
}

impl Turn<'_> {
    /// Whoever has ordered this run does not await it any more.
    pub(super) fn drop_run(&mut self) -> Result<(), Error> {
        let Some(facts) = self.out.run.facts() else { return Ok(()) };
        let by = facts.started.requester.clone();
        if self.out.run.is_over() {
            return Ok(());
        }
        let command = Command::Cancel { by, reason: None };
        self.command(command, vec![])
    }

    /// The content of the run is about to be erased. What is open is withdrawn and the run cancelled,
    /// unless it is over; a call that is under way, or whose outcome nobody knows, needs its content
    /// to be settled.
    pub(super) fn erase(&mut self, erase: &EraseRun) -> Result<(), Error> {
        let run = &self.out.run;
        let refuse = |reason: String| Err(Error::NotErasable { run: run.id, reason });
        let detached = run.detached.values();
        let mut doubts = run.branches().iter().filter_map(|branch| branch.activity.in_doubt());
        let doubt = doubts.next().or_else(|| {
            detached.clone().find(|detached| detached.in_doubt).map(|detached| &detached.attempt)
        });
        if let Some(doubt) = doubt {
            let decision = doubt.started.decision.map(|id| id.to_string()).unwrap_or_default();
            return refuse(format!(
                "whether {} was sent is in doubt; settle it with `placet inbox resolve {decision} sent|not-sent|give-up`",
                doubt.started.operation
            ));
        }
        let mut calls = run.branches().iter().filter_map(|branch| branch.activity.attempting());
        let call = calls.next().or_else(|| detached.clone().map(|d| &d.attempt).next());
        if let Some(call) = call {
            let operation = &call.started.operation;
            return refuse(format!("a call of {operation} is under way; wait for its answer"));
        }
        if !run.lookups.is_empty() {
            return refuse("a look-up at a provider is under way; wait for its answer".to_owned());
        }
        if run.facts().is_none() {
            return refuse("it has not begun; cancel whoever has ordered it".to_owned());
        }
        if run.is_over() {
            return Ok(());
        }
        let part = Part::of_run(run.id, self.payloads_on_disk()?);
        self.cancel(&erase.by, None)?;
        self.out.beside = Some(told(self.env, &erase.actor, &[part], &erase.account)?);
        Ok(())
    }

    /// Payloads of the run, once all that it has recorded is on disk.
    fn payloads_on_disk(&self) -> Result<u64, Error> {
        for _ in 0..COMMITS_MAX {
            let (head, view) = (self.env.log.head(), self.env.view()?);
            if view.revision(&self.stream)? >= self.out.run.revision {
                return Ok(view.payloads_of(&Erasable::Stream(self.stream.clone()))?);
            }
            let _moved = self.env.log.wait_past(head, COMMIT);
        }
        let reason = "what it has recorded last is not on disk yet".to_owned();
        Err(Error::NotErasable { run: self.out.run.id, reason })
    }

    /// Goes on under another version of the workflow: only where the run waits, and where the other
    /// version has every task that it is at.
    pub(super) fn migrate(&mut self, digest: Digest, by: &Principal) -> Result<(), Error> {
        let policy = &self.world.policy;
        if !(policy.has_role(by, Role::Operator) || policy.has_role(by, Role::Admin)) {
            let role = "operator";
            let principal = by.clone();
            return Err(placet_core::Refusal::NotPermitted { principal, role }.into());
        }
        self.out.used_world = true;
        let plan = self.env.plan(digest)?;
        let reason = match (
            &self.out.plan,
            self.out.plan.as_ref().and_then(|now| missing(&self.out.run, (now, &plan))),
        ) {
            (Some(now), _) if now.family() != plan.family() => {
                Some(format!("it is of {}, not of {}", now.family(), plan.family()))
            }
            (_, Some(task)) => Some(format!("{} has no task {task} of this kind", plan.workflow)),
            (_, None) => None,
        };
        if let Some(reason) = reason {
            return Err(Error::Migration { run: self.out.run.id, reason });
        }
        if self.out.run.plan_digest() == Some(digest) {
            return Ok(());
        }
        let migrated = RunMigrated { workflow: plan.workflow.clone(), plan_digest: digest };
        let actor = Actor::Principal(by.clone());
        self.command_by(Command::Migrate(Box::new(migrated)), vec![], &actor)?;
        self.out.plan = Some(plan);
        Ok(())
    }
}

/// A task at which the run is and that the plan has not, or has as another kind of task.
fn missing(run: &Run, (now, other): (&Plan, &Plan)) -> Option<TaskPath> {
    let frames = run.branches().iter().flat_map(|branch| &branch.frames);
    let leaves = run.branches().iter().filter_map(|branch| branch.activity.leaf());
    let tasks = frames.map(|frame| &frame.task).chain(leaves.map(|leaf| &leaf.task));
    let mut tasks = tasks.filter(|task| !task.as_str().is_empty());
    let kind = |plan: &Plan, task: &TaskPath| plan.task(task).map(|task| task.kind.keyword());
    tasks.find(|task| kind(other, task).is_none_or(|k| kind(now, task) != Some(k))).cloned()
}
