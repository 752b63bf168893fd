//! An event as the outside sees it: JSON with `snake_case` members, RFC 3339 times and prefixed ids.
//!
//! Facts, structure and digests only. Content stands in the payload store, and what a provider answered, settings and
//! labels stay inside as well: they may hold personal data, and whoever may read them asks the API. So do readings of the
//! machine's uptime, which mean something to that machine alone.

mod about;
pub mod past;
pub mod rows;
pub mod select;
pub mod story;
mod through;

pub(crate) use story::found;

use placet_model::event::{Event, RecordedEvent};
use placet_model::for_each_event;
use serde::Serialize;
use serde_json::{Map, Value};

/// Members that stay inside, wherever they stand in an event's body.
const INSIDE: &[&str] = &["result", "stored", "settings", "label", "nonce", "uptime"];

/// Numbers beyond 2^53, which readers of JSON round: given as text.
const BIG: &[&str] = &["seed"];

/// `{position, stream, revision, event_id, type, recorded_at, actor, causation, correlation, body}`.
pub fn render(event: &RecordedEvent) -> Value {
    let members = [
        ("position", json_of(&event.position)),
        ("stream", Value::String(event.stream.to_string())),
        ("revision", json_of(&event.revision)),
        ("event_id", json_of(&event.event_id)),
        ("type", Value::from(event.event.type_name())),
        ("recorded_at", json_of(&event.recorded_at)),
        ("actor", json_of(&event.actor)),
        ("causation", json_of(&event.causation)),
        ("correlation", json_of(&event.correlation)),
        ("body", outward(body(&event.event))),
    ];
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn body(event: &Event) -> Value {
    macro_rules! body_of {
        ($($name:ident = $id:literal,)+) => {
            match event { $(Event::$name(body) => json_of(body)),+ }
        };
    }
    for_each_event!(body_of)
}

fn outward(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(name, _)| !INSIDE.contains(&name.as_str()));
            let shown = kept.map(|(name, value)| {
                let value = if BIG.contains(&name.as_str()) {
                    Value::String(value.to_string())
                } else {
                    outward(value)
                };
                (name, value)
            });
            Value::Object(shown.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(outward).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn json_of(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("model types have text keys and no other way to fail")
}

#[cfg(test)]
mod tests {
    use super::*;
    use placet_model::event::attempt::{AnswerFacts, AttemptSucceeded, StoredField};
    use placet_model::{
        Actor, AttemptId, EventId, PayloadRef, Position, Revision, StreamId, Timestamp,
    };
    use serde_json::json;

    #[test]
    fn an_answer_leaves_as_its_status_only() {
        let secret =
            |at: &str| StoredField { at: at.to_owned(), value: "someone@example.com".to_owned() };
        let answer = AnswerFacts {
            status: 200,
            result: vec![secret("message_id")],
            stored: vec![secret("/ts")],
        };
        let output = PayloadRef { revision: Revision::new(9), index: 0 };
        let attempt = AttemptId::from_bytes([1; 16]);
        let event =
            AttemptSucceeded { attempt, try_number: 1, answer, output, would_have_sent: None };
        let recorded = RecordedEvent {
            position: Position::new(12),
            stream: StreamId::Project,
            revision: Revision::new(9),
            event_id: EventId::from_bytes([2; 16]),
            recorded_at: Timestamp::from_millis(1_700_000_000_000),
            actor: Actor::Engine,
            causation: None,
            correlation: Some(EventId::from_bytes([3; 16])),
            event: event.into(),
        };
        let expected = json!({
            "position": 12,
            "stream": "project",
            "revision": 9,
            "event_id": EventId::from_bytes([2; 16]).to_string(),
            "type": "AttemptSucceeded",
            "recorded_at": "2023-11-14T22:13:20.000Z",
            "actor": "engine",
            "causation": null,
            "correlation": EventId::from_bytes([3; 16]).to_string(),
            "body": {
                "attempt": attempt.to_string(),
                "try_number": 1,
                "answer": {"status": 200},
                "output": {"revision": 9, "index": 0},
                "would_have_sent": null,
            },
        });
        assert_eq!(render(&recorded), expected);
    }

    #[test]
    fn what_stays_inside_stays_inside_at_any_depth() {
        let body = json!({"a": [{"label": "x", "b": {"nonce": "y", "c": 1}}], "seed": u64::MAX});
        assert_eq!(outward(body), json!({"a": [{"b": {"c": 1}}], "seed": "18446744073709551615"}));
    }
}
