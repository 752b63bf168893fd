//! The body: JSON, a form or text, by its content type; with the holes that stand in it.

use super::holes::{Holes, below};
use super::request::joined;
use super::{is_json_media, media_type};
use crate::json::to_bytes;
use crate::render::{Error, body_form, encode};
use placet_model::request::{Body, HoledText, Part};
use serde_json::Value;

const PLACE: &str = "/body";
const FORM: &str = "application/x-www-form-urlencoded";

pub(super) fn body(
    value: &Value,
    holes: &Holes,
    headers: &mut Vec<(String, HoledText)>,
) -> Result<Body, Error> {
    let media = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        .map(|(_, value)| value.as_plain().ok_or(Error::Hole { reason: "the content type is one" }))
        .transpose()?
        .map(|value| media_type(&value));
    let is_json = media.as_deref().is_none_or(is_json_media);
    let is_open = !holes.is_empty() && holes.any_in(PLACE);
    let body = match (value, media.as_deref()) {
        (_, _) if is_json && is_open => Body::Text(json(value, holes)),
        (_, _) if is_json => Body::Bytes(to_bytes(value)),
        (Value::String(_), Some(FORM)) if is_open => {
            return Err(Error::Body { reason: "a secret is the value of a key of a form" });
        }
        (Value::String(text), Some(_)) => match holes.at(PLACE) {
            Some(hole) => Body::Text(HoledText(vec![Part::Hole(hole.clone())])),
            None => Body::Bytes(text.clone().into_bytes()),
        },
        (Value::Number(_) | Value::Bool(_), Some(_)) => Body::Bytes(to_bytes(value)),
        (Value::Object(_) | Value::Array(_), Some(FORM)) if is_open => {
            Body::Text(form(value, holes)?)
        }
        (Value::Object(_) | Value::Array(_), Some(FORM)) => {
            Body::Bytes(body_form(value)?.into_bytes())
        }
        _ => return Err(Error::Body { reason: "its content type takes text" }),
    };
    if media.is_none() {
        headers.push(("Content-Type".to_owned(), HoledText::plain("application/json")));
    }
    Ok(body)
}

/// The bytes of [`to_bytes`], cut at the holes: what is filled in stands between quotes.
fn json(value: &Value, holes: &Holes) -> HoledText {
    let mut parts = Vec::new();
    write_json(value, PLACE, holes, &mut parts);
    joined(HoledText(parts))
}

fn write_json(value: &Value, place: &str, holes: &Holes, parts: &mut Vec<Part>) {
    let text = |text: String| Part::Text(text);
    let written = |value: &Value| String::from_utf8(to_bytes(value)).expect("JSON is UTF-8");
    if let Some(hole) = holes.at(place) {
        parts.extend([text("\"".into()), Part::Hole(hole.clone()), text("\"".into())]);
        return;
    }
    match value {
        Value::Array(items) if holes.any_in(place) => {
            for (index, item) in items.iter().enumerate() {
                parts.push(text(if index == 0 { "[" } else { "," }.to_owned()));
                write_json(item, &below(place, &index.to_string()), holes, parts);
            }
            parts.push(text("]".into()));
        }
        Value::Object(members) if holes.any_in(place) => {
            for (index, (key, member)) in members.iter().enumerate() {
                let start = if index == 0 { "{" } else { "," };
                let key_text = written(&Value::String(key.clone()));
                parts.push(text(format!("{start}{key_text}:")));
                write_json(member, &below(place, key), holes, parts);
            }
            parts.push(text("}".into()));
        }
        value => parts.push(text(written(value))),
    }
}

/// A form whose holes are whole values of its first level.
fn form(value: &Value, holes: &Holes) -> Result<HoledText, Error> {
    let deep = || Error::Body { reason: "a secret is a value of a form's first level" };
    let mut fields: Vec<(&str, &Value, String)> = Vec::new();
    match value {
        Value::Array(pairs) => {
            for (index, pair) in pairs.iter().enumerate() {
                let name = pair[0].as_str().ok_or_else(deep)?;
                let place = below(&below(PLACE, &index.to_string()), "1");
                fields.push((name, &pair[1], place));
            }
        }
        other => {
            for (name, field) in other.as_object().into_iter().flatten() {
                fields.push((name, field, below(PLACE, name)));
            }
        }
    }
    let mut parts = Vec::new();
    for (name, field, place) in fields {
        let mark = if parts.is_empty() { "" } else { "&" };
        if let Some(hole) = holes.at(&place) {
            parts.push(Part::Text(format!("{mark}{}=", encode(name))));
            parts.push(Part::Hole(hole.clone()));
            continue;
        }
        let pair = body_form(&serde_json::json!([[name, field]]))?;
        if !pair.is_empty() {
            parts.push(Part::Text(format!("{mark}{pair}")));
        }
    }
    Ok(joined(HoledText(parts)))
}
