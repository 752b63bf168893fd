//! JSON Pointers (RFC 6901), and the patterns of `store` and `output`, in which `*` is any key.

use serde_json::{Map, Value};
use std::fmt;

/// A checked pointer. The empty pointer is the whole document; `*` as a segment matches every
/// member or item where [`Pointer::copy_into`] is used, and is refused by [`Pointer::exact`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer {
    text: String,
    segments: Vec<String>,
}

/// Text that is no JSON Pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no JSON Pointer: it starts with a slash, ~ is written ~0 and / is written ~1")]
pub struct Error {
    text: String,
}

impl Pointer {
    /// # Errors
    /// Text that is neither empty nor starts with `/`, or a stray `~`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let error = || Error { text: text.to_owned() };
        if text.is_empty() {
            return Ok(Self { text: String::new(), segments: Vec::new() });
        }
        let rest = text.strip_prefix('/').ok_or_else(error)?;
        let segments =
            rest.split('/').map(unescape).collect::<Option<Vec<_>>>().ok_or_else(error)?;
        Ok(Self { text: text.to_owned(), segments })
    }

    /// # Errors
    /// As [`Pointer::parse`], and a `*`: where one value is meant.
    pub fn exact(text: &str) -> Result<Self, Error> {
        let pointer = Self::parse(text)?;
        if pointer.segments.iter().any(|segment| segment == "*") {
            return Err(Error { text: text.to_owned() });
        }
        Ok(pointer)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// The value at this place, if there is one.
    pub fn get<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        self.segments.iter().try_fold(document, |value, segment| child(value, segment))
    }

    /// Whether a `*` stands in it.
    pub fn is_pattern(&self) -> bool {
        self.segments.iter().any(|segment| segment == "*")
    }

    /// Every value at this place, where `*` is any key, in the document's order.
    pub fn all<'a>(&self, document: &'a Value) -> Vec<&'a Value> {
        self.segments.iter().fold(vec![document], |found, segment| {
            let below = |value: &'a Value| -> Vec<&'a Value> {
                match value {
                    Value::Object(fields) if segment == "*" => fields.values().collect(),
                    Value::Array(items) if segment == "*" => items.iter().collect(),
                    value => child(value, segment).into_iter().collect(),
                }
            };
            found.into_iter().flat_map(below).collect()
        })
    }

    /// Whether `other` lies at or below this place; `*` matches any segment.
    pub fn covers(&self, other: &Self) -> bool {
        self.segments.len() <= other.segments.len()
            && self
                .segments
                .iter()
                .zip(&other.segments)
                .all(|(ours, theirs)| ours == "*" || ours == theirs)
    }

    /// Copies what stands at this place of `from` to the same place of `into`; absent stays absent.
    pub fn copy_into(&self, from: &Value, into: &mut Value) {
        copy(&self.segments, from, into);
    }

    /// Puts `value` at this place, making the objects on the way. `false` if a scalar or an array
    /// item that does not exist is in the way.
    pub fn set(&self, document: &mut Value, value: Value) -> bool {
        let mut place = document;
        for segment in &self.segments {
            if place.is_null() {
                *place = Value::Object(Map::new());
            }
            let next = match place {
                Value::Object(fields) => fields.entry(segment.clone()).or_insert(Value::Null),
                Value::Array(items) => {
                    match segment.parse::<usize>().ok().and_then(|i| items.get_mut(i)) {
                        Some(item) => item,
                        None => return false,
                    }
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return false,
            };
            place = next;
        }
        *place = value;
        true
    }
}

fn unescape(segment: &str) -> Option<String> {
    let stray = segment.split('~').skip(1).any(|after| !after.starts_with(['0', '1']));
    (!stray).then(|| segment.replace("~1", "/").replace("~0", "~"))
}

fn child<'a>(value: &'a Value, segment: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => fields.get(segment),
        // beyond RFC 6901: the last item, where a provider appends what is new
        Value::Array(items) if segment == "-1" => items.last(),
        Value::Array(items) => index_of(segment).and_then(|index| items.get(index)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// RFC 6901 §4: no leading zeros.
fn index_of(segment: &str) -> Option<usize> {
    if segment.len() > 1 && segment.starts_with('0') {
        return None;
    }
    segment.parse().ok()
}

fn copy(segments: &[String], from: &Value, into: &mut Value) {
    let Some((first, rest)) = segments.split_first() else {
        *into = from.clone();
        return;
    };
    match from {
        Value::Object(fields) => {
            for (key, value) in fields.iter().filter(|(key, _)| first == "*" || *key == first) {
                if !reaches(rest, value) {
                    continue;
                }
                if !into.is_object() {
                    *into = Value::Object(Map::new());
                }
                let place =
                    into.as_object_mut().map(|map| map.entry(key.clone()).or_insert(Value::Null));
                if let Some(place) = place {
                    copy(rest, value, place);
                }
            }
        }
        Value::Array(items) => {
            if !into.is_array() {
                *into = Value::Array(vec![Value::Null; items.len()]);
            }
            let Value::Array(targets) = into else { return };
            for (index, (value, place)) in items.iter().zip(targets).enumerate() {
                if first == "*" || index_of(first) == Some(index) {
                    copy(rest, value, place);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether anything stands at the end of `segments`, so that no empty shells are made on the way.
fn reaches(segments: &[String], value: &Value) -> bool {
    let Some((first, rest)) = segments.split_first() else { return true };
    match value {
        Value::Object(fields) if first == "*" => fields.values().any(|value| reaches(rest, value)),
        Value::Array(items) if first == "*" => items.iter().any(|value| reaches(rest, value)),
        Value::Object(_) | Value::Array(_) => {
            child(value, first).is_some_and(|value| reaches(rest, value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

impl fmt::Debug for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn copied(pointers: &[&str], from: &Value) -> Value {
        let mut into = Value::Null;
        for pointer in pointers {
            Pointer::parse(pointer).unwrap().copy_into(from, &mut into);
        }
        into
    }

    #[test]
    fn values_keep_their_place_and_absent_ones_leave_no_shell() {
        let from = json!({"ok": true, "message": {"ts": "1", "text": "x"}, "list": [{"id": 1, "n": 2}, {"id": 3}]});
        assert_eq!(
            copied(&["/ok", "/message/ts"], &from),
            json!({"ok": true, "message": {"ts": "1"}})
        );
        assert_eq!(copied(&["/message/none", "/none/x"], &from), Value::Null);
        assert_eq!(copied(&["/list/*/id"], &from), json!({"list": [{"id": 1}, {"id": 3}]}));
    }

    #[test]
    fn escapes_and_indices_follow_rfc_6901() {
        let document = json!({"a/b": {"m~n": [10, 20]}});
        let at = |text: &str| Pointer::parse(text).unwrap().get(&document).cloned();
        assert_eq!(at("/a~1b/m~0n/1"), Some(json!(20)));
        assert_eq!(at("/a~1b/m~0n/01"), None);
        assert_eq!(at(""), Some(document.clone()));
        for bad in ["a", "/a~", "/a~2"] {
            assert!(Pointer::parse(bad).is_err(), "{bad}");
        }
        assert!(Pointer::exact("/a/*").is_err());
    }

    #[test]
    fn a_value_is_put_in_its_place_with_the_objects_on_the_way() {
        let mut document = json!({"a": 1});
        assert!(Pointer::parse("/b/c").unwrap().set(&mut document, json!(2)));
        assert_eq!(document, json!({"a": 1, "b": {"c": 2}}));
        assert!(!Pointer::parse("/a/x").unwrap().set(&mut document, json!(2)));
    }

    #[test]
    fn a_pattern_covers_what_lies_below_it() {
        let covers =
            |a: &str, b: &str| Pointer::parse(a).unwrap().covers(&Pointer::parse(b).unwrap());
        assert!(covers("/a", "/a/b") && covers("/list/*/id", "/list/0/id") && covers("", "/x"));
        assert!(!covers("/a/b", "/a") && !covers("/a", "/ab"));
    }
}
