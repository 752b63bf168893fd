//! Schema → value. A walk proposes, the validator disposes: never an unvalidated value leaves.
//!
//! The walk knows every keyword a little and none perfectly; 64 attempts with other choices make
//! up for it. Bounds (R9) count nodes, not milliseconds: a clock would make answers unrepeatable.

mod array;
mod number;
mod object;
mod pattern;
mod resolve;
mod string;
mod union;
mod words;

pub(crate) use words::uuid;

use crate::seed::Choices;
use placet_model::{Digest, Timestamp};
use placet_schemas::Schema;
use serde_json::Value;

/// Attempts before a schema is given up.
const ATTEMPTS_MAX: u64 = 64;
/// Deepest nesting of a value.
const DEPTH_MAX: usize = 60;
/// Nodes of one attempt.
const NODES_MAX: usize = 20_000;
/// Optional properties are filled in down to this depth (R8).
const OPTIONAL_DEPTH: usize = 3;

/// A schema for which no valid value was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("no value satisfies the schema at {pointer:?}: {reason}")]
    Unsatisfiable { pointer: String, reason: &'static str },
    #[error("no valid value was found in {ATTEMPTS_MAX} attempts; the last one broke {broken}")]
    NotFound { broken: String },
}

/// A value that satisfies `schema`, the same one for the same seed and moment.
///
/// # Errors
/// [`Error`]: the schema is unsatisfiable, too deep or too large, or no attempt was valid.
pub fn generate(schema: &Schema, seed: &Digest, now: Timestamp) -> Result<Value, Error> {
    let mut last = Error::NotFound { broken: "nothing".to_owned() };
    for attempt in 0..ATTEMPTS_MAX {
        let mut walk = Walk::new(schema.document(), Choices::new(seed, attempt), attempt, now);
        match walk.value(schema.document(), "") {
            Ok(value) if schema.is_valid(&value) => return Ok(value),
            Ok(value) => {
                let broken = schema.validate(&value).err().map(|broken| broken.to_string());
                last = Error::NotFound { broken: broken.unwrap_or_default() };
            }
            Err(stuck) => last = stuck,
        }
    }
    Err(last)
}

/// One attempt.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    root: &'a Value,
    choices: Choices,
    attempt: u64,
    now: Timestamp,
    path: Vec<String>,
    nodes: usize,
}

impl<'a> Walk<'a> {
    fn new(root: &'a Value, choices: Choices, attempt: u64, now: Timestamp) -> Self {
        Self { root, choices, attempt, now, path: Vec::new(), nodes: 0 }
    }

    /// A value for `schema`; `hint` is the name of the property that it is for.
    fn value(&mut self, schema: &Value, hint: &str) -> Result<Value, Error> {
        self.nodes += 1;
        if self.path.len() > DEPTH_MAX || self.nodes > NODES_MAX {
            return Err(self.stuck("it is too deep or too large"));
        }
        let schema = self.resolved(schema)?;
        if let Some(constant) = schema.get("const") {
            return Ok(constant.clone());
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return self.enumerated(values);
        }
        match kind_of(&schema, self.attempt) {
            Kind::Null => Ok(Value::Null),
            Kind::Boolean => Ok(Value::Bool(self.boolean(hint))),
            Kind::Number { whole } => self.number(&schema, hint, whole),
            Kind::String => self.string(&schema, hint).map(Value::String),
            Kind::Array => self.array(&schema, hint),
            Kind::Object => self.object(&schema),
        }
    }

    /// A value one level down, under this name or index.
    fn child(&mut self, schema: &Value, step: String, hint: &str) -> Result<Value, Error> {
        self.path.push(step);
        let value = self.value(schema, hint);
        self.path.pop();
        value
    }

    /// The first value that is not null; later attempts, and later items of a list, take others.
    fn enumerated(&self, values: &[Value]) -> Result<Value, Error> {
        let real: Vec<&Value> = values.iter().filter(|value| !value.is_null()).collect();
        let index = self.path.last().and_then(|step| step.parse::<usize>().ok()).unwrap_or(0);
        let turn = usize::try_from(self.attempt).unwrap_or(0) + index;
        match (real.as_slice(), values) {
            ([], [null, ..]) => Ok(null.clone()),
            ([], []) => Err(self.stuck("the enum is empty")),
            (real, _) => Ok(real[turn % real.len()].clone()),
        }
    }

    fn boolean(&mut self, hint: &str) -> bool {
        // a page is the last one, nothing is gone: the plain case, unless validation says otherwise
        let no = ["has_more", "is_archived", "deleted", "archived", "is_deleted", "livemode"];
        if no.contains(&hint) { self.attempt % 4 == 3 } else { self.choices.below(2) == 1 }
    }

    fn depth(&self) -> usize {
        self.path.len()
    }

    fn stuck(&self, reason: &'static str) -> Error {
        let pointer = self.path.iter().fold(String::new(), |text, step| text + "/" + step);
        Error::Unsatisfiable { pointer, reason }
    }
}

/// A limit of a schema; `2.0` is the same as `2`.
fn count_of(schema: &Value, keyword: &str) -> Option<usize> {
    let limit = &schema[keyword];
    let whole = limit.as_f64().filter(|limit| limit.fract() == 0.0 && (0.0..9e15).contains(limit));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 2^53")]
    let count = limit.as_u64().or_else(|| whole.map(|whole| whole as u64));
    count.and_then(|count| usize::try_from(count).ok())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Boolean,
    Number { whole: bool },
    String,
    Array,
    Object,
}

/// What to make: the declared type, null last; else what the other keywords speak of.
fn kind_of(schema: &Value, attempt: u64) -> Kind {
    let by_word = |word: &str| match word {
        "null" => Kind::Null,
        "boolean" => Kind::Boolean,
        "integer" => Kind::Number { whole: true },
        "number" => Kind::Number { whole: false },
        "array" => Kind::Array,
        "object" => Kind::Object,
        _ => Kind::String,
    };
    match &schema["type"] {
        Value::String(word) => by_word(word),
        Value::Array(words) => {
            let mut words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            words.sort_by_key(|word| *word == "null");
            let turn = usize::try_from(attempt / 8).unwrap_or(0);
            words.get(turn % words.len().max(1)).map_or(Kind::Null, |word| by_word(word))
        }
        _ => inferred(schema),
    }
}

fn inferred(schema: &Value) -> Kind {
    let speaks_of =
        |keywords: &[&str]| keywords.iter().any(|keyword| schema.get(keyword).is_some());
    if speaks_of(&[
        "properties",
        "required",
        "additionalProperties",
        "minProperties",
        "patternProperties",
        "propertyNames",
    ]) {
        Kind::Object
    } else if speaks_of(&[
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "contains",
        "uniqueItems",
    ]) {
        Kind::Array
    } else if speaks_of(&[
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
    ]) {
        Kind::Number { whole: false }
    } else {
        Kind::String
    }
}
