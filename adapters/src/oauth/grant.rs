//! The grant of a person (RFC 6749 §4.1, RFC 7636, RFC 9207): where to send them, what to ask the
//! token endpoint with, and what its answers are worth. All of it is arithmetic; `placet-egress` asks.

use super::answer::TokenAnswer;
use super::assertion::Unsigned;
use super::client::{Client, Proof};
use super::request::request;
use crate::fill::FilledRequest;
use crate::secret::SecretText;
use crate::template::{Scope, Template};
use crate::transport::Answer;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use placet_model::Timestamp;
use placet_model::plan::{ClientAuthentication, TokenEncoding};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;

/// Longest words of a provider that are shown.
const WORDS_MAX: usize = 200;

/// Credential field of the app's id.
pub const CLIENT_ID: &str = "client_id";
/// Credential field of the app's secret.
pub const CLIENT_SECRET: &str = "client_secret";
/// Credential field of what renews the token.
pub const REFRESH_TOKEN: &str = "refresh_token";

/// `auth.oauth` of a manifest, checked.
#[derive(Debug)]
pub struct GrantSpec {
    pub(crate) authorize: Template,
    pub(crate) token: Template,
    pub(crate) issuer: Option<String>,
    pub(crate) pkce: Pkce,
    pub(crate) authentication: ClientAuthentication,
    pub(crate) encoding: TokenEncoding,
    pub(crate) scope_sep: String,
    pub(crate) asks_scopes: bool,
    pub(crate) scopes: Vec<String>,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) rotates: Rotates,
    pub(crate) answer: TokenAnswer,
}

/// Whether the exchange is bound to the one who began it (RFC 7636).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pkce {
    Always,
    /// Where the setting `pkce` is true: some apps refuse what they were not told of.
    BySetting,
    Never,
}

/// Whether a refresh token is used up by using it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotates {
    Never,
    OptIn,
    Always,
    NoRefresh,
}

/// The operator's own app at the provider.
#[derive(Debug, Clone)]
pub struct AppClient {
    pub id: String,
    /// None for a public client.
    pub secret: Option<SecretText>,
}

/// What a person is sent to the provider with.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    pub client: &'a AppClient,
    pub redirect_uri: &'a str,
    pub state: &'a SecretText,
    pub verifier: &'a SecretText,
    pub scopes: &'a [String],
}

/// What the provider gave.
#[derive(Debug, Clone)]
pub struct Granted {
    pub access: SecretText,
    pub refresh: Option<SecretText>,
    /// None where it lasts until it is taken back.
    pub expires_in: Option<Duration>,
    /// Granted scopes, where the answer tells them.
    pub scopes: Option<Vec<String>>,
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    #[error("the settings give no address of the authorization server")]
    Settings,
    /// It may be there later; nothing was used up that is known of.
    #[error("{host} is not available: {words}")]
    Unavailable { host: String, words: String },
    /// Whether it has answered is not known; what was shown may be used up.
    #[error("the answer of {host} was lost: {words}")]
    Lost { host: String, words: String },
    /// The grant is over, for good.
    #[error("{host} says that the grant is over{}", said(words))]
    Over { host: String, words: String },
    /// The app or the request is refused; the grant may be good.
    #[error("{host} refuses the request{}", said(words))]
    Refused { host: String, words: String },
    #[error("{host} gave no token that can be used: {reason}")]
    Unusable { host: String, reason: &'static str },
    /// The manifest has changed since.
    #[error("the manifest of now does not say how its token is renewed")]
    NoWay,
    /// What would ask for the token cannot be signed.
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
}

impl GrantSpec {
    /// A line for people.
    pub fn in_words(&self) -> String {
        let pkce = match self.pkce {
            Pkce::Always => "PKCE",
            Pkce::BySetting => "PKCE where the setting `pkce` says so",
            Pkce::Never => "no PKCE at this provider",
        };
        let refresh = match self.rotates {
            Rotates::Never => "the refresh token stays the same",
            Rotates::OptIn => "a refresh token may be used once, as the app is set",
            Rotates::Always => "each refresh token is used once",
            Rotates::NoRefresh => "the token lasts until it is taken back",
        };
        format!("authorization code, {pkce}; {refresh}")
    }

    /// The credential field in which the token stands.
    pub fn access_field(&self) -> &str {
        &self.answer.access_field
    }

    pub const fn rotates(&self) -> Rotates {
        self.rotates
    }

    /// The `iss` that its answers carry.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Whether scopes are asked for, rather than set on the app.
    pub const fn asks_scopes(&self) -> bool {
        self.asks_scopes
    }

    /// What is asked for if nothing is said; empty where the set `base` says it.
    pub fn usual_scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Whether the app has a secret.
    pub fn needs_secret(&self) -> bool {
        self.authentication != ClientAuthentication::None
    }

    fn with_pkce(&self, settings: &Value) -> bool {
        match self.pkce {
            Pkce::Always => true,
            Pkce::BySetting => settings["pkce"] == true,
            Pkce::Never => false,
        }
    }

    /// Where the person goes. The manifest's words come first, ours cannot be overwritten by them.
    ///
    /// # Errors
    /// [`GrantError::Settings`].
    pub fn authorize_url(&self, settings: &Value, asking: &Asking<'_>) -> Result<Url, GrantError> {
        let mut url = address(&self.authorize, settings)?;
        let challenge = self.with_pkce(settings).then(|| challenge(asking.verifier));
        let mut query = url.query_pairs_mut();
        for (name, value) in &self.params {
            query.append_pair(name, value);
        }
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &asking.client.id)
            .append_pair("redirect_uri", asking.redirect_uri)
            .append_pair("state", asking.state.expose());
        if self.asks_scopes && !asking.scopes.is_empty() {
            query.append_pair("scope", &asking.scopes.join(&self.scope_sep));
        }
        if let Some(challenge) = challenge {
            query.append_pair("code_challenge", &challenge);
            query.append_pair("code_challenge_method", "S256");
        }
        drop(query);
        Ok(url)
    }

    /// Asks for the first tokens (RFC 6749 §4.1.3).
    ///
    /// # Errors
    /// [`GrantError::Settings`].
    pub fn exchange(
        &self,
        settings: &Value,
        code: &SecretText,
        asking: &Asking<'_>,
    ) -> Result<FilledRequest, GrantError> {
        let verifier = self.with_pkce(settings).then(|| asking.verifier.clone());
        let redirect_uri = asking.redirect_uri.to_owned();
        let proof = Proof::Code { code: code.clone(), redirect_uri, verifier };
        self.request(settings, asking.client, proof)
    }

    /// Asks for the next ones (§6).
    ///
    /// # Errors
    /// [`GrantError::Settings`].
    pub fn renewal(
        &self,
        settings: &Value,
        client: &AppClient,
        refresh: &SecretText,
    ) -> Result<FilledRequest, GrantError> {
        self.request(settings, client, Proof::Refresh(refresh.clone()))
    }

    fn request(
        &self,
        settings: &Value,
        client: &AppClient,
        proof: Proof,
    ) -> Result<FilledRequest, GrantError> {
        let endpoint = address(&self.token, settings)?;
        let client = Client {
            authority: String::new(),
            token_endpoint: None,
            issuers: Vec::new(),
            proof,
            id: Some(client.id.clone()),
            secret: client.secret.clone(),
            authentication: self.authentication,
            encoding: self.encoding,
            scopes: Vec::new(),
            audiences: Vec::new(),
        };
        Ok(request(&client, &endpoint))
    }

    /// The host of the token endpoint, for words.
    pub fn host(&self, settings: &Value) -> String {
        let url = address(&self.token, settings).ok();
        url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
    }

    /// The tokens in an answer that came at `now`.
    ///
    /// # Errors
    /// Each way in which there are none; a refresh token is worth keeping after all but
    /// [`GrantError::Over`].
    pub fn granted(
        &self,
        host: &str,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<Granted, GrantError> {
        self.answer.granted(host, answer, now)
    }

    /// When a token that ends at `expires_at` is renewed. `spread` of 0 to 255 moves it up to a quarter
    /// earlier, so that many that were made together are not renewed together.
    pub fn due_at(&self, issued_at: Timestamp, expires_at: Timestamp, spread: u8) -> Timestamp {
        self.answer.due_at(issued_at, expires_at, spread)
    }
}

/// `S256` of a verifier.
fn challenge(verifier: &SecretText) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, verifier.expose().as_bytes());
    URL_SAFE_NO_PAD.encode(hash)
}

/// An address with the integration's settings in it.
fn address(template: &Template, settings: &Value) -> Result<Url, GrantError> {
    let scope = Scope { config: settings, ..Scope::NOTHING };
    let text = template.text(&scope).ok().flatten().ok_or(GrantError::Settings)?;
    crate::render::checked_url(&text).map_err(|_no_url| GrantError::Settings)
}

/// `error` and `error_description`, as far as they are words.
pub fn provider_words(body: &Value) -> String {
    let word = |name: &str| body[name].as_str().map(shown).filter(|text| !text.is_empty());
    match (word("error"), word("error_description")) {
        (Some(error), Some(text)) => format!("{error}: {text}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => String::new(),
    }
}

/// Printable ASCII of a provider's words, not too much of it.
pub fn shown(text: &str) -> String {
    let plain = |c: &char| c.is_ascii_graphic() || *c == ' ';
    text.chars().filter(plain).take(WORDS_MAX).collect()
}

fn said(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(" ({words})") }
}
