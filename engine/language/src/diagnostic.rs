//! What the language says to an author: one finding with its code, place and help.
//!
//! Plain data. Rendering with colours belongs to the CLI; [`Diagnostic::render`] is the uncoloured
//! form that tests and logs use. A diagnostic never carries data of a run, only text of the file.

use serde::{Serialize, Serializer};

use crate::source::{Source, Span};

/// How much a finding weighs: errors stop a deploy, the others do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document cannot be used.
    Error,
    /// Very likely not what the author means.
    Warning,
    /// Could be better.
    Hint,
}

impl Severity {
    /// The lower-case word that is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Hint => "hint",
        }
    }
}

/// The code of a kind of finding; stable once released. All of them are constants of
/// [`crate::codes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    /// `PL####`.
    pub id: &'static str,
    /// Severity of every finding with this code.
    pub severity: Severity,
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id)
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// What kind of finding it is.
    pub code: Code,
    /// Error, warning or hint.
    pub severity: Severity,
    /// One sentence, lower case, no full stop.
    pub message: String,
    /// The file's name as the caller gave it.
    pub file: String,
    /// Line, 1-based.
    pub line: u32,
    /// Column in characters, 1-based.
    pub column: u32,
    /// What to do about it.
    pub help: String,
    /// The bytes of the source that are meant.
    #[serde(skip)]
    pub span: Span,
}

impl Diagnostic {
    /// Whether it stops a deploy.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The finding with its source line, for a terminal without colours.
    ///
    /// ```text
    /// error[PL2003]: unknown key `wth` in a call
    ///   --> mail.yaml:6:7
    ///    |
    ///  6 |       wth: { text: hello }
    ///    |       ^^^
    ///    = help: did you mean `with`?
    /// ```
    pub fn render(&self, source: &Source) -> String {
        let gutter = self.line.to_string().len().max(2);
        let line = source.line_text(self.line);
        let marks = self.underline(source, line);
        let pad = " ".repeat((self.column as usize).saturating_sub(1));
        let mut lines = vec![
            format!("{}[{}]: {}", self.severity.as_str(), self.code.id, self.message),
            format!("{:gutter$}--> {}:{}:{}", "", self.file, self.line, self.column),
            format!("{:gutter$} |", ""),
            format!("{:>gutter$} | {}", self.line, line.replace('\t', " ")),
            format!("{:gutter$} | {pad}{marks}", ""),
        ];
        if !self.help.is_empty() {
            lines.push(format!("{:gutter$} = help: {}", "", self.help));
        }
        lines.join("\n") + "\n"
    }

    /// One `^` for each character of the span on its first line; at least one.
    fn underline(&self, source: &Source, line: &str) -> String {
        let left = line.chars().count().saturating_sub(self.column as usize - 1);
        let meant = source.slice(self.span).lines().next().unwrap_or("").trim_end().chars().count();
        "^".repeat(meant.min(left).max(1))
    }
}

/// Findings of one file while it is being read.
#[derive(Debug)]
pub(crate) struct Sink<'s> {
    source: &'s Source,
    found: Vec<Diagnostic>,
}

impl<'s> Sink<'s> {
    pub(crate) fn new(source: &'s Source) -> Self {
        Self { source, found: Vec::new() }
    }

    pub(crate) fn source(&self) -> &'s Source {
        self.source
    }

    /// Notes a finding at `span`.
    pub(crate) fn report(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let place = self.source.place(span.start);
        self.found.push(Diagnostic {
            code,
            severity: code.severity,
            message: message.into(),
            file: self.source.name().to_owned(),
            line: place.line,
            column: place.column,
            help: help.into(),
            span,
        });
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(Diagnostic::is_error)
    }

    /// All findings in the order of the file, each once.
    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        let mut found = self.found;
        found.sort_by(|a, b| {
            (a.span.start, a.code, &a.message).cmp(&(b.span.start, b.code, &b.message))
        });
        found.dedup();
        found
    }
}

/// The candidate that the author probably meant, as a help line; empty if none is near.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().min(9) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
