//! Events of look-ups: the engine asks the provider whether an attempt in doubt has arrived. A look-up
//! is a read; it is recorded before it leaves, and settles nothing but what it has found. And what comes
//! by itself: the provider tells us of something that bears the mark of an attempt in doubt.

use super::attempt::AnswerFacts;
use crate::draft::{BoundIntegration, Mode};
use crate::wire::wire_enum;
use crate::{AttemptId, Digest, IntegrationId, PayloadRef, Position, Timestamp};
use serde::{Deserialize, Serialize};

/// The first look-up of an attempt in doubt is due at a moment: a row that a restart finds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupPlanned {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Which look-up of it, from 1; counts on over its tries.
    pub number: u32,
    /// The read operation that looks.
    pub operation: String,
    /// Not before.
    pub due_at: Timestamp,
}

/// A look-up is about to leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupStarted {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Which look-up of it.
    pub number: u32,
    /// The read operation that looks.
    pub operation: String,
    /// Semantic part of that operation.
    pub operation_digest: Digest,
    /// Sandbox or live.
    pub mode: Mode,
    /// Integration, settings, identity: whose credential is used.
    pub integration: Option<BoundIntegration>,
    /// Version of the credential used; 0 without one.
    pub credential_version: u32,
    /// The look-up's input.
    pub with: PayloadRef,
    /// The prepared request.
    pub request: PayloadRef,
    /// Its digest.
    pub request_digest: Digest,
}

wire_enum! {
    /// What a look-up found.
    LookupFinding {
        /// Exactly one: proof that it was sent.
        Found = 1 "found",
        /// None; what that is worth stands beside it.
        Absent = 2 "absent",
        /// More than one: nobody picks.
        Several = 3 "several",
        /// The look-up itself said nothing, or was not made.
        Unanswered = 4 "unanswered",
    }
}

wire_enum! {
    /// What "not found" is worth.
    AbsenceWorth {
        /// The settle window has not passed: it may still arrive, or be seen.
        TooEarly = 1 "too_early",
        /// The provider's reads prove nothing.
        Nothing = 2 "nothing",
        /// A person weighs it.
        Evidence = 3 "evidence",
        /// It was not sent: the same bytes may go again under the same approval.
        Proof = 4 "proof",
    }
}

/// A look-up has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupEnded {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Which look-up of it.
    pub number: u32,
    /// What it found.
    pub finding: LookupFinding,
    /// What "not found" is worth; none where it found something or nothing is known.
    pub worth: Option<AbsenceWorth>,
    /// How many it found.
    pub count: u32,
    /// The answer, where there was one; the result's ids where it was found.
    pub answer: AnswerFacts,
    /// Why it said nothing, or how far it has read, in words.
    pub detail: Option<PayloadRef>,
    /// When the engine looks again; none when a person is to say.
    pub next_at: Option<Timestamp>,
}

/// What a provider posted, and has proven to be its own, bears the mark of this attempt in doubt: it has
/// arrived. Recorded by the executor, in one commit with what it settles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceArrived {
    /// Which attempt.
    pub attempt: AttemptId,
    /// The event that shows it, in the log.
    pub arrival: Position,
    /// Whose webhook it came to: the integration of the attempt.
    pub integration: IntegrationId,
    /// Type of that event.
    pub kind: String,
    /// The ids that it names (`external_id`, `message_id`, …).
    pub answer: AnswerFacts,
}
