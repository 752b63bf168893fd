//! Which places an instance of a schema may have, as far as the schema is written out: for those who
//! read values before there are any. What cannot be told is allowed.

use serde_json::Value;

/// References that are followed on one way.
const HOPS_MAX: usize = 32;

/// One step into an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A member of an object.
    Key(&'a str),
    /// An item of an array.
    Item,
    /// The items of an array, or the members of an object.
    Each,
}

/// Whether some instance of the schema has something at this place. `false` is certain.
pub fn may_hold(schema: &Value, path: &[Step<'_>]) -> bool {
    holds(schema, schema, path, HOPS_MAX)
}

/// The members that the schema declares at this place, in its order, each once.
pub fn names_at<'s>(schema: &'s Value, path: &[Step<'_>]) -> Vec<&'s str> {
    let mut at = Vec::new();
    reach(schema, schema, path, HOPS_MAX, &mut at);
    let mut names: Vec<&str> = Vec::new();
    for place in at {
        for name in place["properties"].as_object().into_iter().flatten().map(|(name, _)| name) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    names
}

/// Whether the schema itself names this value for this place, as a constant or one of a list.
pub fn names_value(schema: &Value, path: &[Step<'_>], value: &Value) -> bool {
    let mut at = Vec::new();
    reach(schema, schema, path, HOPS_MAX, &mut at);
    at.into_iter().any(|place| {
        place.get("const") == Some(value)
            || place["enum"].as_array().is_some_and(|all| all.contains(value))
    })
}

fn holds(root: &Value, schema: &Value, path: &[Step<'_>], hops: usize) -> bool {
    if schema == &Value::Bool(false) {
        return false;
    }
    let Some(hops) = hops.checked_sub(1) else { return true };
    if let Some(target) = referred(root, schema)
        && !holds(root, target, path, hops)
    {
        return false;
    }
    let all = schema["allOf"].as_array().into_iter().flatten();
    if !all.into_iter().all(|part| holds(root, part, path, hops)) {
        return false;
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(branches) = schema[word].as_array()
            && !branches.iter().any(|branch| holds(root, branch, path, hops))
        {
            return false;
        }
    }
    let Some((step, rest)) = path.split_first() else { return true };
    may_be(schema, *step)
        && below(schema, *step).into_iter().all(|next| holds(root, next, rest, hops))
}

/// Whether the types that a schema names leave room for such a step.
fn may_be(schema: &Value, step: Step<'_>) -> bool {
    let wanted: &[&str] = match step {
        Step::Key(_) => &["object"],
        Step::Item => &["array"],
        Step::Each => &["array", "object"],
    };
    match &schema["type"] {
        Value::String(kind) => wanted.contains(&kind.as_str()),
        Value::Array(kinds) => {
            kinds.iter().any(|kind| kind.as_str().is_some_and(|kind| wanted.contains(&kind)))
        }
        _ => true,
    }
}

/// The schema of what stands one step below, where the words of this schema settle it.
fn below<'s>(schema: &'s Value, step: Step<'_>) -> Option<&'s Value> {
    match step {
        Step::Key(key) => {
            if let Some(declared) = schema["properties"].get(key) {
                return Some(declared);
            }
            if schema["patternProperties"].as_object().is_some_and(|all| !all.is_empty()) {
                return None;
            }
            schema.get("additionalProperties")
        }
        Step::Item if schema.get("prefixItems").is_none() => {
            schema.get("items").filter(|items| !items.is_array())
        }
        Step::Each if schema["type"] == "array" => below(schema, Step::Item),
        Step::Item | Step::Each => None,
    }
}

fn referred<'s>(root: &'s Value, schema: &Value) -> Option<&'s Value> {
    let pointer = schema["$ref"].as_str()?.strip_prefix('#')?;
    root.pointer(pointer)
}

/// The places of the schema that describe this place of an instance.
fn reach<'s>(
    root: &'s Value,
    schema: &'s Value,
    path: &[Step<'_>],
    hops: usize,
    out: &mut Vec<&'s Value>,
) {
    let Some(hops) = hops.checked_sub(1) else { return };
    if let Some(target) = referred(root, schema) {
        reach(root, target, path, hops, out);
    }
    for word in ["allOf", "anyOf", "oneOf"] {
        for part in schema[word].as_array().into_iter().flatten() {
            reach(root, part, path, hops, out);
        }
    }
    match path.split_first() {
        None => out.push(schema),
        Some((step, rest)) => {
            if let Some(next) = below(schema, *step) {
                reach(root, next, rest, hops, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Step::{Each, Item, Key};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_closed_object_has_what_it_declares_and_nothing_else() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
        assert!(may_hold(&schema, &[]) && may_hold(&schema, &[Key("a")]));
        assert!(!may_hold(&schema, &[Key("b")]) && !may_hold(&schema, &[Item]));
        assert!(!may_hold(&schema, &[Key("a"), Key("x")]), "a string has no members");
        assert_eq!(names_at(&schema, &[]), ["a"]);
    }

    #[test]
    fn a_value_is_the_schemas_own_where_it_names_it() {
        let schema = json!({"properties": {"kind": {"enum": ["a", "b"]}, "list": {"type": "array",
            "items": {"anyOf": [{"const": 1}, {"type": "string"}]}}}});
        assert!(names_value(&schema, &[Key("kind")], &json!("b")));
        assert!(names_value(&schema, &[Key("list"), Item], &json!(1)));
        assert!(!names_value(&schema, &[Key("kind")], &json!("c")));
        assert!(!names_value(&schema, &[Key("list"), Item], &json!("a")));
    }

    #[test]
    fn an_open_object_may_have_anything() {
        let schema = json!({"properties": {"a": true}});
        assert!(may_hold(&schema, &[Key("b"), Item, Key("c")]));
    }

    #[test]
    fn a_pattern_of_names_leaves_every_name_open() {
        let schema = json!({"patternProperties": {"^x-": true}, "additionalProperties": false});
        assert!(may_hold(&schema, &[Key("x-a")]));
    }

    #[test]
    fn items_and_references_are_followed_and_cycles_end() {
        let schema = json!({
            "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "id": {"type": "string"}}, "additionalProperties": false}},
            "type": "array", "items": {"$ref": "#/$defs/node"},
        });
        assert!(may_hold(&schema, &[Item, Key("next"), Key("next"), Key("id")]));
        assert!(!may_hold(&schema, &[Item, Key("next"), Key("name")]));
        assert_eq!(names_at(&schema, &[Each, Key("next")]), ["next", "id"]);
        let circle = json!({"$ref": "#"});
        assert!(may_hold(&circle, &[Key("a")]));
    }

    #[test]
    fn one_branch_is_enough_and_every_part_must_agree() {
        let one =
            json!({"type": "object", "properties": {"a": true}, "additionalProperties": false});
        let other =
            json!({"type": "object", "properties": {"b": true}, "additionalProperties": false});
        assert!(may_hold(&json!({"oneOf": [one, other]}), &[Key("b")]));
        assert!(!may_hold(&json!({"anyOf": [one, other]}), &[Key("c")]));
        assert!(!may_hold(&json!({"allOf": [one, other]}), &[Key("b")]));
        assert!(!may_hold(&json!(false), &[]));
    }
}
