//! A token bought with an assertion that a credential signs: a JWT (RFC 7519) under RS256, good for minutes,
//! shown to an endpoint that answers with a token good for an hour (in the manner of RFC 7523). Nobody has to
//! be there, and what is lost on the way costs nothing: another one is signed.
//!
//! The key is read for one signature and dropped; what is signed is a secret as long as it lives.

use super::answer::TokenAnswer;
use super::grant::{GrantError, Granted};
use super::signing_key::{KeyError, SigningKey};
use crate::fill::FilledRequest;
use crate::manifest::{OwnRequest, own_filled};
use crate::secret::SecretText;
use crate::template::{Name, Scope, Segment, Template};
use crate::transport::Answer;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use placet_model::Timestamp;
use placet_model::request::{Hole, HoleKind};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// The name under which templates of the exchange find what was signed; no field of a credential has it.
pub(crate) const ASSERTION: &str = "assertion";
/// Whether a hole stands for what a credential signs.
pub fn is_assertion(hole: &Hole) -> bool {
    hole.hole == HoleKind::Credential && hole.name == ASSERTION
}

/// Fields of a credential, by name.
type Fields = BTreeMap<String, SecretText>;

/// `auth.assertion` of a manifest, checked.
#[derive(Debug)]
pub struct AssertionSpec {
    /// The credential field that holds the private key.
    pub(crate) key: String,
    /// What it claims besides its times.
    pub(crate) claims: BTreeMap<String, Template>,
    /// How far back it is dated, for a server whose clock is behind ours.
    pub(crate) issued_before: Duration,
    /// How long it is good for from now on.
    pub(crate) lives: Duration,
    pub(crate) request: OwnRequest,
    pub(crate) answer: TokenAnswer,
}

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    #[error("{field} cannot sign: {why}")]
    Key { field: String, why: KeyError },
    #[error("the settings or the credential lack what the assertion or its request says")]
    Lacks,
}

impl AssertionSpec {
    /// A line for people.
    pub fn in_words(&self) -> String {
        let Self { key, lives, .. } = self;
        let lives = lives.as_secs();
        format!("a JWT under RS256, signed with `{key}` and good for {lives} s, buys each token")
    }

    /// The credential field in which the token stands.
    pub fn access_field(&self) -> &str {
        &self.answer.access_field
    }

    /// Whether a credential with these fields is one that signs.
    pub fn signs_with<'f>(&self, mut fields: impl Iterator<Item = &'f String>) -> bool {
        fields.any(|field| *field == self.key)
    }

    /// Whether the key of a credential signs, before anything rests on it.
    ///
    /// # Errors
    /// [`Unsigned`].
    pub fn check(&self, fields: &Fields) -> Result<(), Unsigned> {
        self.key(fields).map(|_key| ())
    }

    fn key(&self, fields: &Fields) -> Result<SigningKey, Unsigned> {
        let text = fields.get(&self.key).ok_or(Unsigned::Lacks)?;
        SigningKey::read(text).map_err(|why| Unsigned::Key { field: self.key.clone(), why })
    }

    /// What shows at `now` who the credential is.
    ///
    /// # Errors
    /// [`Unsigned`].
    pub fn assertion(
        &self,
        settings: &Value,
        fields: &Fields,
        now: Timestamp,
    ) -> Result<SecretText, Unsigned> {
        let mut claims = Map::new();
        for (name, template) in &self.claims {
            let text = claim(template, settings, fields).ok_or(Unsigned::Lacks)?;
            claims.insert(name.clone(), text.into());
        }
        let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        let now = now.as_secs();
        claims.insert("iat".to_owned(), now.saturating_sub(seconds(self.issued_before)).into());
        claims.insert("exp".to_owned(), now.saturating_add(seconds(self.lives)).into());
        let head = URL_SAFE_NO_PAD.encode(br#"{"alg":"RS256","typ":"JWT"}"#);
        let body = URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string());
        let content = format!("{head}.{body}");
        let signature = self
            .key(fields)?
            .sign(content.as_bytes())
            .map_err(|why| Unsigned::Key { field: self.key.clone(), why })?;
        Ok(SecretText::new(format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }

    /// Asks for a token.
    ///
    /// # Errors
    /// [`Unsigned`].
    pub fn exchange(
        &self,
        settings: &Value,
        fields: &Fields,
        now: Timestamp,
    ) -> Result<FilledRequest, Unsigned> {
        let assertion = self.assertion(settings, fields, now)?;
        let mut fields = fields.clone();
        fields.insert(ASSERTION.to_owned(), assertion);
        let request = self.request.prepared(settings, &fields);
        request.and_then(|request| own_filled(&request, &fields)).ok_or(Unsigned::Lacks)
    }

    /// The token in an answer that came at `now`.
    ///
    /// # Errors
    /// Each way in which there is none.
    pub fn granted(
        &self,
        host: &str,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<Granted, GrantError> {
        self.answer.granted(host, answer, now)
    }
}

/// What is claimed, which may name a field: an id is stored with its key, and is no secret.
fn claim(template: &Template, settings: &Value, fields: &Fields) -> Option<String> {
    let scope = Scope { config: settings, ..Scope::NOTHING };
    let mut out = String::new();
    for segment in template.segments(&scope).ok()?? {
        match segment {
            Segment::Text(text) => out.push_str(&text),
            Segment::Hole(Name::Secret(field)) => out.push_str(fields.get(field)?.expose()),
            Segment::Hole(_) => return None,
        }
    }
    Some(out)
}
