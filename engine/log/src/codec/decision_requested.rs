//! `DecisionRequested` as version 1 had it: without a reading of the clock that nobody can set. Its
//! expiry is judged by log time alone.

use super::Outdated;
use placet_model::event::decision::DecisionRequested;
use placet_model::{DecisionId, Digest, Iteration, TaskPath, Timestamp};
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct DecisionRequestedV1 {
    decision: DecisionId,
    task: TaskPath,
    iteration: Iteration,
    digest: Digest,
    expires_at: Timestamp,
}

impl Outdated for DecisionRequestedV1 {
    type Current = DecisionRequested;

    fn into_current(self) -> DecisionRequested {
        let Self { decision, task, iteration, digest, expires_at } = self;
        DecisionRequested { decision, task, iteration, digest, expires_at, uptime: None }
    }
}
