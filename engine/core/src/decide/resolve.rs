//! How doubts are settled: a person says what became of an attempt. It is bound to the draft that was
//! shown, taken once, and kept as it was said, like a vote.

use super::vote::timely;
use super::{Context, ResolveCommand, closed};
use crate::policy::is_agent;
use crate::refusal::Refusal;
use crate::run::Run;
use placet_model::actor::Role;
use placet_model::decision::Resolution;
use placet_model::event::attempt::{AttemptReconciled, ReconciledBy};
use placet_model::event::decision::ResolutionCast;
use placet_model::policy::Policy;
use placet_model::{Event, PayloadRef, Principal};

/// The events of a resolution: what was said, and what it settles. None when the same request id was
/// answered before.
pub(super) fn resolve(
    run: &Run,
    said: ResolveCommand,
    output: Option<PayloadRef>,
    context: Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    if answered_before(run, &said)? {
        return Ok(vec![]);
    }
    let decision = said.decision;
    let Some(attempt) = run.in_doubt(decision) else {
        let known =
            run.closed.contains_key(&decision) || run.asks().any(|a| a.decision == decision);
        return Err(if known { Refusal::NotInDoubt { decision } } else { closed(run, decision) });
    };
    check_rights(&said.by.principal, context.policy)?;
    if let Some(actual) = attempt.started.digest.filter(|actual| *actual != said.digest) {
        return Err(Refusal::WrongDigest { given: said.digest, actual });
    }
    if !timely(context.now, said.time) {
        return Err(Refusal::VoteTime);
    }
    let attempt = attempt.started.attempt;
    let resolution = said.resolution;
    let output = if resolution == Resolution::Sent { output } else { None };
    let reconciled = AttemptReconciled { attempt, resolution, by: ReconciledBy::Person, output };
    let reason = said.reason.as_ref().map(|_| run.slot(1, 0));
    Ok(vec![to_event(said, reason).into(), reconciled.into()])
}

/// A request id is one act's, be it a vote or this.
fn answered_before(run: &Run, said: &ResolveCommand) -> Result<bool, Refusal> {
    let Some(request) = &said.request_id else { return Ok(false) };
    let key = (said.by.principal.to_string(), request.clone());
    let same = |cast: &ResolutionCast| {
        cast.decision == said.decision && cast.resolution == said.resolution
    };
    match (run.resolutions.get(&key), run.requests.get(&key)) {
        (None, None) => Ok(false),
        (Some(cast), None) if same(cast) => Ok(true),
        (_, _) => Err(Refusal::RequestIdReused),
    }
}

/// People who may approve, and operators; never an agent.
fn check_rights(by: &Principal, policy: &Policy) -> Result<(), Refusal> {
    if is_agent(policy, by) {
        return Err(Refusal::Agent { voter: by.clone() });
    }
    if policy.may_approve(by) || policy.has_role(by, Role::Operator) {
        return Ok(());
    }
    Err(Refusal::NotPermitted { principal: by.clone(), role: "approver or operator" })
}

fn to_event(said: ResolveCommand, reason: Option<PayloadRef>) -> ResolutionCast {
    ResolutionCast {
        decision: said.decision,
        digest: said.digest,
        resolution: said.resolution,
        by: said.by.principal,
        assurance: said.by.assurance,
        said_at: said.time,
        nonce: said.nonce,
        reason,
        request_id: said.request_id,
        signed: said.signed,
    }
}
