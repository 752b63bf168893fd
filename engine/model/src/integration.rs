//! Integrations: configured connections of providers.

use crate::wire::wire_enum;
use crate::{Digest, IntegrationId, canonical};
use serde::{Deserialize, Serialize};
use serde_json::Value;

wire_enum! {
    /// Whether an integration may be used.
    IntegrationStatus {
        /// It may.
        Active = 1 "active",
        /// An operator has switched it off: sends hold.
        Disabled = 2 "disabled",
        /// Its credential was refused: sends hold.
        Failed = 3 "failed",
        /// Gone: approvals bound to it are void.
        Disconnected = 4 "disconnected",
    }
}

/// The account an integration acts as: what an approval binds, never a label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The account, or the credential's lineage id where a provider has no identity call.
    pub id: String,
    /// The tenant it belongs to.
    pub tenant: String,
}

/// One configured connection of a provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Integration {
    /// Its id.
    pub id: IntegrationId,
    /// The name by which steps refer to it; unique in the project.
    pub name: String,
    /// The provider.
    pub provider: String,
    /// Non-secret settings; bound by approvals.
    pub settings: Value,
    /// Who it acts as.
    pub identity: Identity,
    /// A line for people; not bound.
    pub label: String,
    /// Whether it may be used.
    pub status: IntegrationStatus,
    /// Why it is not active.
    pub reason: Option<String>,
    /// Version of its credential; 0 without one.
    pub credential_version: u32,
    /// Whether steps that name no integration use it.
    pub is_default: bool,
}

impl Integration {
    /// The digest of the settings that an approval binds.
    ///
    /// # Errors
    /// Where the settings have no canonical form.
    pub fn settings_digest(&self) -> Result<Digest, canonical::Error> {
        canonical::digest(&self.settings)
    }
}
