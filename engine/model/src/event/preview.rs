//! What a provider is asked before people are: names behind the ids of a draft, for its card. A read,
//! recorded before it leaves and when it has ended; it is no part of what is approved.

use crate::draft::BoundIntegration;
use crate::wire::wire_enum;
use crate::{AttemptId, Digest, Iteration, PayloadRef, TaskPath};
use serde::{Deserialize, Serialize};

wire_enum! {
    /// How far the read for a card has come.
    PreviewStep {
        /// It is about to leave.
        Begun = 1 "begun",
        /// The provider has answered.
        Answered = 2 "answered",
        /// It has not, or not in time: the card says so, and people are asked without it.
        Unanswered = 3 "unanswered",
    }
}

/// The read for the card of a draft that is about to be made has begun, or ended. Recorded by the
/// executor; it never holds what the provider said, which is content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewRead {
    /// Which read.
    pub read: AttemptId,
    /// The task whose draft it is for.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// The revision of that draft.
    pub revision: u32,
    /// How far it has come.
    pub step: PreviewStep,
    /// The read operation.
    pub operation: String,
    /// Semantic part of that operation.
    pub operation_digest: Digest,
    /// Integration, settings, identity: whose credential is used.
    pub integration: Option<BoundIntegration>,
    /// Version of the credential used; 0 without one.
    pub credential_version: u32,
    /// What the draft is made from: begun only.
    pub with: Option<PayloadRef>,
    /// The prepared request of the read: begun only.
    pub request: Option<PayloadRef>,
    /// Its digest: begun only.
    pub request_digest: Option<Digest>,
    /// What the card shows of the answer; why there is none, in words.
    pub shown: Option<PayloadRef>,
    /// Status of the answer; 0 where there was none.
    pub status: u16,
}
