//! The shapes of `auth.oauth` and `revoke`: how a person gives an integration its grant, and how it is
//! given back. Shapes only; the rules stand in `check_oauth`.

use super::document::WhenDoc;
use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// A provider's authorization server (RFC 6749 §4.1), and where it does otherwise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OauthDoc {
    pub(super) authorize: Spanned<String>,
    pub(super) token: Spanned<String>,
    /// Hosts of the authorization server that are none of the API.
    #[serde(default)]
    pub(super) hosts: Vec<String>,
    /// The `iss` of its answers (RFC 9207); one that comes must be this one.
    pub(super) issuer: Option<String>,
    pub(super) pkce: Option<PkceDoc>,
    pub(super) client_auth: ClientAuthDoc,
    pub(super) body_format: Option<BodyFormatDoc>,
    /// Between scopes; a space if not said.
    pub(super) scope_sep: Option<String>,
    /// `false` where permissions are set on the app and not asked for.
    pub(super) asks_scopes: Option<bool>,
    /// What is asked for if nothing is said; the scopes of the set `base` where this is not said.
    #[serde(default)]
    pub(super) scopes: Vec<String>,
    /// Further words of the authorization request.
    #[serde(default)]
    pub(super) params: BTreeMap<String, String>,
    /// What a good answer is besides its status.
    #[serde(default)]
    pub(super) success_when: Vec<WhenDoc>,
    pub(super) token_path: Option<String>,
    pub(super) refresh_path: Option<String>,
    pub(super) expires_path: Option<String>,
    pub(super) scope_path: Option<String>,
    pub(super) rotates: RotatesDoc,
    /// How long before its end a token is renewed.
    pub(super) refresh_before_s: Option<u32>,
    /// Answers after which the grant is over, besides `invalid_grant`.
    #[serde(default)]
    pub(super) dead_when: Vec<WhenDoc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PkceDoc {
    Always,
    /// Where the setting `pkce` is true.
    Optional,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ClientAuthDoc {
    Basic,
    Post,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BodyFormatDoc {
    Form,
    Json,
}

/// Whether a refresh token is used up by using it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RotatesDoc {
    /// It stays the same.
    Never,
    /// Where the app is set so.
    OptIn,
    Always,
    /// There is no refresh token: the token lasts until it is taken back.
    NoRefresh,
}

/// What a disconnect does with the credential that it forgets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeDoc {
    pub(super) scope: RevokeScope,
    /// Where a person revokes it.
    pub(super) manual_url: Option<String>,
    /// What else ends with it.
    pub(super) shared_with: Option<String>,
    /// What of the credential it does not end, as it stands in a sentence.
    pub(super) remains: Option<String>,
    /// The call that takes it back.
    pub(super) request: Option<Spanned<RevokeRequestDoc>>,
    /// How its answer says that it is done; any 2xx if not said.
    #[serde(default)]
    pub(super) success_when: Vec<WhenDoc>,
    /// What else is ended at the provider, before the credential is: it may be what that takes.
    #[serde(default)]
    pub(super) also: Vec<Spanned<RevokeAlsoDoc>>,
}

/// One thing more that a disconnect ends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeAlsoDoc {
    /// What it ends, as it stands in a sentence.
    pub(super) ends: String,
    pub(super) request: Spanned<RevokeRequestDoc>,
    #[serde(default)]
    pub(super) success_when: Vec<WhenDoc>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeRequestDoc {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) auth: RevokeAuthDoc,
    /// Fields of a form, or of a JSON object where `body_format` says so.
    #[serde(default)]
    pub(super) body: BTreeMap<String, Value>,
    pub(super) body_format: Option<BodyFormatDoc>,
    /// Whether only a connection that was made by OAuth has what it takes.
    #[serde(default)]
    pub(super) oauth_only: bool,
}

/// What shows who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RevokeAuthDoc {
    /// As every operation: `auth.placement`.
    Token,
    /// `Authorization: Basic` of the app's id and secret.
    Client,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RevokeScope {
    /// No call of ours takes it back.
    None,
    /// The token alone.
    Token,
    /// All that the person has given the app.
    Grant,
    Webhook,
}
