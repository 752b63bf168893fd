//! What is wrong with a manifest, with the place in the file.

use serde_saphyr::{Location, Spanned};
use std::fmt;

/// One thing to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// From 1; 0 where the file as a whole is meant.
    pub line: u64,
    /// From 1; 0 where the file as a whole is meant.
    pub column: u64,
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// A manifest that cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} is no valid manifest: {}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct LoadError {
    pub file: String,
    /// At least one, in the order found.
    pub problems: Vec<Problem>,
}

/// Collects problems, so that one run shows all of them.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn at<T>(&mut self, place: &Spanned<T>, message: impl Into<String>) {
        self.push(place.referenced, message.into(), None);
    }

    pub(super) fn at_with_help<T>(
        &mut self,
        place: &Spanned<T>,
        message: impl Into<String>,
        help: &str,
    ) {
        self.push(place.referenced, message.into(), Some(help.to_owned()));
    }

    /// A field that this build knows by name only.
    pub(super) fn not_built<T>(&mut self, place: Option<&Spanned<T>>, field: &str) {
        if let Some(place) = place {
            self.at_with_help(
                place,
                format!("the manifest field {field} is not built yet"),
                "leave it out: it would not be honoured",
            );
        }
    }

    fn push(&mut self, place: Location, message: String, help: Option<String>) {
        self.0.push(Problem { line: place.line(), column: place.column(), message, help });
    }

    pub(super) fn from_yaml(error: &serde_saphyr::Error) -> Self {
        let place = error.location().unwrap_or(Location::UNKNOWN);
        let mut problems = Self::default();
        let words = error.without_snippet().to_string();
        // the place stands in front, and the reader's options are not the author's
        let words = words.split(" at line ").next().unwrap_or_default();
        let words = words.split(", set DuplicateKeyPolicy").next().unwrap_or_default();
        problems.push(place, words.to_owned(), None);
        problems
    }

    /// About the file as a whole.
    pub(super) fn from_words(message: String) -> Self {
        let mut problems = Self::default();
        problems.push(Location::UNKNOWN, message, None);
        problems
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_error(self, file: &str) -> LoadError {
        LoadError { file: file.to_owned(), problems: self.0 }
    }
}
