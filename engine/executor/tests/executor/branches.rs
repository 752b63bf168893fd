//! Forks, races, retries and functions (language 4.1, 4.4, 4.9, 5.3), through the engine. A name that
//! begins with `d` and a number is the test of that decision (language 6).

use crate::world::start;
use placet_model::decision::Verdict;
use placet_model::draft::Mode;
use serde_json::{Value, json};

pub(crate) fn document(tasks: &str) -> String {
    format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: t, version: '1.0.0' }}\ndo:\n{tasks}"
    )
}

async fn report(tasks: &str, input: Value) -> Value {
    let mut world = start().await;
    let run = world.run(&document(tasks), input, Mode::Sandbox).await;
    world.finished(run).await
}

async fn output(tasks: &str, input: Value) -> Value {
    let report = report(tasks, input).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    report["output"].clone()
}

#[tokio::test]
async fn d5_the_output_of_a_fork_is_in_declared_order() {
    let tasks = "  - both:\n      fork:\n        branches:\n          - slow: { do: [ { w: { wait: PT1S } }, { a: { set: '${ \"first\" }' } } ] }\n          - fast: { set: '${ \"second\" }' }\n";
    let mut world = start().await;
    let run = world.run(&document(tasks), Value::Null, Mode::Sandbox).await;
    let report = world.finished(run).await;
    assert_eq!(report["output"], json!(["first", "second"]), "{report:#}");
}

#[tokio::test]
async fn each_branch_gets_the_input_of_the_fork_and_sees_its_own_steps_only() {
    let tasks = "  - before: { set: { n: 1 } }\n  - both:\n      fork:\n        branches:\n          - left: { do: [ { x: { set: '${ .n + 1 }' } }, { y: { set: '${ [$steps.x, $steps.before.n] }' } } ] }\n          - right: { set: '${ .n + 10 }' }\n  - after: { set: '${ { both: ., left: $steps.both } }' }\n";
    let out = output(tasks, Value::Null).await;
    assert_eq!(out, json!({"both": [[2, 1], 11], "left": [[2, 1], 11]}));
}

#[tokio::test]
async fn d6_the_losers_of_a_race_are_cancelled_and_what_they_asked_is_withdrawn() {
    let tasks = "  - any:\n      fork:\n        compete: true\n        branches:\n          - ask: { call: slack.chat.postMessage, with: { channel: C1, text: hi } }\n          - wait: { do: [ { w: { wait: PT1M } }, { s: { set: '${ \"won\" }' } } ] }\n";
    let mut world = start().await;
    let run = world.run(&document(tasks), Value::Null, Mode::Sandbox).await;
    let item = world.item(|row| row.run == run).await;
    world.advance_to_due();
    let report = world.finished(run).await;
    assert_eq!((&report["status"], &report["output"]), (&json!("completed"), &json!("won")));
    assert!(world.open_items().is_empty(), "nothing is left in the inbox");
    let late = world.vote(&item, "approver", Verdict::Approve).await;
    assert_eq!(late.unwrap_err().code(), "PL3007");
    let asked = report["trace"].as_array().unwrap().iter().find(|e| e["name"] == "ask").unwrap();
    assert_eq!(asked["status"], "cancelled");
    assert_eq!(asked["would_have_sent"], Value::Null);
}

#[tokio::test]
async fn t05_a_fork_with_a_gate_in_each_branch_sends_nothing_before_each_own_vote() {
    let branch = |name: &str| {
        format!(
            "          - {name}: {{ call: slack.chat.postMessage, with: {{ channel: C1, text: {name} }} }}\n"
        )
    };
    let tasks =
        format!("  - both:\n      fork:\n        branches:\n{}{}", branch("left"), branch("right"));
    let mut world = start().await;
    let run = world.run(&document(&tasks), Value::Null, Mode::Sandbox).await;
    let right = world.item(|row| row.task.name() == "right").await;
    let left = world.item(|row| row.task.name() == "left").await;
    world.vote(&right, "approver", Verdict::Approve).await.unwrap();
    let report = world.entry(run, "right", "completed").await;
    assert_eq!(report["status"], "waiting");
    let sent = |report: &Value, name: &str| {
        let trace = report["trace"].as_array().unwrap();
        let entry = trace.iter().find(|entry| entry["name"] == name).unwrap();
        (entry["status"].clone(), entry["would_have_sent"].is_object())
    };
    assert_eq!(sent(&report, "right"), (json!("completed"), true));
    assert_eq!(sent(&report, "left"), (json!("waiting"), false));
    assert_eq!(world.open_items().len(), 1, "the other request is still open");
    world.vote(&left, "approver", Verdict::Approve).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
}

#[tokio::test]
async fn a_rejection_in_one_branch_withdraws_the_request_of_the_other() {
    let tasks = "  - both:\n      fork:\n        branches:\n          - left: { call: slack.chat.postMessage, with: { channel: C1, text: l } }\n          - right: { call: slack.chat.postMessage, with: { channel: C1, text: r } }\n";
    let mut world = start().await;
    let run = world.run(&document(tasks), Value::Null, Mode::Sandbox).await;
    let left = world.item(|row| row.task.name() == "left").await;
    let right = world.item(|row| row.task.name() == "right").await;
    world.vote(&left, "approver", Verdict::Reject).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["error"]["type"], "urn:placet:errors:approval-rejected", "{report:#}");
    assert_eq!(report["error"]["instance"], "/do/0/both/fork/branches/0/left");
    let late = world.vote(&right, "approver", Verdict::Approve).await;
    assert_eq!(late.unwrap_err().code(), "PL3007");
}

#[tokio::test]
async fn d25_what_branches_export_is_their_own_until_it_is_merged_in_declared_order() {
    let branch = |name: &str, key: &str| {
        format!(
            "          - {name}: {{ do: [ {{ s: {{ set: {{ v: {name} }}, export: {{ as: '${{ $context + {{ last: .v, {key}: .v }} }}' }} }} }}, {{ t: {{ set: '${{ $context }}' }} }} ] }}\n"
        )
    };
    let tasks = format!(
        "  - start: {{ set: {{ x: 1 }}, export: {{ as: '${{ {{ base: 1 }} }}' }} }}\n  - both:\n      fork:\n        branches:\n{}{}  - after: {{ set: '${{ $context }}' }}\n",
        branch("one", "a"),
        branch("two", "b")
    );
    let out = output(&tasks, Value::Null).await;
    assert_eq!(out, json!({"base": 1, "last": "two", "a": "one", "b": "two"}));
}

#[tokio::test]
async fn the_timeout_of_a_fork_takes_back_what_its_branches_asked() {
    let tasks = "  - guard:\n      try:\n        - both:\n            fork:\n              branches:\n                - ask: { call: slack.chat.postMessage, with: { channel: C1, text: hi } }\n                - w: { wait: PT1H }\n            timeout: { after: PT1M }\n      catch:\n        errors: { with: { status: 408 } }\n        do: [ { late: { set: '${ $error.instance }' } } ]\n";
    let mut world = start().await;
    let run = world.run(&document(tasks), Value::Null, Mode::Sandbox).await;
    let _asked = world.item(|row| row.run == run).await;
    world.advance_to_due();
    let report = world.finished(run).await;
    assert_eq!(report["output"], "/do/0/guard/try/0/both", "{report:#}");
    assert!(world.open_items().is_empty());
}

// ---- retries -----------------------------------------------------------------------------

fn retried(policy: &str, after: &str) -> String {
    format!(
        "  - guard:\n      try:\n        - bad: {{ raise: {{ error: {{ type: 'https://example.com/e', status: 503 }} }} }}\n      catch:\n        retry: {policy}\n{after}"
    )
}

/// How often the task was tried, and how long it took in virtual milliseconds.
async fn tried(tasks: &str) -> (Value, usize, i64) {
    let mut world = start().await;
    let run = world.run(&document(tasks), Value::Null, Mode::Sandbox).await;
    let report = world.finished(run).await;
    let trace = report["trace"].as_array().unwrap();
    let tries = trace.iter().filter(|entry| entry["name"] == "bad").count();
    (report, tries, world.took(run))
}

#[tokio::test]
async fn d1_a_policy_is_used_up_before_catch_do_runs() {
    let tasks = retried(
        "{ delay: PT1S, limit: { attempt: { count: 2 } } }",
        "        do: [ { done: { set: '${ $error.status }' } } ]\n",
    );
    let (report, tries, took) = tried(&tasks).await;
    assert_eq!((report["output"].clone(), tries, took), (json!(503), 3, 2000), "{report:#}");
}

#[tokio::test]
async fn d1_without_do_the_last_error_propagates() {
    let tasks = retried("{ delay: PT1S, limit: { attempt: { count: 1 } } }", "");
    let (report, tries, _) = tried(&tasks).await;
    assert_eq!((report["status"].clone(), tries), (json!("faulted"), 2));
    assert_eq!(report["error"]["status"], 503);
}

#[tokio::test]
async fn d2_each_wait_is_by_the_backoff_and_recorded() {
    for (backoff, expected) in [("constant", 3000), ("linear", 6000), ("exponential", 7000)] {
        let tasks = retried(
            &format!(
                "{{ delay: PT1S, backoff: {{ {backoff}: {{}} }}, limit: {{ attempt: {{ count: 3 }} }} }}"
            ),
            "        do: [ { done: { set: '${ 1 }' } } ]\n",
        );
        let (_, tries, took) = tried(&tasks).await;
        assert_eq!((tries, took), (4, expected), "{backoff}");
    }
}

#[tokio::test]
async fn d3_count_counts_retries_and_none_means_one_attempt() {
    let tasks = retried(
        "{ limit: { attempt: { count: 5 } } }",
        "        do: [ { done: { set: '${ 1 }' } } ]\n",
    );
    let (_, tries, took) = tried(&tasks).await;
    assert_eq!((tries, took), (6, 0));
}

#[tokio::test]
async fn d4_a_retry_that_would_begin_after_the_total_is_not_made() {
    let tasks = retried(
        "{ delay: PT10S, limit: { duration: PT25S } }",
        "        do: [ { done: { set: '${ 1 }' } } ]\n",
    );
    let (_, tries, took) = tried(&tasks).await;
    assert_eq!((tries, took), (3, 20_000));
}

#[tokio::test]
async fn d4_the_limit_on_an_attempt_is_a_timeout_that_the_same_catch_judges() {
    let tasks = "  - guard:\n      try:\n        - slow: { wait: PT1H }\n      catch:\n        errors: { with: { status: 408 } }\n        retry: { limit: { attempt: { count: 1, duration: PT1M } } }\n        do: [ { gave: { set: '${ $error.instance }' } } ]\n";
    let mut world = start().await;
    let run = world.run(&document(tasks), Value::Null, Mode::Sandbox).await;
    let report = world.finished(run).await;
    assert_eq!(report["output"], "/do/0/guard", "{report:#}");
    assert_eq!(world.took(run), 2 * 60_000, "each attempt has its minute");
}

#[tokio::test]
async fn d15_the_error_is_the_dot_of_when_and_a_refused_retry_goes_to_do() {
    let tasks = retried(
        "{ when: '.status == 500', limit: { attempt: { count: 5 } } }",
        "        do: [ { done: { set: '${ $error.status }' } } ]\n",
    );
    let (report, tries, _) = tried(&tasks).await;
    assert_eq!((report["output"].clone(), tries), (json!(503), 1));
}

#[tokio::test]
async fn d16_a_swallowed_error_leaves_the_transformed_input() {
    let tasks = "  - guard:\n      input: { from: '${ { x: .n } }' }\n      try:\n        - bad: { raise: { error: { type: 'https://example.com/e', status: 500 } } }\n      catch: {}\n";
    assert_eq!(output(tasks, json!({"n": 3})).await, json!({"x": 3}));
}

#[tokio::test]
async fn a_policy_without_a_limit_waits_at_least_a_second() {
    let tasks = "  - guard:\n      timeout: { after: PT3S }\n      try:\n        - bad: { raise: { error: { type: 'https://example.com/e', status: 503 } } }\n      catch: { errors: { with: { status: 503 } }, retry: {} }\n";
    let (report, tries, _) = tried(tasks).await;
    assert_eq!(report["error"]["status"], 408, "{report:#}");
    assert!((3..=4).contains(&tries), "{tries}");
}

#[tokio::test]
async fn jitter_is_drawn_from_the_seed_and_stays_within_its_bounds() {
    let tasks = retried(
        "{ delay: PT1S, jitter: { from: PT0S, to: PT10S }, limit: { attempt: { count: 1 } } }",
        "        do: [ { done: { set: '${ 1 }' } } ]\n",
    );
    let (_, _, took) = tried(&tasks).await;
    assert!((1000..=11_000).contains(&took), "{took}");
}

#[tokio::test]
async fn every_retry_of_a_gated_call_asks_again_with_bytes_of_its_own() {
    let tasks = "  - guard:\n      try:\n        - send: { call: slack.chat.postMessage, with: { channel: C1, text: hi } }\n      catch:\n        retry: { limit: { attempt: { count: 1 } } }\n";
    let mut world = start().await;
    let run = world.run(&document(tasks), Value::Null, Mode::Sandbox).await;
    let first = world.item(|row| row.run == run).await;
    world.vote(&first, "approver", Verdict::Reject).await.unwrap();
    let second = world.item(|row| row.run == run && row.decision != first.decision).await;
    assert_eq!((first.draft_revision, second.draft_revision), (1, 2));
    assert_ne!(first.digest, second.digest);
    world.vote(&second, "approver", Verdict::Approve).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    let last = report["trace"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["name"], &last["attempt"]), (&json!("send"), &json!(2)));
}

// ---- functions ---------------------------------------------------------------------------

#[tokio::test]
async fn a_function_gets_with_as_its_input_shares_the_context_and_sees_no_steps() {
    let text = "document: { dsl: '1.0.3', namespace: test, name: t, version: '1.0.0' }\nuse:\n  functions:\n    greet:\n      do:\n        - words: { set: '${ \"Hello \" + .name + \" \" + ($steps | tostring) }', export: { as: '${ $context + { said: . } }' } }\ndo:\n  - first: { set: { name: Ana } }\n  - hello: { call: greet, with: { name: '${ .name }' } }\n  - end: { set: '${ { out: ., said: $context.said } }' }\n";
    let mut world = start().await;
    let run = world.run(text, Value::Null, Mode::Sandbox).await;
    let report = world.finished(run).await;
    assert_eq!(
        report["output"],
        json!({"out": "Hello Ana {}", "said": "Hello Ana {}"}),
        "{report:#}"
    );
}
