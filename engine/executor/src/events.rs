//! Events as `CloudEvents` in their JSON form: checked where they come in, read as a task asks.

use placet_model::plan::EventRead;
use placet_model::{Digest, Timestamp};
use serde_json::{Map, Value};

/// Bytes of the attributes that identify an event.
const ATTRIBUTE_BYTES_MAX: usize = 1024;

/// Attributes whose values are texts.
const TEXTS: [&str; 7] =
    ["id", "source", "type", "subject", "datacontenttype", "dataschema", "specversion"];

/// What an event has that leaves it out.
#[derive(Debug, Clone)]
pub(crate) struct Defaults {
    pub(crate) id: String,
    pub(crate) source: String,
    pub(crate) time: Timestamp,
}

/// A checked event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Envelope {
    /// Its type.
    pub(crate) kind: String,
    /// Digest of its source and id.
    pub(crate) identity: Digest,
    /// The event.
    pub(crate) value: Value,
}

/// Why something is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// An attribute is missing.
    #[error("it has no `type`")]
    NoType,
    /// An attribute has another kind of value.
    #[error("`{name}` must be a text")]
    NoText {
        /// Which attribute.
        name: String,
    },
    /// An attribute is empty, too long, or holds control characters.
    #[error("`{name}` must hold 1 to {ATTRIBUTE_BYTES_MAX} bytes and no control characters")]
    Unfit {
        /// Which attribute.
        name: String,
    },
    /// The time cannot be read.
    #[error("`time` must be a moment such as 2026-01-01T00:00:00Z, not {found:?}")]
    NoTime {
        /// What was given.
        found: String,
    },
    /// Another version of `CloudEvents`.
    #[error("`specversion` must be 1.0, not {found:?}")]
    OtherVersion {
        /// What was given.
        found: String,
    },
    /// The name of an extension attribute is none.
    #[error("`{name}` is no name of an attribute: lower-case letters and digits")]
    NoName {
        /// The name.
        name: String,
    },
}

/// The event of these attributes; what is left out is filled in, null is left out.
///
/// # Errors
/// The first attribute that does not fit.
pub(crate) fn envelope(given: Map<String, Value>, defaults: Defaults) -> Result<Envelope, Problem> {
    let mut given: Map<String, Value> =
        given.into_iter().filter(|(name, value)| name == "data" || !value.is_null()).collect();
    for name in TEXTS {
        match given.get(name) {
            None => {}
            Some(Value::String(text)) => check_text(name, text)?,
            Some(_) => return Err(Problem::NoText { name: name.to_owned() }),
        }
    }
    let text = |given: &Map<String, Value>, name: &str| {
        given.get(name).and_then(Value::as_str).map(str::to_owned)
    };
    let kind = text(&given, "type").ok_or(Problem::NoType)?;
    if let Some(found) = text(&given, "specversion").filter(|found| found != "1.0") {
        return Err(Problem::OtherVersion { found });
    }
    let time = match given.remove("time") {
        None => defaults.time.to_string(),
        Some(Value::String(found)) => match found.parse::<Timestamp>() {
            Ok(_) => found,
            Err(_unreadable) => return Err(Problem::NoTime { found }),
        },
        Some(other) => return Err(Problem::NoTime { found: other.to_string() }),
    };
    let id = text(&given, "id").unwrap_or(defaults.id);
    let source = text(&given, "source").unwrap_or(defaults.source);
    let identity = identity(&source, &id);
    let mut value = Map::new();
    for (name, text) in [("specversion", "1.0"), ("id", &id), ("source", &source), ("type", &kind)]
    {
        value.insert(name.to_owned(), Value::String(text.to_owned()));
    }
    value.insert("time".to_owned(), Value::String(time));
    for (name, attribute) in given {
        if !value.contains_key(&name) {
            check_name(&name)?;
            value.insert(name, attribute);
        }
    }
    Ok(Envelope { kind, identity, value: Value::Object(value) })
}

/// Whether a text can be an attribute.
pub(crate) fn is_text(text: &str) -> bool {
    (1..=ATTRIBUTE_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control)
}

fn check_text(name: &str, text: &str) -> Result<(), Problem> {
    if is_text(text) { Ok(()) } else { Err(Problem::Unfit { name: name.to_owned() }) }
}

/// `eventKey` is our one attribute with a capital letter.
fn check_name(name: &str) -> Result<(), Problem> {
    let fits = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if (fits && !name.is_empty()) || name == "eventKey" {
        Ok(())
    } else {
        Err(Problem::NoName { name: name.to_owned() })
    }
}

/// Digest of an event's source and id: the same pair is the same event.
pub(crate) fn identity(source: &str, id: &str) -> Digest {
    Digest::of_parts(&[b"event", source.as_bytes(), b"\0", id.as_bytes()])
}

/// What a task reads of an event.
pub(crate) fn read(event: &Value, read: EventRead) -> Value {
    let data = || event.get("data").cloned().unwrap_or_default();
    match read {
        EventRead::Data => data(),
        EventRead::Envelope => event.clone(),
        EventRead::Raw => match (event.get("data_base64"), data()) {
            (Some(base64), _) => base64.clone(),
            (None, Value::String(text)) => Value::String(text),
            (None, value) => Value::String(value.to_string()),
        },
    }
}

/// Equal in depth; numbers by their value, however they are written.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || left.as_f64().is_some_and(|left| right.as_f64() == Some(left))
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            let equal = |(key, l): (&String, &Value)| right.get(key).is_some_and(|r| same(l, r));
            left.len() == right.len() && left.iter().all(equal)
        }
        (left, right) => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn made(given: Value) -> Result<Value, String> {
        let Value::Object(given) = given else { unreachable!("an object") };
        let defaults = Defaults {
            id: "e1".to_owned(),
            source: "/ops/t/1.0.0".to_owned(),
            time: Timestamp::EPOCH,
        };
        envelope(given, defaults).map(|e| e.value).map_err(|problem| problem.to_string())
    }

    #[test]
    fn what_an_event_leaves_out_is_filled_in_and_the_rest_stays() {
        assert_eq!(
            made(json!({"type": "a.b", "data": null, "subject": null, "region": "eu"})),
            Ok(json!({
                "specversion": "1.0", "id": "e1", "source": "/ops/t/1.0.0", "type": "a.b",
                "time": "1970-01-01T00:00:00.000Z", "data": null, "region": "eu",
            }))
        );
    }

    #[test]
    fn what_is_no_event_is_told_by_its_attribute() {
        for (given, words) in [
            (json!({}), "it has no `type`"),
            (json!({"type": 7}), "`type` must be a text"),
            (json!({"type": ""}), "`type` must hold 1 to 1024 bytes"),
            (json!({"type": "a\u{0}b"}), "no control characters"),
            (json!({"type": "a", "time": "noon"}), "`time` must be a moment"),
            (json!({"type": "a", "specversion": "0.3"}), "must be 1.0, not \"0.3\""),
            (json!({"type": "a", "Region": 1}), "`Region` is no name of an attribute"),
        ] {
            let said = made(given.clone()).unwrap_err();
            assert!(said.contains(words), "{given}: {said}");
        }
    }

    #[test]
    fn an_event_is_read_as_data_envelope_or_raw() {
        let event = json!({"type": "a", "data": {"x": 1}});
        assert_eq!(read(&event, EventRead::Data), json!({"x": 1}));
        assert_eq!(read(&event, EventRead::Envelope), event);
        assert_eq!(read(&event, EventRead::Raw), json!("{\"x\":1}"));
        assert_eq!(read(&json!({"data": "plain"}), EventRead::Raw), json!("plain"));
        assert_eq!(read(&json!({}), EventRead::Data), Value::Null);
    }

    #[test]
    fn values_are_the_same_in_depth_and_numbers_by_value() {
        assert!(same(&json!({"a": [1, 2.0]}), &json!({"a": [1.0, 2]})));
        assert!(!same(&json!({"a": 1}), &json!({"a": 1, "b": null})));
        assert!(!same(&json!("1"), &json!(1)));
    }
}
