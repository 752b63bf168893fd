//! `call: http`: the request is the caller's own words (facts/language.md §4.1), the answer is
//! given back as content, raw bytes or a response object.

use crate::json::{scalar_text, to_bytes};
use crate::reduce::Error as OutputError;
use crate::render::{Error, accept_header, body_form, check_header, encode_query, is_method};
use crate::transport::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use placet_model::manifest::Effect;
use placet_model::plan::Authentication;
use placet_model::request::{Body, Hole, HoleKind, HoledText, Part, PreparedRequest};
use serde_json::{Map, Value, json};

/// What a `call: http` is, by its method and the operator's list of read hosts (GATE.md §1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// The operation that renders and classifies it.
    pub operation: &'static str,
    pub effect: Effect,
}

/// GET, HEAD and OPTIONS go ungated only to hosts that the operator lists; towards any other host
/// they are gated like a write, because a URL can carry data out. DELETE is destructive.
///
/// `read_hosts` holds `host` (any port) or `host:port`; nothing is matched by suffix.
///
/// # Errors
/// An unknown method or an endpoint that is no URL.
pub fn gate(input: &Value, read_hosts: &[String]) -> Result<Gate, Error> {
    let method = method(input)?;
    Ok(match method.as_str() {
        "GET" | "HEAD" | "OPTIONS" if is_listed(&endpoint(input)?, read_hosts)? => {
            Gate { operation: "http.read", effect: Effect::Read }
        }
        "DELETE" => Gate { operation: "http.delete", effect: Effect::Destructive },
        _ => Gate { operation: "http.request", effect: Effect::Write },
    })
}

fn is_listed(endpoint: &str, read_hosts: &[String]) -> Result<bool, Error> {
    let url = crate::render::checked_url(endpoint)?;
    let host = url.host_str().unwrap_or_default();
    let with_port = url.port_or_known_default().map(|port| format!("{host}:{port}"));
    Ok(read_hosts.iter().any(|listed| {
        let listed = listed.to_ascii_lowercase();
        listed == host || Some(&listed) == with_port.as_ref()
    }))
}

fn method(input: &Value) -> Result<String, Error> {
    let method = input["method"].as_str().unwrap_or_default().to_ascii_uppercase();
    if is_method(&method) {
        Ok(method)
    } else {
        Err(Error::Body { reason: "the method is unknown" })
    }
}

fn endpoint(input: &Value) -> Result<String, Error> {
    let endpoint = input["endpoint"].as_str().or_else(|| input["endpoint"]["uri"].as_str());
    endpoint.map(str::to_owned).ok_or(Error::Url { reason: "there is none" })
}

/// A GET of this URL, for documents that somebody reads on an author's behalf.
///
/// # Errors
/// A URL or an authentication that cannot be written.
pub fn read_request(
    url: &str,
    authentication: Option<&Authentication>,
) -> Result<PreparedRequest, Error> {
    request(&json!({"method": "GET", "endpoint": url}), authentication)
}

/// The bytes of a `call: http`.
pub(crate) fn request(
    input: &Value,
    authentication: Option<&Authentication>,
) -> Result<PreparedRequest, Error> {
    let method = method(input)?;
    let url = encode_query(&endpoint(input)?, input.get("query").unwrap_or(&Value::Null))?;
    let mut headers = headers(input)?;
    let body = match input.get("body") {
        None | Some(Value::Null) => Body::Empty,
        Some(body) => body_bytes(body, &mut headers)?,
    };
    if let Some(authentication) = authentication {
        refuse_double_authorization(&headers)?;
        headers.push(("Authorization".to_owned(), authorization(authentication)?));
    }
    accept_header(&mut headers, "*/*");
    for (name, value) in &headers {
        check_header(name, value)?;
    }
    Ok(PreparedRequest { method, url: HoledText::plain(url), headers, body })
}

fn headers(input: &Value) -> Result<Vec<(String, HoledText)>, Error> {
    let mut headers: Vec<(String, HoledText)> = Vec::new();
    for (name, value) in input["headers"].as_object().into_iter().flatten() {
        if value.is_null() {
            continue;
        }
        let refuse = |reason| Error::Header { name: name.escape_default().to_string(), reason };
        let text = scalar_text(value).ok_or_else(|| refuse("the value is no text"))?;
        if headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Err(refuse("it is given twice"));
        }
        headers.push((name.clone(), HoledText::plain(text)));
    }
    Ok(headers)
}

fn body_bytes(body: &Value, headers: &mut Vec<(String, HoledText)>) -> Result<Body, Error> {
    let media = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        .and_then(|(_, value)| value.as_plain())
        .map(|value| media_type(&value));
    let is_json = media.as_deref().is_none_or(is_json_media);
    let bytes = match (body, media.as_deref()) {
        (Value::String(text), Some(_)) if !is_json => text.clone().into_bytes(),
        (Value::Object(_) | Value::Array(_), Some("application/x-www-form-urlencoded")) => {
            body_form(body)?.into_bytes()
        }
        _ if is_json => to_bytes(body),
        _ => return Err(Error::Body { reason: "its content type takes text" }),
    };
    if media.is_none() {
        headers.push(("Content-Type".to_owned(), HoledText::plain("application/json")));
    }
    Ok(Body::Bytes(bytes))
}

fn authorization(authentication: &Authentication) -> Result<HoledText, Error> {
    let (scheme, hole) = match authentication {
        Authentication::Bearer { token } => {
            ("Bearer ", Hole { hole: HoleKind::Secret, name: token.clone() })
        }
        Authentication::Basic { username, password } => {
            ("Basic ", Hole { hole: HoleKind::Basic, name: format!("{username}:{password}") })
        }
        Authentication::OAuth2(_) | Authentication::Oidc(_) | Authentication::Stored { .. } => {
            return Err(Error::Header {
                name: "Authorization".to_owned(),
                reason: "this kind of authentication is not built yet",
            });
        }
    };
    Ok(HoledText(vec![Part::Text(scheme.to_owned()), Part::Hole(hole)]))
}

fn refuse_double_authorization(headers: &[(String, HoledText)]) -> Result<(), Error> {
    if headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
        return Err(Error::Header {
            name: "Authorization".to_owned(),
            reason: "the endpoint's authentication writes it",
        });
    }
    Ok(())
}

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
            "uri": endpoint(input).unwrap_or_default(),
            "headers": redacted(&input["headers"]),
        },
        "statusCode": response.status,
        "headers": headers,
        "content": content(response),
    })
}

fn redacted(headers: &Value) -> Value {
    let hide = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["authorization", "cookie", "token", "secret", "api-key", "apikey"]
            .iter()
            .any(|word| name.contains(word))
    };
    let shown = headers.as_object().into_iter().flatten().map(|(name, value)| {
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

fn media_type(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json_media(media: &str) -> bool {
    media == "application/json" || media.ends_with("+json")
}
