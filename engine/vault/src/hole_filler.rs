//! Fills the holes of approved bytes: credentials from the vault, secrets from the environment.
//!
//! Which credential is used follows from the call (integration and version as its attempt has
//! recorded them), never from the request. A secret goes only to a host that the operator has
//! bound it to. Every error names what is missing and none repeats what was found.

use crate::{Environment, Error, Vault};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use placet_adapters::oauth::{
    AppClient, CLIENT_ID, CLIENT_SECRET, KeepGrants, KeptGrant, News, REFRESH_TOKEN,
};
use placet_adapters::{CallIntegration, FillError, FillHoles, SecretText, WantedHole};
use placet_model::project::SecretBinding;
use placet_model::request::{Hole, HoleKind};
use placet_model::{IntegrationId, Timestamp};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

/// The live engine's source of secrets. The sandbox is never given one.
pub struct HoleFiller {
    vault: Arc<Vault>,
    secrets: BTreeMap<String, SecretBinding>,
    environment: Environment,
    news: Box<TellNews>,
}

type TellNews = dyn Fn(News) + Send + Sync;

impl fmt::Debug for HoleFiller {
    /// Where it takes from; no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HoleFiller").field("vault", &self.vault).finish_non_exhaustive()
    }
}

impl HoleFiller {
    /// Fills from this vault and, for the operator's `secrets`, from this environment.
    pub fn new(
        vault: Arc<Vault>,
        secrets: BTreeMap<String, SecretBinding>,
        environment: Environment,
    ) -> Self {
        Self { vault, secrets, environment, news: Box::new(|_nobody| {}) }
    }

    /// The same, and what becomes of grants is told.
    #[must_use]
    pub fn telling(self, tell: impl Fn(News) + Send + Sync + 'static) -> Self {
        Self { news: Box::new(tell), ..self }
    }

    /// A token from its grant, where the credential has one; any other field from the credential.
    fn token(&self, (id, version): (IntegrationId, u32), field: &str) -> Result<SecretText, Error> {
        let grant = self.vault.grant(id, version)?;
        let token = grant.and_then(|grant| match field {
            REFRESH_TOKEN => grant.refresh().cloned(),
            field => (grant.access_field == field).then_some(grant.access),
        });
        token.map_or_else(|| self.vault.secret(id, version, field), Ok)
    }

    fn credential(&self, wanted: &WantedHole<'_>, field: &str) -> Result<SecretText, FillError> {
        let Some(call) = wanted.integration else {
            return Err(unusable(wanted.hole, "the call names no integration"));
        };
        self.token((call.id, call.credential_version), field).map_err(|error| {
            let reason = format!("integration {}: {}", call.name, with_sources(&error));
            unusable(wanted.hole, reason)
        })
    }

    /// The secret with this name, if it may go to this host.
    fn secret(&self, name: &str, host: &str) -> Result<SecretText, FillError> {
        let hole = Hole { hole: HoleKind::Secret, name: name.to_owned() };
        let Some(binding) = self.secrets.get(name) else {
            return Err(FillError::Unknown { hole });
        };
        if !binding.hosts.iter().any(|bound| bound.eq_ignore_ascii_case(host)) {
            return Err(match with_port(binding, host) {
                Some(bound) => {
                    let reason = format!(
                        "it is bound to {bound}: secrets are bound to hosts without a port"
                    );
                    unusable(&hole, reason)
                }
                None => FillError::WrongHost { hole, host: host.to_owned() },
            });
        }
        self.environment.read(&binding.env).ok_or_else(|| {
            let reason = format!("the environment variable {} is not set or empty", binding.env);
            unusable(&hole, reason)
        })
    }

    /// `base64(user:password)` of RFC 7617 (<https://www.rfc-editor.org/rfc/rfc7617#section-2>):
    /// no colon in the user, no control characters in either.
    fn basic(&self, wanted: &WantedHole<'_>) -> Result<SecretText, FillError> {
        let Some((user, password)) = wanted.hole.name.split_once(':') else {
            let pair = stored_pair(&self.secret(&wanted.hole.name, wanted.host)?);
            let reason = "it is neither `user:password` nor an object with username and password";
            return basic_of(wanted.hole, &pair.ok_or_else(|| unusable(wanted.hole, reason))?);
        };
        let user = self.secret(user, wanted.host)?;
        let password = self.secret(password, wanted.host)?;
        if user.expose().contains(':') {
            return Err(unusable(wanted.hole, "its user holds a colon"));
        }
        basic_of(wanted.hole, &joined(user.expose(), password.expose()))
    }
}

/// `user:password`, wiped when dropped.
fn joined(user: &str, password: &str) -> SecretText {
    let mut pair = Zeroizing::new(String::with_capacity(user.len() + password.len() + 1));
    pair.push_str(user);
    pair.push(':');
    pair.push_str(password);
    SecretText::new(pair.as_str())
}

/// One secret that holds both: the pair itself, or `{"username": …, "password": …}`.
fn stored_pair(secret: &SecretText) -> Option<SecretText> {
    let text = secret.expose();
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(text) else {
        return text.contains(':').then(|| secret.clone());
    };
    let user = fields.get("username")?.as_str()?;
    let password = fields.get("password")?.as_str()?;
    (fields.len() == 2 && !user.contains(':')).then(|| joined(user, password))
}

fn basic_of(hole: &Hole, pair: &SecretText) -> Result<SecretText, FillError> {
    if pair.expose().chars().any(char::is_control) {
        return Err(unusable(hole, "it holds a line break or a control character"));
    }
    Ok(SecretText::new(BASE64.encode(pair.expose().as_bytes())))
}

impl FillHoles for HoleFiller {
    fn fill(&self, wanted: &WantedHole<'_>) -> Result<SecretText, FillError> {
        let WantedHole { hole, host, .. } = *wanted;
        if host.is_empty() {
            return Err(unusable(hole, "the request names no host that it could go to"));
        }
        match hole.hole {
            HoleKind::Credential => self.credential(wanted, &hole.name),
            HoleKind::Signature => match hole.name.split_once(':') {
                Some((_scheme, field)) => self.credential(wanted, field),
                None => Err(unusable(hole, "it does not name its key as scheme:field")),
            },
            HoleKind::Secret => self.secret(&hole.name, host),
            HoleKind::Basic => self.basic(wanted),
            // the moment of a try is no secret and not ours to give
            // and a token is asked for where there is a way out
            HoleKind::Timestamp | HoleKind::Token => Err(FillError::Unknown { hole: hole.clone() }),
        }
    }

    fn grants(&self) -> Option<&dyn KeepGrants> {
        Some(self)
    }
}

impl KeepGrants for HoleFiller {
    fn grant(&self, of: &CallIntegration) -> Result<Option<KeptGrant>, String> {
        let grant = self.vault.grant(of.id, of.credential_version);
        grant.map_err(|error| with_sources(&error))
    }

    fn client(&self, of: &CallIntegration) -> Result<AppClient, String> {
        let read = |field: &str| self.vault.secret(of.id, of.credential_version, field);
        let id = read(CLIENT_ID).map_err(|error| with_sources(&error))?;
        let secret = match read(CLIENT_SECRET) {
            Err(Error::NoSuchField { .. }) => None,
            read => Some(read.map_err(|error| with_sources(&error))?),
        };
        Ok(AppClient { id: id.expose().to_owned(), secret })
    }

    fn credential(&self, of: &CallIntegration) -> Result<BTreeMap<String, SecretText>, String> {
        let fields = self.vault.credential(of.id, of.credential_version);
        fields.map_err(|error| with_sources(&error))
    }

    fn keep(&self, of: &CallIntegration, after: u64, grant: &KeptGrant) -> Result<(), String> {
        let kept = self.vault.keep_grant((of.id, of.credential_version), after, grant);
        kept.map_err(|error| with_sources(&error))
    }

    fn tell(&self, news: News) {
        (self.news)(news);
    }

    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

fn unusable(hole: &Hole, reason: impl Into<String>) -> FillError {
    FillError::Unusable { hole: hole.clone(), reason: reason.into() }
}

/// A binding to this host that names a port, which a hole does not know.
fn with_port<'a>(binding: &'a SecretBinding, host: &str) -> Option<&'a str> {
    let names_port = |bound: &&str| {
        bound.rsplit_once(':').is_some_and(|(bound, _port)| bound.eq_ignore_ascii_case(host))
    };
    binding.hosts.iter().map(String::as_str).find(names_port)
}

/// An error and what it rests on, in one line.
fn with_sources(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
