//! Tasks, transforms, loops, faults, timers: through the engine, with nothing outside.

use crate::world::{fixture, start};
use placet_model::draft::Mode;
use serde_json::{Value, json};

fn document(tasks: &str) -> String {
    format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: t, version: '1.0.0' }}\ndo:\n{tasks}"
    )
}

async fn output(tasks: &str, input: Value) -> Value {
    let mut world = start().await;
    let run = world.run(&document(tasks), input, Mode::Sandbox).await;
    let report = world.finished(run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    report["output"].clone()
}

#[tokio::test]
async fn set_replaces_and_the_next_task_reads_it() {
    let tasks = "  - a: { set: { x: '${ .n + 1 }' } }\n  - b: { set: { y: '${ .x * 2 }' } }\n";
    assert_eq!(output(tasks, json!({"n": 1})).await, json!({"y": 4}));
}

#[tokio::test]
async fn a_loop_hands_each_output_to_the_next_iteration() {
    let tasks = "  - sum: { for: { each: n, in: '[1,2,3]' }, do: [ { add: { set: '${ (. // 0) + $n }' } } ] }\n";
    assert_eq!(output(tasks, Value::Null).await, json!(6));
}

#[tokio::test]
async fn while_stops_a_loop_early() {
    let tasks = "  - sum: { for: { each: n, in: '[1,2,3,4]' }, while: '$n < 3', do: [ { add: { set: '${ (. // 0) + $n }' } } ] }\n";
    assert_eq!(output(tasks, Value::Null).await, json!(3));
}

#[tokio::test]
async fn switch_chooses_the_first_case_that_holds() {
    let tasks = "  - choose: { switch: [ { big: { when: '.n > 10', then: large } }, { other: { then: small } } ] }\n  - small: { set: { size: small }, then: end }\n  - large: { set: { size: large } }\n";
    assert_eq!(output(tasks, json!({"n": 11})).await, json!({"size": "large"}));
    assert_eq!(output(tasks, json!({"n": 1})).await, json!({"size": "small"}));
}

#[tokio::test]
async fn a_raised_fault_is_caught_and_its_words_are_readable() {
    let tasks = "  - guard:\n      try:\n        - fail: { raise: { error: { type: 'https://example.com/e', status: 418, detail: '${ \"no \" + .what }' } } }\n      catch:\n        errors: { with: { status: 418 } }\n        do:\n          - note: { set: { said: '${ $error.detail }', at: '${ $error.instance }' } }\n";
    let out = output(tasks, json!({"what": "tea"})).await;
    assert_eq!(out, json!({"said": "no tea", "at": "/do/0/guard/try/0/fail"}));
}

#[tokio::test]
async fn an_uncaught_fault_ends_the_run_with_its_type_and_place() {
    let mut world = start().await;
    let run = world
        .run(
            &document("  - bad: { set: { x: '${ .a.b.c | tonumber }' } }\n"),
            json!({}),
            Mode::Sandbox,
        )
        .await;
    let report = world.finished(run).await;
    assert_eq!(report["status"], "faulted");
    assert_eq!(report["error"]["status"], 400);
    assert_eq!(report["error"]["instance"], "/do/0/bad");
    assert_eq!(report["trace"][0]["status"], "faulted");
}

#[tokio::test]
async fn a_wait_jumps_the_virtual_clock_and_passes_its_input_on() {
    let mut world = start().await;
    let before = world.handle.now();
    let run =
        world.run(&document("  - pause: { wait: P2D }\n"), json!({"x": 1}), Mode::Sandbox).await;
    let report = world.finished(run).await;
    assert_eq!(report["output"], json!({"x": 1}));
    assert!(world.handle.now().millis_since(before) >= 2 * 86_400_000);
}

#[tokio::test]
async fn a_timeout_faults_the_task_and_can_be_caught_around_it() {
    let tasks = "  - guard:\n      try:\n        - slow: { wait: PT1H, timeout: { after: PT1M } }\n      catch:\n        errors: { with: { status: 408 } }\n        do: [ { note: { set: { late: true } } } ]\n";
    assert_eq!(output(tasks, Value::Null).await, json!({"late": true}));
}

#[tokio::test]
async fn the_runs_own_timeout_cannot_be_caught() {
    let mut world = start().await;
    let text = "document: { dsl: '1.0.3', namespace: test, name: t, version: '1.0.0' }\ntimeout: { after: PT1M }\ndo:\n  - guard:\n      try: [ { slow: { wait: PT1H } } ]\n      catch: { do: [ { note: { set: { late: true } } } ] }\n";
    let run = world.run(text, Value::Null, Mode::Sandbox).await;
    let report = world.finished(run).await;
    assert_eq!(
        (report["status"].as_str(), report["error"]["status"].as_u64()),
        (Some("faulted"), Some(408))
    );
    assert_eq!(report["error"]["instance"], "/");
}

#[tokio::test]
async fn a_skipped_task_passes_its_raw_input_on() {
    let tasks = "  - a: { if: '.go', set: { ran: true } }\n";
    assert_eq!(output(tasks, json!({"go": false})).await, json!({"go": false}));
}

#[tokio::test]
async fn export_replaces_the_context_and_steps_keep_their_outputs() {
    let tasks = "  - a: { set: { n: 1 }, export: { as: '${ $context + { a: .n } }' } }\n  - b: { set: { m: 2 }, output: { as: '${ .m }' } }\n  - c: { set: { ctx: '${ $context }', a: '${ $steps.a }', b: '${ $steps.b }' } }\n";
    let out = output(tasks, Value::Null).await;
    assert_eq!(out, json!({"ctx": {"a": 1}, "a": {"n": 1}, "b": 2}));
}

#[tokio::test]
async fn an_input_that_the_schema_refuses_records_nothing() {
    let world = start().await;
    let text = "document: { dsl: '1.0.3', namespace: test, name: t, version: '1.0.0' }\ninput: { schema: { document: { type: object, required: [x] } } }\ndo: [ { a: { set: { y: 1 } } } ]\n";
    let plan = world.deploy(text).await;
    let head = world.handle.view().unwrap().head().position();
    let start = placet_executor::Start {
        plan,
        input: json!({}),
        requester: crate::world::name("author"),
        mode: Mode::Sandbox,
        seed: 0,
    };
    let error = world.handle.start(start).await.unwrap_err();
    assert_eq!(error.code(), "PL4010");
    assert_eq!(world.handle.view().unwrap().head().position(), head);
}

#[tokio::test]
async fn three_reads_answer_from_schemas_without_asking_anybody() {
    let mut world = start().await;
    let text =
        fixture("ok/three-reads.yaml").replace("with: { integration: ops-slack }", "with: {}");
    let run = world.run(&text, json!({}), Mode::Sandbox).await;
    let report = world.finished(run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    assert!(world.open_items().is_empty());
    assert_eq!(world.recorder.count(), 0);
}

#[tokio::test]
async fn endless_jumps_end_at_the_step_limit() {
    let mut world = start().await;
    let run = world
        .run(
            &document("  - a: { set: { x: 1 } }\n  - b: { set: { x: 2 }, then: a }\n"),
            Value::Null,
            Mode::Sandbox,
        )
        .await;
    let report = world.finished(run).await;
    assert_eq!(report["status"], "faulted");
    assert!(
        report["error"]["detail"].as_str().unwrap().contains("steps_max"),
        "{}",
        report["error"]
    );
}

// ---- decisions of the language that only a run shows, by their number -----------------------

#[tokio::test]
async fn d9_a_skipped_task_hands_on_its_raw_input_and_its_then_is_ignored() {
    let tasks = "  - a: { set: { n: 1 } }\n  - b: { if: '.n > 1', set: { n: 2 }, then: end }\n  - c: { set: { got: '${ .n }' } }\n";
    assert_eq!(output(tasks, Value::Null).await, json!({"got": 1}));
}

#[tokio::test]
async fn d10_the_dot_of_an_export_is_the_transformed_output() {
    let tasks = "  - a: { set: { n: 1 }, output: { as: '${ { m: .n } }' }, export: { as: '${ . }' } }\n  - b: { set: '${ $context }' }\n";
    assert_eq!(output(tasks, Value::Null).await, json!({"m": 1}));
}

#[tokio::test]
async fn d11_the_context_begins_as_an_empty_object() {
    let tasks = "  - a: { set: '${ $context }' }\n";
    assert_eq!(output(tasks, json!({"not": "the input"})).await, json!({}));
}

#[tokio::test]
async fn d17_a_wait_and_a_switch_hand_on_their_transformed_input() {
    let tasks = "  - w: { input: { from: '${ { m: .n } }' }, wait: PT1S }\n  - s: { input: { from: '${ { k: .m } }' }, switch: [ { never: { when: '.k == 0', then: end } } ] }\n";
    assert_eq!(output(tasks, json!({"n": 5})).await, json!({"k": 5}));
}

#[tokio::test]
async fn d24_a_timeout_covers_the_wait_for_an_approval() {
    let tasks = "  - send: { call: slack.chat.postMessage, with: { channel: C1, text: hi }, timeout: { after: PT1H } }\n";
    let mut world = start().await;
    let run = world.run(&document(tasks), Value::Null, Mode::Sandbox).await;
    let item = world.item(|row| row.run == run).await;
    world.advance_to_due();
    let report = world.finished(run).await;
    assert_eq!(report["error"]["status"], 408, "{report:#}");
    let late = world.vote(&item, "approver", placet_model::decision::Verdict::Approve).await;
    assert!(late.is_err(), "what has timed out can no longer be approved");
}

#[tokio::test]
async fn who_has_agreed_is_readable_where_the_call_ends() {
    let tasks = "  - send:\n      call: slack.chat.postMessage\n      with: { channel: C1, text: hi }\n      output: { as: '${ $runtime.metadata.approval | { verdict, who: [.votes[].principal], policy: (.policy | type) } }' }\n  - after: { set: { before: '${ . }', now: '${ $runtime.metadata.approval }' } }\n";
    let mut world = start().await;
    let run = world.run(&document(tasks), Value::Null, Mode::Sandbox).await;
    let item = world.item(|row| row.run == run).await;
    let yes = placet_model::decision::Verdict::Approve;
    world.vote(&item, "approver", yes).await.unwrap();
    let report = world.finished(run).await;
    let expected = json!({"before": {"verdict": "approved", "who": ["approver"], "policy": "string"}, "now": null});
    assert_eq!(report["output"], expected, "{report:#}");
}
