//! `multipart/form-data` (RFC 7578) of a manifest: fields, repeated fields, and files.
//!
//! The boundary is the send id's, so equal drafts give equal bytes and two drafts never share one.

use super::Error;
use crate::json::scalar_text;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// The bytes, and their media type with the boundary.
pub(super) fn body(value: &Value, send_id: &str) -> Result<(Vec<u8>, String), Error> {
    let fields = value.as_object().ok_or(Error::Body { reason: "multipart is an object" })?;
    let mut parts = Vec::new();
    for (name, field) in fields {
        match field {
            Value::Array(items) => {
                for item in items {
                    parts.push(part(name, item)?);
                }
            }
            Value::Null => {}
            single => parts.push(part(name, single)?),
        }
    }
    let boundary = format!("placet-{send_id}");
    if parts.iter().any(|part| contains(part, boundary.as_bytes())) {
        return Err(Error::Body { reason: "a part holds the boundary" });
    }
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        out.extend_from_slice(&part);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((out, format!("multipart/form-data; boundary={boundary}")))
}

fn part(name: &str, value: &Value) -> Result<Vec<u8>, Error> {
    let head = format!("Content-Disposition: form-data; name=\"{}\"", quoted(name));
    if let Some(text) = scalar_text(value) {
        return Ok(format!("{head}\r\n\r\n{text}").into_bytes());
    }
    let file = value.as_object().ok_or(Error::Body { reason: "a field is a text or a file" })?;
    let filename = quoted(text_of(file, "filename")?);
    let media = file.get("content_type").and_then(Value::as_str);
    let media = media.unwrap_or("application/octet-stream");
    if media.chars().any(char::is_control) {
        return Err(Error::Body { reason: "a content type holds a control character" });
    }
    let content = decoded(text_of(file, "content")?)
        .ok_or(Error::Body { reason: "the content of a file is no base64" })?;
    let mut out =
        format!("{head}; filename=\"{filename}\"\r\nContent-Type: {media}\r\n\r\n").into_bytes();
    out.extend_from_slice(&content);
    Ok(out)
}

fn text_of<'a>(file: &'a Map<String, Value>, name: &str) -> Result<&'a str, Error> {
    file.get(name)
        .and_then(Value::as_str)
        .ok_or(Error::Body { reason: "a file needs filename and content" })
}

/// Base64 in the usual alphabet, or in the one for URLs without padding.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).or_else(|_ignored| URL_SAFE_NO_PAD.decode(text)).ok()
}

/// A name between quotes, as browsers write it (WHATWG HTML, multipart/form-data).
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

pub(super) fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ID: &str = "abcdefghijklmnopqrstuvwxyz234567abcdefgh";

    fn text(value: &Value) -> String {
        String::from_utf8(body(value, ID).unwrap().0).unwrap()
    }

    #[test]
    fn a_list_repeats_its_name_and_null_is_left_out() {
        let text = text(&json!({"to": ["a@example.com", "b@example.com"], "cc": null, "n": 1}));
        assert_eq!(text.matches("name=\"to\"").count(), 2);
        assert!(!text.contains("\"cc\"") && text.contains("name=\"n\"\r\n\r\n1\r\n"));
        assert!(text.ends_with(&format!("--placet-{ID}--\r\n")));
    }

    #[test]
    fn a_file_is_decoded_and_has_a_name_and_a_type() {
        let file = json!({"filename": "a\"b.txt", "content_type": "text/plain", "content": "aGk="});
        let text = text(&json!({ "attachment": [file] }));
        assert!(text.contains("filename=\"a%22b.txt\"\r\nContent-Type: text/plain\r\n\r\nhi\r\n"));
        let plain = json!({"attachment": {"filename": "x", "content": "***"}});
        assert!(body(&plain, ID).is_err());
    }

    #[test]
    fn a_name_cannot_start_a_header_and_a_text_cannot_end_the_body() {
        let text = text(&json!({"a\"\r\nX-Evil: 1": "v"}));
        assert!(!text.contains("\r\nX-Evil") && text.contains("a%22%0D%0AX-Evil"));
        let closes = json!({ "text": format!("--placet-{ID}--") });
        assert!(matches!(body(&closes, ID), Err(Error::Body { .. })));
    }
}
