//! `call: http`: the request is the caller's own words (facts/language.md §4.1), the answer is
//! given back as content, raw bytes or a response object.

mod answer;
mod authorization;
mod body;
mod holes;
mod request;

pub(crate) use answer::output;
pub use authorization::scheme;
pub(crate) use request::{joined, request};

use crate::render::{Error, is_method};
use placet_model::manifest::Effect;
use placet_model::plan::Authentication;
use placet_model::request::PreparedRequest;
use serde_json::{Value, json};

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
    Ok(crate::oauth::is_listed(&crate::render::checked_url(endpoint)?, read_hosts))
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

pub(crate) fn media_type(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

pub(crate) fn is_json_media(media: &str) -> bool {
    media == "application/json" || media.ends_with("+json")
}
