//! One workflow with every kind of task means the same through `placet run` and through an engine.

use crate::kit::{Dev, placet};
use placet_test_support::dirs::Project;
use serde_json::{Value, json};

const TOUR: &str = "document: { dsl: '1.0.3', namespace: test, name: tour, version: '1.0.0' }
use:
  functions:
    double: { do: [ { twice: { set: { n: '${ .n * 2 }' } } } ] }
  retries:
    quick: { delay: PT0.01S, backoff: { linear: {} }, limit: { attempt: { count: 2 } } }
do:
  - begin: { set: { n: 1, items: [1, 2, 3] }, export: { as: '${ $context + { began: true } }' } }
  - pick: { switch: [ { big: { when: '.n > 10', then: skipped } }, { small: { then: sum } } ] }
  - skipped: { set: { never: true } }
  - sum: { for: { each: item, in: .items }, do: [ { add: { set: { n: '${ .n + $item }', items: '${ .items }' } } } ] }
  - doubled: { call: double, with: { n: '${ .n }' } }
  - both:
      fork:
        branches:
          - left: { do: [ { pause: { wait: PT0.01S } }, { l: { set: { l: '${ $steps.doubled.n }' } } } ] }
          - right: { set: { r: true }, export: { as: '${ $context + { right: true } }' } }
  - race: { fork: { compete: true, branches: [ { slow: { wait: PT1H } }, { fast: { set: { won: fast } } } ] } }
  - guard:
      try:
        - bad: { raise: { error: { type: 'https://example.com/e', status: 503, detail: no } } }
      catch:
        errors: { with: { status: 503 } }
        retry: quick
        do: [ { caught: { set: { said: '${ $error.detail }' } } } ]
  - late:
      try: [ { slow: { wait: PT1H, timeout: { after: PT0.01S } } } ]
      catch: { errors: { with: { status: 408 } } }
  - tell: { emit: { event: { with: { type: tour.told, id: '1', source: tour, time: '2026-01-01T00:00:00Z', data: { x: 7 } } } } }
  - hear:
      listen: { to: { one: { with: { type: tour.told }, correlate: { x: { from: .data.x, expect: '${ 7 }' } } } } }
      foreach: { item: event, do: [ { keep: { set: { x: '${ $event.x }' } } } ], output: { as: .x } }
  - child: { run: { workflow: { namespace: test, name: child, version: latest, input: { from: '${ .[0] }' } } } }
  - end: { set: { child: '${ . }', both: '${ $steps.both }', race: '${ $steps.race }', guard: '${ $steps.guard }', context: '${ $context }' } }
";

const CHILD: &str = "document: { dsl: '1.0.3', namespace: test, name: child, version: '1.0.0' }
do:
  - got: { set: { from: '${ .from }' } }
";

/// What of a report does not depend on where and when it was made.
fn told(report: &Value) -> Value {
    let entry = |entry: &Value| {
        let keys = ["task", "iteration", "attempt", "status", "output"];
        keys.map(|key| entry[key].clone()).into_iter().collect::<Value>()
    };
    let trace = report["trace"].as_array().expect("a trace").iter().map(entry);
    // branches take turns as time passes
    let mut trace: Vec<Value> = trace.collect();
    trace.sort_by_key(Value::to_string);
    json!([report["status"], report["output"], report["error"], trace])
}

#[test]
fn every_kind_of_task_means_the_same_in_process_and_through_an_engine() {
    let project = Project::new().with("placet.toml", "");
    let project = project.with_workflow("tour", TOUR).with_workflow("child", CHILD);
    let run = ["run", "workflows/tour.yaml", "--json"];
    let alone = placet(&project).args(run).run().expect_code(0).json();
    let expected = json!({
        "child": {"from": 7}, "both": [{"l": 14}, {"r": true}], "race": {"won": "fast"},
        "guard": {"said": "no"}, "context": {"began": true, "right": true},
    });
    assert_eq!(alone["output"], expected, "{alone:#}");

    let dev = Dev::start(&project, &[]);
    let started = dev.command("author", &["start", "test/tour"]).run().expect_code(0);
    let id = started.stdout.trim().to_owned();
    let watched = dev.command("author", &["runs", "watch", &id]).run();
    drop(watched.expect_code(0));
    let shown = dev.command("author", &["runs", "show", &id, "--json"]).run().expect_code(0).json();
    assert_eq!(told(&shown), told(&alone));
}

/// The kill falls when an event is seen, or just after; every commit of these tasks is a place to stop
/// at in `engine/executor/tests/executor/crash.rs`.
#[test]
fn a_killed_engine_goes_on_with_every_kind_of_task_to_the_same_end() {
    let slow = TOUR.replace("PT0.01S", "PT0.3S");
    for seen in [3, 20, 30, 40] {
        let project = Project::new().with("placet.toml", "");
        let project = project.with_workflow("tour", &slow).with_workflow("child", CHILD);
        let run = ["run", "workflows/tour.yaml", "--json"];
        let alone = placet(&project).args(run).run().expect_code(0).json();

        let dev = Dev::start(&project, &[]);
        let started = dev.command("author", &["start", "test/tour"]).run().expect_code(0);
        let id = started.stdout.trim().to_owned();
        let watch = dev.command("author", &["runs", "watch", &id]).start();
        let lines = std::cell::Cell::new(0);
        drop(watch.stdout_line(|_| lines.replace(lines.get() + 1) == seen));
        drop(dev.running.kill_9());
        let told_before = watch.kill_9().stdout;
        println!("killed after {seen} events, {} told", told_before.lines().count());

        let dev = Dev::start(&project, &[]);
        drop(dev.command("author", &["runs", "watch", &id]).run().expect_code(0));
        let shown = dev.command("author", &["runs", "show", &id, "--json"]).run();
        assert_eq!(told(&shown.expect_code(0).json()), told(&alone), "killed after {seen} events");
    }
}

#[test]
fn a_signal_wakes_one_run_and_a_retry_starts_a_faulted_one_again() {
    let waits = "document: { dsl: '1.0.3', namespace: test, name: waits, version: '1.0.0' }
do:
  - hear: { listen: { to: { one: { with: { type: go } } } } }
  - then: { set: '${ .[0].n | if . > 1 then error(\"too many\") else . end }' }
";
    let project = Project::new().with_workflow("waits", waits);
    let dev = Dev::start(&project, &[]);
    let start = || {
        let started = dev.command("author", &["start", "test/waits"]).run().expect_code(0);
        started.stdout.trim().to_owned()
    };
    let signal = |run: &str, n: u32| {
        let data = json!({ "n": n }).to_string();
        let words = ["runs", "signal", run, "--type", "go", "--payload", &data];
        dev.command("author", &words).run().expect_code(0)
    };
    let (good, bad) = (start(), start());
    signal(&good, 1);
    signal(&bad, 2);
    drop(dev.command("author", &["runs", "watch", &good]).run().expect_code(0));
    drop(dev.command("author", &["runs", "watch", &bad]).run().expect_code(1));
    let again = dev.command("author", &["runs", "retry", &bad]).run().expect_code(0);
    let again = again.stdout.trim().to_owned();
    assert_ne!(again, bad);
    signal(&again, 1);
    drop(dev.command("author", &["runs", "watch", &again]).run().expect_code(0));
    let over = dev.command("author", &["runs", "retry", &good]).run().expect_code(2);
    assert!(over.stderr.contains("neither faulted nor was it cancelled"), "{}", over.stderr);
    let agent = dev.command("agent", &["runs", "signal", &again, "--type", "go"]).run();
    drop(agent.expect_code(1));
}

#[test]
fn waiting_runs_go_on_under_another_version_and_ask_again() {
    let first = crate::kit::slack_notify();
    let first = std::fs::read_to_string(first).expect("the fixture is there");
    let project = Project::new().with_workflow("slack-notify", &first);
    let dev = Dev::start(&project, &[]);
    let input = r#"{"channel":"C0SALES","text":"Hello"}"#;
    let started = dev
        .command("author", &["start", "ops/slack-notify", "--input", input])
        .run()
        .expect_code(0);
    let run = started.stdout.trim().to_owned();
    let watch = dev.command("author", &["runs", "watch", &run]).start();
    drop(watch.stdout_line(|line| line.contains("DecisionRequested")));
    project.write("next/slack-notify.yaml", &first.replace("1.0.0", "1.1.0"));
    drop(dev.command("author", &["deploy", "next/slack-notify.yaml"]).run().expect_code(0));
    let moved = ["runs", "migrate", "--workflow", "ops/slack-notify", "--to", "1.1.0"];
    let moved = dev.command("author", &moved).run().expect_code(0);
    assert!(moved.stdout.contains("goes on under ops/slack-notify@1.1.0"), "{}", moved.stdout);
    let list = dev.command("author", &["runs", "list", "--by-version"]).run().expect_code(0);
    assert!(list.stdout.contains("ops/slack-notify@1.1.0"), "{}", list.stdout);
    let by_nobody = dev.command("approver", &["runs", "migrate", &run]).run();
    drop(by_nobody.expect_code(1));
}
