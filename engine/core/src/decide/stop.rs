//! What stops things: expiry, timeouts, cancelling. An open request is always settled first, so
//! that nothing can be approved for a task that is gone.

use crate::refusal::Refusal;
use crate::run::{Activity, Ask, Phase, Run};
use placet_model::actor::Role;
use placet_model::decision::{Settlement, VoidReason};
use placet_model::event::decision::{DecisionSettled, DecisionVoided};
use placet_model::event::run::{FaultFact, RunCancelled, TaskFaulted};
use placet_model::policy::Policy;
use placet_model::{
    DecisionId, Event, Fault, Iteration, PayloadRef, Principal, TaskPath, Timestamp,
};

/// Silence is a no: an open request expires, an unspent approval is void. Nothing happens when it
/// is not due, or when somebody was faster.
pub(super) fn expire(run: &Run, decision: DecisionId, now: Timestamp) -> Vec<Event> {
    let due = |ask: &Ask| ask.decision == decision && now >= ask.expires_at;
    if let Activity::Asked(_, ask) = &run.activity
        && due(ask)
    {
        return vec![settled(ask, Settlement::Expired)];
    }
    let unspent = unspent(run).filter(|ask| due(ask));
    unspent.map(|_| void(decision, VoidReason::Expired)).into_iter().collect()
}

/// The approval that no try has spent.
fn unspent(run: &Run) -> Option<&Ask> {
    if let Activity::Approved(_, ask) = &run.activity {
        return Some(ask);
    }
    if let Activity::Deferred(_, attempt, _) = &run.activity { attempt.ask.as_ref() } else { None }
}

fn settled(ask: &Ask, settlement: Settlement) -> Event {
    let (decision, digest) = (ask.decision, ask.draft.digest);
    DecisionSettled { decision, digest, settlement, reason: None }.into()
}

fn void(decision: DecisionId, reason: VoidReason) -> Event {
    DecisionVoided { decision, reason, field: None }.into()
}

/// Takes back whatever is open or unspent.
fn withdraw(run: &Run, reason: VoidReason) -> Vec<Event> {
    if let Activity::Asked(_, ask) = &run.activity {
        return vec![settled(ask, Settlement::Withdrawn)];
    }
    unspent(run).map(|ask| void(ask.decision, reason)).into_iter().collect()
}

/// Stops the run: by whoever caused it, an operator, or an admin.
pub(super) fn cancel(
    run: &Run,
    by: &Principal,
    reason: Option<PayloadRef>,
    policy: &Policy,
) -> Result<Vec<Event>, Refusal> {
    if let (true, phase) = (run.is_over(), run.phase.name()) {
        return Err(Refusal::RunOver { phase });
    }
    let Some(facts) = run.facts() else {
        let (what, state) = ("cancelling".to_owned(), run.phase.name().to_owned());
        return Err(Refusal::DoesNotFit { what, state });
    };
    let own = facts.started.requester == *by;
    let allowed = own || policy.has_role(by, Role::Operator) || policy.has_role(by, Role::Admin);
    if !allowed {
        return Err(Refusal::NotPermitted { principal: by.clone(), role: "operator" });
    }
    let mut events = withdraw(run, VoidReason::RunCancelled);
    events.push(RunCancelled { reason }.into());
    Ok(events)
}

/// A timer may come due after its task has ended, or has got its outcome: then it says nothing
/// about the task that goes on now, and takes nothing back.
fn concerns(run: &Run, task: &TaskPath, iteration: &Iteration) -> bool {
    let leaf = run.activity.leaf().filter(|l| l.task == *task && l.iteration == *iteration);
    if leaf.is_some() {
        return !run.activity.is_settled();
    }
    run.frames.iter().any(|frame| frame.task == *task && frame.iteration == *iteration)
}

/// A task or the run has taken too long: its request is taken back, its task faults. The fault's
/// content is the payload of the last event.
pub(super) fn time_out(
    run: &Run,
    fault: &Fault,
    task: TaskPath,
    iteration: Iteration,
) -> Vec<Event> {
    if !matches!(run.phase, Phase::Running(_)) || !concerns(run, &task, &iteration) {
        return vec![];
    }
    let mut events = withdraw(run, VoidReason::TimedOut);
    let content = run.slot(events.len() as u64 + 1, 0);
    let fault = FaultFact { kind: fault.kind.clone(), status: fault.status, content };
    events.push(TaskFaulted { task, iteration, fault }.into());
    events
}
