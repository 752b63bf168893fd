//! An operation with examples answers with those that its schema allows, and never with the others
//! (facts/mocking.md R1).

use placet_adapters::{Adapters, ManifestFile};
use placet_model::Timestamp;
use placet_sandbox::{Asked, Unknown, World};
use serde_json::{Value, json};
use std::time::Duration;

const OPEN: &str = "slack.conversations.open";

fn with(answers: &[Value]) -> Adapters {
    let files = answers.iter().enumerate().map(|(place, body)| ManifestFile {
        path: format!("adapters/answers/{place}.json"),
        text: json!({"operation": OPEN, "body": body}).to_string(),
    });
    Adapters::shipped().with_answers(&files.collect::<Vec<_>>()).unwrap()
}

fn opened(adapters: &Adapters, world: &mut World, users: &str) -> Value {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let answer = world.answer(Asked {
        operation: adapters.operation(OPEN).unwrap(),
        integration: "main",
        input: &json!({"users": users}),
        key: None,
        send_id: "",
        seen: None,
        now,
        timeout: Duration::from_secs(30),
    });
    answer.unwrap().json().unwrap()
}

#[test]
fn an_example_that_the_schema_allows_is_the_answer_and_one_that_it_refuses_never_is() {
    let good =
        json!({"ok": true, "no_op": true, "already_open": true, "channel": {"id": "D0RECORDED"}});
    let bad = json!({"ok": "perhaps", "channel": {"id": 7}});
    let adapters = with(&[bad, good]);
    let schema = adapters.operation(OPEN).unwrap().output_schema().unwrap();
    let mut world = World::new(0, Unknown::Supposed);
    let first = opened(&adapters, &mut world, "U1");
    assert_eq!(first["already_open"], true, "{first}");
    for users in ["U1", "U1", "U2", "U3"] {
        let answer = opened(&adapters, &mut world, users);
        assert!(schema.is_valid(&answer), "{answer}");
    }
}

#[test]
fn the_same_is_answered_in_another_world_and_nothing_changes_where_there_is_no_example() {
    let adapters =
        with(&[json!({"ok": true, "already_open": true, "channel": {"id": "D0RECORDED"}})]);
    let answers = |adapters: &Adapters| {
        let mut world = World::new(7, Unknown::Supposed);
        ["U1", "U1", "U2"].map(|users| opened(adapters, &mut world, users))
    };
    assert_eq!(answers(&adapters), answers(&adapters));
    assert_eq!(answers(&with(&[])), answers(&Adapters::shipped()));
}
