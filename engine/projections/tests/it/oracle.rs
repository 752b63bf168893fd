//! What the views must say of a run, from the core's own fold of it.

use crate::support::World;
use placet_core::Run;
use placet_core::run::{Activity, Phase};
use placet_model::decision::DecisionState;
use placet_model::{DecisionId, RunId, Timestamp};
use placet_projections::{Due, DueRow, RunStatus, WaitingFor};
use std::collections::{BTreeMap, BTreeSet};

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
    assert_eq!((row.status, row.waiting_for), stands(run), "{run:?}");
    for (decision, state) in states(run) {
        let row = world.see(|views| views.decision(decision)).unwrap();
        assert_eq!((row.run, row.state), (run.id, state), "{decision} of {run:?}");
        assert_eq!(
            row.in_doubt.map(|(attempt, _)| attempt),
            run.in_doubt(decision).map(|a| a.started.attempt)
        );
    }
    if let Some(ask) = run.ask() {
        let row = world.see(|views| views.decision(ask.decision)).unwrap();
        assert_eq!((row.expires_at, &row.requirement), (ask.expires_at, &ask.requirement));
        assert_eq!(row.votes.len(), ask.votes.len());
    }
}

fn stands(run: &Run) -> (RunStatus, Option<WaitingFor>) {
    let waiting = match &run.phase {
        Phase::Absent => unreachable!("it has facts"),
        Phase::Completed(_) => return (RunStatus::Completed, None),
        Phase::Faulted(..) => return (RunStatus::Faulted, None),
        Phase::Cancelled(_) => return (RunStatus::Cancelled, None),
        Phase::Faulting(..) | Phase::Ending(..) => None,
        Phase::Running(_) => match &run.activity {
            Activity::Waiting(..) => Some(WaitingFor::Timer),
            Activity::Asked(_, ask) | Activity::Approved(_, ask) => {
                Some(WaitingFor::Decision(ask.decision))
            }
            Activity::Attempting(..) => Some(WaitingFor::Answer),
            Activity::Deferred(..) => Some(WaitingFor::Deferred),
            Activity::InDoubt(..) => Some(WaitingFor::InDoubt),
            Activity::Idle
            | Activity::Started(_)
            | Activity::Waited(_)
            | Activity::Drafted(..)
            | Activity::Denied(..)
            | Activity::Answered(..)
            | Activity::Refused(..)
            | Activity::Unsent(..)
            | Activity::GivenUp(_) => None,
        },
    };
    (waiting.map_or(RunStatus::Running, |_| RunStatus::Waiting), waiting)
}

fn states(run: &Run) -> BTreeMap<DecisionId, DecisionState> {
    let mut states = run.closed.clone();
    match &run.activity {
        Activity::Asked(_, ask) => states.insert(ask.decision, DecisionState::Requested),
        Activity::Approved(_, ask) => states.insert(ask.decision, DecisionState::Approved),
        _ => None,
    };
    states
}

/// The lists over all runs.
pub(crate) fn check_lists<'r>(world: &World, runs: impl Iterator<Item = &'r Run>) {
    let mut expected = Lists::default();
    for run in runs {
        expected.add(run);
    }
    let far = Timestamp::from_millis(i64::MAX);
    let seen = world.see(|views| {
        let set = |runs: Vec<RunId>| runs.into_iter().collect::<BTreeSet<_>>();
        let decisions = |rows: Vec<placet_projections::DecisionRow>| {
            rows.into_iter().map(|row| row.decision).collect::<BTreeSet<_>>()
        };
        Ok(Lists {
            ready: set(views.ready()?),
            in_flight: set(views.in_flight()?),
            in_doubt: set(views.in_doubt()?),
            open: decisions(views.open(None, usize::MAX)?),
            approved: decisions(views.approved()?),
            due: views.due(far, usize::MAX)?.into_iter().collect(),
        })
    });
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
}

impl Lists {
    fn add(&mut self, run: &Run) {
        if run.facts().is_some() && stands(run).0 == RunStatus::Running {
            self.ready.insert(run.id);
        }
        if let Activity::Approved(_, ask) = &run.activity {
            self.approved.insert(ask.decision);
        }
        self.open.extend(run.ask().map(|ask| ask.decision));
        let detached = run.detached.values().map(|d| (&d.attempt, d.in_doubt));
        let attached = match &run.activity {
            Activity::Attempting(_, attempt) => Some((&**attempt, false)),
            Activity::InDoubt(_, attempt) => Some((&**attempt, true)),
            _ => None,
        };
        for (attempt, in_doubt) in detached.chain(attached) {
            if in_doubt {
                self.in_doubt.insert(run.id);
                self.open.extend(attempt.started.decision);
            } else {
                self.in_flight.insert(run.id);
            }
        }
        self.due.extend(due(run).into_iter().map(|(at, due)| DueRow { at, run: run.id, due }));
    }
}

fn due(run: &Run) -> Vec<(Timestamp, Due)> {
    let mut due = Vec::new();
    let faulting = match &run.phase {
        Phase::Faulting(_, _, task) => Some(task.as_str()),
        _ => None,
    };
    if !run.is_over() && faulting != Some("") {
        let deadline = run.facts().and_then(|facts| facts.started.deadline);
        due.extend(deadline.map(|at| (at, Due::RunDeadline)));
    }
    // the core keeps the timers of a faulted task until the fault is caught; they are moot already
    let moot = |task: &str| {
        faulting.is_some_and(|from| {
            task.strip_prefix(from).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let timers = run.timers.iter().filter(|(_, timer)| !moot(timer.task.as_str()));
    due.extend(timers.map(|(id, timer)| (timer.due_at, Due::Timer(*id))));
    due.extend(run.ask().map(|ask| (ask.expires_at, Due::Expiry(ask.decision))));
    if let Activity::Deferred(_, attempt, until) = &run.activity {
        due.push((*until, Due::Retry(attempt.started.attempt)));
        let not_after = attempt.started.not_after;
        due.extend(attempt.ask.as_ref().map(|ask| (not_after, Due::Expiry(ask.decision))));
    }
    due
}
