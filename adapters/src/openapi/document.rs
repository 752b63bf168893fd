//! The text of a document → what workflows need of it.

use super::Error;
use super::resolve::{all, version};
use placet_model::canonical::MAX_EXACT_INTEGER;
use placet_model::manifest::Document;
use placet_model::plan::ApiDocument;
use placet_model::{Digest, canonical};
use serde_json::Value;

/// Largest document that is read.
pub const DOCUMENT_BYTES_MAX: usize = 4 << 20;

/// Levels of a document.
const DEPTH_MAX: usize = 100;

/// Reads a document that a workflow names: JSON or YAML. `url` is where it came from, for the
/// servers that it names relative to itself; a file of the project has a path instead.
///
/// # Errors
/// Text that is too large or cannot be read; an `OpenAPI` document of a version that is not known.
/// What is wrong with one operation is kept beside it and stops only those who call it.
pub fn document(url: &str, text: &str) -> Result<Document, Error> {
    let value = read_up_to(text.trim_start_matches('\u{feff}'), DOCUMENT_BYTES_MAX)?;
    if value.get("swagger").is_none() && value.get("openapi").is_none() {
        return Ok(Document::Json(value));
    }
    version(&value)?;
    let operations = all(&value, url);
    let operations =
        operations.map(|(id, found)| (id, found.map_err(|error| error.to_string()))).collect();
    Ok(Document::Api(ApiDocument { digest: digest(value), operations }))
}

/// The digest of the canonical JSON. Schemas of 64-bit integers name limits that have no canonical
/// form; they stand in it as text.
fn digest(mut document: Value) -> Digest {
    inexact_as_text(&mut document);
    let bytes = canonical::to_bytes(&document).expect("no inexact number is left");
    Digest::of(&bytes)
}

fn inexact_as_text(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if size.is_some_and(|size| size > MAX_EXACT_INTEGER) {
                *value = Value::String(number.to_string());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(inexact_as_text),
        Value::Object(members) => members.values_mut().for_each(inexact_as_text),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// # Errors
/// More bytes than these; neither JSON nor YAML.
pub(super) fn read_up_to(text: &str, bytes_max: usize) -> Result<Value, Error> {
    if text.len() > bytes_max {
        return Err(Error::TooLarge { size: text.len(), most: bytes_max });
    }
    let unreadable = |reason: String| Error::Unreadable { reason };
    if text.trim_start().starts_with(['{', '[']) {
        return serde_json::from_str(text).map_err(|error| unreadable(error.to_string()));
    }
    let options = serde_saphyr::options! {
        strict_booleans: true,
        legacy_octal_numbers: false,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_documents: 1,
            max_nodes: bytes_max / 8,
            max_events: bytes_max / 3,
            max_total_scalar_bytes: 2 * bytes_max,
        },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let whole = error.to_string();
        unreadable(whole.lines().next().unwrap_or_default().to_owned())
    })
}
