//! Golden requests against the providers' own descriptions, where those are at hand.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub(crate) fn specs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/specs")
}

pub(crate) fn read(path: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

/// The golden requests of a provider: `{operation, request}`.
pub(crate) fn golden(provider: &str) -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/providers").join(provider);
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|file| {
            let case = read(&file.unwrap().path()).unwrap();
            let request = case["expect"].get("request")?.clone();
            Some((case["operation"].as_str()?.to_owned(), request))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!found.is_empty(), "{provider}");
    found
}

pub(crate) fn path_and_query(request: &Value) -> (String, String) {
    let url = request["url"].as_str().unwrap();
    let rest = url.split_once("://").unwrap().1;
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    (path.to_owned(), query.to_owned())
}

/// The path of a description that this one is an instance of.
pub(crate) fn described<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    let parts: Vec<&str> = path.split('/').collect();
    document["paths"].as_object().unwrap().iter().find_map(|(template, item)| {
        let wanted: Vec<&str> = template.split('/').collect();
        let fits = wanted.len() == parts.len()
            && wanted.iter().zip(&parts).all(|(want, is)| want.starts_with('{') || want == is);
        fits.then_some(item)
    })
}

fn form(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            (decoded(name), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let code = std::str::from_utf8(&rest[..2]).unwrap();
            bytes.push(u8::from_str_radix(code, 16).unwrap());
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// `metadata[a]=b` → the property's schema, one level down per bracket.
fn property<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let mut place = schema;
    for key in name.split('[').map(|key| key.trim_end_matches(']')) {
        let options: Vec<&Value> = place["anyOf"]
            .as_array()
            .map_or_else(|| vec![place], |options| options.iter().collect());
        place = options.iter().find_map(|option| {
            option["properties"]
                .get(key)
                .or_else(|| option.get("additionalProperties"))
                .or_else(|| option.get("items").filter(|_| key.parse::<u32>().is_ok()))
                .filter(|v| v.is_object())
        })?;
    }
    Some(place)
}

fn fits(schema: &Value, value: &str) -> bool {
    let options: Vec<&Value> =
        schema["anyOf"].as_array().map_or_else(|| vec![schema], |options| options.iter().collect());
    options.iter().any(|schema| {
        let long = schema["maxLength"].as_u64().is_some_and(|max| value.len() as u64 > max);
        let listed = schema["enum"].as_array().is_none_or(|list| list.contains(&json!(value)));
        let typed = match schema["type"].as_str() {
            Some("integer") => value.parse::<i64>().is_ok(),
            Some("boolean") => value == "true" || value == "false",
            Some("string") => true,
            _ => false,
        };
        typed && listed && !long
    })
}

#[test]
fn every_golden_request_of_stripe_fits_the_providers_description() {
    let Some(spec) = read(&specs().join("stripe/spec3.trimmed.json")) else {
        println!("skipped: the description is not here");
        return;
    };
    for (operation, request) in golden("stripe") {
        let (path, query) = path_and_query(&request);
        let method = request["method"].as_str().unwrap().to_lowercase();
        let described = described(&spec, &path).unwrap_or_else(|| panic!("{operation}: {path}"));
        let described = &described[&method];
        assert!(described.is_object(), "{operation}: {method} {path}");
        for (name, _) in form(&query) {
            let base = name.split('[').next().unwrap();
            let known = described["parameters"].as_array().unwrap();
            assert!(known.iter().any(|known| known["name"] == base), "{operation}: {name}");
        }
        if method != "post" {
            assert!(request["body"].is_null(), "{operation}");
            continue;
        }
        let media = "application/x-www-form-urlencoded";
        assert_eq!(request["headers"]["Content-Type"], media);
        let schema = &described["requestBody"]["content"][media]["schema"];
        let fields = form(request["body"].as_str().unwrap_or_default());
        for (name, value) in &fields {
            let field = property(schema, name).unwrap_or_else(|| panic!("{operation}: {name}"));
            assert!(fits(field, value), "{operation}: {name}={value} is not {field}");
        }
        for required in schema["required"].as_array().into_iter().flatten() {
            let named = |name: &str| name.split('[').next().is_some_and(|base| required == base);
            assert!(fields.iter().any(|(name, _)| named(name)), "{operation}: {required}");
        }
    }
}

/// Whether a JSON value is of one of the types that the description of the Bot API names.
fn is_of(spec: &Value, value: &Value, types: &[Value]) -> bool {
    types.iter().filter_map(Value::as_str).any(|name| match name {
        "Integer" => value.is_i64(),
        "String" => value.is_string(),
        "Boolean" => value.is_boolean(),
        list if list.starts_with("Array of ") => value.as_array().is_some_and(|items| {
            let inner = [json!(list.trim_start_matches("Array of "))];
            items.iter().all(|item| is_of(spec, item, &inner))
        }),
        object => value.as_object().is_some_and(|fields| {
            let known = spec["types"][object]["fields"].as_array();
            fields.iter().all(|(name, value)| {
                known.into_iter().flatten().any(|field| {
                    field["name"] == *name && is_of(spec, value, field["types"].as_array().unwrap())
                })
            })
        }),
    })
}

#[test]
fn every_golden_request_of_telegram_fits_the_providers_description() {
    let Some(spec) = read(&specs().join("telegram/api.json")) else {
        println!("skipped: the description is not here");
        return;
    };
    for (operation, request) in golden("telegram") {
        let (path, query) = path_and_query(&request);
        let method = path.rsplit('/').next().unwrap();
        assert_eq!(path, format!("/bot‹credential:bot_token›/{method}"));
        let fields = spec["methods"][method]["fields"].as_array().cloned().unwrap_or_default();
        let field = |name: &str| {
            let found = fields.iter().find(|field| field["name"] == name);
            found.unwrap_or_else(|| panic!("{operation}: {name}"))["types"].as_array().unwrap()
        };
        // what stands in the query is text there: a number, a word of truth, a list as JSON
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap();
            if value.starts_with('‹') {
                field(name);
                continue;
            }
            let text = decoded(value);
            let value = serde_json::from_str(&text).unwrap_or(Value::Null);
            let types = field(name);
            let fits = is_of(&spec, &value, types) || is_of(&spec, &json!(text), types);
            assert!(fits, "{operation}: {name}={text}");
        }
        let body = request["body"].as_object().cloned().unwrap_or_default();
        for (name, value) in &body {
            assert!(is_of(&spec, value, field(name)), "{operation}: {name}={value}");
        }
        for required in fields.iter().filter(|field| field["required"] == true) {
            let name = required["name"].as_str().unwrap();
            let given = body.contains_key(name) || query.contains(&format!("{name}="));
            assert!(given, "{operation}: {name}");
        }
    }
}

#[test]
fn every_golden_request_of_slack_names_arguments_of_the_providers_description() {
    if !specs().join("slack/methods").exists() {
        println!("skipped: the description is not here");
        return;
    }
    for (operation, request) in golden("slack") {
        let (path, query) = path_and_query(&request);
        let method = path.trim_start_matches("/api/");
        let file = specs().join(format!("slack/methods/{method}.json"));
        let spec = read(&file).unwrap_or_else(|| panic!("{operation}: {method}"));
        let mut given: Vec<String> = form(&query).into_iter().map(|(name, _)| name).collect();
        match &request["body"] {
            Value::Object(fields) => given.extend(fields.keys().cloned()),
            Value::String(text) => given.extend(form(text).into_iter().map(|(name, _)| name)),
            _ => {}
        }
        let known = spec["args"]["properties"].as_object().unwrap();
        for name in &given {
            // sent and not relied on: the page names its errors and not the argument
            assert!(name == "client_msg_id" || known.contains_key(name), "{operation}: {name}");
        }
        for required in spec["args"]["required"].as_array().into_iter().flatten() {
            let required = required.as_str().unwrap();
            assert!(
                required == "token" || given.iter().any(|name| name == required),
                "{operation}: {required}"
            );
        }
    }
}
