//! What a schema says is wrong with a document, as plain data.

use std::fmt;

/// The most violations that one validation reports; the rest are counted, not kept.
pub const VIOLATIONS_MAX: usize = 20;

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON Pointer of the wrong value (`""` = the whole instance).
    pub instance: String,
    /// JSON Pointer of the keyword in the schema.
    pub schema: String,
    /// What is wrong, without the value itself: a value may be a secret or personal.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.instance.is_empty() { "/" } else { &self.instance };
        write!(f, "{place}: {}", self.message)
    }
}

/// At least one broken rule, in the schema's order, at most [`VIOLATIONS_MAX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// `None` if nothing is broken.
    pub(crate) fn collect(all: impl Iterator<Item = Violation>) -> Option<Self> {
        let kept: Vec<Violation> = all.take(VIOLATIONS_MAX).collect();
        (!kept.is_empty()).then_some(Self(kept))
    }

    pub fn as_slice(&self) -> &[Violation] {
        &self.0
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{violation}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}
