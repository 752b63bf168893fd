//! The way back from an HTTP request to an operation and its input: what [`render()`](crate::render())
//! does, read the other way round. The sandbox's server understands other people's clients with it.
//! What the manifest's template has no place for is named, not guessed.

mod form;
mod path;

use crate::manifest::{BodyTemplate, Manifest, Operation, Placement, RequestSpec, RequestTemplate};
use crate::pointer::Pointer;
use crate::template::{Name, Part, Template, ValueTemplate};
use placet_schemas::Schema;
use serde_json::{Map, Value};
use std::sync::Arc;

/// A request as a server got it.
#[derive(Debug, Clone, Copy)]
pub struct HttpRequest<'a> {
    /// Upper case.
    pub method: &'a str,
    /// Below the provider's base URL, with its first slash, still percent-encoded.
    pub path: &'a str,
    /// Without the question mark.
    pub query: &'a str,
    /// Lower-case names.
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
}

impl HttpRequest<'_> {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What a request asks for.
#[derive(Debug, Clone)]
pub struct Understood {
    pub operation: Arc<Operation>,
    /// The operation's input.
    pub input: Value,
    /// Names of the request that the operation has no place for.
    pub ignored: Vec<String>,
}

/// A request whose body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is neither JSON nor a form, whatever its content-type says")]
pub struct Unreadable;

/// The operation that a request is for, and its input; `None` where no operation has this method
/// and path.
///
/// # Errors
/// A body that is not what its content type says.
pub fn understood(
    manifest: &Manifest,
    request: HttpRequest<'_>,
) -> Result<Option<Understood>, Unreadable> {
    let by_paths_alone = path_says_all(manifest);
    let candidates = manifest.operations().values().filter_map(|operation| {
        let RequestSpec::Template(template) = &operation.request else { return None };
        let is_its_method = template.method == request.method;
        let is_taken = by_paths_alone && matches!(request.method, "GET" | "POST");
        if !is_its_method && !is_taken {
            return None;
        }
        let captured = path::captured(&template.url, request.path)?;
        Some((operation, &**template, captured, is_its_method))
    });
    // the method that is declared first, then a path that is written out before one with a name in it
    let found =
        candidates.min_by_key(|(_, _, captured, is_its_method)| (!is_its_method, captured.len()));
    let found = found.map(|(operation, template, captured, _)| (operation, template, captured));
    let Some((operation, template, captured)) = found else { return Ok(None) };
    let given = given(request)?;
    let mut taken = Taken { operation, input: Value::Object(Map::new()) };
    for (name, text) in captured {
        taken.set(&name, Value::String(text));
    }
    let mut ignored = Vec::new();
    taken.parameters(template, given, &mut ignored);
    Ok(Some(Understood { operation: Arc::clone(operation), input: taken.input, ignored }))
}

/// Whether the paths of this provider name operations and no thing, as those of Slack and Telegram do:
/// the method says nothing there, and the providers take GET and POST for each.
fn path_says_all(manifest: &Manifest) -> bool {
    manifest.operations().values().all(|operation| match &operation.request {
        RequestSpec::Template(template) => !template.url.names().any(is_given),
        RequestSpec::Http => false,
    })
}

/// Whether the request shows a credential where this operation's provider wants one; which one does
/// not matter here.
pub fn is_authorized(operation: &Operation, request: HttpRequest<'_>) -> bool {
    let there = |header: &str| request.header(header).filter(|value| !value.trim().is_empty());
    match &operation.placement {
        None => true,
        Some(Placement::Basic { .. }) => {
            there("authorization").is_some_and(|value| value.starts_with("Basic "))
        }
        Some(Placement::Query { name, .. }) => form::decoded(request.query)
            .get(name)
            .and_then(Value::as_str)
            .is_some_and(|value| !value.is_empty()),
        Some(Placement::Header(placement)) => there(&placement.header).is_some_and(|value| {
            let before = match placement.value.parts.first() {
                Some(Part::Text(text)) => text.as_str(),
                Some(Part::Place(_)) | None => "",
            };
            value.len() > before.len()
                && value.get(..before.len()).is_some_and(|v| v.eq_ignore_ascii_case(before))
        }),
    }
}

/// Query and body of a request as one object: providers of this kind take either.
fn given(request: HttpRequest<'_>) -> Result<Map<String, Value>, Unreadable> {
    let mut given = form::decoded(request.query);
    if request.body.is_empty() {
        return Ok(given);
    }
    let media = request.header("content-type").unwrap_or("application/json");
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media == "application/x-www-form-urlencoded" {
        let text = std::str::from_utf8(request.body).map_err(|_not_text| Unreadable)?;
        given.extend(form::decoded(text));
    } else {
        match serde_json::from_slice(request.body) {
            Ok(Value::Object(fields)) => given.extend(fields),
            Ok(_) | Err(_) => return Err(Unreadable),
        }
    }
    Ok(given)
}

/// An input in the making.
struct Taken<'o> {
    operation: &'o Operation,
    input: Value,
}

impl Taken<'_> {
    fn parameters(
        &mut self,
        template: &RequestTemplate,
        mut given: Map<String, Value>,
        ignored: &mut Vec<String>,
    ) {
        for (name, value) in &template.query {
            // a form writes `created[gte]` as a map, the manifest by its whole name
            let found = given.shift_remove(name).or_else(|| form::nested(&mut given, name));
            if let Some(found) = found {
                self.take(value, found);
            }
        }
        // what is left of a map whose members were taken
        given.retain(|_, value| value.as_object().is_none_or(|map| !map.is_empty()));
        let body = match &template.body {
            Some(
                BodyTemplate::Json(body)
                | BodyTemplate::Form(body)
                | BodyTemplate::RepeatingForm(body)
                | BodyTemplate::Multipart(body),
            ) => body,
            Some(BodyTemplate::Mail(_)) | None => {
                ignored.extend(given.into_iter().map(|(name, _)| name));
                return;
            }
        };
        let known = |name: &String| match body {
            ValueTemplate::Object(fields) => fields.iter().any(|(key, _)| key == name),
            _ => true,
        };
        ignored.extend(given.keys().filter(|name| !known(name)).cloned());
        self.take(body, Value::Object(given));
    }

    /// Puts what stands at a place of the template where that place came from.
    fn take(&mut self, template: &ValueTemplate, given: Value) {
        match template {
            ValueTemplate::Literal(_) | ValueTemplate::Mime(_) => {}
            ValueTemplate::Text(text) => self.take_text(text, given),
            ValueTemplate::Array(items) => {
                if let Value::Array(values) = given {
                    items.iter().zip(values).for_each(|(item, value)| self.take(item, value));
                }
            }
            ValueTemplate::Object(fields) => {
                let Value::Object(mut values) = given else { return };
                for (key, field) in fields {
                    if let Some(value) = values.shift_remove(key) {
                        self.take(field, value);
                    }
                }
            }
            ValueTemplate::Merge(merged, ours) => {
                let Value::Object(mut values) = given else { return };
                values.retain(|key, _| !ours.iter().any(|(own, _)| own == key));
                if !values.is_empty() {
                    self.take_text(merged, Value::Object(values));
                }
            }
            ValueTemplate::IfPresent(_, inner) | ValueTemplate::IfAbsent(_, inner) => {
                self.take(inner, given);
            }
            // said as the first of them it renders to the same
            ValueTemplate::FirstOf(items) => {
                if let Some(first) = items.first() {
                    self.take(first, given);
                }
            }
        }
    }

    fn take_text(&mut self, template: &Template, given: Value) {
        if let Some(place) = template.whole() {
            if let Some(name) = place.names.iter().find(|name| is_given(name)) {
                self.set(name, given);
            }
        } else if let Value::String(text) = &given {
            for (name, text) in path::matched(&template.parts, text).into_iter().flatten() {
                self.set(&name, Value::String(text));
            }
        }
    }

    /// Sets the input where a placeholder's value comes from; a part of the target goes where that
    /// part comes from.
    fn set(&mut self, name: &Name, value: Value) {
        let at = match name {
            Name::Input(at) => at.clone(),
            Name::TargetPart(part) => match self.source_of(part) {
                Some(at) => at,
                None => return,
            },
            _ => return,
        };
        let value = match self.operation.input_schema() {
            Some(schema) => typed(schema, &at, value),
            None => value,
        };
        at.set(&mut self.input, value);
    }

    fn source_of(&self, part: &str) -> Option<Pointer> {
        let from = self.operation.target_spec()?.from.get(part)?;
        from.iter().flat_map(Template::names).find_map(|name| match name {
            Name::Input(at) if !at.is_pattern() => Some(at.clone()),
            _ => None,
        })
    }
}

fn is_given(name: &Name) -> bool {
    matches!(name, Name::Input(at) if !at.is_pattern()) || matches!(name, Name::TargetPart(_))
}

/// Text of a path, a query or a form in the type that the schema wants at this place.
fn typed(schema: &Schema, at: &Pointer, value: Value) -> Value {
    let Value::String(text) = &value else { return value };
    let document = schema.document();
    let mut place = document;
    for segment in at.segments() {
        place = resolved(document, &place["properties"][segment.as_str()]);
    }
    let wants = |kind: &str| match &place["type"] {
        Value::String(only) => only == kind,
        Value::Array(kinds) => kinds.iter().any(|one| one == kind),
        _ => false,
    };
    if wants("string") {
        return value;
    }
    if let (true, Some(said)) = (wants("boolean"), form::boolean(text)) {
        return Value::Bool(said);
    }
    if (wants("integer") || wants("number"))
        && let Ok(number @ Value::Number(_)) = serde_json::from_str(text)
    {
        return number;
    }
    if wants("array") {
        return text.split(',').map(|item| Value::String(item.trim().to_owned())).collect();
    }
    value
}

fn resolved<'d>(document: &'d Value, place: &'d Value) -> &'d Value {
    let target = place["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
    target.and_then(|pointer| document.pointer(pointer)).unwrap_or(place)
}

#[cfg(test)]
mod tests;
