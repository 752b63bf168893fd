//! What clients of the inbox send. Unknown members are refused: a typo must not be a vote.

use super::Asked;
use crate::handle::Error;
use placet_model::decision::{Resolution, Verdict};
use placet_model::{DecisionId, Digest, Principal};
use placet_projections::ParsePlaceError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::str::FromStr;

/// `list`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListBody {
    /// A word, or a [`Filter`].
    pub(super) filter: Option<Value>,
    /// Whether shapes are asked for instead of items.
    #[serde(default)]
    pub(super) group: bool,
    pub(super) cursor: Option<String>,
    pub(super) limit: Option<usize>,
}

/// Which items; everything that is given must hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    #[serde(default)]
    pub(super) all: bool,
    /// Name or id.
    pub(super) integration: Option<String>,
    pub(super) operation: Option<String>,
    pub(super) requester: Option<Principal>,
    /// `namespace/name`.
    pub(super) workflow: Option<String>,
    pub(super) state: Option<String>,
    pub(super) mode: Option<String>,
    pub(super) shape: Option<Digest>,
}

/// The filter in either form.
pub(super) fn filter(given: Option<Value>) -> Result<Filter, Error> {
    match given {
        None | Some(Value::Null) => Ok(Filter::default()),
        Some(Value::String(word)) if word == "all" => Ok(Filter { all: true, ..Filter::default() }),
        Some(Value::String(word)) if word == "mine" => Ok(Filter::default()),
        Some(Value::Object(filter)) => parse(&Value::Object(filter)),
        Some(other) => {
            let detail = format!("filter: {other} is neither \"all\", \"mine\" nor an object");
            Err(malformed(detail))
        }
    }
}

/// A cursor: that of a page before.
pub(super) fn cursor<T: FromStr<Err = ParsePlaceError>>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|error: ParsePlaceError| malformed(format!("cursor: {error}")))
}

/// `get`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GetBody {
    decision: String,
}

/// `decide`, unsigned.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DecideBody {
    pub(super) decision: String,
    pub(super) verdict: String,
    pub(super) digest: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) time: Option<String>,
    pub(super) reason: Option<String>,
    /// With `edit`: the new `with`.
    pub(super) with: Option<Value>,
    /// With `reassign`: users and groups.
    #[serde(default)]
    pub(super) to: Vec<Principal>,
}

/// `decide`, signed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignedBody {
    pub(super) document: Value,
    pub(super) signature: String,
    pub(super) with: Option<Value>,
    pub(super) reason: Option<String>,
    pub(super) reason_salt: Option<String>,
}

/// `with` of a signed reassignment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReassignWith {
    pub(super) to: Vec<Principal>,
}

pub(crate) fn malformed(detail: String) -> Error {
    Error::Refused { code: "PL4003", detail }
}

pub(crate) fn parse<T: DeserializeOwned>(body: &Value) -> Result<T, Error> {
    T::deserialize(body).map_err(|error| malformed(error.to_string()))
}

pub(super) fn id(text: &str) -> Result<DecisionId, Error> {
    text.parse().map_err(|error: placet_model::id::ParseIdError| malformed(error.to_string()))
}

pub(super) fn decision(body: &Value) -> Result<DecisionId, Error> {
    let body: GetBody = parse(body)?;
    id(&body.decision)
}

/// A verdict on a request, or on an attempt in doubt.
pub(super) fn asked(word: &str) -> Result<Asked, Error> {
    if let Ok(verdict) = word.parse::<Verdict>() {
        return Ok(Asked::Vote(verdict));
    }
    let resolution = word.parse::<Resolution>();
    resolution.map(Asked::Resolution).map_err(|_unknown| {
        let verdicts = Verdict::ALL.iter().map(|v| v.word());
        let known: Vec<_> = verdicts.chain(Resolution::ALL.iter().map(|r| r.word())).collect();
        malformed(format!("verdict: {word:?} is none of {}", known.join(", ")))
    })
}

/// `decide` of several, unsigned.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BulkBody {
    pub(super) items: Vec<BulkItem>,
    pub(super) verdict: String,
    pub(super) nonce: Option<String>,
    pub(super) time: Option<String>,
    pub(super) reason: Option<String>,
}

/// One of them: the decision, and the digest that its voter was shown.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BulkItem {
    pub(super) decision: String,
    pub(super) digest: String,
}
