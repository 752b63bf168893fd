//! What a restart must look at: ready, in flight, in doubt, approved.

use crate::make::*;
use crate::support::*;
use placet_model::Event;
use placet_model::attempt::RefuseReason;
use placet_model::decision::{Resolution, Settlement, Verdict};
use placet_model::event::run::TimerKind;

/// In which of the lists run 1 stands, by the first letters of their names.
fn lists(world: &World) -> String {
    world.see(|views| {
        let mut names = Vec::new();
        for (name, runs) in [
            ("ready", views.ready()?),
            ("flight", views.in_flight()?),
            ("doubt", views.in_doubt()?),
            ("approved", views.approved()?.into_iter().map(|row| row.run).collect()),
        ] {
            if runs.contains(&run(1)) {
                names.push(name);
            }
        }
        Ok(names.join(" "))
    })
}

/// After each commit run 1 stands in these lists.
fn check(commits: impl IntoIterator<Item = (Vec<Event>, &'static str)>) {
    let mut world = World::new();
    for (commit, expected) in commits {
        let last = commit.last().unwrap().type_name();
        world.run(run(1), commit);
        assert_eq!(lists(&world), expected, "after {last}");
        world.check();
    }
}

fn claimed() -> Vec<(Vec<Event>, &'static str)> {
    vec![
        (asking(decision(1)), ""),
        (vec![vote(decision(1), "ana", Verdict::Approve, None)], ""),
        (vec![settled(decision(1), Settlement::Approved)], "approved"),
        (vec![tried(attempt(1), 1, Some(decision(1)))], "flight"),
    ]
}

#[test]
fn the_last_event_of_a_commit_says_whether_a_run_can_go_on() {
    check([
        (vec![started()], "ready"),
        (vec![begun(&task("wait"))], "ready"),
        (vec![armed(timer(9), &task("wait"), TimerKind::TaskTimeout, at(9))], "ready"),
        (vec![armed(timer(1), &task("wait"), TimerKind::Wait, at(9))], ""),
        (vec![armed(timer(2), &task("wait"), TimerKind::RunTimeout, at(9))], ""),
        (vec![fired(timer(1))], "ready"),
        (
            vec![completed(&task("wait")), begun(&task("read")), tried(attempt(1), 1, None)],
            "flight",
        ),
        (vec![succeeded(attempt(1), 1)], "ready"),
        (vec![completed(&task("read"))], "ready"),
        (vec![run_completed()], ""),
    ]);
}

#[test]
fn a_gated_call_goes_from_the_inbox_over_the_claim_to_its_answer() {
    let then =
        |commits: Vec<(Vec<Event>, &'static str)>| check(claimed().into_iter().chain(commits));
    then(vec![(vec![succeeded(attempt(1), 1)], "ready")]);
    then(vec![(vec![refused(attempt(1), 1, RefuseReason::Permanent)], "ready")]);
    then(vec![
        (vec![refused(attempt(1), 1, RefuseReason::Reconnect)], "approved"),
        (vec![tried(attempt(1), 2, Some(decision(1)))], "flight"),
    ]);
    then(vec![
        (vec![deferred(attempt(1), 1, at(20))], ""),
        (vec![tried(attempt(1), 2, Some(decision(1)))], "flight"),
        (vec![in_doubt(attempt(1), 2)], "doubt"),
        (vec![tried(attempt(1), 3, Some(decision(1)))], "flight"),
        (vec![in_doubt(attempt(1), 3)], "doubt"),
        (vec![reconciled(attempt(1), Resolution::NotSent)], "ready"),
    ]);
}

#[test]
fn a_cancelled_run_stays_in_flight_until_its_answer_is_known() {
    let then = |commits: Vec<(Vec<Event>, &'static str)>| {
        let cancel = (vec![cancelled()], "flight");
        check(claimed().into_iter().chain([cancel]).chain(commits));
    };
    then(vec![(vec![succeeded(attempt(1), 1)], "")]);
    then(vec![(vec![deferred(attempt(1), 1, at(20))], "")]);
    then(vec![(vec![refused(attempt(1), 1, RefuseReason::Reconnect)], "")]);
    then(vec![
        (vec![in_doubt(attempt(1), 1)], "doubt"),
        (vec![reconciled(attempt(1), Resolution::GiveUp)], ""),
    ]);
}

#[test]
fn what_becomes_of_an_attempt_whose_task_is_gone_changes_nothing_else() {
    let gone = || (vec![faulted(&task("send"))], "ready flight");
    let parked = || {
        let wait = armed(timer(1), &task("wait"), TimerKind::Wait, at(50));
        (vec![caught(&task("send")), begun(&task("wait")), wait], "flight")
    };
    let then = |commits: Vec<(Vec<Event>, &'static str)>| {
        check(claimed().into_iter().chain([gone()]).chain(commits));
    };
    then(vec![(vec![in_doubt(attempt(1), 1)], "ready doubt")]);
    then(vec![(vec![deferred(attempt(1), 1, at(9))], "ready")]);
    then(vec![parked(), (vec![succeeded(attempt(1), 1)], "")]);
    then(vec![parked(), (vec![refused(attempt(1), 1, RefuseReason::Quota)], "")]);
}

#[test]
fn a_run_can_have_one_attempt_in_doubt_and_another_under_way() {
    check(claimed().into_iter().chain([
        (vec![in_doubt(attempt(1), 1)], "doubt"),
        (vec![faulted(&task("send"))], "ready doubt"),
        (vec![caught(&task("send")), begun(&task("read"))], "ready doubt"),
        (vec![tried(attempt(2), 1, None)], "flight doubt"),
        (vec![cancelled()], "flight doubt"),
        (vec![succeeded(attempt(2), 1)], "doubt"),
        (vec![reconciled(attempt(1), Resolution::Sent)], ""),
    ]));
}
