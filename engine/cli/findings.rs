//! Findings of a check, for a person, a program or a pull request.

use crate::out::{self, Stream};
use anyhow::Result;
use clap::ValueEnum;
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report,
};
use placet_language::{Diagnostic, Severity, Source};
use serde_json::json;

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people, with the source.
    Text,
    /// One JSON array.
    Json,
    /// Workflow commands of GitHub Actions.
    Github,
}

/// A file and what was found in it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) source: Source,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Found {
    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Every finding as a person reads it on that stream.
    pub(crate) fn text(&self, stream: Stream) -> String {
        let each = self.diagnostics.iter().map(|found| self.one(found, stream));
        each.collect::<Vec<_>>().join("\n")
    }

    /// With a drawn frame on a terminal, plain elsewhere.
    fn one(&self, found: &Diagnostic, stream: Stream) -> String {
        if !stream.is_terminal() {
            return found.render(&self.source);
        }
        let theme =
            if stream.is_coloured() { GraphicalTheme::unicode() } else { GraphicalTheme::ascii() };
        let severity = match found.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Hint => miette::Severity::Advice,
        };
        let span = (found.span.start, found.span.end - found.span.start);
        let mut drawn = MietteDiagnostic::new(found.message.clone())
            .with_code(found.code.id)
            .with_severity(severity)
            .with_label(LabeledSpan::underline(span));
        if !found.help.is_empty() {
            drawn = drawn.with_help(found.help.clone());
        }
        let named = NamedSource::new(self.source.name(), self.source.text().to_owned());
        let report = Report::new(drawn).with_source_code(named);
        let mut text = String::new();
        match GraphicalReportHandler::new_themed(theme).render_report(&mut text, report.as_ref()) {
            Ok(()) => text,
            Err(_unprintable) => found.render(&self.source),
        }
    }

    fn github(&self) -> impl Iterator<Item = String> {
        self.diagnostics.iter().map(|found| {
            let word = match found.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Hint => "notice",
            };
            let message = escape(&format!("{}\n{}", found.message, found.help), &[]);
            format!(
                "::{word} file={},line={},col={},title={}::{message}",
                escape(&found.file, &[(':', "%3A"), (',', "%2C")]),
                found.line,
                found.column,
                found.code.id,
            )
        })
    }
}

/// GitHub's escapes of a message, and of a property with these besides.
fn escape(text: &str, more: &[(char, &str)]) -> String {
    let text = text.trim_end().replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    more.iter().fold(text, |text, (from, to)| text.replace(*from, to))
}

/// Writes all findings as data.
pub(crate) fn show(all: &[Found], format: Format) -> Result<()> {
    match format {
        Format::Text => {
            for found in all.iter().filter(|found| !found.diagnostics.is_empty()) {
                out::data(&found.text(Stream::Out))?;
            }
            Ok(())
        }
        Format::Json => {
            let list: Vec<&Diagnostic> = all.iter().flat_map(|found| &found.diagnostics).collect();
            out::json(&json!(list))
        }
        Format::Github => all.iter().flat_map(Found::github).try_for_each(|line| out::data(&line)),
    }
}

/// Says all findings on stderr.
pub(crate) fn say(found: &Found) {
    if !found.diagnostics.is_empty() {
        out::say(found.text(Stream::Err).trim_end());
    }
}
