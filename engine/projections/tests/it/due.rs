//! What comes due, and what makes it moot.

use crate::make::*;
use crate::support::*;
use placet_model::attempt::RefuseReason;
use placet_model::decision::{Settlement, VoidReason};
use placet_model::event::decision::{DecisionVoided, RequirementRaised};
use placet_model::event::run::TimerKind;
use placet_model::{Event, TaskPath, Timestamp};
use placet_projections::Due;

fn due(world: &World) -> Vec<(Timestamp, Due)> {
    let rows = world.see(|views| views.due(Timestamp::from_millis(i64::MAX), usize::MAX));
    assert_eq!(world.see(|views| views.next_due()), rows.first().map(|row| row.at));
    rows.into_iter().map(|row| (row.at, row.due)).collect()
}

/// After the commits, exactly this is due.
fn check(commits: impl IntoIterator<Item = Vec<Event>>, expected: &[(Timestamp, Due)]) {
    let mut world = World::new();
    for commit in commits {
        world.run(run(1), commit);
    }
    assert_eq!(due(&world), expected);
    world.check();
}

fn approved() -> Vec<Event> {
    vec![settled(decision(1), Settlement::Approved)]
}

fn claimed() -> Vec<Event> {
    vec![tried(attempt(1), 1, Some(decision(1)))]
}

const EXPIRY: fn() -> (Timestamp, Due) = || (at(100), Due::Expiry(decision(1)));

#[test]
fn due_rows_come_in_order_of_time_up_to_the_moment_asked_for() {
    let mut world = World::new();
    for (n, seconds) in [(1, 30), (2, 10), (3, 20)] {
        let wait = armed(timer(n), &task("wait"), TimerKind::Wait, at(seconds));
        world.run(run(n), [started(), begun(&task("wait")), wait]);
    }
    let runs = |until, limit| {
        let rows = world.see(|views| views.due(at(until), limit));
        rows.iter().map(|row| row.run).collect::<Vec<_>>()
    };
    assert_eq!(runs(9, 9), []);
    assert_eq!(runs(10, 9), [run(2)]);
    assert_eq!(runs(30, 9), [run(2), run(3), run(1)]);
    assert_eq!(runs(30, 2), [run(2), run(3)]);
    assert_eq!(world.see(|views| views.next_due()), Some(at(10)));
    let with_next = |now, limit| {
        let rows = world.see(|views| views.due_and_next(at(now), limit));
        rows.iter().map(|row| row.run).collect::<Vec<_>>()
    };
    assert_eq!(with_next(9, 9), [run(2)], "one that is not due yet, and no more");
    assert_eq!(with_next(10, 9), [run(2), run(3)]);
    assert_eq!(with_next(30, 9), [run(2), run(3), run(1)]);
    assert_eq!(with_next(30, 2), [run(2), run(3)]);
}

#[test]
fn a_deadline_is_due_until_the_run_ends_or_has_run_out() {
    let begin = || vec![started_with("follow-up", Some(at(50)))];
    check([begin()], &[(at(50), Due::RunDeadline)]);
    check([begin(), vec![faulted(&task("set"))]], &[(at(50), Due::RunDeadline)]);
    check([begin(), vec![faulted(&TaskPath::root())]], &[]);
    check([begin(), vec![run_completed()]], &[]);
    check([begin(), vec![cancelled()]], &[]);
    check([begin(), vec![faulted(&task("set")), run_faulted()]], &[]);
}

#[test]
fn a_timer_is_due_until_it_fires_or_its_task_is_gone() {
    let outer = task("outer");
    let inner = outer.child("try", 0, "inner");
    let begin = || {
        vec![
            started(),
            begun(&outer),
            armed(timer(1), &outer, TimerKind::TaskTimeout, at(60)),
            begun(&inner),
            armed(timer(2), &inner, TimerKind::TaskTimeout, at(40)),
            armed(timer(3), &inner, TimerKind::Wait, at(20)),
        ]
    };
    let all = [
        (at(20), Due::Timer(timer(3))),
        (at(40), Due::Timer(timer(2))),
        (at(60), Due::Timer(timer(1))),
    ];
    check([begin()], &all);
    check([begin(), vec![fired(timer(3))]], &all[1..]);
    check([begin(), vec![fired(timer(3)), completed(&inner)]], &all[2..]);
    check([begin(), vec![faulted(&inner)]], &all[2..]);
    check([begin(), vec![faulted(&outer)]], &[]);
    check([begin(), vec![faulted(&inner), caught(&outer)]], &all[2..]);
    check([begin(), vec![cancelled()]], &[]);
}

#[test]
fn a_timer_of_another_task_with_a_longer_name_is_left_alone() {
    let long = TaskPath::new(&format!("{}er", task("send")));
    let timeout = armed(timer(1), &long, TimerKind::TaskTimeout, at(60));
    check([vec![started(), timeout, faulted(&task("send"))]], &[(at(60), Due::Timer(timer(1)))]);
}

#[test]
fn a_request_expires_until_it_is_settled_claimed_or_void() {
    check([asking(decision(1))], &[EXPIRY()]);
    check([asking(decision(1)), approved()], &[EXPIRY()]);
    check([asking(decision(1)), approved(), claimed()], &[]);
    let voided = DecisionVoided { decision: decision(1), reason: VoidReason::Expired, field: None };
    check([asking(decision(1)), approved(), vec![voided.into()]], &[]);
    for settlement in Settlement::ALL.iter().copied().filter(|s| *s != Settlement::Approved) {
        check([asking(decision(1)), vec![settled(decision(1), settlement)]], &[]);
    }
}

#[test]
fn a_gated_call_that_is_put_off_is_due_for_its_next_try_and_for_its_end() {
    let put_off = || vec![deferred(attempt(1), 1, at(20))];
    let gated = || vec![asking(decision(1)), approved(), claimed(), put_off()];
    let then = |events: Vec<Event>| gated().into_iter().chain([events]);
    let retry = (at(20), Due::Retry(attempt(1)));
    check(gated(), &[retry, EXPIRY()]);
    check(then(vec![tried(attempt(1), 2, Some(decision(1)))]), &[]);
    let voided = DecisionVoided { decision: decision(1), reason: VoidReason::Expired, field: None };
    check(then(vec![voided.into()]), &[]);
    let raised = RequirementRaised {
        decision: decision(1),
        requirement: placet_model::approval::Requirement::default_for_project(),
        missing: vec![],
    };
    check(then(vec![raised.into()]), &[EXPIRY()]);
    check(then(vec![faulted(&task("send"))]), &[]);
    check(then(vec![cancelled()]), &[]);
}

#[test]
fn a_read_that_is_put_off_never_expires() {
    let read = || vec![started(), begun(&task("read")), tried(attempt(1), 1, None)];
    check([read(), vec![deferred(attempt(1), 1, at(20))]], &[(at(20), Due::Retry(attempt(1)))]);
    check([read(), vec![refused(attempt(1), 1, RefuseReason::Reconnect)]], &[]);
}

#[test]
fn a_refused_credential_brings_the_expiry_back() {
    let reconnect = || vec![refused(attempt(1), 1, RefuseReason::Reconnect)];
    let commits = || vec![asking(decision(1)), approved(), claimed(), reconnect()];
    check(commits(), &[EXPIRY()]);
    check(commits().into_iter().chain([vec![tried(attempt(1), 2, Some(decision(1)))]]), &[]);
}

#[test]
fn an_attempt_whose_task_is_gone_brings_nothing_back() {
    for end in [deferred(attempt(1), 1, at(20)), refused(attempt(1), 1, RefuseReason::Reconnect)] {
        let gone = vec![faulted(&task("send"))];
        check([asking(decision(1)), approved(), claimed(), gone, vec![end]], &[]);
    }
}
