//! The shapes of what every request of a provider carries beside its credential, and of what a
//! credential says about itself.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the API that we were built against, in a header or as a segment of each url.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiVersionDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) header: Option<String>,
    /// The path segment that names it, as it stands in each url: `v{api_version}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    pub(super) value: String,
}

/// How a credential shows whether it moves real money: by what it begins with.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModeFromDoc {
    /// Field of the credentials.
    pub(super) credential: String,
    /// What it begins with → the mode.
    pub(super) prefix: BTreeMap<String, String>,
}
