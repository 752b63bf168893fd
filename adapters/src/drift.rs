//! What differs between an answer and its declared schema, told without the answer: names that the
//! schema declares, and which rule is broken. A name that only the answer has may be a person's or a
//! secret, and a value always may.

use crate::manifest::Operation;
use crate::reduce::Error;
use placet_model::event::integration::DriftedPlace;
use placet_schemas::places::{Step, names_at};
use placet_schemas::{Schema, Violation};
use std::collections::BTreeSet;

/// Bytes of one place in an event.
const PLACE_BYTES_MAX: usize = 512;

/// The differences behind an answer that cannot become an output as declared, each once; none for a
/// fault of another kind.
pub fn places(operation: &Operation, error: &Error) -> Vec<DriftedPlace> {
    match (error, operation.output_schema()) {
        (Error::NotJson { .. }, _) => {
            vec![DriftedPlace { at: String::new(), kind: "json".to_owned() }]
        }
        (Error::Mismatch { violations, .. }, Some(schema)) => {
            let all: BTreeSet<DriftedPlace> =
                violations.as_slice().iter().map(|broken| place(schema, broken)).collect();
            all.into_iter().filter(|place| place.at.len() <= PLACE_BYTES_MAX).collect()
        }
        (Error::Mismatch { .. } | Error::Status { .. }, _) => vec![],
    }
}

fn place(schema: &Schema, broken: &Violation) -> DriftedPlace {
    let kind = broken.schema.rsplit('/').find(|word| word.parse::<usize>().is_err());
    let kind = kind.unwrap_or("schema").to_owned();
    let mut at = named(schema, &broken.instance);
    if kind == "required"
        && let Some(missing) = missing(&broken.message)
    {
        at.push('/');
        at.push_str(&escaped(&missing));
    }
    DriftedPlace { at, kind }
}

/// The place with what the schema does not name as `*`.
fn named(schema: &Schema, pointer: &str) -> String {
    let segments: Vec<String> = pointer.split('/').skip(1).map(unescaped).collect();
    let (mut at, mut path) = (String::new(), Vec::new());
    for segment in &segments {
        at.push('/');
        if names_at(schema.document(), &path).contains(&segment.as_str()) {
            at.push_str(&escaped(segment));
            path.push(Step::Key(segment));
        } else {
            at.push('*');
            let is_item = segment.parse::<usize>().is_ok();
            path.push(if is_item { Step::Item } else { Step::Key(segment) });
        }
    }
    at
}

/// The name in `"id" is a required property`: the schema's word, not the answer's.
fn missing(message: &str) -> Option<String> {
    serde_json::Deserializer::from_str(message).into_iter::<String>().next()?.ok()
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescaped(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

/// Whether what is read there may be touched by the difference: `*` stands for anything.
pub fn touches(place: &DriftedPlace, read: &[String]) -> bool {
    let segments = place.at.split('/').skip(1).map(unescaped);
    segments.zip(read).all(|(segment, step)| segment == *step || segment == "*" || step == "*")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Adapters, Response, Sent, output};
    use serde_json::{Value, json};

    fn differences(body: &[u8]) -> Vec<(String, String)> {
        let adapters = Adapters::shipped();
        let operation = adapters.operation("slack.conversations.list").unwrap();
        let response = Response::new(200, vec![], body.to_vec());
        let input = json!({});
        let sent = Sent { input: &input, settings: &Value::Null, send_id: "" };
        let error = output(operation, &response, sent).unwrap_err();
        places(operation, &error).into_iter().map(|place| (place.at, place.kind)).collect()
    }

    #[test]
    fn a_difference_is_a_place_of_the_schema_and_a_rule_and_never_a_value() {
        let body = json!({"ok": true, "channels": [{"id": 4711, "name": "ana@example.com"}, {"id": 4712}]});
        let all = differences(body.to_string().as_bytes());
        assert!(all.contains(&("/channels/*/id".to_owned(), "type".to_owned())), "{all:?}");
        let text = format!("{all:?}");
        assert!(!text.contains("471") && !text.contains("ana"), "{text}");
    }

    #[test]
    fn what_is_missing_is_named_by_the_schemas_own_word() {
        let all = differences(br#"{"channels": []}"#);
        assert_eq!(all, [("/ok".to_owned(), "required".to_owned())]);
    }

    #[test]
    fn an_answer_that_is_no_json_differs_as_a_whole() {
        assert_eq!(differences(b"<html>"), [(String::new(), "json".to_owned())]);
    }

    #[test]
    fn a_read_is_touched_on_the_way_to_it_and_below_it() {
        let place = |at: &str| DriftedPlace { at: at.to_owned(), kind: "type".to_owned() };
        let read = |steps: &[&str]| steps.iter().map(|step| (*step).to_owned()).collect::<Vec<_>>();
        assert!(
            touches(&place("/a/b"), &read(&["a"])) && touches(&place("/a"), &read(&["a", "b"]))
        );
        assert!(
            touches(&place("/list/*/id"), &read(&["list", "*"]))
                && touches(&place(""), &read(&["x"]))
        );
        assert!(
            !touches(&place("/a/b"), &read(&["a", "c"])) && !touches(&place("/ab"), &read(&["a"]))
        );
    }
}
