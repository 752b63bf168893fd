//! Events of the project: policy, pause, deployments, engine starts.

use crate::draft::Mode;
use crate::plan::WorkflowName;
use crate::{Digest, IntegrationId, PayloadRef};
use serde::{Deserialize, Serialize};

/// A policy was applied; the envelope's actor tells by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChanged {
    /// Digest of the canonical policy.
    pub digest: Digest,
    /// The policy, canonical JSON.
    pub policy: PayloadRef,
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
