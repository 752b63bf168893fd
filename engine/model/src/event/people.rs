//! Events about people: the keys with which they sign, and what they have signed that is no vote.

use crate::Principal;
use crate::nkey::UserKey;
use crate::passkey::{Algorithm, PasskeyId};
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

/// An operator has asked for something over a message bus, signed; what came of it follows in events of
/// its own. Recorded before anything is done, so a nonce is good for one request for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestSigned {
    /// Who.
    pub user: Principal,
    /// What was asked for, such as `integrations.rotate`.
    pub word: String,
    /// The message that was signed: names the digest of what it was asked with, never the content.
    pub document: String,
    /// 64 bytes, base64url without padding.
    pub signature: String,
}

/// An authenticator has made a passkey for somebody, who was logged in as themselves. It is good for
/// nothing before an admin says that it is theirs: whoever has stolen a session could make one too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyEnrolled {
    /// Whose.
    pub principal: Principal,
    /// The digest of its public key, which is its name in every document.
    pub passkey: PasskeyId,
    /// The authenticator's own name for it, base64url without padding.
    pub credential: String,
    /// How it signs.
    pub algorithm: Algorithm,
    /// The public key, base64url without padding.
    pub public_key: String,
    /// The party that it was made for: the host under which people reach this engine.
    pub rp_id: String,
}

/// An admin has seen to it that a passkey is this person's; the envelope's actor tells who.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyConfirmed {
    /// Whose.
    pub principal: Principal,
    /// Which.
    pub passkey: PasskeyId,
}

/// A passkey is good for nothing any more; what it signed before stays verifiable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyRevoked {
    /// Whose it was.
    pub principal: Principal,
    /// Which.
    pub passkey: PasskeyId,
}
