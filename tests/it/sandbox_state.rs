//! What a sandbox run has made outlives the process: `kill -9` in the middle of a run changes none of its answers.
//!
//! covers: S21

use placet_test_support::dirs::Project;
use serde_json::{Value, json};

use crate::kit::{Dev, placet};

const CUSTOMERS: &str =
    "document: { dsl: '1.0.3', namespace: ops, name: customers, version: '1.0.0' }
do:
  - first:
      call: stripe.customers.create
      with: { name: Ana, email: ana@example.com }
      output: { as: '${ .id }' }
  - second:
      call: stripe.customers.create
      with: { name: Ben, email: ben@example.com }
      output: { as: '${ .id }' }
  - all:
      call: stripe.customers.list
      with: {}
      output: { as: '${ [.data[] | .name] }' }
";

fn project() -> Project {
    Project::new().with("placet.toml", "project = \"acme\"\n").with_workflow("customers", CUSTOMERS)
}

fn start(dev: &Dev<'_>) -> String {
    let started = dev.command("author", &["start", "ops/customers", "--seed", "0", "--json"]);
    started.run().expect_code(0).json()["run"].as_str().expect("a run").to_owned()
}

/// Waits until the run asks for the `nth` time.
fn asked(dev: &Dev<'_>, run: &str, nth: usize) {
    let watch = dev.command("author", &["runs", "watch", run]).start();
    drop(watch.stdout_line_nth(nth, |line| line.contains("DecisionRequested")));
}

/// Approves what the run asks for the `nth` time.
fn approve(dev: &Dev<'_>, run: &str, nth: usize) {
    asked(dev, run, nth);
    let decision = dev.item("approver")["id"].as_str().expect("an id").to_owned();
    drop(dev.command("approver", &["inbox", "approve", &decision]).run().expect_code(0));
}

fn outputs(dev: &Dev<'_>, run: &str) -> Vec<Value> {
    let watched = dev.command("author", &["runs", "watch", run]).run();
    drop(watched.expect_code(0));
    let report =
        dev.command("author", &["runs", "show", run, "--json"]).run().expect_code(0).json();
    assert_eq!(report["status"], "completed", "{report:#}");
    let trace = report["trace"].as_array().expect("a trace");
    trace.iter().map(|entry| entry["output"].clone()).collect()
}

#[test]
fn a_run_that_was_killed_in_the_middle_still_knows_what_it_has_made() {
    let project = project();
    let dev = Dev::start(&project, &[]);
    let run = start(&dev);
    approve(&dev, &run, 1);
    // the first customer is made, and the run waits for the second
    asked(&dev, &run, 2);
    dev.running.kill_9();
    let dev = Dev::start(&project, &[]);
    approve(&dev, &run, 2);
    let killed = outputs(&dev, &run);
    let names = killed[2].as_array().expect("a list of names");
    for name in ["Ana", "Ben"] {
        let times = names.iter().filter(|known| **known == json!(name)).count();
        assert_eq!(times, 1, "{name} in {names:?}");
    }
    // the same run, killed as soon as a vote is on record, with its call under way or not begun: the same answers
    let struck = start(&dev);
    approve(&dev, &struck, 1);
    dev.running.kill_9();
    let dev = Dev::start(&project, &[]);
    approve(&dev, &struck, 2);
    assert_eq!(outputs(&dev, &struck), killed);
    // and undisturbed
    let again = start(&dev);
    approve(&dev, &again, 1);
    approve(&dev, &again, 2);
    assert_eq!(outputs(&dev, &again), killed);
}

/// What a run has made is there for the runs that it orders, also after the process that made it has ended.
#[test]
fn a_run_that_was_ordered_finds_what_its_orderer_has_made() {
    let parent = "document: { dsl: '1.0.3', namespace: ops, name: parent, version: '1.0.0' }
do:
  - make:
      call: stripe.customers.create
      with: { name: Ana, email: ana@example.com }
  - look:
      run: { workflow: { namespace: ops, name: child, version: '1.0.0', input: { id: '${ $steps.make.id }' } } }
";
    let child = "document: { dsl: '1.0.3', namespace: ops, name: child, version: '1.0.0' }
do:
  - make:
      call: stripe.customers.create
      with: { name: Ben, email: ben@example.com }
  - all:
      call: stripe.customers.list
      with: {}
      output: { as: '${ [.data[] | .name] }' }
";
    let project = Project::new().with("placet.toml", "project = \"acme\"\n");
    let project = project.with_workflow("parent", parent).with_workflow("child", child);
    let file = project.dir().join("workflows/parent.yaml").display().to_string();
    let data = project.dir().join("kept").display().to_string();
    let told = |args: &[&str]| placet(&project).args(args.iter().copied()).run();
    let whole = told(&["run", &file, "--approve", "auto", "--json"]).expect_code(0).json();
    let names = whole["output"].to_string();
    assert!(names.contains("Ana") && names.contains("Ben"), "{whole:#}");
    // stopped at each request, the answers are those of one process
    let mut report = told(&["run", &file, "--data", &data, "--json"]).expect_code(3).json();
    let run = report["run"].as_str().expect("a run").to_owned();
    for _ in 0..2 {
        let listed = ["inbox", "list", "--data", &data, "--as", "approver", "--json"];
        let item = told(&listed).expect_code(0).json()["items"][0]["id"].clone();
        let item = item.as_str().expect("an item").to_owned();
        let approve = ["inbox", "approve", &item, "--data", &data, "--as", "approver"];
        drop(told(&approve).expect_code(0));
        report = told(&["run", "--resume", &run, "--data", &data, "--json"]).json();
    }
    assert_eq!(report["output"], whole["output"], "{report:#}");
    // each answer says in the log which generator has made it; that is no matter of those who read events
    let log = std::fs::read(project.dir().join("kept/log.redb")).expect("the log");
    assert!(String::from_utf8_lossy(&log).contains("sandbox:generator"), "it is on record");
}

#[test]
fn a_run_that_waits_goes_on_with_the_seed_that_it_began_with() {
    let project = project();
    let file = project.dir().join("workflows/customers.yaml").display().to_string();
    let data = project.dir().join("kept").display().to_string();
    let told = |args: &[&str]| placet(&project).args(args.iter().copied()).run();
    let whole = ["run", &file, "--seed", "7", "--approve", "auto", "--json"];
    let whole = told(&whole).expect_code(0).json();
    let waiting = told(&["run", &file, "--seed", "7", "--data", &data, "--json"]).json();
    assert_eq!(waiting["status"], "waiting", "{waiting:#}");
    let run = waiting["run"].as_str().expect("a run");
    let resumed = ["run", "--resume", run, "--data", &data, "--approve", "auto", "--json"];
    let resumed = told(&resumed).expect_code(0).json();
    assert_eq!(resumed["output"], whole["output"]);
    assert_eq!(resumed["trace"][0]["output"], whole["trace"][0]["output"]);
}
