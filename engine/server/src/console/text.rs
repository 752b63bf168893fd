//! Text from outside, as a page may show it. Templates escape it; this type makes sure that what an
//! eye would miss has been written out before, as on every other card.

use crate::problem::Problem;
use placet_executor::inbox::one_line;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::Value;
use std::fmt;

/// Text of one line, hidden characters written out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line(String);

impl Line {
    pub(crate) fn new(text: &str) -> Self {
        Self(one_line(text))
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
