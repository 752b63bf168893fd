//! Schedules of deployed workflows (language 1.4), through the engine and across its restarts.

use crate::world::{World, name, open_log, start, start_on};
use placet_executor::epoch::{self, Beginning};
use placet_executor::{Clock, Notice};
use placet_log::{Log, Storage};
use placet_model::{Event, Revision, StreamId, Timestamp};
use placet_projections::{RunFilter, RunRow, RunStatus, Views};
use serde_json::{Value, json};

fn scheduled(schedule: &str, tasks: &str) -> String {
    format!(
        "document: {{ dsl: '1.0.3', namespace: ops, name: tick, version: '1.0.0' }}\nschedule: {schedule}\ndo:\n{tasks}"
    )
}

const SET: &str = "  - a: { set: { in: '${ . }' } }\n";
const MINUTE: i64 = 60_000;

fn runs(world: &World) -> Vec<RunRow> {
    let view = world.handle.view().unwrap();
    let filter = RunFilter { workflow: Some("ops/tick".to_owned()), ..RunFilter::default() };
    let mut runs = Views::new(&view).unwrap().runs(&filter, None, 1000).unwrap();
    runs.reverse();
    runs
}

/// Moves the clock by so many minutes, and waits until as many runs are over.
async fn after(world: &mut World, minutes: i64, count: usize) -> Vec<RunRow> {
    world.clock.hold_at(Some(world.handle.now().plus_millis(minutes * MINUTE)));
    world.advance_to(world.handle.now().plus_millis(minutes * MINUTE));
    loop {
        let rows = runs(world);
        if rows.iter().filter(|row| row.status == RunStatus::Completed).count() >= count {
            return rows;
        }
        world.notices.recv().await.unwrap();
    }
}

/// The engine stands still unless a test moves its clock.
async fn world() -> World {
    let world = start().await;
    world.clock.hold_at(Some(world.handle.now()));
    world
}

fn minutes(rows: &[RunRow], began: Timestamp) -> Vec<i64> {
    rows.iter().map(|row| row.started_at.millis_since(began) / MINUTE).collect()
}

#[tokio::test]
async fn every_starts_a_run_each_interval_as_whoever_has_deployed_it() {
    let mut world = world().await;
    world.deploy(&scheduled("{ every: PT30M }", SET)).await;
    world.handle.run_schedules().await.unwrap();
    let began = world.handle.now();
    after(&mut world, 30, 1).await;
    let rows = after(&mut world, 30, 2).await;
    assert_eq!(minutes(&rows, began), [30, 60]);
    assert_eq!(rows[0].requester, name("author"));
    let report = world.handle.report(rows[0].run).unwrap();
    assert_eq!(report["output"], json!({"in": null}), "the input is null");
}

#[tokio::test]
async fn after_starts_at_deploy_and_then_after_each_end_without_overlap() {
    let mut world = world().await;
    world.handle.run_schedules().await.unwrap();
    world.deploy(&scheduled("{ after: PT30M }", "  - w: { wait: PT10M }\n")).await;
    let began = world.handle.now();
    while runs(&world).is_empty() {
        world.notices.recv().await.unwrap();
    }
    let rows = after(&mut world, 10, 1).await;
    assert_eq!(rows.len(), 1, "the next one waits for its end");
    assert_eq!(rows[0].status, RunStatus::Completed);
    after(&mut world, 30, 1).await;
    while runs(&world).len() < 2 {
        world.notices.recv().await.unwrap();
    }
    assert_eq!(minutes(&runs(&world), began), [0, 40]);
}

/// An engine that deploys an hourly schedule and stops; the clock stands still then.
async fn hourly(log: Log) -> Clock {
    let clock = Clock::virtual_start();
    clock.hold_at(Some(clock.now()));
    let world = start_on(log, clock.clone()).await;
    world.furnish().await;
    world.deploy(&scheduled("{ cron: '0 * * * *' }", SET)).await;
    world.engine.stop().await.unwrap();
    clock
}

#[tokio::test]
async fn ticks_that_were_missed_are_caught_up_once_and_counted_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let open = || open_log(Some(Storage::Directory(dir.path().to_owned())));
    let clock = hourly(open()).await;
    clock.advance_to(clock.now().plus_millis(210 * MINUTE));
    clock.hold_at(Some(clock.now()));
    let mut world = start_on(open(), clock).await;
    world.handle.run_schedules().await.unwrap();
    let rows = after(&mut world, 0, 1).await;
    assert_eq!(rows.len(), 1);
    let view = world.handle.view().unwrap();
    let stream = StreamId::Workflow("ops/tick".to_owned());
    let fired =
        view.stream(&stream, Revision::START).find_map(|event| match event.unwrap().event {
            Event::ScheduleFired(body) => Some((body.skipped, body.due_at.to_string())),
            _ => None,
        });
    assert_eq!(fired, Some((2, "2026-01-01T03:00:00.000Z".to_owned())));
}

#[tokio::test]
async fn ticks_until_a_restore_may_have_been_started_by_the_lost_life_and_are_not_caught_up() {
    let dir = tempfile::tempdir().unwrap();
    let open = || open_log(Some(Storage::Directory(dir.path().to_owned())));
    let clock = hourly(open()).await;
    let began = clock.now();
    clock.advance_to(began.plus_millis(210 * MINUTE));
    let log = open();
    let anew = Beginning::Anew { lost_to: None, after: 1 };
    epoch::begin(&log, clock.now(), anew).unwrap();
    drop(log);
    clock.hold_at(Some(clock.now()));
    let mut world = start_on(open(), clock).await;
    world.handle.run_schedules().await.unwrap();
    let rows = after(&mut world, 30, 1).await;
    assert_eq!(minutes(&rows, began), [240], "the first one after the restore");
}

#[tokio::test]
async fn an_event_starts_a_run_with_the_array_of_events_as_its_input() {
    let mut world = world().await;
    world.handle.run_schedules().await.unwrap();
    world.deploy(&scheduled("{ on: { one: { with: { type: order.paid } } } }", SET)).await;
    for n in [1, 2] {
        let event =
            json!({"type": "order.paid", "source": "shop", "id": n.to_string(), "data": {"n": n}});
        world.handle.publish(event, None, &name("author")).await.unwrap();
    }
    let rows = after(&mut world, 0, 2).await;
    let outputs: Vec<Value> =
        rows.iter().map(|row| world.handle.report(row.run).unwrap()["output"].clone()).collect();
    assert_eq!(outputs, [json!({"in": [{"n": 1}]}), json!({"in": [{"n": 2}]})]);
    assert_eq!(rows[0].requester, name("author"));
}

#[tokio::test]
async fn a_new_version_takes_over_the_events_and_one_without_a_schedule_ends_the_listening() {
    let mut world = world().await;
    world.handle.run_schedules().await.unwrap();
    let on = "{ on: { one: { with: { type: order.paid } } } }";
    world.deploy(&scheduled(on, SET)).await;
    let second = scheduled(on, "  - b: { set: '${ \"second\" }' }\n").replace("1.0.0", "2.0.0");
    world.deploy(&second).await;
    let event = |id: &str| json!({"type": "order.paid", "source": "shop", "id": id});
    world.handle.publish(event("1"), None, &name("author")).await.unwrap();
    let rows = after(&mut world, 0, 1).await;
    assert_eq!(rows.len(), 1, "one version listens");
    assert_eq!(rows[0].workflow.version, "2.0.0");
    let plain = second.replace("2.0.0", "3.0.0").replace(&format!("schedule: {on}\n"), "");
    world.deploy(&plain).await;
    while !listeners(&world).is_empty() {
        world.notices.recv().await.unwrap();
    }
    world.handle.publish(event("2"), None, &name("author")).await.unwrap();
    assert_eq!(runs(&world).len(), 1);
}

fn listeners(world: &World) -> Vec<RunRow> {
    let view = world.handle.view().unwrap();
    let workflow = Some("placet.schedule/ops.tick".to_owned());
    let filter = RunFilter { workflow, status: Some(RunStatus::Waiting) };
    Views::new(&view).unwrap().runs(&filter, None, 10).unwrap()
}

#[tokio::test]
async fn without_the_word_of_the_process_schedules_start_nothing() {
    let mut world = world().await;
    world.deploy(&scheduled("{ every: PT1M }", SET)).await;
    world.clock.hold_at(None);
    world.advance_to(world.handle.now().plus_millis(10 * MINUTE));
    world.handle.load().await.unwrap();
    assert!(runs(&world).is_empty());
    assert!(!matches!(world.notices.try_recv(), Ok(Notice::Finished { .. })));
}
