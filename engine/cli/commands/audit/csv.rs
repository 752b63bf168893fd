//! Events as CSV (RFC 4180): a head, a row per event, CRLF.
//!
//! A spreadsheet runs a cell that begins with `=`, `+`, `-`, `@`, a tab or a return as a formula, and
//! names in events come from people. Such a cell gets an apostrophe in front; JSON has every value as
//! it is.

use anyhow::Result;
use serde_json::Value;
use std::io::{self, Write};

const COLUMNS: [&str; 10] = [
    "position",
    "recorded_at",
    "type",
    "stream",
    "revision",
    "actor",
    "event_id",
    "causation",
    "correlation",
    "body",
];

pub(super) fn head() -> Result<()> {
    write_row(&COLUMNS.map(str::to_owned))
}

/// One event; its body is JSON in the last cell.
pub(super) fn row(event: &Value) -> Result<()> {
    write_row(&COLUMNS.map(|column| match &event[column] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }))
}

fn write_row(cells: &[String]) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line(cells).as_bytes())?;
    Ok(())
}

fn line(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    format!("{}\r\n", cells.join(","))
}

/// The cell as it stands in the file.
fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains(['"', ',', '\r', '\n']) {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::{line, quoted};

    #[test]
    fn a_row_ends_as_the_standard_says() {
        let cells = ["1", "", "a,b"].map(str::to_owned);
        assert_eq!(line(&cells), "1,,\"a,b\"\r\n");
    }

    #[test]
    fn a_cell_keeps_its_text_and_can_be_no_formula() {
        for (cell, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("=HYPERLINK(\"x\",1)", "\"'=HYPERLINK(\"\"x\"\",1)\""),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@cmd", "'@cmd"),
            ("\tx", "'\tx"),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }
}
