//! What a provider said, without what it said: every value of an answer becomes a pseudonym of the
//! same shape, the same one wherever the value stands, unless the schema itself names the value.
//!
//! What is kept is what says nothing of anybody: null, booleans, small numbers, the words that a
//! provider has for kinds and states, the names that a schema declares.

use super::pseudonyms::{Kind, Pseudonyms};
use placet_schemas::places::{Step, names_at, names_value};
use regex::Regex;
use serde_json::{Map, Number, Value};
use std::sync::LazyLock;

/// Numbers below this count things, or are a status.
const SMALL: u64 = 1000;
/// Names whose value is a secret, whatever it looks like.
const SECRETS: [&str; 10] = [
    "secret",
    "token",
    "password",
    "passwd",
    "api_key",
    "apikey",
    "authorization",
    "signature",
    "cookie",
    "credential",
];
/// Names whose value is a word of the provider's, if it looks like one.
const VOCABULARY: [&str; 14] = [
    "type",
    "object",
    "status",
    "state",
    "kind",
    "currency",
    "subtype",
    "mode",
    "event",
    "method",
    "reason",
    "code",
    "level",
    "direction",
];
/// Endings of the names of moments.
const MOMENTS: [&str; 10] =
    ["created", "updated", "date", "time", "timestamp", "_at", "At", "expires", "due", "start"];

static EMAIL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+$").expect("a constant"));
static PHONE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\+?[0-9][0-9 ()./-]{5,18}[0-9]$").expect("a constant"));
static MOMENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$")
        .expect("a constant")
});
static VENDOR_TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?i:(bearer |basic |xox[a-z]-|xapp-|sk_|rk_|pk_|whsec_|gh[a-z]_|github_pat_|eyJ|ya29\.|SG\.|key-|re_[A-Za-z0-9]{16}))")
        .expect("a constant")
});
/// One word without spaces, in which an id may be written.
static WORD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[A-Za-z0-9_.:/+=~-]{1,256}$").expect("a constant"));
static PLAIN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[a-z][a-z_]{0,31}$").expect("a constant"));

/// One value that was replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct Redacted {
    /// JSON Pointer in the record.
    pub at: String,
    /// What it was taken for.
    pub kind: Kind,
    /// What stands there now.
    pub became: Value,
}

/// Goes through one answer.
#[derive(Debug)]
pub(super) struct Redactor<'a> {
    schema: &'a Value,
    pseudonyms: Pseudonyms,
    path: Vec<At<'a>>,
    at: String,
    pub(super) done: Vec<Redacted>,
}

/// One step to where the walk is.
#[derive(Debug, Clone, Copy)]
enum At<'a> {
    Member(&'a str),
    Item,
}

impl<'a> Redactor<'a> {
    pub(super) fn new(schema: &'a Value) -> Self {
        let pseudonyms = Pseudonyms::default();
        Self { schema, pseudonyms, path: vec![], at: String::new(), done: vec![] }
    }

    /// The value as it may be kept.
    pub(super) fn value(&mut self, value: &'a Value) -> Value {
        if !value.is_array() && !value.is_object() && names_value(self.schema, &self.steps(), value)
        {
            return value.clone();
        }
        match value {
            Value::Null | Value::Bool(_) => value.clone(),
            Value::Number(number) => self.number(number),
            Value::String(text) => self.text(text),
            Value::Array(items) => self.items(items),
            Value::Object(fields) => self.members(fields),
        }
    }

    fn items(&mut self, items: &'a [Value]) -> Value {
        let items = items.iter().enumerate();
        let kept = items.map(|(index, item)| self.below(At::Item, &index.to_string(), item));
        Value::Array(kept.collect())
    }

    fn members(&mut self, fields: &'a Map<String, Value>) -> Value {
        let declared: Vec<String> =
            names_at(self.schema, &self.steps()).into_iter().map(str::to_owned).collect();
        let mut kept = Map::new();
        for (name, value) in fields {
            let shown = if declared.contains(name) {
                name.clone()
            } else {
                // a name that only the answer has may be a person's
                let shown = self.pseudonyms.name(name);
                let at = format!("{}/{shown}", self.at);
                self.done.push(Redacted { at, kind: Kind::Name, became: shown.clone().into() });
                shown
            };
            let value = self.below(At::Member(name), &shown, value);
            kept.insert(shown, value);
        }
        Value::Object(kept)
    }

    fn below(&mut self, step: At<'a>, shown: &str, value: &'a Value) -> Value {
        let length = self.at.len();
        self.at.push('/');
        self.at.push_str(&shown.replace('~', "~0").replace('/', "~1"));
        self.path.push(step);
        let value = self.value(value);
        self.path.pop();
        self.at.truncate(length);
        value
    }

    fn number(&mut self, number: &Number) -> Value {
        let is_id = is_id(self.name());
        if number.as_u64().is_some_and(|number| number < SMALL) && !is_id {
            return Value::Number(number.clone());
        }
        let kind = match () {
            () if is_id => Kind::Id,
            () if is_moment(self.name()) => Kind::Moment,
            () if self.name().to_ascii_lowercase().contains("phone") => Kind::Phone,
            () => Kind::Number,
        };
        let digits = self.pseudonyms.of(kind, &number.to_string());
        let became = serde_json::from_str(&digits).unwrap_or_else(|_| Value::from(1));
        self.replaced(kind, became)
    }

    fn text(&mut self, text: &str) -> Value {
        let name = self.name();
        let is_vocabulary = VOCABULARY.contains(&name) && PLAIN.is_match(text);
        if text.is_empty() || is_vocabulary {
            return Value::from(text);
        }
        let kind = kind_of(name, text);
        let became = Value::from(self.pseudonyms.of(kind, text));
        self.replaced(kind, became)
    }

    fn replaced(&mut self, kind: Kind, became: Value) -> Value {
        self.done.push(Redacted { at: self.at.clone(), kind, became: became.clone() });
        became
    }

    /// The name of the member that the walk is in; of a list, that of the list.
    fn name(&self) -> &'a str {
        let member = |at: &At<'a>| match *at {
            At::Member(name) => Some(name),
            At::Item => None,
        };
        self.path.iter().rev().find_map(member).unwrap_or_default()
    }

    fn steps(&self) -> Vec<Step<'a>> {
        let step = |at: &At<'a>| match *at {
            At::Member(name) => Step::Key(name),
            At::Item => Step::Item,
        };
        self.path.iter().map(step).collect()
    }
}

fn kind_of(name: &str, text: &str) -> Kind {
    let lower = name.to_ascii_lowercase();
    let has = |word: &&str| lower.contains(*word);
    match () {
        () if SECRETS.iter().any(has) || VENDOR_TOKEN.is_match(text) => Kind::Secret,
        () if EMAIL.is_match(text) => Kind::Email,
        () if text.starts_with("http://") || text.starts_with("https://") => Kind::Url,
        () if MOMENT.is_match(text) => Kind::Moment,
        () if lower.contains("phone") || text.starts_with('+') && PHONE.is_match(text) => {
            Kind::Phone
        }
        () if PHONE.is_match(text) && !is_id(name) && text.contains([' ', '(', '-']) => Kind::Phone,
        () if is_id(name) && WORD.is_match(text) => Kind::Id,
        // a word with digits in it is a number of something
        () if WORD.is_match(text) && text.contains(|c: char| c.is_ascii_digit()) => Kind::Id,
        () => Kind::Text,
    }
}

/// `id`, `user_id`, `userId`, `ts`, and what is a list of such.
fn is_id(name: &str) -> bool {
    let name = name.strip_suffix('s').filter(|_| name.len() > 2).unwrap_or(name);
    matches!(name, "id" | "ID" | "ts" | "uuid" | "sid" | "key" | "number")
        || name.ends_with("_id")
        || name.ends_with("Id")
        || name.ends_with("ID")
        || name.ends_with("_sid")
        || name.ends_with("_ts")
}

fn is_moment(name: &str) -> bool {
    MOMENTS.iter().any(|ending| name.ends_with(ending))
}
