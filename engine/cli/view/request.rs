//! A prepared request: every header and the whole body, hidden characters visible.

use crate::out::visible;
use serde_json::Value;

/// `{method, url, headers, body | body_base64}` as indented lines.
pub(crate) fn lines(request: &Value, indent: &str) -> Vec<String> {
    let text = |key: &str| visible(request[key].as_str().unwrap_or_default()).replace('\n', "⏎");
    let mut lines = vec![format!("{indent}{} {}", text("method"), text("url"))];
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        let value = visible(value.as_str().unwrap_or_default());
        lines.push(format!("{indent}{}: {value}", visible(name)));
    }
    let body = body(request);
    if !body.is_empty() {
        lines.push(String::new());
        lines.extend(body.lines().map(|line| format!("{indent}{line}").trim_end().to_owned()));
    }
    lines
}

fn body(request: &Value) -> String {
    match (&request["body"], &request["body_base64"]) {
        (Value::Null, Value::Null) => String::new(),
        (Value::Null, bytes) => {
            format!("(not text; base64) {}", bytes.as_str().unwrap_or_default())
        }
        // marked, so that content cannot look like a line of what stands around it
        (Value::String(text), _) => {
            let lines = text.split('\n').map(|line| format!("| {}", visible(line)));
            lines.collect::<Vec<_>>().join("\n")
        }
        (value, _) => pretty(value),
    }
}

/// A value as indented JSON, hidden characters visible.
pub(crate) fn pretty(value: &Value) -> String {
    visible(&serde_json::to_string_pretty(value).unwrap_or_else(|_never| value.to_string()))
}
