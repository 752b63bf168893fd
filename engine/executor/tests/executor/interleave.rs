//! No event is lost and none is taken twice (language 10): arrivals, the passing of time, commits and
//! restarts of the engine in every order.

use crate::branches::document;
use crate::world::{World, is_over, name, start_on};
use placet_executor::{Clock, Start};
use placet_log::{KeyPlace, Log, OpenOptions, ProjectKey};
use placet_model::draft::Mode;
use placet_model::{Digest, RunId};
use placet_projections::Projections;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// What happens to the project while the run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    /// The event with this number comes.
    Arrive(u8),
    /// What is due comes due.
    Time,
    /// The engine stops and starts again.
    Restart,
}

/// Whether each act waits until the engine has nothing to do any more.
#[derive(Debug, Clone, Copy)]
enum Pace {
    Settled,
    AtOnce,
}

/// Every order of these acts.
fn orders(acts: &[Act]) -> BTreeSet<Vec<Act>> {
    if acts.len() <= 1 {
        return BTreeSet::from([acts.to_vec()]);
    }
    let mut orders = BTreeSet::new();
    for place in 0..acts.len() {
        let mut rest = acts.to_vec();
        let first = rest.remove(place);
        orders.extend(orders_after(first, &rest));
    }
    orders
}

fn orders_after(first: Act, rest: &[Act]) -> impl Iterator<Item = Vec<Act>> {
    orders(rest).into_iter().map(move |tail| std::iter::once(first).chain(tail).collect())
}

fn open(dir: &Path) -> Log {
    let options = OpenOptions::new(dir, "test")
        .keys(KeyPlace::Given(ProjectKey::from_bytes([7; 32])))
        .cache_bytes(1 << 20)
        .projector(Projections::new());
    Log::open(options).unwrap()
}

async fn quiet(world: &World) {
    while world.handle.load().await.unwrap().runs > 0 {
        tokio::task::yield_now().await;
    }
}

/// Plays the acts, and gives the output of the run.
async fn play(tasks: &str, acts: &[Act], pace: Pace) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::virtual_start();
    clock.hold_at(Some(clock.now()));
    let mut world = start_on(open(dir.path()), clock.clone()).await;
    world.furnish().await;
    let plan: Digest = world.deploy(&document(tasks)).await;
    let (requester, mode) = (name("author"), Mode::Sandbox);
    let start = Start { plan, input: Value::Null, requester, mode, seed: 0 };
    let run: RunId = world.handle.start(start).await.unwrap();
    for act in acts {
        match act {
            Act::Arrive(number) => {
                let event = json!({"type": format!("e{number}"), "source": "test", "id": number.to_string(), "data": number});
                world.handle.publish(event, None, &name("author")).await.unwrap();
            }
            Act::Time => {
                clock.hold_at(Some(clock.now().plus_millis(1000)));
                world.advance_to(clock.now().plus_millis(1000));
            }
            Act::Restart => {
                let World { engine, handle, .. } = world;
                engine.stop().await.unwrap();
                drop(handle);
                world = start_on(open(dir.path()), clock.clone()).await;
            }
        }
        if matches!(pace, Pace::Settled) {
            quiet(&world).await;
        }
    }
    let report = loop {
        let report = world.handle.report(run).unwrap();
        if is_over(&report) {
            break report;
        }
        let next = tokio::time::timeout(placet_test_support::DEADLINE, world.notices.recv());
        let next = next.await;
        assert!(next.is_ok(), "{acts:?} {pace:?}: stuck: {:?}", world.events(run));
    };
    world.engine.stop().await.unwrap();
    assert_eq!(report["status"], "completed", "{acts:?} {pace:?}: {report:#}");
    report["output"].clone()
}

/// Events in the order in which they came.
fn came(acts: &[Act]) -> Vec<u8> {
    acts.iter()
        .filter_map(|act| match act {
            Act::Arrive(number) => Some(*number),
            Act::Time | Act::Restart => None,
        })
        .collect()
}

async fn in_every_order(tasks: &str, acts: &[Act]) {
    let orders = orders(acts);
    println!("{} orders, at two paces", orders.len());
    for acts in orders {
        for pace in [Pace::Settled, Pace::AtOnce] {
            let output = play(tasks, &acts, pace).await;
            assert_eq!(output, json!(came(&acts)), "{acts:?} {pace:?}");
        }
    }
}

#[tokio::test]
async fn one_of_each_is_taken_once_in_the_order_of_arrival_whatever_comes_between() {
    let tasks = "  - pause: { wait: PT1S }\n  - hear: { listen: { to: { all: [ { with: { type: e1 } }, { with: { type: e2 } } ] } } }\n";
    let acts = [Act::Arrive(1), Act::Arrive(2), Act::Time, Act::Restart, Act::Restart];
    in_every_order(tasks, &acts).await;
}

#[tokio::test]
async fn what_runs_for_each_event_runs_once_for_it_in_the_order_of_arrival() {
    let tasks = "  - pause: { wait: PT1S }\n  - hear:\n      listen: { to: { all: [ { with: { type: e1 } }, { with: { type: e2 } } ] } }\n      foreach: { item: e, do: [ { a: { set: { n: '${ $e }' } } } ], output: { as: .n } }\n";
    let acts = [Act::Arrive(1), Act::Arrive(2), Act::Time, Act::Restart];
    in_every_order(tasks, &acts).await;
}
