//! People: their tokens and keys.

use serde_json::Value;
use utoipa::ToSchema;

#[derive(ToSchema)]
pub(crate) struct Tokens {
    tokens: Vec<Token>,
    /// `cursor` of the next page.
    next: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct Token {
    id: String,
    principal: String,
    #[schema(format = DateTime)]
    created_at: String,
    created_by: Option<String>,
    /// From then on it is nobody's; for ever where there is none.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// Those of its bearer in the policy in force.
    roles: Vec<String>,
    /// Only in the answer that makes it, and never again.
    token: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct Keys {
    project: String,
    origin: String,
    keys: Vec<Key>,
    next: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct Key {
    principal: String,
    key: String,
    revoked: bool,
    kind: Option<String>,
    roles: Option<Vec<String>>,
}

#[derive(ToSchema)]
pub(crate) struct Passkeys {
    passkeys: Vec<Passkey>,
    next: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct Passkey {
    #[schema(pattern = "^pk_")]
    id: String,
    principal: String,
    /// `ES256` or `EdDSA`.
    algorithm: String,
    /// The host that it was made for.
    host: String,
    /// Before an admin has confirmed it, it counts for nothing.
    confirmed: bool,
    revoked: bool,
}

/// What `navigator.credentials.create` takes as `publicKey`, binary members in base64url.
#[derive(ToSchema)]
pub(crate) struct PasskeyOptions {
    challenge: String,
    rp: Value,
    user: Value,
    #[schema(rename = "pubKeyCredParams")]
    pub_key_cred_params: Vec<Value>,
    #[schema(rename = "excludeCredentials")]
    exclude_credentials: Vec<Value>,
    #[schema(rename = "authenticatorSelection")]
    authenticator_selection: Value,
    attestation: String,
    timeout: u64,
}

/// A decision document that a passkey is to sign.
#[derive(ToSchema)]
pub(crate) struct ToSign {
    document: Value,
    /// What is signed: the challenge is its SHA-256.
    message: String,
    reason: Option<String>,
    reason_salt: Option<String>,
    with: Option<Value>,
    /// What `navigator.credentials.get` takes as `publicKey`, binary members in base64url.
    options: Value,
}
