//! `$ref`: followed within the document and nowhere else, at most so often.

use super::Error;
use serde_json::Value;

/// References in a row; a longer chain goes in a circle or might as well.
const HOPS_MAX: usize = 32;

/// What a value means: itself, or what its `$ref` points to in the end.
///
/// # Errors
/// A reference out of the document, to nothing, or in a circle.
pub(super) fn follow<'d>(document: &'d Value, value: &'d Value) -> Result<&'d Value, Error> {
    let mut found = value;
    for _ in 0..HOPS_MAX {
        let Some(reference) = found["$ref"].as_str() else { return Ok(found) };
        let refuse = |reason| Error::Reference { reference: reference.to_owned(), reason };
        let fragment =
            reference.strip_prefix('#').ok_or_else(|| refuse("it leads out of the document"))?;
        let pointer = decoded(fragment).ok_or_else(|| refuse("it is no JSON Pointer"))?;
        found = document.pointer(&pointer).ok_or_else(|| refuse("there is nothing"))?;
    }
    let reference = found["$ref"].as_str().unwrap_or_default().to_owned();
    Err(Error::Reference { reference, reason: "it goes in a circle" })
}

/// A fragment is percent-encoded (RFC 6901 §6).
fn decoded(fragment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(after.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reference_is_followed_within_the_document_only() {
        let document = json!({
            "a": {"b/c": {"d e": 1}}, "twice": {"$ref": "#/once"}, "once": {"$ref": "#/a/b~1c/d%20e"},
            "circle": {"$ref": "#/round"}, "round": {"$ref": "#/circle"}, "self": {"$ref": "#/self"},
        });
        let follow = |value: Value| follow(&document, &value).cloned();
        assert_eq!(follow(json!({"$ref": "#/twice"})), Ok(json!(1)));
        assert_eq!(follow(json!({"x": 1})), Ok(json!({"x": 1})));
        for bad in
            ["#/circle", "#/self", "#/nothing", "other.json#/a", "https://x.example/#/a", "#/%zz"]
        {
            assert!(follow(json!({ "$ref": bad })).is_err(), "{bad}");
        }
    }
}
