//! The grid: every state of a run against every event of a run. What is legal is a snapshot that
//! people read; what is not in it is a corrupt log.
//!
//! covers: T2, T12

mod grid {
    pub(crate) mod flow;
}

use grid::flow;
use placet_core::run::Activity;
use placet_core::test_util::{HOUR, Scene, describe, name};
use placet_model::attempt::{DeferReason, Evidence, RefuseReason};
use placet_model::decision::{Assurance, Resolution, Settlement, Verdict, VoidReason};
use placet_model::draft::Mode;
use placet_model::event::EventKind;
use placet_model::event::attempt::{
    AnswerFacts, AttemptDeferred, AttemptInDoubt, AttemptReconciled, AttemptRefused,
    AttemptStarted, AttemptSucceeded, ReconciledBy,
};
use placet_model::event::decision::{
    ActionRequested, DecisionReassigned, DecisionRequested, DecisionSettled, DecisionVoided,
    DraftEdited, RequirementRaised, ResolutionCast, VoteCast,
};
use placet_model::event::governance::{EngineStarted, OutboundPaused};
use placet_model::event::integration::{CredentialUsed, IntegrationDisabled};
use placet_model::event::lookup::{
    AbsenceWorth, EvidenceArrived, LookupEnded, LookupFinding, LookupPlanned, LookupStarted,
};
use placet_model::event::preview::{PreviewRead, PreviewStep};
use placet_model::event::route::SendRouted;
use placet_model::event::run::{
    FaultCaught, FaultFact, IterationStarted, RunCancelled, RunCompleted, RunFaulted,
    TaskCompleted, TaskFaulted, TaskShape, TaskSkipped, TaskStarted, Then, TimerArmed, TimerFired,
    TimerKind,
};
use placet_model::{
    AttemptId, Digest, Event, IntegrationId, Iteration, Position, TimerId, Timestamp,
};
use std::collections::BTreeSet;
use std::fmt::Write as _;

const TIMER: TimerId = TimerId::from_bytes([5; 16]);
const ANOTHER: TimerId = TimerId::from_bytes([8; 16]);
const TIMEOUT: TimerId = TimerId::from_bytes([6; 16]);

/// Every state, reached through events alone.
fn states() -> Vec<(&'static str, Scene)> {
    let doubtful = || Scene::new().attempting().doubt().after;
    let loop_ = |scene: Scene| scene.begun().progress(container(TaskShape::For));
    let fault = |scene: Scene| {
        let fault = faulted(&scene);
        scene.record(fault)
    };
    let mut states = vec![
        ("absent", Scene::new()),
        ("idle", Scene::new().begun()),
        ("idle", loop_(Scene::new())),
        ("started", Scene::new().started()),
        ("waiting", Scene::new().started().record(armed(TIMER, TimerKind::Wait))),
        ("waited", waited()),
        ("drafted", drafted()),
        ("asked", Scene::new().asked()),
        ("approved", Scene::new().approved()),
        ("approved", Scene::new().attempting().refuse(RefuseReason::Reconnect).after),
        ("denied", Scene::new().asked().vote("ana", Verdict::Reject).after),
        ("attempting (gated)", Scene::new().attempting()),
        ("attempting (ungated)", Scene::new().reading()),
        ("deferred (gated)", Scene::new().attempting().defer(HOUR).after.later(HOUR)),
        ("deferred (ungated)", Scene::new().reading().defer(HOUR / 2).after.later(HOUR / 2)),
        ("in doubt (gated)", doubtful()),
        ("answered", Scene::new().attempting().succeed().after),
        ("refused", Scene::new().attempting().refuse(RefuseReason::Permanent).after),
        ("unsent", doubtful().resolve("op", Resolution::NotSent).after),
        ("unsent", Scene::new().asked().edit("ana").after),
        ("asked", Scene::new().asked().edited("ana")),
        ("given up", doubtful().resolve("op", Resolution::GiveUp).after),
        ("faulting", fault(Scene::new().started())),
        ("faulting", fault(Scene::new().begun().progress(container(TaskShape::Try)))),
        ("faulting + detached attempt", fault(Scene::new().attempting())),
        ("ending", ending()),
        ("completed", ending().record(RunCompleted { output: ending().content() })),
        ("faulted", run_faulted()),
        ("cancelled", Scene::new().started().cancel("op").after),
        ("cancelled + detached attempt", Scene::new().attempting().cancel("op").after),
        ("cancelled + detached in doubt", doubtful().cancel("op").after),
    ];
    states.extend(lookup_states());
    states.extend(flow::states());
    states
}

/// The stages of a look-up, with the task and without.
fn lookup_states() -> Vec<(&'static str, Scene)> {
    let then = |scene: &Scene, made: Event| scene.clone().record(made);
    let doubtful = Scene::new().attempting().doubt().after;
    let due = then(&doubtful, planned(&doubtful));
    let under_way = then(&due, looking(&due));
    let over = then(&under_way, looked_up(&under_way, LookupFinding::Several, None));
    let absent = then(&under_way, looked_up(&under_way, LookupFinding::Absent, None));
    let outdated = then(&absent, next_try(&absent).into());
    let again = outdated.clone().doubt().after;
    let settled = |scene: &Scene| scene.clone().resolve("op", Resolution::GiveUp).after;
    vec![
        ("in doubt (gated) + look-up due", due.clone()),
        ("in doubt (gated) + look-up under way", under_way.clone()),
        ("in doubt (gated) + looked up", over),
        ("in doubt (gated) + proved absent", absent),
        ("attempting (gated) + look-up outdated", outdated),
        ("in doubt (gated) + look-up outdated", again),
        ("given up", settled(&due)),
        ("given up + look-up under way", settled(&under_way)),
        ("cancelled + detached in doubt + look-up due", due.cancel("op").after),
        ("cancelled + detached in doubt + look-up under way", under_way.cancel("op").after),
    ]
}

fn waited() -> Scene {
    let armed = armed(TIMER, TimerKind::Wait);
    Scene::new().started().record(armed).record(TimerFired { timer: TIMER })
}

fn drafted() -> Scene {
    let mut scene = Scene::new().started();
    let draft = scene.draft();
    scene.record(draft)
}

fn ending() -> Scene {
    let scene = Scene::new().attempting().succeed().after;
    let completed = TaskCompleted { then: Then::End, ..completed(&scene) };
    scene.record(completed)
}

fn run_faulted() -> Scene {
    let scene = Scene::new().started();
    let fault = faulted(&scene);
    let run_fault = RunFaulted { fault: fault.fault.clone() };
    scene.record(fault).record(run_fault)
}

// ---- well-fitting bodies -----------------------------------------------------------------

/// The iteration in which the next task runs.
fn iteration(scene: &Scene) -> Iteration {
    let frame = scene.branch().frames.last();
    frame.map_or_else(Iteration::none, placet_core::run::Frame::child_iteration)
}

fn container(shape: TaskShape) -> TaskStarted {
    let is_loop = shape == TaskShape::For;
    let input = Scene::new().begun().content();
    TaskStarted {
        task: flow::outer(),
        iteration: Iteration::none(),
        shape,
        input,
        items: is_loop.then_some(input),
        count: if is_loop { 2 } else { 0 },
    }
}

fn armed(timer: TimerId, kind: TimerKind) -> TimerArmed {
    armed_at(&Scene::new(), timer, kind)
}

fn armed_at(scene: &Scene, timer: TimerId, kind: TimerKind) -> TimerArmed {
    let due_at = placet_core::test_util::START.plus_millis(HOUR);
    TimerArmed { timer, task: scene.here.clone(), iteration: Iteration::none(), kind, due_at }
}

fn completed(scene: &Scene) -> TaskCompleted {
    let container = flow::container(scene);
    TaskCompleted {
        task: container.map_or_else(|| scene.here.clone(), |frame| frame.task.clone()),
        iteration: container.map_or_else(Iteration::none, |frame| frame.iteration.clone()),
        output: scene.run.slot(1, 0),
        context: None,
        then: Then::Continue,
        goto: None,
    }
}

fn fault_fact(scene: &Scene) -> FaultFact {
    FaultFact { kind: "urn:example".to_owned(), status: 500, content: scene.run.slot(1, 0) }
}

fn faulted(scene: &Scene) -> TaskFaulted {
    TaskFaulted { task: scene.here.clone(), iteration: iteration(scene), fault: fault_fact(scene) }
}

fn decision_digest(scene: &Scene) -> Digest {
    let asked = scene.branch().activity.ask().map(|ask| ask.draft.digest);
    let drafted = match &scene.branch().activity {
        Activity::Drafted(_, draft) | Activity::Unsent(_, draft) => Some(draft.digest),
        _ => None,
    };
    let sent = scene.branch().activity.attempt().and_then(|attempt| attempt.started.digest);
    asked.or(drafted).or(sent).unwrap_or_else(|| Digest::of(b"none"))
}

fn decision(scene: &Scene) -> placet_model::DecisionId {
    let known = scene.branch().activity.ask().is_some()
        || scene.branch().activity.attempt().is_some_and(|a| a.started.decision.is_some())
        || !scene.run.closed.is_empty();
    if known { scene.decision() } else { placet_model::DecisionId::from_bytes([3; 16]) }
}

fn attempt(scene: &Scene) -> (AttemptId, u32) {
    let detached = || scene.run.detached.values().next().map(|d| &d.attempt);
    let last = scene.branch().activity.attempt().or_else(detached);
    last.map_or((AttemptId::from_bytes([4; 16]), 1), |a| (a.started.attempt, a.started.try_number))
}

/// What the claim starts here; where there is nothing to claim, what it has started somewhere.
fn claimed(scene: &Scene) -> Event {
    let events = scene.clone().claim().result;
    let of_another = || Scene::new().approved().claim().result.unwrap_or_default();
    let events = events.ok().filter(|events| !events.is_empty()).unwrap_or_else(of_another);
    events.into_iter().next().expect("the claim starts something")
}

fn resolution_cast(scene: &Scene) -> Event {
    let in_doubt = scene.run.in_doubt(decision(scene)).and_then(|a| a.started.digest);
    ResolutionCast {
        decision: decision(scene),
        digest: in_doubt.unwrap_or_else(|| decision_digest(scene)),
        resolution: Resolution::GiveUp,
        by: name("op"),
        assurance: Assurance::Session,
        said_at: scene.now,
        nonce: "n".to_owned(),
        reason: None,
        request_id: None,
        signed: None,
    }
    .into()
}

fn planned(scene: &Scene) -> Event {
    let (attempt, last) = looked_at(scene);
    let (operation, due_at) = ("slack.conversations.history".into(), scene.now);
    LookupPlanned { attempt, number: last + 1, operation, due_at }.into()
}

fn looking(scene: &Scene) -> Event {
    let (attempt, number) = looked_at(scene);
    LookupStarted {
        attempt,
        number,
        operation: "slack.conversations.history".into(),
        operation_digest: Digest::of(b"operation"),
        mode: scene.run.facts().map_or(Mode::Live, |facts| facts.started.mode),
        integration: None,
        credential_version: 0,
        with: scene.content(),
        request: scene.content(),
        request_digest: Digest::of(b"request"),
    }
    .into()
}

/// What the card of the draft that is due would show.
fn preview(scene: &Scene, step: PreviewStep) -> Event {
    let key = (scene.here.clone(), iteration(scene));
    let known = scene.run.previews.get(&key).map(|known| known.read);
    PreviewRead {
        read: known.unwrap_or(AttemptId::from_bytes([12; 16])),
        revision: scene.run.drafts.get(&key).map_or(1, |last| last + 1),
        task: key.0,
        iteration: key.1,
        step,
        operation: "stripe.payment_intents.get".to_owned(),
        operation_digest: Digest::of(b"operation"),
        integration: None,
        credential_version: 0,
        with: Some(scene.content()),
        request: None,
        request_digest: None,
        shown: None,
        status: 0,
    }
    .into()
}

fn looked_up(scene: &Scene, finding: LookupFinding, next_at: Option<Timestamp>) -> Event {
    let (attempt, number) = looked_at(scene);
    let worth = (finding == LookupFinding::Absent).then_some(match next_at {
        Some(_) => AbsenceWorth::TooEarly,
        None => AbsenceWorth::Proof,
    });
    let answer = AnswerFacts::default();
    LookupEnded { attempt, number, finding, worth, count: 0, answer, detail: None, next_at }.into()
}

/// The provider tells of it by itself.
fn told(scene: &Scene) -> Event {
    let (attempt, _) = attempt(scene);
    let through = scene.run.attempt(attempt).and_then(|known| known.started.integration.clone());
    let integration = through.map_or(IntegrationId::from_bytes([9; 16]), |bound| bound.id);
    let (arrival, kind, answer) = (Position::START, "slack.echo".into(), AnswerFacts::default());
    EvidenceArrived { attempt, arrival, integration, kind, answer }.into()
}

/// The attempt that is looked up, or could be, and the number of its last look-up.
fn looked_at(scene: &Scene) -> (AttemptId, u32) {
    let known = scene.run.lookups.iter().next();
    known.map_or_else(|| (attempt(scene).0, 0), |(id, known)| (*id, known.number))
}

fn next_try(scene: &Scene) -> AttemptStarted {
    let detached = || scene.run.detached.values().next().map(|d| &d.attempt);
    let last = scene.branch().activity.attempt().or_else(detached).map(|a| a.started.clone());
    let last = last.unwrap_or_else(|| scene.clone().read());
    AttemptStarted { try_number: last.try_number + 1, ..last }
}

fn vote(scene: &Scene) -> VoteCast {
    VoteCast {
        decision: decision(scene),
        digest: decision_digest(scene),
        verdict: Verdict::Approve,
        voter: name("ben"),
        assurance: Assurance::Session,
        voted_at: scene.now,
        nonce: "nonce".to_owned(),
        reason: None,
        request_id: None,
        signed: None,
    }
}

type Fitting = fn(&Scene) -> Event;

fn control_events() -> Vec<(&'static str, Fitting)> {
    vec![
        ("RunStarted", |s| s.run_started().into()),
        ("TaskStarted(leaf)", |s| {
            let (shape, task) = (TaskShape::Leaf, s.here.clone());
            TaskStarted { task, iteration: iteration(s), ..container(shape) }.into()
        }),
        ("TaskStarted(list)", |s| {
            TaskStarted { iteration: iteration(s), ..container(TaskShape::List) }.into()
        }),
        ("IterationStarted", |_| {
            let TaskStarted { task, iteration, .. } = container(TaskShape::For);
            IterationStarted { task, iteration, index: 0 }.into()
        }),
        ("TaskCompleted", |s| completed(s).into()),
        ("TaskSkipped", |s| TaskSkipped { task: s.here.clone(), iteration: iteration(s) }.into()),
        ("TaskFaulted", |s| faulted(s).into()),
        ("FaultCaught", |s| {
            let TaskStarted { task, iteration, .. } = container(TaskShape::Try);
            FaultCaught { task, iteration, fault: s.run.slot(1, 0) }.into()
        }),
        ("TimerArmed(wait)", |s| armed_at(s, ANOTHER, TimerKind::Wait).into()),
        ("TimerArmed(timeout)", |s| armed_at(s, TIMEOUT, TimerKind::TaskTimeout).into()),
        ("TimerFired", |_| TimerFired { timer: TIMER }.into()),
        ("RunCompleted", |s| RunCompleted { output: s.run.slot(1, 0) }.into()),
        ("RunFaulted", |s| RunFaulted { fault: fault_fact(s) }.into()),
        ("RunCancelled", |_| RunCancelled { reason: None }.into()),
    ]
}

fn settled(scene: &Scene, settlement: Settlement) -> Event {
    let (decision, digest) = (decision(scene), decision_digest(scene));
    DecisionSettled { decision, digest, settlement, reason: None }.into()
}

fn gate_events() -> Vec<(&'static str, Fitting)> {
    vec![
        ("DraftEdited", |s| {
            DraftEdited {
                decision: decision(s),
                digest: decision_digest(s),
                task: s.here.clone(),
                iteration: iteration(s),
                editor: name("ana"),
                original: Digest::of(b"original"),
            }
            .into()
        }),
        ("DecisionReassigned", |s| {
            DecisionReassigned { decision: decision(s), to: vec![name("ana")] }.into()
        }),
        ("ActionRequested", |_| {
            let (key, content) = (Digest::of(b"key"), Digest::of(b"content"));
            ActionRequested { key, content }.into()
        }),
        ("SendRouted", |s| {
            SendRouted {
                task: s.here.clone(),
                iteration: iteration(s),
                operation: "notify.send".to_owned(),
                channel: "slack".to_owned(),
                to: "slack.chat.postMessage".to_owned(),
                integration: IntegrationId::from_bytes([9; 16]),
            }
            .into()
        }),
        ("PreviewRead(begun)", |s| preview(s, PreviewStep::Begun)),
        ("PreviewRead(answered)", |s| preview(s, PreviewStep::Answered)),
        ("DraftPrepared", |s| match s.run.facts() {
            Some(_) => s.clone().draft().into(),
            None => Scene::new().started().draft().into(),
        }),
        ("DecisionRequested", |s| {
            DecisionRequested {
                decision: placet_model::DecisionId::from_bytes([2; 16]),
                task: s.here.clone(),
                iteration: Iteration::none(),
                digest: decision_digest(s),
                expires_at: s.now.plus_millis(HOUR),
                uptime: None,
            }
            .into()
        }),
        ("VoteCast", |s| vote(s).into()),
        ("DecisionSettled(approved)", |s| settled(s, Settlement::Approved)),
        ("DecisionSettled(rejected)", |s| settled(s, Settlement::Rejected)),
        ("RequirementRaised", |s| {
            let requirement = s.world.requirement.clone();
            RequirementRaised { decision: decision(s), requirement, missing: vec![] }.into()
        }),
        ("DecisionVoided", |s| {
            let reason = VoidReason::Expired;
            DecisionVoided { decision: decision(s), reason, field: None }.into()
        }),
        ("DecisionVoided(new epoch)", |s| {
            let reason = VoidReason::NewEpoch;
            DecisionVoided { decision: decision(s), reason, field: None }.into()
        }),
    ]
}

fn attempt_events() -> Vec<(&'static str, Fitting)> {
    fn refused(scene: &Scene, reason: RefuseReason) -> Event {
        let (attempt, try_number) = attempt(scene);
        let answer = AnswerFacts::default();
        AttemptRefused { attempt, try_number, reason, answer, code: None, detail: None }.into()
    }
    fn reconciled(scene: &Scene, resolution: Resolution) -> Event {
        let output = (resolution == Resolution::Sent).then(|| scene.run.slot(1, 0));
        let (attempt, _) = attempt(scene);
        AttemptReconciled { attempt, resolution, by: ReconciledBy::Person, output }.into()
    }
    vec![
        ("AttemptStarted(ungated)", |s| s.clone().read().into()),
        ("AttemptStarted(claimed)", claimed),
        ("AttemptStarted(next try)", |s| next_try(s).into()),
        ("AttemptSucceeded", |s| {
            let ((attempt, try_number), output) = (attempt(s), s.run.slot(1, 0));
            let answer = AnswerFacts::default();
            AttemptSucceeded { attempt, try_number, answer, output, would_have_sent: None }.into()
        }),
        ("AttemptRefused(permanent)", |s| refused(s, RefuseReason::Permanent)),
        ("AttemptRefused(reconnect)", |s| refused(s, RefuseReason::Reconnect)),
        ("AttemptDeferred", |s| {
            let (attempt, try_number) = attempt(s);
            let (until, reason) = (s.now.plus_millis(1), DeferReason::Connect);
            AttemptDeferred { attempt, try_number, until, reason }.into()
        }),
        ("AttemptInDoubt", |s| {
            let (attempt, try_number) = attempt(s);
            let (evidence, answer) = (Evidence::Reset, AnswerFacts::default());
            AttemptInDoubt { attempt, try_number, evidence, answer, detail: None }.into()
        }),
        ("LookupPlanned", planned),
        ("LookupStarted", looking),
        ("LookupEnded(found)", |s| looked_up(s, LookupFinding::Found, None)),
        ("LookupEnded(absent, again)", |s| looked_up(s, LookupFinding::Absent, Some(s.now))),
        ("EvidenceArrived", told),
        ("ResolutionCast", resolution_cast),
        ("AttemptReconciled(sent)", |s| reconciled(s, Resolution::Sent)),
        ("AttemptReconciled(not_sent)", |s| reconciled(s, Resolution::NotSent)),
        ("AttemptReconciled(give_up)", |s| reconciled(s, Resolution::GiveUp)),
    ]
}

fn events() -> Vec<(&'static str, Fitting)> {
    control_events()
        .into_iter()
        .chain(flow::events())
        .chain(gate_events())
        .chain(attempt_events())
        .collect()
}

/// The state after the event, if it may follow.
fn follow(scene: &Scene, event: &Event) -> Option<String> {
    let mut after = scene.clone();
    after.run.apply(event, scene.now).ok().map(|()| after.state())
}

/// Two scenes of one name differ in how they were reached.
fn title(name: &str, scene: &Scene) -> String {
    let prior = scene.branch().activity.ask().is_some_and(|ask| ask.prior.is_some());
    let place = flow::place(scene);
    let prior = if prior { ", after a reconnect" } else { "" };
    let edited = scene.branch().activity.leaf().is_some_and(|leaf| leaf.editor.is_some());
    let edited = if edited { ", edited" } else { "" };
    format!("{name}{place}{prior}{edited}")
}

#[test]
fn states_and_events_fit_as_the_grid_says() {
    let (states, events) = (states(), events());
    let mut text = String::new();
    for (index, (label, _)) in events.iter().enumerate() {
        writeln!(text, "{:>2} {label}", index + 1).unwrap();
    }
    let numbers: Vec<_> = (1..=events.len()).map(|index| format!("{index:>2}")).collect();
    writeln!(text, "\n{:44}{}", "", numbers.join(" ")).unwrap();
    for (name, scene) in &states {
        let cells: Vec<_> = events
            .iter()
            .map(|(_, make)| if follow(scene, &make(scene)).is_some() { " x" } else { " ." })
            .collect();
        writeln!(text, "{:44}{}", title(name, scene), cells.join(" ")).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn each_legal_event_leads_where_the_table_says() {
    let mut text = String::new();
    for (name, scene) in states() {
        writeln!(text, "{}", title(name, &scene)).unwrap();
        for (label, make) in events() {
            if let Some(after) = follow(&scene, &make(&scene)) {
                writeln!(text, "    {label:30} -> {after}").unwrap();
            }
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn the_grid_reaches_the_states_that_it_names() {
    for (name, scene) in states() {
        assert_eq!(scene.state(), name);
        let events = scene.recorded.iter().map(|(r, at, event)| (*r, *at, event));
        assert_eq!(placet_core::replay(scene.run.id, events), Ok(scene.run.clone()), "{name}");
    }
}

#[test]
fn the_grid_has_every_phase_activity_and_event_of_a_run() {
    let states = states();
    let phases: BTreeSet<_> = states.iter().map(|(_, scene)| scene.run.phase.name()).collect();
    let branches = || states.iter().flat_map(|(_, scene)| scene.run.branches());
    let activities: BTreeSet<_> = branches().map(|branch| branch.activity.name()).collect();
    assert_eq!(phases.len(), 6, "{phases:?}");
    assert_eq!(activities.len(), 18, "{activities:?}");

    let frames: BTreeSet<_> =
        branches().flat_map(|branch| &branch.frames).map(flow::frame_name).collect();
    assert_eq!(frames.len(), 8, "{frames:?}");

    let scene = Scene::new().started();
    let kinds: BTreeSet<_> = events().iter().map(|(_, make)| make(&scene).kind()).collect();
    let of_runs = |kind: &EventKind| {
        let id = kind.type_id();
        let beside = matches!(
            kind,
            EventKind::ResolutionCast | EventKind::EvidenceArrived | EventKind::PreviewRead
        );
        id < 50 || beside || (110..=112).contains(&id) || id == 120
    };
    let of_runs: BTreeSet<_> = EventKind::ALL.iter().copied().filter(of_runs).collect();
    assert_eq!(kinds, of_runs);
}

#[test]
fn an_event_of_another_stream_never_fits_a_run() {
    let integration = IntegrationId::from_bytes([9; 16]);
    let foreign: Vec<Event> = vec![
        IntegrationDisabled { integration }.into(),
        CredentialUsed { integration, version: 1, operation: "slack.auth.test".into() }.into(),
        OutboundPaused { integration: None }.into(),
        EngineStarted {
            version: "0.1.0".to_owned(),
            mode: Mode::Live,
            config_digest: Digest::of(b"config"),
            read_hosts: vec![],
            egress_allow: vec![],
        }
        .into(),
    ];
    for (name, scene) in states() {
        for event in &foreign {
            assert_eq!(follow(&scene, event), None, "{name}: {}", describe(event));
        }
    }
}

#[test]
fn an_illegal_pair_names_both_the_event_and_the_state() {
    let mut run = Scene::new().asked().run;
    let event = Event::from(RunCompleted { output: run.slot(1, 0) });
    let error = run.apply(&event, Timestamp::EPOCH).unwrap_err();
    let expected = "RunCompleted cannot follow at revision 5: the run is running, its task asked";
    assert_eq!(error.to_string(), expected);
}
