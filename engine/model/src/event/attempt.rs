//! Events of attempts. `AttemptStarted` is durable before any byte leaves, and consumes the
//! approval in the same transaction.

use crate::attempt::{DeferReason, Evidence, RefuseReason};
use crate::decision::Resolution;
use crate::draft::{BoundIntegration, Mode};
use crate::manifest::Effect;
use crate::wire::wire_enum;
use crate::{AttemptId, DecisionId, Digest, Iteration, PayloadRef, TaskPath, Timestamp, Uptime};
use serde::{Deserialize, Serialize};

/// One try of a call is about to begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptStarted {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Which try of it, from 1.
    pub try_number: u32,
    /// Which task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// The approval that it consumes; none for an ungated read.
    pub decision: Option<DecisionId>,
    /// The draft; none for an ungated read.
    pub digest: Option<Digest>,
    /// Part of the bytes; empty for an ungated read.
    pub send_id: String,
    /// Operation name.
    pub operation: String,
    /// Semantic part of the operation.
    pub operation_digest: Digest,
    /// What it does to the world.
    pub effect: Effect,
    /// Sandbox or live.
    pub mode: Mode,
    /// Integration, settings, identity.
    pub integration: Option<BoundIntegration>,
    /// Version of the credential used; 0 without one.
    pub credential_version: u32,
    /// The evaluated `with`.
    pub with: PayloadRef,
    /// The prepared request.
    pub request: PayloadRef,
    /// Its digest.
    pub request_digest: Digest,
    /// No try may start later.
    pub not_after: Timestamp,
    /// When it was weighed, by the clock that nobody can set: the age of a provider's key is judged
    /// by it. None for a read, where the machine has no such clock, and in version 1.
    pub uptime: Option<Uptime>,
}

/// Where the version of the generator stands among the stored fields of an answer of the sandbox: another
/// version may answer otherwise, and a run that goes on must not be answered by two.
pub const GENERATOR_FIELD: &str = "sandbox:generator";

/// A named value of an answer that the manifest lets stand in an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredField {
    /// JSON Pointer, `header:<name>`, or [`GENERATOR_FIELD`].
    pub at: String,
    /// The value, as JSON text where it is no string.
    pub value: String,
}

/// What of an answer may be remembered in clear.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AnswerFacts {
    /// HTTP status; 0 without an answer.
    pub status: u16,
    /// Ids of the result (`external_id`, `thread_id`, `message_id`, …).
    pub result: Vec<StoredField>,
    /// The manifest's `store` list.
    pub stored: Vec<StoredField>,
}

/// It was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptSucceeded {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Which try of it.
    pub try_number: u32,
    /// The answer.
    pub answer: AnswerFacts,
    /// The task's raw output.
    pub output: PayloadRef,
    /// In sandbox mode: the request that would have left.
    pub would_have_sent: Option<PayloadRef>,
}

/// It was refused for good; nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRefused {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Which try of it.
    pub try_number: u32,
    /// Why.
    pub reason: RefuseReason,
    /// The answer.
    pub answer: AnswerFacts,
    /// The provider's own error code.
    pub code: Option<String>,
    /// What the provider said.
    pub detail: Option<PayloadRef>,
}

/// Nothing happened; the same bytes are tried again later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptDeferred {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Which try of it.
    pub try_number: u32,
    /// Not before.
    pub until: Timestamp,
    /// Why.
    pub reason: DeferReason,
}

/// Sent, and nobody knows whether it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptInDoubt {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Which try of it.
    pub try_number: u32,
    /// Why.
    pub evidence: Evidence,
    /// The answer, where there was one.
    pub answer: AnswerFacts,
    /// What is known beyond that, in words.
    pub detail: Option<PayloadRef>,
}

wire_enum! {
    /// How an attempt in doubt was settled.
    ReconciledBy {
        /// A person said so; the envelope's actor tells who.
        Person = 1 "person",
        /// The same bytes were sent again under the provider's own key.
        Resend = 2 "resend",
        /// A look-up found it.
        Lookup = 3 "lookup",
        /// The provider told us of it by itself.
        Arrival = 4 "arrival",
    }
}

/// The doubt is settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptReconciled {
    /// Which attempt.
    pub attempt: AttemptId,
    /// How it ended.
    pub resolution: Resolution,
    /// How that is known.
    pub by: ReconciledBy,
    /// The task's raw output, when it was sent.
    pub output: Option<PayloadRef>,
}
