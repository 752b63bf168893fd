//! Runs: where they stand, and lists of them.

use crate::make::*;
use crate::support::*;
use placet_model::Revision;
use placet_model::decision::Settlement;
use placet_model::draft::Mode;
use placet_model::event::run::TimerKind;
use placet_projections::{RunFilter, RunStatus, WaitingFor};

fn stands(world: &World, n: u128) -> (RunStatus, Option<WaitingFor>) {
    let row = world.see(|views| views.run(run(n))).unwrap();
    (row.status, row.waiting_for)
}

#[test]
fn a_run_says_what_it_is_and_how_it_ended() {
    let mut world = World::new();
    world.run(run(1), [started()]);
    world.now = at(5);
    world.run(run(1), [completed(&task("set")), run_completed()]);
    world.run(run(2), [started(), faulted(&task("set")), run_faulted()]);
    world.run(run(3), [started(), cancelled()]);

    let row = world.see(|views| views.run(run(1))).unwrap();
    assert_eq!(
        (row.run, row.workflow, row.plan_digest),
        (run(1), workflow("follow-up"), digest("follow-up"))
    );
    assert_eq!((row.mode, row.requester), (Mode::Sandbox, who("agent")));
    assert_eq!((row.started_at, row.updated_at, row.revision), (at(0), at(5), Revision::new(3)));
    assert_eq!((row.status, row.output), (RunStatus::Completed, Some(content(9))));

    let row = world.see(|views| views.run(run(2))).unwrap();
    let fault = Some(("urn:example:fault".to_owned(), 500, content(3)));
    assert_eq!((row.status, row.fault, row.output), (RunStatus::Faulted, fault, None));
    assert_eq!(stands(&world, 3), (RunStatus::Cancelled, None));
    assert_eq!(world.see(|views| views.run(run(4))), None);
    world.check();
}

#[test]
fn a_parked_run_says_what_it_waits_for() {
    let mut world = World::new();
    let waits = |world: &World, waiting| {
        assert_eq!(stands(world, 1), (RunStatus::Waiting, Some(waiting)));
    };
    world.run(run(1), [started(), begun(&task("wait"))]);
    assert_eq!(stands(&world, 1), (RunStatus::Running, None));
    world.run(run(1), [armed(timer(1), &task("wait"), TimerKind::Wait, at(9))]);
    waits(&world, WaitingFor::Timer);
    world.run(run(1), [fired(timer(1))]);
    assert_eq!(stands(&world, 1), (RunStatus::Running, None));

    let send = task("send");
    world.run(run(1), [completed(&task("wait")), begun(&send), draft(&send, 1).into()]);
    world.run(run(1), [requested(decision(1), &send, at(100))]);
    waits(&world, WaitingFor::Decision(decision(1)));
    world.run(run(1), [settled(decision(1), Settlement::Approved)]);
    waits(&world, WaitingFor::Decision(decision(1)));
    world.run(run(1), [tried(attempt(1), 1, Some(decision(1)))]);
    waits(&world, WaitingFor::Answer);
    world.run(run(1), [deferred(attempt(1), 1, at(20))]);
    waits(&world, WaitingFor::Deferred);
    world.run(run(1), [tried(attempt(1), 2, Some(decision(1))), in_doubt(attempt(1), 2)]);
    waits(&world, WaitingFor::InDoubt);
    world.check();
}

#[test]
fn lists_of_runs_are_newest_first_by_filter_and_by_page() {
    let mut world = World::new();
    for n in 1..=12 {
        let name = if n % 2 == 0 { "even" } else { "odd" };
        world.run(run(n), [started_with(name, None)]);
        match n % 4 {
            0 => world.run(run(n), [run_completed()]),
            1 => world.run(run(n), [cancelled()]),
            2 => world.run(run(n), [begun(&task("read")), tried(attempt(n), 1, None)]),
            _ => {}
        }
    }
    let list = |status, family: Option<&str>, before: Option<u128>, limit| {
        let filter = RunFilter { status, workflow: family.map(str::to_owned) };
        let rows = world.see(|views| views.runs(&filter, before.map(run), limit));
        rows.iter().map(|row| u128::from_be_bytes(row.run.to_bytes())).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, None, 99), (1..=12).rev().collect::<Vec<_>>());
    assert_eq!(list(None, None, None, 3), [12, 11, 10]);
    assert_eq!(list(None, None, Some(10), 3), [9, 8, 7]);
    assert_eq!(list(None, None, Some(1), 3), []);
    assert_eq!(list(None, None, None, 0), []);
    assert_eq!(list(Some(RunStatus::Completed), None, None, 2), [12, 8]);
    assert_eq!(list(Some(RunStatus::Cancelled), None, Some(9), 9), [5, 1]);
    assert_eq!(list(Some(RunStatus::Waiting), None, None, 9), [10, 6, 2]);
    assert_eq!(list(Some(RunStatus::Running), None, None, 2), [11, 7]);
    assert_eq!(list(Some(RunStatus::Faulted), None, None, 9), []);
    assert_eq!(list(None, Some("sales/even"), None, 3), [12, 10, 8]);
    assert_eq!(list(Some(RunStatus::Completed), Some("sales/odd"), None, 9), []);
    assert_eq!(list(None, Some("sales/ev"), None, 9), []);
}

#[test]
fn a_cancelled_run_with_an_attempt_under_way_is_listed_once_and_as_cancelled() {
    let mut world = World::new();
    world.run(run(1), [started(), begun(&task("read")), tried(attempt(1), 1, None), cancelled()]);
    let all = |world: &World| world.see(|views| views.runs(&RunFilter::default(), None, 9));
    assert_eq!(all(&world).len(), 1);
    assert_eq!(stands(&world, 1), (RunStatus::Cancelled, None));
    world.run(run(1), [succeeded(attempt(1), 1)]);
    assert_eq!(all(&world).len(), 1);
    assert_eq!(stands(&world, 1), (RunStatus::Cancelled, None));
    world.check();
}
