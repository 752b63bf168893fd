//! The fields of a form made from a JSON Schema: one for each property, in its order, filled from a
//! value and read back into one. A property that no simple field can hold is JSON, so nothing of the
//! value is lost; what was not touched stays exactly what it was.

use crate::console::form::Form;
use crate::console::text::Line;
use placet_executor::inbox::visible;
use placet_schemas::{Schema, Violations};
use serde_json::{Map, Number, Value};

/// A text longer than this gets an area of its own.
const LINE_LEN: usize = 80;
/// The field that holds what the schema does not name.
const MORE: &str = "more";

/// The form.
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) all: Vec<Field>,
    /// What is wrong and belongs to no field.
    pub(super) problems: Vec<Line>,
    original: Map<String, Value>,
}

/// One field of it.
#[derive(Debug)]
pub(super) struct Field {
    /// The member that it is; none for all those that the schema does not name.
    member: Option<String>,
    pub(super) id: String,
    pub(super) label: Line,
    pub(super) hint: Line,
    pub(super) required: bool,
    pub(super) kind: Kind,
    /// As it stands in the field: not a letter is written out here, or the edit would send it so.
    pub(super) text: String,
    pub(super) problems: Vec<Line>,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Line,
    Text,
    Number,
    Choice(Vec<String>),
    /// A list of texts, one a line.
    Lines,
    Json,
}

impl Field {
    /// The same text with what an eye would miss written out, where there is such.
    pub(super) fn exposed(&self) -> Option<String> {
        let shown = visible(&self.text);
        (shown != self.text).then_some(shown)
    }
}

impl Fields {
    pub(super) fn of(schema: Option<&Schema>, with: &Value) -> Self {
        let nothing = Value::Null;
        let root = schema.map_or(&nothing, Schema::document);
        let original = with.as_object().cloned().unwrap_or_default();
        let properties = root["properties"].as_object();
        let required: Vec<&str> =
            root["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut fields: Vec<Field> = vec![];
        for (name, shape) in properties.into_iter().flatten() {
            let shape = resolved(root, shape);
            let value = original.get(name);
            let kind = kind(shape, (name, value));
            fields.push(Field {
                member: Some(name.clone()),
                id: format!("f{}", fields.len()),
                label: Line::new(shape["title"].as_str().unwrap_or(name)),
                hint: Line::new(shape["description"].as_str().unwrap_or_default()),
                required: required.contains(&name.as_str()),
                text: value.map(|value| shown(&kind, value)).unwrap_or_default(),
                kind,
                problems: vec![],
            });
        }
        let named = |name: &String| properties.is_some_and(|known| known.contains_key(name));
        let rest: Map<String, Value> =
            original.iter().filter(|(name, _)| !named(name)).map(owned).collect();
        if !rest.is_empty() || fields.is_empty() {
            fields.push(Field {
                member: None,
                id: MORE.to_owned(),
                label: Line::new("Everything else"),
                hint: Line::new("an object of JSON"),
                required: false,
                text: shown(&Kind::Json, &Value::Object(rest)),
                kind: Kind::Json,
                problems: vec![],
            });
        }
        Self { all: fields, problems: vec![], original }
    }

    /// The value that was written into the form; none where something is wrong, which then stands at
    /// its field. The fields hold what was written in any case.
    pub(super) fn read(&mut self, form: &Form, schema: Option<&Schema>) -> Option<Value> {
        let mut members = Map::new();
        let properties = schema.and_then(|schema| schema.document()["properties"].as_object());
        for field in &mut self.all {
            let Some(given) = form.values(&field.id).next() else {
                if let Some(name) = &field.member {
                    members
                        .extend(self.original.get(name).map(|value| (name.clone(), value.clone())));
                }
                continue;
            };
            let given = given.replace("\r\n", "\n");
            let before = std::mem::replace(&mut field.text, given);
            let untouched = field.text == before.replace("\r\n", "\n");
            match &field.member {
                Some(name) if untouched => {
                    members
                        .extend(self.original.get(name).map(|value| (name.clone(), value.clone())));
                }
                Some(name) => match field.value() {
                    Ok(value) => members.extend(value.map(|value| (name.clone(), value))),
                    Err(problem) => field.problems.push(Line::new(&problem)),
                },
                None if untouched => {
                    let named =
                        |name: &String| properties.is_some_and(|known| known.contains_key(name));
                    members
                        .extend(self.original.iter().filter(|(name, _)| !named(name)).map(owned));
                }
                None => match field.value() {
                    Ok(Some(Value::Object(rest))) => members.extend(rest),
                    Ok(None) => {}
                    Ok(Some(_)) => field.problems.push(Line::new("it must be an object")),
                    Err(problem) => field.problems.push(Line::new(&problem)),
                },
            }
        }
        if !self.all.iter().all(|field| field.problems.is_empty()) {
            return None;
        }
        let with = Value::Object(members);
        let broken = schema.and_then(|schema| schema.validate(&with).err());
        for violation in broken.iter().flat_map(Violations::as_slice) {
            self.tell(&violation.instance, &violation.message);
        }
        let is_good =
            self.problems.is_empty() && self.all.iter().all(|field| field.problems.is_empty());
        is_good.then_some(with)
    }

    /// Puts a problem to the field that the pointer leads to.
    fn tell(&mut self, pointer: &str, message: &str) {
        let (first, rest) = match pointer.strip_prefix('/') {
            None => ("", ""),
            Some(path) => path.split_once('/').unwrap_or((path, "")),
        };
        let name = first.replace("~1", "/").replace("~0", "~");
        let words =
            if rest.is_empty() { message.to_owned() } else { format!("/{rest}: {message}") };
        let mut fields = self.all.iter_mut();
        match fields.find(|field| field.member.as_deref() == Some(name.as_str())) {
            Some(field) => field.problems.push(Line::new(&words)),
            None => self.problems.push(Line::new(&format!("{pointer}: {message}"))),
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.problems.is_empty() && self.all.iter().all(|field| field.problems.is_empty())
    }
}

impl Field {
    /// What is written in it; none where it is empty and may be absent.
    fn value(&self) -> Result<Option<Value>, String> {
        let text = &self.text;
        match &self.kind {
            Kind::Line | Kind::Text | Kind::Choice(_) if text.is_empty() && self.required => {
                Ok(Some(Value::String(String::new())))
            }
            _ if text.trim().is_empty() => Ok(None),
            Kind::Line | Kind::Text => Ok(Some(Value::String(text.clone()))),
            Kind::Choice(_) => Ok(Some(match text.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                other => Value::String(other.to_owned()),
            })),
            Kind::Number => {
                let number = serde_json::from_str::<Number>(text.trim());
                number
                    .map(|number| Some(Value::Number(number)))
                    .map_err(|_no| "it is no number".into())
            }
            Kind::Lines => {
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                Ok(Some(lines.map(|line| Value::String(line.to_owned())).collect()))
            }
            Kind::Json => serde_json::from_str(text)
                .map(Some)
                .map_err(|error| format!("it is no JSON: {error}")),
        }
    }
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// The shape that a reference within the schema means.
fn resolved<'s>(root: &'s Value, shape: &'s Value) -> &'s Value {
    let pointer = shape["$ref"].as_str().and_then(|at| at.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(shape)
}

/// The simplest field that can hold the value as well as what the schema allows.
fn kind(shape: &Value, (name, value): (&str, Option<&Value>)) -> Kind {
    let fits = |is: fn(&Value) -> bool| value.is_none_or(is);
    if let Some(choices) = shape["enum"].as_array() {
        let words: Option<Vec<String>> =
            choices.iter().map(|one| one.as_str().map(str::to_owned)).collect();
        return match words.filter(|_| fits(Value::is_string)) {
            Some(words) => Kind::Choice(words),
            None => Kind::Json,
        };
    }
    match shape["type"].as_str() {
        Some("string") if fits(Value::is_string) => {
            let text = value.and_then(Value::as_str).unwrap_or_default();
            let names = ["text", "html", "body", "message", "content", "description"];
            let long = text.len() > LINE_LEN || text.contains('\n') || names.contains(&name);
            if long { Kind::Text } else { Kind::Line }
        }
        Some("integer" | "number") if fits(Value::is_number) => Kind::Number,
        Some("boolean") if fits(Value::is_boolean) => {
            Kind::Choice(vec!["true".to_owned(), "false".to_owned()])
        }
        Some("array") if shape["items"]["type"] == "string" => {
            let plain = |item: &Value| item.as_str().is_some_and(is_one_line);
            let items = value.and_then(Value::as_array);
            let fits = value.is_none() || items.is_some_and(|items| items.iter().all(plain));
            if fits { Kind::Lines } else { Kind::Json }
        }
        _ => Kind::Json,
    }
}

fn is_one_line(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains(['\n', '\r'])
}

/// A value as it stands in a field of this kind.
fn shown(kind: &Kind, value: &Value) -> String {
    match (kind, value) {
        (Kind::Json, value) => format!("{value:#}"),
        (Kind::Lines, Value::Array(items)) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
        }
        (_, Value::String(text)) => text.clone(),
        (_, value) => value.to_string(),
    }
}
