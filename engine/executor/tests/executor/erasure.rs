//! Erasing through the engine: what waits is withdrawn first, what is in doubt stands in the way, a
//! death at any commit leaves a state that is true, and what was erased says so everywhere.
//!
//! covers: S10

use crate::branches::document;
use crate::crash::{Kill, open_counting};
use crate::world::{Recorder, World, fixture, name, start, start_on, start_with};
use placet_adapters::Failed;
use placet_executor::erasure::Erase;
use placet_executor::inbox::Caller;
use placet_executor::{Clock, Error};
use placet_log::{Append, AppendError, Erasable, Expected, Log, NewEvent, ReadView};
use placet_model::decision::{Assurance, Resolution, Verdict};
use placet_model::draft::Mode;
use placet_model::event::governance::OutboundPaused;
use placet_model::project::{DataPolicy, ProjectConfig};
use placet_model::{
    Actor, DataKeyId, Duration, Event, EventId, RecordedEvent, Revision, RunId, StreamId,
};
use placet_projections::{RunStatus, Views, compare};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const MARKER: &str = "Marker-7f3a";

async fn asked(world: &mut World) -> RunId {
    let input = json!({"channel": "C0123", "text": format!("{MARKER} for Ana <Ana@Example.com>")});
    let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
    assert_eq!(world.settled(run).await["status"], "waiting");
    run
}

async fn erase(world: &World, what: Erase) -> Result<placet_executor::erasure::Erasure, Error> {
    world.handle.erase(&name("author"), &what, Some("asked by the person".into())).await
}

/// The log is whole, the tables are those that it gives, and nothing of the run can be read.
fn check_erased(world: &World, run: RunId) {
    let view = world.handle.view().unwrap();
    view.verify().unwrap();
    compare(&view).unwrap();
    assert_eq!(holds(world, run), 0);
    let report = world.handle.report(run).unwrap();
    assert!(!report.to_string().contains(MARKER), "{report:#}");
}

fn erasures(view: &ReadView) -> Vec<RecordedEvent> {
    let events = view.stream(&StreamId::Project, Revision::START).map(Result::unwrap);
    events.filter(|event| matches!(event.event, Event::PayloadErased(_))).collect()
}

#[tokio::test]
async fn a_run_that_waits_has_its_request_withdrawn_and_is_cancelled_before_it_is_erased() {
    let mut world = start().await;
    let run = asked(&mut world).await;
    let row = world.open_items().remove(0);
    let erased = erase(&world, Erase::Run(run)).await.unwrap();
    assert_eq!(erased.runs.len(), 1);
    let events = world.events(run);
    assert_eq!(events[events.len() - 2..], ["DecisionSettled", "RunCancelled"]);
    check_erased(&world, run);

    let view = world.handle.view().unwrap();
    let told = erasures(&view).remove(0);
    let Event::PayloadErased(body) = &told.event else { unreachable!() };
    assert_eq!((body.run, body.arrival, body.subject), (Some(run), None, None));
    assert_eq!(body.payloads, erased.payloads);
    assert_eq!(told.correlation, Some(EventId::from_bytes(run.to_bytes())));
    assert_eq!(Some(told.position), erased.position);

    let caller =
        Caller { principal: name("approver"), assurance: Assurance::Test, request_id: None };
    let card = world.handle.inbox_get(&caller, &json!({"decision": row.decision})).unwrap();
    assert_eq!((&card["request"], &card["summary"]), (&json!("[erased]"), &json!("[erased]")));
    assert_eq!(card["digest"], row.digest.to_string());
    assert_eq!(world.recorder.count(), 0);
}

#[tokio::test]
async fn what_was_erased_says_so_wherever_its_content_is_asked_for() {
    let mut world = start().await;
    let run = world
        .run(
            &document(&format!("  - a: {{ set: {{ x: {MARKER} }} }}\n")),
            json!(MARKER),
            Mode::Sandbox,
        )
        .await;
    assert!(world.finished(run).await.to_string().contains(MARKER));
    erase(&world, Erase::Run(run)).await.unwrap();
    check_erased(&world, run);
    let report = world.handle.report(run).unwrap();
    assert_eq!(report["output"], "[erased]");
    assert_eq!(report["trace"][0]["output"], "[erased]");
    world.clock.hold_at(Some(world.handle.now()));
    // a completed run is not started again; one that was cancelled has no input any more
    let waits = world.run(&document("  - a: { wait: P1D }\n"), json!(MARKER), Mode::Sandbox).await;
    erase(&world, Erase::Run(waits)).await.unwrap();
    let error = world.handle.retry(waits, name("author")).await.unwrap_err();
    assert_eq!(error.code(), "PL4030", "{error}");
    // again is nothing more
    let again = erase(&world, Erase::Run(run)).await.unwrap();
    assert_eq!((again.runs.len(), again.payloads, again.position), (0, 0, None));
    let unknown = RunId::from_bytes([9; 16]);
    assert_eq!(erase(&world, Erase::Run(unknown)).await.unwrap_err().code(), "PL4001");
}

#[tokio::test]
async fn only_an_operator_or_an_admin_erases() {
    let mut world = start().await;
    let run = asked(&mut world).await;
    for who in ["approver", "auditor", "agent"] {
        let refused = world.handle.erase(&name(who), &Erase::Run(run), None).await.unwrap_err();
        assert_eq!(refused.code(), "PL4005");
    }
    assert_eq!(world.open_items().len(), 1, "nothing was withdrawn");
}

#[tokio::test]
async fn an_attempt_in_doubt_stands_in_the_way_until_a_person_settles_it() {
    let mut world = start().await;
    let run = asked(&mut world).await;
    world.recorder.fail(Failed::after(placet_adapters::Cause::Timeout, "no answer"));
    let row = world.open_items().remove(0);
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    world.item(|row| row.in_doubt.is_some()).await;
    let refused = erase(&world, Erase::Run(run)).await.unwrap_err();
    assert_eq!(refused.code(), "PL4031");
    let words = refused.to_string();
    assert!(words.contains(&format!("placet inbox resolve {}", row.decision)), "{words}");
    assert!(holds(&world, run) > 0, "nothing is erased");

    world.handle.resolve(row.decision, Resolution::GiveUp, name("approver")).await.unwrap();
    erase(&world, Erase::Run(run)).await.unwrap();
    check_erased(&world, run);
}

#[tokio::test]
async fn a_run_takes_the_runs_that_it_ordered_along() {
    let mut world = start().await;
    let child = "document: { dsl: '1.0.3', namespace: test, name: child, version: '1.0.0' }\ndo:\n  - a: { set: '${ . }' }\n";
    world.deploy(child).await;
    let call = "  - sub: { run: { workflow: { namespace: test, name: child, version: latest, input: { n: '${ .n }' } } } }\n";
    let run = world.run(&document(call), json!({"n": MARKER}), Mode::Sandbox).await;
    world.finished(run).await;
    let erased = erase(&world, Erase::Run(run)).await.unwrap();
    assert_eq!(erased.runs.len(), 2);
    for part in erased.runs {
        check_erased(&world, part.run);
    }
}

#[tokio::test]
async fn erasing_a_person_finds_the_runs_and_the_events_that_are_about_them() {
    let mut world = start().await;
    let in_input = asked(&mut world).await;
    let listens = document("  - hear: { listen: { to: { one: { with: { type: signup } } } } }\n");
    let hears = world.run(&listens, Value::Null, Mode::Sandbox).await;
    world.settled(hears).await;
    let event = |mail: &str| json!({"type": "signup", "data": {"mail": mail, "text": MARKER}});
    world.handle.publish(event("ANA@example.com"), None, &name("author")).await.unwrap();
    world.finished(hears).await;
    let other =
        world.handle.publish(event("ben@example.com"), None, &name("author")).await.unwrap();
    let phone = json!({"channel": "C1", "text": "call +49 176 1234567"});
    let by_phone = world.run(&fixture("ok/slack-notify.yaml"), phone, Mode::Live).await;
    world.settled(by_phone).await;

    let plan = world.handle.erasure(&Erase::Subject(" ana@EXAMPLE.com ".into())).unwrap();
    let mut runs: Vec<RunId> = plan.runs.iter().map(|part| part.run).collect();
    runs.sort();
    let mut expected = vec![in_input, hears];
    expected.sort();
    assert_eq!((runs, plan.events.len()), (expected, 1));
    let erased = erase(&world, Erase::Subject("ana@example.com".into())).await.unwrap();
    assert_eq!((erased.runs.len(), erased.events.len()), (2, 1));
    check_erased(&world, in_input);
    check_erased(&world, hears);

    let view = world.handle.view().unwrap();
    let pseudonym = world.handle.log().pseudonym("ana@example.com");
    for told in erasures(&view) {
        let Event::PayloadErased(body) = told.event else { unreachable!() };
        assert_eq!(body.subject, Some(pseudonym), "and nothing in the clear");
    }
    view.payload_at(other, 0).expect("somebody else's event stays");
    let none = erase(&world, Erase::Subject("ana@example.com".into())).await.unwrap();
    assert_eq!((none.runs.len(), none.events.len()), (0, 0));
    let by_number = world.handle.erasure(&Erase::Subject("0049 (176) 1234567".into())).unwrap();
    assert_eq!(by_number.runs[0].run, by_phone);
}

// ---- death at every commit ------------------------------------------------------------------

/// Whether something can still be sealed with the key of the run.
fn has_key(log: &Log, key: DataKeyId) -> bool {
    let paused = OutboundPaused { integration: None };
    let new = NewEvent::new(EventId::from_bytes([1; 16]), Actor::Engine, paused);
    let other = StreamId::Run(RunId::from_bytes([7; 16]));
    let append =
        Append::new(other, Expected::Exact(Revision::new(9)), vec![new.with_payload(vec![1])]);
    match log.append_blocking(placet_model::Timestamp::EPOCH, append.with_key(key)) {
        Err(AppendError::Log { .. }) => false,
        Err(AppendError::WrongRevision { .. }) => true,
        other => panic!("{other:?}"),
    }
}

/// A run that waits, erased by a process that dies; the next one looks, and erases again.
async fn die(kill: Kill) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let commits = Arc::new(AtomicU64::new(0));
    let run = {
        let mut world =
            start_on(open_counting(dir.path(), Kill::Never, &commits).0, Clock::virtual_start())
                .await;
        world.furnish().await;
        let run = asked(&mut world).await;
        let World { engine, handle, .. } = world;
        engine.stop().await.unwrap();
        drop(handle);
        run
    };
    commits.store(0, Ordering::SeqCst);
    let (log, death) = open_counting(dir.path(), kill, &commits);
    let recorder = Arc::new(Recorder::default());
    let started = crate::world::try_start(log, Clock::virtual_start(), recorder).await;
    if let Ok(world) = started {
        let erased = erase(&world, Erase::Run(run)).await;
        assert_eq!(erased.is_ok(), kill == Kill::Never, "{kill:?}: {erased:?}");
        let World { engine, handle, .. } = world;
        drop(engine.stop().await);
        drop(handle);
    }
    drop(death);
    let seen = commits.load(Ordering::SeqCst);

    let (log, _) = open_counting(dir.path(), Kill::Never, &commits);
    let view = log.read().unwrap();
    let first = view.stream(&StreamId::Run(run), Revision::START).next().unwrap().unwrap();
    let Event::RunStarted(body) = &first.event else { unreachable!() };
    let (key, told) = (body.key, !erasures(&view).is_empty());
    let content = view.payload(&StreamId::Run(run), body.input);
    assert_eq!(content.is_err(), told, "{kill:?}: erased if, and only if, the log says so");
    let row = Views::new(&view).unwrap().run(run).unwrap().unwrap();
    let cancelled = row.status == RunStatus::Cancelled;
    assert_eq!(cancelled, told, "{kill:?}: no run is cancelled for an erasure that is not");
    assert_eq!(has_key(&log, key), !told, "{kill:?}: a restart destroys what was to be destroyed");
    view.verify().unwrap();
    compare(&view).unwrap();
    drop(view);
    let world = start_on(log, Clock::virtual_start()).await;
    erase(&world, Erase::Run(run)).await.unwrap();
    check_erased(&world, run);
    assert!(world.open_items().is_empty());
    assert!(!has_key(world.handle.log(), key));
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_any_commit_of_an_erasure_leaves_what_the_log_says() {
    let commits = die(Kill::Never).await;
    assert!(commits >= 2, "a start, and the cancel with the erasure: {commits}");
    for commit in 1..=commits {
        die(Kill::Before(commit)).await;
        die(Kill::After(commit)).await;
    }
}

// ---- by age ---------------------------------------------------------------------------------

async fn under(config: ProjectConfig) -> World {
    let recorder = Arc::new(Recorder::default());
    let place = (crate::world::open_log(None), Clock::virtual_start());
    let config = ProjectConfig { project: "test".into(), ..config };
    let live = Arc::clone(&recorder);
    let world = start_with(config, place, live, recorder).await.unwrap();
    world.furnish().await;
    world
}

async fn ended(world: &mut World) -> RunId {
    let text = document(&format!("  - a: {{ set: {{ x: {MARKER} }} }}\n"));
    let run = world.run(&text, json!(MARKER), Mode::Sandbox).await;
    world.finished(run).await;
    run
}

fn is_erased(world: &World, run: RunId) -> bool {
    holds(world, run) == 0
}

/// Payloads that there are of a run.
fn holds(world: &World, run: RunId) -> u64 {
    let view = world.handle.view().unwrap();
    view.payloads_of(&Erasable::Stream(StreamId::Run(run))).unwrap()
}

#[tokio::test]
async fn content_whose_time_is_over_is_erased_by_the_engine_and_by_nobody_before() {
    let mut config = ProjectConfig::default();
    config.retention.runs = Some(Duration::from_days(90));
    config.retention.events = Some(Duration::from_days(7));
    let mut world = under(config).await;
    world.clock.hold_at(Some(world.handle.now()));
    let old = ended(&mut world).await;
    let event = json!({"type": "x", "data": MARKER});
    let arrived = world.handle.publish(event, None, &name("author")).await.unwrap();
    let waits =
        world.run(&document("  - a: { wait: P400D }\n"), json!(MARKER), Mode::Sandbox).await;
    let days = |days: i64| days * 86_400_000;
    let began = world.handle.now();

    assert!(world.handle.enforce_retention().await.unwrap().is_some(), "it says when it is due");
    assert!(!is_erased(&world, old));
    world.advance_to(began.plus_millis(days(8)));
    world.handle.enforce_retention().await.unwrap();
    let view = world.handle.view().unwrap();
    assert!(matches!(view.payload_at(arrived, 0), Err(placet_log::Error::Erased { .. })));
    assert!(!is_erased(&world, old));

    let young = ended(&mut world).await;
    world.advance_to(began.plus_millis(days(91)));
    world.handle.enforce_retention().await.unwrap();
    assert!(is_erased(&world, old) && !is_erased(&world, young));
    assert!(holds(&world, waits) > 0, "a run that waits keeps it");
    let view = world.handle.view().unwrap();
    let told = erasures(&view);
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|event| event.actor == Actor::Engine));
    check_erased(&world, old);

    let head = view.head().size;
    world.handle.enforce_retention().await.unwrap();
    assert_eq!(world.handle.view().unwrap().head().size, head, "nothing is erased twice");
}

#[tokio::test]
async fn each_way_to_end_has_a_time_of_its_own_and_what_is_not_said_has_that_of_all_runs() {
    let mut config = ProjectConfig::default();
    config.retention.runs = Some(Duration::from_days(30));
    config.retention.completed = Some(Duration::from_days(1));
    config.retention.faulted = Some(Duration::from_days(90));
    let mut world = under(config).await;
    world.clock.hold_at(Some(world.handle.now()));
    let began = world.handle.now();
    let completed = ended(&mut world).await;
    let raises = "  - a: { raise: { error: { type: 'https://example.com/e', status: 500 } } }\n";
    let faulted = world.run(&document(raises), json!(MARKER), Mode::Sandbox).await;
    assert_eq!(world.finished(faulted).await["status"], "faulted");
    let waits = document("  - a: { wait: P400D }\n");
    let cancelled = world.run(&waits, json!(MARKER), Mode::Sandbox).await;
    world.handle.cancel(cancelled, name("author"), None).await.unwrap();
    assert_eq!(world.finished(cancelled).await["status"], "cancelled");

    let runs = [completed, cancelled, faulted];
    for (days, gone) in [(0, 0), (2, 1), (31, 2), (91, 3)] {
        world.advance_to(began.plus_millis(days * 86_400_000));
        world.handle.enforce_retention().await.unwrap();
        let erased: Vec<bool> = runs.iter().map(|run| is_erased(&world, *run)).collect();
        let expected: Vec<bool> = (0..3).map(|n| n < gone).collect();
        assert_eq!(erased, expected, "after {days} days: completed, cancelled, faulted");
    }
    assert_eq!(erasures(&world.handle.view().unwrap()).len(), 3, "each once");
}

#[tokio::test]
async fn metadata_only_keeps_content_while_the_run_needs_it_and_no_longer() {
    let mut config = ProjectConfig::default();
    config.data.policy = DataPolicy::MetadataOnly;
    config.data.keep = vec!["kept/*".into()];
    let mut world = under(config).await;
    let run = asked(&mut world).await;
    world.handle.enforce_retention().await.unwrap();
    let row = world.open_items().remove(0);
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    world.finished(run).await;
    assert_eq!(world.recorder.count(), 1, "what was approved was kept until it was sent");
    let text = fixture("ok/slack-notify.yaml").replace("namespace: ops", "namespace: kept");
    let kept = world.run(&text, json!({"channel": "C1", "text": MARKER}), Mode::Live).await;
    world.settled(kept).await;
    let row = world.open_items().remove(0);
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    world.finished(kept).await;

    world.handle.enforce_retention().await.unwrap();
    assert!(is_erased(&world, run) && !is_erased(&world, kept));
    check_erased(&world, run);
}

#[tokio::test]
async fn an_engine_with_the_policy_erases_by_itself_once_a_run_has_ended() {
    let mut config = ProjectConfig::default();
    config.data.policy = DataPolicy::MetadataOnly;
    let mut world = under(config).await;
    let keeper = tokio::spawn(Box::pin(world.handle.clone().keep_retention()));
    let run = ended(&mut world).await;
    let mut head = world.handle.log().head();
    while !is_erased(&world, run) {
        let log = world.handle.log().clone();
        let waited = move || log.wait_past(head, placet_test_support::DEADLINE);
        let now = tokio::task::spawn_blocking(waited).await.unwrap();
        assert!(now > head || is_erased(&world, run), "stuck at {head}");
        head = now;
    }
    world.engine.stop().await.unwrap();
    keeper.await.unwrap();
}
