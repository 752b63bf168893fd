//! Limits that we enforce before approval, because providers cut or split silently.

use crate::pointer::Pointer;
use serde_json::Value;

/// One limit: at `path` of the input, at most `max` of `unit`. The empty path limits the whole
/// rendered body, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLimit {
    pub(crate) path: Pointer,
    pub(crate) unit: Unit,
    pub(crate) max: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Unicode scalar values.
    Chars,
    /// UTF-16 code units, as JavaScript counts.
    Utf16,
    Bytes,
}

/// A text that is too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} is {size} {unit} long, the most is {max}")]
pub struct Error {
    place: String,
    size: usize,
    unit: &'static str,
    max: usize,
}

impl TextLimit {
    pub(crate) fn check(&self, input: &Value, body: &[u8]) -> Result<(), Error> {
        if self.path.segments().is_empty() {
            return self.refuse_over(body.len(), "the body");
        }
        match self.path.get(input) {
            Some(Value::String(text)) => {
                self.refuse_over(self.unit.count(text), self.path.as_str())
            }
            _ => Ok(()),
        }
    }

    fn refuse_over(&self, size: usize, place: &str) -> Result<(), Error> {
        if size <= self.max {
            return Ok(());
        }
        Err(Error { place: place.to_owned(), size, unit: self.unit.word(), max: self.max })
    }
}

impl Unit {
    fn count(self, text: &str) -> usize {
        match self {
            Self::Chars => text.chars().count(),
            Self::Utf16 => text.encode_utf16().count(),
            Self::Bytes => text.len(),
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Chars => "characters",
            Self::Utf16 => "UTF-16 units",
            Self::Bytes => "bytes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn over(unit: Unit, max: usize, text: &str) -> bool {
        let limit = TextLimit { path: Pointer::parse("/text").unwrap(), unit, max };
        limit.check(&json!({ "text": text }), b"").is_err()
    }

    #[test]
    fn each_unit_counts_as_the_provider_does() {
        let text = "a😀";
        assert!(!over(Unit::Chars, 2, text) && over(Unit::Chars, 1, text));
        assert!(!over(Unit::Utf16, 3, text) && over(Unit::Utf16, 2, text));
        assert!(!over(Unit::Bytes, 5, text) && over(Unit::Bytes, 4, text));
    }

    #[test]
    fn the_empty_path_limits_the_whole_body_and_an_absent_text_is_fine() {
        let limit = TextLimit { path: Pointer::parse("").unwrap(), unit: Unit::Bytes, max: 2 };
        assert!(limit.check(&json!({}), b"123").is_err());
        assert!(!over(Unit::Chars, 0, ""));
        let limit = TextLimit { path: Pointer::parse("/text").unwrap(), unit: Unit::Chars, max: 0 };
        assert!(limit.check(&json!({}), b"").is_ok());
    }
}
