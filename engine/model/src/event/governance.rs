//! Events of the project: policy, pause, deployments, engine starts, checkpoints, erasures, epochs.

use crate::decision::Assurance;
use crate::draft::Mode;
use crate::plan::WorkflowName;
use crate::wire::wire_enum;
use crate::{DecisionId, Digest, EventId, IntegrationId, PayloadRef, Principal, RunId};
use serde::{Deserialize, Serialize};

/// A policy was applied; the envelope's actor tells by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChanged {
    /// Digest of the canonical policy.
    pub digest: Digest,
    /// The policy, canonical JSON.
    pub policy: PayloadRef,
}

/// Somebody gives their vote in advance, under a standing approval of the policy in force. Who
/// applies a policy gives theirs to all that stand in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingEndorsed {
    /// Name of the standing approval.
    pub standing: String,
    /// What is given.
    pub digest: Digest,
    /// Who gives it; never taken from a file.
    pub by: Principal,
    /// How sure we are who.
    pub assurance: Assurance,
}

/// Nothing leaves until it is resumed: approved sends hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundPaused {
    /// Only this integration; none is the whole project.
    pub integration: Option<IntegrationId>,
}

/// Sends go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundResumed {
    /// Only this integration; none is the whole project.
    pub integration: Option<IntegrationId>,
}

/// A workflow version was deployed: from here on it may be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowDeployed {
    /// The definition.
    pub workflow: WorkflowName,
    /// Digest of the plan.
    pub plan_digest: Digest,
    /// The plan, canonical JSON.
    pub plan: PayloadRef,
    /// Digest of the source text.
    pub source_digest: Digest,
    /// The source text.
    pub source: PayloadRef,
}

/// The semantic part of an operation was seen for the first time; drafts refer to it by digest, so
/// an upgrade of a manifest voids nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRegistered {
    /// Operation name.
    pub operation: String,
    /// Digest of the semantic part.
    pub digest: Digest,
    /// The semantic part, canonical JSON.
    pub document: PayloadRef,
}

/// An engine opened the project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineStarted {
    /// Version of Placet.
    pub version: String,
    /// Mode of new runs.
    pub mode: Mode,
    /// Digest of the operator's configuration.
    pub config_digest: Digest,
    /// Hosts to which reads go ungated.
    pub read_hosts: Vec<String>,
    /// Targets that may be private or plain HTTP.
    pub egress_allow: Vec<String>,
}

/// The vault was sealed by a new master key. Keys are named by the ids that stand in its records, which are
/// digests; no key stands here, and nothing of a credential.
///
/// It is recorded when the rotation is through. One that was cut short is gone on with by whoever opens the
/// vault next, and then it is here: the vault knows of it until the log does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultRotated {
    /// The key that seals now.
    pub key: String,
    /// The key that sealed before, and whichever had sealed a record.
    pub from: Vec<String>,
    /// Records that were sealed anew.
    pub moved: u64,
    /// Records that opened with no key within reach, and stay as they were.
    pub stuck: u64,
    /// Who had asked for it, as the vault has kept it: where it was cut short, the engine that went on is the
    /// actor. None where nobody is known by name.
    pub asked_by: Option<Principal>,
}

/// The Merkle tree over the log was signed as it stood at a size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointSigned {
    /// Events in the tree: all before this one.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Digest,
    /// The signed note (C2SP tlog-checkpoint), as it is published.
    pub note: String,
}

/// A witness has seen that a checkpoint continues the ones before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointCosigned {
    /// Events in the tree.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Digest,
    /// Name of the witness's key.
    pub witness: String,
    /// Its signature line of the note (C2SP tlog-cosignature), without the line end.
    pub line: String,
}

/// Content was erased: its data keys are destroyed and its payload rows deleted. Exactly one of
/// `run` and `arrival` is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadErased {
    /// All content of this run.
    pub run: Option<RunId>,
    /// The content of this event from outside.
    pub arrival: Option<EventId>,
    /// Pseudonym of the person on whose account it was erased.
    pub subject: Option<Digest>,
    /// Payloads that were deleted.
    pub payloads: u64,
    /// Why, in words.
    pub reason: Option<PayloadRef>,
}

/// The project goes on from restored or copied data: what was open or unspent is void, what was
/// under way is in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochStarted {
    /// Which epoch: 2 for the first restore.
    pub epoch: u64,
    /// Events that the data held.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Digest,
    /// Size of the largest checkpoint known to be signed before, when it is larger: the events in
    /// between are given up.
    pub lost_to: Option<u64>,
}

wire_enum! {
    /// What a review says of an emergency.
    Review {
        /// It was one.
        Justified = 1 "justified",
        /// It was not.
        Objected = 2 "objected",
    }
}

/// Somebody has looked afterwards at what was sent in an emergency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakGlassReviewed {
    /// Which decision.
    pub decision: DecisionId,
    /// Who.
    pub reviewer: Principal,
    /// What they say.
    pub review: Review,
    /// Why, in their words.
    pub reason: Option<PayloadRef>,
}
