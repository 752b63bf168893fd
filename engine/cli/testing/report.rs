//! What came of the tests, for a person and for a program.

use super::diff::{self, Line};
use super::{Counts, Failure, FileOutcome, Outcome, TestOutcome, Verdict};
use crate::out::{self, Stream, Tone, visible};
use crate::view;
use anyhow::Result;
use placet_language::Source;
use serde_json::{Value, json};
use std::time::Duration;

/// How the tests were called, to call them again.
#[derive(Debug)]
pub(crate) struct Called {
    /// What was named, as it was typed.
    pub(crate) path: Option<String>,
    pub(crate) seed: Option<u64>,
}

impl Called {
    /// The command that runs one test again.
    fn again(&self, file: &FileOutcome, test: &TestOutcome) -> String {
        let name = format!("{}: {}", file.source.name(), test.name);
        let path = self.path.as_ref().map(|path| format!(" {}", quoted(path)));
        let seed = self.seed.map(|seed| format!(" --seed {seed}"));
        let (path, seed) = (path.unwrap_or_default(), seed.unwrap_or_default());
        format!("placet test{path} --filter {}{seed}", quoted(&name))
    }
}

/// A word of a shell, in single quotes where it needs them.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Every test with its verdict, then what did not hold, in full.
pub(crate) fn show(outcome: &Outcome, called: &Called) -> Result<()> {
    let stream = Stream::Out;
    for file in &outcome.files {
        out::data(&stream.paint(Tone::Strong, file.source.name()))?;
        if file.is_broken() {
            out::data(&format!("  {}  cannot be run", stream.paint(Tone::Bad, "error")))?;
        }
        file.tests.iter().try_for_each(|test| out::data(&verdict(test, stream)))?;
    }
    for file in &outcome.files {
        for found in file.broken.iter().filter(|found| !found.diagnostics.is_empty()) {
            out::data(&format!("\n{}", found.text(stream).trim_end()))?;
        }
        for test in file.tests.iter().filter(|test| !test.failures().is_empty()) {
            out::data(&format!("\n{}", failed(file, test, called, stream)))?;
        }
    }
    out::data(&format!("\n{}", summary(outcome, stream)))
}

fn verdict(test: &TestOutcome, stream: Stream) -> String {
    let name = visible(&test.name);
    let took = stream.paint(Tone::Dim, &format!("({} ms)", test.took.as_millis()));
    match &test.verdict {
        Verdict::Passed => format!("  {}     {name}  {took}", stream.paint(Tone::Good, "ok")),
        Verdict::Failed(_) => format!("  {}   {name}  {took}", stream.paint(Tone::Bad, "FAIL")),
        Verdict::Broken(_) => format!("  {}  {name}  {took}", stream.paint(Tone::Bad, "error")),
        Verdict::Skipped(reason) => {
            let reason = stream.paint(Tone::Dim, &format!("({})", visible(reason)));
            format!("  {}   {name}  {reason}", stream.paint(Tone::Warn, "skip"))
        }
    }
}

fn failed(file: &FileOutcome, test: &TestOutcome, called: &Called, stream: Stream) -> String {
    let head = format!("{}: {}", file.source.name(), visible(&test.name));
    let word = if matches!(test.verdict, Verdict::Broken(_)) { "ERROR" } else { "FAIL" };
    let mut lines = vec![format!("{} {head}", stream.paint(Tone::Bad, word))];
    for failure in test.failures() {
        lines.extend(place(&file.source, failure, stream));
        if !failure.diff.is_empty() {
            lines.push(String::new());
            lines.extend(coloured(&failure.diff, stream));
        }
        if let Some(detail) = &failure.detail {
            lines.push(String::new());
            lines.extend(indented(detail));
        }
    }
    lines.push(String::new());
    if !test.report.is_null() {
        lines.push(format!("  {}", stream.paint(Tone::Dim, "what the run did")));
        lines.extend(indented(&view::trace::text(&test.report, stream)));
        lines.push(String::new());
    }
    lines.push(format!("  seed {}; run it again: {}", test.seed, called.again(file, test)));
    lines.join("\n")
}

/// The claim with its place and its line in the file.
fn place(source: &Source, failure: &Failure, stream: Stream) -> Vec<String> {
    let place = source.place(failure.span.start);
    let (line, gutter) = (place.line, place.line.to_string().len());
    let text = source.line_text(line).replace('\t', " ");
    let pad = " ".repeat((place.column as usize).saturating_sub(1));
    let message = visible(&failure.message);
    vec![
        String::new(),
        format!("  {}: {message}", stream.paint(Tone::Strong, &failure.what)),
        format!("  {:gutter$}--> {}:{line}:{}", "", source.name(), place.column),
        format!("  {line} | {text}"),
        format!("  {:gutter$} | {pad}{}", "", stream.paint(Tone::Bad, "^")),
    ]
}

fn coloured(diff: &[Line], stream: Stream) -> Vec<String> {
    let head = [stream.paint(Tone::Bad, "--- expected"), stream.paint(Tone::Good, "+++ actual")];
    let lines = diff.iter().map(|line| {
        let text = visible(&line.text());
        match line {
            Line::Head(_) => stream.paint(Tone::Dim, &text),
            Line::Same(_) => text,
            Line::Missing(_) => stream.paint(Tone::Bad, &text),
            Line::Extra(_) => stream.paint(Tone::Good, &text),
        }
    });
    head.into_iter().chain(lines).map(|line| format!("    {line}")).collect()
}

fn indented(text: &str) -> Vec<String> {
    text.lines().map(|line| format!("    {line}").trim_end().to_owned()).collect()
}

fn summary(outcome: &Outcome, stream: Stream) -> String {
    let Counts { passed, failed, errors, skipped } = outcome.counts();
    let part = |number: usize, word: &str, tone| {
        (number > 0).then(|| stream.paint(tone, &format!("{number} {word}")))
    };
    let parts: Vec<String> = [
        part(passed, "passed", Tone::Good),
        part(failed, "failed", Tone::Bad),
        part(errors, if errors == 1 { "error" } else { "errors" }, Tone::Bad),
        part(skipped, "skipped", Tone::Warn),
    ]
    .into_iter()
    .flatten()
    .collect();
    format!("{} in {:.1} s", parts.join(", "), outcome.took.as_secs_f64())
}

/// `{passed, failed, errors, skipped, duration_ms, files[]}`.
pub(crate) fn json(outcome: &Outcome, called: &Called) -> Value {
    let Counts { passed, failed, errors, skipped } = outcome.counts();
    json!({
        "passed": passed,
        "failed": failed,
        "errors": errors,
        "skipped": skipped,
        "duration_ms": millis(outcome.took),
        "files": outcome.files.iter().map(|file| file_json(file, called)).collect::<Vec<_>>(),
    })
}

fn file_json(file: &FileOutcome, called: &Called) -> Value {
    let findings: Vec<_> = file.broken.iter().flat_map(|found| &found.diagnostics).collect();
    let tests: Vec<Value> = file
        .tests
        .iter()
        .map(|test| {
            let place = file.source.place(test.span.start);
            let failures =
                test.failures().iter().map(|failure| failure_json(&file.source, failure));
            let skipped = match &test.verdict {
                Verdict::Skipped(reason) => Some(reason),
                Verdict::Passed | Verdict::Failed(_) | Verdict::Broken(_) => None,
            };
            json!({
                "name": test.name,
                "line": place.line,
                "column": place.column,
                "status": test.word(),
                "skipped": skipped,
                "seed": test.seed,
                "duration_ms": millis(test.took),
                "failures": failures.collect::<Vec<_>>(),
                "report": test.report,
                "again": called.again(file, test),
            })
        })
        .collect();
    json!({ "file": file.source.name(), "findings": findings, "tests": tests })
}

fn failure_json(source: &Source, failure: &Failure) -> Value {
    let place = source.place(failure.span.start);
    json!({
        "what": failure.what,
        "message": failure.message,
        "line": place.line,
        "column": place.column,
        "diff": (!failure.diff.is_empty()).then(|| diff::text(&failure.diff)),
        "detail": failure.detail,
    })
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_of_a_command_are_quoted_where_a_shell_would_read_them_otherwise() {
        assert_eq!(quoted("demo/tests"), "demo/tests");
        assert_eq!(quoted("it's said"), r"'it'\''s said'");
        assert_eq!(quoted(""), "''");
    }
}
