//! Events about people: the keys with which they sign.

use crate::Principal;
use crate::nkey::UserKey;
use serde::{Deserialize, Serialize};

/// An admin has seen to it that a public key is this person's; the envelope's actor tells who. A key
/// is one person's for life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRegistered {
    /// Whose.
    pub principal: Principal,
    /// The public key.
    pub key: UserKey,
}

/// A key is good for nothing any more; what it signed before stays verifiable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRevoked {
    /// Whose it was.
    pub principal: Principal,
    /// The public key.
    pub key: UserKey,
}
