//! Where the API is: a setting, checked against the servers that the document names.

use super::auth::Scheme;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use url::Url;

/// Stands for the address of a document that came from no URL and names none.
pub(super) const NOWHERE: &str = "https://placet.invalid";

/// The address that most operations share.
pub(super) struct Base {
    pub(super) url: String,
    pattern: String,
}

pub(super) fn main<'a>(document: &Value, bases: impl Iterator<Item = &'a str>) -> Base {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for base in bases {
        *counts.entry(base).or_default() += 1;
    }
    let most = counts.iter().max_by_key(|(base, count)| (**count, std::cmp::Reverse(**base)));
    let url = most.map_or(NOWHERE, |(base, _)| *base).to_owned();
    let mut patterns = vec![escaped(&url)];
    for server in document["servers"].as_array().into_iter().flatten() {
        let text = server["url"].as_str().unwrap_or_default().trim_end_matches('/');
        if text.starts_with("https://") {
            patterns.push(with_variables(text, &server["variables"]));
        }
    }
    patterns.dedup();
    let pattern = if url.starts_with(NOWHERE) {
        r"^https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?$".to_owned()
    } else {
        format!("^({})$", patterns.join("|"))
    };
    Base { url, pattern }
}

impl Base {
    pub(super) fn is_placeholder(&self) -> bool {
        self.url.starts_with(NOWHERE)
    }

    /// The schema of the settings.
    pub(super) fn config(&self, scheme: Option<&Scheme>) -> Value {
        let mut base = json!({
            "type": "string",
            "description": "where the API is",
            "pattern": self.pattern,
        });
        let mut required = Vec::new();
        if self.is_placeholder() {
            required.push("api_base");
        } else {
            base["default"] = json!(self.url);
        }
        let mut properties = Map::new();
        properties.insert("api_base".to_owned(), base);
        if scheme.is_some_and(|scheme| scheme.has_user) {
            properties.insert("user".to_owned(), json!({"type": "string", "minLength": 1, "description": "the user of Basic authentication"}));
            required.push("user");
        }
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }
}

pub(super) fn credentials(scheme: &Scheme) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {scheme.secret: {"type": "string", "minLength": 1, "writeOnly": true}},
        "required": [scheme.secret],
        "additionalProperties": false,
    })
}

pub(super) fn host(base: &str) -> Option<String> {
    Url::parse(base).ok()?.host_str().map(str::to_owned)
}

/// `https://{site}.example.com`: a variable is one of its values, or one label.
fn with_variables(text: &str, variables: &Value) -> String {
    let (mut rest, mut out) = (text, String::new());
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        let values = variables[name]["enum"].as_array().into_iter().flatten();
        let values: Vec<String> = values.filter_map(Value::as_str).map(escaped).collect();
        out.push_str(&escaped(before));
        if values.is_empty() {
            out.push_str("[A-Za-z0-9_-]+");
        } else {
            out.extend(["(", &values.join("|"), ")"]);
        }
        rest = after;
    }
    out.push_str(&escaped(rest));
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        if ".^$*+?()[]{}|\\".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}
