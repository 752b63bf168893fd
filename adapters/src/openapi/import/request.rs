//! The outgoing half of an operation: one key of the input for each parameter, one for the body.

use super::super::Error;
use super::super::reference::follow;
use super::super::resolve::{Place, listed};
use super::schema::{Bundled, Way, bundle};
use placet_model::plan::{ApiForm, ApiOperation, ApiParameter, ApiPlace, ApiStyle};
use serde_json::{Map, Value, json};

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";
const BODY: &str = "body";
const BASE64: &str =
    "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";
/// Parameters that carry the credential; it stands in its own place.
const CREDENTIALS: [&str; 6] =
    ["token", "access_token", "api_key", "apikey", "authorization", "key"];

/// The request in the words of a manifest.
#[derive(Default)]
pub(super) struct Request {
    /// The path, its parameters as placeholders.
    pub(super) path: String,
    /// Input keys of the path's parameters, in the path's order.
    pub(super) path_keys: Vec<String>,
    pub(super) query: Map<String, Value>,
    pub(super) headers: Map<String, Value>,
    pub(super) body: Option<Value>,
    /// The input's schema.
    pub(super) input: Value,
    pub(super) cut: usize,
    pub(super) notes: Vec<String>,
    properties: Map<String, Value>,
    required: Vec<String>,
    definitions: Map<String, Value>,
}

/// # Errors
/// What this operation needs and a manifest cannot say.
pub(super) fn request(
    place: Place<'_>,
    (path, operation): (&str, &ApiOperation),
    has_credential: bool,
) -> Result<Request, String> {
    let mut request = Request::default();
    let words = |error: Error| error.to_string();
    let declared = listed(place).map_err(words)?;
    path.clone_into(&mut request.path);
    for parameter in &operation.parameters {
        let same = |given: &&&Value| {
            given["name"] == parameter.name.as_str() && is_in(given, parameter.place)
        };
        let given = declared.iter().find(same).copied().unwrap_or(&Value::Null);
        if parameter.place == ApiPlace::Form {
            continue;
        }
        let is_credential = CREDENTIALS.contains(&parameter.name.to_ascii_lowercase().as_str());
        if has_credential && is_credential && parameter.place != ApiPlace::Path {
            request
                .notes
                .push(format!("{}: the credential stands in its own place", parameter.name));
            continue;
        }
        if let Err(reason) = request.parameter(place.document, parameter, given) {
            if parameter.required {
                return Err(format!("the parameter {} {reason}", parameter.name));
            }
            request
                .notes
                .push(format!("the parameter {} is left out: it {reason}", parameter.name));
        }
    }
    request.body(place, operation, &declared)?;
    request.close();
    Ok(request)
}

fn is_in(given: &Value, place: ApiPlace) -> bool {
    let name = match place {
        ApiPlace::Path => "path",
        ApiPlace::Query => "query",
        ApiPlace::Header => "header",
        ApiPlace::Cookie => "cookie",
        ApiPlace::Form => "formData",
    };
    given["in"] == name
}

impl Request {
    /// The reason why not follows the words "the parameter x".
    fn parameter(
        &mut self,
        document: &Value,
        parameter: &ApiParameter,
        given: &Value,
    ) -> Result<(), String> {
        if parameter.place == ApiPlace::Header
            && parameter.name.eq_ignore_ascii_case("idempotency-key")
        {
            self.headers.insert(parameter.name.clone(), json!("{send_id}"));
            self.notes.push("the idempotency key is the send id; how long it is kept is not said, so delivery is none".to_owned());
            return Ok(());
        }
        let schema = match given.get("schema") {
            Some(schema) => schema,
            None => given["content"]
                .as_object()
                .and_then(|media| media.values().next())
                .map_or(given, |media| &media["schema"]),
        };
        let bundled = bundle(document, schema, Way::Out)
            .map_err(|error| format!("has a schema that cannot be brought along: {error}"))?;
        let ApiForm::Style { style, explode } = parameter.form else {
            return Err("is JSON inside a text, which a manifest cannot write".to_owned());
        };
        let found = follow(document, schema).map_err(|error| error.to_string())?;
        let shape = shape(document, found);
        let key = self.key(&parameter.name, parameter.place);
        let value = placeholder(&format!("/{key}"), parameter.required);
        match (parameter.place, shape) {
            (ApiPlace::Path, Shape::Scalar) if style == ApiStyle::Simple => {
                let named = format!("{{{}}}", parameter.name);
                let placed = self.path.replacen(&named, &format!("{{input./{key}}}"), 1);
                self.path = placed;
                self.path_keys.push(key.clone());
            }
            (ApiPlace::Query, Shape::Scalar) => {
                self.query.insert(parameter.name.clone(), json!(value));
            }
            (ApiPlace::Query, Shape::List) if explode && style == ApiStyle::Form => {
                self.query.insert(parameter.name.clone(), json!(value));
            }
            (ApiPlace::Query, Shape::Object(members)) if style == ApiStyle::DeepObject => {
                for (member, one) in members {
                    if matches!(self::shape(document, one), Shape::Scalar | Shape::List)
                        && is_key(member)
                    {
                        let name = format!("{}[{member}]", parameter.name);
                        self.query
                            .insert(name, json!(placeholder(&format!("/{key}/{member}"), false)));
                    }
                }
            }
            (ApiPlace::Header, Shape::Scalar) => {
                self.headers.insert(parameter.name.clone(), json!(value));
            }
            (_, Shape::Nested) => return Err("is a list of lists or objects".to_owned()),
            (_, Shape::List) => {
                return Err(format!("is a list written {}", styled(style, explode)));
            }
            (ApiPlace::Cookie, _) => return Err("stands in a cookie".to_owned()),
            (_, Shape::Object(_) | Shape::Scalar) => {
                return Err(format!("is written {}", styled(style, explode)));
            }
        }
        self.declare(key, bundled, given["description"].as_str(), parameter.required);
        Ok(())
    }

    fn declare(&mut self, key: String, bundled: Bundled, words: Option<&str>, required: bool) {
        let mut schema = self.merged(bundled);
        if let (Value::Object(fields), Some(words)) = (&mut schema, words) {
            fields.entry("description").or_insert_with(|| json!(super::schema::shortened(words)));
            for stray in ["required", "deprecated"] {
                if fields.get(stray).is_some_and(Value::is_boolean) {
                    fields.shift_remove(stray);
                }
            }
        }
        if required {
            self.required.push(key.clone());
        }
        self.properties.insert(key, schema);
    }

    /// The schema without its definitions, which move to the input's.
    fn merged(&mut self, bundled: Bundled) -> Value {
        self.cut += bundled.cut;
        let mut schema = bundled.schema;
        let own = schema.as_object_mut().and_then(|fields| fields.shift_remove("$defs"));
        if let Some(Value::Object(own)) = own {
            self.definitions.extend(own);
        }
        schema
    }

    /// A key of the input that nobody has.
    fn key(&self, name: &str, place: ApiPlace) -> String {
        let plain: String = name.chars().map(|c| if is_letter(c) { c } else { '_' }).collect();
        let plain = plain.trim_matches('_');
        let plain = if plain.is_empty() { "value" } else { plain };
        if plain != BODY && !self.properties.contains_key(plain) {
            return plain.to_owned();
        }
        let place = format!("{place:?}").to_ascii_lowercase();
        format!("{plain}_in_{place}")
    }

    fn body(
        &mut self,
        place: Place<'_>,
        operation: &ApiOperation,
        declared: &[&Value],
    ) -> Result<(), String> {
        let document = place.document;
        let fields: Vec<&&Value> =
            declared.iter().filter(|given| given["in"] == "formData").collect();
        if !fields.is_empty() {
            return self.form_of_fields(document, operation, &fields);
        }
        let Some(body) = &operation.body else { return Ok(()) };
        let is = |wanted: &'static str| move |media: &&String| media.starts_with(wanted);
        let json_media = body.media.iter().find(|media| super::super::resolve::is_json(media));
        let (media, kind) = match json_media {
            Some(media) => (media, "json"),
            None => match (body.media.iter().find(is(FORM)), body.media.iter().find(is(MULTIPART)))
            {
                (Some(media), _) => (media, "form"),
                (None, Some(media)) => (media, "multipart"),
                (None, None) => {
                    return Err(format!(
                        "its body is {}, which a manifest cannot write",
                        body.media.join(" or ")
                    ));
                }
            },
        };
        let schema = match place.own.get("requestBody") {
            Some(said) => {
                let said = follow(document, said).map_err(|error| error.to_string())?;
                &said["content"][media.as_str()]["schema"]
            }
            None => declared
                .iter()
                .find(|given| given["in"] == "body")
                .map_or(&Value::Null, |given| &given["schema"]),
        };
        let schema = if schema.is_null() { &Value::Bool(true) } else { schema };
        let mut bundled = bundle(document, schema, Way::Out).map_err(|error| error.to_string())?;
        if kind == "multipart" {
            files(&mut bundled.schema);
        }
        let needs = follow(document, schema)
            .is_ok_and(|found| found["required"].as_array().is_some_and(|list| !list.is_empty()));
        let required = body.required || needs;
        let indexed = if body.indexed.is_empty() { "repeat" } else { "index" };
        self.set_body(kind, indexed, required);
        self.declare(BODY.to_owned(), bundled, None, required);
        Ok(())
    }

    fn form_of_fields(
        &mut self,
        document: &Value,
        operation: &ApiOperation,
        fields: &[&&Value],
    ) -> Result<(), String> {
        let kind = if operation.form_media.iter().any(|media| media == MULTIPART) {
            "multipart"
        } else {
            "form"
        };
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for field in fields {
            let name = field["name"].as_str().unwrap_or_default();
            let bundled = bundle(document, field, Way::Out).map_err(|error| error.to_string())?;
            let is_file = field["type"] == "file";
            let mut schema = self.merged(bundled);
            if is_file {
                schema = file();
            }
            if let Some(fields) = schema.as_object_mut() {
                fields.retain(|key, value| !(key == "required" && value.is_boolean()));
            }
            properties.insert(name.to_owned(), schema);
            if field["required"] == true {
                required.push(json!(name));
            }
        }
        let is_required = !required.is_empty();
        self.set_body(kind, "repeat", is_required);
        let schema = json!({"type": "object", "properties": properties, "required": required});
        self.declare(BODY.to_owned(), Bundled { schema, cut: 0 }, None, is_required);
        Ok(())
    }

    fn set_body(&mut self, kind: &str, lists: &str, required: bool) {
        let mut body = json!({"kind": kind, "value": placeholder("/body", required)});
        if kind == "form" && lists == "repeat" {
            body["lists"] = json!(lists);
        }
        self.body = Some(body);
    }

    fn close(&mut self) {
        let mut input = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": std::mem::take(&mut self.properties),
            "required": std::mem::take(&mut self.required),
            "additionalProperties": false,
        });
        if !self.definitions.is_empty() {
            input["$defs"] = Value::Object(std::mem::take(&mut self.definitions));
        }
        self.input = input;
        self.path_keys.sort_by_key(|key| self.path.find(&format!("{{input./{key}}}")));
    }
}

fn placeholder(pointer: &str, required: bool) -> String {
    format!("{{input.{pointer}{}}}", if required { "" } else { "?" })
}

const fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-' | '$')
}

fn is_key(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_letter)
}

fn styled(style: ApiStyle, explode: bool) -> String {
    format!(
        "{style:?}, {}, which a manifest cannot write",
        if explode { "exploded" } else { "in one text" }
    )
}

enum Shape<'d> {
    Scalar,
    /// Of scalars.
    List,
    /// A list of lists or objects.
    Nested,
    Object(&'d Map<String, Value>),
}

/// What a parameter's values are; of several kinds the one that holds the others' places.
fn shape<'d>(document: &'d Value, schema: &'d Value) -> Shape<'d> {
    let Ok(schema) = follow(document, schema) else { return Shape::Scalar };
    let choices = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| schema[key].as_array());
    for choice in choices.flatten() {
        match shape(document, choice) {
            Shape::Scalar => {}
            other => return other,
        }
    }
    if let Shape::List | Shape::Object(_) = items(document, schema) {
        return Shape::Nested;
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        kind => vec![kind.clone()],
    };
    let is = |wanted: &str| kinds.iter().any(|kind| kind == wanted);
    match schema["properties"].as_object() {
        Some(members) => Shape::Object(members),
        None if is("object") => Shape::Object(none()),
        None if is("array") => Shape::List,
        None => Shape::Scalar,
    }
}

fn items<'d>(document: &'d Value, schema: &'d Value) -> Shape<'d> {
    schema.get("items").map_or(Shape::Scalar, |items| match follow(document, items) {
        Ok(found) if found["items"].is_object() => Shape::List,
        Ok(found) if found["properties"].is_object() || found["type"] == "object" => {
            Shape::Object(none())
        }
        _ => Shape::Scalar,
    })
}

fn none() -> &'static Map<String, Value> {
    static NONE: std::sync::OnceLock<Map<String, Value>> = std::sync::OnceLock::new();
    NONE.get_or_init(Map::new)
}

/// Files of a form: what a manifest's multipart takes.
fn files(schema: &mut Value) {
    let Some(Value::Object(members)) = schema.get_mut("properties") else { return };
    for member in members.values_mut() {
        if member["format"] == "binary" {
            *member = file();
        } else if member["items"]["format"] == "binary" {
            member["items"] = file();
        }
    }
}

fn file() -> Value {
    json!({
        "type": "object",
        "description": "a file; its content is base64",
        "properties": {"filename": {"type": "string"}, "content_type": {"type": "string"}, "content": {"type": "string", "contentEncoding": "base64", "pattern": BASE64}},
        "required": ["filename", "content"],
        "additionalProperties": false,
    })
}
