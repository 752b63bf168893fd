//! What people read afterwards: the trace of a run and the card of a request.
//!
//! covers: S2

use crate::world::{World, fixture, name, start};
use placet_executor::govern::Connect;
use placet_executor::inbox::Caller;
use placet_model::decision::{Assurance, Resolution, Verdict};
use placet_model::draft::Mode;
use placet_model::integration::Identity;
use placet_projections::DecisionRow;
use serde_json::{Value, json};

fn document(tasks: &str) -> String {
    format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: t, version: '1.0.0' }}\ndo:\n{tasks}"
    )
}

/// `name iteration status` of every entry.
fn lines(report: &Value) -> Vec<String> {
    let entries = report["trace"].as_array().unwrap();
    let line = |entry: &Value| {
        let iteration = entry.get("iteration").map_or(String::new(), |at| format!(" {at}"));
        let word = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        format!("{}{iteration} {}", word("name"), word("status"))
    };
    entries.iter().map(line).collect()
}

async fn trace(tasks: &str, input: Value) -> Vec<String> {
    let mut world = start().await;
    let run = world.run(&document(tasks), input, Mode::Sandbox).await;
    lines(&world.finished(run).await)
}

#[tokio::test]
async fn a_loop_shows_each_iteration_in_order() {
    let tasks =
        "  - each: { for: { each: n, in: '[7,8]' }, do: [ { add: { set: '${ $n }' } } ] }\n";
    let expected = ["each completed", "add [0] completed", "add [1] completed"];
    assert_eq!(trace(tasks, Value::Null).await, expected);
}

#[tokio::test]
async fn a_jump_back_shows_every_execution() {
    let tasks = "  - a: { set: { n: '${ (.n // 0) + 1 }' } }\n  - b: { if: '.n < 3', set: '${ . }', then: a }\n";
    let expected =
        ["a completed", "b completed", "a completed", "b completed", "a completed", "b skipped"];
    assert_eq!(trace(tasks, json!({})).await, expected);
}

#[tokio::test]
async fn an_end_inside_containers_completes_them() {
    let tasks = "  - outer: { do: [ { inner: { do: [ { last: { set: { x: 1 }, then: end } } ] } } ] }\n  - never: { set: { y: 1 } }\n";
    let expected = ["outer completed", "inner completed", "last completed"];
    assert_eq!(trace(tasks, Value::Null).await, expected);
}

#[tokio::test]
async fn a_fault_inside_a_try_is_its_tasks_and_the_try_completes() {
    let tasks = "  - guard:\n      try: [ { group: { do: [ { fail: { raise: { error: { type: 'https://example.com/e', status: 418 } } } } ] } } ]\n      catch: { do: [ { note: { set: { caught: true } } } ] }\n";
    let expected = ["guard completed", "group faulted", "fail faulted", "note completed"];
    assert_eq!(trace(tasks, Value::Null).await, expected);
}

async fn asked(world: &mut World) -> (placet_model::RunId, DecisionRow) {
    let text = fixture("ok/slack-notify.yaml");
    let input = json!({"channel": "C0123", "text": "hello"});
    let run = world.run(&text, input, Mode::Live).await;
    world.settled(run).await;
    (run, world.open_items().remove(0))
}

fn card(world: &World, row: &DecisionRow) -> Value {
    let caller =
        Caller { principal: name("approver"), assurance: Assurance::Test, request_id: None };
    world.handle.inbox_get(&caller, &json!({"decision": row.decision})).unwrap()
}

#[tokio::test]
async fn a_cancelled_run_says_so_at_every_open_task() {
    let mut world = start().await;
    let (run, _) = asked(&mut world).await;
    world.handle.cancel(run, name("author"), None).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["status"], "cancelled");
    assert_eq!(lines(&report), ["notify cancelled"]);
}

#[tokio::test]
async fn a_sandbox_that_has_no_schema_says_so_in_the_trace() {
    let mut world = start().await;
    let tasks = "  - tell: { call: http, with: { method: post, endpoint: 'https://example.com/x', body: { a: 1 } } }\n";
    let run = world.run(&document(tasks), Value::Null, Mode::Sandbox).await;
    world.settled(run).await;
    let row = world.open_items().remove(0);
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    let report = world.finished(run).await;
    let notes = report["trace"][0]["notes"].to_string();
    assert!(notes.contains("declares no response schema"), "{report:#}");
}

#[tokio::test]
async fn the_card_of_a_plain_request_has_no_remarks() {
    let mut world = start().await;
    let (_, row) = asked(&mut world).await;
    assert_eq!(card(&world, &row)["remarks"], json!([]));
}

#[tokio::test]
async fn the_card_shows_the_account_that_the_approval_binds_and_not_todays() {
    let mut world = start().await;
    let (_, row) = asked(&mut world).await;
    let connect = Connect {
        name: "slack".into(),
        provider: "slack".into(),
        settings: Value::Null,
        identity: Identity { id: "B2".into(), tenant: "T1".into() },
        label: "Another".into(),
        is_default: true,
        credential: None,
        scopes: None,
    };
    let id = world.handle.integration_id("slack");
    world.handle.connect(&name("author"), id, connect).await.unwrap();
    let card = card(&world, &row);
    assert_eq!(card["identity"]["id"], "B1");
    assert_eq!(card["identity"]["acts_now_as"]["id"], "B2");
    assert!(card["warnings"].to_string().contains("acts as B2 by now"), "{card:#}");
}

#[tokio::test]
async fn the_card_of_a_doubt_says_so_and_a_void_one_says_why() {
    let mut world = start().await;
    let (run, row) = asked(&mut world).await;
    let lost = placet_adapters::Failed::after(placet_adapters::Cause::Reset, "reset");
    world.recorder.fail(lost);
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    world.settled(run).await;
    let doubt = card(&world, &row);
    assert_eq!(doubt["state"], "in_doubt");
    assert!(doubt["in_doubt"]["words"].as_str().unwrap().starts_with("probably sent"));
    world.handle.resolve(row.decision, Resolution::GiveUp, name("approver")).await.unwrap();
    world.finished(run).await;
    assert_eq!(card(&world, &row)["in_doubt"], Value::Null);

    let (run, row) = asked(&mut world).await;
    world.handle.pause(&name("author"), None).await.unwrap();
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    world.settled(run).await;
    world.handle.cancel(run, name("author"), None).await.unwrap();
    let void = card(&world, &row);
    assert_eq!(void["state"], "void");
    assert_eq!(void["void"]["reason"], "run_cancelled");
}
