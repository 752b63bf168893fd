//! Timers, cancelling and late words, against answers in every order: what came first stands.
//!
//! covers: T2, T12, T17, T23

use placet_core::Command;
use placet_core::claim::{Claim, Hold};
use placet_core::test_util::{DAY, HOUR, Outcome, START, Scene, describe, state};
use placet_model::attempt::RefuseReason;
use placet_model::decision::Resolution::{GiveUp, NotSent, Sent};
use placet_model::decision::Verdict::{Approve, Reject, Respond, Withdraw};
use placet_model::event::run::{TaskCompleted, Then, TimerArmed, TimerFired, TimerKind};
use placet_model::fault::FaultKind;
use placet_model::{Event, Fault, Iteration, TaskPath, TimerId};

const TIMER: TimerId = TimerId::from_bytes([5; 16]);

fn time_out(scene: Scene, task: TaskPath) -> Outcome {
    let fault = Fault::new(FaultKind::Timeout, "too long");
    scene.when(Command::TimeOut { fault, task, iteration: Iteration::none() })
}

fn waiting() -> Scene {
    let (task, iteration, due_at) = (Scene::task(), Iteration::none(), START.plus_millis(HOUR));
    let armed = TimerArmed { timer: TIMER, task, iteration, kind: TimerKind::Wait, due_at };
    Scene::new().started().record(armed)
}

/// Every state in which a leaf is at work, and whether it has its outcome.
fn leaves() -> Vec<(Scene, bool)> {
    let doubtful = || Scene::new().attempting().doubt().after;
    vec![
        (Scene::new().started(), false),
        (waiting(), false),
        (waiting().record(TimerFired { timer: TIMER }), true),
        (Scene::new().asked(), false),
        (Scene::new().approved(), false),
        (Scene::new().asked().vote("ana", Reject).after, true),
        (Scene::new().asked().vote("ana", Respond).after, true),
        (Scene::new().asked().vote("req", Withdraw).after, true),
        (Scene::new().asked().later(7 * DAY).expire().after, true),
        (Scene::new().attempting(), false),
        (Scene::new().reading(), false),
        (Scene::new().attempting().defer(HOUR).after, false),
        (Scene::new().reading().defer(HOUR / 2).after, false),
        (doubtful(), false),
        (Scene::new().attempting().succeed().after, true),
        (Scene::new().attempting().refuse(RefuseReason::Permanent).after, true),
        (doubtful().resolve("op", NotSent).after, false),
        (doubtful().resolve("op", GiveUp).after, true),
    ]
}

// ---- a task's own timer ------------------------------------------------------------------

#[test]
fn a_tasks_timer_ends_it_unless_it_has_its_outcome() {
    for (scene, settled) in leaves() {
        let before = state(&scene.run);
        let outcome = time_out(scene, Scene::task());
        if settled {
            outcome.records_nothing();
        } else {
            let after = state(&outcome.after.run);
            assert!(after.starts_with("faulting"), "{before}: {after}");
        }
    }
}

#[test]
fn a_timer_of_a_task_that_has_ended_says_nothing_about_the_one_that_goes_on() {
    let earlier = TaskPath::root().child("do", 9, "earlier");
    for (scene, _) in leaves() {
        time_out(scene, earlier.clone()).records_nothing();
    }
    // nor about another execution of the same task
    let scene = Scene::new().asked();
    let fault = Fault::new(FaultKind::Timeout, "too long");
    let (task, iteration) = (Scene::task(), Iteration::new(vec![0]));
    scene.when(Command::TimeOut { fault, task, iteration }).records_nothing();
}

#[test]
fn the_runs_timer_ends_whatever_goes_on() {
    for (scene, _) in leaves() {
        let before = state(&scene.run);
        let after = state(&time_out(scene, TaskPath::root()).after.run);
        assert!(after.starts_with("faulting"), "{before}: {after}");
    }
}

#[test]
fn a_timer_is_silent_when_the_run_is_over() {
    let scene = Scene::new().asked().cancel("op").after;
    time_out(scene.clone(), TaskPath::root()).records_nothing();
    time_out(scene, Scene::task()).records_nothing();
}

#[test]
fn what_takes_too_long_takes_its_request_back_and_keeps_its_attempt() {
    let withdrawn = ["DecisionSettled(withdrawn)", "TaskFaulted"];
    time_out(Scene::new().asked(), Scene::task()).records(&withdrawn);
    let void = ["DecisionVoided(timed_out)", "TaskFaulted"];
    time_out(Scene::new().approved(), Scene::task()).records(&void);
    let deferred = Scene::new().attempting().defer(HOUR).after;
    time_out(deferred, Scene::task()).records(&void);
    let scene = time_out(Scene::new().attempting(), Scene::task()).records(&["TaskFaulted"]);
    let scene = { scene }.succeed().records(&["AttemptSucceeded"]);
    assert_eq!(state(&scene.run), "faulting");
    let doubtful = Scene::new().attempting().doubt().after;
    let scene = time_out(doubtful, Scene::task()).records(&["TaskFaulted"]);
    scene.resolve("op", Sent).records(&["ResolutionCast(sent)", "AttemptReconciled(sent)"]);
}

#[test]
fn the_content_of_a_timeout_belongs_to_the_last_event() {
    for (scene, _) in leaves() {
        let outcome = time_out(scene, TaskPath::root());
        let Some((revision, _, Event::TaskFaulted(body))) = outcome.after.recorded.last() else {
            unreachable!("the run's timer faults it")
        };
        assert_eq!(body.fault.content.revision, *revision);
    }
}

#[test]
fn a_wait_ends_once() {
    let scene = waiting().record(TimerFired { timer: TIMER });
    let again = Event::from(TimerFired { timer: TIMER });
    assert!(scene.run.clone().apply(&again, scene.now).is_err());
    let other = Event::from(TimerFired { timer: TimerId::from_bytes([6; 16]) });
    assert!(waiting().run.apply(&other, START).is_err());
    let (task, iteration, output) = (Scene::task(), Iteration::none(), scene.content());
    let (then, goto, context) = (Then::Continue, None, None);
    let done = TaskCompleted { task, iteration, output, context, then, goto };
    assert!(scene.record(done).run.timers.is_empty(), "its timers are gone");
}

// ---- expiry against words -----------------------------------------------------------------

/// What may reach a request, in any order.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Approve,
    Reject,
    Withdraw,
    Expiry,
    Cancel,
    Claim,
}

fn happen(scene: Scene, what: Happening) -> Scene {
    match what {
        Happening::Approve => scene.vote("ana", Approve).after,
        Happening::Reject => scene.vote("ben", Reject).after,
        Happening::Withdraw => scene.vote("op", Withdraw).after,
        Happening::Expiry => scene.expire().after,
        Happening::Cancel => scene.cancel("op").after,
        Happening::Claim => scene.claim().after,
    }
}

fn orders(left: &[Happening]) -> Vec<Vec<Happening>> {
    if left.is_empty() {
        return vec![vec![]];
    }
    let mut found = vec![];
    for (place, first) in left.iter().enumerate() {
        let mut rest = left.to_vec();
        rest.remove(place);
        for tail in orders(&rest) {
            found.push(std::iter::once(*first).chain(tail).collect());
        }
    }
    found
}

#[test]
fn t02_in_every_order_the_first_answer_stands_and_nothing_starts_after_a_no() {
    use Happening::{Approve, Cancel, Claim, Expiry, Reject, Withdraw};
    // early: before the request expires; late: when its time is over
    for (when, millis) in [("early", HOUR), ("late", 7 * DAY)] {
        for order in orders(&[Approve, Reject, Withdraw, Expiry, Cancel, Claim]) {
            let mut scene = Scene::new().asked().later(millis);
            for what in &order {
                scene = happen(scene, *what);
            }
            let events: Vec<_> = scene.recorded.iter().map(|(_, _, e)| describe(e)).collect();
            let place = |start: &str| events.iter().position(|event| event.starts_with(start));
            let count = |start: &str| events.iter().filter(|e| e.starts_with(start)).count();
            assert_eq!(count("DecisionSettled"), 1, "{when} {order:?}: {events:?}");
            assert!(count("AttemptStarted") <= 1, "{when} {order:?}: {events:?}");
            if let Some(started) = place("AttemptStarted") {
                assert_eq!(when, "early", "{order:?}: {events:?}");
                assert!(place("DecisionSettled(approved)") < Some(started), "{events:?}");
                assert!(place("DecisionVoided").is_none(), "{events:?}");
                let cancelled = place("RunCancelled");
                assert!(cancelled.is_none_or(|at| started < at), "{order:?}: {events:?}");
            }
            let late = when == "late";
            let vote_counted = events.iter().any(|e| e.starts_with("VoteCast"));
            assert!(!(late && vote_counted), "{order:?}: {events:?}");
        }
    }
}

#[test]
fn an_expiry_timer_that_comes_early_or_twice_does_nothing() {
    let scenes = [Scene::new().asked(), Scene::new().approved(), Scene::new().attempting()];
    for scene in scenes {
        scene.expire().records_nothing();
    }
    Scene::new().attempting().later(8 * DAY).expire().records_nothing();
    let scene = Scene::new().asked().later(7 * DAY).expire().after;
    scene.later(DAY).expire().records_nothing();
}

#[test]
fn an_expiry_timer_after_the_answer_leaves_the_answer() {
    let answers = [
        Scene::new().asked().vote("ana", Reject).after,
        Scene::new().asked().vote("ana", Respond).after,
        Scene::new().attempting(),
        Scene::new().attempting().succeed().after,
        Scene::new().attempting().doubt().after,
    ];
    for scene in answers {
        let before = state(&scene.run);
        let scene = scene.later(8 * DAY).expire().records_nothing();
        assert_eq!(state(&scene.run), before);
    }
}

// ---- cancelling ---------------------------------------------------------------------------

#[test]
fn cancelling_takes_back_what_is_open_and_keeps_what_may_have_left() {
    let cases: Vec<(Scene, Vec<&str>, &str)> = vec![
        (Scene::new().begun(), vec!["RunCancelled"], "cancelled"),
        (waiting(), vec!["RunCancelled"], "cancelled"),
        (Scene::new().asked(), vec!["DecisionSettled(withdrawn)", "RunCancelled"], "cancelled"),
        (
            Scene::new().approved(),
            vec!["DecisionVoided(run_cancelled)", "RunCancelled"],
            "cancelled",
        ),
        (
            Scene::new().attempting().defer(HOUR).after,
            vec!["DecisionVoided(run_cancelled)", "RunCancelled"],
            "cancelled",
        ),
        (Scene::new().attempting(), vec!["RunCancelled"], "cancelled + detached attempt"),
        (
            Scene::new().attempting().doubt().after,
            vec!["RunCancelled"],
            "cancelled + detached in doubt",
        ),
        (Scene::new().attempting().succeed().after, vec!["RunCancelled"], "cancelled"),
    ];
    for (scene, events, after) in cases {
        let scene = scene.cancel("op").records(&events);
        assert_eq!(state(&scene.run), after);
        assert!(scene.run.timers.is_empty() && scene.run.main().frames.is_empty());
    }
}

#[test]
fn an_attempt_of_a_cancelled_run_still_ends_in_a_known_outcome() {
    let cancelled = || Scene::new().attempting().cancel("op").after;
    cancelled().succeed().leaves_it("cancelled");
    cancelled().refuse(RefuseReason::Permanent).leaves_it("cancelled");
    cancelled().refuse(RefuseReason::Reconnect).leaves_it("cancelled");
    cancelled().defer(HOUR).leaves_it("cancelled");
    let doubtful = || cancelled().doubt().leaves_it("cancelled + detached in doubt");
    for resolution in [Sent, NotSent, GiveUp] {
        doubtful().resolve("op", resolution).leaves_it("cancelled");
    }
}

#[test]
fn nothing_starts_after_a_cancelled_run() {
    for (scene, _) in leaves() {
        let decision = scene.run.main().activity.ask().map(|ask| ask.decision);
        let attempt = scene.run.main().activity.attempt().map(|a| a.started.attempt);
        let mut scene = scene.cancel("op").after.later(HOUR);
        assert_eq!(scene.try_claim(), Ok(Claim::Nothing));
        assert_eq!(scene.again(), Claim::Nothing);
        if let Some(attempt) = attempt {
            scene.clone().when(Command::Resend { attempt }).refuses("PL3013");
        }
        let read = Box::new(scene.read());
        scene.clone().when(Command::Read(read)).cannot_follow();
        if decision.is_some() {
            scene.clone().vote("ana", Approve).refuses("PL3014");
        }
        scene.clone().cancel("op").refuses("PL4008");
        assert!(scene.when(Command::Recover { detail: None }).after.run.is_over());
    }
}

#[test]
fn t23_a_held_run_can_be_cancelled_at_once() {
    let paused = |scene: &mut Scene| scene.world.hold = Some(Hold::Paused);
    let scene = Scene::new().approved().with(paused).claim().records_nothing();
    let scene = scene.cancel("req").leaves_it("cancelled");
    let mut scene = scene.with(|scene| scene.world.hold = None);
    assert_eq!(scene.try_claim(), Ok(Claim::Nothing));
}
