//! A body of parts (RFC 7578), for operations that take nothing else. Texts only: what a workflow
//! holds is JSON, which has no bytes.

use crate::json::{scalar_text, to_bytes};
use placet_model::Digest;
use serde_json::Value;
use std::fmt::Write as _;

/// The content type and the body. The boundary follows from the content, so that equal values give
/// equal bytes.
pub(super) fn body(fields: &[(String, Value)]) -> (String, String) {
    let mut parts = Vec::new();
    for (name, value) in fields {
        match value {
            Value::Null => {}
            Value::Array(items) => parts.extend(items.iter().map(|item| part(name, item))),
            value => parts.push(part(name, value)),
        }
    }
    let mut boundary = boundary(&parts);
    while parts.iter().any(|part| part.contains(&boundary)) {
        boundary = format!("{boundary}x");
    }
    let mut text = String::new();
    for part in &parts {
        write!(text, "--{boundary}\r\n{part}\r\n").expect("writing to a string cannot fail");
    }
    write!(text, "--{boundary}--\r\n").expect("writing to a string cannot fail");
    (format!("multipart/form-data; boundary={boundary}"), text)
}

fn boundary(parts: &[String]) -> String {
    let digest = Digest::of(parts.join("\0").as_bytes()).to_string();
    let hex: String = digest.chars().rev().take(32).collect();
    format!("placet-{hex}")
}

/// A scalar is text, anything else is JSON.
fn part(name: &str, value: &Value) -> String {
    let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    let head = format!("Content-Disposition: form-data; name=\"{name}\"\r\n");
    scalar_text(value).map_or_else(
        || {
            let json = String::from_utf8(to_bytes(value)).expect("JSON is UTF-8");
            format!("{head}Content-Type: application/json\r\n\r\n{json}")
        },
        |text| format!("{head}\r\n{text}"),
    )
}
