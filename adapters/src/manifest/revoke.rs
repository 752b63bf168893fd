//! What becomes of a credential that is forgotten here: a call that takes it back, or words.

use crate::fill::{FilledRequest, fill};
use crate::oauth::{CLIENT_ID, CLIENT_SECRET};
use crate::predicate::{Observed, When};
use crate::render::encode;
use crate::secret::SecretText;
use crate::template::{Name, Scope, Segment, Template};
use crate::transport::{Answer, FillError, FillHoles, WantedHole};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use placet_model::Timestamp;
use placet_model::request::{Body, Hole, HoleKind, HoledText, Part, PreparedRequest};
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

    /// The request that ends it, its secrets as named holes, for [`given_back`]; none where the credential lacks
    /// what it takes.
    pub fn request(
        &self,
        settings: &Value,
        fields: &BTreeMap<String, SecretText>,
    ) -> Option<PreparedRequest> {
        self.request.prepared(settings, fields)
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
    /// The request that takes a credential with these fields back, its secrets as named holes, for
    /// [`given_back`]; none where the provider has no such call, or the credential lacks what it takes.
    pub fn request(
        &self,
        settings: &Value,
        fields: &BTreeMap<String, SecretText>,
    ) -> Option<PreparedRequest> {
        self.request.as_ref()?.prepared(settings, fields)
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

    fn prepared(
        &self,
        settings: &Value,
        fields: &BTreeMap<String, SecretText>,
    ) -> Option<PreparedRequest> {
        if self.oauth_only && !fields.contains_key(CLIENT_ID) {
            return None;
        }
        let text = |template: &Template, write: fn(&str) -> String| {
            holed(template, (settings, fields), write)
        };
        let mut headers = vec![("Accept".to_owned(), HoledText::plain("application/json"))];
        match &self.auth {
            RevokeAuth::None => {}
            RevokeAuth::Header(name, value) => headers.push((name.clone(), text(value, same)?)),
            RevokeAuth::Client => {
                let has = |name: &str| fields.contains_key(name);
                let name = format!("{CLIENT_ID}:{CLIENT_SECRET}");
                let pair = Part::Hole(Hole { hole: HoleKind::Basic, name });
                let basic = HoledText(vec![Part::Text("Basic ".to_owned()), pair]);
                let basic = (has(CLIENT_ID) && has(CLIENT_SECRET)).then_some(basic)?;
                headers.push(("Authorization".to_owned(), basic));
            }
        }
        let body = self.body(&text)?;
        if body != Body::Empty {
            let media =
                if self.json { "application/json" } else { "application/x-www-form-urlencoded" };
            headers.push(("Content-Type".to_owned(), HoledText::plain(media)));
        }
        let url = text(&self.url, same)?;
        Some(PreparedRequest { method: self.method.clone(), url, headers, body })
    }

    fn body(
        &self,
        text: &impl Fn(&Template, fn(&str) -> String) -> Option<HoledText>,
    ) -> Option<Body> {
        if self.body.is_empty() && !self.json {
            return Some(Body::Empty);
        }
        let (open, between, close) = if self.json { ("{", ",", "}") } else { ("", "&", "") };
        let mut values = Vec::new();
        for (name, value) in &self.body {
            let (name, value) = if self.json {
                (format!("\"{}\":\"", in_json(name)), text(value, in_json)?)
            } else {
                (format!("{}=", encode(name)), text(value, same)?)
            };
            values.push((name, value));
        }
        let mut parts = vec![Part::Text(open.to_owned())];
        for (n, (name, value)) in values.into_iter().enumerate() {
            parts.extend((n > 0).then(|| Part::Text(between.to_owned())));
            parts.push(Part::Text(name));
            parts.extend(value.0);
            parts.extend(self.json.then(|| Part::Text("\"".to_owned())));
        }
        parts.push(Part::Text(close.to_owned()));
        Some(Body::Text(HoledText(joined(parts))))
    }
}

/// Text as it is.
fn same(text: &str) -> String {
    text.to_owned()
}

/// Text between the quotes of a JSON string.
fn in_json(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The same, with no text after a text, and none that is empty.
fn joined(parts: Vec<Part>) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::new();
    for part in parts {
        match (out.last_mut(), part) {
            (_, Part::Text(text)) if text.is_empty() => {}
            (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
            (_, part) => out.push(part),
        }
    }
    out
}

/// A template with settings in it, and its secrets as named holes; none where one is missing.
fn holed(
    template: &Template,
    (settings, fields): (&Value, &BTreeMap<String, SecretText>),
    write: fn(&str) -> String,
) -> Option<HoledText> {
    let scope = Scope { config: settings, ..Scope::NOTHING };
    let mut parts = Vec::new();
    for segment in template.segments(&scope).ok()?? {
        parts.push(match segment {
            Segment::Text(text) => Part::Text(write(&text)),
            Segment::Hole(Name::Secret(field)) if fields.contains_key(field) => {
                Part::Hole(Hole { hole: HoleKind::Credential, name: field.clone() })
            }
            Segment::Hole(_) => return None,
        });
    }
    Some(HoledText(joined(parts)))
}

/// The request that is about to leave: what was prepared, with the credential that is given back in its holes.
/// None where something in it cannot stand there.
pub fn given_back(
    request: &PreparedRequest,
    fields: &BTreeMap<String, SecretText>,
) -> Option<FilledRequest> {
    // there is no moment and no signature in it
    fill(request, None, &Given(fields), Timestamp::EPOCH).ok()
}

/// The fields of a credential that is given back, and no other secret.
#[derive(Debug)]
struct Given<'a>(&'a BTreeMap<String, SecretText>);

impl FillHoles for Given<'_> {
    fn fill(&self, wanted: &WantedHole<'_>) -> Result<SecretText, FillError> {
        let unknown = || FillError::Unknown { hole: wanted.hole.clone() };
        let field = |name: &str| self.0.get(name).ok_or_else(unknown);
        match wanted.hole.hole {
            HoleKind::Credential => field(&wanted.hole.name).cloned(),
            HoleKind::Basic => {
                let (user, password) = wanted.hole.name.split_once(':').ok_or_else(unknown)?;
                let (user, password) = (field(user)?, field(password)?);
                let pair = Zeroizing::new(format!("{}:{}", user.expose(), password.expose()));
                Ok(SecretText::new(BASE64.encode(pair.as_bytes())))
            }
            HoleKind::Secret | HoleKind::Timestamp | HoleKind::Signature | HoleKind::Token => {
                Err(unknown())
            }
        }
    }
}
