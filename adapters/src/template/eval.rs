//! [`Template`] + [`Scope`] → text, values, or text with holes. Pure: equal scopes, equal bytes.

use super::{Absent, Name, Part, Placeholder, Template};
use crate::send_forms;
use crate::target::Target;
use placet_model::Timestamp;
use serde_json::Value;

/// All that a template can see. Nothing in it is secret and nothing in it is a clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) input: &'a Value,
    pub(crate) response: &'a Value,
    /// The answer's headers, where its body may be seen.
    pub(crate) headers: &'a [(String, String)],
    pub(crate) config: &'a Value,
    pub(crate) target: Option<&'a Target>,
    pub(crate) send_id: &'a str,
    pub(crate) draft_time: Timestamp,
    /// When the attempt in doubt began; only a reconcile look-up has it.
    pub(crate) sent_at: Option<Timestamp>,
    /// The version of the API that the manifest pins.
    pub(crate) api_version: Option<&'a str>,
    /// The mode of the credential; only the head of a card and an identity's label have it.
    pub(crate) mode: Option<&'a str>,
    /// What a read before the approval has found; only the head of a card has it.
    pub(crate) lookup: Option<&'a Value>,
    /// The amount in words; only the head of a card has it.
    pub(crate) money: Option<&'a str>,
    /// Where the next page begins; only a read that follows pages has it.
    pub(crate) cursor: Option<&'a Value>,
}

impl Scope<'_> {
    /// Sees nothing: what a place may see is said where the scope is made.
    pub(crate) const NOTHING: Scope<'static> = Scope {
        input: &Value::Null,
        response: &Value::Null,
        headers: &[],
        config: &Value::Null,
        target: None,
        send_id: "",
        draft_time: Timestamp::EPOCH,
        sent_at: None,
        api_version: None,
        mode: None,
        lookup: None,
        money: None,
        cursor: None,
    };
}

/// A template that cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{name} is absent")]
    Missing { name: String },
    #[error("{name} is a list or an object where text is needed")]
    NotText { name: String },
    #[error("{name} takes a map")]
    NotMap { name: String },
    #[error("the mail cannot be written: {reason}")]
    Mail { reason: &'static str },
    #[error("the send id {send_id:?} is not 40 letters of base32")]
    SendId { send_id: String },
    #[error("{name} is filled at send time and cannot stand here")]
    HoleHere { name: String },
}

/// One stretch of a rendered text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment<'a> {
    Text(String),
    /// Stays open until the bytes leave.
    Hole(&'a Name),
}

impl Template {
    /// The value of the template: a whole placeholder keeps its JSON type, `None` drops the key.
    ///
    /// # Errors
    /// A name that is absent and not optional; a hole, which no JSON value can hold.
    pub(crate) fn value(&self, scope: &Scope<'_>) -> Result<Option<Value>, Error> {
        if let Some(place) = self.whole() {
            return place.value(scope);
        }
        Ok(self.text(scope)?.map(Value::String))
    }

    /// The text of the template; `None` if an optional placeholder in it is absent.
    ///
    /// # Errors
    /// As [`Template::value`], and a list or an object where text is needed.
    pub(crate) fn text(&self, scope: &Scope<'_>) -> Result<Option<String>, Error> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(stretch) => text.push_str(stretch),
                Part::Place(place) => match place.value(scope)? {
                    Some(value) => text.push_str(&scalar(&value, place)?),
                    None => return Ok(None),
                },
            }
        }
        Ok(Some(text))
    }

    /// The text with its holes left open; `None` if an optional placeholder in it is absent.
    ///
    /// # Errors
    /// As [`Template::text`].
    pub(crate) fn segments(&self, scope: &Scope<'_>) -> Result<Option<Vec<Segment<'_>>>, Error> {
        let mut out = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(stretch) => out.push(Segment::Text(stretch.clone())),
                Part::Place(place) => match place.names.as_slice() {
                    [hole] if hole.is_hole() => out.push(Segment::Hole(hole)),
                    _ => match place.value(scope)? {
                        Some(value) => out.push(Segment::Text(scalar(&value, place)?)),
                        None => return Ok(None),
                    },
                },
            }
        }
        Ok(Some(out))
    }
}

impl Placeholder {
    fn value(&self, scope: &Scope<'_>) -> Result<Option<Value>, Error> {
        for name in &self.names {
            if let Some(found) = name.resolve(scope)? {
                return Ok(Some(found));
            }
        }
        match self.absent {
            Absent::Drop => Ok(None),
            Absent::Refuse => Err(Error::Missing { name: self.label() }),
        }
    }

    pub(crate) fn label(&self) -> String {
        self.names.iter().map(Name::label).collect::<Vec<_>>().join("|")
    }
}

impl Name {
    /// The value, `None` if absent; JSON null counts as absent.
    fn resolve(&self, scope: &Scope<'_>) -> Result<Option<Value>, Error> {
        let present = |value: Option<&Value>| value.filter(|value| !value.is_null()).cloned();
        let word = |word: &str| Value::String(word.to_owned());
        Ok(match self {
            Self::Input(pointer) if pointer.is_pattern() => list(pointer.all(scope.input)),
            Self::Input(pointer) => present(pointer.get(scope.input)),
            Self::Response(pointer) => present(pointer.get(scope.response)),
            Self::ResponseHeader(name) => scope
                .headers
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| Value::String(value.clone())),
            Self::Config(name) => present(scope.config.get(name)),
            Self::Target => scope.target.map(|target| Value::String(target.text().to_owned())),
            Self::TargetPart(part) => scope
                .target
                .and_then(|target| target.part(part))
                .map(|part| Value::String(part.to_owned())),
            Self::SendId => Some(Value::String(scope.send_id.to_owned())),
            Self::SendUuid => Some(Value::String(send_forms::uuid(scope.send_id)?)),
            Self::SendBase32Hex => Some(Value::String(send_forms::base32hex(scope.send_id)?)),
            Self::DraftTime => Some(Value::String(scope.draft_time.to_string())),
            Self::SentAtMinus(seconds) => scope
                .sent_at
                .map(|at| Value::String((at.as_secs() - i64::from(*seconds)).to_string())),
            Self::SentAtMinusIso(seconds) => scope.sent_at.map(|at| {
                let secs = at.as_secs() - i64::from(*seconds);
                let text = Timestamp::from_millis(secs * 1000).to_string();
                Value::String(text.replace(".000Z", "Z"))
            }),
            Self::ApiVersion => scope.api_version.map(word),
            Self::Mode => scope.mode.map(word),
            Self::Money => scope.money.map(word),
            Self::Lookup(pointer) => present(scope.lookup.and_then(|found| pointer.get(found))),
            Self::PageCursor => present(scope.cursor),
            Self::Secret(_)
            | Self::SecretUser(_)
            | Self::SecretPassword(_)
            | Self::AttemptTimestamp
            | Self::AttemptSignature => {
                return Err(Error::HoleHere { name: self.label() });
            }
        })
    }

    pub(crate) fn label(&self) -> String {
        match self {
            Self::Input(pointer) => format!("input.{pointer}"),
            Self::Response(pointer) => pointer.to_string(),
            Self::ResponseHeader(name) => format!("header:{name}"),
            Self::Target => "target".to_owned(),
            Self::TargetPart(part) => format!("target.{part}"),
            Self::Config(name) => format!("config.{name}"),
            Self::SendId => "send_id".to_owned(),
            Self::SendUuid => "send_uuid".to_owned(),
            Self::SendBase32Hex => "send_b32hex".to_owned(),
            Self::DraftTime => "draft.time".to_owned(),
            Self::SentAtMinus(seconds) => format!("sent_at_minus:{seconds}"),
            Self::SentAtMinusIso(seconds) => format!("sent_at_minus_iso:{seconds}"),
            Self::ApiVersion => "api_version".to_owned(),
            Self::Mode => "mode".to_owned(),
            Self::Money => "money".to_owned(),
            Self::Lookup(pointer) => format!("lookup.{pointer}"),
            Self::PageCursor => "page.cursor".to_owned(),
            Self::Secret(name) => format!("secret:{name}"),
            Self::SecretUser(name) => format!("secret_user:{name}"),
            Self::SecretPassword(name) => format!("secret_password:{name}"),
            Self::AttemptTimestamp => "attempt.timestamp".to_owned(),
            Self::AttemptSignature => "attempt.signature".to_owned(),
        }
    }
}

/// What stands at a pattern; nothing is absent.
fn list(found: Vec<&Value>) -> Option<Value> {
    let found: Vec<Value> = found.into_iter().filter(|value| !value.is_null()).cloned().collect();
    (!found.is_empty()).then_some(Value::Array(found))
}

/// A scalar as text, numbers in their one canonical spelling.
fn scalar(value: &Value, place: &Placeholder) -> Result<String, Error> {
    crate::json::scalar_text(value).ok_or_else(|| Error::NotText { name: place.label() })
}
