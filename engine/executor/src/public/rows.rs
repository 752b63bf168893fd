//! Rows of the projections as the outside sees them: the same members at every door.

use placet_model::integration::Integration;
use placet_projections::{DecisionRow, RunRow, WaitingFor, WorkflowRow};
use serde_json::{Value, json};

/// `{run, workflow, plan_digest, mode, requester, status, waiting_for, started_at, updated_at, revision}`.
pub fn run(row: &RunRow) -> Value {
    json!({
        "run": row.run,
        "workflow": row.workflow.to_string(),
        "plan_digest": row.plan_digest,
        "mode": row.mode,
        "requester": row.requester,
        "status": row.status.word(),
        "waiting_for": row.waiting_for.map(waiting),
        "started_at": row.started_at,
        "updated_at": row.updated_at,
        "revision": row.revision,
    })
}

/// `{kind, decision, run}`: what a run waits for.
pub fn waiting(waiting: WaitingFor) -> Value {
    let kind = waiting_word(waiting);
    match waiting {
        WaitingFor::Decision(decision) => json!({ "kind": kind, "decision": decision }),
        WaitingFor::Run(run) => json!({ "kind": kind, "run": run }),
        WaitingFor::Timer
        | WaitingFor::Answer
        | WaitingFor::Deferred
        | WaitingFor::InDoubt
        | WaitingFor::Event => json!({ "kind": kind }),
    }
}

/// The word for what a run waits for.
pub const fn waiting_word(waiting: WaitingFor) -> &'static str {
    match waiting {
        WaitingFor::Decision(_) => "decision",
        WaitingFor::Timer => "timer",
        WaitingFor::Answer => "answer",
        WaitingFor::Deferred => "deferred",
        WaitingFor::InDoubt => "in_doubt",
        WaitingFor::Event => "event",
        WaitingFor::Run(_) => "run",
    }
}

/// A decision by its facts alone: `{id, run, workflow, requester, task, iteration, operation, effect,
/// integration, mode, state, revision, digest, requested_at, expires_at, votes, in_doubt}`.
pub fn decision(row: &DecisionRow) -> Value {
    let votes = row
        .votes
        .iter()
        .map(|(voter, verdict, at)| json!({ "voter": voter, "verdict": verdict, "at": at }));
    json!({
        "id": row.decision,
        "run": row.run,
        "workflow": row.workflow.to_string(),
        "requester": row.requester,
        "task": row.task.as_str(),
        "iteration": row.iteration.to_string(),
        "operation": row.operation,
        "effect": row.effect,
        "integration": row.integration,
        "mode": row.mode,
        "state": if row.in_doubt.is_some() { "in_doubt" } else { row.state.word() },
        "revision": row.draft_revision,
        "digest": row.digest,
        "requested_at": row.requested_at,
        "expires_at": row.expires_at,
        "votes": votes.collect::<Vec<_>>(),
        "in_doubt": row.in_doubt.map(|(attempt, since)| json!({"attempt": attempt, "since": since})),
    })
}

/// An integration; it holds no secret.
pub fn integration(integration: &Integration, paused: bool) -> Value {
    json!({
        "id": integration.id,
        "name": integration.name,
        "provider": integration.provider,
        "settings": integration.settings,
        "identity": integration.identity,
        "label": crate::inbox::visible(&integration.label),
        "status": integration.status,
        "reason": integration.reason,
        "credential_version": integration.credential_version,
        "is_default": integration.is_default,
        "scopes": integration.scopes,
        "used_in": integration.used_in,
        "paused": paused,
    })
}

/// `{workflow, version, plan_digest, deployed_at}`.
pub fn workflow(row: &WorkflowRow) -> Value {
    json!({
        "workflow": row.family,
        "version": row.version,
        "plan_digest": row.plan_digest,
        "deployed_at": row.deployed_at,
    })
}
