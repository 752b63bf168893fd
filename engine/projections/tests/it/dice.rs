//! Events that may follow in a run, drawn at random; the core says which of them do.

mod flow;
mod leaf;
mod lookup;
mod project;

use crate::make::*;
use placet_core::Run;
use placet_core::run::{Activity, Ask, Branch, Detached, Phase};
use placet_model::attempt::RefuseReason;
use placet_model::decision::{Resolution, Settlement, VoidReason};
use placet_model::event::child::ChildDropped;
use placet_model::event::decision::{
    ActionRequested, DecisionRequested, DecisionSettled, DecisionVoided, ResolutionCast,
};
use placet_model::event::run::{RunMigrated, TaskFaulted, TimerKind};
use placet_model::{DecisionId, Digest, Event, Iteration, RunId, TaskPath, Timestamp};

/// A small generator (splitmix64), so that a seed is a whole history.
pub(crate) struct Dice {
    state: u64,
    ids: u128,
}

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed, ids: 0 }
    }

    fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % limit as u64).unwrap()
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn id(&mut self) -> u128 {
        self.ids += 1;
        self.ids
    }

    /// A run that another one orders; its ids are far from those of the other runs.
    pub(crate) fn child(&mut self) -> RunId {
        RunId::from_bytes(((1 << 64) + self.id()).to_be_bytes())
    }

    /// Source and id of an event: some come twice.
    pub(crate) fn identity(&mut self) -> Digest {
        digest(&format!("event {}", self.below(200)))
    }

    fn soon(&mut self, run: &Run) -> Timestamp {
        run.touched_at.plus_millis(1000 * i64::try_from(1 + self.below(50)).unwrap())
    }

    /// Events that might follow, together or not at all.
    pub(crate) fn next(&mut self, run: &Run) -> Vec<Event> {
        if matches!(run.phase, Phase::Absent) {
            let deadline = self.one_in(2).then(|| self.soon(run));
            let (key, content) = (digest("key"), digest("content"));
            let asked = self.one_in(3).then(|| ActionRequested { key, content }.into());
            let begins = started_with(self.pick(&["a", "b"]), deadline);
            return std::iter::once(begins).chain(asked).collect();
        }
        if self.one_in(3)
            && let Some(event) = self.looks(run)
        {
            return vec![event];
        }
        if !run.detached.is_empty() && self.one_in(3) {
            let detached: Vec<_> = run.detached.values().collect();
            let which = detached[self.below(detached.len())].clone();
            return self.outcome(&which);
        }
        // a leaf is stopped for itself, below
        let patience = if run.main().activity.leaf().is_some() { 40 } else { 100 };
        if self.one_in(patience) {
            return stopping(run.branches(), cancelled());
        }
        if self.one_in(patience) || (!run.timers.is_empty() && self.one_in(8)) {
            return self.time_out(run);
        }
        if self.one_in(20) {
            return migrating(run);
        }
        match &run.phase {
            Phase::Absent | Phase::Completed(_) | Phase::Faulted(..) | Phase::Cancelled(_) => {
                vec![]
            }
            Phase::Ending(..) => vec![run_completed()],
            Phase::Running(_) => {
                let branch = &run.branches()[self.below(run.branches().len())];
                self.in_branch(run, branch)
            }
        }
    }

    fn in_branch(&mut self, run: &Run, branch: &Branch) -> Vec<Event> {
        if branch.failed.is_some() || branch.ended().is_some() {
            return vec![];
        }
        if let Some((_, from)) = &branch.fault {
            return vec![self.unwind(run, branch, from)];
        }
        match &branch.activity {
            Activity::Idle => self.in_frame(run, branch),
            Activity::Forked(..) => self.in_leaf(run, branch),
            activity => {
                let rare = matches!(activity, Activity::Deferred(..) | Activity::InDoubt(..));
                if !self.one_in(if rare { 2 } else { 12 }) {
                    return self.in_leaf(run, branch);
                }
                if self.one_in(2) {
                    return stopping(run.branches(), cancelled());
                }
                let leaf = activity.leaf().unwrap();
                let (task, iteration) = (leaf.task.clone(), leaf.iteration.clone());
                let fault = TaskFaulted { task, iteration, fault: fault() };
                stopping([branch], fault.into())
            }
        }
    }

    /// How a try ends, or how its doubt does.
    fn outcome(&mut self, detached: &Detached) -> Vec<Event> {
        let started = &detached.attempt.started;
        let (id, number) = (started.attempt, started.try_number);
        if detached.in_doubt {
            let resolution = self.pick(Resolution::ALL);
            let said = started.decision.filter(|_| self.one_in(2)).map(|decision| {
                let (name, id) = (self.pick(&["ana", "ben"]), self.id());
                let request = self.one_in(2).then(|| format!("r{id}"));
                let digest = started.digest.unwrap();
                ResolutionCast { digest, ..said(decision, name, resolution, request.as_deref()) }
            });
            let said = said.map(Event::from);
            return said.into_iter().chain([reconciled(id, resolution)]).collect();
        }
        vec![match self.below(7) {
            0 | 1 => in_doubt(id, number),
            2 | 3 => deferred(id, number, detached.attempt.started_at.plus_millis(5000)),
            4 => refused(id, number, self.pick(RefuseReason::ALL)),
            _ => succeeded(id, number),
        }]
    }

    /// A task, an attempt of a `try`, or the run has taken too long. A timer that fires shares the
    /// commit with its fault.
    fn time_out(&mut self, run: &Run) -> Vec<Event> {
        let mut events = Vec::new();
        let timeouts: Vec<_> = run
            .timers
            .iter()
            .filter(|(_, timer)| !matches!(timer.kind, TimerKind::Wait | TimerKind::Retry))
            .collect();
        let (task, iteration) = if timeouts.is_empty() {
            (TaskPath::root(), Iteration::none())
        } else {
            let (id, timer) = timeouts[self.below(timeouts.len())];
            events.push(fired(*id));
            let of_attempt = timer.kind == TimerKind::AttemptTimeout;
            let task = if of_attempt { timer.task.attempt() } else { timer.task.clone() };
            (task, timer.iteration.clone())
        };
        let inside = run.branches_inside(&task);
        let own = run.branch_of(&task);
        let fault = TaskFaulted { task: task.clone(), iteration, fault: fault() };
        events.extend(stopping(inside.chain([own]), fault.into()));
        events
    }

    /// What ends a run wherever it stands.
    pub(crate) fn ending(run: &Run) -> Vec<Event> {
        if run.facts().is_none() {
            return vec![];
        }
        let mut events = vec![];
        for (place, branch) in run.branches().iter().enumerate() {
            // a draft that is not in the inbox yet has to get there before it can be taken back
            let Activity::Drafted(leaf, draft) = &branch.activity else { continue };
            let id = decision(u128::MAX - run.id.as_u128() * 1000 - place as u128);
            let expires_at = run.touched_at;
            let (task, iteration) = (leaf.task.clone(), leaf.iteration.clone());
            let (digest, reason) = (draft.digest, None);
            let settlement = Settlement::Withdrawn;
            events.push(
                DecisionRequested {
                    decision: id,
                    task,
                    iteration,
                    digest,
                    expires_at,
                    uptime: None,
                }
                .into(),
            );
            events.push(DecisionSettled { decision: id, digest, settlement, reason }.into());
        }
        events.extend(stopping(run.branches(), cancelled()));
        events
    }

    /// The last word on an attempt whose task is gone.
    pub(crate) fn answer(detached: &Detached) -> Event {
        let started = &detached.attempt.started;
        if detached.in_doubt {
            return reconciled(started.attempt, Resolution::GiveUp);
        }
        succeeded(started.attempt, started.try_number)
    }
}

/// What is open in these branches is taken back first.
fn stopping<'b>(branches: impl IntoIterator<Item = &'b Branch>, last: Event) -> Vec<Event> {
    branches.into_iter().filter_map(withdrawn).chain([last]).collect()
}

fn withdrawn(branch: &Branch) -> Option<Event> {
    match &branch.activity {
        Activity::Asked(_, ask) => Some(end(ask, Settlement::Withdrawn)),
        Activity::Approved(_, ask) => Some(void(ask.decision, VoidReason::RunCancelled)),
        Activity::Deferred(_, last, _) => {
            last.ask.as_ref().map(|ask| void(ask.decision, VoidReason::TimedOut))
        }
        Activity::Awaiting(_, child) => Some(ChildDropped { child: *child }.into()),
        _ => None,
    }
}

/// The run goes on under another version: what is open is taken back for that.
fn migrating(run: &Run) -> Vec<Event> {
    let migrated =
        RunMigrated { workflow: workflow("migrated"), plan_digest: digest("migrated") }.into();
    let taken_back = run.branches().iter().filter_map(|branch| match &branch.activity {
        Activity::Asked(_, ask) => Some(end(ask, Settlement::Superseded)),
        Activity::Approved(_, ask) => Some(void(ask.decision, VoidReason::Migrated)),
        _ => None,
    });
    taken_back.chain([migrated]).collect()
}

fn void(decision: DecisionId, reason: VoidReason) -> Event {
    DecisionVoided { decision, reason, field: None }.into()
}

/// The request ends.
fn end(ask: &Ask, settlement: Settlement) -> Event {
    let (decision, digest) = (ask.decision, ask.draft.digest);
    DecisionSettled { decision, digest, settlement, reason: None }.into()
}
