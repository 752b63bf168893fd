//! The new epoch of restored data: whatever is open is asked again, nothing goes by itself, and a process that dies at any
//! commit of it leaves what the next one ends.

use crate::crash::{Kill, open};
use crate::world::{Recorder, World, fixture, name, try_start};
use placet_adapters::{Cause, Failed};
use placet_executor::Clock;
use placet_executor::epoch::{self, Beginning, Report};
use placet_log::Log;
use placet_model::decision::{DecisionState, Resolution, Verdict, VoidReason};
use placet_model::draft::Mode;
use placet_model::{Event, Position, RunId};
use placet_projections::{Views, compare};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Three runs on disk: one asks, one is approved and held, one was put off by the provider.
struct Scene {
    dir: tempfile::TempDir,
    clock: Clock,
    recorder: Arc<Recorder>,
    asked: RunId,
    approved: RunId,
    deferred: RunId,
}

async fn life(dir: &Path, clock: &Clock, recorder: &Arc<Recorder>) -> World {
    let (log, _) = open(dir, Kill::Never);
    try_start(log, clock.clone(), Arc::clone(recorder)).await.unwrap()
}

async fn end(world: World) {
    let World { engine, handle, .. } = world;
    engine.stop().await.unwrap();
    drop(handle);
}

async fn scene() -> Scene {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::virtual_start());
    let recorder = Arc::new(Recorder::default());
    let mut world = life(dir.path(), &clock, &recorder).await;
    world.furnish().await;
    let text = fixture("ok/slack-notify.yaml");
    let mut runs = vec![];
    for words in ["asked", "approved", "deferred"] {
        let input = json!({"channel": "C1", "text": words});
        runs.push(world.run(&text, input, Mode::Live).await);
    }
    let [asked, approved, deferred] = runs[..] else { panic!("three runs") };
    // nobody waits for what was put off: time stands still
    clock.hold_at(Some(clock.now()));
    recorder.answer(429, &json!({"ok": false, "error": "ratelimited"}));
    let row = world.item(|row| row.run == deferred).await;
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    while !world.events(deferred).contains(&"AttemptDeferred") {
        world.settled(deferred).await;
    }
    world.handle.pause(&name("author"), None).await.unwrap();
    let row = world.item(|row| row.run == approved).await;
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    world.item(|row| row.run == asked).await;
    assert_eq!(recorder.count(), 1, "the one that was put off");
    end(world).await;
    Scene { dir, clock, recorder, asked, approved, deferred }
}

fn copied(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in ["log.redb", "keys.redb"] {
        std::fs::copy(from.join(file), to.path().join(file)).unwrap();
    }
    to
}

fn anew() -> Beginning {
    Beginning::Anew { lost_to: None, after: 1 }
}

/// The events since the fork, by stream and type.
fn since(log: &Log) -> BTreeMap<String, Vec<&'static str>> {
    let view = log.read().unwrap();
    let first = view.epochs().unwrap().last().unwrap().position;
    let mut since: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for event in view.events(first) {
        let event = event.unwrap();
        since.entry(event.stream.to_string()).or_default().push(event.event.type_name());
    }
    since
}

#[tokio::test]
async fn whatever_is_open_unspent_or_put_off_is_asked_again_and_nothing_goes_by_itself() {
    let scene = scene().await;
    let (log, _) = open(scene.dir.path(), Kill::Never);
    let before = log.head();
    let report = epoch::begin(&log, scene.clock.now(), anew()).unwrap();
    assert_eq!(report, Report { epoch: 2, voided: 3, ..Report::default() });
    let view = log.read().unwrap();
    let first = view.event(Position::new(before.get() + 1)).unwrap();
    assert!(matches!(first.event, Event::EpochStarted(_)), "it is the first event");
    compare(&view).unwrap();
    drop((view, log));

    let mut world = life(scene.dir.path(), &scene.clock, &scene.recorder).await;
    world.handle.resume(&name("author"), None).await.unwrap();
    for run in [scene.asked, scene.approved, scene.deferred] {
        let row = world.item(|row| row.run == run && row.draft_revision == 2).await;
        assert_eq!(row.state, DecisionState::Requested);
    }
    // the time at which the put-off call was to go again passes, too
    scene.clock.hold_at(None);
    world.advance_to(scene.clock.now().plus_millis(60 * 60 * 1000));
    for run in [scene.asked, scene.approved, scene.deferred] {
        let row = world.item(|row| row.run == run).await;
        world.vote(&row, "approver", Verdict::Reject).await.unwrap();
        world.finished(run).await;
    }
    assert_eq!(scene.recorder.count(), 1, "what went before the copy");
    let view = world.handle.view().unwrap();
    let views = Views::new(&view).unwrap();
    let voided = view.events(Position::START).filter_map(|event| match event.unwrap().event {
        Event::DecisionVoided(body) => Some(views.decision(body.decision).unwrap().unwrap()),
        _ => None,
    });
    let reasons: Vec<_> = voided.map(|row| row.void.unwrap().0).collect();
    assert_eq!(reasons, [VoidReason::NewEpoch; 3]);
}

#[tokio::test]
async fn a_process_that_dies_at_any_commit_of_the_epoch_leaves_what_the_next_one_ends() {
    let scene = scene().await;
    let whole = copied(scene.dir.path());
    let (log, _) = open(whole.path(), Kill::Never);
    let report = epoch::begin(&log, scene.clock.now(), anew()).unwrap();
    let expected = since(&log);
    drop(log);
    let mut deaths = 0;
    for commit in 1.. {
        let mut survived = 0;
        for kill in [Kill::Before(commit), Kill::After(commit)] {
            let dir = copied(scene.dir.path());
            let (log, death) = open(dir.path(), kill);
            let size = log.head().get();
            match epoch::begin(&log, scene.clock.now(), anew()) {
                Ok(whole) => {
                    assert_eq!(whole, report);
                    survived += 1;
                }
                Err(_died) => deaths += 1,
            }
            drop((death, log));
            // as a restore goes on: it knows how many events the data had
            let (log, _) = open(dir.path(), Kill::Never);
            let begun = log.read().unwrap().epochs().unwrap();
            let begun = begun.last().is_some_and(|epoch| epoch.size == size);
            let beginning = if begun { Beginning::Resumed } else { anew() };
            epoch::begin(&log, scene.clock.now(), beginning).unwrap();
            assert_eq!(since(&log), expected, "{kill:?}");
            compare(&log.read().unwrap()).unwrap();
        }
        if survived == 2 {
            break;
        }
    }
    println!("{deaths} deaths");
    assert_eq!(deaths, 8, "before and after each of the four commits");
}

/// A send to a receiver that knows our key, of which no answer has come: on disk, in doubt.
async fn doubted() -> (tempfile::TempDir, Clock, Arc<Recorder>, RunId) {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::virtual_start());
    let recorder = Arc::new(Recorder::default());
    let mut world = life(dir.path(), &clock, &recorder).await;
    world.furnish().await;
    world.connect("webhook").await;
    let text = "document: { dsl: '1.0.3', namespace: test, name: hook, version: '1.0.0' }\ndo:\n  - tell: { call: webhook.event.send, with: { type: a.b, data: { n: 1 } } }\n";
    let run = world.run(text, serde_json::Value::Null, Mode::Live).await;
    let row = world.item(|row| row.run == run).await;
    clock.hold_at(Some(clock.now()));
    recorder.fail(Failed::after(Cause::Timeout, "no answer"));
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    world.item(|row| row.in_doubt.is_some()).await;
    end(world).await;
    clock.hold_at(None);
    (dir, clock, recorder, run)
}

#[tokio::test]
async fn what_was_in_doubt_at_the_copy_goes_to_a_person_even_where_the_receiver_knows_our_key() {
    // the same data without a restore: the receiver deduplicates, so the same bytes go again
    let (dir, clock, recorder, run) = doubted().await;
    let mut world = life(dir.path(), &clock, &recorder).await;
    assert_eq!(world.finished(run).await["status"], "completed");
    assert_eq!(recorder.count(), 2);
    end(world).await;

    // restored: meanwhile a person may have said that it was not sent, and another draft was
    let (dir, clock, recorder, run) = doubted().await;
    let (log, _) = open(dir.path(), Kill::Never);
    epoch::begin(&log, clock.now(), anew()).unwrap();
    drop(log);
    let mut world = life(dir.path(), &clock, &recorder).await;
    let row = world.item(|row| row.run == run).await;
    world.advance_to(clock.now().plus_millis(60 * 60 * 1000));
    assert!(row.in_doubt.is_some());
    world.handle.resolve(row.decision, Resolution::Sent, name("approver")).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
    assert_eq!(recorder.count(), 1, "nothing went by itself");
}
