//! Everything has a limit, and what is over its limit is told, not lost and not fatal.
//!
//! covers: S23, S25, T18

use crate::world::{Recorder, World, fixture, name, open_log, people, start, start_with};
use placet_adapters::Transport;
use placet_executor::govern::Connect;
use placet_executor::{Clock, Start};
use placet_model::decision::Verdict;
use placet_model::draft::Mode;
use placet_model::integration::{Identity, IntegrationStatus};
use placet_model::project::{Limits, ProjectConfig};
use placet_model::{StreamId, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

fn document(tasks: &str) -> String {
    format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: t, version: '1.0.0' }}\ndo:\n{tasks}"
    )
}

async fn limited(limits: Limits, clock: Clock) -> World {
    let config = ProjectConfig { project: "test".into(), limits, ..ProjectConfig::default() };
    let recorder = Arc::new(Recorder::default());
    let live = Arc::clone(&recorder) as Arc<dyn Transport>;
    let world = start_with(config, (open_log(None), clock), live, recorder).await.unwrap();
    world.furnish().await;
    world
}

async fn small() -> World {
    let limits = Limits { payload_bytes_max: 20_000, ..Limits::default() };
    limited(limits, Clock::virtual_start()).await
}

#[tokio::test]
async fn a_value_that_is_too_large_faults_its_task_and_can_be_caught() {
    let mut world = small().await;
    let tasks = "  - guard:\n      try: [ { grow: { set: { a: '${ .text + .text + .text }' } } } ]\n      catch: { do: [ { note: { set: { at: '${ $error.instance }', why: '${ $error.detail }' } } } ] }\n";
    let input = json!({"text": "x".repeat(9_000)});
    let run = world.run(&document(tasks), input, Mode::Sandbox).await;
    let report = world.finished(run).await;
    assert_eq!(report["output"]["at"], "/do/0/guard/try/0/grow", "{report:#}");
    assert!(report["output"]["why"].as_str().unwrap().contains("payload_bytes_max"));
}

#[tokio::test]
async fn an_input_that_is_too_large_is_refused_and_the_engine_goes_on() {
    let mut world = small().await;
    let plan = world.deploy(&document("  - a: { set: { x: 1 } }\n")).await;
    let input = json!({"text": "x".repeat(30_000)});
    let start = Start { plan, input, requester: name("author"), mode: Mode::Sandbox, seed: 0 };
    let error = world.handle.start(start.clone()).await.unwrap_err();
    assert_eq!(error.code(), "PL4014", "{error}");
    let run = world.handle.start(Start { input: Value::Null, ..start }).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
}

#[tokio::test]
async fn a_request_that_is_too_large_never_reaches_the_inbox() {
    let mut world = small().await;
    let text = fixture("ok/slack-notify.yaml");
    let input = json!({"channel": "C0123", "text": "ä".repeat(9_000)});
    let run = world.run(&text, input, Mode::Live).await;
    let report = world.finished(run).await;
    assert_eq!(report["status"], "faulted", "{report:#}");
    assert!(world.open_items().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_too_large_was_sent_all_the_same() {
    let mut world = small().await;
    let tasks = "  - tell: { call: http, with: { method: post, endpoint: 'https://example.com/x', body: { a: 1 } } }\n";
    let run = world.run(&document(tasks), Value::Null, Mode::Live).await;
    world.settled(run).await;
    world.recorder.answer(200, &json!({"text": "x".repeat(30_000)}));
    let row = world.open_items().remove(0);
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["status"], "faulted", "{report:#}");
    assert!(world.events(run).contains(&"AttemptSucceeded"));
}

#[tokio::test]
async fn what_a_provider_says_at_length_does_not_end_the_engine() {
    let mut world = start().await;
    let text = fixture("ok/slack-notify.yaml");
    let input = json!({"channel": "C0123", "text": "hello"});
    let run = world.run(&text, input, Mode::Live).await;
    world.settled(run).await;
    world.recorder.answer(200, &json!({"ok": false, "error": "e".repeat(400_000)}));
    let row = world.open_items().remove(0);
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    world.settled(run).await;
    let events = world.events(run);
    assert!(events.iter().any(|e| ["AttemptRefused", "AttemptInDoubt"].contains(e)), "{events:?}");
    world.handle.load().await.unwrap();
}

#[tokio::test]
async fn a_fault_with_a_long_type_does_not_end_the_engine() {
    let mut world = start().await;
    let tasks = "  - fail: { raise: { error: { type: '${ .kind }', status: 400 } } }\n";
    let input = json!({"kind": format!("https://example.com/{}", "k".repeat(400_000))});
    let run = world.run(&document(tasks), input, Mode::Sandbox).await;
    assert_eq!(world.finished(run).await["status"], "faulted");
}

#[tokio::test]
async fn a_clock_that_is_set_back_opens_nothing_that_has_expired() {
    let clock = Clock::virtual_start();
    let world = limited(Limits::default(), clock.clone()).await;
    world.advance_to(Timestamp::from_millis(1_800_000_000_000));
    let before = world.handle.now();
    clock.set_by(-86_400_000);
    assert!(clock.now() < before, "the clock itself goes wrong");
    assert!(world.handle.now() >= before);
    // what is recorded is later than the clock, too
    let view = world.handle.view().unwrap();
    assert!(world.handle.now() >= view.head().recorded_at);
}

#[tokio::test]
async fn plans_that_are_deployed_at_once_keep_their_own_content() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let options = placet_log::OpenOptions::new(dir.path(), "test")
            .keys(placet_log::KeyPlace::Given(placet_log::ProjectKey::from_bytes([7; 32])))
            .projector(placet_projections::Projections::new());
        placet_log::Log::open(options).unwrap()
    };
    let begin = || crate::world::try_start(open(), Clock::virtual_start(), Arc::default());
    let world = begin().await.unwrap();
    world.furnish().await;
    let texts: Vec<_> =
        (0..20).map(|n| document(&format!("  - a: {{ set: {{ n: {n} }} }}\n"))).collect();
    let mut acts = tokio::task::JoinSet::new();
    for (number, text) in texts.into_iter().enumerate() {
        let (handle, plan) = (world.handle.clone(), world.plan(&text));
        acts.spawn(
            async move { (number, handle.deploy(&name("author"), plan, &text).await.unwrap()) },
        );
    }
    let plans = acts.join_all().await;
    let World { engine, handle, notices, .. } = world;
    engine.stop().await.unwrap();
    drop((handle, notices));
    let mut world = begin().await.unwrap();
    for (number, plan) in plans {
        let start = Start {
            plan,
            input: Value::Null,
            requester: name("author"),
            mode: Mode::Sandbox,
            seed: 0,
        };
        let run = world.handle.start(start).await.unwrap();
        assert_eq!(world.finished(run).await["output"]["n"], number);
    }
}

fn connect(name: &str, provider: &str) -> Connect {
    Connect {
        name: name.into(),
        provider: provider.into(),
        settings: Value::Null,
        identity: Identity { id: "B1".into(), tenant: "T1".into() },
        label: "Test".into(),
        is_default: true,
        credential: None,
        scopes: None,
    }
}

#[tokio::test]
async fn an_integration_keeps_its_provider_and_a_name_means_one() {
    let world = start().await;
    let author = name("author");
    let slack = world.handle.named("slack").unwrap().id;
    let mut hook = connect("slack", "webhook");
    hook.settings = json!({"url": "https://example.com/hooks/1"});
    for (id, wanted) in [
        (slack, hook.clone()),
        (world.handle.integration_id("new"), hook),
        (world.handle.integration_id("new"), connect("slack", "slack")),
    ] {
        let error = world.handle.connect(&author, id, wanted).await.unwrap_err();
        assert_eq!(error.code(), "PL4003", "{error}");
    }
    assert_eq!(world.handle.named("slack").unwrap().provider, "slack");
}

#[tokio::test]
async fn a_read_that_was_put_off_goes_again_only_as_the_same_account() {
    for (identity, status, calls) in [("B1", "completed", 2), ("B2", "faulted", 1)] {
        let mut world = start().await;
        // while somebody is asked, the virtual clock stands still
        let input = json!({"channel": "C0123", "text": "hello"});
        let asking = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
        world.settled(asking).await;
        world.recorder.answer(429, &json!({"ok": false, "error": "ratelimited"}));
        let tasks = "  - who: { call: slack.auth.test }\n";
        let run = world.run(&document(tasks), Value::Null, Mode::Live).await;
        world.settled(run).await;
        assert_eq!(world.events(run).last(), Some(&"AttemptDeferred"));
        let mut again = connect("slack", "slack");
        again.identity.id = identity.into();
        let id = world.handle.integration_id("slack");
        world.handle.connect(&name("author"), id, again).await.unwrap();
        world.recorder.answer(200, &json!({"ok": true, "url": "https://x.slack.com/", "team": "T", "user": "u", "team_id": "T1", "user_id": "U1"}));
        world.advance_to(world.handle.now().plus_millis(300_000));
        let report = world.finished(run).await;
        assert_eq!(report["status"], status, "{report:#}");
        assert_eq!(world.recorder.count(), calls);
    }
}

#[tokio::test]
async fn a_request_id_is_one_acts_in_whatever_run() {
    let mut world = start().await;
    let text = fixture("ok/slack-notify.yaml");
    let mut receipts = vec![];
    for round in 0..2 {
        let input = json!({"channel": "C0123", "text": format!("hello {round}")});
        let run = world.run(&text, input, Mode::Live).await;
        world.settled(run).await;
        let row = world.open_items().remove(0);
        let voter = placet_model::decision::Voter {
            principal: name("approver"),
            assurance: placet_model::decision::Assurance::Test,
        };
        let ballot = world.ballot(&row, Verdict::Approve);
        let vote =
            placet_executor::Vote { ballot, voter, request_id: Some("once".into()), signed: None };
        receipts.push(world.handle.vote(vote).await.map_err(|error| error.code()));
    }
    assert!(receipts[0].is_ok());
    assert_eq!(receipts[1], Err("PL3018"));
    assert_eq!(world.recorder.count(), 1);
}

#[tokio::test]
async fn ten_thousand_iterations_cost_as_much_each_as_a_hundred() {
    let limits = Limits { steps_max: 1_000_000, ..Limits::default() };
    let mut world = limited(limits, Clock::virtual_start()).await;
    let tasks = "  - sum: { for: { each: n, in: '.items' }, do: [ { add: { set: '${ { sum: ((.sum // 0) + $n) } }' } } ] }\n";
    for count in [100_u32, 1_000, 10_000] {
        let input = json!({"items": (0..count).collect::<Vec<_>>()});
        let begun = Instant::now();
        let run = world.run(&document(tasks), input, Mode::Sandbox).await;
        let report = world.finished(run).await;
        let spent = begun.elapsed();
        assert_eq!(report["output"]["sum"], u64::from(count) * u64::from(count - 1) / 2);
        let view = world.handle.view().unwrap();
        let stream = StreamId::Run(run);
        let revisions = view.revision(&stream).unwrap().get();
        println!(
            "{count} iterations: {} us and {:.2} events each",
            spent.as_micros() / u128::from(count),
            f64::from(u32::try_from(revisions).unwrap()) / f64::from(count)
        );
    }
    let load = world.handle.load().await.unwrap();
    assert_eq!((load.runs, load.reminders, load.handed_out, load.awaited), (0, 0, 0, 0));
}

#[tokio::test]
async fn parked_and_finished_runs_leave_nothing_in_memory() {
    let mut world = start().await;
    let text = fixture("ok/slack-notify.yaml");
    for _ in 0..20 {
        let input = json!({"channel": "C0123", "text": "hello"});
        let run = world.run(&text, input, Mode::Live).await;
        world.settled(run).await;
    }
    let parked = world.handle.load().await.unwrap();
    assert_eq!((parked.runs, parked.awaited), (0, 20));
    for row in world.open_items() {
        world.vote(&row, "approver", Verdict::Approve).await.unwrap();
        world.finished(row.run).await;
    }
    let over = world.handle.load().await.unwrap();
    assert_eq!((over.runs, over.reminders, over.handed_out, over.awaited), (0, 0, 0, 0));
    let author = name("author");
    world.handle.set_integration(&author, "slack", IntegrationStatus::Disabled).await.unwrap();
    world.handle.apply_policy(&author, people()).await.unwrap();
    assert_eq!(world.handle.load().await.unwrap().runs, 0);
}

/// The words of the fault of a run under a bound that is set low.
async fn fault_under(limits: Limits, tasks: &str, input: Value) -> String {
    let mut world = limited(limits, Clock::virtual_start()).await;
    let run = world.run(&document(tasks), input, Mode::Sandbox).await;
    let report = world.finished(run).await;
    assert_eq!(report["status"], "faulted", "{report:#}");
    report["error"]["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_bound_of_a_run_is_named_with_the_key_that_raises_it() {
    let each =
        "  - each: { for: { each: n, in: '.items' }, do: [ { a: { set: { n: '${ $n }' } } } ] }\n";
    let nested =
        "  - a: { do: [ { b: { do: [ { c: { do: [ { d: { set: { x: 1 } } } ] } } ] } } ] }\n";
    let fork = "  - f: { fork: { branches: [ { a: { set: { x: 1 } } }, { b: { set: { x: 2 } } }, { c: { set: { x: 3 } } } ] } }\n";
    let big = "  - a: { set: '${ .items | map(tostring) | join(\",\") }' }\n";
    let many = json!({"items": (0..50).collect::<Vec<u32>>()});
    let default = Limits::default;
    for (limits, tasks, key) in [
        (Limits { steps_max: 10, ..default() }, each, "limits.steps_max"),
        (Limits { iterations_max: 49, ..default() }, each, "limits.iterations_max"),
        (Limits { nesting_max: 3, ..default() }, nested, "limits.nesting_max"),
        (Limits { branches_max: 2, ..default() }, fork, "limits.branches_max"),
        (Limits { history_events_max: 20, ..default() }, each, "limits.history_events_max"),
        (Limits { output_bytes_max: 64, ..default() }, big, "limits.output_bytes_max"),
    ] {
        let words = fault_under(limits, tasks, many.clone()).await;
        assert!(words.contains(key), "{key}: {words}");
    }
}
