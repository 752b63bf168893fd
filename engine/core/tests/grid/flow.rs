//! The states and events of branches, retries, waits for events and other runs.

use placet_core::Command;
use placet_core::run::{Frame, FrameKind};
use placet_core::test_util::{HOUR, START, Scene};
use placet_model::attempt::RefuseReason;
use placet_model::decision::Verdict;
use placet_model::event::child::{ChildDropped, ChildEnded, ChildStarted};
use placet_model::event::run::{
    BranchFaulted, FaultCaught, IterationStarted, RetryScheduled, RunMigrated, TaskShape,
    TaskStarted,
};
use placet_model::event::wait::{EventEmitted, EventHandled, EventMatched, Taken, WaitStarted};
use placet_model::plan::WorkflowName;
use placet_model::{Digest, Event, Iteration, Position, RunId, TaskPath};
use std::fmt::Write as _;

const CHILD: RunId = RunId::from_bytes([7; 16]);

/// The container that a scene may begin.
pub(crate) fn outer() -> TaskPath {
    TaskPath::root().child("do", 0, "outer")
}

pub(crate) fn states() -> Vec<(&'static str, Scene)> {
    let fork = || Scene::new().forked(TaskShape::Fork);
    let race = || Scene::new().forked(TaskShape::Race);
    let inner = || fork().in_branch(0);
    let done = |scene: Scene, index| scene.in_branch(index).completed();
    let failed = |scene: Scene, index| scene.in_branch(index).faulted().branch_faulted(index);
    let whole = |scene: Scene| scene.at(Scene::fork());
    let fork_timed_out = || Scene::new().forked(TaskShape::Fork).in_branch(0).attempting();
    let mut states = vec![
        ("forked", whole(fork())),
        ("forked", whole(done(fork(), 0))),
        ("forked", whole(done(done(fork(), 0), 1))),
        ("forked", whole(failed(fork(), 0))),
        ("forked", whole(done(race(), 0))),
        ("forked", whole(failed(race(), 0))),
        ("forked", whole(failed(failed(race(), 0), 1))),
        ("forked", whole(inner().asked())),
        ("faulting + detached attempt", whole(fork_timed_out()).faulted().at(outer())),
        ("idle", inner()),
        ("idle", done(fork(), 0)),
        ("failed", failed(fork(), 0)),
        ("faulting", inner().faulted()),
        ("started", inner().started()),
        ("asked", inner().asked()),
        ("approved", inner().approved()),
        ("denied", inner().asked().vote("ana", Verdict::Reject).after),
        ("attempting (gated)", inner().attempting()),
        ("refused", inner().attempting().refuse(RefuseReason::Permanent).after),
        ("in doubt (gated)", inner().attempting().doubt().after),
        ("answered", inner().attempting().succeed().after),
    ];
    states.extend(waits());
    states.extend(tries());
    states
}

fn waits() -> Vec<(&'static str, Scene)> {
    let child = |awaited| {
        let scene = Scene::new().started();
        let event = ordered(&scene, awaited);
        scene.record(event)
    };
    let listen = |shape| begin(Scene::new().begun(), shape, None);
    let hear = |shape| record(listen(shape), waiting);
    vec![
        ("awaiting", child(true)),
        ("answered", child(false)),
        ("dropped", child(true).record(ChildDropped { child: CHILD })),
        ("answered", record(child(true), ended)),
        ("idle", listen(TaskShape::Listen)),
        ("idle", hear(TaskShape::Listen)),
        ("idle", record(hear(TaskShape::Listen), |s| matched(s, 5, true))),
        ("idle", hear(TaskShape::ListenEach)),
        ("idle", record(hear(TaskShape::ListenEach), |s| matched(s, 5, false))),
        ("idle", record(hear(TaskShape::ListenEach), |s| matched(s, 5, true))),
        ("started", begin(record(listening_body(), |_| matched_other()), TaskShape::Leaf, None)),
    ]
}

/// A wait with a body that has heard nothing yet, in which a leaf may begin.
fn listening_body() -> Scene {
    record(begin(Scene::new().begun(), TaskShape::ListenEach, None), waiting)
}

fn matched_other() -> Event {
    matched(&Scene::new().begun(), 6, false)
}

fn tries() -> Vec<(&'static str, Scene)> {
    let tried = || begin(Scene::new().begun(), TaskShape::Try, None);
    let argument = Some(Scene::new().begun().content());
    let of_function = begin(Scene::new().begun(), TaskShape::Function, argument);
    vec![
        ("idle", tried()),
        ("started", tried().started()),
        ("idle", record(tried().faulted(), |s| retry(s, 1))),
        ("idle", record(tried().faulted(), caught)),
        ("idle", of_function),
        ("idle", begin(Scene::new().begun(), TaskShape::List, None)),
        ("idle", record(begin(Scene::new().begun(), TaskShape::For, argument), iterated)),
    ]
}

fn record(scene: Scene, event: impl FnOnce(&Scene) -> Event) -> Scene {
    let event = event(&scene);
    scene.record(event)
}

/// A container begins, or, within one, the leaf.
fn begin(scene: Scene, shape: TaskShape, items: Option<placet_model::PayloadRef>) -> Scene {
    let frame = scene.branch().frames.last().expect("a run that has begun");
    let (input, iteration) = (scene.content(), frame.child_iteration());
    let task = if shape == TaskShape::Leaf { scene.here.clone() } else { outer() };
    let count = if shape == TaskShape::For { 2 } else { 0 };
    scene.record(TaskStarted { task, iteration, shape, input, items, count })
}

// ---- well-fitting bodies -----------------------------------------------------------------

fn ordered(scene: &Scene, awaited: bool) -> Event {
    ChildStarted {
        task: scene.here.clone(),
        iteration: Iteration::none(),
        child: CHILD,
        workflow: workflow("child"),
        plan_digest: Digest::of(b"child"),
        input: scene.run.slot(1, 0),
        awaited,
    }
    .into()
}

fn workflow(name: &str) -> WorkflowName {
    let (namespace, version) = ("sales".to_owned(), "1.0.0".to_owned());
    WorkflowName { namespace, name: name.to_owned(), version }
}

fn ended(scene: &Scene) -> Event {
    ChildEnded { child: CHILD, output: scene.run.slot(1, 0) }.into()
}

fn waiting(_: &Scene) -> Event {
    let types = vec!["order".to_owned()];
    WaitStarted { task: outer(), iteration: Iteration::none(), since: START, types }.into()
}

fn matched(scene: &Scene, arrival: u64, ends: bool) -> Event {
    EventMatched {
        task: outer(),
        iteration: Iteration::none(),
        arrival: Position::new(arrival),
        taken: Taken::Consumed,
        filter: 0,
        value: scene.run.slot(1, 0),
        expected: None,
        ends,
    }
    .into()
}

fn handled(scene: &Scene) -> Event {
    let element = scene.run.slot(1, 0);
    let (task, iteration) = (outer(), Iteration::none());
    EventHandled { task, iteration, index: 0, element, context: None, ends: false }.into()
}

fn emitted(scene: &Scene) -> Event {
    let frame = scene.branch().frames.last();
    EventEmitted {
        task: scene.here.clone(),
        iteration: frame.map_or_else(Iteration::none, Frame::child_iteration),
        kind: "order".to_owned(),
        identity: Digest::of(b"one"),
        envelope: scene.run.slot(1, 0),
    }
    .into()
}

fn retry(scene: &Scene, number: u32) -> Event {
    RetryScheduled {
        task: outer(),
        iteration: Iteration::none(),
        retry: number,
        fault: scene.run.slot(1, 0),
        timer: crate::TIMER,
        due_at: START.plus_millis(HOUR),
    }
    .into()
}

fn caught(scene: &Scene) -> Event {
    let (task, iteration) = (outer(), Iteration::none());
    FaultCaught { task, iteration, fault: scene.run.slot(1, 0) }.into()
}

fn iterated(_: &Scene) -> Event {
    IterationStarted { task: outer(), iteration: Iteration::none(), index: 0 }.into()
}

fn forked(_: &Scene) -> Event {
    let (task, iteration, input) =
        (Scene::fork(), Iteration::none(), Scene::new().begun().content());
    TaskStarted { task, iteration, shape: TaskShape::Fork, input, items: None, count: 2 }.into()
}

fn left(scene: &Scene) -> Event {
    let (task, iteration, fault) = (Scene::fork(), Iteration::none(), scene.fault());
    BranchFaulted { task, iteration, branch: 0, fault }.into()
}

pub(crate) fn events() -> Vec<(&'static str, crate::Fitting)> {
    vec![
        ("TaskStarted(fork)", forked),
        ("RetryScheduled", |s| retry(s, 1)),
        ("BranchFaulted", left),
        ("WaitStarted", waiting),
        ("EventMatched", |s| matched(s, 9, false)),
        ("EventMatched(ends)", |s| matched(s, 9, true)),
        ("EventHandled", handled),
        ("EventEmitted", emitted),
        ("RunMigrated", |_| {
            let plan_digest = Digest::of(b"other plan");
            RunMigrated { workflow: workflow("other"), plan_digest }.into()
        }),
        ("ChildStarted(awaited)", |s| ordered(s, true)),
        ("ChildStarted", |s| ordered(s, false)),
        ("ChildEnded", ended),
        ("ChildDropped", |_| ChildDropped { child: CHILD }.into()),
    ]
}

// ---- words -------------------------------------------------------------------------------

/// The innermost container around the next task; neither the workflow nor a branch.
pub(crate) fn container(scene: &Scene) -> Option<&Frame> {
    let frame = scene.branch().frames.last()?;
    let whole = frame.task.as_str().is_empty() || frame.kind == FrameKind::Branch;
    if whole { None } else { Some(frame) }
}

pub(crate) const fn frame_name(frame: &Frame) -> &'static str {
    match &frame.kind {
        FrameKind::List => "a list",
        FrameKind::Branch => "a branch",
        FrameKind::Function => "a function",
        FrameKind::Try(_) => "a try",
        FrameKind::Backoff { .. } => "a try that backs off",
        FrameKind::Catch { .. } => "a catch",
        FrameKind::For { .. } => "a for",
        FrameKind::Listen(_) => "a listen",
    }
}

/// Where the scene stands in the flow.
pub(crate) fn place(scene: &Scene) -> String {
    let mut words = String::new();
    if let Some(frame) = container(scene) {
        words = format!(", in {}", frame_name(frame));
        match &frame.kind {
            FrameKind::For { current: Some(at), .. } => {
                write!(words, ", item {at}").expect("a text takes all");
            }
            FrameKind::Listen(wait) => {
                let each = if wait.each { " each" } else { "" };
                let stands = match (wait.since, wait.current, wait.ended) {
                    (None, _, _) => "begun",
                    (_, Some(_), false) => "body",
                    (_, Some(_), true) => "last body",
                    (_, None, true) => "ended",
                    (_, None, false) => "waiting",
                };
                write!(words, "{each}, {stands}").expect("a text takes all");
            }
            FrameKind::List
            | FrameKind::Branch
            | FrameKind::Function
            | FrameKind::Try(_)
            | FrameKind::Backoff { .. }
            | FrameKind::Catch { .. }
            | FrameKind::For { .. } => {}
        }
    }
    if !scene.branch().key.is_main() {
        words += ", in a branch";
        let ended = scene.branch().ended().is_some();
        words += if ended { " that has ended" } else { "" };
    } else if let placet_core::run::Activity::Forked(_, fork) = &scene.branch().activity {
        let branches = &scene.run.branches()[1..];
        let ended = branches.iter().filter(|branch| branch.ended().is_some()).count();
        let failed = branches.iter().filter(|branch| branch.failed.is_some()).count();
        let open = branches.iter().filter(|branch| branch.activity.is_open()).count();
        let kind = if fork.race { "race" } else { "fork" };
        write!(words, ", {kind}: {ended} ended, {failed} failed, {open} open")
            .expect("a text takes all");
    }
    words
}

/// What the executor takes back before it leaves the branches.
#[test]
fn branches_with_something_open_are_left_once_it_is_taken_back() {
    let scene = Scene::new().forked(TaskShape::Fork).in_branch(0).asked();
    let inside = Scene::fork();
    let scene = scene.when(Command::Abandon { inside }).records(&["DecisionSettled(withdrawn)"]);
    let scene = scene.at(Scene::fork()).faulted();
    assert_eq!(scene.run.branches().len(), 1);
}
