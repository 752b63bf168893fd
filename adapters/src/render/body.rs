//! Bodies: JSON written once in authored order, and forms with nested keys (`metadata[k]=v`). A secret in a
//! JSON body stays open between its quotes ([`holed_json`]); no other body has holes.

use super::url::encode;
use super::{Error, multipart};
use crate::http_call::joined;
use crate::json::{scalar_text, to_bytes};
use crate::manifest::BodyTemplate;
use crate::template::{Scope, Segment, ValueTemplate};
use placet_model::request::{Body, HoledText, Part};
use serde_json::{Value, json};

const FORM: &str = "application/x-www-form-urlencoded";

/// The body and its media type; `None` where the whole of it is optional and absent.
pub(super) fn from_template(
    template: &BodyTemplate,
    scope: &Scope<'_>,
    segment: &dyn Fn(Segment<'_>) -> Part,
) -> Result<Option<(Body, String)>, Error> {
    if let BodyTemplate::Json(value) = template
        && value.has_hole()
    {
        let mut parts = vec![];
        holed_json(value, scope, segment, &mut parts)?;
        return Ok(Some((Body::Text(joined(HoledText(parts))), "application/json".to_owned())));
    }
    let body = plain(template, scope)?;
    Ok(body.map(|(bytes, media)| (Body::Bytes(bytes), media)))
}

/// JSON as [`to_bytes`] writes it, cut at the holes: what is filled in stands between quotes. Which parts have
/// holes, the check at load has allowed. Nothing is written where all of it is absent.
fn holed_json(
    template: &ValueTemplate,
    scope: &Scope<'_>,
    segment: &dyn Fn(Segment<'_>) -> Part,
    parts: &mut Vec<Part>,
) -> Result<(), Error> {
    let text = |text: &str| Part::Text(text.to_owned());
    let written = |value: &Value| String::from_utf8(to_bytes(value)).expect("JSON is UTF-8");
    match template {
        ValueTemplate::Text(leaf) if leaf.has_hole() => {
            let Some(segments) = leaf.segments(scope)? else { return Ok(()) };
            parts.push(text("\""));
            for one in segments {
                parts.push(match one {
                    Segment::Text(stretch) => {
                        let quoted = written(&Value::String(stretch));
                        text(&quoted[1..quoted.len() - 1])
                    }
                    hole @ Segment::Hole(_) => segment(hole),
                });
            }
            parts.push(text("\""));
        }
        ValueTemplate::Array(items) if template.has_hole() => {
            let mut open = "[";
            for item in items {
                separated(text(open), parts, |parts| holed_json(item, scope, segment, parts))
                    .map(|written| open = if written { "," } else { open })?;
            }
            parts.push(text(if open == "[" { "[]" } else { "]" }));
        }
        ValueTemplate::Object(fields) if template.has_hole() => {
            let mut open = "{";
            for (key, field) in fields {
                let start = format!("{open}{}:", written(&Value::String(key.clone())));
                separated(text(&start), parts, |parts| holed_json(field, scope, segment, parts))
                    .map(|written| open = if written { "," } else { open })?;
            }
            parts.push(text(if open == "{" { "{}" } else { "}" }));
        }
        plain => parts.extend(plain.value(scope)?.map(|value| text(&written(&value)))),
    }
    Ok(())
}

/// Writes a part behind its separator; neither where it writes nothing.
fn separated(
    start: Part,
    parts: &mut Vec<Part>,
    write: impl FnOnce(&mut Vec<Part>) -> Result<(), Error>,
) -> Result<bool, Error> {
    let mark = parts.len();
    parts.push(start);
    write(parts)?;
    let is_written = parts.len() > mark + 1;
    if !is_written {
        parts.truncate(mark);
    }
    Ok(is_written)
}

fn plain(template: &BodyTemplate, scope: &Scope<'_>) -> Result<Option<(Vec<u8>, String)>, Error> {
    let (BodyTemplate::Json(value)
    | BodyTemplate::Form(value)
    | BodyTemplate::RepeatingForm(value)
    | BodyTemplate::Mail(value)
    | BodyTemplate::Multipart(value)) = template;
    let Some(value) = value.value(scope)? else { return Ok(None) };
    Ok(Some(match template {
        BodyTemplate::Json(_) => (to_bytes(&value), "application/json".to_owned()),
        BodyTemplate::Form(_) => (form(&value)?.into_bytes(), FORM.to_owned()),
        BodyTemplate::RepeatingForm(_) => (form(&repeated(value))?.into_bytes(), FORM.to_owned()),
        BodyTemplate::Multipart(_) => multipart::body(&value, scope.send_id)?,
        BodyTemplate::Mail(_) => {
            return Err(Error::Body { reason: "a mail goes to a mail server" });
        }
    }))
}

/// Each item of a list becomes a field of the list's name.
fn repeated(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let pairs = fields.into_iter().flat_map(|(name, field)| match field {
        Value::Array(items) => items.into_iter().map(|item| json!([name, item])).collect(),
        single => vec![json!([name, single])],
    });
    Value::Array(pairs.collect())
}

/// `a=1&metadata[k]=v&list[0]=x`, keys in authored order, null left out. A list of `[name, value]`
/// is a form too: there a name may come more than once.
pub(crate) fn form(value: &Value) -> Result<String, Error> {
    let refuse = || Error::Body { reason: "a form is an object, or a list of [name, value]" };
    let mut pairs = Vec::new();
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                flatten(&encode(name), field, &mut pairs);
            }
        }
        Value::Array(fields) => {
            for field in fields {
                let [name, field] = field.as_array().map(Vec::as_slice).unwrap_or_default() else {
                    return Err(refuse());
                };
                flatten(&encode(name.as_str().ok_or_else(refuse)?), field, &mut pairs);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Err(refuse()),
    }
    Ok(pairs.join("&"))
}

fn flatten(name: &str, value: &Value, pairs: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{name}[{index}]"), item, pairs);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                flatten(&format!("{name}[{}]", encode(key)), field, pairs);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let text = scalar_text(value).expect("a scalar has a text");
            pairs.push(format!("{name}={}", encode(&text)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_nests_keys_in_brackets_and_encodes_what_could_split_it() {
        let value =
            json!({"amount": 100, "metadata": {"a&b": "c=d"}, "list": ["x", null], "none": null});
        assert_eq!(form(&value).unwrap(), "amount=100&metadata[a%26b]=c%3Dd&list[0]=x");
        let pairs = json!([["tag", "a b"], ["tag", "c"], ["n", null]]);
        assert_eq!(form(&pairs).unwrap(), "tag=a%20b&tag=c");
        for bad in [json!([1]), json!([["a"]]), json!([[1, "a"]]), json!("a=b")] {
            assert!(form(&bad).is_err(), "{bad}");
        }
    }
}
