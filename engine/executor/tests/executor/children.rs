//! Runs that a task orders (language 4.12), and runs that go on under another version or again.

use crate::branches::document;
use crate::world::{World, name, start};
use placet_model::decision::Verdict;
use placet_model::draft::Mode;
use placet_model::{Digest, RunId};
use placet_projections::{RunFilter, Views};
use serde_json::{Value, json};

fn child(version: &str, tasks: &str) -> String {
    format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: child, version: '{version}' }}\ndo:\n{tasks}"
    )
}

const CALL: &str = "  - sub: { run: { workflow: { namespace: test, name: child, version: latest, input: { n: '${ .n }' } } } }\n";

async fn parent(world: &World, tasks: &str, input: Value) -> RunId {
    world.run(&document(tasks), input, Mode::Sandbox).await
}

fn runs(world: &World) -> Vec<placet_projections::RunRow> {
    let view = world.handle.view().unwrap();
    Views::new(&view).unwrap().runs(&RunFilter::default(), None, 100).unwrap()
}

#[tokio::test]
async fn the_output_of_the_other_run_is_the_output_of_the_task() {
    let mut world = start().await;
    world.deploy(&child("1.0.0", "  - a: { set: '${ .n + 1 }' }\n")).await;
    world.deploy(&child("1.1.0", "  - a: { set: '${ .n + 2 }' }\n")).await;
    let run = parent(&world, CALL, json!({"n": 1})).await;
    assert_eq!(world.finished(run).await["output"], 3, "latest is what was deployed last");
    let pinned = CALL.replace("latest", "1.0.0");
    let run = parent(&world, &pinned, json!({"n": 1})).await;
    assert_eq!(world.finished(run).await["output"], 2);
}

#[tokio::test]
async fn a_fault_of_the_other_run_is_the_tasks_with_its_own_place() {
    let mut world = start().await;
    world
        .deploy(&child("1.0.0", "  - bad: { raise: { error: { type: 'https://example.com/e', status: 418, detail: tea } } }\n"))
        .await;
    let run = parent(&world, CALL, json!({"n": 1})).await;
    let report = world.finished(run).await;
    assert_eq!(
        report["error"],
        json!({"type": "https://example.com/e", "status": 418, "detail": "tea", "instance": "/do/0/sub"}),
        "{report:#}"
    );
}

#[tokio::test]
async fn an_unknown_workflow_or_a_refused_input_faults_the_task() {
    let mut world = start().await;
    let run = parent(&world, CALL, json!({"n": 1})).await;
    let report = world.finished(run).await;
    assert!(report["error"]["type"].as_str().unwrap().ends_with("/configuration"), "{report:#}");
    let picky = "document: { dsl: '1.0.3', namespace: test, name: child, version: '1.0.0' }\ninput: { schema: { document: { type: object, required: [m] } } }\ndo: [ { a: { set: '${ 1 }' } } ]\n";
    world.deploy(picky).await;
    let run = parent(&world, CALL, json!({"n": 1})).await;
    let report = world.finished(run).await;
    assert!(report["error"]["type"].as_str().unwrap().ends_with("/validation"), "{report:#}");
}

#[tokio::test]
async fn without_await_the_task_goes_on_with_its_input() {
    let mut world = start().await;
    world.deploy(&child("1.0.0", "  - a: { wait: PT1H }\n")).await;
    let tasks = "  - sub: { run: { workflow: { namespace: test, name: child, version: latest }, await: false } }\n";
    let run = parent(&world, tasks, json!({"n": 1})).await;
    assert_eq!(world.finished(run).await["output"], json!({"n": 1}));
    while runs(&world).len() < 2 {
        world.notices.recv().await.unwrap();
    }
}

#[tokio::test]
async fn a_gate_in_the_other_run_asks_for_whoever_caused_the_first() {
    let mut world = start().await;
    world
        .deploy(&child(
            "1.0.0",
            "  - send: { call: slack.chat.postMessage, with: { channel: C1, text: hi } }\n",
        ))
        .await;
    let run = parent(&world, CALL, json!({"n": 1})).await;
    let item = world.item(|_| true).await;
    assert_ne!(item.run, run);
    assert_eq!(item.requester, name("author"));
    let own = world.vote(&item, "author", Verdict::Approve).await;
    assert_eq!(own.unwrap_err().code(), "PL3003", "whoever caused the first run may not");
    world.vote(&item, "approver", Verdict::Approve).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
}

#[tokio::test]
async fn cancelling_a_run_cancels_the_run_that_it_awaits_and_withdraws_its_requests() {
    let mut world = start().await;
    world
        .deploy(&child(
            "1.0.0",
            "  - send: { call: slack.chat.postMessage, with: { channel: C1, text: hi } }\n",
        ))
        .await;
    let run = parent(&world, CALL, json!({"n": 1})).await;
    let item = world.item(|_| true).await;
    world.handle.cancel(run, name("author"), None).await.unwrap();
    assert_eq!(world.finished(item.run).await["status"], "cancelled");
    assert!(world.open_items().is_empty());
}

#[tokio::test]
async fn runs_order_runs_only_so_deep() {
    let mut world = start().await;
    let itself =
        "  - again: { run: { workflow: { namespace: test, name: child, version: latest } } }\n";
    world.deploy(&child("1.0.0", itself)).await;
    let run = parent(&world, CALL, json!({"n": 1})).await;
    let report = world.finished(run).await;
    let detail = report["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("limits.children_depth_max"), "{detail}");
    assert_eq!(runs(&world).len(), 17);
}

// ---- versions ----------------------------------------------------------------------------

async fn deployed(world: &World, version: &str, tasks: &str) -> Digest {
    world
        .deploy(&format!(
            "document: {{ dsl: '1.0.3', namespace: test, name: t, version: '{version}' }}\ndo:\n{tasks}"
        ))
        .await
}

const SEND: &str = "  - send: { call: slack.chat.postMessage, with: { channel: C1, text: hi } }\n";

#[tokio::test]
async fn a_waiting_run_goes_on_under_another_version_and_asks_again() {
    let mut world = start().await;
    let run = parent(&world, SEND, Value::Null).await;
    let first = world.item(|row| row.run == run).await;
    let next =
        deployed(&world, "2.0.0", &format!("{SEND}  - more: {{ set: '${{ \"more\" }}' }}\n")).await;
    world.handle.migrate(run, next, name("author")).await.unwrap();
    let second = world.item(|row| row.run == run && row.decision != first.decision).await;
    let late = world.vote(&first, "approver", Verdict::Approve).await;
    assert_eq!(late.unwrap_err().code(), "PL3007", "the first request is over");
    world.vote(&second, "approver", Verdict::Approve).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["output"], "more", "{report:#}");
    assert_eq!(report["workflow"], "test/t@2.0.0");
}

#[tokio::test]
async fn a_run_does_not_move_where_its_task_is_gone_or_something_is_under_way() {
    let mut world = start().await;
    let run = parent(&world, SEND, Value::Null).await;
    let item = world.item(|row| row.run == run).await;
    let other = deployed(&world, "2.0.0", "  - other: { set: '${ 1 }' }\n").await;
    let error = world.handle.migrate(run, other, name("author")).await.unwrap_err();
    assert_eq!(error.code(), "PL4019", "{error}");
    assert!(error.to_string().contains("/do/0/send"), "{error}");
    let by_approver = world.handle.migrate(run, other, name("approver")).await.unwrap_err();
    assert_eq!(by_approver.code(), "PL4005");
    world.vote(&item, "approver", Verdict::Approve).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed", "the request stayed open");
}

#[tokio::test]
async fn a_run_that_has_faulted_is_started_again_with_its_input() {
    let mut world = start().await;
    let tasks = "  - a: { set: '${ .n | tonumber }' }\n";
    let run = parent(&world, tasks, json!({"n": "x"})).await;
    assert_eq!(world.finished(run).await["status"], "faulted");
    let again = world.handle.retry(run, name("author")).await.unwrap();
    assert_ne!(again, run);
    let report = world.finished(again).await;
    assert_eq!(report["status"], "faulted");
    let done = parent(&world, "  - a: { set: '${ 1 }' }\n", Value::Null).await;
    world.finished(done).await;
    assert!(world.handle.retry(done, name("author")).await.is_err(), "it has ended well");
}
