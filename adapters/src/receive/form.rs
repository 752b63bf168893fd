//! `a=1&b[c]=2&d[]=3`: queries and forms as JSON, all leaves texts.

use serde_json::{Map, Value};

/// The pairs of a form; brackets make maps and lists, a name that is repeated makes a list.
pub(super) fn decoded(text: &str) -> Map<String, Value> {
    let mut out = Map::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (plain(name), Value::String(plain(value)));
        let (first, rest) = name.split_once('[').unwrap_or((name.as_str(), ""));
        let keys: Vec<&str> = rest.split('[').map(|key| key.trim_end_matches(']')).collect();
        if rest.is_empty() {
            put(out.entry(first.to_owned()), value);
        } else {
            let mut at = out.entry(first.to_owned()).or_insert_with(|| Value::Object(Map::new()));
            for key in keys.iter().take(keys.len() - 1) {
                at = inner(at, key);
            }
            if let Some(last) = keys.last() {
                leaf(at, last, value);
            }
        }
    }
    out.into_iter().map(|(name, value)| (name, listed(value))).collect()
}

/// What clients write for yes and no.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "1" => Some(true),
        "false" | "False" | "0" => Some(false),
        _ => None,
    }
}

/// What a map holds under `name[key]`, taken out.
pub(super) fn nested(given: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let (first, key) = name.strip_suffix(']')?.split_once('[')?;
    given.get_mut(first)?.as_object_mut()?.shift_remove(key)
}

fn put(entry: serde_json::map::Entry<'_>, value: Value) {
    match entry {
        serde_json::map::Entry::Vacant(free) => {
            free.insert(value);
        }
        serde_json::map::Entry::Occupied(mut taken) => match taken.get_mut() {
            Value::Array(items) => items.push(value),
            before => *before = Value::Array(vec![before.take(), value]),
        },
    }
}

fn inner<'v>(at: &'v mut Value, key: &str) -> &'v mut Value {
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    &mut at[key]
}

fn leaf(at: &mut Value, key: &str, value: Value) {
    if key.is_empty() {
        match at {
            Value::Array(items) => items.push(value),
            _ => *at = Value::Array(vec![value]),
        }
    } else {
        *inner(at, key) = value;
    }
}

/// A map whose keys are 0, 1, 2 … is a list.
fn listed(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let counted = !members.is_empty()
                && members.keys().enumerate().all(|(place, key)| *key == place.to_string());
            let members = members.into_iter().map(|(key, member)| (key, listed(member)));
            if counted {
                members.map(|(_, member)| member).collect()
            } else {
                Value::Object(members.collect())
            }
        }
        Value::Array(items) => items.into_iter().map(listed).collect(),
        scalar => scalar,
    }
}

/// Percent-decoded, a plus as a space; bytes that are no text are replaced.
fn plain(text: &str) -> String {
    super::path::unescaped(&text.replace('+', " "))
}
