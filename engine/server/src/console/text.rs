//! Text from outside, as a page may show it. Templates escape it; these types make sure that what an
//! eye would miss has been written out before, as on every other card.

use crate::problem::Problem;
use placet_executor::inbox::{one_line, visible};
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::Value;
use std::fmt;

/// Text of one line, hidden characters written out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line(String);

/// Text of any number of lines, hidden characters written out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Block(String);

impl Line {
    pub(crate) fn new(text: &str) -> Self {
        Self(one_line(text))
    }
}

impl Block {
    pub(crate) fn new(text: &str) -> Self {
        Self(visible(text))
    }

    /// A value of JSON: a text as it reads, everything else indented.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::new(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::new(&value.to_string()),
            Value::Array(_) | Value::Object(_) => Self::new(&format!("{value:#}")),
        }
    }

    /// As [`Block::of`], with so many letters at most; what is left out is counted.
    pub(crate) fn short(value: &Value, letters: usize) -> Self {
        let Self(text) = Self::of(value);
        let Some((end, _)) = text.char_indices().nth(letters) else { return Self(text) };
        let (shown, left) = text.split_at(end);
        Self(format!("{shown}\n… and {} letters more", left.chars().count()))
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self::of(&value))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::new(&text))
    }
}

/// An answer of the API, or a part of one, as a page wants it.
pub(crate) fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Problem> {
    serde_json::from_value(answer).map_err(|error| Problem::internal(&error))
}
