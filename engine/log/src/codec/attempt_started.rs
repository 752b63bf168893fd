//! `AttemptStarted` as version 1 had it: without a reading of the clock that nobody can set. What it
//! began is of unknown age after a restart.

use super::Outdated;
use placet_model::draft::{BoundIntegration, Mode};
use placet_model::event::attempt::AttemptStarted;
use placet_model::manifest::Effect;
use placet_model::{AttemptId, DecisionId, Digest, Iteration, PayloadRef, TaskPath, Timestamp};
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct AttemptStartedV1 {
    attempt: AttemptId,
    try_number: u32,
    task: TaskPath,
    iteration: Iteration,
    decision: Option<DecisionId>,
    digest: Option<Digest>,
    send_id: String,
    operation: String,
    operation_digest: Digest,
    effect: Effect,
    mode: Mode,
    integration: Option<BoundIntegration>,
    credential_version: u32,
    with: PayloadRef,
    request: PayloadRef,
    request_digest: Digest,
    not_after: Timestamp,
}

impl Outdated for AttemptStartedV1 {
    type Current = AttemptStarted;

    fn into_current(self) -> AttemptStarted {
        AttemptStarted {
            attempt: self.attempt,
            try_number: self.try_number,
            task: self.task,
            iteration: self.iteration,
            decision: self.decision,
            digest: self.digest,
            send_id: self.send_id,
            operation: self.operation,
            operation_digest: self.operation_digest,
            effect: self.effect,
            mode: self.mode,
            integration: self.integration,
            credential_version: self.credential_version,
            with: self.with,
            request: self.request,
            request_digest: self.request_digest,
            not_after: self.not_after,
            uptime: None,
        }
    }
}
