//! Events that may follow in a run, drawn at random; the core says which of them do.

use crate::make::*;
use placet_core::Run;
use placet_core::run::{Activity, Ask, Detached, FrameKind, Phase};
use placet_model::attempt::RefuseReason;
use placet_model::decision::{Resolution, Settlement, Verdict, VoidReason};
use placet_model::event::attempt::AttemptStarted;
use placet_model::event::decision::{
    DecisionRequested, DecisionSettled, DecisionVoided, DraftPrepared, RequirementRaised, VoteCast,
};
use placet_model::event::run::{
    FaultCaught, IterationStarted, TaskCompleted, TaskFaulted, TaskShape, TaskSkipped, TaskStarted,
    Then, TimerArmed, TimerKind,
};
use placet_model::{AttemptId, Event, Iteration, TaskPath, Timestamp};

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

    fn soon(&mut self, run: &Run) -> Timestamp {
        run.touched_at.plus_millis(1000 * i64::try_from(1 + self.below(50)).unwrap())
    }

    /// Events that might follow, together or not at all.
    pub(crate) fn next(&mut self, run: &Run) -> Vec<Event> {
        if matches!(run.phase, Phase::Absent) {
            let deadline = self.one_in(2).then(|| self.soon(run));
            return vec![started_with(self.pick(&["a", "b"]), deadline)];
        }
        if !run.detached.is_empty() && self.one_in(3) {
            let detached: Vec<_> = run.detached.values().collect();
            let which = detached[self.below(detached.len())].clone();
            return vec![self.outcome(&which)];
        }
        // what waits for somebody is stopped more often than what is on its way
        let patience = if run.activity.leaf().is_some() { 15 } else { 100 };
        if self.one_in(patience) {
            return Self::stopping(run, cancelled());
        }
        if self.one_in(patience) || (!run.timers.is_empty() && self.one_in(8)) {
            return self.time_out(run);
        }
        match &run.phase {
            Phase::Absent | Phase::Completed(_) | Phase::Faulted(..) | Phase::Cancelled(_) => {
                vec![]
            }
            Phase::Faulting(_, _, from) => vec![Self::unwind(run, from)],
            Phase::Ending(..) => vec![run_completed()],
            Phase::Running(_) => match &run.activity {
                Activity::Idle => self.in_frame(run),
                _ => vec![self.in_leaf(run)],
            },
        }
    }

    fn in_frame(&mut self, run: &Run) -> Vec<Event> {
        let frame = run.frames.last().unwrap();
        let task = frame.task.child("do", frame.index as usize, &format!("t{}", frame.index));
        let iteration = frame.child_iteration();
        let then = if self.one_in(20) { Then::End } else { Then::Continue };
        let complete = |task: TaskPath, iteration, then| {
            let (output, context, goto) = (content(1), None, None);
            TaskCompleted { task, iteration, output, context, then, goto }.into()
        };
        let (kind, shape) = (self.below(10), self.pick(TaskShape::ALL));
        vec![match kind {
            0..=3 => {
                let items = (shape == TaskShape::For).then_some(content(1));
                let count = if shape == TaskShape::For { 2 } else { 0 };
                TaskStarted { task, iteration, shape, input: content(1), items, count }.into()
            }
            4 => complete(task, iteration, then),
            5 => TaskSkipped { task, iteration }.into(),
            6 => TaskFaulted { task, iteration, fault: fault() }.into(),
            7 => {
                // a container has its timeout armed while it is worked through
                let (timer, due_at) = (timer(self.id()), self.soon(run));
                let (task, iteration) = (frame.task.clone(), frame.iteration.clone());
                let kind = TimerKind::TaskTimeout;
                TimerArmed { timer, task, iteration, kind, due_at }.into()
            }
            8 if run.frames.len() == 1 => run_completed(),
            8 => complete(frame.task.clone(), frame.iteration.clone(), then),
            _ => {
                let FrameKind::For { current, .. } = frame.kind else { return vec![] };
                let (task, iteration) = (frame.task.clone(), frame.iteration.clone());
                IterationStarted { task, iteration, index: current.map_or(0, |now| now + 1) }.into()
            }
        }]
    }

    fn in_leaf(&mut self, run: &Run) -> Event {
        let leaf = run.activity.leaf().unwrap();
        let (task, iteration) = (leaf.task.clone(), leaf.iteration.clone());
        match &run.activity {
            Activity::Idle => cancelled(),
            Activity::Started(_) if self.one_in(4) => {
                let (timer, due_at) = (timer(self.id()), self.soon(run));
                let kind = self.pick(&[TimerKind::TaskTimeout, TimerKind::Wait]);
                TimerArmed { timer, task, iteration, kind, due_at }.into()
            }
            Activity::Started(_) if self.one_in(3) => {
                let Event::AttemptStarted(read) = tried(attempt(self.id()), 1, None) else {
                    unreachable!("a try")
                };
                AttemptStarted { task, iteration, ..read }.into()
            }
            Activity::Started(_) | Activity::Unsent(..) => self.draft(run, &task, iteration),
            Activity::Drafted(_, draft) => {
                let (decision, expires_at) = (decision(self.id()), self.soon(run));
                let digest = draft.digest;
                DecisionRequested { decision, task, iteration, digest, expires_at }.into()
            }
            Activity::Waiting(_, timer) => fired(*timer),
            Activity::Waited(_) | Activity::Answered(..) => TaskCompleted {
                task,
                iteration,
                output: content(1),
                context: None,
                then: Then::Continue,
                goto: None,
            }
            .into(),
            Activity::Denied(..) | Activity::Refused(..) | Activity::GivenUp(_) => {
                TaskFaulted { task, iteration, fault: fault() }.into()
            }
            Activity::Asked(_, ask) => self.on_request(ask),
            Activity::Approved(_, ask) => self.on_approval(ask),
            Activity::Attempting(_, current) => {
                let (attempt, in_doubt) = (current.as_ref().clone(), false);
                self.outcome(&Detached { attempt, in_doubt })
            }
            Activity::Deferred(_, last, _) => match &last.ask {
                Some(ask) if self.one_in(3) => self.on_approval(ask),
                Some(_) | None => next_try(&last.started),
            },
            Activity::InDoubt(_, last) if self.one_in(3) => next_try(&last.started),
            Activity::InDoubt(_, last) => {
                let (attempt, in_doubt) = (last.as_ref().clone(), true);
                self.outcome(&Detached { attempt, in_doubt })
            }
        }
    }

    fn draft(&mut self, run: &Run, task: &TaskPath, iteration: Iteration) -> Event {
        let key = (task.clone(), iteration.clone());
        let revision = run.drafts.get(&key).map_or(1, |last| last + 1);
        let mut made = draft(task, revision);
        made.integration = made.integration.filter(|_| !self.one_in(3));
        let unique = format!("{revision} of {iteration}");
        DraftPrepared {
            iteration,
            send_id: unique.clone(),
            digest: digest(&unique),
            nonce: unique,
            ..made
        }
        .into()
    }

    fn on_request(&mut self, ask: &Ask) -> Event {
        if self.one_in(2) {
            let name = self.pick(&["ana", "ben"]);
            let request = self.one_in(2).then(|| format!("r{}", self.id()));
            let verdict = self.pick(Verdict::ALL);
            let Event::VoteCast(vote) = vote(ask.decision, name, verdict, request.as_deref())
            else {
                unreachable!("a vote")
            };
            return VoteCast { digest: ask.draft.digest, ..vote }.into();
        }
        let settlement =
            if self.one_in(3) { self.pick(Settlement::ALL) } else { Settlement::Approved };
        end(ask, settlement)
    }

    fn on_approval(&mut self, ask: &Ask) -> Event {
        let decision = ask.decision;
        match self.below(8) {
            0 => {
                let (requirement, missing) = (ask.requirement.clone(), vec!["one".to_owned()]);
                RequirementRaised { decision, requirement, missing }.into()
            }
            1 => DecisionVoided { decision, reason: VoidReason::Expired, field: None }.into(),
            _ => {
                let new = attempt(self.id());
                let (attempt, tries) = ask.prior.unwrap_or((new, 0));
                claim(ask, attempt, tries + 1)
            }
        }
    }

    /// How a try ends, or how its doubt does.
    fn outcome(&mut self, detached: &Detached) -> Event {
        let started = &detached.attempt.started;
        let (id, number) = (started.attempt, started.try_number);
        if detached.in_doubt {
            return reconciled(id, self.pick(Resolution::ALL));
        }
        match self.below(5) {
            0 => in_doubt(id, number),
            1 => deferred(id, number, detached.attempt.started_at.plus_millis(5000)),
            2 => refused(id, number, self.pick(RefuseReason::ALL)),
            _ => succeeded(id, number),
        }
    }

    /// A task, or the run, has taken too long. A timer that fires shares the commit with its fault.
    fn time_out(&mut self, run: &Run) -> Vec<Event> {
        let mut events = Vec::new();
        let timeouts: Vec<_> =
            run.timers.iter().filter(|(_, timer)| timer.kind != TimerKind::Wait).collect();
        let (task, iteration) = if timeouts.is_empty() {
            (TaskPath::root(), Iteration::none())
        } else {
            let (id, timer) = timeouts[self.below(timeouts.len())];
            events.push(fired(*id));
            (timer.task.clone(), timer.iteration.clone())
        };
        let fault = TaskFaulted { task, iteration, fault: fault() };
        events.extend(Self::stopping(run, fault.into()));
        events
    }

    /// What is open is taken back first.
    fn stopping(run: &Run, last: Event) -> Vec<Event> {
        let void = |decision| {
            DecisionVoided { decision, reason: VoidReason::RunCancelled, field: None }.into()
        };
        let before = match &run.activity {
            Activity::Asked(_, ask) => Some(end(ask, Settlement::Withdrawn)),
            Activity::Approved(_, ask) => Some(void(ask.decision)),
            Activity::Deferred(_, last, _) => last.ask.as_ref().map(|ask| void(ask.decision)),
            _ => None,
        };
        before.into_iter().chain([last]).collect()
    }

    fn unwind(run: &Run, from: &TaskPath) -> Event {
        let around = run.frames.iter().rev().find(|frame| {
            let inside = from.as_str().strip_prefix(frame.task.as_str());
            frame.kind == FrameKind::Try && inside.is_some_and(|rest| rest.starts_with('/'))
        });
        around.map_or_else(run_faulted, |frame| {
            let (task, iteration) = (frame.task.clone(), frame.iteration.clone());
            FaultCaught { task, iteration, fault: content(3) }.into()
        })
    }

    /// What ends a run wherever it stands.
    pub(crate) fn ending(run: &Run) -> Vec<Event> {
        if run.facts().is_none() {
            return vec![];
        }
        let drafted = match &run.activity {
            // a draft that is not in the inbox yet has to get there before it can be taken back
            Activity::Drafted(leaf, draft) => {
                let id = decision(u128::MAX - run.id.as_u128());
                let expires_at = run.touched_at;
                let (task, iteration) = (leaf.task.clone(), leaf.iteration.clone());
                let (digest, reason) = (draft.digest, None);
                let settlement = Settlement::Withdrawn;
                vec![
                    DecisionRequested { decision: id, task, iteration, digest, expires_at }.into(),
                    DecisionSettled { decision: id, digest, settlement, reason }.into(),
                ]
            }
            _ => vec![],
        };
        drafted.into_iter().chain(Self::stopping(run, cancelled())).collect()
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

/// The request ends.
fn end(ask: &Ask, settlement: Settlement) -> Event {
    let (decision, digest) = (ask.decision, ask.draft.digest);
    DecisionSettled { decision, digest, settlement, reason: None }.into()
}

/// A try of exactly what was approved.
fn claim(ask: &Ask, id: AttemptId, try_number: u32) -> Event {
    let Event::AttemptStarted(body) = tried(id, try_number, Some(ask.decision)) else {
        unreachable!("a try")
    };
    let draft = ask.draft.clone();
    AttemptStarted {
        task: draft.task,
        iteration: draft.iteration,
        digest: Some(draft.digest),
        send_id: draft.send_id,
        integration: draft.integration,
        not_after: ask.expires_at,
        ..body
    }
    .into()
}

fn next_try(last: &AttemptStarted) -> Event {
    let mut next = last.clone();
    next.try_number += 1;
    next.into()
}
