//! A schema as one flat object: references followed, `allOf` merged, one branch of each union
//! taken. What the merge cannot express is left to the validator.

use super::{Error, Walk};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Keywords that bring other schemas with them.
const JOINING: [&str; 6] = ["$ref", "allOf", "oneOf", "anyOf", "if", "dependentSchemas"];
/// References followed in a row.
const REFERENCES_MAX: usize = 32;

impl Walk<'_> {
    /// `true` is the empty schema; `false` cannot be satisfied.
    pub(super) fn resolved<'s>(&mut self, schema: &'s Value) -> Result<Cow<'s, Value>, Error> {
        let joins =
            |fields: &Map<String, Value>| JOINING.iter().any(|word| fields.contains_key(*word));
        if schema.as_object().is_some_and(|fields| !joins(fields)) {
            return Ok(Cow::Borrowed(schema));
        }
        let flat = self.flat(schema, 0)?;
        self.branch_taken(flat).map(Cow::Owned)
    }

    fn flat(&self, schema: &Value, references: usize) -> Result<Value, Error> {
        let fields = match schema {
            Value::Bool(true) => return Ok(Value::Object(Map::new())),
            Value::Bool(false) => return Err(self.stuck("nothing is allowed here")),
            Value::Object(fields) => fields,
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(self.stuck("this is no schema"));
            }
        };
        if references > REFERENCES_MAX {
            return Err(self.stuck("the references go in a circle"));
        }
        let mut flat = fields.clone();
        if let Some(reference) = flat.remove("$ref") {
            let target = self.referenced(&reference)?;
            let target = self.flat(target, references + 1)?;
            flat = merged(flat, &target);
        }
        if let Some(Value::Array(parts)) = flat.remove("allOf") {
            for part in parts {
                let part = self.flat(&part, references + 1)?;
                flat = merged(flat, &part);
            }
        }
        // what a member brings that has to be there
        if let Some(Value::Object(dependents)) = flat.get("dependentSchemas").cloned() {
            for (name, part) in dependents {
                let names = flat.get("required").and_then(Value::as_array);
                if names.is_some_and(|names| names.iter().any(|required| *required == name)) {
                    flat = merged(flat, &self.flat(&part, references + 1)?);
                }
            }
        }
        Ok(Value::Object(flat))
    }

    fn referenced(&self, reference: &Value) -> Result<&Value, Error> {
        let pointer = reference.as_str().and_then(|text| text.strip_prefix('#'));
        let found = pointer.and_then(|pointer| {
            let plain = pointer.replace("%25", "%").replace("%7B", "{").replace("%7D", "}");
            match plain.as_str() {
                "" => Some(self.root),
                anchor if !anchor.starts_with('/') => anchored(self.root, anchor),
                plain => self.root.pointer(plain),
            }
        });
        found.ok_or_else(|| self.stuck("a reference leads nowhere"))
    }
}

/// The schema that calls itself so.
fn anchored<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    if schema.get("$anchor").is_some_and(|anchor| anchor == name) {
        return Some(schema);
    }
    match schema {
        Value::Object(fields) => fields.values().find_map(|inner| anchored(inner, name)),
        Value::Array(items) => items.iter().find_map(|inner| anchored(inner, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Both schemas at once, as far as one object can say it. Keywords of `more` win where two cannot
/// be joined; the validator has the last word.
pub(super) fn merged(base: Map<String, Value>, more: &Value) -> Map<String, Value> {
    let mut out = base;
    for (keyword, theirs) in more.as_object().into_iter().flatten() {
        let joined = match out.get(keyword) {
            Some(ours) => joined(keyword, ours, theirs),
            None => theirs.clone(),
        };
        out.insert(keyword.clone(), joined);
    }
    out
}

fn joined(keyword: &str, ours: &Value, theirs: &Value) -> Value {
    match keyword {
        "properties" | "patternProperties" | "$defs" => joined_properties(ours, theirs),
        "required" => union_of(ours, theirs),
        "enum" => intersection_of(ours, theirs),
        "type" => intersection_of(&listed(ours), &listed(theirs)),
        "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties" => {
            if theirs.as_f64() > ours.as_f64() { theirs.clone() } else { ours.clone() }
        }
        "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties" => {
            if theirs.as_f64() < ours.as_f64() { theirs.clone() } else { ours.clone() }
        }
        "items" | "additionalProperties" | "contains" | "propertyNames" => both(ours, theirs),
        "anyOf" | "oneOf" => ours.clone(),
        _ => theirs.clone(),
    }
}

fn both(ours: &Value, theirs: &Value) -> Value {
    match (ours, theirs) {
        (Value::Bool(true), other) | (other, Value::Bool(true)) => other.clone(),
        _ if ours == theirs => ours.clone(),
        _ => serde_json::json!({ "allOf": [ours, theirs] }),
    }
}

fn joined_properties(ours: &Value, theirs: &Value) -> Value {
    let mut out = ours.as_object().cloned().unwrap_or_default();
    for (name, schema) in theirs.as_object().into_iter().flatten() {
        let joined = out.get(name).map_or_else(|| schema.clone(), |ours| both(ours, schema));
        out.insert(name.clone(), joined);
    }
    Value::Object(out)
}

fn listed(value: &Value) -> Value {
    if value.is_array() { value.clone() } else { Value::Array(vec![value.clone()]) }
}

fn union_of(ours: &Value, theirs: &Value) -> Value {
    let mut out = ours.as_array().cloned().unwrap_or_default();
    let missing: Vec<Value> = theirs
        .as_array()
        .into_iter()
        .flatten()
        .filter(|value| !out.contains(value))
        .cloned()
        .collect();
    out.extend(missing);
    Value::Array(out)
}

fn intersection_of(ours: &Value, theirs: &Value) -> Value {
    let empty = Vec::new();
    let theirs = theirs.as_array().unwrap_or(&empty);
    let whole = theirs.iter().any(|word| word == "number");
    let kept = ours
        .as_array()
        .into_iter()
        .flatten()
        .filter(|value| theirs.contains(value) || (whole && *value == "integer"));
    Value::Array(kept.cloned().collect())
}
