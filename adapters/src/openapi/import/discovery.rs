//! Google's discovery documents → the `OpenAPI` 3.1 document that says the same, so that all behind it is
//! shared. What only a discovery document has (uploads, scopes of which any one opens a method, names of
//! several segments) is brought into the form that a manifest can say, and told as an assumption.
//! <https://developers.google.com/discovery/v1/reference/apis>

use super::super::Error;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const KIND: &str = "discovery#restDescription";
/// Levels of resources within each other.
const DEPTH_MAX: usize = 16;
/// The one security scheme that such a document knows, with where its tokens come from.
const SCHEME: &str = "google";
const AUTHORIZATION_URL: &str = "https://accounts.google.com/o/oauth2/v2/auth";
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

/// A document in other words.
pub(super) struct Translated {
    pub(super) document: Value,
    /// What the names of its methods begin with there, and not here.
    pub(super) prefix: String,
    pub(super) assumptions: Vec<String>,
    /// Name and reason of each method that `OpenAPI` cannot say.
    pub(super) left_out: Vec<(String, String)>,
}

/// None where it is no discovery document.
///
/// # Errors
/// It does not say where the API is, or its resources are nested without end.
pub(super) fn translated(discovery: &Value) -> Result<Option<Translated>, Error> {
    if discovery["kind"] != KIND {
        return Ok(None);
    }
    let prefix = format!("{}.", discovery["name"].as_str().unwrap_or_default());
    let mut methods = Vec::new();
    collect(discovery, DEPTH_MAX, &mut methods)?;
    let opens = opens(&methods);
    let (mut paths, mut left_out) = (Map::new(), Vec::new());
    for method in &methods {
        let name = method["id"].as_str().unwrap_or_default();
        let name = name.strip_prefix(&prefix).unwrap_or(name);
        let verb = method["httpMethod"].as_str().unwrap_or("GET").to_ascii_lowercase();
        match path(method) {
            Ok(path) => {
                let item = paths.entry(path.text).or_insert_with(|| json!({}));
                if item.get(&verb).is_some() {
                    let reason = "another method has its path".to_owned();
                    left_out.push((name.to_owned(), reason));
                } else {
                    item[&verb] = operation((name, method), path.parameters, &opens);
                }
            }
            Err(reason) => left_out.push((name.to_owned(), reason)),
        }
    }
    let schemas = discovery["schemas"].as_object().into_iter().flatten();
    let schemas: Map<String, Value> =
        schemas.map(|(name, said)| (name.clone(), schema(said))).collect();
    let version = discovery["version"].as_str().unwrap_or("of no version");
    let revision = discovery["revision"].as_str().map(|text| format!(", revision {text}"));
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": discovery["title"],
            "version": format!("{version}{}", revision.unwrap_or_default()),
        },
        "servers": [{ "url": base(discovery)? }],
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": scheme(discovery) },
    });
    let assumptions = assumptions(discovery, &methods);
    Ok(Some(Translated { document, prefix, assumptions, left_out }))
}

/// Every method of a resource and of those below it.
fn collect<'d>(
    resource: &'d Value,
    levels: usize,
    methods: &mut Vec<&'d Value>,
) -> Result<(), Error> {
    if levels == 0 {
        let reference = "a resource".to_owned();
        return Err(Error::Reference { reference, reason: "it is nested without end" });
    }
    methods.extend(resource["methods"].as_object().into_iter().flatten().map(|(_, one)| one));
    for (_, inner) in resource["resources"].as_object().into_iter().flatten() {
        collect(inner, levels - 1, methods)?;
    }
    Ok(())
}

fn base(discovery: &Value) -> Result<String, Error> {
    let root = discovery["rootUrl"]
        .as_str()
        .ok_or_else(|| Error::Server { reason: "its rootUrl is missing".to_owned() })?;
    let service = discovery["servicePath"].as_str().unwrap_or_default();
    Ok(format!("{}/{}", root.trim_end_matches('/'), service.trim_matches('/'))
        .trim_end_matches('/')
        .to_owned())
}

fn scheme(discovery: &Value) -> Value {
    let Some(scopes) = discovery["auth"]["oauth2"]["scopes"].as_object() else { return json!({}) };
    let scopes: Map<String, Value> =
        scopes.iter().map(|(scope, said)| (scope.clone(), said["description"].clone())).collect();
    let flow =
        json!({ "authorizationUrl": AUTHORIZATION_URL, "tokenUrl": TOKEN_URL, "scopes": scopes });
    json!({ SCHEME: { "type": "oauth2", "flows": { "authorizationCode": flow } } })
}

/// A path and the parameters that stand in it under other names than the method's.
struct Path {
    text: String,
    parameters: Vec<Value>,
}

/// A name of several segments (`{+topic}`) is written segment by segment, as `flatPath` does it.
fn path(method: &Value) -> Result<Path, String> {
    let whole = method["path"].as_str().unwrap_or_default();
    let given = method["parameters"].as_object();
    let is_known = |name: &str| given.is_some_and(|given| given.contains_key(name));
    let flat = method["flatPath"].as_str();
    let text = match flat {
        Some(flat) if whole.contains("{+") => flat,
        None if whole.contains("{+") => {
            return Err("its path has a name of several segments, and no flatPath".to_owned());
        }
        _ => whole,
    };
    let names = text.split('{').skip(1).filter_map(|part| part.split_once('}'));
    let own = names.map(|(name, _)| name).filter(|name| !is_known(name)).map(|name| {
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 },
            "description": format!("this segment of {whole}") })
    });
    Ok(Path { text: format!("/{}", text.trim_start_matches('/')), parameters: own.collect() })
}

fn operation(
    (name, method): (&str, &Value),
    mut parameters: Vec<Value>,
    opens: &BTreeMap<&str, usize>,
) -> Value {
    let whole = method["path"].as_str().unwrap_or_default();
    for (name, said) in method["parameters"].as_object().into_iter().flatten() {
        // it stands in the path segment by segment
        if !whole.contains(&format!("{{+{name}}}")) {
            parameters.push(parameter(name, said));
        }
    }
    let mut operation = json!({
        "operationId": name,
        "description": method["description"],
        "parameters": parameters,
        "security": scope(method, opens).map_or_else(|| json!([]), |scope| json!([{ SCHEME: [scope] }])),
    });
    let of = |side: &str| method[side]["$ref"].as_str();
    let content = |name: &str| json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{name}") } } });
    if let Some(request) = of("request") {
        operation["requestBody"] = json!({ "required": true, "content": content(request) });
    }
    operation["responses"] = match of("response") {
        Some(response) => json!({ "200": { "description": "Done", "content": content(response) } }),
        None => json!({ "204": { "description": "Done" } }),
    };
    operation
}

fn parameter(name: &str, said: &Value) -> Value {
    let one = schema(said);
    let schema =
        if said["repeated"] == true { json!({ "type": "array", "items": one }) } else { one };
    let is_in_path = said["location"] == "path";
    json!({
        "name": name,
        "in": if is_in_path { "path" } else { "query" },
        "required": is_in_path || said["required"] == true,
        "description": said["description"],
        "schema": schema,
    })
}

/// How many methods each scope opens: the fewer, the narrower it is.
fn opens<'d>(methods: &[&'d Value]) -> BTreeMap<&'d str, usize> {
    let mut opens = BTreeMap::new();
    for scope in methods.iter().flat_map(|method| scopes(method)) {
        *opens.entry(scope).or_default() += 1;
    }
    opens
}

fn scopes(method: &Value) -> impl Iterator<Item = &str> {
    method["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The one scope that is asked for: any one of a method's opens it. Those of add-ons count only within
/// them, one for reading reads all that there is to read, and the narrowest is enough.
fn scope<'d>(method: &'d Value, opens: &BTreeMap<&str, usize>) -> Option<&'d str> {
    let reads = method["httpMethod"] == "GET";
    let is_of_add_ons = |scope: &str| scope.contains(".addons.");
    let rank = |scope: &&str| {
        let readonly = scope.ends_with(".readonly");
        (is_of_add_ons(scope), reads && !readonly, opens.get(scope).copied().unwrap_or_default())
    };
    scopes(method).min_by_key(|scope| (rank(scope), *scope))
}

/// A schema in the words of JSON Schema: texts of numbers become numbers, formats of Google's own the
/// patterns that they stand for.
fn schema(said: &Value) -> Value {
    let mut out = Map::new();
    if let Some(name) = said["$ref"].as_str() {
        out.insert("$ref".to_owned(), json!(format!("#/components/schemas/{name}")));
    }
    let kind = said["type"].as_str().filter(|kind| *kind != "any");
    out.extend(kind.map(|kind| ("type".to_owned(), json!(kind))));
    for key in ["description", "enum", "pattern", "readOnly", "deprecated"] {
        out.extend(said.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    for key in ["default", "minimum", "maximum"] {
        out.extend(
            said[key].as_str().and_then(|text| typed(kind, text)).map(|v| (key.to_owned(), v)),
        );
    }
    out.extend(format(kind, said["format"].as_str()));
    if let Some(members) = said["properties"].as_object() {
        let required: Vec<&String> = members
            .iter()
            .filter(|(_, one)| one["required"] == true)
            .map(|(name, _)| name)
            .collect();
        if !required.is_empty() {
            out.insert("required".to_owned(), json!(required));
        }
        let members: Map<String, Value> =
            members.iter().map(|(name, one)| (name.clone(), schema(one))).collect();
        out.insert("properties".to_owned(), Value::Object(members));
    }
    for key in ["items", "additionalProperties"] {
        out.extend(said[key].is_object().then(|| (key.to_owned(), schema(&said[key]))));
    }
    Value::Object(out)
}

/// What stands as a text in a discovery document, as what it is.
fn typed(kind: Option<&str>, text: &str) -> Option<Value> {
    match kind {
        Some("integer" | "number" | "boolean") => serde_json::from_str(text).ok(),
        Some("string") => Some(json!(text)),
        _ => None,
    }
}

fn format(kind: Option<&str>, format: Option<&str>) -> Option<(String, Value)> {
    let pattern = |pattern: &str| Some(("pattern".to_owned(), json!(pattern)));
    match (kind, format?) {
        (Some("string"), "int64") => pattern("^-?[0-9]{1,19}$"),
        (Some("string"), "uint64") => pattern("^[0-9]{1,20}$"),
        (Some("string"), "byte") => pattern("^[A-Za-z0-9+/_-]*={0,2}$"),
        (Some("string"), "google-duration") => pattern(r"^-?[0-9]+(\.[0-9]{1,9})?s$"),
        (Some("string"), "google-datetime") => Some(("format".to_owned(), json!("date-time"))),
        (Some("string"), "date-time" | "date") => Some(("format".to_owned(), json!(format?))),
        (Some("integer"), "uint32") => Some(("minimum".to_owned(), json!(0))),
        _ => None,
    }
}

fn assumptions(discovery: &Value, methods: &[&Value]) -> Vec<String> {
    let mut all = vec![
        "it is a discovery document of Google's: its methods are read as an OpenAPI document's operations would be".to_owned(),
    ];
    let count = |key: &str| methods.iter().filter(|method| method[key] == true).count();
    if discovery["parameters"].is_object() {
        all.push("the parameters that every method takes (alt, fields, key and others) are left out: answers come whole, as JSON".to_owned());
    }
    if discovery["auth"]["oauth2"].is_object() {
        all.push("of the scopes that open a method one is asked for: one for reading to read, else the one that opens the fewest methods; none of add-ons".to_owned());
    }
    let uploads = count("supportsMediaUpload");
    if uploads > 0 {
        all.push(format!(
            "{uploads} methods also take a file to upload: they are imported as they take JSON"
        ));
    }
    let downloads = count("supportsMediaDownload");
    if downloads > 0 {
        all.push(format!(
            "{downloads} methods can also answer with a file: they are imported as they answer JSON"
        ));
    }
    if methods.iter().any(|method| method["path"].as_str().is_some_and(|path| path.contains("{+")))
    {
        all.push("a name of several segments is given segment by segment".to_owned());
    }
    all
}
