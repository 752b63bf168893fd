//! `JUnit` XML: a suite per file, a case per test, failures with message and diff, errors for what
//! could not be run.

use super::{Failure, FileOutcome, Outcome, TestOutcome, Verdict, diff};
use crate::findings::Found;
use placet_language::Source;
use std::fmt::Write;
use std::time::Duration;

/// The whole document.
pub(crate) fn document(outcome: &Outcome) -> String {
    let counts = outcome.counts();
    let tests: usize = outcome.files.iter().map(cases).sum();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (failed, errors, skipped) = (counts.failed, counts.errors, counts.skipped);
    line(
        &mut xml,
        &format!(
            "<testsuites name=\"placet test\" tests=\"{tests}\" failures=\"{failed}\" \
             errors=\"{errors}\" skipped=\"{skipped}\" time=\"{}\">",
            seconds(outcome.took)
        ),
    );
    for file in &outcome.files {
        suite(&mut xml, file);
    }
    line(&mut xml, "</testsuites>");
    xml
}

/// Cases of a file: its tests, and itself where it could not be run.
fn cases(file: &FileOutcome) -> usize {
    file.tests.len() + usize::from(file.is_broken())
}

fn suite(xml: &mut String, file: &FileOutcome) {
    let counts = file.counts();
    let took: Duration = file.tests.iter().map(|test| test.took).sum();
    let name = attribute(file.source.name());
    let (tests, failed, errors, skipped) =
        (cases(file), counts.failed, counts.errors, counts.skipped);
    line(
        xml,
        &format!(
            "  <testsuite name=\"{name}\" file=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" \
             errors=\"{errors}\" skipped=\"{skipped}\" time=\"{}\">",
            seconds(took)
        ),
    );
    if file.is_broken() {
        let findings: String = file.broken.iter().map(render).collect::<Vec<_>>().join("\n");
        line(xml, &format!("    <testcase name=\"{name}\" classname=\"{name}\" time=\"0.000\">"));
        line(xml, "      <error message=\"the file cannot be run\" type=\"findings\">");
        line(xml, &format!("{}</error>", content(&findings)));
        line(xml, "    </testcase>");
    }
    for test in &file.tests {
        case(xml, &file.source, test);
    }
    line(xml, "  </testsuite>");
}

fn render(found: &Found) -> String {
    let each = found.diagnostics.iter().map(|finding| finding.render(&found.source));
    each.collect()
}

fn case(xml: &mut String, source: &Source, test: &TestOutcome) {
    let place = source.place(test.span.start);
    let head = format!(
        "    <testcase name=\"{}\" classname=\"{}\" file=\"{}\" line=\"{}\" time=\"{}\"",
        attribute(&test.name),
        attribute(source.name()),
        attribute(source.name()),
        place.line,
        seconds(test.took)
    );
    let inside: Vec<String> = match &test.verdict {
        Verdict::Passed => vec![],
        Verdict::Skipped(reason) => vec![format!("<skipped message=\"{}\"/>", attribute(reason))],
        Verdict::Failed(failures) => {
            failures.iter().map(|failure| element("failure", source, failure)).collect()
        }
        Verdict::Broken(failure) => vec![element("error", source, failure)],
    };
    if inside.is_empty() {
        line(xml, &format!("{head}/>"));
        return;
    }
    line(xml, &format!("{head}>"));
    for element in inside {
        line(xml, &format!("      {element}"));
    }
    line(xml, "    </testcase>");
}

fn element(name: &str, source: &Source, failure: &Failure) -> String {
    let place = source.place(failure.span.start);
    let mut text = format!(
        "{}:{}:{}: {}: {}",
        source.name(),
        place.line,
        place.column,
        failure.what,
        failure.message
    );
    if !failure.diff.is_empty() {
        text.push('\n');
        text.push_str(&diff::text(&failure.diff));
    }
    if let Some(detail) = &failure.detail {
        text.push_str("\n\n");
        text.push_str(detail);
    }
    format!(
        "<{name} message=\"{}\" type=\"{}\">{}</{name}>",
        attribute(&format!("{}: {}", failure.what, failure.message)),
        attribute(&failure.what),
        content(&text)
    )
}

fn line(xml: &mut String, text: &str) {
    xml.push_str(text);
    xml.push('\n');
}

fn seconds(took: Duration) -> String {
    let mut text = String::new();
    write!(text, "{:.3}", took.as_secs_f64()).expect("writing to a string does not fail");
    text
}

/// Text between tags. What XML 1.0 has no character for is shown as one that stands for it.
fn content(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\n' | '\t' => escaped.push(c),
            '\r' => escaped.push_str("&#13;"),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text of an attribute: quotes and line breaks besides.
fn attribute(text: &str) -> String {
    content(text).replace('"', "&quot;").replace('\n', "&#10;").replace('\t', "&#9;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_so_that_nothing_in_it_is_markup() {
        assert_eq!(content("a<b>&\"c\"\u{1}\r\n"), "a&lt;b&gt;&amp;\"c\"\u{fffd}&#13;\n");
        assert_eq!(attribute("\"a\"\n"), "&quot;a&quot;&#10;");
    }
}
