//! Events of integrations. No credential ever stands here: names of its fields and its version do.

use crate::integration::{Identity, UseScope, Visibility};
use crate::{AttemptId, Digest, IntegrationId, Principal};
use serde::{Deserialize, Serialize};

/// An integration was configured or configured again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrationConnected {
    /// Which integration.
    pub integration: IntegrationId,
    /// Its name.
    pub name: String,
    /// Its provider.
    pub provider: String,
    /// Non-secret settings, canonical JSON.
    pub settings: String,
    /// Who it acts as.
    pub identity: Identity,
    /// A line for people.
    pub label: String,
    /// Whether steps that name no integration use it.
    pub is_default: bool,
}

/// A credential was sealed in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialStored {
    /// Whose.
    pub integration: IntegrationId,
    /// Its version, from 1.
    pub version: u32,
    /// Kept by a rotation only if the operator says that it is the same account.
    pub lineage: String,
    /// Names of its fields.
    pub fields: Vec<String>,
}

/// A credential was used outside an attempt (an identity test, a refresh).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialUsed {
    /// Whose.
    pub integration: IntegrationId,
    /// Its version.
    pub version: u32,
    /// For which operation.
    pub operation: String,
}

/// The provider told us who we are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrationTested {
    /// Which integration.
    pub integration: IntegrationId,
    /// Who it acts as.
    pub identity: Identity,
    /// A line for people.
    pub label: String,
    /// Granted scopes.
    pub scopes: Vec<String>,
}

/// The integration does not work; its sends hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheckFailed {
    /// Which integration.
    pub integration: IntegrationId,
    /// Why, as a code.
    pub code: String,
}

/// An operator switched it off; its sends hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrationDisabled {
    /// Which integration.
    pub integration: IntegrationId,
}

/// It may be used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrationEnabled {
    /// Which integration.
    pub integration: IntegrationId,
}

/// It is gone; approvals bound to it are void.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrationDisconnected {
    /// Which integration.
    pub integration: IntegrationId,
}

/// Where it may be used was set; what is not given does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrationScoped {
    /// Which integration.
    pub integration: IntegrationId,
    /// Only by workflows of this workstream.
    pub workstream: Option<String>,
    /// Only by workflows of this space of the workstream.
    pub space: Option<String>,
    /// Only where at most these can see it.
    pub visibility: Option<Visibility>,
    /// Only for these agents.
    pub agents: Vec<Principal>,
}

/// A live answer does not match the response schema of its operation. Nothing of the answer stands
/// here but where it differs and how: names that the schema declares, never a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseDrifted {
    /// Which integration.
    pub integration: IntegrationId,
    /// Operation name.
    pub operation: String,
    /// Semantic part of the operation, and with it of the schema.
    pub operation_digest: Digest,
    /// Which attempt.
    pub attempt: AttemptId,
    /// HTTP status of the answer.
    pub status: u16,
    /// Where it differs, each once, at most twenty.
    pub places: Vec<DriftedPlace>,
}

/// One difference of an answer from its schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DriftedPlace {
    /// JSON Pointer; what the schema does not name is `*`.
    pub at: String,
    /// The keyword that it breaks, or `json` where the answer is no JSON.
    pub kind: String,
}

impl From<&IntegrationScoped> for UseScope {
    fn from(body: &IntegrationScoped) -> Self {
        Self {
            workstream: body.workstream.clone(),
            space: body.space.clone(),
            visibility: body.visibility,
            agents: body.agents.clone(),
        }
    }
}
