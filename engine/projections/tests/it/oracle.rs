//! What the views must say of a run, from the core's own fold of it.

use crate::support::{NOW, World};
use crate::witness::Witness;
use placet_core::Run;
use placet_core::run::{Activity, Branch, Fork, Frame, FrameKind, LookupStage, Phase};
use placet_model::decision::DecisionState;
use placet_model::{DecisionId, Position, RunId, TaskPath, Timestamp};
use placet_projections::{Due, DueRow, RunStatus, Source, WaitingFor};
use std::collections::{BTreeMap, BTreeSet};

const KINDS: [&str; 4] = ["order", "invoice", "other", "ord"];

/// The row of the run, and the states of its decisions.
pub(crate) fn check(world: &World, run: &Run) {
    let row = world.see(|views| views.run(run.id));
    let Some(facts) = run.facts() else {
        assert_eq!(row, None);
        return;
    };
    let row = row.unwrap();
    assert_eq!((row.revision, row.updated_at), (run.revision, run.touched_at));
    assert_eq!((row.started_at, &row.workflow), (facts.started_at, &facts.started.workflow));
    assert_eq!(row.plan_digest, facts.started.plan_digest);
    assert_eq!((row.status, row.waiting_for), stands(run), "{}", brief(run));
    for (decision, state) in states(run) {
        let row = world.see(|views| views.decision(decision)).unwrap();
        assert_eq!((row.run, row.state), (run.id, state), "{decision} of {run:?}");
        assert_eq!(
            row.in_doubt.map(|(attempt, _)| attempt),
            run.in_doubt(decision).map(|a| a.started.attempt)
        );
    }
    for ask in run.asks() {
        let row = world.see(|views| views.decision(ask.decision)).unwrap();
        assert_eq!((row.expires_at, &row.requirement), (ask.expires_at, &ask.requirement));
        assert_eq!(row.votes.len(), ask.votes.len());
        assert_eq!((&row.editor, &row.assigned), (&ask.editor, &ask.assigned));
        assert_eq!(row.standing, ask.standing);
    }
}

/// Where every branch of a run stands, for a person who looks for a difference.
pub(crate) fn brief(run: &Run) -> String {
    let branches = run.branches().iter().map(|branch| {
        let frames: Vec<_> =
            branch.frames.iter().map(|frame| format!("{} {:?}", frame.task, frame.kind)).collect();
        let (activity, fault) = (branch.activity.name(), branch.fault.as_ref().map(|(_, t)| t));
        let frames = frames.join("\n        ");
        format!("    [{}] {activity}, fault of {fault:?}\n        {frames}", branch.key.head)
    });
    let branches: Vec<_> = branches.collect();
    format!("{} {} at {}\n{}", run.id, run.phase.name(), run.revision, branches.join("\n"))
}

fn stands(run: &Run) -> (RunStatus, Option<WaitingFor>) {
    match &run.phase {
        Phase::Absent => unreachable!("it has facts"),
        Phase::Completed(_) => (RunStatus::Completed, None),
        Phase::Faulted(..) => (RunStatus::Faulted, None),
        Phase::Cancelled(_) => (RunStatus::Cancelled, None),
        Phase::Ending(..) => (RunStatus::Running, None),
        Phase::Running(_) => {
            let lines: Vec<_> = run.branches().iter().map(|branch| line(run, branch)).collect();
            if lines.contains(&Line::Ready) {
                return (RunStatus::Running, None);
            }
            let waiting = lines.into_iter().find_map(|line| match line {
                Line::Waits(waiting) => Some(waiting),
                Line::Ready | Line::Rests => None,
            });
            (RunStatus::Waiting, Some(waiting.expect("somebody must wait for something")))
        }
    }
}

/// Where one branch stands.
#[derive(Debug, PartialEq)]
enum Line {
    /// It can go on by itself.
    Ready,
    Waits(WaitingFor),
    /// It has ended, or others go on for it.
    Rests,
}

fn line(run: &Run, branch: &Branch) -> Line {
    if branch.failed.is_some() || branch.ended().is_some() {
        return Line::Rests;
    }
    if branch.fault.is_some() {
        return Line::Ready;
    }
    match &branch.activity {
        Activity::Idle => in_frame(branch.frames.last().unwrap()),
        Activity::Waiting(..) => Line::Waits(WaitingFor::Timer),
        Activity::Asked(_, ask) | Activity::Approved(_, ask) => {
            Line::Waits(WaitingFor::Decision(ask.decision))
        }
        Activity::Attempting(..) => Line::Waits(WaitingFor::Answer),
        Activity::Deferred(..) => Line::Waits(WaitingFor::Deferred),
        Activity::InDoubt(..) => Line::Waits(WaitingFor::InDoubt),
        Activity::Awaiting(_, child) => Line::Waits(WaitingFor::Run(*child)),
        Activity::Forked(leaf, fork) if may_join(run, &leaf.task, *fork) => Line::Ready,
        Activity::Forked(..) => Line::Rests,
        Activity::Started(_)
        | Activity::Waited(_)
        | Activity::Drafted(..)
        | Activity::Denied(..)
        | Activity::Answered(..)
        | Activity::Refused(..)
        | Activity::Unsent(..)
        | Activity::GivenUp(_)
        | Activity::Dropped(_) => Line::Ready,
    }
}

fn in_frame(frame: &Frame) -> Line {
    match &frame.kind {
        FrameKind::Backoff { .. } => Line::Waits(WaitingFor::Timer),
        FrameKind::Listen(wait) if wait.is_open() => Line::Waits(WaitingFor::Event),
        FrameKind::Listen(_)
        | FrameKind::List
        | FrameKind::Branch
        | FrameKind::Function
        | FrameKind::Try(_)
        | FrameKind::Catch { .. }
        | FrameKind::For { .. } => Line::Ready,
    }
}

/// All must end well, of a race one; a fault counts at once, in a race when all have failed.
fn may_join(run: &Run, fork: &TaskPath, Fork { count, race }: Fork) -> bool {
    let heads: BTreeSet<_> =
        (0..count).map(|index| format!("{fork}/fork/branches/{index}")).collect();
    let mine = || run.branches().iter().filter(|branch| heads.contains(branch.key.head.as_str()));
    let ended = mine().filter(|branch| branch.ended().is_some()).count();
    let failed = mine().filter(|branch| branch.failed.is_some()).count();
    let all = count as usize;
    if race { ended > 0 || failed == all } else { failed > 0 || ended == all }
}

fn states(run: &Run) -> BTreeMap<DecisionId, DecisionState> {
    let mut states = run.closed.clone();
    for branch in run.branches() {
        match &branch.activity {
            Activity::Asked(_, ask) => states.insert(ask.decision, DecisionState::Requested),
            Activity::Approved(_, ask) => states.insert(ask.decision, DecisionState::Approved),
            _ => None,
        };
    }
    states
}

/// The lists over all runs.
pub(crate) fn check_lists<'r>(
    world: &World,
    runs: impl Iterator<Item = &'r Run>,
    witness: &Witness,
) {
    let mut expected = Lists::default();
    for run in runs {
        expected.add(run);
        expected.add_waits(run, witness);
    }
    expected.orders.extend(
        witness.orders.values().filter(|order| witness.is_pending(order)).map(|order| order.run),
    );
    let far = Timestamp::from_millis(i64::MAX);
    let since = witness.delivered;
    let seen = world.see(|views| {
        let set = |runs: Vec<RunId>| runs.into_iter().collect::<BTreeSet<_>>();
        let decisions = |rows: Vec<placet_projections::DecisionRow>| {
            rows.into_iter().map(|row| row.decision).collect::<BTreeSet<_>>()
        };
        let mut listeners = BTreeMap::new();
        for kind in KINDS {
            listeners.insert(kind, views.listeners(kind)?.into_keys().collect::<BTreeSet<_>>());
        }
        listeners.retain(|_, runs| !runs.is_empty());
        Ok(Lists {
            ready: set(views.ready()?),
            in_flight: set(views.in_flight()?),
            in_doubt: set(views.in_doubt()?),
            open: decisions(views.open(None, usize::MAX)?),
            approved: decisions(views.approved()?),
            due: views.due(far, usize::MAX)?.into_iter().collect(),
            listeners,
            listening: views.listening_since(since)?,
            orders: views.pending_orders()?.into_iter().map(|order| order.run).collect(),
        })
    });
    assert_eq!(seen, expected);
    // all of them are of the one requester
    let open = world.see(|views| views.open_of(&crate::make::who("agent"), usize::MAX));
    assert_eq!(open, expected.open.len());
    let few = world.see(|views| views.open_of(&crate::make::who("agent"), 2));
    assert_eq!(few, expected.open.len().min(2));
    assert_eq!(world.see(|views| views.open_of(&crate::make::who("agen"), 2)), 0);
    check_inbox(world, &expected.open);
}

/// Every open item stands once in the list, in order; under its one shape, whose count is exact; and
/// with everybody who has a hand in it.
fn check_inbox(world: &World, open: &BTreeSet<DecisionId>) {
    let listed = |source: Source| world.see(|views| views.inbox(&[source], None, usize::MAX));
    let all = listed(Source::All);
    assert!(all.is_sorted_by(|one, next| one.place < next.place && one.place.is_some()));
    assert_eq!(&all.iter().map(|row| row.decision).collect::<BTreeSet<_>>(), open);
    let mut of_shapes = 0;
    for (_, shape) in world.see(|views| views.shapes(None, usize::MAX)) {
        let rows = listed(Source::Shape(shape.shape));
        assert_eq!(shape.count, rows.len() as u64);
        assert!(rows.iter().all(|row| row.shape == shape.shape));
        assert!(rows.iter().all(|row| row.place.map(|place| place.rank()) == Some(shape.rank)));
        of_shapes += rows.len();
    }
    assert_eq!(of_shapes, all.len());
    assert_eq!(world.see(|views| views.open_count(100)), Some(all.len() as u64));
    for name in ["ana", "ben"].map(crate::make::who) {
        let mine: Vec<_> = all
            .iter()
            .filter(|row| {
                row.editor.as_ref() == Some(&name) || row.votes.iter().any(|(v, ..)| *v == name)
            })
            .cloned()
            .collect();
        assert_eq!(listed(Source::InHandsOf(name)), mine);
    }
    let voted = all.iter().any(|row| row.state == DecisionState::Approved || !row.votes.is_empty());
    assert_eq!(world.see(|views| views.voted_on()).is_some(), voted);
    let half = world.see(|views| views.inbox(&[Source::All], None, all.len() / 2));
    let after = half.last().and_then(|row| row.place);
    let rest = world.see(|views| views.inbox(&[Source::All], after, usize::MAX));
    assert_eq!([half, rest].concat(), all, "two pages are the whole");
}

/// Events that came and runs that were ordered, row for row.
pub(crate) fn check_rows(world: &World, witness: &Witness) {
    for (run, order) in &witness.orders {
        assert_eq!(world.see(|views| views.order(*run)).as_ref(), Some(order));
    }
    assert_eq!(world.see(|views| views.has_orders()), !witness.orders.is_empty());
    assert_eq!(world.see(|views| views.delivered()), witness.delivered);
    for (identity, position) in &witness.identities {
        assert_eq!(world.see(|views| views.arrival_of(identity)), Some(*position));
    }
    for kind in [None].into_iter().chain(KINDS.map(Some)) {
        let of_kind = |row: &&placet_projections::ArrivalRow| kind.is_none_or(|k| k == row.kind);
        let rows: Vec<_> = witness.arrivals.iter().filter(of_kind).cloned().collect();
        let seen = world.see(|views| views.arrivals(kind, (NOW, Position::START), usize::MAX));
        assert_eq!(seen, rows, "{kind:?}");
        // the latest, and only what came after a place
        let half = rows.len() / 2;
        let latest = world.see(|views| views.arrivals(kind, (NOW, Position::START), half));
        assert_eq!(latest, rows[rows.len() - half..], "{kind:?}");
        let Some(middle) = rows.get(half) else { continue };
        let later = world.see(|views| views.arrivals(kind, (NOW, middle.position), usize::MAX));
        assert_eq!(later, rows[half + 1..], "{kind:?}");
        let since = world.see(|v| v.arrivals(kind, (middle.at, Position::START), usize::MAX));
        let rows: Vec<_> = rows.iter().filter(|row| row.at >= middle.at).cloned().collect();
        assert_eq!(since, rows, "{kind:?}");
    }
}

/// What holds for the project.
pub(crate) fn check_project(world: &World, witness: &Witness) {
    let seen = world.see(|views| {
        let integrations = views.integrations()?.into_iter().map(|row| (row.id, row.status));
        let policy = views.policy()?.map(|(digest, _place)| digest);
        Ok((views.pauses()?, policy, integrations.collect::<BTreeMap<_, _>>()))
    });
    let expected = (witness.pauses.clone(), witness.policy, witness.integrations());
    assert_eq!(seen, expected);
}

#[derive(Debug, Default, PartialEq)]
struct Lists {
    ready: BTreeSet<RunId>,
    in_flight: BTreeSet<RunId>,
    in_doubt: BTreeSet<RunId>,
    open: BTreeSet<DecisionId>,
    approved: BTreeSet<DecisionId>,
    due: BTreeSet<DueRow>,
    /// Who waits for events of a type.
    listeners: BTreeMap<&'static str, BTreeSet<RunId>>,
    /// Who began to, or went on, after what everybody has been told of.
    listening: BTreeSet<RunId>,
    orders: BTreeSet<RunId>,
}

impl Lists {
    fn add(&mut self, run: &Run) {
        if run.facts().is_some() && stands(run).0 == RunStatus::Running {
            self.ready.insert(run.id);
        }
        self.open.extend(run.asks().map(|ask| ask.decision));
        let detached = run.detached.values().map(|d| (&d.attempt, d.in_doubt));
        let attached = run.branches().iter().filter_map(|branch| match &branch.activity {
            Activity::Attempting(_, attempt) => Some((&**attempt, false)),
            Activity::InDoubt(_, attempt) => Some((&**attempt, true)),
            _ => None,
        });
        for (attempt, in_doubt) in detached.chain(attached) {
            if in_doubt {
                self.in_doubt.insert(run.id);
                self.open.extend(attempt.started.decision);
            } else {
                self.in_flight.insert(run.id);
            }
        }
        if run.lookups.values().any(|lookup| lookup.stage == LookupStage::UnderWay) {
            self.in_flight.insert(run.id);
        }
        for branch in run.branches() {
            if let Activity::Approved(_, ask) = &branch.activity {
                self.approved.insert(ask.decision);
            }
        }
        self.due.extend(due(run).into_iter().map(|(at, due)| DueRow { at, run: run.id, due }));
    }

    fn add_waits(&mut self, run: &Run, witness: &Witness) {
        if !matches!(run.phase, Phase::Running(_)) {
            return;
        }
        for frame in run.branches().iter().flat_map(|branch| &branch.frames) {
            let FrameKind::Listen(wait) = &frame.kind else { continue };
            if wait.since.is_none() || is_moot(run, &frame.task) {
                continue;
            }
            let (types, began) = &witness.waits[&(run.id, frame.task.clone())];
            for kind in KINDS {
                if types.iter().any(|wanted| wanted.is_empty() || wanted == kind) {
                    self.listeners.entry(kind).or_default().insert(run.id);
                }
            }
            if *began > witness.delivered {
                self.listening.insert(run.id);
            }
        }
    }
}

/// Whether a fault that nothing has caught yet has ended the task: the core keeps what belongs to
/// it until the fault is caught.
fn is_moot(run: &Run, task: &TaskPath) -> bool {
    run.branches().iter().filter_map(|branch| branch.fault.as_ref()).any(|(_, from)| {
        let rest = task.as_str().strip_prefix(from.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

fn due(run: &Run) -> Vec<(Timestamp, Due)> {
    let mut due = Vec::new();
    let timed_out = is_moot(run, &TaskPath::root());
    if !run.is_over() && !timed_out {
        let deadline = run.facts().and_then(|facts| facts.started.deadline);
        due.extend(deadline.map(|at| (at, Due::RunDeadline)));
    }
    let timers = run.timers.iter().filter(|(_, timer)| !is_moot(run, &timer.task));
    due.extend(timers.map(|(id, timer)| (timer.due_at, Due::Timer(*id))));
    due.extend(run.asks().map(|ask| (ask.expires_at, Due::Expiry(ask.decision))));
    let open = run.branches().iter().filter_map(|branch| branch.activity.asked());
    due.extend(open.filter_map(|ask| {
        let (at, ..) = ask.notices_due().into_iter().next()?;
        (at < ask.expires_at).then_some((at, Due::Notice(ask.decision)))
    }));
    due.extend(run.lookups.iter().filter_map(|(id, lookup)| match lookup.stage {
        LookupStage::Due(at) => Some((at, Due::Lookup(*id))),
        _ => None,
    }));
    for branch in run.branches() {
        let Activity::Deferred(_, attempt, until) = &branch.activity else { continue };
        due.push((*until, Due::Retry(attempt.started.attempt)));
        let not_after = attempt.started.not_after;
        due.extend(attempt.ask.as_ref().map(|ask| (not_after, Due::Expiry(ask.decision))));
    }
    due
}
