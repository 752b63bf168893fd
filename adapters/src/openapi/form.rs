//! The fields of a form, in order, with the places that they came from.

use super::style::pointer;
use crate::json::scalar_text;
use placet_model::plan::ApiBody;
use serde_json::Value;

/// One `name=value` of a form.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) text: String,
    /// Where in the body's value it stood.
    pub(super) from: String,
}

/// A list is its name repeated, or indexed where the document says so; an object is its keys in
/// brackets; null is nothing.
pub(super) fn fields(body: &ApiBody, value: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        let from = pointer(&[key]);
        match value {
            Value::Array(items) if !body.indexed.contains(key) => {
                for (index, item) in items.iter().enumerate() {
                    flatten(key, &format!("{from}/{index}"), item, &mut fields);
                }
            }
            value => flatten(key, &from, value, &mut fields),
        }
    }
    fields
}

fn flatten(name: &str, from: &str, value: &Value, fields: &mut Vec<Field>) {
    match value {
        Value::Null => {}
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{name}[{index}]"), &format!("{from}/{index}"), item, fields);
            }
        }
        Value::Object(members) => {
            for (key, value) in members {
                let from = format!("{from}{}", pointer(&[key]));
                flatten(&format!("{name}[{key}]"), &from, value, fields);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let text = scalar_text(value).expect("a scalar has a text");
            fields.push(Field { name: name.to_owned(), text, from: from.to_owned() });
        }
    }
}
