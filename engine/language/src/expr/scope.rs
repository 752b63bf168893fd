//! The variables that an expression may read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

/// Variables by name, without the `$`. Cloning is cheap: values are shared.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    values: BTreeMap<String, Arc<Value>>,
}

impl Scope {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same scope with one more variable, or with its new value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Arc<Value>>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: impl Into<Arc<Value>>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).map(AsRef::as_ref)
    }
}
