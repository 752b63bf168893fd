//! A schema of a document → one that stands alone: references become `$defs`, what `OpenAPI` 3.0 and
//! Swagger 2.0 say in their own words becomes JSON Schema 2020-12.

use super::super::Error;
use super::super::reference::follow;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};

/// Bytes of definitions that one schema carries; what lies farther from its root than that is told
/// by its type alone, so that a vendor's whole model does not stand in every file.
const DEFINITIONS_BYTES_MAX: usize = 64 << 10;
/// Levels within one definition.
const DEPTH_MAX: usize = 40;
/// Longest description that is kept, in characters.
const DESCRIPTION_MAX: usize = 200;

/// Which way the value goes: `readOnly` never goes out, `writeOnly` never comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Out,
    Back,
}

/// A schema that names nothing outside itself.
pub(super) struct Bundled {
    pub(super) schema: Value,
    /// Definitions of which only the type was kept.
    pub(super) cut: usize,
}

/// # Errors
/// A reference out of the document, to nothing or in a circle; nesting without end.
pub(super) fn bundle(document: &Value, schema: &Value, way: Way) -> Result<Bundled, Error> {
    let is_31 = document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1"));
    let mut bundler =
        Bundler { document, way, is_31, names: BTreeMap::new(), queue: VecDeque::new() };
    let mut root = bundler.convert(follow(document, schema)?, 0)?;
    let (mut definitions, mut bytes, mut cut) = (Map::new(), 0, 0);
    while let Some((name, reference)) = bundler.queue.pop_front() {
        let target = follow(document, &json!({ "$ref": reference }))?.clone();
        let stub = match target["type"].as_str() {
            Some(kind) if target["nullable"] != true => json!({ "type": kind }),
            _ => json!({}),
        };
        let full = if bytes > DEFINITIONS_BYTES_MAX {
            cut += 1;
            stub
        } else {
            bundler.convert(&target, 0)?
        };
        bytes += full.to_string().len();
        definitions.insert(name, full);
    }
    if !definitions.is_empty() {
        match &mut root {
            Value::Object(fields) => {
                fields.insert("$defs".to_owned(), Value::Object(definitions));
            }
            other => *other = json!({ "allOf": [other.clone()], "$defs": definitions }),
        }
    }
    Ok(Bundled { schema: root, cut })
}

struct Bundler<'d> {
    document: &'d Value,
    way: Way,
    is_31: bool,
    names: BTreeMap<String, String>,
    queue: VecDeque<(String, String)>,
}

impl Bundler<'_> {
    fn convert(&mut self, schema: &Value, depth: usize) -> Result<Value, Error> {
        let Value::Object(fields) = schema else { return Ok(schema.clone()) };
        if depth > DEPTH_MAX {
            let reference = "a schema".to_owned();
            return Err(Error::Reference { reference, reason: "it is nested without end" });
        }
        let mut out = Map::new();
        if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
            follow(self.document, schema)?;
            out.insert("$ref".to_owned(), Value::String(self.definition(reference)));
            if !self.is_31 {
                return Ok(Value::Object(out));
            }
        }
        for (key, value) in fields {
            if let Some(value) = self.keyword(key, value, depth)? {
                out.insert(key.clone(), value);
            }
        }
        if let Some(Value::Array(list)) = fields.get("items") {
            let list = list.iter().map(|one| self.convert(one, depth + 1));
            out.insert("prefixItems".to_owned(), Value::Array(list.collect::<Result<_, _>>()?));
        }
        if let Some(example) = fields.get("example") {
            out.insert("examples".to_owned(), json!([example]));
        }
        bounds(&mut out, "exclusiveMinimum", "minimum");
        bounds(&mut out, "exclusiveMaximum", "maximum");
        self.leave_out_one_way(fields, &mut out);
        let nullable = fields.get("nullable").or_else(|| fields.get("x-nullable"));
        Ok(if nullable == Some(&Value::Bool(true)) { or_null(out) } else { Value::Object(out) })
    }

    fn keyword(&mut self, key: &str, value: &Value, depth: usize) -> Result<Option<Value>, Error> {
        Ok(match (key, value) {
            ("properties" | "patternProperties" | "dependentSchemas", Value::Object(members)) => {
                let mut out = Map::new();
                for (name, member) in members {
                    out.insert(name.clone(), self.convert(member, depth + 1)?);
                }
                Some(Value::Object(out))
            }
            ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(list)) => {
                let list = list.iter().map(|one| self.convert(one, depth + 1));
                Some(Value::Array(list.collect::<Result<_, _>>()?))
            }
            // draft 4's form, which the versions before 3.1 do not allow and vendors write all the same
            ("items", Value::Array(_)) => None,
            (
                "items"
                | "additionalProperties"
                | "not"
                | "contains"
                | "propertyNames"
                | "if"
                | "then"
                | "else"
                | "unevaluatedProperties"
                | "unevaluatedItems",
                value,
            ) => Some(self.convert(value, depth + 1)?),
            ("description", Value::String(text)) => Some(Value::String(shortened(text))),
            ("type", Value::String(kind)) if kind == "file" => Some(json!("string")),
            ("required", Value::Array(_)) => Some(value.clone()),
            ("examples", Value::Array(_)) if self.is_31 => Some(value.clone()),
            (
                "type" | "enum" | "const" | "default" | "title" | "format" | "pattern" | "minimum"
                | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" | "minLength"
                | "maxLength" | "minItems" | "maxItems" | "uniqueItems" | "minProperties"
                | "maxProperties" | "minContains" | "maxContains" | "dependentRequired"
                | "deprecated" | "readOnly" | "writeOnly" | "contentMediaType" | "contentEncoding",
                value,
            ) => Some(value.clone()),
            _ => None,
        })
    }

    fn leave_out_one_way(&self, fields: &Map<String, Value>, out: &mut Map<String, Value>) {
        let mark = match self.way {
            Way::Out => "readOnly",
            Way::Back => "writeOnly",
        };
        let Some(members) = fields.get("properties").and_then(Value::as_object) else { return };
        let is_left =
            |member: &Value| follow(self.document, member).is_ok_and(|found| found[mark] == true);
        let left: Vec<&String> =
            members.iter().filter(|(_, member)| is_left(member)).map(|(name, _)| name).collect();
        if let Some(Value::Object(kept)) = out.get_mut("properties") {
            kept.retain(|name, _| !left.contains(&name));
        }
        if let Some(Value::Array(required)) = out.get_mut("required") {
            required.retain(|name| !left.iter().any(|left| name == left.as_str()));
        }
    }

    /// The place of a definition here; a new one is queued.
    fn definition(&mut self, reference: &str) -> String {
        if let Some(name) = self.names.get(reference) {
            return format!("#/$defs/{name}");
        }
        let last = reference.rsplit('/').next().unwrap_or_default();
        let plain: String = last.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        let taken = |name: &String| self.names.values().any(|known| known == name);
        let mut name = plain.clone();
        let mut count = 1;
        while taken(&name) {
            count += 1;
            name = format!("{plain}_{count}");
        }
        self.names.insert(reference.to_owned(), name.clone());
        self.queue.push_back((name.clone(), reference.to_owned()));
        format!("#/$defs/{name}")
    }
}

/// Whether some `items` is a list, which is read as the items' kinds one by one.
pub(super) fn has_lists_of_items(value: &Value) -> bool {
    match value {
        Value::Object(fields) => {
            fields.get("items").is_some_and(Value::is_array)
                || fields.values().any(has_lists_of_items)
        }
        Value::Array(items) => items.iter().any(has_lists_of_items),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

const fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-')
}

/// `exclusiveMinimum: true` beside `minimum: 3` is `exclusiveMinimum: 3`.
fn bounds(out: &mut Map<String, Value>, exclusive: &str, plain: &str) {
    match out.get(exclusive) {
        Some(Value::Bool(true)) => {
            out.shift_remove(exclusive);
            if let Some(bound) = out.shift_remove(plain) {
                out.insert(exclusive.to_owned(), bound);
            }
        }
        Some(Value::Bool(false)) => {
            out.shift_remove(exclusive);
        }
        _ => {}
    }
}

fn or_null(mut out: Map<String, Value>) -> Value {
    match out.get("type").cloned() {
        Some(Value::String(kind)) => {
            out.insert("type".to_owned(), json!([kind, "null"]));
            if let Some(Value::Array(list)) = out.get_mut("enum")
                && !list.contains(&Value::Null)
            {
                list.push(Value::Null);
            }
            Value::Object(out)
        }
        Some(_) => Value::Object(out),
        None if out.is_empty() => Value::Object(out),
        None => json!({ "anyOf": [out, { "type": "null" }] }),
    }
}

pub(super) fn shortened(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= DESCRIPTION_MAX {
        return text;
    }
    let cut: String = text.chars().take(DESCRIPTION_MAX).collect();
    format!("{cut}…")
}

/// A small value of this kind, for the body of an error: the declared example, or what the type is.
pub(super) fn sample(document: &Value, schema: &Value, depth: usize) -> Value {
    let Ok(schema) = follow(document, schema) else { return Value::Null };
    for key in ["example", "default", "const"] {
        if let Some(value) = schema.get(key) {
            return value.clone();
        }
    }
    if let Some(first) = schema["enum"].as_array().or_else(|| schema["examples"].as_array()) {
        return first.first().cloned().unwrap_or(Value::Null);
    }
    if depth > 4 {
        return Value::Null;
    }
    for key in ["allOf", "oneOf", "anyOf"] {
        if let Some(list) = schema[key].as_array() {
            let list = list.iter().map(|one| sample(document, one, depth + 1));
            let merged = list.reduce(|mut all, one| {
                if let (true, Value::Object(all), Value::Object(one)) =
                    (key == "allOf", &mut all, one)
                {
                    all.extend(one);
                }
                all
            });
            return merged.unwrap_or(Value::Null);
        }
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind {
        Some("string") => Value::String("refused by the sandbox".to_owned()),
        Some("integer" | "number") => json!(1),
        Some("boolean") => Value::Bool(false),
        Some("array") => json!([sample(document, &schema["items"], depth + 1)]),
        _ => {
            let members = schema["properties"].as_object().into_iter().flatten().take(8);
            let members =
                members.map(|(name, one)| (name.clone(), sample(document, one, depth + 1)));
            Value::Object(members.filter(|(_, value)| !value.is_null()).collect())
        }
    }
}
