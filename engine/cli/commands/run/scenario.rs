//! `placet run --scenario`: one run under a scenario, on the real path: the same plan, policy, requests,
//! votes, claims and attempts. People of the scenario answer; whoever is not in it approves. Virtual
//! time passes as fast as nothing happens.
//!
//! The run is in memory, or with `--data` in data that stay; there `--resume` goes on with one that waits,
//! under the same scenario or another. What is remembered is the log: the calls that were made are made
//! again in order, so the n-th call stays the n-th, and what was said to a request is not said again.

use super::{Args, Home};
use crate::compose::{self, Place};
use crate::exit::{Exit, invalid};
use crate::findings;
use crate::out::{self, Stream};
use crate::people;
use crate::project::Project;
use crate::scenarios::{self, Read};
use crate::testing::Failure;
use crate::testing::bench::{Bench, Ground};
use crate::testing::drive::Drive;
use crate::testing::find::{self, Workflow};
use crate::view;
use anyhow::Result;
use placet_executor::Clock;
use placet_language::test_file::{EndStatus, Expect, Spanned, TestCase};
use placet_log::Log;
use placet_model::plan::Plan;
use placet_model::{Digest, RunId};
use placet_projections::Views;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

pub(super) async fn run(
    args: &Args,
    (project, file): (Project, &Path),
    (name, input): (&str, Value),
) -> Result<Exit> {
    let mut ground = find::ground(project)?;
    let (workflow, found) = find::workflow_at(file, &BTreeMap::new(), &ground).map_err(invalid)?;
    found.iter().for_each(findings::say);
    let Some(workflow) = workflow else {
        return Err(invalid(format!("{} cannot be run", file.display())));
    };
    for plan in workflow.plans() {
        people::add_test_approvers(&mut ground.policy, plan);
    }
    let read = scenarios::read(name, &ground.project, &ground.adapters)?;
    let wrong = find::with_known(&workflow, &ground, |known| {
        read.scenario.check_names(&read.source, known)
    });
    if !wrong.is_empty() {
        return Err(scenarios::wrong(&read.source, wrong));
    }
    let test = as_test(read, (input, args.seed));
    let none = BTreeMap::new();
    let bench = match &args.data {
        None => Bench::set_up(&ground, &workflow, &none, (&test, args.seed)).await?,
        Some(data) => {
            let log = opened(&ground, &Place::of(data))?;
            let bench = Bench::open(&ground, log, (&test, args.seed)).await?;
            bench.furnished(&ground, &workflow, &none).await?
        }
    };
    let played = play(&bench, &workflow, (&test, args.seed)).await;
    bench.stop().await?;
    let (report, failures) = played?;
    tell(args, &report, &failures)
}

/// Goes on with a run that waits.
pub(super) async fn resume(
    args: &Args,
    project: Project,
    (name, run): (&str, RunId),
) -> Result<Exit> {
    let home = Home::of(args, &project)?;
    let ground = find::ground(project)?;
    let read = scenarios::read(name, &ground.project, &ground.adapters)?;
    let (log, clock) = opened(&ground, &home.place())?;
    let unknown = || invalid(format!("there is no run {run} here"));
    let seed = super::seed_of(&log, run)?.ok_or_else(unknown)?;
    let workflow = deployed(&log, run)?.ok_or_else(unknown)?;
    let wrong = find::with_known(&workflow, &ground, |known| {
        read.scenario.check_names(&read.source, known)
    });
    if !wrong.is_empty() {
        return Err(scenarios::wrong(&read.source, wrong));
    }
    let test = as_test(read, (Value::Null, seed));
    let bench = Bench::open(&ground, (log, clock), (&test, seed)).await?;
    let mut notices = bench.handle().notices();
    let mut drive = Drive::new(&bench, &test, &workflow.plans(), run);
    let gone = match drive.resumed() {
        Ok(()) => drive.go(&mut notices).await,
        Err(error) => Err(error),
    };
    let report = bench.handle().report(run).map_err(|error| crate::exit::refused(&error));
    bench.stop().await?;
    let (failures, report) = (gone?, report?);
    home.close(Some(run).filter(|_| report["status"] == "waiting"))?;
    tell(args, &report, &failures)
}

/// A log of the sandbox, with its virtual clock where its last event has left it.
fn opened(ground: &Ground, place: &Place) -> Result<(Log, Clock)> {
    let log = compose::open_log_of(&ground.project, place)?;
    compose::refuse_served(place, &log)?;
    if log.head().get() == 0 {
        compose::mark_virtual(&place.data)?;
    } else if !compose::is_virtual(&place.data) {
        let data = place.data.display();
        return Err(invalid(format!(
            "time is real in the data in {data}: a scenario is played where it is virtual"
        )));
    }
    let clock = compose::virtual_clock(&log)?;
    Ok((log, clock))
}

/// The workflow of a run, and those beside it, as they were deployed.
fn deployed(log: &Log, run: RunId) -> Result<Option<Workflow>> {
    let view = log.read()?;
    let views = Views::new(&view)?;
    let Some(row) = views.run(run)? else { return Ok(None) };
    let plan = |digest: Digest| -> Result<Option<(Plan, String)>> {
        let Some(at) = views.plan(digest)? else { return Ok(None) };
        let plan = view.payload(&at.stream, at.payload)?;
        Ok(Some((serde_json::from_slice(plan.as_bytes())?, String::new())))
    };
    let mut others = vec![];
    for other in views.workflows()?.into_iter().filter(|other| other.plan_digest != row.plan_digest)
    {
        others.extend(plan(other.plan_digest)?);
    }
    Ok(plan(row.plan_digest)?.map(|tested| Workflow { tested, others }))
}

/// A test that expects nothing.
fn as_test(read: Read, (input, seed): (Value, u64)) -> TestCase {
    let scenario = read.scenario;
    let span = scenario.says.span;
    TestCase {
        name: scenario.says,
        skip: None,
        input,
        seed,
        start_at: None,
        started_by: None,
        answers: vec![],
        calls: scenario.calls,
        decisions: scenario.decisions,
        others_approve: true,
        events: scenario.events,
        expect: Expect {
            span,
            status: Spanned { value: EndStatus::Completed, span },
            output: None,
            error: None,
            sent: None,
            tasks: vec![],
            duration: None,
            refused: None,
        },
    }
}

async fn play(
    bench: &Bench,
    workflow: &Workflow,
    (test, seed): (&TestCase, u64),
) -> Result<(Value, Vec<Failure>)> {
    let mut notices = bench.handle().notices();
    let run = bench.start(test, seed).await.map_err(|error| crate::exit::refused(&error))?;
    let mut drive = Drive::new(bench, test, &workflow.plans(), run);
    let failures = drive.go(&mut notices).await?;
    let report = bench.handle().report(run).map_err(|error| crate::exit::refused(&error))?;
    Ok((report, failures))
}

fn tell(args: &Args, report: &Value, failures: &[Failure]) -> Result<Exit> {
    for failure in failures {
        out::say(&format!("{}: {}", failure.what, failure.message));
    }
    let exit = match report["status"].as_str() {
        Some("completed") => Exit::Done,
        Some("waiting") => Exit::Waiting,
        _ => Exit::Negative,
    };
    if args.json {
        out::json(&super::kept(report))?;
    } else {
        out::data(&view::trace::text(report, Stream::Out))?;
    }
    Ok(exit)
}
