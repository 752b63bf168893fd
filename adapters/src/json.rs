//! JSON as it leaves: keys in authored order, numbers in their RFC 8785 spelling, written once.

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use std::io;

/// The bytes of a JSON body.
pub(crate) fn to_bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    value
        .serialize(&mut Serializer::with_formatter(&mut bytes, OneSpelling(CompactFormatter)))
        .expect("a JSON value always serializes into memory");
    bytes
}

/// A scalar as the text of a query, a header or a form field; `None` for lists and objects.
pub(crate) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => {
            Some(String::from_utf8(to_bytes(value)).expect("JSON is UTF-8"))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `1.0` and `1` are one number and get one spelling (ECMAScript's); the rest is compact JSON.
struct OneSpelling(CompactFormatter);

impl Formatter for OneSpelling {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let text = serde_json_canonicalizer::to_string(&value).map_err(io::Error::other)?;
        writer.write_all(text.as_bytes())
    }

    fn write_number_str<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        value: &str,
    ) -> io::Result<()> {
        self.0.write_number_str(writer, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order_and_numbers_have_one_spelling() {
        let value: Value = serde_json::from_str(
            r#"{"b": 1.0, "a": [1e2, 0.10, -0.0, 9007199254740993], "t": "é\n"}"#,
        )
        .unwrap();
        let text = String::from_utf8(to_bytes(&value)).unwrap();
        assert_eq!(text, "{\"b\":1,\"a\":[100,0.1,0,9007199254740993],\"t\":\"é\\n\"}");
    }

    #[test]
    fn only_scalars_are_text() {
        assert_eq!(scalar_text(&Value::Bool(true)).as_deref(), Some("true"));
        assert_eq!(scalar_text(&serde_json::json!(2.50)).as_deref(), Some("2.5"));
        assert_eq!(scalar_text(&serde_json::json!([1])), None);
        assert_eq!(scalar_text(&Value::Null), None);
    }
}
