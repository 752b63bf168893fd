//! `call: openapi` (facts/language.md §4.1): an API's document becomes operations, an operation with
//! values becomes a `call: http`.

mod discovery;
mod import;
mod public;
mod request;
mod resolve;

use placet_adapters::openapi::{self, Error};
use placet_model::plan::{ApiOperation, OpenApiCall, RequestHole, Template};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) const URL: &str = "https://docs.example/api/v1/openapi.json";

/// A 3.0 document with this one operation, `op`, at `path`.
pub(crate) fn three(method: &str, path: &str, operation: &Value) -> Value {
    let mut operation = operation.clone();
    operation["operationId"] = json!("op");
    json!({
        "openapi": "3.0.3",
        "servers": [{"url": "https://api.example/v1"}],
        "paths": {path: {method: operation}},
    })
}

/// A 2.0 document with this one operation, `op`, at `path`.
pub(crate) fn two(method: &str, path: &str, operation: &Value) -> Value {
    let mut operation = operation.clone();
    operation["operationId"] = json!("op");
    json!({
        "swagger": "2.0", "host": "api.example", "basePath": "/v1", "schemes": ["https"],
        "paths": {path: {method: operation}},
    })
}

pub(crate) fn resolved(document: &Value) -> Result<ApiOperation, Error> {
    openapi::resolve(document, URL, "op")
}

/// The operation's call, as a plan has it.
pub(crate) fn call_of(operation: ApiOperation) -> OpenApiCall {
    OpenApiCall {
        document: URL.to_owned(),
        digest: None,
        operation: "op".to_owned(),
        resolved: Some(operation),
        parameters: Template::Literal(Value::Null),
        holes: BTreeMap::new(),
        output: "content".to_owned(),
        redirect: false,
        authentication: None,
        approval: None,
    }
}

/// The `with` of the `call: http`.
pub(crate) fn with(document: &Value, parameters: &Value) -> Result<Value, Error> {
    openapi::with(&call_of(resolved(document)?), parameters)
}

/// The same with secrets at these places of the parameters.
pub(crate) fn with_secrets(
    document: &Value,
    parameters: &Value,
    secrets: &[(&str, &str)],
) -> Result<Value, Error> {
    let mut call = call_of(resolved(document)?);
    let hole = |(place, name): &(&str, &str)| {
        ((*place).to_owned(), RequestHole::Secret((*name).to_owned()))
    };
    call.holes = secrets.iter().map(hole).collect();
    openapi::with(&call, parameters)
}
