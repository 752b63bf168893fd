//! What may be kept of an answer: `store` for events, `output` for the task. Everything else of a
//! body is dropped, because provider bodies hold secrets and people's words.

use crate::classify::{Sent, result_ids};
use crate::http_call;
use crate::manifest::Operation;
use crate::pointer::Pointer;
use crate::predicate::Observed;
use crate::transport::{Answer, Response};
use placet_model::manifest::Effect;
use placet_schemas::Violations;
use serde_json::{Map, Value};

/// The allow-list of `store`.
#[derive(Debug, Clone, Default)]
pub struct Store {
    pub(crate) pointers: Vec<Pointer>,
    /// Lower case.
    pub(crate) headers: Vec<String>,
}

/// An answer that cannot become a task's output. The attempt has succeeded all the same.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the answer is no JSON, although {operation} declares a schema for it")]
    NotJson { operation: String },
    #[error("the answer does not match the schema of {operation}")]
    Mismatch {
        operation: String,
        #[source]
        violations: Violations,
    },
    /// `call: http` only: the task fails with this status.
    #[error("the answer's status is {status}")]
    Status { status: u16 },
}

/// The fields that may stand in an event, in their place; `null` if there are none.
pub(crate) fn stored(store: &Store, observed: &Observed<'_>) -> Value {
    let mut kept = Value::Null;
    let Ok(response) = observed.answer else { return kept };
    if let Some(body) = &observed.body {
        for pointer in &store.pointers {
            pointer.copy_into(body, &mut kept);
        }
    }
    let headers: Map<String, Value> = store
        .headers
        .iter()
        .filter_map(|name| Some((name.clone(), Value::String(response.header(name)?.to_owned()))))
        .collect();
    if !headers.is_empty() {
        let fields = kept.as_object_mut().map(std::mem::take);
        kept = Value::Object(fields.unwrap_or_default());
        kept["headers"] = Value::Object(headers);
    }
    kept
}

/// The task's output: the answer, validated, reduced to what the manifest names.
///
/// # Errors
/// [`Error`]; an answer that does not match is a fault of the task, the attempt stays succeeded.
pub fn output(operation: &Operation, response: &Response, sent: Sent<'_>) -> Result<Value, Error> {
    if operation.is_http_call() {
        return http_call::output(sent.input, response);
    }
    let body = validated(operation, response)?;
    Ok(kept(operation, response, body, sent))
}

/// The same of an answer that does not match its schema: what is there of it, unchecked.
pub fn output_as_it_is(operation: &Operation, response: &Response, sent: Sent<'_>) -> Value {
    kept(operation, response, response.json(), sent)
}

fn kept(operation: &Operation, response: &Response, body: Option<Value>, sent: Sent<'_>) -> Value {
    let answer: Answer = Ok(response.clone());
    let observed = Observed { answer: &answer, body };
    let whole = observed.body.as_ref().unwrap_or(&Value::Null);
    if let Some(pointers) = &operation.output {
        return reduced(pointers, whole);
    }
    if operation.effect == Effect::Read {
        return whole.clone();
    }
    let mut out = reduced(&operation.store.pointers, whole);
    let ids = result_ids(operation, &observed, sent);
    if out.is_null() && !ids.is_empty() {
        out = Value::Object(Map::new());
    }
    if let Value::Object(fields) = &mut out {
        fields.extend(ids.into_iter().map(|(name, id)| (name, Value::String(id))));
    }
    out
}

fn validated(operation: &Operation, response: &Response) -> Result<Option<Value>, Error> {
    let body = response.json();
    let Some(schema) = &operation.output_schema else { return Ok(body) };
    let body = body.ok_or_else(|| Error::NotJson { operation: operation.name.clone() })?;
    schema
        .validate(&body)
        .map_err(|violations| Error::Mismatch { operation: operation.name.clone(), violations })?;
    Ok(Some(body))
}

fn reduced(pointers: &[Pointer], body: &Value) -> Value {
    let mut out = Value::Null;
    for pointer in pointers {
        pointer.copy_into(body, &mut out);
    }
    out
}
