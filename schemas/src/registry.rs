//! Compiled schemas, kept by digest: compiling is the dear part, validating is not. What ships is
//! compiled when it is first used, as a project uses few of the providers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use placet_model::{Digest, canonical};
use serde_json::Value;

use crate::violation::{Violation, Violations};

/// Deepest nesting of a schema document that is compiled.
const DEPTH_MAX: usize = 64;

/// A schema that cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the schema does not compile at {pointer}: {message}")]
    Uncompilable { pointer: String, message: String },
    #[error("the schema is nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    #[error("the shipped schema {path} does not exist")]
    Unknown { path: String },
    #[error("the shipped schema {path} is not JSON")]
    NotJson {
        path: String,
        #[source]
        source: serde_json::Error,
    },
}

/// One compiled schema: draft 2020-12 unless it says otherwise, formats asserted.
pub struct Schema {
    digest: Digest,
    document: Value,
    validator: OnceLock<Validator>,
}

impl Schema {
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The schema as it was registered, for those who walk it (the sandbox, the editor).
    pub fn document(&self) -> &Value {
        &self.document
    }

    pub fn is_valid(&self, instance: &Value) -> bool {
        self.validator().is_valid(instance)
    }

    /// Compiled at its first use, where that was not done when it was registered.
    fn validator(&self) -> &Validator {
        self.validator.get_or_init(|| {
            compile(&self.document).expect("schemas that ship compile, which a test holds")
        })
    }

    /// # Errors
    /// The rules that `instance` breaks; messages name kinds and limits, never the value.
    pub fn validate(&self, instance: &Value) -> Result<(), Violations> {
        let broken = self.validator().iter_errors(instance).map(|error| Violation {
            instance: error.instance_path().as_str().to_owned(),
            schema: error.schema_path().as_str().to_owned(),
            message: message_of(&error),
        });
        Violations::collect(broken).map_or(Ok(()), Err)
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// Every schema of this process. Cheap to share, safe to call from any thread.
#[derive(Debug, Default)]
pub struct Registry {
    compiled: RwLock<BTreeMap<Digest, Arc<Schema>>>,
}

impl Registry {
    pub fn new() -> Self {
        Self::default()
    }

    /// The compiled form of `document`; the same document is compiled once.
    ///
    /// # Errors
    /// A document that is too deep, does not compile, or names anything outside itself.
    pub fn register(&self, document: &Value) -> Result<Arc<Schema>, Error> {
        if depth_of(document) > DEPTH_MAX {
            return Err(Error::TooDeep);
        }
        let known = self.get(&digest_of(document));
        if let Some(known) = known.filter(|known| known.validator.get().is_some()) {
            return Ok(known);
        }
        let validator = compile(document)?;
        let schema = self.register_shipped(document);
        // one that another thread has set meanwhile is the same
        let _set_already = schema.validator.set(validator);
        Ok(schema)
    }

    /// The same of a document that ships with this program, which is compiled at its first use.
    ///
    /// # Panics
    /// Its use does, when it does not compile: a bug that a test finds.
    pub fn register_shipped(&self, document: &Value) -> Arc<Schema> {
        let digest = digest_of(document);
        if let Some(known) = self.get(&digest) {
            return known;
        }
        let schema =
            Arc::new(Schema { digest, document: document.clone(), validator: OnceLock::new() });
        let mut compiled = self.compiled.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(compiled.entry(digest).or_insert(schema))
    }

    /// A shipped schema, by its path (`schemas/providers/slack/config.json`).
    ///
    /// # Errors
    /// An unknown path; a shipped file that does not compile is a bug, reported the same way.
    pub fn shipped(&self, path: &str) -> Result<Arc<Schema>, Error> {
        let text = crate::embedded(path).ok_or_else(|| Error::Unknown { path: path.to_owned() })?;
        let document = serde_json::from_str(text)
            .map_err(|source| Error::NotJson { path: path.to_owned(), source })?;
        self.register(&document)
    }

    pub fn get(&self, digest: &Digest) -> Option<Arc<Schema>> {
        self.compiled.read().unwrap_or_else(PoisonError::into_inner).get(digest).map(Arc::clone)
    }
}

/// The canonical digest where there is one; a bound beyond 2^53 has none, and then the authored
/// spelling names the schema. It is a cache key, it binds nothing.
fn digest_of(document: &Value) -> Digest {
    canonical::digest(document).unwrap_or_else(|_| Digest::of(document.to_string().as_bytes()))
}

/// The validator's words without the value; names of keys are kept, an author needs them.
fn message_of(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            format!("unexpected keys: {}", unexpected.join(", "))
        }
        _ => error.masked_with("the value").to_string(),
    }
}

fn compile(document: &Value) -> Result<Validator, Error> {
    jsonschema::options().should_validate_formats(true).offline().build(document).map_err(|error| {
        Error::Uncompilable {
            pointer: error.instance_path().as_str().to_owned(),
            message: error.to_string(),
        }
    })
}

fn depth_of(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth_of).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_schema_is_compiled_once_whatever_the_order_of_its_keys() {
        let registry = Registry::new();
        let one = registry.register(&json!({"type": "string", "minLength": 1})).unwrap();
        let two = registry.register(&json!({"minLength": 1, "type": "string"})).unwrap();
        assert!(Arc::ptr_eq(&one, &two));
        assert!(registry.get(one.digest()).is_some());
    }

    #[test]
    fn a_violation_names_both_places_and_never_the_value() {
        let registry = Registry::new();
        let schema = registry
            .register(&json!({"properties": {"a": {"items": {"type": "integer"}}}, "additionalProperties": false}))
            .unwrap();
        let broken = schema.validate(&json!({"a": [1, "s3cret"], "b": 1})).unwrap_err();
        let text = broken.to_string();
        assert!(!text.contains("s3cret"), "{text}");
        let places: Vec<_> =
            broken.as_slice().iter().map(|v| (v.instance.as_str(), v.schema.as_str())).collect();
        assert!(places.contains(&("/a/1", "/properties/a/items/type")), "{places:?}");
        assert!(text.contains("unexpected keys: b"), "{text}");
    }

    #[test]
    fn formats_are_asserted() {
        let schema = Registry::new().register(&json!({"format": "date-time"})).unwrap();
        assert!(schema.is_valid(&json!("2026-01-01T00:00:00Z")));
        assert!(!schema.is_valid(&json!("yesterday")));
    }

    #[test]
    fn a_reference_out_of_the_document_is_refused_and_nothing_is_fetched() {
        let error =
            Registry::new().register(&json!({"$ref": "https://example.com/x.json"})).unwrap_err();
        assert!(matches!(error, Error::Uncompilable { .. }), "{error}");
    }

    #[test]
    fn a_schema_that_does_not_compile_is_refused_with_its_place() {
        let error =
            Registry::new().register(&json!({"properties": {"a": {"type": 7}}})).unwrap_err();
        assert!(error.to_string().contains("/properties/a"), "{error}");
    }

    #[test]
    fn a_schema_nested_too_deep_is_refused() {
        let deep = (0..100).fold(json!({}), |inner, _| json!({"not": inner}));
        assert!(matches!(Registry::new().register(&deep).unwrap_err(), Error::TooDeep));
    }

    #[test]
    fn every_shipped_schema_compiles() {
        let registry = Registry::new();
        for path in crate::embedded_paths() {
            registry.shipped(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
        assert!(matches!(registry.shipped("schemas/none.json"), Err(Error::Unknown { .. })));
    }
}
