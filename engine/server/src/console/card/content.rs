//! The request on a card: how the provider's own people would see it, where that is known, always the
//! whole body as a table, and the bytes themselves one click away. Nothing is left out: what is not
//! understood is shown as it is.

use super::mail::Mail;
use super::slack::Message;
use crate::console::text::{Block, Line};
use placet_executor::inbox::visible;
use serde_json::Value;
use std::fmt::Write as _;
use url::form_urlencoded;

/// Rows of a table at most; how many more there are is said, and the bytes have all.
const ROWS_MAX: usize = 1_000;

/// The request, ready for a template.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) erased: bool,
    pub(super) method: Line,
    pub(super) url: Line,
    pub(super) headers: Vec<(Line, Block)>,
    pub(super) slack: Option<Message>,
    pub(super) mail: Option<Mail>,
    /// Pieces of HTML in it, shown in frames.
    pub(super) frames: Vec<Line>,
    pub(super) rows: Vec<Row>,
    /// Rows that the table leaves to the bytes.
    pub(super) more: usize,
    /// A body that is neither JSON nor a form.
    pub(super) text: Option<Block>,
    pub(super) raw: String,
}

/// One value of a body.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) path: Line,
    pub(super) value: Block,
    pub(super) kind: &'static str,
}

/// A piece of HTML in a request.
#[derive(Debug)]
pub(super) struct HtmlPart {
    pub(super) name: String,
    pub(super) html: String,
}

impl Content {
    pub(super) fn of(card: &Value) -> Self {
        let request = &card["request"];
        let text = |key: &str| request[key].as_str().unwrap_or_default();
        let headers = request["headers"].as_object().into_iter().flatten();
        let headers = headers.map(|(name, value)| (Line::new(name), Block::of(value)));
        let operation = card["operation"].as_str().unwrap_or_default();
        let slack = operation.starts_with("slack.chat.").then(|| Message::of(&request["body"]));
        let mail = super::mime::message_of(request).map(|message| Mail::of(&message));
        let mut rows = vec![];
        let form = form_of(request);
        match &form {
            Some(pairs) => rows.extend(pairs.iter().map(|(name, value)| Row {
                path: Line::new(name),
                value: Block::new(value),
                kind: "text",
            })),
            None => walk(&request["body"], &mut String::new(), &mut rows),
        }
        let more = rows.len().saturating_sub(ROWS_MAX);
        rows.truncate(ROWS_MAX);
        let is_text = request["body"].is_string() && form.is_none() && mail.is_none();
        let frames = html_parts(request).iter().map(|part| Line::new(&part.name)).collect();
        Self {
            erased: !request.is_object(),
            method: Line::new(text("method")),
            url: Line::new(text("url")),
            headers: headers.collect(),
            slack: slack.flatten(),
            mail,
            frames,
            rows,
            more,
            text: is_text.then(|| Block::of(&request["body"])),
            raw: raw(request),
        }
    }
}

/// The request as it would leave, hidden characters written out, holes named.
pub(super) fn raw(request: &Value) -> String {
    let text = |key: &str| visible(request[key].as_str().unwrap_or_default());
    let mut out = format!("{} {}\n", text("method"), text("url"));
    let mut line = |name: &str, value: &str| {
        writeln!(out, "{name}: {value}").expect("a String takes all text");
    };
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        line(&visible(name), &visible(value.as_str().unwrap_or_default()));
    }
    out.push('\n');
    match (&request["body"], &request["body_base64"]) {
        (Value::Null, Value::Null) => {}
        (Value::Null, bytes) => {
            out.push_str("(no text; base64)\n");
            out.push_str(bytes.as_str().unwrap_or_default());
        }
        (Value::String(text), _) => out.push_str(&visible(text)),
        (value, _) => out.push_str(&visible(&format!("{value:#}"))),
    }
    out
}

/// The fields of a form in a body.
fn form_of(request: &Value) -> Option<Vec<(String, String)>> {
    let headers = request["headers"].as_object()?;
    let kind = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"))?.1;
    let is_form = kind.as_str()?.starts_with("application/x-www-form-urlencoded");
    let body = request["body"].as_str().filter(|_| is_form)?;
    Some(form_urlencoded::parse(body.as_bytes()).into_owned().collect())
}

/// Every value of a JSON body with its place; an empty list or object is one too.
fn walk(value: &Value, place: &mut String, rows: &mut Vec<Row>) {
    let mark = place.len();
    let kind = match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                place.push('/');
                place.push_str(name);
                walk(member, place, rows);
                place.truncate(mark);
            }
            return;
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                place.push('/');
                place.push_str(&index.to_string());
                walk(item, place, rows);
                place.truncate(mark);
            }
            return;
        }
        // a body that is one text has no places, and no body at all no rows
        Value::String(_) | Value::Null if place.is_empty() => return,
        Value::String(_) => "text",
        Value::Number(_) => "number",
        Value::Bool(_) => "yes or no",
        Value::Null => "nothing",
        Value::Array(_) => "empty list",
        Value::Object(_) => "empty object",
    };
    rows.push(Row { path: Line::new(place), value: Block::of(value), kind });
}

/// Every piece of HTML in a request: of a mail, or of a member that holds one by its name or by the
/// type that stands beside it.
pub(super) fn html_parts(request: &Value) -> Vec<HtmlPart> {
    let mut parts = vec![];
    if let Some(message) = super::mime::message_of(request) {
        let html = message.parts.into_iter().filter(|part| part.media == "text/html");
        parts.extend(
            html.map(|part| HtmlPart { name: "HTML of the mail".to_owned(), html: part.text }),
        );
    }
    match form_of(request) {
        Some(pairs) => parts.extend(
            pairs
                .into_iter()
                .filter(|(name, _)| is_html(name))
                .map(|(name, html)| HtmlPart { name, html }),
        ),
        None => find_html(&request["body"], &mut String::new(), &mut parts),
    }
    parts
}

fn find_html(value: &Value, place: &mut String, parts: &mut Vec<HtmlPart>) {
    let mark = place.len();
    match value {
        Value::Object(members) => {
            let typed = ["type", "contentType"].iter().any(|key| {
                members.get(*key).and_then(Value::as_str).is_some_and(|kind| {
                    kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("html")
                })
            });
            for (name, member) in members {
                place.push('/');
                place.push_str(name);
                match member {
                    Value::String(text)
                        if is_html(name)
                            || typed && matches!(name.as_str(), "value" | "content") =>
                    {
                        parts.push(HtmlPart { name: place.clone(), html: text.clone() });
                    }
                    member => find_html(member, place, parts),
                }
                place.truncate(mark);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                place.push('/');
                place.push_str(&index.to_string());
                find_html(item, place, parts);
                place.truncate(mark);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_html(name: &str) -> bool {
    matches!(name.to_ascii_lowercase().as_str(), "html" | "htmlbody" | "body_html" | "body-html")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_value_of_a_body_stands_in_the_table_with_its_place_and_kind() {
        let body = json!({"a": {"b": [1, "1"]}, "c": [], "d": null, "e": true});
        let card = json!({"operation": "x.y", "request": {"method": "POST", "url": "https://a.example", "headers": {}, "body": body}});
        let rows = Content::of(&card).rows;
        let told: Vec<String> =
            rows.iter().map(|row| format!("{} {} {}", row.path, row.value, row.kind)).collect();
        let expected = [
            "/a/b/0 1 number",
            "/a/b/1 1 text",
            "/c [] empty list",
            "/d null nothing",
            "/e true yes or no",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn the_fields_of_a_form_are_decoded() {
        let request = json!({
            "method": "POST", "url": "https://a.example",
            "headers": {"Content-Type": "application/x-www-form-urlencoded"},
            "body": "to=a%40b.example&html=%3Cb%3Ehi%3C%2Fb%3E",
        });
        let content = Content::of(&json!({"operation": "x.y", "request": request}));
        assert_eq!(content.rows[0].value.to_string(), "a@b.example");
        assert!(content.text.is_none());
        assert_eq!(html_parts(&request)[0].html, "<b>hi</b>");
    }

    #[test]
    fn html_is_found_by_name_and_by_the_type_beside_it() {
        let request = json!({"body": {
            "content": [{"type": "text/plain", "value": "no"}, {"type": "text/html", "value": "<i>"}],
            "HtmlBody": "<b>",
        }});
        let names: Vec<String> = html_parts(&request).into_iter().map(|part| part.name).collect();
        assert_eq!(names, ["/content/1/value", "/HtmlBody"]);
    }
}
