//! What the task gets of an answer.

use super::holes::below;
use super::{endpoint, is_json_media, media_type, method, request};
use crate::reduce::Error as OutputError;
use crate::transport::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

/// The task's output; a status outside 200–299 (399 with `redirect: true`) is a fault.
pub(crate) fn output(input: &Value, response: &Response) -> Result<Value, OutputError> {
    let last_good = if input["redirect"] == true { 399 } else { 299 };
    if !(200..=last_good).contains(&response.status) {
        return Err(OutputError::Status { status: response.status });
    }
    Ok(match input["output"].as_str().unwrap_or("content") {
        "raw" => Value::String(BASE64.encode(&response.body)),
        "response" => response_object(input, response),
        _ => content(response),
    })
}

fn response_object(input: &Value, response: &Response) -> Value {
    let mut headers = Map::new();
    for (name, value) in &response.headers {
        let joined = match headers.get(name).and_then(Value::as_str) {
            Some(before) => format!("{before}, {value}"),
            None => value.clone(),
        };
        headers.insert(name.to_ascii_lowercase(), Value::String(joined));
    }
    json!({
        "request": {
            "method": method(input).unwrap_or_default(),
            "uri": uri(input),
            "headers": redacted(input),
        },
        "statusCode": response.status,
        "headers": headers,
        "content": content(response),
    })
}

/// The URL that was called, with its query; what was filled in is named, not shown.
fn uri(input: &Value) -> String {
    let plain = || endpoint(input).unwrap_or_default();
    request(input, None).map_or_else(|_no_url| plain(), |request| request.url.to_string())
}

fn redacted(input: &Value) -> Value {
    let hide = |name: &str| {
        let is_hole = input["holes"].get(below("/headers", name)).is_some();
        let name = name.to_ascii_lowercase();
        let words = ["authorization", "cookie", "token", "secret", "api-key", "apikey"];
        is_hole || words.iter().any(|word| name.contains(word))
    };
    let shown = input["headers"].as_object().into_iter().flatten().map(|(name, value)| {
        let value =
            if hide(name) { Value::String("‹redacted›".to_owned()) } else { value.clone() };
        (name.to_ascii_lowercase(), value)
    });
    Value::Object(shown.collect())
}

/// JSON → value; text, XML and forms → text; anything else → base64; nothing → null.
fn content(response: &Response) -> Value {
    if response.body.is_empty() {
        return Value::Null;
    }
    let media = response.header("content-type").map(media_type).unwrap_or_default();
    if is_json_media(&media)
        && let Some(value) = response.json()
    {
        return value;
    }
    let is_text = is_json_media(&media)
        || media.starts_with("text/")
        || media == "application/xml"
        || media.ends_with("+xml")
        || media == "application/x-www-form-urlencoded";
    match std::str::from_utf8(&response.body) {
        Ok(text) if is_text => Value::String(text.to_owned()),
        _ => Value::String(BASE64.encode(&response.body)),
    }
}
