//! Schema → value: always valid, always the same, refused where nothing is valid
//! (facts/mocking.md R4, R8–R11).

use placet_model::{Digest, Timestamp};
use placet_sandbox::generate::{Error, generate};
use placet_schemas::{Registry, Schema};
use serde_json::{Value, json};
use std::sync::Arc;

fn seed(number: u64) -> Digest {
    Digest::of(&number.to_be_bytes())
}

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn compiled(document: &Value) -> Arc<Schema> {
    Registry::new().register(document).unwrap()
}

/// Fifty seeds of one schema, all valid.
fn check(document: &Value) {
    let schema = compiled(document);
    for number in 0..50 {
        let value = generate(&schema, &seed(number), now())
            .unwrap_or_else(|error| panic!("{document}: {error}"));
        assert!(schema.is_valid(&value), "{document}: {value}");
    }
}

/// As many schemas as there are are worked through side by side; each seed of each is judged. What is
/// answered has more of them than what is only made to try something out.
#[test]
fn a_thousand_seeds_of_every_answer_and_a_hundred_of_every_other_schema_are_valid() {
    let paths: Vec<&str> =
        placet_schemas::embedded_paths().filter(|path| path.contains("/providers/")).collect();
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let mine = paths.iter().skip(worker).step_by(workers);
            scope.spawn(move || mine.for_each(|path| many_seeds(path)));
        }
    });
}

/// What leaves the generator has been validated by it: here its text is read back and judged again,
/// once for each distinct answer.
fn many_seeds(path: &str) {
    let seeds = if path.ends_with(".output.json") { 1000 } else { 100 };
    let schema = Registry::new().shipped(path).unwrap();
    let mut judged = std::collections::BTreeSet::new();
    for number in 0..seeds {
        let value = generate(&schema, &seed(number), now())
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let text = value.to_string();
        if judged.insert(Digest::of(text.as_bytes())) {
            let read: Value = serde_json::from_str(&text).unwrap();
            assert!(schema.is_valid(&read), "{path} seed {number}: {value}");
        }
    }
}

#[test]
fn equal_seeds_give_equal_bytes_and_other_seeds_other_values() {
    let schema =
        Registry::new().shipped("schemas/providers/slack/conversations.list.output.json").unwrap();
    let bytes = |number| generate(&schema, &seed(number), now()).unwrap().to_string();
    assert_eq!(bytes(1), bytes(1));
    let distinct: std::collections::BTreeSet<String> = (0..100).map(bytes).collect();
    assert!(distinct.len() > 95, "{}", distinct.len());
}

#[test]
fn the_first_answer_of_a_known_seed_is_frozen() {
    // changing this changes what recorded runs replay to: raise GENERATOR with it
    let schema = Registry::new().shipped("schemas/providers/slack/auth.test.output.json").unwrap();
    let value = generate(&schema, &seed(0), now()).unwrap();
    let golden = include_str!("../../../fixtures/providers/slack/mock.auth.test.json");
    assert_eq!(format!("{value:#}\n"), golden);
}

#[test]
fn awkward_schemas_get_valid_values() {
    for document in [
        json!(true),
        json!({}),
        json!({"type": ["null", "string"]}),
        json!({"const": {"a": 1}}),
        json!({"enum": [null, "a", 2]}),
        json!({"type": "integer", "minimum": 5, "exclusiveMaximum": 6}),
        json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
        json!({"type": "integer", "multipleOf": 7, "minimum": 100}),
        json!({"type": "number", "multipleOf": 0.25, "maximum": -3}),
        json!({"minimum": 3}),
        json!({"type": "string", "minLength": 40, "maxLength": 41}),
        json!({"type": "string", "maxLength": 1}),
        json!({"type": "string", "maxLength": 0}),
        json!({"type": "string", "pattern": "^[a-z]{3}-[0-9]{2,4}$", "minLength": 8}),
        json!({"type": "string", "format": "email", "maxLength": 30}),
        json!({"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": true, "minItems": 3}),
        json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}),
        json!({"type": "array", "contains": {"const": 7}, "items": {"type": "integer"}, "minItems": 2}),
        json!({"type": "array", "contains": {"type": "string"}, "minContains": 2}),
        json!({"type": "object", "required": ["undeclared"], "additionalProperties": {"type": "integer"}}),
        json!({"type": "object", "minProperties": 3}),
        json!({"type": "object", "patternProperties": {"^x-[a-z]{2}$": {"type": "boolean"}}, "additionalProperties": false, "minProperties": 2}),
        json!({"type": "object", "propertyNames": {"pattern": "^k[0-9]{3}$"}, "minProperties": 2}),
        json!({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "dependentRequired": {"a": ["b", "c"]}}),
        json!({"properties": {"a": false, "b": {"type": "integer"}}, "required": ["b"]}),
        json!({"allOf": [{"required": ["a"]}, {"properties": {"a": {"minimum": 2}}}, {"properties": {"a": {"type": "integer", "maximum": 2}}}]}),
        json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}),
        json!({"oneOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}, {"properties": {"b": {"const": 2}}, "required": ["b"]}], "type": "object"}),
        json!({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/x"}], "$defs": {"x": {"type": "object", "required": ["y"], "properties": {"y": {"type": "string"}}}}}),
        json!({"not": {"type": "string"}, "type": ["string", "integer"]}),
        json!({"if": {"properties": {"k": {"const": "a"}}, "required": ["k"]}, "then": {"required": ["x"]}, "else": {"required": ["y"]}, "type": "object"}),
        json!({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}}}),
        json!({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "integer"}}}),
    ] {
        check(&document);
    }
}

#[test]
fn every_format_gets_a_value_of_that_format() {
    for format in [
        "date-time",
        "date",
        "time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "uri",
        "uri-reference",
        "uuid",
        "json-pointer",
        "relative-json-pointer",
        "regex",
        "uri-template",
        "something-else",
    ] {
        check(&json!({"type": "string", "format": format}));
    }
}

#[test]
fn what_nothing_satisfies_is_refused_with_its_place() {
    let refused = |document: Value| generate(&compiled(&document), &seed(0), now()).unwrap_err();
    for document in [
        json!(false),
        json!({"type": "integer", "minimum": 3, "maximum": 2}),
        json!({"required": ["a"], "properties": {"a": false}}),
        json!({"type": "string", "minLength": 3, "maxLength": 2}),
        json!({"allOf": [{"type": "string"}, {"type": "integer"}], "enum": []}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"required": ["a"], "properties": {"a": {"$ref": "#/$defs/a"}}}}}),
    ] {
        let error = refused(document.clone());
        assert!(
            matches!(error, Error::Unsatisfiable { .. } | Error::NotFound { .. }),
            "{document}: {error}"
        );
    }
    let error = refused(
        json!({"required": ["a"], "properties": {"a": {"required": ["b"], "properties": {"b": false}}}}),
    );
    assert!(matches!(&error, Error::Unsatisfiable { pointer, .. } if pointer == "/a/b"), "{error}");
}

#[test]
fn optional_properties_are_present_and_names_get_plausible_values() {
    let schema = compiled(&json!({"type": "object", "properties": {
        "email": {"type": "string"}, "homepage_url": {"type": "string"}, "created": {"type": "integer"},
        "has_more": {"type": "boolean"}, "note": {"type": ["null", "string"]}, "at": {"type": "string", "format": "date-time"},
    }}));
    for number in 0..50 {
        let value = generate(&schema, &seed(number), now()).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 6);
        assert!(value["email"].as_str().unwrap().ends_with("@example.com"));
        assert!(value["homepage_url"].as_str().unwrap().starts_with("https://example.com/"));
        assert_eq!(value["created"], 1_767_225_600);
        assert_eq!(value["has_more"], false);
        assert!(value["note"].is_string() && value["note"] != "string");
        assert_eq!(value["at"], "2026-01-01T00:00:00.000Z");
    }
}
