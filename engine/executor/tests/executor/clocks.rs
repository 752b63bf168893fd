//! The wall clock is set, in operation and between two lives, and time goes by all the same: no key is
//! used again after its provider may have forgotten it, no approval is used that is older than it may
//! become, and what is young goes on as if nothing had happened.
//!
//! covers: S10, S25

use crate::crash::{Kill, open};
use crate::world::{Recorder, World, name, try_start};
use placet_adapters::{Cause, Failed};
use placet_executor::Clock;
use placet_model::RunId;
use placet_model::decision::{DecisionState, Verdict};
use placet_model::draft::Mode;
use serde_json::Value;
use std::sync::Arc;

const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;

/// The receiver knows a key for a day; the approval is good for a week.
const HOOK: &str = "document: { dsl: '1.0.3', namespace: test, name: hook, version: '1.0.0' }\ndo:\n  - tell: { call: webhook.event.send, with: { type: a.b, data: { n: 1 } } }\n";

struct Scene {
    dir: tempfile::TempDir,
    clock: Clock,
    recorder: Arc<Recorder>,
}

impl Scene {
    /// A project whose clock moves only by hand.
    async fn new() -> (Self, World) {
        let clock = Clock::virtual_start();
        clock.hold_at(Some(clock.now()));
        let recorder = Arc::new(Recorder::default());
        let scene = Self { dir: tempfile::tempdir().unwrap(), clock, recorder };
        let world = scene.life().await;
        world.furnish().await;
        world.connect("webhook").await;
        (scene, world)
    }

    async fn life(&self) -> World {
        let (log, _) = open(self.dir.path(), Kill::Never);
        try_start(log, self.clock.clone(), Arc::clone(&self.recorder)).await.unwrap()
    }

    /// Another process on the same files; what happens in between.
    async fn next_life(&self, world: World, between: impl FnOnce(&Clock)) -> World {
        let World { engine, handle, notices, .. } = world;
        engine.stop().await.unwrap();
        drop((handle, notices));
        between(&self.clock);
        self.life().await
    }

    /// A send of which no answer has come; the next try is due in two seconds.
    async fn doubted(&self, world: &mut World) -> RunId {
        self.recorder.fail(Failed::after(Cause::Timeout, "no answer"));
        let run = world.run(HOOK, Value::Null, Mode::Live).await;
        let row = world.item(|row| row.run == run).await;
        world.vote(&row, "approver", Verdict::Approve).await.unwrap();
        world.item(|row| row.in_doubt.is_some()).await;
        run
    }
}

/// Time goes by, whatever the clock shows.
fn pass(clock: &Clock, millis: i64) {
    clock.advance_to(clock.now().plus_millis(millis));
}

/// Whether the same bytes go again by themselves, once whatever is to be done is done.
async fn goes_again(scene: &Scene, world: &mut World, run: RunId) -> bool {
    scene.clock.hold_at(None);
    world.handle.wake();
    // the run ends, or nothing is under way and a person is waited for
    loop {
        if world.handle.report(run).unwrap()["status"] == "completed" {
            assert_eq!(scene.recorder.count(), 2);
            return true;
        }
        let load = world.handle.load().await.unwrap();
        let rests = load.worked_on == 0 && load.calls == 0 && load.reminders == 0;
        if rests && world.open_items().iter().any(|row| row.in_doubt.is_some()) {
            assert_eq!(scene.recorder.count(), 1, "nothing went by itself");
            return false;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_young_key_is_used_again_in_the_same_process_and_in_the_next() {
    let (scene, mut world) = Scene::new().await;
    let run = scene.doubted(&mut world).await;
    assert!(goes_again(&scene, &mut world, run).await);

    let (scene, mut world) = Scene::new().await;
    let run = scene.doubted(&mut world).await;
    let mut world = scene.next_life(world, |clock| pass(clock, HOUR)).await;
    assert!(goes_again(&scene, &mut world, run).await);
}

#[tokio::test]
async fn a_clock_that_is_wrong_does_not_keep_a_young_key_from_being_used() {
    // given a clock that is set back by so much that log time stands still from then on
    let (scene, mut world) = Scene::new().await;
    let run = scene.doubted(&mut world).await;
    // when another process starts an hour later, then the key is known to be young
    let mut world = scene
        .next_life(world, |clock| {
            // by no more than the key may age: what is due meanwhile waits for log time
            clock.set_by(-2 * HOUR);
            pass(clock, HOUR);
        })
        .await;
    assert!(goes_again(&scene, &mut world, run).await);
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_make_an_expired_key_look_young() {
    for back in [0, HOUR, DAY, 30 * DAY] {
        // given a send in doubt, and a clock that is set back by so much
        let (scene, mut world) = Scene::new().await;
        let run = scene.doubted(&mut world).await;
        scene.clock.set_by(-back);
        // when the provider forgets the key meanwhile, in which log time stands still
        pass(&scene.clock, DAY);
        // then the same process leaves it to a person
        assert!(!goes_again(&scene, &mut world, run).await, "set back by {back}");

        // and so does the next
        let (scene, mut world) = Scene::new().await;
        let run = scene.doubted(&mut world).await;
        let mut world = scene
            .next_life(world, |clock| {
                clock.set_by(-back);
                pass(clock, DAY);
            })
            .await;
        assert!(!goes_again(&scene, &mut world, run).await, "set back by {back}, then restarted");
    }
}

#[tokio::test]
async fn a_clock_that_was_ahead_and_is_put_right_does_not_make_an_expired_key_look_young() {
    // given a send while the clock is ten days ahead
    let (scene, mut world) = Scene::new().await;
    scene.clock.set_by(10 * DAY);
    let run = scene.doubted(&mut world).await;
    // when it is put right, and the provider forgets the key
    scene.clock.set_by(-10 * DAY);
    pass(&scene.clock, DAY);
    // then log time has not moved, and a person is asked all the same
    assert!(!goes_again(&scene, &mut world, run).await);
}

#[tokio::test]
async fn after_a_start_of_the_machine_nobody_knows_the_age_of_a_key() {
    let (scene, mut world) = Scene::new().await;
    let run = scene.doubted(&mut world).await;
    let mut world = scene.next_life(world, Clock::reboot).await;
    assert!(!goes_again(&scene, &mut world, run).await);
}

#[tokio::test]
async fn an_approval_that_is_held_runs_out_while_log_time_stands_still() {
    // given an approval that waits for the end of a pause
    let (scene, mut world) = Scene::new().await;
    world.handle.pause(&name("author"), None).await.unwrap();
    let run = world.run(HOOK, Value::Null, Mode::Live).await;
    let row = world.item(|row| row.run == run).await;
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    let valid = row.expires_at.millis_since(scene.clock.now());
    // when the clock is set back, and as much time goes by as it was good for
    scene.clock.set_by(-30 * DAY);
    pass(&scene.clock, valid);
    assert!(world.handle.now() < row.expires_at, "by log time it is good");
    world.handle.resume(&name("author"), None).await.unwrap();
    // then it is void, and nothing leaves
    let report = world.finished(run).await;
    assert_eq!(report["error"]["type"], "urn:placet:errors:approval-void", "{report:#}");
    assert_eq!(scene.recorder.count(), 0);
}

#[tokio::test]
async fn a_request_cannot_be_approved_after_its_time_although_log_time_stands_still() {
    let (scene, mut world) = Scene::new().await;
    let run = world.run(HOOK, Value::Null, Mode::Live).await;
    let row = world.item(|row| row.run == run).await;
    let valid = row.expires_at.millis_since(scene.clock.now());
    scene.clock.set_by(-30 * DAY);
    pass(&scene.clock, valid);
    let error = world.vote(&row, "approver", Verdict::Approve).await.unwrap_err();
    assert_eq!(error.code(), "PL3006");
    let still = world.item(|row| row.run == run).await;
    assert_eq!(still.state, DecisionState::Requested);
    assert_eq!(scene.recorder.count(), 0);
}
