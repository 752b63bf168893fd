//! A send whose answer is lost is found by its own look-up, for every operation that has one; what was
//! not sent is not (facts/mocking.md R3, R6).
//!
//! covers: S21

use placet_adapters::{Adapters, Finding, Operation, Sent, target_of};
use placet_model::Timestamp;
use placet_sandbox::{Asked, Rule, Turn, Unknown, World};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const SEND_ID: &str = "abcdefghijklmnopqrstuvwxyz234567abcdefgh";
const OTHER: &str = "bcdefghijklmnopqrstuvwxyz234567abcdefghi";

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// An input of each operation, from the golden requests.
fn inputs() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/providers");
    let mut inputs = BTreeMap::new();
    for provider in std::fs::read_dir(folder).unwrap() {
        for file in std::fs::read_dir(provider.unwrap().path()).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let golden: Value = serde_json::from_str(&text).unwrap();
            if let (Some(name), Some(input)) = (golden["operation"].as_str(), golden.get("input")) {
                inputs.entry(name.to_owned()).or_insert_with(|| input.clone());
            }
        }
    }
    inputs
}

fn asked<'a>(operation: &'a Operation, input: &'a Value, send_id: &'a str) -> Asked<'a> {
    let (now, timeout) = (now(), Duration::from_secs(30));
    Asked { operation, integration: "main", input, key: None, send_id, seen: None, now, timeout }
}

/// What the look-up of this send says.
fn found(
    adapters: &Adapters,
    world: &mut World,
    operation: &Operation,
    send: &Asked<'_>,
) -> Finding {
    let reconcile = operation.delivery().reconcile().unwrap();
    let sent = Sent { input: send.input, settings: &Value::Null, send_id: send.send_id };
    let target = target_of(operation, send.input);
    let input = reconcile.input(sent, target.as_ref(), now()).unwrap();
    let look_up =
        adapters.operation(&format!("{}.{}", operation.provider(), reconcile.operation())).unwrap();
    let answer = world.answer(asked(look_up, &input, ""));
    reconcile.read_since(look_up, &answer, (sent, now()), now())
}

#[test]
fn what_was_done_without_an_answer_is_found_by_its_look_up_and_nothing_else_is() {
    let (adapters, inputs) = (Adapters::shipped(), inputs());
    let mut looked = vec![];
    for manifest in adapters.manifests().values() {
        for operation in manifest.operations().values() {
            if operation.delivery().reconcile().is_none() {
                continue;
            }
            let name = operation.name();
            let input = inputs.get(name).unwrap_or_else(|| panic!("{name} has a golden request"));
            let mut world = World::new(0, Unknown::Supposed);
            let lost = Rule {
                operation: Some(name.to_owned()),
                call: Some(1),
                turn: Turn::ApplyThenTimeout,
            };
            world.add_rule(lost);
            let ours = asked(operation, input, SEND_ID);
            let before = found(&adapters, &mut world, operation, &ours);
            assert!(matches!(before, Finding::Absent(_)), "{name}: {before:?}");
            world.answer(ours).expect_err("its answer is lost");
            let after = found(&adapters, &mut world, operation, &ours);
            assert!(matches!(after, Finding::Found { .. }), "{name}: {after:?}");
            // another send of the same words is told apart wherever a mark does it
            let theirs = asked(operation, input, OTHER);
            let marked = !operation.delivery().reconcile().unwrap().needs_moment();
            if marked {
                let other = found(&adapters, &mut world, operation, &theirs);
                assert!(matches!(other, Finding::Absent(_)), "{name}: {other:?}");
            }
            world.answer(theirs).unwrap();
            let both = found(&adapters, &mut world, operation, &ours);
            if marked {
                assert!(matches!(both, Finding::Found { .. }), "{name}: {both:?}");
            } else {
                assert_eq!(both, Finding::Several { count: 2 }, "{name}");
            }
            looked.push(name.to_owned());
        }
    }
    println!("found where their look-ups look: {} operations, {looked:?}", looked.len());
    assert!(looked.len() >= 10, "{looked:?}");
}
