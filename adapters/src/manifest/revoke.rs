//! What becomes of a credential that is forgotten here: a call that takes it back, or words.

use crate::fill::FilledRequest;
use crate::oauth::{CLIENT_ID, CLIENT_SECRET};
use crate::predicate::{Observed, When};
use crate::render::encode;
use crate::secret::SecretText;
use crate::template::{Name, Scope, Segment, Template};
use crate::transport::Answer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// What becomes of a credential that is forgotten here.
#[derive(Debug)]
pub struct Revoke {
    /// Where a person takes it back.
    pub manual_url: Option<String>,
    /// What else ends with it.
    pub shared_with: Option<String>,
    /// Whether the call ends all that the person has given the app, and not this token alone.
    pub ends_grant: bool,
    /// What else is ended, in this order, before the credential is.
    pub(crate) also: Vec<RevokeAlso>,
    pub(crate) request: Option<RevokeRequest>,
}

/// One thing more that a disconnect ends at the provider: a webhook, a watch, a second token.
#[derive(Debug)]
pub struct RevokeAlso {
    pub(crate) ends: String,
    pub(crate) request: RevokeRequest,
}

impl RevokeAlso {
    /// What it ends, as it stands in a sentence.
    pub fn ends(&self) -> &str {
        &self.ends
    }

    /// The request that ends it; none where the credential lacks what it takes.
    pub fn request(
        &self,
        settings: &Value,
        fields: &BTreeMap<String, SecretText>,
    ) -> Option<FilledRequest> {
        self.request.asked(settings, fields)
    }

    /// What an answer to it is worth.
    pub fn outcome(&self, answer: &Answer) -> Revoked {
        self.request.outcome(answer)
    }

    /// How it went, for a person.
    pub fn words(&self, revoked: &Revoked) -> String {
        let ends = &self.ends;
        match revoked {
            Revoked::Yes => format!("{ends} ended with it"),
            Revoked::NoCall => format!("{ends} goes on: the credential lacks what ends it"),
            Revoked::No { words } => format!("{ends} did not end ({words})"),
        }
    }
}

/// The call that takes a credential back.
#[derive(Debug)]
pub(crate) struct RevokeRequest {
    pub(crate) method: String,
    pub(crate) url: Template,
    pub(crate) auth: RevokeAuth,
    pub(crate) body: Vec<(String, Template)>,
    pub(crate) json: bool,
    pub(crate) success: Vec<When>,
    pub(crate) oauth_only: bool,
}

#[derive(Debug)]
pub(crate) enum RevokeAuth {
    None,
    Client,
    Header(String, Template),
}

/// What came of taking a credential back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// The provider has said so.
    Yes,
    /// There is no call for a credential such as this one.
    NoCall,
    /// It was asked and did not say that it is done.
    No { words: String },
}

impl Revoke {
    /// The request that takes a credential with these fields back; none where the provider has no such
    /// call, or the credential lacks what it takes.
    pub fn request(
        &self,
        settings: &Value,
        fields: &BTreeMap<String, SecretText>,
    ) -> Option<FilledRequest> {
        self.request.as_ref()?.asked(settings, fields)
    }

    /// What else is ended, in the order in which it is asked for.
    pub fn also(&self) -> &[RevokeAlso] {
        &self.also
    }

    /// What an answer to it is worth.
    pub fn outcome(&self, answer: &Answer) -> Revoked {
        self.request.as_ref().map_or(Revoked::NoCall, |request| request.outcome(answer))
    }

    /// What a disconnect does, before it is known how it goes.
    pub fn in_words(&self) -> String {
        let of_it =
            self.words(if self.request.is_some() { &Revoked::Yes } else { &Revoked::NoCall });
        let also = self.also.iter().map(|also| also.words(&Revoked::Yes));
        std::iter::once(of_it).chain(also).collect::<Vec<_>>().join("; ")
    }

    /// What a person must know after a disconnect.
    pub fn words(&self, revoked: &Revoked) -> String {
        let mut words = match revoked {
            Revoked::Yes if self.ends_grant => {
                "forgotten here, and the provider has ended the grant".to_owned()
            }
            Revoked::Yes => "forgotten here, and the provider has taken it back".to_owned(),
            Revoked::NoCall => "forgotten here, still good at the provider".to_owned(),
            Revoked::No { words } => {
                format!("forgotten here; the provider did not take it back ({words})")
            }
        };
        if let Some(url) = self.manual_url.as_ref().filter(|_| *revoked != Revoked::Yes) {
            words.push_str(": revoke it yourself at ");
            words.push_str(url);
        }
        if let Some(shared) = &self.shared_with {
            words.push_str("; it also ends ");
            words.push_str(shared);
        }
        words
    }
}

impl RevokeRequest {
    fn asked(
        &self,
        settings: &Value,
        fields: &BTreeMap<String, SecretText>,
    ) -> Option<FilledRequest> {
        if self.oauth_only && !fields.contains_key(CLIENT_ID) {
            return None;
        }
        self.filled(settings, fields)
    }

    fn outcome(&self, answer: &Answer) -> Revoked {
        let response = match answer {
            Ok(response) => response,
            Err(failed) => return Revoked::No { words: failed.to_string() },
        };
        let observed = Observed::new(answer);
        let good = (200..=299).contains(&response.status)
            && self.success.iter().all(|when| when.holds(&observed));
        if good {
            return Revoked::Yes;
        }
        let said = crate::oauth::provider_words(observed.body.as_ref().unwrap_or(&Value::Null));
        let status = format!("it answered with status {}", response.status);
        Revoked::No { words: if said.is_empty() { status } else { format!("{status}: {said}") } }
    }

    fn filled(
        &self,
        settings: &Value,
        fields: &BTreeMap<String, SecretText>,
    ) -> Option<FilledRequest> {
        let text = |template: &Template, write: fn(&str) -> String| {
            filled(template, (settings, fields), write)
        };
        let same = |text: &str| text.to_owned();
        let url = text(&self.url, encode)?;
        let mut headers = vec![("Accept".to_owned(), SecretText::new("application/json"))];
        match &self.auth {
            RevokeAuth::None => {}
            RevokeAuth::Header(name, value) => headers.push((name.clone(), text(value, same)?)),
            RevokeAuth::Client => {
                let (id, secret) = (fields.get(CLIENT_ID)?, fields.get(CLIENT_SECRET)?);
                let pair = Zeroizing::new(format!("{}:{}", id.expose(), secret.expose()));
                let basic = Zeroizing::new(format!("Basic {}", BASE64.encode(pair.as_bytes())));
                headers.push(("Authorization".to_owned(), SecretText::new(basic.as_str())));
            }
        }
        let mut body = Vec::new();
        if self.json {
            let mut object = serde_json::Map::new();
            for (name, value) in &self.body {
                object.insert(name.clone(), text(value, same)?.expose().into());
            }
            body = Value::Object(object).to_string().into_bytes();
        } else {
            for (name, value) in &self.body {
                if !body.is_empty() {
                    body.push(b'&');
                }
                body.extend_from_slice(encode(name).as_bytes());
                body.push(b'=');
                body.extend_from_slice(text(value, encode)?.expose().as_bytes());
            }
        }
        if !body.is_empty() {
            let media =
                if self.json { "application/json" } else { "application/x-www-form-urlencoded" };
            headers.push(("Content-Type".to_owned(), SecretText::new(media)));
        }
        Some(FilledRequest { method: self.method.clone(), url, headers, body })
    }
}

/// A template with settings and secrets in it; none where one is missing.
fn filled(
    template: &Template,
    (settings, fields): (&Value, &BTreeMap<String, SecretText>),
    write: fn(&str) -> String,
) -> Option<SecretText> {
    let scope = Scope { config: settings, ..Scope::NOTHING };
    let mut out = Zeroizing::new(String::new());
    for segment in template.segments(&scope).ok()?? {
        match segment {
            Segment::Text(text) => out.push_str(&text),
            Segment::Hole(Name::Secret(field)) => {
                out.push_str(&Zeroizing::new(write(fields.get(field)?.expose())));
            }
            Segment::Hole(_) => return None,
        }
    }
    Some(SecretText::new(out.as_str()))
}
