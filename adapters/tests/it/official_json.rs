//! Golden requests of the providers that take JSON or parts, and the answers that our fixtures show,
//! against the providers' own descriptions, where those are at hand.

use crate::official::{described, golden, path_and_query, read, specs};
use crate::support::provider_files;
use placet_schemas::Registry;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A provider, its description, what its paths begin with, and the fields that it takes today and
/// an old description does not know.
struct Described {
    provider: &'static str,
    file: &'static str,
    base: &'static str,
    newer: &'static [&'static str],
    /// Paths that it does not have at all.
    lacks: &'static [&'static str],
}

const DESCRIBED: &[Described] = &[
    Described {
        provider: "mailgun",
        file: "mailgun/mailgun.trimmed.json",
        base: "",
        newer: &[],
        lacks: &[],
    },
    Described {
        provider: "postmark",
        file: "postmark/postmark-server.openapi3.apisguru.json",
        base: "",
        newer: &["Metadata", "MessageStream", "metadata_placet_send"],
        lacks: &["/webhooks"],
    },
    Described {
        provider: "resend",
        file: "resend/resend.trimmed.json",
        base: "",
        newer: &[],
        lacks: &[],
    },
    Described {
        provider: "sendgrid",
        file: "sendgrid/sendgrid.trimmed.json",
        base: "/v3",
        newer: &["custom_args"], // a text by its type, a map of texts by its words
        lacks: &[],
    },
];

/// The description's schema made whole: its definitions stand where its references look.
fn whole(document: &Value, schema: &Value) -> Value {
    let mut whole = schema.clone();
    for key in ["components", "definitions"] {
        if let Some(definitions) = document.get(key) {
            whole[key] = definitions.clone();
        }
    }
    // `format: binary` and the like are the describers' own; an old dialect marks null its own way
    in_our_dialect(&mut whole);
    whole
}

fn in_our_dialect(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let nullable = fields.remove("nullable") == Some(json!(true))
                || fields.remove("x-nullable") == Some(json!(true));
            if nullable && fields.get("type").is_some_and(Value::is_string) {
                let kind = fields["type"].clone();
                fields.insert("type".to_owned(), json!([kind, "null"]));
            }
            for marker in ["exclusiveMinimum", "exclusiveMaximum", "example", "examples"] {
                if fields
                    .get(marker)
                    .is_some_and(|value| value.is_boolean() || marker.starts_with("example"))
                {
                    fields.remove(marker);
                }
            }
            // a property may be called `required`; the keyword is a list
            if fields.get("required").is_some_and(Value::is_boolean) {
                fields.remove("required");
            }
            fields.values_mut().for_each(in_our_dialect);
        }
        Value::Array(items) => items.iter_mut().for_each(in_our_dialect),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn check(document: &Value, schema: &Value, value: &Value, what: &str) {
    let schema = Registry::new().register(&whole(document, schema)).unwrap();
    schema.validate(value).unwrap_or_else(|broken| panic!("{what}: {broken}\n{value:#}"));
}

/// Of an `OpenAPI` 3 or Swagger 2 operation: the schema of its JSON body.
fn body_schema(operation: &Value) -> Option<&Value> {
    let content = &operation["requestBody"]["content"];
    content["application/json"]
        .get("schema")
        .or_else(|| content["multipart/form-data"].get("schema"))
        .or_else(|| {
            let parameters = operation["parameters"].as_array()?;
            parameters.iter().find(|parameter| parameter["in"] == "body")?.get("schema")
        })
}

fn answer_schema<'a>(document: &'a Value, operation: &'a Value, status: &str) -> Option<&'a Value> {
    let mut answer = operation["responses"].get(status)?;
    if let Some(to) = answer["$ref"].as_str() {
        answer = document.pointer(to.strip_prefix('#')?)?;
    }
    answer["content"]["application/json"].get("schema").or_else(|| answer.get("schema"))
}

/// The fields of a multipart body: texts; a file is its name.
fn parts(request: &Value) -> Value {
    let body = request["body"].as_str().unwrap();
    let media = request["headers"]["Content-Type"].as_str().unwrap();
    let boundary = media.split_once("boundary=").unwrap().1;
    let mut fields = json!({});
    for part in body.split(&format!("--{boundary}")).filter(|part| part.contains("form-data")) {
        let (head, text) = part.split_once("\r\n\r\n").unwrap();
        let name = head.split("name=\"").nth(1).unwrap().split('"').next().unwrap();
        let text = json!(text.strip_suffix("\r\n").unwrap());
        match &mut fields[name] {
            Value::Array(list) => list.push(text),
            single => *single = json!([text]),
        }
    }
    fields
}

/// A multipart field is one text or several, as its schema says.
fn fitted(document: &Value, schema: &Value, fields: &Value) -> Value {
    let schema = schema["$ref"].as_str().map_or(schema, |to| document.pointer(&to[1..]).unwrap());
    let mut out = json!({});
    for (name, list) in fields.as_object().unwrap() {
        let is_list = schema["properties"][name]["type"] == "array";
        out[name] = if is_list { list.clone() } else { list[0].clone() };
    }
    out
}

#[test]
fn every_golden_request_and_answer_fits_the_providers_description() {
    for described_by in DESCRIBED {
        let Described { provider, file, base, newer, lacks } = described_by;
        let Some(document) = read(&specs().join(file)) else {
            println!("skipped: {file} is not beside the repository");
            continue;
        };
        let mut seen = BTreeSet::new();
        let mut answers = 0;
        for (name, request) in golden(provider) {
            let (path, query) = path_and_query(&request);
            let path = path.strip_prefix(base).unwrap();
            if lacks.iter().any(|lacking| path.starts_with(lacking)) {
                assert!(described(&document, path).is_none(), "{name} is described: {path}");
                continue;
            }
            let item = described(&document, path).unwrap_or_else(|| panic!("{name}: {path}"));
            let operation = &item[request["method"].as_str().unwrap().to_lowercase()];
            assert!(operation.is_object(), "{name}: {path}");
            queried(&document, operation, &query, (&name, newer));
            if let Some(schema) = body_schema(operation) {
                let mut body = match request["headers"]["Content-Type"].as_str() {
                    Some(media) if media.starts_with("multipart/") => {
                        fitted(&document, schema, &parts(&request))
                    }
                    _ => request["body"].clone(),
                };
                for field in *newer {
                    body.as_object_mut().unwrap().remove(*field);
                }
                check(&document, schema, &body, &name);
            }
            if seen.insert(name.clone()) {
                answers += answered(&document, operation, provider, &name);
            }
        }
        println!("{provider}: {} operations, {answers} answers", seen.len());
    }
}

/// Every query parameter is one of the described ones.
fn queried(document: &Value, operation: &Value, query: &str, (name, newer): (&str, &[&str])) {
    let known: Vec<&Value> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| {
            parameter["$ref"].as_str().map_or(parameter, |to| document.pointer(&to[1..]).unwrap())
        })
        .collect();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let key = pair.split('=').next().unwrap();
        let is_known = known.iter().any(|parameter| parameter["name"] == key);
        assert!(is_known || newer.contains(&key), "{name}: {key}");
    }
}

/// A description that no answer can fit: one field is a number and a text in it.
const CONTRADICTORY: [&str; 1] = ["sendgrid.messages.list"];

/// Every answer of our fixtures that the description has a schema for; how many there were.
fn answered(document: &Value, operation: &Value, provider: &str, name: &str) -> usize {
    let mut checked = 0;
    if CONTRADICTORY.contains(&name) {
        return checked;
    }
    for (file, cases) in provider_files("answers.json") {
        if !file.contains(provider) {
            continue;
        }
        for case in cases.as_array().unwrap().iter().filter(|case| case["operation"] == name) {
            let status = case["status"].to_string();
            let Some(schema) = answer_schema(document, operation, &status) else { continue };
            if case["body"].is_object() {
                check(document, schema, &case["body"], &format!("{name} {status}"));
                checked += 1;
            }
        }
    }
    checked
}
