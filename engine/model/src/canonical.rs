//! The canonical JSON form (RFC 8785) that every digest of a JSON document rests on.

use crate::Digest;
use serde_json::Value;

/// The largest integer whose double is exact (`2^53 − 1`); beyond it two different numbers would
/// have one canonical form.
pub const MAX_EXACT_INTEGER: u64 = (1 << 53) - 1;

/// A document that has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An integer that a double cannot hold exactly.
    #[error("the number {number} at {pointer:?} is beyond ±(2^53 − 1): write it as a string")]
    InexactInteger {
        /// JSON Pointer of the number.
        pointer: String,
        /// The number as written.
        number: String,
    },
    /// The serializer refused the value.
    #[error("the document has no canonical JSON form: {reason}")]
    NotJson {
        /// What the serializer said.
        reason: String,
    },
}

/// The RFC 8785 bytes of a document: keys sorted by UTF-16 units, ECMAScript numbers, no white
/// space.
///
/// # Errors
/// [`Error::InexactInteger`] where an integer is beyond ±(2^53 − 1).
pub fn to_bytes(document: &Value) -> Result<Vec<u8>, Error> {
    check_integers(document, &mut String::new())?;
    serde_json_canonicalizer::to_vec(document)
        .map_err(|error| Error::NotJson { reason: error.to_string() })
}

/// SHA-256 of the canonical bytes of a document.
///
/// # Errors
/// As [`to_bytes`].
pub fn digest(document: &Value) -> Result<Digest, Error> {
    to_bytes(document).map(|bytes| Digest::of(&bytes))
}

fn check_integers(value: &Value, pointer: &mut String) -> Result<(), Error> {
    let mark = pointer.len();
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
        Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            match size {
                Some(size) if size > MAX_EXACT_INTEGER => Err(Error::InexactInteger {
                    pointer: pointer.clone(),
                    number: number.to_string(),
                }),
                Some(_) | None => Ok(()),
            }
        }
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            pointer.push('/');
            pointer.push_str(&index.to_string());
            let result = check_integers(item, pointer);
            pointer.truncate(mark);
            result
        }),
        Value::Object(members) => members.iter().try_for_each(|(key, member)| {
            pointer.push('/');
            pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            let result = check_integers(member, pointer);
            pointer.truncate(mark);
            result
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_and_numbers_have_one_spelling() {
        let text = r#"{"b": 1.0, "a": [1e2, "é\u0001"], "€": null}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        let bytes = to_bytes(&value).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "{\"a\":[100,\"é\\u0001\"],\"b\":1,\"€\":null}"
        );
    }

    #[test]
    fn an_integer_that_a_double_cannot_hold_is_refused_with_its_place() {
        let error = to_bytes(&json!({"a": {"x/y": [0, 9_007_199_254_740_993_u64]}})).unwrap_err();
        assert_eq!(
            error,
            Error::InexactInteger {
                pointer: "/a/x~1y/1".into(),
                number: "9007199254740993".into()
            }
        );
        assert!(to_bytes(&json!(9_007_199_254_740_991_u64)).is_ok());
        assert!(to_bytes(&json!(-9_007_199_254_740_992_i64)).is_err());
    }
}
