//! A request that is made with a credential and for its own sake: one that takes it back, or one that buys a
//! token with what it signs. Nobody approves it; its secrets are named holes until it leaves ([`own_filled`]), so
//! it can be on record.

use crate::fill::{FilledRequest, fill};
use crate::oauth::{CLIENT_ID, CLIENT_SECRET};
use crate::render::encode;
use crate::secret::SecretText;
use crate::template::{Name, Scope, Segment, Template};
use crate::transport::{FillError, FillHoles, WantedHole};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use placet_model::Timestamp;
use placet_model::request::{Body, Hole, HoleKind, HoledText, Part, PreparedRequest};
use serde_json::Value;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Method, address, who calls, and a flat body.
#[derive(Debug)]
pub(crate) struct OwnRequest {
    pub(crate) method: String,
    pub(crate) url: Template,
    pub(crate) auth: OwnAuth,
    pub(crate) body: Vec<(String, Template)>,
    pub(crate) json: bool,
}

/// What shows who calls.
#[derive(Debug)]
pub(crate) enum OwnAuth {
    None,
    /// `Authorization: Basic` of the app's id and secret.
    Client,
    Header(String, Template),
}

impl OwnRequest {
    /// With these settings in it, and named holes for secrets; none where a setting or one of `fields` is missing.
    pub(crate) fn prepared(
        &self,
        settings: &Value,
        fields: &BTreeMap<String, SecretText>,
    ) -> Option<PreparedRequest> {
        let text = |template: &Template, write: fn(&str) -> String| {
            holed(template, (settings, fields), write)
        };
        let plain = |name: &str, value: &str| (name.to_owned(), HoledText::plain(value));
        // GitHub answers nobody who does not name themselves
        let mut headers = vec![plain("Accept", "application/json"), plain("User-Agent", "placet")];
        match &self.auth {
            OwnAuth::None => {}
            OwnAuth::Header(name, value) => headers.push((name.clone(), text(value, same)?)),
            OwnAuth::Client => {
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
            headers.push(plain("Content-Type", media));
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

/// The request that is about to leave: what was prepared, with these secrets in its holes. None where something
/// in it cannot stand there.
pub fn own_filled(
    request: &PreparedRequest,
    fields: &BTreeMap<String, SecretText>,
) -> Option<FilledRequest> {
    // there is no moment and no signature in it
    fill(request, None, &Given(fields), Timestamp::EPOCH).ok()
}

/// The fields of the credential, and no other secret.
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
