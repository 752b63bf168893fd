//! What runs wait for besides people, timers and answers: events, and other runs.

use crate::make::*;
use crate::support::*;
use placet_model::event::child::{ChildDropped, ChildEnded};
use placet_model::event::run::TaskShape;
use placet_model::{Event, Position, TaskPath};
use placet_projections::{RunStatus, WaitingFor};
use std::collections::BTreeSet;

const RUNNING: (RunStatus, Option<WaitingFor>) = (RunStatus::Running, None);
const LISTENING: (RunStatus, Option<WaitingFor>) = (RunStatus::Waiting, Some(WaitingFor::Event));

fn stands(world: &World) -> (RunStatus, Option<WaitingFor>) {
    let row = world.see(|views| views.run(run(1))).unwrap();
    (row.status, row.waiting_for)
}

/// A run that waits for orders, with a body for each of them or without.
fn hearing(shape: TaskShape) -> (World, TaskPath) {
    let (mut world, hear) = (World::new(), task("hear"));
    world.run(run(1), [started(), shaped(&hear, shape, 0)]);
    assert_eq!(stands(&world), RUNNING, "it has not begun to wait");
    world.run(run(1), [listening(&hear, "order")]);
    assert_eq!(stands(&world), LISTENING);
    (world, hear)
}

#[test]
fn a_wait_without_a_body_goes_on_waiting_until_an_event_ends_it() {
    let (mut world, hear) = hearing(TaskShape::Listen);
    world.run(run(1), [matched(&hear, 10, false)]);
    assert_eq!(stands(&world), LISTENING);
    world.run(run(1), [matched(&hear, 11, true)]);
    assert_eq!(stands(&world), RUNNING);
    world.check();
}

#[test]
fn a_wait_with_a_body_waits_again_once_the_body_has_run() {
    let (mut world, hear) = hearing(TaskShape::ListenEach);
    world.run(run(1), [matched(&hear, 10, false)]);
    assert_eq!(stands(&world), RUNNING, "the body runs");
    world.run(run(1), [handled(&hear, 0, false)]);
    assert_eq!(stands(&world), LISTENING);
    world.run(run(1), [matched(&hear, 11, false), handled(&hear, 1, true)]);
    assert_eq!(stands(&world), RUNNING);
    world.check();
}

/// The end of a wait is found when its event comes; the body that still runs says nothing of it.
#[test]
fn a_wait_that_its_event_has_ended_does_not_wait_again_after_the_body() {
    let (mut world, hear) = hearing(TaskShape::ListenEach);
    world.run(run(1), [matched(&hear, 10, true)]);
    world.run(run(1), [handled(&hear, 0, false)]);
    assert_eq!(stands(&world), RUNNING);
    world.check();
}

#[test]
fn listeners_are_found_by_type_or_for_any_type_until_they_have_what_they_waited_for() {
    let (mut world, hear) = hearing(TaskShape::Listen);
    world.run(run(2), [started(), shaped(&hear, TaskShape::Listen, 0), listening(&hear, "")]);
    let listeners = |world: &World, kind| {
        let found = world.see(|views| views.listeners(kind));
        found.into_keys().collect::<BTreeSet<_>>()
    };
    assert_eq!(listeners(&world, "order"), BTreeSet::from([run(1), run(2)]));
    assert_eq!(listeners(&world, "ord"), BTreeSet::from([run(2)]));
    assert_eq!(listeners(&world, "orders"), BTreeSet::from([run(2)]));
    let end = [matched(&hear, 10, true), completed(&hear)];
    world.run(run(1), end);
    assert_eq!(listeners(&world, "order"), BTreeSet::from([run(2)]));
    world.run(run(2), [cancelled()]);
    assert_eq!(listeners(&world, "order"), BTreeSet::new());
    world.check();
}

#[test]
fn whoever_began_to_wait_or_went_on_after_a_place_is_found() {
    let (mut world, hear) = hearing(TaskShape::Listen);
    let since =
        |world: &World, place| world.see(|views| views.listening_since(Position::new(place))).len();
    assert_eq!((since(&world, 2), since(&world, 3)), (1, 0));
    world.run(run(1), [matched(&hear, 10, false)]);
    assert_eq!((since(&world, 3), since(&world, 4)), (1, 0));
}

/// Nobody may be told of an event for a run whose output is already being made.
#[test]
fn a_run_that_ends_from_within_a_wait_listens_no_more() {
    let (mut world, hear) = hearing(TaskShape::ListenEach);
    let Event::TaskCompleted(mut end) = completed(&hear.child("foreach/do", 0, "enough")) else {
        unreachable!("an end")
    };
    end.then = placet_model::event::run::Then::End;
    world.run(run(1), [matched(&hear, 10, false), end.into()]);
    assert!(world.see(|views| views.listeners("order")).is_empty());
    world.check();
}

#[test]
fn a_run_that_awaits_another_says_which_until_it_is_told_or_lets_go() {
    let child = task("child");
    let waiting = (RunStatus::Waiting, Some(WaitingFor::Run(run(7))));
    for end in [
        Event::from(ChildEnded { child: run(7), output: content(1) }),
        Event::from(ChildDropped { child: run(7) }),
    ] {
        let mut world = World::new();
        world.run(run(1), [started(), begun(&child), ordered(&child, run(7), true)]);
        assert_eq!(stands(&world), waiting);
        world.run(run(1), [end]);
        assert_eq!(stands(&world), RUNNING);
        world.check();
    }
    let mut world = World::new();
    world.run(run(1), [started(), begun(&child), ordered(&child, run(7), false)]);
    assert_eq!(stands(&world), RUNNING, "it does not await it");
}

#[test]
fn an_order_is_pending_until_the_run_has_begun_and_its_end_is_known() {
    let (mut world, child) = (World::new(), task("child"));
    let pending = |world: &World| world.see(|views| views.pending_orders()).len();
    world.run(run(1), [started(), begun(&child), ordered(&child, run(7), true)]);
    assert_eq!(pending(&world), 1, "it must begin");
    world.run(run(7), [started()]);
    assert_eq!(pending(&world), 0);
    world.run(run(7), [run_completed()]);
    assert_eq!(pending(&world), 1, "its end must be told");
    world.run(run(1), [ChildEnded { child: run(7), output: content(1) }.into()]);
    assert_eq!(pending(&world), 0);
    world.check();
}

#[test]
fn a_run_that_was_let_go_must_be_cancelled_if_it_has_begun_and_never_begins_if_not() {
    let (mut world, child) = (World::new(), task("child"));
    let pending = |world: &World| world.see(|views| views.pending_orders()).len();
    for n in [1, 2] {
        world.run(run(n), [started(), begun(&child), ordered(&child, run(n + 6), true)]);
    }
    world.run(run(7), [started()]);
    for n in [1, 2] {
        world.run(run(n), [ChildDropped { child: run(n + 6) }.into(), cancelled()]);
    }
    let orders = world.see(|views| views.pending_orders());
    assert_eq!(orders.iter().map(|order| order.run).collect::<Vec<_>>(), [run(7)]);
    world.run(run(7), [cancelled()]);
    assert_eq!(pending(&world), 0);
    world.check();
}
