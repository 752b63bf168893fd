//! The fields of a form that a schema asks for, and what somebody has written into them.

use super::form::Form;
use crate::problem::Problem;
use serde_json::{Map, Value};

const NUMBER_OR_TEXT: &str = "number or text";

/// A field.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) hint: String,
    pub(crate) kind: String,
    pub(crate) usual: String,
    /// Words among which one chooses.
    pub(crate) words: Vec<String>,
    pub(crate) is_required: bool,
}

/// The members of an object's schema.
pub(crate) fn of(schema: Option<&Value>) -> Vec<Field> {
    let Some(document) = schema else { return vec![] };
    let required = document["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    let members = document["properties"].as_object().into_iter().flatten();
    let field = |(name, member): (&String, &Value)| Field {
        name: name.clone(),
        hint: member["description"].as_str().unwrap_or_default().to_owned(),
        kind: kind(member),
        usual: match &member["default"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        },
        words: member["enum"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect(),
        is_required: required.iter().any(|known| known == name),
    };
    members.map(field).collect()
}

/// The type of a member; `number or text` where it may be a whole number or something else.
fn kind(member: &Value) -> String {
    let forms = member["anyOf"].as_array().into_iter().flatten();
    let types =
        member["type"].as_array().into_iter().flatten().chain(forms.map(|form| &form["type"]));
    if types.into_iter().any(|known| known == "integer") {
        return NUMBER_OR_TEXT.to_owned();
    }
    member["type"].as_str().unwrap_or_default().to_owned()
}

/// What was written into the fields `PREFIX.NAME`; an empty one is left out. What is no text by its
/// schema is read as JSON.
pub(crate) fn given(form: &Form, prefix: &str, fields: &[Field]) -> Result<Value, Problem> {
    let mut object = Map::new();
    for field in fields {
        let name = format!("{prefix}.{}", field.name);
        let Some(text) = form.text(&name) else { continue };
        let value = match field.kind.as_str() {
            "string" | "" => Value::from(text),
            NUMBER_OR_TEXT => text.parse::<i64>().map_or_else(|_text| text.into(), Value::from),
            kind => serde_json::from_str(text).map_err(|_error| {
                Problem::malformed(format!("form: {} must be JSON of the type {kind}", field.name))
            })?,
        };
        object.insert(field.name.clone(), value);
    }
    Ok(if object.is_empty() { Value::Null } else { Value::Object(object) })
}
