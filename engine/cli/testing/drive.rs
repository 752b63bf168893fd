//! Drives one run to where it ends, or where the script has nothing more to say. Time passes only
//! here and in the engine: never on the wall.

use super::Failure;
use super::bench::Bench;
use super::deliver::{self, Arrivals, Next};
use super::script::{self, Script};
use crate::exit::refused;
use crate::people::{self, AUTHOR};
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
        let arrivals = Arrivals::new(run, (&test.events, plans));
        let script = Script::new(test, plans);
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
        let author = people::principal(AUTHOR);
        self.arrivals.recall(|event| match handle.published(event, &author) {
            Ok(place) => Ok(place.is_some()),
            // what is no event is refused when it comes
            Err(placet_executor::Error::Refused { .. }) => Ok(false),
            Err(error) => Err(refused(&error)),
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose;
    use crate::project::Project;
    use crate::testing::bench::Ground;
    use crate::testing::find::{self, Workflow};
    use placet_language::{Source, check_test};
    use placet_log::{KeyPlace, Log, OpenOptions, ProjectKey, Storage};
    use placet_projections::Projections;
    use placet_test_support::disk::{Disk, Honesty};
    use std::collections::BTreeMap;

    const HEARS: &str = "document: { dsl: '1.0.3', namespace: ops, name: hears, version: '1.0.0' }
do:
  - sleep: { wait: PT1H }
  - hear: { listen: { to: { all: [{ with: { type: a } }, { with: { type: b } }, { with: { type: c } }] } } }
";
    /// Two come when the sleep ends, at one moment, and one as soon as the run listens.
    const COME: &str = "workflow: hears.yaml
tests:
  - name: three come
    events:
      - { after: PT1H, event: { type: a, source: test } }
      - { after: PT1H, event: { type: b, source: test } }
      - { afterTask: hear, event: { type: c, source: test } }
    expect: { sent: [] }
";

    /// A machine with the log of one project.
    struct Machine {
        log: Disk,
        keys: Disk,
        journal: Disk,
    }

    impl Machine {
        fn opened(&self) -> (Log, placet_executor::Clock) {
            let storage = Storage::Backends {
                log: self.log.backend(),
                keys: self.keys.backend(),
                journal: self.journal.backend(),
            };
            let options = OpenOptions::with_storage(storage, "local")
                .keys(KeyPlace::Given(ProjectKey::from_bytes([7; 32])))
                .cache_bytes(4 << 20)
                .projector(Projections::new());
            let log = Log::open(options).unwrap();
            let clock = compose::virtual_clock(&log).unwrap();
            (log, clock)
        }

        /// Another one, with what is durable on this one now: what a killed process leaves behind.
        fn left_behind(&self) -> Self {
            let of = |disk: &Disk| Disk::of(disk.image(), Honesty::Honest);
            Self { log: of(&self.log), keys: of(&self.keys), journal: of(&self.journal) }
        }
    }

    /// What `looks` looks at a run leave behind; none where it was over before.
    async fn broken_off(
        ground: &Ground,
        workflow: &Workflow,
        (test, looks): (&TestCase, usize),
    ) -> (Machine, RunId, bool) {
        let fresh = || Disk::new(Honesty::Honest);
        let machine = Machine { log: fresh(), keys: fresh(), journal: fresh() };
        let bench = Bench::open(ground, machine.opened(), (test, 0)).await.unwrap();
        let bench = bench.furnished(ground, workflow, &BTreeMap::new()).await.unwrap();
        let mut notices = bench.handle().notices();
        let run = bench.start(test, 0).await.unwrap();
        let mut drive = Drive::new(&bench, test, &workflow.plans(), run);
        let mut is_over = false;
        for _ in 0..looks {
            match drive.look().await.unwrap() {
                Look::Over => is_over = true,
                Look::Busy => drop(notices.recv().await.unwrap()),
                Look::Acted => {}
                Look::Stuck(failure) | Look::Misheard(failure) => panic!("{failure:?}"),
            }
        }
        let left = machine.left_behind();
        bench.stop().await.unwrap();
        (left, run, is_over)
    }

    /// How often an event of each type is on record, at the end of a run that is gone on with.
    async fn gone_on(
        ground: &Ground,
        plans: &[&Plan],
        test: &TestCase,
        left: (&Machine, RunId),
    ) -> Vec<String> {
        let (machine, run) = left;
        let bench = Bench::open(ground, machine.opened(), (test, 0)).await.unwrap();
        let mut notices = bench.handle().notices();
        let mut drive = Drive::new(&bench, test, plans, run);
        drive.resumed().unwrap();
        let failures = drive.go(&mut notices).await.unwrap();
        assert!(failures.is_empty(), "{failures:?}");
        let report = bench.handle().report(run).unwrap();
        assert_eq!(report["status"], "completed", "{report:#}");
        let view = bench.handle().view().unwrap();
        let came = view.stream(&StreamId::Events, Revision::START).map(Result::unwrap);
        let mut kinds: Vec<String> = came
            .filter_map(|recorded| match recorded.event {
                Event::EventReceived(body) => Some(body.kind),
                _ => None,
            })
            .collect();
        kinds.sort();
        bench.stop().await.unwrap();
        kinds
    }

    /// Wherever a process ends, also at the very moment at which something is due: whoever goes on with
    /// the run delivers what has not come, and nothing twice.
    #[tokio::test]
    async fn a_scripted_event_comes_exactly_once_wherever_its_run_is_broken_off() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hears.yaml");
        std::fs::write(&file, HEARS).unwrap();
        let (tests, found) = check_test(&Source::new("hears.test.yaml", COME));
        let test = &tests.unwrap_or_else(|| panic!("{found:?}")).tests[0];
        let ground = find::ground(Project::at(dir.path()).unwrap()).unwrap();
        let (workflow, found) = find::workflow_at(&file, &BTreeMap::new(), &ground).unwrap();
        let workflow = workflow.unwrap_or_else(|| panic!("{found:?}"));
        let mut broken_off_under_way = 0;
        for looks in 0.. {
            let (left, run, is_over) = broken_off(&ground, &workflow, (test, looks)).await;
            let came = gone_on(&ground, &workflow.plans(), test, (&left, run)).await;
            assert_eq!(came, ["a", "b", "c"], "broken off after {looks} looks");
            if is_over {
                break;
            }
            broken_off_under_way += 1;
        }
        assert!(broken_off_under_way > 3, "the run was under way at {broken_off_under_way} places");
    }
}
