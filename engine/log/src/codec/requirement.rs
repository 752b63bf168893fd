//! Version 1 of the events that hold a requirement: without escalations, a least assurance, reminders
//! and notes.

use super::Outdated;
use placet_model::approval::{ReasonRequired, Requirement, SelfApproval, Threshold};
use placet_model::decision::Assurance;
use placet_model::draft::BoundIntegration;
use placet_model::event::decision::{DraftOrigin, DraftPrepared, RequirementRaised};
use placet_model::manifest::Effect;
use placet_model::{DecisionId, Digest, Duration, Iteration, PayloadRef, Principal, TaskPath};
use serde::Deserialize;

#[derive(Deserialize)]
struct ThresholdV1 {
    from: Vec<Principal>,
    approve: u16,
    deny: u16,
}

#[derive(Deserialize)]
struct RequirementV1 {
    thresholds: Vec<ThresholdV1>,
    valid_for: Duration,
    reason_required: ReasonRequired,
    self_approval: SelfApproval,
    rules: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct DraftPreparedV1 {
    task: TaskPath,
    iteration: Iteration,
    revision: u32,
    origin: DraftOrigin,
    send_id: String,
    operation: String,
    operation_digest: Digest,
    effect: Effect,
    integration: Option<BoundIntegration>,
    with: PayloadRef,
    request: PayloadRef,
    request_digest: Digest,
    requirement: RequirementV1,
    nonce: String,
    document: PayloadRef,
    digest: Digest,
    summary: Option<PayloadRef>,
}

#[derive(Deserialize)]
pub(super) struct RequirementRaisedV1 {
    decision: DecisionId,
    requirement: RequirementV1,
    missing: Vec<String>,
}

impl RequirementV1 {
    fn upcast(self) -> Requirement {
        let threshold = |v1: ThresholdV1| Threshold {
            from: v1.from,
            approve: v1.approve,
            deny: v1.deny,
            escalate: None,
        };
        Requirement {
            thresholds: self.thresholds.into_iter().map(threshold).collect(),
            valid_for: self.valid_for,
            reason_required: self.reason_required,
            self_approval: self.self_approval,
            rules: self.rules,
            assurance: Assurance::lowest(),
            remind: None,
        }
    }
}

impl Outdated for DraftPreparedV1 {
    type Current = DraftPrepared;

    fn into_current(self) -> DraftPrepared {
        DraftPrepared {
            task: self.task,
            iteration: self.iteration,
            revision: self.revision,
            origin: self.origin,
            send_id: self.send_id,
            operation: self.operation,
            operation_digest: self.operation_digest,
            effect: self.effect,
            integration: self.integration,
            with: self.with,
            request: self.request,
            request_digest: self.request_digest,
            requirement: self.requirement.upcast(),
            nonce: self.nonce,
            document: self.document,
            digest: self.digest,
            summary: self.summary,
            notes: vec![],
        }
    }
}

impl Outdated for RequirementRaisedV1 {
    type Current = RequirementRaised;

    fn into_current(self) -> RequirementRaised {
        RequirementRaised {
            decision: self.decision,
            requirement: self.requirement.upcast(),
            missing: self.missing,
        }
    }
}
