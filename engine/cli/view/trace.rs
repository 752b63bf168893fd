//! A run's report: each task, and what would have been sent.

use super::request;
use crate::out::{Stream, Tone, visible};
use serde_json::Value;

/// The report for a person.
pub(crate) fn text(report: &Value, stream: Stream) -> String {
    let word = |key: &str| visible(report[key].as_str().unwrap_or_default());
    let mut lines = vec![format!(
        "{} {} ({}): {}",
        word("run"),
        word("workflow"),
        word("mode"),
        painted(&word("status"), stream),
    )];
    if report["held"].is_string() {
        lines.push(format!("  held: {}", word("held")));
    }
    for entry in report["trace"].as_array().into_iter().flatten() {
        lines.extend(task(entry, stream));
    }
    if !report["error"].is_null() {
        lines.extend(labelled("error", &report["error"], ""));
    }
    if !report["output"].is_null() {
        lines.extend(labelled("output", &report["output"], ""));
    }
    lines.join("\n")
}

fn task(entry: &Value, stream: Stream) -> Vec<String> {
    let word = |key: &str| visible(entry[key].as_str().unwrap_or_default());
    let iteration = match &entry["iteration"] {
        Value::Null => String::new(),
        indices => format!(" {indices}"),
    };
    let status = painted(&word("status"), stream);
    let mut lines = vec![format!("  {}{iteration}: {status}  {}", word("name"), word("task"))];
    let sent = &entry["would_have_sent"];
    if !sent.is_null() {
        let digest = sent["digest"].as_str().unwrap_or_default();
        lines.push(format!("    would have sent (approved as {digest})"));
        lines.extend(request::lines(sent, "      "));
    }
    if !entry["error"].is_null() {
        lines.extend(labelled("error", &entry["error"], "    "));
    }
    if !entry["output"].is_null() && entry["status"] == "completed" {
        lines.extend(labelled("output", &entry["output"], "    "));
    }
    lines
}

/// A value on the label's line where it fits, else indented below it.
fn labelled(label: &str, value: &Value, indent: &str) -> Vec<String> {
    let short = visible(&value.to_string());
    if short.chars().count() <= 100 {
        return vec![format!("{indent}{label} {short}")];
    }
    let pretty = request::pretty(value);
    let lines = pretty.lines().map(|line| format!("{indent}  {line}"));
    std::iter::once(format!("{indent}{label}")).chain(lines).collect()
}

fn painted(status: &str, stream: Stream) -> String {
    let tone = match status {
        "completed" => Tone::Good,
        "faulted" | "cancelled" => Tone::Bad,
        "waiting" => Tone::Warn,
        _ => Tone::Dim,
    };
    stream.paint(tone, status)
}
