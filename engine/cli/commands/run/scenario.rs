//! `placet run --scenario`: one run under a scenario, in memory, on the real path: the same plan,
//! policy, requests, votes, claims and attempts. People of the scenario answer; whoever is not in it
//! approves. Virtual time passes as fast as nothing happens.

use super::Args;
use crate::exit::{Exit, invalid};
use crate::findings;
use crate::out::{self, Stream};
use crate::people;
use crate::project::Project;
use crate::scenarios::{self, Read};
use crate::testing::bench::Bench;
use crate::testing::drive::Drive;
use crate::testing::find::{self, Workflow};
use crate::testing::{Failure, deliver};
use crate::view;
use anyhow::Result;
use placet_language::test_file::{EndStatus, Expect, Spanned, TestCase};
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
    let bench = Bench::set_up(&ground, &workflow, &BTreeMap::new(), (&test, args.seed)).await?;
    let played = play(&bench, &workflow, (&test, args.seed)).await;
    bench.stop().await?;
    let (report, failures) = played?;
    tell(args, &report, &failures)
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
    deliver::hold(bench, test);
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
