//! How answers of a provider that are not as declared look to the outside.

#![expect(dead_code, reason = "they describe; what is answered is put together from rows")]

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
