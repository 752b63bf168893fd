//! The JSON Schema of the profile, for editors: the shipped text with the operations of a project
//! put in.
//!
//! An editor must never call wrong what a check accepts. So `with` of an operation takes an
//! expression wherever its input schema wants a value, and rules that an expression could meet when
//! it runs are left out. What only a check can know it says.

use placet_model::manifest::{Catalogue, OperationInfo};
use placet_schemas::{Error, Registry, WORKFLOW};
use serde_json::{Map, Value, json};

use crate::parse::alias_of;

/// Keywords whose verdict an expression inside may turn around.
const LEFT_OUT: &[&str] = &[
    "$schema",
    "$id",
    "if",
    "then",
    "else",
    "not",
    "contains",
    "minContains",
    "maxContains",
    "uniqueItems",
    "dependentSchemas",
    "unevaluatedProperties",
    "unevaluatedItems",
];

/// The schema with the `with` of every operation of the catalogue.
///
/// # Errors
/// Where the shipped text cannot be used, which would be a bug.
pub fn profile_schema(catalogue: &Catalogue) -> Result<Value, Error> {
    let mut schema = Registry::new().shipped(WORKFLOW)?.document().clone();
    // Which operation an HTTP call is follows from its method: none of them is called by name.
    let operations = catalogue.operations.values().filter(|operation| operation.provider != "http");
    let mut names = vec!["http".to_owned(), "openapi".to_owned()];
    for operation in operations {
        names.push(operation.name.clone());
        add(&mut schema, operation);
    }
    if let Some(Value::Object(call)) = schema.pointer_mut("/$defs/callName") {
        // The second way is for functions; the first is what an editor proposes.
        call.insert("anyOf".to_owned(), json!([{ "enum": names }, {}]));
    }
    Ok(schema)
}

/// Puts one operation's `with` in, unless its schema has a form that cannot be moved.
fn add(schema: &mut Value, operation: &OperationInfo) {
    let key = format!("with.{}", operation.name);
    let Some(with) = moved(&operation.input_schema, &key, At::Top) else { return };
    let needs = operation.input_schema.get("required").and_then(Value::as_array);
    let mut then = json!({ "properties": { "with": { "$ref": format!("#/$defs/{key}") } } });
    if needs.is_some_and(|needs| !needs.is_empty()) {
        then["required"] = json!(["with"]);
    }
    let called = json!({ "enum": [operation.name, alias_of(&operation.name)] });
    let rule =
        json!({ "if": { "properties": { "call": called }, "required": ["call"] }, "then": then });
    if let Some(Value::Array(rules)) = schema.pointer_mut("/$defs/callTask/allOf") {
        rules.push(rule);
    }
    if let Some(Value::Object(definitions)) = schema.pointer_mut("/$defs") {
        definitions.insert(key, with);
    }
}

/// Which part of an input schema is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// The map under `with`, which also takes our own key.
    Top,
    /// A value in it.
    Inside,
}

/// A schema under its new place `/$defs/<key>`; `None` when it refers to a place that has moved.
fn moved(schema: &Value, key: &str, at: At) -> Option<Value> {
    let Value::Object(members) = schema else { return Some(schema.clone()) };
    let mut out = Map::new();
    for (keyword, value) in members.iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str())) {
        let (keyword, value) = match keyword.as_str() {
            "$ref" => (keyword.as_str(), reference(value, key)?.into()),
            "properties" | "patternProperties" => (keyword.as_str(), each(value, key, value_of)?),
            "$defs" | "definitions" => (keyword.as_str(), each(value, key, inside)?),
            "additionalProperties" | "items" => (keyword.as_str(), value_of(value, key)?),
            "prefixItems" => (keyword.as_str(), all(value, |item| value_of(item, key))?),
            // An expression may match several ways at once.
            "oneOf" if members.contains_key("anyOf") => continue,
            "oneOf" => ("anyOf", all(value, |way| moved(way, key, at))?),
            "allOf" | "anyOf" => (keyword.as_str(), all(value, |way| moved(way, key, at))?),
            "minProperties" | "maxProperties" if at == At::Top => continue,
            other => (other, value.clone()),
        };
        out.insert(keyword.to_owned(), value);
    }
    let closed = members.get("additionalProperties").is_some_and(|more| *more != json!(true));
    if at == At::Top && (closed || members.contains_key("properties")) {
        let properties = out.entry("properties").or_insert_with(|| json!({}));
        properties["integration"] = json!({
            "type": "string",
            "not": { "pattern": "\\$\\{" },
            "description": "A configured connection; the provider's default one if left out.",
        });
    }
    Some(Value::Object(out))
}

/// Where a reference of the operation's schema leads after the move.
fn reference(value: &Value, key: &str) -> Option<String> {
    let rest = value.as_str()?.strip_prefix('#')?;
    let is_definition = ["/$defs/", "/definitions/"]
        .iter()
        .any(|prefix| rest.strip_prefix(prefix).is_some_and(|name| !name.contains('/')));
    (rest.is_empty() || is_definition).then(|| format!("#/$defs/{key}{rest}"))
}

/// A value as it may be written: an expression, or what the schema says.
fn value_of(schema: &Value, key: &str) -> Option<Value> {
    match schema {
        Value::Object(members) if members.is_empty() => Some(json!({ "$ref": "#/$defs/template" })),
        Value::Object(_) => {
            let literal = moved(schema, key, At::Inside)?;
            Some(json!({ "anyOf": [{ "$ref": "#/$defs/expression" }, literal] }))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Some(schema.clone())
        }
    }
}

fn inside(schema: &Value, key: &str) -> Option<Value> {
    moved(schema, key, At::Inside)
}

fn each(map: &Value, key: &str, of: fn(&Value, &str) -> Option<Value>) -> Option<Value> {
    let entries = map.as_object()?.iter();
    entries.map(|(name, schema)| Some((name.clone(), of(schema, key)?))).collect()
}

fn all(list: &Value, of: impl Fn(&Value) -> Option<Value>) -> Option<Value> {
    list.as_array()?.iter().map(of).collect()
}
