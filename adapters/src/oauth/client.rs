//! Who asks for a token, and with what proof.

use super::Error;
use crate::secret::SecretText;
use placet_model::plan::{ClientAuthentication, Grant, OAuth2, TokenEncoding};
use serde::Deserialize;

/// A client with its secrets in hand. Never stored, never printed.
#[derive(Debug)]
pub struct Client {
    pub authority: String,
    /// `None` is found by the provider's own description.
    pub token_endpoint: Option<String>,
    pub issuers: Vec<String>,
    pub(super) proof: Proof,
    pub(super) id: Option<String>,
    pub(super) secret: Option<SecretText>,
    pub(super) authentication: ClientAuthentication,
    pub(super) encoding: TokenEncoding,
    pub(super) scopes: Vec<String>,
    pub(super) audiences: Vec<String>,
}

/// What a token is given for.
#[derive(Debug, Clone)]
pub enum Proof {
    /// The client itself.
    Client,
    Refresh(SecretText),
    /// What the provider gave the person's browser, once.
    Code {
        code: SecretText,
        redirect_uri: String,
        verifier: Option<SecretText>,
    },
    Password {
        username: SecretText,
        password: SecretText,
    },
}

impl Client {
    /// The client of a plan; `read` gives its secrets by name.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn of<E>(spec: &OAuth2, read: impl Fn(&str) -> Result<SecretText, E>) -> Result<Self, E> {
        let proof = match &spec.grant {
            Grant::ClientCredentials => Proof::Client,
            Grant::RefreshToken(token) => Proof::Refresh(read(token)?),
            Grant::Password { username, password } => {
                Proof::Password { username: read(username)?, password: read(password)? }
            }
        };
        Ok(Self {
            authority: spec.authority.clone(),
            token_endpoint: spec.token_endpoint.clone(),
            issuers: spec.issuers.clone(),
            proof,
            id: spec.client.clone(),
            secret: spec.client_secret.as_deref().map(read).transpose()?,
            authentication: spec.client_authentication,
            encoding: spec.encoding,
            scopes: spec.scopes.clone(),
            audiences: spec.audiences.clone(),
        })
    }

    /// The client that one secret describes whole: the object of `oauth2` or `oidc` as a workflow
    /// would have it, with values.
    ///
    /// # Errors
    /// What is wrong with it; never a part of it.
    pub fn stored(name: &str, scheme: &str, text: &SecretText) -> Result<Self, Error> {
        let refuse =
            |reason: &str| Error::Stored { secret: name.to_owned(), reason: reason.into() };
        let stored: Stored = serde_json::from_str(text.expose())
            .map_err(|_secret| refuse("it is no JSON object with `authority` and `grant`"))?;
        let lacks = |what: &str| refuse(&format!("it lacks `{what}`"));
        let text =
            |text: Option<String>, what: &str| text.map(SecretText::new).ok_or_else(|| lacks(what));
        let proof = match stored.grant.as_str() {
            "client_credentials" => Proof::Client,
            "refresh_token" => {
                Proof::Refresh(text(stored.subject.map(|subject| subject.token), "subject.token")?)
            }
            "password" => Proof::Password {
                username: text(stored.username, "username")?,
                password: text(stored.password, "password")?,
            },
            _ => return Err(refuse("its `grant` is not one that needs no person")),
        };
        let client = stored.client.unwrap_or_default();
        let authentication = match client.authentication.as_deref() {
            None | Some("client_secret_post") => ClientAuthentication::ClientSecretPost,
            Some("client_secret_basic") => ClientAuthentication::ClientSecretBasic,
            Some("none") => ClientAuthentication::None,
            Some(_) => return Err(refuse("its `client.authentication` is unknown")),
        };
        let encoding = match stored.request.map(|request| request.encoding).as_deref() {
            None | Some("application/x-www-form-urlencoded") => TokenEncoding::Form,
            Some("application/json") => TokenEncoding::Json,
            Some(_) => return Err(refuse("its `request.encoding` is unknown")),
        };
        let known = stored.endpoints.and_then(|endpoints| endpoints.token);
        let token_endpoint = match scheme {
            "oidc" => None,
            _ => Some(known.unwrap_or_else(|| "/oauth2/token".to_owned())),
        };
        Ok(Self {
            authority: stored.authority,
            token_endpoint,
            issuers: stored.issuers,
            proof,
            id: client.id,
            secret: client.secret.map(SecretText::new),
            authentication,
            encoding,
            scopes: stored.scopes,
            audiences: stored.audiences,
        })
    }

    /// The same, with a refresh token that the server gave instead of the last one.
    pub fn renewed_by(&mut self, token: SecretText) {
        if matches!(self.proof, Proof::Refresh(_)) {
            self.proof = Proof::Refresh(token);
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    authority: String,
    grant: String,
    client: Option<StoredClient>,
    request: Option<StoredRequest>,
    #[serde(default)]
    issuers: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    audiences: Vec<String>,
    username: Option<String>,
    password: Option<String>,
    subject: Option<StoredSubject>,
    endpoints: Option<StoredEndpoints>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct StoredClient {
    id: Option<String>,
    secret: Option<String>,
    authentication: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRequest {
    encoding: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSubject {
    token: String,
    #[serde(rename = "type")]
    _kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredEndpoints {
    token: Option<String>,
    #[serde(rename = "revocation")]
    _revocation: Option<String>,
    #[serde(rename = "introspection")]
    _introspection: Option<String>,
}
