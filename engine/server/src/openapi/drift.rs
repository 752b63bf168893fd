//! How answers of a provider, and those that are not as declared, look to the outside.

#![expect(dead_code, reason = "they describe; what is answered is put together from rows")]

use serde_json::Value;
use utoipa::ToSchema;

/// Answers of one operation that were not as its schema declares.
#[derive(ToSchema)]
pub(crate) struct Drift {
    operation: String,
    count: u64,
    last_at: String,
    last_attempt: String,
    places: Vec<DriftPlace>,
}

/// Where they differed, and which keyword of the schema that breaks; never a value.
#[derive(ToSchema)]
pub(crate) struct DriftPlace {
    at: String,
    kind: String,
}

/// What the calls of a run were answered.
#[derive(ToSchema)]
pub(crate) struct RunAnswers {
    answers: Vec<RunAnswer>,
}

/// The answer of one attempt.
#[derive(ToSchema)]
pub(crate) struct RunAnswer {
    #[schema(pattern = "^att_")]
    attempt: String,
    task: String,
    operation: String,
    operation_digest: String,
    mode: super::shapes::Mode,
    status: u16,
    at: String,
    /// What the task got of it; null where the task failed on it or the content is gone.
    output: Value,
    erased: bool,
    /// Where it was not as declared.
    differs: Vec<DriftPlace>,
}
