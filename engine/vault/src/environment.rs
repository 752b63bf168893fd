//! The operator's environment, as far as secrets are in it.

use placet_adapters::SecretText;
use std::fmt;

type ReadVariable = dyn Fn(&str) -> Option<SecretText> + Send + Sync;

/// Reads variables by name; a function, so that tests need no environment of a process.
pub struct Environment(Box<ReadVariable>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment(…)")
    }
}

impl Environment {
    /// Variables as this function gives them.
    pub fn new(read: impl Fn(&str) -> Option<SecretText> + Send + Sync + 'static) -> Self {
        Self(Box::new(read))
    }

    /// The environment of this process. A variable that is no UTF-8 counts as not set.
    pub fn process() -> Self {
        Self::new(|name| std::env::var(name).ok().map(SecretText::new))
    }

    /// The variable, unless it is not set or empty.
    pub(crate) fn read(&self, name: &str) -> Option<SecretText> {
        (self.0)(name).filter(|text| !text.expose().is_empty())
    }
}
