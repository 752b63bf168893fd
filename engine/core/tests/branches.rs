//! Branches side by side: what concerns one leaves the others alone, and what is left behind is
//! closed first.
//!
//! covers: T12

use placet_core::claim::Claim;
use placet_core::decide::Command;
use placet_core::test_util::{DAY, HOUR, Outcome, START, Scene, describe};
use placet_model::decision::Verdict::{Approve, Reject};
use placet_model::event::child::ChildStarted;
use placet_model::event::run::{
    RunMigrated, TaskCompleted, TaskFaulted, TaskShape, Then, TimerArmed, TimerKind,
};
use placet_model::fault::FaultKind;
use placet_model::plan::WorkflowName;
use placet_model::{Digest, Event, Fault, Iteration, RunId, TaskPath, TimerId};

const CHILD: RunId = RunId::from_bytes([7; 16]);

fn fork() -> Scene {
    Scene::new().forked(TaskShape::Fork)
}

fn race() -> Scene {
    Scene::new().forked(TaskShape::Race)
}

/// Branch 0 has asked, branch 1 too.
fn both_asked() -> Scene {
    fork().in_branch(0).asked().in_branch(1).asked()
}

fn progress(scene: &Scene, event: impl Into<Event>) -> Outcome {
    scene.clone().when(Command::Progress(Box::new(event.into())))
}

fn time_out(scene: Scene, task: TaskPath) -> Outcome {
    let (fault, iteration) = (Fault::new(FaultKind::Timeout, "too long"), Iteration::none());
    scene.when(Command::TimeOut { fault, task, iteration })
}

fn joined(scene: &Scene) -> TaskCompleted {
    TaskCompleted {
        task: Scene::fork(),
        iteration: Iteration::none(),
        output: scene.run.slot(1, 0),
        context: None,
        then: Then::Continue,
        goto: None,
    }
}

fn awaiting(scene: Scene) -> Scene {
    let scene = scene.started();
    let started = ChildStarted {
        task: scene.here.clone(),
        iteration: Iteration::none(),
        child: CHILD,
        workflow: workflow(),
        plan_digest: Digest::of(b"child"),
        input: scene.run.slot(1, 0),
        awaited: true,
    };
    scene.progress(started)
}

fn workflow() -> WorkflowName {
    let (namespace, version) = ("sales".to_owned(), "2.0.0".to_owned());
    WorkflowName { namespace, name: "follow-up".to_owned(), version }
}

fn migrate(scene: Scene) -> Outcome {
    let migrated = RunMigrated { workflow: workflow(), plan_digest: Digest::of(b"other") };
    scene.when(Command::Migrate(Box::new(migrated)))
}

fn states(scene: &Scene) -> [String; 2] {
    [0, 1].map(|index| scene.clone().in_branch(index).state())
}

// ---- each for itself ---------------------------------------------------------------------

#[test]
fn a_vote_decides_for_its_own_branch_alone() {
    let scene = both_asked().in_branch(0).vote("ana", Approve).after;
    assert_eq!(states(&scene), ["approved", "asked"]);
    let scene = scene.in_branch(1).vote("ana", Reject).after;
    assert_eq!(states(&scene), ["approved", "denied"]);
}

#[test]
fn an_approval_of_one_branch_never_claims_for_another() {
    let mut scene = both_asked().in_branch(0).vote("ana", Approve).after;
    let approved = scene.decision();
    scene = scene.in_branch(1);
    assert_eq!(scene.try_claim(), Ok(Claim::Nothing), "branch 1 is only asked");

    let scene = scene.in_branch(0).claim().records(&["AttemptStarted(try 1)"]);
    assert_eq!(states(&scene), ["attempting (gated)", "asked"]);
    let (_, _, Event::AttemptStarted(started)) = scene.recorded.last().unwrap() else {
        panic!("a try is last")
    };
    assert_eq!((started.decision, &started.task), (Some(approved), &Scene::branch_task(0)));

    // the same try, said to be the other branch's, is a lie
    let mut lie = started.clone();
    lie.task = Scene::branch_task(1);
    let mut run = both_asked().in_branch(0).vote("ana", Approve).after.run;
    assert!(run.apply(&lie.into(), scene.now).is_err());
}

#[test]
fn a_fault_of_one_branch_leaves_the_others_as_they_were() {
    let scene = fork().in_branch(1).asked().in_branch(0).started().faulted();
    assert_eq!(states(&scene), ["faulting", "asked"]);
    let scene = scene.branch_faulted(0);
    assert_eq!(states(&scene), ["failed", "asked"]);
    scene.in_branch(1).vote("ana", Approve).leaves_it("approved");
}

// ---- a branch that has ended -------------------------------------------------------------

#[test]
fn nothing_begins_faults_or_is_armed_in_a_branch_that_has_ended() {
    let ended = fork().in_branch(0).completed();
    let failed = fork().in_branch(0).faulted().branch_faulted(0);
    for scene in [ended, failed] {
        let (task, iteration) = (scene.here.clone(), Iteration::none());
        let fault = scene.fault();
        let faulted = TaskFaulted { task: task.clone(), iteration: iteration.clone(), fault };
        progress(&scene, faulted).cannot_follow();
        let (timer, due_at) = (TimerId::from_bytes([5; 16]), START.plus_millis(HOUR));
        let kind = TimerKind::TaskTimeout;
        let armed = TimerArmed { timer, task: task.clone(), iteration, kind, due_at };
        progress(&scene, armed).cannot_follow();
        time_out(scene, task).records_nothing();
    }
}

#[test]
fn a_fork_is_joined_once_all_have_ended_and_a_race_once_one_has() {
    let one = fork().in_branch(0).completed();
    progress(&one, joined(&one)).cannot_follow();
    let both = one.in_branch(1).completed();
    assert!(progress(&both, joined(&both)).after.run.branches().len() == 1);

    let none = race();
    progress(&none, joined(&none)).cannot_follow();
    let one = none.in_branch(1).completed();
    assert!(progress(&one, joined(&one)).after.run.branches().len() == 1);
}

// ---- leaving -----------------------------------------------------------------------------

#[test]
fn what_is_open_in_a_branch_is_taken_back_before_the_branch_is_left() {
    let won = race().in_branch(1).asked().in_branch(0).completed();
    progress(&won, joined(&won)).cannot_follow();
    let scene = won
        .when(Command::Abandon { inside: Scene::fork() })
        .records(&["DecisionSettled(withdrawn)"]);
    let scene = progress(&scene, joined(&scene)).after;
    assert_eq!((scene.run.branches().len(), scene.run.asks().count()), (1, 0));
}

#[test]
fn an_unspent_approval_of_a_branch_that_was_left_is_never_claimed() {
    let won = race().in_branch(1).approved().in_branch(0).completed();
    let decision = won.clone().in_branch(1).decision();
    let scene = won
        .when(Command::Abandon { inside: Scene::fork() })
        .records(&["DecisionVoided(branch_cancelled)"]);
    let mut scene = progress(&scene, joined(&scene)).after.in_branch(1);
    assert_eq!(scene.try_claim(), Ok(Claim::Nothing));
    assert!(scene.run.unsettled(decision).is_none());
}

#[test]
fn an_attempt_of_a_branch_that_was_left_still_ends_in_a_known_outcome() {
    let won = race().in_branch(1).attempting().in_branch(0).completed();
    let scene = won.when(Command::Abandon { inside: Scene::fork() }).records_nothing();
    let scene = progress(&scene, joined(&scene)).after;
    assert_eq!(scene.run.detached.len(), 1);
    let scene = scene.succeed().records(&["AttemptSucceeded"]);
    assert!(scene.run.detached.is_empty());
}

#[test]
fn what_is_outside_the_container_that_is_left_stays() {
    let elsewhere = TaskPath::root().child("do", 3, "elsewhere");
    both_asked().when(Command::Abandon { inside: elsewhere }).records_nothing();
    let scene = both_asked()
        .when(Command::Abandon { inside: Scene::fork() })
        .records(&["DecisionSettled(withdrawn)", "DecisionSettled(withdrawn)"]);
    assert_eq!(states(&scene), ["denied", "denied"]);
}

// ---- stopping ----------------------------------------------------------------------------

#[test]
fn a_fork_that_takes_too_long_takes_back_what_is_open_in_its_branches() {
    let scene = fork().in_branch(0).asked().in_branch(1).approved();
    let scene = time_out(scene, Scene::fork()).records(&[
        "DecisionSettled(withdrawn)",
        "DecisionVoided(timed_out)",
        "TaskFaulted",
    ]);
    assert_eq!((scene.run.branches().len(), scene.run.asks().count()), (1, 0));
    // the fault's content is the payload of the last event
    let (_, _, Event::TaskFaulted(fault)) = scene.recorded.last().unwrap() else {
        panic!("the fault is last")
    };
    assert_eq!(fault.fault.content, scene.content());
}

#[test]
fn a_task_in_a_branch_that_takes_too_long_faults_there() {
    let scene = time_out(both_asked(), Scene::branch_task(0))
        .records(&["DecisionSettled(withdrawn)", "TaskFaulted"]);
    assert_eq!(states(&scene), ["faulting", "asked"]);
}

#[test]
fn cancelling_takes_back_what_is_open_in_every_branch() {
    let scene = awaiting(fork().in_branch(0).asked().in_branch(1));
    let scene =
        scene.cancel("op").records(&["DecisionSettled(withdrawn)", "ChildDropped", "RunCancelled"]);
    assert_eq!((scene.run.branches().len(), scene.run.asks().count()), (1, 0));
    let approved = fork().in_branch(0).approved().in_branch(1).attempting();
    let scene = approved.cancel("req").records(&["DecisionVoided(run_cancelled)", "RunCancelled"]);
    assert_eq!(scene.run.detached.len(), 1);
}

#[test]
fn a_run_that_awaits_another_lets_it_go_before_it_is_cancelled_or_has_taken_too_long() {
    awaiting(Scene::new()).cancel("op").records(&["ChildDropped", "RunCancelled"]);
    let scene = awaiting(Scene::new());
    progress(
        &scene,
        TaskFaulted { task: Scene::task(), iteration: Iteration::none(), fault: scene.fault() },
    )
    .cannot_follow();
    time_out(scene, Scene::task()).records(&["ChildDropped", "TaskFaulted"]);
}

#[test]
fn each_request_expires_for_itself() {
    let scene = both_asked().later(7 * DAY);
    let scene = scene.in_branch(0).expire().records(&["DecisionSettled(expired)"]);
    assert_eq!(states(&scene), ["denied", "asked"]);
}

// ---- another version ---------------------------------------------------------------------

#[test]
fn a_run_that_migrates_takes_its_requests_back_and_asks_again() {
    let scene = fork().in_branch(0).asked().in_branch(1).approved();
    let scene = migrate(scene).records(&[
        "DecisionSettled(superseded)",
        "DecisionVoided(migrated)",
        "RunMigrated",
    ]);
    assert_eq!(states(&scene), ["started", "started"]);
    assert_eq!(scene.run.plan_digest(), Some(Digest::of(b"other")));
    assert_eq!(scene.run.facts().unwrap().started.workflow, workflow());
    let scene = scene.in_branch(0).asked();
    let (_, _, asked) = &scene.recorded[scene.recorded.len() - 2];
    assert_eq!(describe(asked), "DraftPrepared(revision 2)");
}

#[test]
fn what_is_under_way_in_any_branch_must_end_before_the_run_migrates() {
    let busy = [
        fork().in_branch(1).attempting(),
        fork().in_branch(1).attempting().defer(HOUR).after,
        fork().in_branch(1).attempting().doubt().after,
        fork().in_branch(1).attempting().succeed().after,
        fork().in_branch(1).started(),
        awaiting(fork().in_branch(1)),
    ];
    for scene in busy {
        let scene = scene.in_branch(0).asked();
        migrate(scene).refuses("PL3013");
    }
    migrate(Scene::new().started().cancel("op").after).refuses("PL4008");
}

/// Whoever asks for it sees a lawful no, also at a moment at which the run is about to end.
#[test]
fn a_run_that_has_not_begun_faults_or_makes_its_output_does_not_migrate() {
    let ending = Scene::new().attempting().succeed().after;
    let output = ending.run.slot(1, 0);
    let end = TaskCompleted { task: Scene::task(), output, then: Then::End, ..joined(&ending) };
    let ending = ending.progress(end);
    let faulting = [Scene::new().started().faulted(), fork().in_branch(1).started().faulted()];
    for scene in [Scene::new(), ending].into_iter().chain(faulting) {
        migrate(scene).refuses("PL3013");
    }
}

#[test]
fn nobody_migrates_a_run_as_mere_progress() {
    let migrated = RunMigrated { workflow: workflow(), plan_digest: Digest::of(b"other") };
    progress(&Scene::new().begun(), migrated).cannot_follow();
}
