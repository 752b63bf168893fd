//! Objects: the required keys, the declared optional ones near the top, further keys only to reach
//! a minimum.

use super::pattern::{matches, text_for};
use super::{Error, OPTIONAL_DEPTH, Walk, count_of};
use serde_json::{Map, Value};
use std::borrow::Cow;

impl Walk<'_> {
    pub(super) fn object(&mut self, schema: &Value) -> Result<Value, Error> {
        let empty = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&empty);
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let count = |keyword: &str| count_of(schema, keyword);
        let max = count("maxProperties").unwrap_or(usize::MAX);
        let optional_wanted = self.depth() < OPTIONAL_DEPTH && self.attempt % 4 != 3;
        let mut out = Map::new();
        for name in properties.keys().map(String::as_str).filter(|name| required.contains(name)) {
            self.member(&mut out, schema, name)?;
        }
        for name in required.iter().filter(|name| !properties.contains_key(**name)) {
            self.member(&mut out, schema, name)?;
        }
        if optional_wanted {
            for name in properties.keys().filter(|name| !required.contains(&name.as_str())) {
                if out.len() >= max {
                    break;
                }
                // an optional member that cannot be made is left out
                if self.member(&mut out, schema, name).is_err() {
                    out.remove(name);
                }
            }
        }
        self.dependents(&mut out, schema)?;
        self.fill_up(&mut out, schema, count("minProperties").unwrap_or(0))?;
        Ok(Value::Object(in_declared_order(out, properties)))
    }

    fn member(
        &mut self,
        out: &mut Map<String, Value>,
        schema: &Value,
        name: &str,
    ) -> Result<(), Error> {
        let member = member_schema(schema, name);
        let value = self.child(&member, name.replace('~', "~0").replace('/', "~1"), name)?;
        out.insert(name.to_owned(), value);
        Ok(())
    }

    /// `dependentRequired`: a key that is there brings others.
    fn dependents(&mut self, out: &mut Map<String, Value>, schema: &Value) -> Result<(), Error> {
        let Some(dependents) = schema["dependentRequired"].as_object() else { return Ok(()) };
        for (name, others) in dependents {
            if !out.contains_key(name) {
                continue;
            }
            for other in others.as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !out.contains_key(other) {
                    self.member(out, schema, other)?;
                }
            }
        }
        Ok(())
    }

    /// Keys beyond the declared ones, from `propertyNames`, a pattern, or plain letters.
    fn fill_up(
        &mut self,
        out: &mut Map<String, Value>,
        schema: &Value,
        min: usize,
    ) -> Result<(), Error> {
        let declared: Vec<&String> =
            schema["properties"].as_object().into_iter().flat_map(Map::keys).collect();
        for name in declared {
            if out.len() < min && !out.contains_key(name) {
                self.member(out, schema, name)?;
            }
        }
        let pattern =
            schema["patternProperties"].as_object().and_then(|patterns| patterns.keys().next());
        for turn in 0..min.saturating_mul(2) {
            if out.len() >= min {
                break;
            }
            let listed = schema["propertyNames"]["enum"].as_array();
            let listed = listed.and_then(|names| names.get(turn % names.len().max(1))?.as_str());
            if let Some(name) = listed {
                self.member(out, schema, name)?;
                continue;
            }
            let name = match (schema.get("propertyNames"), pattern) {
                (Some(names), _) => {
                    self.value(names, "key")?.as_str().unwrap_or_default().to_owned()
                }
                (None, Some(pattern)) => {
                    text_for(pattern, &mut self.choices, 3).unwrap_or_default()
                }
                (None, None) => format!("key_{turn}"),
            };
            self.member(out, schema, &name)?;
        }
        Ok(())
    }
}

/// A member's schema: its property, every pattern that matches its name, else the rest.
fn member_schema<'s>(schema: &'s Value, name: &str) -> Cow<'s, Value> {
    let mut parts: Vec<&Value> = schema["properties"].get(name).into_iter().collect();
    for (pattern, part) in schema["patternProperties"].as_object().into_iter().flatten() {
        if matches(pattern, name) == Some(true) {
            parts.push(part);
        }
    }
    match parts.as_slice() {
        [] => Cow::Borrowed(schema.get("additionalProperties").unwrap_or(&Value::Bool(true))),
        [part] => Cow::Borrowed(part),
        parts => Cow::Owned(serde_json::json!({ "allOf": parts })),
    }
}

/// Declared keys first, in the schema's order: answers read like the provider's documents.
fn in_declared_order(
    mut out: Map<String, Value>,
    properties: &Map<String, Value>,
) -> Map<String, Value> {
    let mut ordered = Map::with_capacity(out.len());
    for name in properties.keys() {
        if let Some(value) = out.shift_remove(name) {
            ordered.insert(name.clone(), value);
        }
    }
    ordered.extend(out);
    ordered
}
