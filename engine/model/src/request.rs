//! The prepared request: the exact bytes that an approver sees and that leave.
//!
//! Credentials, timestamps and signatures stand in it as typed, named holes; everything else is
//! final. Its canonical JSON is what is stored, digested and later sent, so nothing is ever
//! rendered twice.

use crate::Digest;
use crate::canonical;
use crate::wire::wire_enum;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

wire_enum! {
    /// What a hole is filled with at send time.
    HoleKind {
        /// A field of the integration's credential.
        Credential = 1 "credential",
        /// A secret of `use.secrets`, bound to hosts by the operator.
        Secret = 2 "secret",
        /// `base64(user:password)` of two secrets, named `user:password`, or of the one secret that
        /// holds both.
        Basic = 3 "basic",
        /// Seconds since 1970 at this try.
        Timestamp = 4 "timestamp",
        /// A signature over the final bytes; the name is `<scheme>:<credential field>`.
        Signature = 5 "signature",
        /// A token of an authorization server; the name is the whole description of how it is
        /// obtained, as canonical JSON of an [`Authentication`](crate::plan::Authentication).
        Token = 6 "token",
    }
}

/// A named place that is filled at send time and in no other way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hole {
    /// What it is filled with.
    pub hole: HoleKind,
    /// Which one.
    pub name: String,
}

impl fmt::Display for Hole {
    /// `‹credential:access_token›`, as cards and traces show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "‹{}:{}›", self.hole, self.name)
    }
}

/// A piece of text or a hole in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Part {
    /// Final text.
    Text(String),
    /// Filled at send time.
    Hole(Hole),
}

/// Text with holes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HoledText(pub Vec<Part>);

impl HoledText {
    /// Text without a hole.
    pub fn plain(text: impl Into<String>) -> Self {
        Self(vec![Part::Text(text.into())])
    }

    /// The holes, in order.
    pub fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Hole(hole) => Some(hole),
        })
    }

    /// The text when there is no hole in it.
    pub fn as_plain(&self) -> Option<String> {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Hole(_) => None,
            })
            .collect()
    }
}

impl fmt::Display for HoledText {
    /// Holes are shown as `‹kind:name›`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Hole(hole) => hole.fmt(f),
        })
    }
}

/// The final request, holes unfilled.
#[derive(Clone, PartialEq, Eq)]
pub struct PreparedRequest {
    /// Upper-case HTTP method.
    pub method: String,
    /// Absolute URL.
    pub url: HoledText,
    /// Headers in the order in which they are written; names as given.
    pub headers: Vec<(String, HoledText)>,
    /// Body.
    pub body: Body,
}

/// The body of a prepared request.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// No body.
    Empty,
    /// Final bytes.
    Bytes(Vec<u8>),
    /// UTF-8 text with holes (a secret in a `call: http` body).
    Text(HoledText),
}

/// Stored bytes that are no prepared request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored bytes are no prepared request: {reason}")]
pub struct ParseRequestError {
    /// What is wrong with them.
    pub reason: String,
}

impl PreparedRequest {
    /// The canonical bytes that are stored and digested.
    ///
    /// # Panics
    /// Never: a request holds strings and lists only.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::to_bytes(&self.to_stored()).expect("a request holds strings only, no numbers")
    }

    /// SHA-256 of [`Self::to_bytes`]: the `request_digest` of a draft.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// Where the bytes are not canonical, of another version, or hold unknown members.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ParseRequestError> {
        let error = |reason: String| ParseRequestError { reason };
        let stored: Stored = serde_json::from_slice(bytes).map_err(|e| error(e.to_string()))?;
        let body = match stored.body {
            StoredBody::Empty => Body::Empty,
            StoredBody::Bytes { base64 } => {
                Body::Bytes(BASE64.decode(base64).map_err(|e| error(e.to_string()))?)
            }
            StoredBody::Text { text } => Body::Text(text),
        };
        let request =
            Self { method: stored.method, url: stored.url, headers: stored.headers, body };
        if stored.v != "1" || request.to_bytes() != bytes {
            return Err(error("not the canonical form of version 1".to_owned()));
        }
        Ok(request)
    }

    /// Every hole, in the order URL, headers, body.
    pub fn holes(&self) -> Vec<&Hole> {
        let body = match &self.body {
            Body::Empty | Body::Bytes(_) => None,
            Body::Text(text) => Some(text),
        };
        std::iter::once(&self.url)
            .chain(self.headers.iter().map(|(_, value)| value))
            .chain(body)
            .flat_map(HoledText::holes)
            .collect()
    }

    /// The value of this header, names compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&HoledText> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The request as people and programs read it: `{method, url, headers, body}` with JSON and
    /// text bodies decoded, `body_base64` otherwise; holes as `‹kind:name›`.
    pub fn to_view(&self) -> Value {
        let headers: serde_json::Map<String, Value> = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), Value::String(value.to_string())))
            .collect();
        let mut view =
            json!({"method": self.method, "url": self.url.to_string(), "headers": headers});
        let (key, body) = self.body_view();
        view[key] = body;
        view
    }

    fn body_view(&self) -> (&'static str, Value) {
        let text;
        let bytes = match &self.body {
            Body::Empty => return ("body", Value::Null),
            Body::Bytes(bytes) => bytes.as_slice(),
            Body::Text(holed) => {
                text = holed.to_string();
                text.as_bytes()
            }
        };
        let media = self.header("content-type").map(ToString::to_string).unwrap_or_default();
        let json = media.contains("/json") || media.contains("+json");
        if json && let Ok(value) = serde_json::from_slice(bytes) {
            return ("body", value);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => ("body", Value::String(text.to_owned())),
            Err(_) => ("body_base64", Value::String(BASE64.encode(bytes))),
        }
    }

    fn to_stored(&self) -> Value {
        let body = match &self.body {
            Body::Empty => StoredBody::Empty,
            Body::Bytes(bytes) => StoredBody::Bytes { base64: BASE64.encode(bytes) },
            Body::Text(text) => StoredBody::Text { text: text.clone() },
        };
        let stored = Stored {
            v: "1".to_owned(),
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body,
        };
        serde_json::to_value(stored).expect("strings and lists are always JSON")
    }
}

impl fmt::Debug for PreparedRequest {
    /// Method and digest only: a request is content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreparedRequest({} {:?})", self.method, self.digest())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({}, {:?})", bytes.len(), Digest::of(bytes)),
            Self::Text(_) => f.write_str("Text(…)"),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    v: String,
    method: String,
    url: HoledText,
    headers: Vec<(String, HoledText)>,
    body: StoredBody,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum StoredBody {
    Empty,
    Bytes { base64: String },
    Text { text: HoledText },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &[u8]) -> PreparedRequest {
        PreparedRequest {
            method: "POST".into(),
            url: HoledText::plain("https://slack.com/api/chat.postMessage"),
            headers: vec![
                ("Content-Type".into(), HoledText::plain("application/json; charset=utf-8")),
                (
                    "Authorization".into(),
                    HoledText(vec![
                        Part::Text("Bearer ".into()),
                        Part::Hole(Hole {
                            hole: HoleKind::Credential,
                            name: "access_token".into(),
                        }),
                    ]),
                ),
            ],
            body: Body::Bytes(body.to_vec()),
        }
    }

    #[test]
    fn a_stored_request_reads_back_and_keeps_its_digest() {
        let original = request(br#"{"text":"hi"}"#);
        let read = PreparedRequest::from_bytes(&original.to_bytes()).unwrap();
        assert_eq!(read, original);
        assert_eq!(read.digest(), original.digest());
        assert_ne!(request(br#"{"text":"ho"}"#).digest(), original.digest());
    }

    #[test]
    fn bytes_that_are_not_canonical_are_refused() {
        let mut bytes = request(b"{}").to_bytes();
        bytes.push(b' ');
        assert!(PreparedRequest::from_bytes(&bytes).is_err());
    }

    #[test]
    fn a_view_decodes_json_and_shows_holes_by_name() {
        let view = request(br#"{"text":"hi"}"#).to_view();
        assert_eq!(view["body"]["text"], "hi");
        assert_eq!(view["headers"]["Authorization"], "Bearer ‹credential:access_token›");
        let hole = Part::Hole(Hole { hole: HoleKind::Secret, name: "key".into() });
        let open = [Part::Text("{\"key\":\"".into()), hole, Part::Text("\"}".into())];
        let open = PreparedRequest { body: Body::Text(HoledText(open.into())), ..request(b"") };
        assert_eq!(open.to_view()["body"], json!({"key": "‹secret:key›"}));
        let binary = request(&[0xff, 0xfe]).to_view();
        assert_eq!(binary["body_base64"], "//4=");
        assert_eq!(binary.get("body"), None);
    }
}
