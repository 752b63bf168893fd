//! What stops things: expiry, timeouts, cancelling. An open request is always settled first, so
//! that nothing can be approved for a task that is gone.

use crate::refusal::Refusal;
use crate::run::{Activity, Ask, Branch, Frame, FrameKind, Phase, Run};
use placet_model::actor::Role;
use placet_model::decision::{Settlement, VoidReason};
use placet_model::event::child::ChildDropped;
use placet_model::event::decision::{DecisionSettled, DecisionVoided};
use placet_model::event::run::{FaultFact, RunCancelled, RunMigrated, TaskFaulted};
use placet_model::policy::Policy;
use placet_model::{
    DecisionId, Event, Fault, Iteration, PayloadRef, Principal, TaskPath, Timestamp,
};

/// Silence is a no: an open request expires, an unspent approval is void. Nothing happens when it
/// is not due, or when somebody was faster.
pub(super) fn expire(run: &Run, decision: DecisionId, now: Timestamp) -> Vec<Event> {
    let Some((branch, ask)) = run.unsettled(decision) else { return vec![] };
    if now < ask.expires_at {
        return vec![];
    }
    if branch.activity.asked().is_some() {
        return vec![settled(ask, Settlement::Expired)];
    }
    vec![void(decision, VoidReason::Expired)]
}

fn settled(ask: &Ask, settlement: Settlement) -> Event {
    let (decision, digest) = (ask.decision, ask.draft.digest);
    DecisionSettled { decision, digest, settlement, reason: None }.into()
}

fn void(decision: DecisionId, reason: VoidReason) -> Event {
    DecisionVoided { decision, reason, field: None }.into()
}

/// Takes back whatever is open or unspent in a branch.
fn withdraw(branch: &Branch, reason: VoidReason) -> Option<Event> {
    if let Activity::Awaiting(_, child) = &branch.activity {
        return Some(ChildDropped { child: *child }.into());
    }
    match branch.activity.asked() {
        Some(ask) => Some(settled(ask, Settlement::Withdrawn)),
        None => branch.activity.unsettled().map(|ask| void(ask.decision, reason)),
    }
}

/// Takes back whatever is open or unspent in the branches inside a container.
fn withdraw_inside(run: &Run, container: &TaskPath, reason: VoidReason) -> Vec<Event> {
    run.branches_inside(container).filter_map(|branch| withdraw(branch, reason)).collect()
}

/// The branches inside a container are about to be left.
pub(super) fn abandon(run: &Run, container: &TaskPath) -> Vec<Event> {
    withdraw_inside(run, container, VoidReason::BranchCancelled)
}

/// A waiting run goes on under another version: what is open or unspent is taken back first, and
/// asked again under the new one. What is under way, faults, is in doubt or awaited must end before.
pub(super) fn migrate(run: &Run, migrated: RunMigrated) -> Result<Vec<Event>, Refusal> {
    if let (true, phase) = (run.is_over(), run.phase.name()) {
        return Err(Refusal::RunOver { phase });
    }
    let does_not_fit = |state: &str| {
        Err(Refusal::DoesNotFit { what: "another version".to_owned(), state: state.to_owned() })
    };
    let Phase::Running(_) = run.phase else { return does_not_fit(run.phase.name()) };
    let mut events = vec![];
    for branch in run.branches() {
        if branch.fault.is_some() {
            return does_not_fit("faulting");
        }
        match &branch.activity {
            Activity::Asked(_, ask) => events.push(settled(ask, Settlement::Superseded)),
            Activity::Approved(_, ask) => events.push(void(ask.decision, VoidReason::Migrated)),
            Activity::Idle | Activity::Waiting(..) | Activity::Forked(..) => {}
            Activity::Started(_)
            | Activity::Waited(_)
            | Activity::Drafted(..)
            | Activity::Denied(..)
            | Activity::Attempting(..)
            | Activity::Deferred(..)
            | Activity::InDoubt(..)
            | Activity::Answered(..)
            | Activity::Refused(..)
            | Activity::Unsent(..)
            | Activity::GivenUp(_)
            | Activity::Awaiting(..)
            | Activity::Dropped(_) => return does_not_fit(branch.activity.name()),
        }
    }
    events.push(migrated.into());
    Ok(events)
}

/// The data were restored or copied: between then and now anything may have been sent. What is open
/// or unspent is void and asked again by the next turn; a try without a result is in doubt.
pub(super) fn new_epoch(run: &Run, now: Timestamp) -> Vec<Event> {
    let asks = run.branches().iter().filter_map(|branch| branch.activity.unsettled());
    let voided = asks.map(|ask| void(ask.decision, VoidReason::NewEpoch));
    voided.chain(super::outcome::recover(run, None, now)).collect()
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
    let mut events: Vec<_> = run
        .branches()
        .iter()
        .filter_map(|branch| withdraw(branch, VoidReason::RunCancelled))
        .collect();
    events.push(RunCancelled { reason }.into());
    Ok(events)
}

/// A timer may come due after its task has ended, or has got its outcome: then it says nothing
/// about the task that goes on now, and takes nothing back.
fn concerns(branch: &Branch, task: &TaskPath, iteration: &Iteration) -> bool {
    let leaf = branch.activity.leaf().filter(|l| l.task == *task && l.iteration == *iteration);
    if leaf.is_some() {
        return !branch.activity.is_settled();
    }
    let of_frame = |frame: &Frame| {
        let attempt = matches!(frame.kind, FrameKind::Try(_)) && frame.task.attempt() == *task;
        (frame.task == *task || attempt) && frame.iteration == *iteration
    };
    branch.frames.iter().filter(|frame| frame.kind != FrameKind::Branch).any(of_frame)
}

/// A task or the run has taken too long: what is open in it is taken back, its task faults. The
/// fault's content is the payload of the last event.
pub(super) fn time_out(
    run: &Run,
    fault: &Fault,
    task: TaskPath,
    iteration: Iteration,
) -> Vec<Event> {
    let branch = run.branch_of(&task);
    let busy = matches!(run.phase, Phase::Running(_)) && branch.fault.is_none();
    if !busy || !concerns(branch, &task, &iteration) {
        return vec![];
    }
    let mut events: Vec<_> = withdraw(branch, VoidReason::TimedOut).into_iter().collect();
    if let Activity::Forked(leaf, _) = &branch.activity {
        events.extend(withdraw_inside(run, &leaf.task, VoidReason::TimedOut));
    }
    let content = run.slot(events.len() as u64 + 1, 0);
    let fault = FaultFact { kind: fault.kind.clone(), status: fault.status, content };
    events.push(TaskFaulted { task, iteration, fault }.into());
    events
}
