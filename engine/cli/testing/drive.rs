//! Drives one run to where it ends, or where the script has nothing more to say. Time passes only
//! here and in the engine: never on the wall.

use super::Failure;
use super::bench::Bench;
use super::deliver::{self, Arrivals, Next};
use super::script::{self, Script};
use crate::exit::refused;
use anyhow::Result;
use placet_executor::Notice;
use placet_language::test_file::{EndStatus, Says, ScriptedDecision, TestCase};
use placet_model::decision::DecisionState;
use placet_model::plan::Plan;
use placet_model::{Event, Revision, RunId, StreamId, Timestamp};
use placet_projections::{DecisionRow, RunStatus, Views};
use std::collections::BTreeSet;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Looks at one run: beyond it something goes round in circles.
const LOOKS_MAX: usize = 200_000;

/// One run under its script.
pub(crate) struct Drive<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) test: &'a TestCase,
    pub(crate) run: RunId,
    pub(crate) script: Script<'a>,
    arrivals: Arrivals<'a>,
    /// What the engine's clock was last held for.
    held_for: Option<Next>,
}

/// What one look at the run came to.
enum Look {
    /// The run is over.
    Over,
    /// It stands still, and only somebody outside of the script could help it on.
    Stuck(Failure),
    /// A vote did not go as scripted.
    Misheard(Failure),
    /// Something was said or time has passed: look again at once.
    Acted,
    /// The engine is at work: it will tell.
    Busy,
}

impl<'a> Drive<'a> {
    pub(crate) fn new(bench: &'a Bench, test: &'a TestCase, plans: &[&Plan], run: RunId) -> Self {
        let (script, arrivals) = (Script::new(test, plans), Arrivals::new(&test.events, plans));
        Self { bench, test, run, script, arrivals, held_for: None }
    }

    /// Goes on with a run that waits: what the script has said to it is not said again.
    pub(crate) fn resumed(&mut self) -> Result<()> {
        let handle = self.bench.handle();
        let view = handle.view().map_err(|error| refused(&error))?;
        let views = Views::new(&view)?;
        for event in view.stream(&StreamId::Run(self.run), Revision::START) {
            let Event::DecisionRequested(body) = event?.event else { continue };
            let row = views.decision(body.decision)?;
            let settled = row.filter(|row| row.state != DecisionState::Requested);
            if let Some(row) = settled.filter(|row| self.script.decision(row).is_some()) {
                self.script.said(row.decision);
            }
        }
        if let Some(row) = views.run(self.run)? {
            let begun = self.begun()?;
            self.arrivals.came((row.started_at, handle.now()), &begun);
        }
        Ok(())
    }

    /// Until the run is over or nothing can help it on. What did not go as scripted comes back.
    pub(crate) async fn go(&mut self, notices: &mut Receiver<Notice>) -> Result<Vec<Failure>> {
        for _ in 0..LOOKS_MAX {
            match self.look().await? {
                Look::Over => return Ok(self.unused()),
                Look::Stuck(failure) => return Ok(self.stuck(failure)),
                Look::Misheard(failure) => return Ok(vec![failure]),
                Look::Acted => {}
                Look::Busy => match notices.recv().await {
                    Ok(Notice::Failed) | Err(RecvError::Closed) => {
                        return Err(anyhow::anyhow!("the engine has ended"));
                    }
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                },
            }
        }
        let message = format!("the run did not come to rest within {LOOKS_MAX} looks at it");
        Ok(vec![Failure::new("run", self.test.name.span, message)])
    }

    /// What was scripted and never came about.
    fn unused(&self) -> Vec<Failure> {
        self.script.unused().into_iter().chain(self.arrivals.missed()).collect()
    }

    /// A run that is expected to wait has come to where it should.
    fn stuck(&self, failure: Failure) -> Vec<Failure> {
        if self.test.expect.status.value == EndStatus::Waiting {
            return self.unused();
        }
        vec![failure]
    }

    async fn look(&mut self) -> Result<Look> {
        let handle = self.bench.handle();
        let before = handle.log().head();
        let load = handle.load().await.map_err(|error| refused(&error))?;
        let view = handle.view().map_err(|error| refused(&error))?;
        let views = Views::new(&view)?;
        let row = views.run(self.run)?;
        if row.as_ref().is_some_and(|row| is_over(row.status)) {
            return Ok(Look::Over);
        }
        // what is idle stays idle until somebody acts, unless it was about to go on by itself
        let idle = load.runs == 0 && view.head().position() == before;
        let (mut moments, mut held) = (vec![], None);
        let started_at = row.map_or_else(|| handle.now(), |row| row.started_at);
        let next = self.arrivals.next((started_at, handle.now()), || self.begun())?;
        self.hold(next);
        match next {
            // one after the other, each when what came before has been worked through
            Next::Now(place) if idle => {
                let delivered = deliver::deliver(self.bench, self.arrivals.take(place)).await;
                return Ok(delivered.map_or_else(Look::Misheard, |()| Look::Acted));
            }
            Next::Now(_) | Next::Nothing => {}
            Next::At(at) => moments.push(at),
        }
        for row in views.open(None, usize::MAX)? {
            if let Some((attempt, _)) = row.in_doubt
                && views.is_looked_up(row.run, attempt)?
            {
                continue;
            }
            match self.answer(&row).await? {
                Answer::Said => return Ok(Look::Acted),
                Answer::Wrong(failure) => return Ok(Look::Stuck(failure)),
                Answer::Misheard(failure) => return Ok(Look::Misheard(failure)),
                Answer::Later(at) => moments.push(at),
                Answer::Nobody => held = Some(row),
            }
        }
        if !idle {
            return Ok(if load.runs > 0 { Look::Busy } else { Look::Acted });
        }
        if load.reminders > 0 {
            return Ok(Look::Busy);
        }
        Ok(match held {
            Some(row) => Look::Stuck(self.nobody(&row)),
            None => self.rest(moments, views.next_due()?),
        })
    }

    /// The engine does not jump past what comes next.
    fn hold(&mut self, next: Next) {
        let barrier = match next {
            Next::Now(_) => return,
            Next::At(at) => Some(at),
            Next::Nothing => None,
        };
        if self.held_for != Some(next) {
            self.held_for = Some(next);
            self.bench.clock.hold_at(barrier);
            self.bench.handle().wake();
        }
    }

    /// Paths of the tasks that have begun.
    fn begun(&self) -> Result<BTreeSet<String>> {
        let report = self.bench.handle().report(self.run).map_err(|error| refused(&error))?;
        let trace = report["trace"].as_array().into_iter().flatten();
        Ok(trace.filter_map(|entry| entry["task"].as_str()).map(str::to_owned).collect())
    }

    async fn answer(&mut self, row: &DecisionRow) -> Result<Answer> {
        if row.state != DecisionState::Requested {
            return Ok(Answer::Nobody);
        }
        let Some((place, decision)) = self.script.decision(row) else {
            if self.test.others_approve {
                let failure = script::approve(self.bench, row, self.test).await?;
                return Ok(failure.map_or(Answer::Said, Answer::Misheard));
            }
            return script::unexpected(self.bench, row, self.test).map(Answer::Wrong);
        };
        if let Some(at) = due(row, decision).filter(|at| *at > self.bench.handle().now()) {
            return Ok(Answer::Later(at));
        }
        match &decision.says {
            Says::Expire => Ok(Answer::Later(row.expires_at)),
            Says::Vote(vote) => {
                let failure = script::cast(self.bench, row, self.test, (place, vote)).await?;
                self.script.said(row.decision);
                Ok(failure.map_or(Answer::Said, Answer::Misheard))
            }
        }
    }

    fn nobody(&self, row: &DecisionRow) -> Failure {
        let task = row.task.as_str();
        let message = if row.in_doubt.is_some() {
            format!(
                "{task} was sent and its outcome is unknown: a person must look at the provider"
            )
        } else {
            format!("{task} is approved and held")
        };
        Failure::new("run", self.test.name.span, message)
    }

    /// The engine is idle. While somebody is asked its clock stands still, and we move it: to the
    /// next moment at which something is due or said.
    fn rest(&self, moments: Vec<Timestamp>, next: Option<Timestamp>) -> Look {
        if moments.is_empty() {
            // the engine moves on by itself to what is due
            let message = "the run waits for something that never comes";
            return match next {
                Some(_) => Look::Busy,
                None => Look::Stuck(Failure::new("run", self.test.name.span, message)),
            };
        }
        let now = self.bench.handle().now();
        if let Some(at) = moments.into_iter().chain(next).filter(|at| *at > now).min() {
            self.bench.clock.advance_to(at);
        }
        self.bench.handle().wake();
        Look::Acted
    }
}

const fn is_over(status: RunStatus) -> bool {
    match status {
        RunStatus::Completed | RunStatus::Faulted | RunStatus::Cancelled => true,
        RunStatus::Running | RunStatus::Waiting => false,
    }
}

/// What a request comes to for now.
enum Answer {
    /// The votes are cast.
    Said,
    /// A vote did not go as scripted.
    Misheard(Failure),
    /// Nothing in the script answers it.
    Wrong(Failure),
    /// It is answered, or ends, at this moment.
    Later(Timestamp),
    /// It is settled: the engine goes on with it, or it is held or in doubt.
    Nobody,
}

fn due(row: &DecisionRow, decision: &ScriptedDecision) -> Option<Timestamp> {
    row.requested_at.checked_add(decision.after?)
}
