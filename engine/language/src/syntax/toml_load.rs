//! TOML text to the same tree as YAML, so that one set of readers serves both.

use toml::de::{DeTable, DeValue};

use super::{Content, Entry, Node, Style};
use crate::codes;
use crate::diagnostic::Sink;
use crate::source::Span;

/// Longest file, in bytes.
const SOURCE_BYTES_MAX: usize = 256 * 1024;

/// The tree of the file; `None` when it cannot be read.
pub(crate) fn load(sink: &mut Sink<'_>) -> Option<Node> {
    if let Some(at) = sink.source().not_utf8_at() {
        let span = Span::new(at, at + 1);
        sink.report(codes::PROJECT, span, "the file is not UTF-8 text", "save it as UTF-8");
        return None;
    }
    let text = sink.source().text();
    if text.len() > SOURCE_BYTES_MAX {
        let message = format!("the file has more than {SOURCE_BYTES_MAX} bytes");
        sink.report(codes::PROJECT, Span::default(), message, "make it shorter");
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().map_or_else(Span::default, |range| span(&range));
        let message = format!("the TOML cannot be read: {}", error.message());
        sink.report(codes::PROJECT, span, message, "see https://toml.io for the syntax");
    }
    if !errors.is_empty() {
        return None;
    }
    let span = span(&table.span());
    Some(Node { span, content: map(table.get_ref()) })
}

fn span(range: &std::ops::Range<usize>) -> Span {
    Span::new(range.start, range.end)
}

fn map(table: &DeTable<'_>) -> Content {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_span: span(&key.span()),
            value: Node { span: span(&value.span()), content: content(value.get_ref()) },
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_span);
    Content::Map(entries)
}

fn content(value: &DeValue<'_>) -> Content {
    let text = |text: &str| Content::Text { text: text.to_owned(), style: Style::DoubleQuoted };
    match value {
        DeValue::String(string) => text(string),
        DeValue::Integer(integer) => {
            match i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()) {
                Ok(integer) => Content::Number(integer.into()),
                Err(_too_large) => text(integer.as_str()),
            }
        }
        DeValue::Float(float) => {
            let number = float.as_str().parse().ok().and_then(serde_json::Number::from_f64);
            number.map_or_else(|| text(float.as_str()), Content::Number)
        }
        DeValue::Boolean(value) => Content::Bool(*value),
        DeValue::Datetime(moment) => text(&moment.to_string()),
        DeValue::Array(items) => Content::List(
            items
                .iter()
                .map(|item| Node { span: span(&item.span()), content: content(item.get_ref()) })
                .collect(),
        ),
        DeValue::Table(table) => map(table),
    }
}
