//! An operation and the values of its parameters → the `with` of a `call: http`.

use super::error::near;
use super::style::{self, Pair, pointer};
use super::{Error, form, multipart};
use crate::openapi::resolve::is_json;
use placet_model::plan::{ApiBody, ApiOperation, ApiParameter, ApiPlace, OpenApiCall, RequestHole};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";
const NO_PLACE_FOR_HOLES: &str =
    "a secret is the whole value of a query parameter, of a header or of a key of the body";

/// The `with` of the `call: http` that this call is: method, endpoint, headers, query, body, and the
/// call's own `output` and `redirect`. `parameters` are the evaluated ones.
///
/// # Errors
/// The document was not fetched; an unknown parameter, a missing one, or a value that cannot be
/// written the way its parameter is. [`Error::fault_kind`] says what the task gets.
pub fn with(call: &OpenApiCall, parameters: &Value) -> Result<Value, Error> {
    let not_fetched = || Error::NotFetched { document: call.document.clone() };
    let operation = call.resolved.as_ref().ok_or_else(not_fetched)?;
    let given = match parameters {
        Value::Object(given) => given,
        Value::Null => &Map::new(),
        _ => return Err(Error::NotAMap),
    };
    refuse_unknown(operation, given)?;
    let mut draft = Draft::new(operation, &call.holes);
    for parameter in &operation.parameters {
        match given.get(&parameter.name).filter(|value| !value.is_null()) {
            Some(value) => draft.place(parameter, value)?,
            None if parameter.required => {
                return Err(Error::MissingParameter { name: parameter.name.clone() });
            }
            None => {}
        }
    }
    if let Some(body) = &operation.body {
        match given.get(&body.name).filter(|value| !value.is_null()) {
            Some(value) => draft.body(body, value)?,
            None if body.required => {
                return Err(Error::MissingParameter { name: body.name.clone() });
            }
            None => {}
        }
    }
    draft.finish(call)
}

fn refuse_unknown(operation: &ApiOperation, given: &Map<String, Value>) -> Result<(), Error> {
    let names = operation.parameters.iter().map(|parameter| parameter.name.as_str());
    let known: Vec<&str> =
        names.chain(operation.body.as_ref().map(|body| body.name.as_str())).collect();
    match given.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Error::UnknownParameter { name: name.clone(), near: near(name, known) }),
    }
}

/// The request while it is put together.
struct Draft<'a> {
    operation: &'a ApiOperation,
    /// Holes of the parameters.
    given_holes: &'a BTreeMap<String, RequestHole>,
    url: String,
    /// Pairs whose commas must stay commas: they stand in the endpoint as they are.
    written: Vec<String>,
    query: Map<String, Value>,
    headers: Map<String, Value>,
    cookies: Vec<String>,
    fields: Vec<(String, Value)>,
    body: Option<Value>,
    /// Holes of the request.
    holes: BTreeMap<String, RequestHole>,
}

impl<'a> Draft<'a> {
    fn new(operation: &'a ApiOperation, given_holes: &'a BTreeMap<String, RequestHole>) -> Self {
        Self {
            operation,
            given_holes,
            url: operation.url.clone(),
            written: Vec::new(),
            query: Map::new(),
            headers: Map::new(),
            cookies: Vec::new(),
            fields: Vec::new(),
            body: None,
            holes: BTreeMap::new(),
        }
    }

    fn place(&mut self, parameter: &ApiParameter, value: &Value) -> Result<(), Error> {
        let name = parameter.name.as_str();
        let hole = self.whole_hole(parameter)?;
        match parameter.place {
            ApiPlace::Path => {
                let text = style::path(parameter, value)?;
                self.url = self.url.replace(&format!("{{{name}}}"), &text);
            }
            ApiPlace::Cookie => {
                for pair in style::pairs(parameter, value)? {
                    self.cookies.push(pair.encoded());
                }
            }
            ApiPlace::Header => {
                let text = style::line(parameter, value)?;
                self.headers.insert(name.to_owned(), Value::String(text));
                self.note(&["headers", name], hole);
            }
            ApiPlace::Query => {
                for pair in style::pairs(parameter, value)? {
                    self.ask(pair);
                }
                self.note(&["query", name], hole);
            }
            ApiPlace::Form => {
                let index = self.fields.len();
                for Pair { key, texts } in style::pairs(parameter, value)? {
                    self.fields.push((key, Value::String(texts.join(","))));
                }
                self.note(&["body", &index.to_string(), "1"], hole);
            }
        }
        Ok(())
    }

    /// The hole that is this parameter's value. A part of a value cannot be one: it would be
    /// written into the middle of a text.
    fn whole_hole(&self, parameter: &ApiParameter) -> Result<Option<RequestHole>, Error> {
        let place = pointer(&[&parameter.name]);
        let below = format!("{place}/");
        let hole = self.given_holes.get(&place).cloned();
        let has_no_place = hole.is_some()
            && matches!(parameter.place, ApiPlace::Path | ApiPlace::Cookie)
            || self.given_holes.keys().any(|hole| hole.starts_with(&below));
        if has_no_place {
            let name = parameter.name.clone();
            return Err(Error::Value { name, reason: NO_PLACE_FOR_HOLES });
        }
        Ok(hole)
    }

    fn note(&mut self, place: &[&str], hole: Option<RequestHole>) {
        self.holes.extend(hole.map(|hole| (pointer(place), hole)));
    }

    fn ask(&mut self, pair: Pair) {
        let [text] = pair.texts.as_slice() else {
            self.written.push(pair.encoded());
            return;
        };
        let text = Value::String(text.clone());
        match self.query.get_mut(&pair.key) {
            None => {
                self.query.insert(pair.key, text);
            }
            Some(Value::Array(items)) => items.push(text),
            Some(one) => *one = json!([one.take(), text]),
        }
    }

    fn body(&mut self, body: &ApiBody, value: &Value) -> Result<(), Error> {
        let refuse = |reason| Error::Value { name: body.name.clone(), reason };
        let place = pointer(&[&body.name]);
        let inside: Vec<(String, RequestHole)> = self
            .given_holes
            .iter()
            .filter_map(|(at, hole)| Some((at.strip_prefix(&place)?, hole)))
            .filter(|(rest, _)| rest.is_empty() || rest.starts_with('/'))
            .map(|(rest, hole)| (format!("/body{rest}"), hole.clone()))
            .collect();
        let named = |wanted: &str| body.media.iter().find(|media| essence(media) == wanted);
        let json = body.media.iter().find(|media| is_json(media) || media.ends_with("/*"));
        match value {
            value if json.is_some() => {
                let media = json.filter(|media| is_json(media)).map_or("application/json", |m| m);
                self.write(media, value.clone());
            }
            Value::Object(_) if named(FORM).is_some() => {
                self.form_body(form::fields(body, value), &inside);
                return Ok(());
            }
            Value::Object(members) if named(MULTIPART).is_some() => {
                if !inside.is_empty() {
                    return Err(refuse("a secret cannot stand in a body of several parts"));
                }
                let fields: Vec<(String, Value)> =
                    members.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
                let (media, text) = multipart::body(&fields);
                self.write(&media, Value::String(text));
            }
            Value::String(_) => {
                let media = body.media.iter().find(|m| ![FORM, MULTIPART].contains(&essence(m)));
                let media = media.ok_or_else(|| refuse("the operation takes a map"))?.clone();
                self.write(&media, value.clone());
            }
            _ => return Err(refuse("the operation takes another media type than JSON: give text")),
        }
        self.holes.extend(inside);
        Ok(())
    }

    /// The body's value as the fields of a form; its holes move with them.
    fn form_body(&mut self, fields: Vec<form::Field>, inside: &[(String, RequestHole)]) {
        let mut pairs = Vec::new();
        for field in fields {
            let from = format!("/body{}", field.from);
            if let Some((_, hole)) = inside.iter().find(|(place, _)| *place == from) {
                self.holes.insert(format!("/body/{}/1", pairs.len()), hole.clone());
            }
            pairs.push(json!([field.name, field.text]));
        }
        self.write(FORM, Value::Array(pairs));
    }

    fn write(&mut self, media: &str, body: Value) {
        if !self.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
            self.headers.insert("Content-Type".to_owned(), Value::String(media.to_owned()));
        }
        self.body = Some(body);
    }

    /// The fields of a form: a list of pairs, because a name may come more than once.
    fn form(&mut self) -> Result<(), Error> {
        if self.fields.is_empty() {
            return Ok(());
        }
        let fields = std::mem::take(&mut self.fields);
        if self.operation.form_media.iter().any(|media| media == MULTIPART) {
            if self.holes.keys().any(|place| place.starts_with("/body/")) {
                let name = fields.into_iter().map(|(name, _)| name).next().unwrap_or_default();
                let reason = "a secret cannot stand in a body of several parts";
                return Err(Error::Value { name, reason });
            }
            let (media, text) = multipart::body(&fields);
            self.write(&media, Value::String(text));
        } else {
            let pairs = fields.into_iter().map(|(name, value)| json!([name, value])).collect();
            self.write(FORM, Value::Array(pairs));
        }
        Ok(())
    }

    fn finish(mut self, call: &OpenApiCall) -> Result<Value, Error> {
        self.form()?;
        if !self.cookies.is_empty() {
            let cookies = Value::String(self.cookies.join("; "));
            self.headers.insert("Cookie".to_owned(), cookies);
        }
        let has_accept = self.headers.keys().any(|name| name.eq_ignore_ascii_case("accept"));
        if let Some(accept) = self.operation.accept.as_ref().filter(|_| !has_accept) {
            self.headers.insert("Accept".to_owned(), Value::String(accept.clone()));
        }
        let query = self.written.join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        let mut with = json!({
            "method": self.operation.method,
            "endpoint": format!("{}{mark}{query}", self.url),
            "output": call.output,
            "redirect": call.redirect,
        });
        let parts = [("headers", self.headers), ("query", self.query)];
        for (key, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
            with[key] = Value::Object(part);
        }
        if let Some(body) = self.body {
            with["body"] = body;
        }
        if !self.holes.is_empty() {
            with["holes"] = serde_json::to_value(self.holes).expect("names are always JSON");
        }
        Ok(with)
    }
}

fn essence(media: &str) -> &str {
    media.split(';').next().unwrap_or_default().trim()
}
