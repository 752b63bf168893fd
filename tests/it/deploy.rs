//! For authors: what `placet deploy` changes and shows, and following runs: by version, as they happen, to their end.

use crate::kit::{Dev, INPUT, placet, slack_notify};
use placet_test_support::dirs::Project;
use serde_json::{Value, json};

const CRM: &str = r#"manifest: 1
provider: crm
title: CRM
category: other
auth: {kind: none}
hosts: [crm.example.com]
operations:
  people.search:
    effect: read
    input_schema: schemas/any.json
    request: {method: POST, url: "https://crm.example.com/search"}
    classify: [{when: {status: 200}, outcome: sent}, {else: refused_retry}]
"#;

fn workflow() -> String {
    std::fs::read_to_string(slack_notify()).expect("the fixture is there")
}

/// Starts a run and waits until it asks.
fn asks(dev: &Dev<'_>) -> String {
    let started = dev
        .command("author", &["start", "ops/slack-notify", "--input", INPUT])
        .run()
        .expect_code(0);
    let run = started.stdout.trim().to_owned();
    let watch = dev.command("author", &["runs", "watch", &run]).start();
    drop(watch.stdout_line(|line| line.contains("DecisionRequested")));
    run
}

fn events(dev: &Dev<'_>) -> usize {
    let log =
        dev.command("author", &["audit", "log", "--json", "--limit", "1000"]).run().expect_code(0);
    log.stdout.lines().count()
}

#[test]
fn a_deploy_shows_what_it_changes_and_a_dry_run_changes_nothing() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    drop(dev.running.stdout_line(|line| line.contains("inbox approve")));
    let next = workflow().replace("1.0.0", "1.1.0");
    // outside of the project's folder, so that `dev` does not apply it by itself
    project.write("next/workflows/slack-notify.yaml", &next);
    let before = events(&dev);
    let looked = dev.command("author", &["deploy", "next", "--dry-run"]).run().expect_code(0);
    for line in ["changed   ops/slack-notify@1.1.0 (was 1.0.0)", "--- ops/slack-notify (in force)"]
    {
        assert!(looked.stdout.lines().any(|shown| shown == line), "{line}\n{}", looked.stdout);
    }
    assert!(looked.stdout.lines().any(|line| line.starts_with('+') && line.contains("1.1.0")));
    assert!(looked.stderr.contains("nothing was changed"), "{}", looked.stderr);
    assert_eq!(events(&dev), before);

    let done = dev.command("author", &["deploy", "next", "--json"]).run().expect_code(0).json();
    let change = &done["changes"][0];
    assert_eq!((&change["standing"], &done["dry_run"]), (&json!("changed"), &json!(false)));
    assert_eq!(events(&dev), before + 1);
    let again = dev.command("author", &["deploy", "next"]).run().expect_code(0);
    assert_eq!(again.stdout.trim(), "unchanged ops/slack-notify@1.1.0");
    assert_eq!(events(&dev), before + 1);
}

#[test]
fn of_several_files_those_that_can_be_are_deployed_and_an_agent_deploys_none() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    drop(dev.running.stdout_line(|line| line.contains("inbox approve")));
    project.write("more/workflows/a.yaml", &workflow().replace("slack-notify", "other"));
    project.write("more/workflows/b.yaml", "do: [");
    let refused = dev.command("agent", &["deploy", "more/workflows/a.yaml"]).run().expect_code(1);
    assert!(refused.stderr.contains("error[PL4005]"), "{}", refused.stderr);
    let some = dev.command("author", &["deploy", "more"]).run().expect_code(1);
    assert_eq!(some.stdout.trim(), "new       ops/other@1.0.0 (5 lines)");
    assert!(some.stderr.contains("b.yaml:1:"), "{}", some.stderr);
}

#[test]
fn dev_tells_a_changed_file_in_the_words_of_deploy() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    drop(dev.running.stdout_line(|line| line.contains("inbox approve")));
    drop(dev.running.stderr_line(|line| line == "new       ops/slack-notify@1.0.0 (17 lines)"));
    let file = project.dir().join("workflows/slack-notify.yaml");
    let text = std::fs::read_to_string(&file).expect("the example");
    project.write("workflows/slack-notify.yaml", &text.replace("1.0.0", "1.1.0"));
    drop(dev.running.stderr_line(|line| line == "changed   ops/slack-notify@1.1.0 (was 1.0.0)"));
    drop(dev.running.stderr_line(|line| line.starts_with('+') && line.contains("1.1.0")));
}

#[test]
fn a_manifest_binds_by_its_deployment_and_a_trusted_read_by_an_admins_word() {
    let project = Project::new()
        .with("placet.toml", "")
        .with("schemas/any.json", "{}")
        .with("more/adapters/crm.yaml", CRM)
        .with("more/schemas/any.json", "{}");
    let dev = Dev::start(&project, &[]);
    drop(dev.running.stdout_line(|line| line.contains("inbox approve")));
    let deploy = |more: &[&str]| {
        let args: Vec<&str> = ["deploy", "more"].iter().chain(more).copied().collect();
        dev.command("author", &args).run()
    };
    let refused = deploy(&[]).expect_code(1);
    assert!(refused.stderr.contains("crm.yaml:9:"), "{}", refused.stderr);
    let typo = deploy(&["--trust", "crn.people.search"]).expect_code(2);
    assert!(typo.stderr.contains("crn.people.search"), "{}", typo.stderr);
    let done = deploy(&["--trust", "crm.people.search"]).expect_code(0);
    assert!(done.stdout.contains("trusted to be reads: crm.people.search"), "{}", done.stdout);
    assert!(done.stdout.contains("from the engine's next start on"), "{}", done.stdout);
    assert!(deploy(&[]).expect_code(0).stdout.starts_with("unchanged crm"));
    let log = dev.command("author", &["audit", "log", "--stream", "adapter:*", "--json"]).run();
    assert_eq!(log.expect_code(0).json()["actor"], "principal:author");
    drop(dev.running.terminate().expect_code(0));
    // the file is a proposal of its own; what the data trust, its checks believe
    project.write("adapters/crm.yaml", CRM);
    let known = placet(&project).args(["adapters", "show", "crm.people.search", "--json"]).run();
    assert_eq!(known.expect_code(0).json()["effect"], "read");
    project.write("adapters/crm.yaml", &CRM.replace("/search\"", "/delete\""));
    let changed = placet(&project).args(["adapters", "list"]).run().expect_code(2);
    assert!(changed.stderr.contains("crm.yaml:9:"), "{}", changed.stderr);
}

#[test]
fn runs_are_listed_by_what_they_are_and_by_the_version_that_they_stand_on() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    drop(dev.running.stdout_line(|line| line.contains("inbox approve")));
    let (first, second) = (asks(&dev), asks(&dev));
    project.write("next/w.yaml", &workflow().replace("1.0.0", "2.0.0"));
    drop(dev.command("author", &["deploy", "next/w.yaml"]).run().expect_code(0));
    let third = asks(&dev);
    let rows = dev
        .command("author", &["runs", "list", "--by-version", "--json"])
        .run()
        .expect_code(0)
        .json();
    let rows: Vec<(&Value, &Value)> = rows["versions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| (&row["workflow"], &row["waiting"]))
        .collect();
    let expected = [
        (&json!("ops/slack-notify@2.0.0"), &json!(1)),
        (&json!("ops/slack-notify@1.0.0"), &json!(2)),
    ];
    assert_eq!(rows, expected);
    let table =
        dev.command("author", &["runs", "list", "--by-version"]).run().expect_code(0).stdout;
    assert!(table.contains("latest") && table.contains("2 decision"), "{table}");

    let list = |more: &[&str]| {
        let args: Vec<&str> = ["runs", "list", "--json"].iter().chain(more).copied().collect();
        let list = dev.command("author", &args).run().expect_code(0).json();
        let runs = list["runs"].as_array().expect("a list").iter();
        runs.map(|row| row["run"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list(&["--version", "2.0.0"]), std::slice::from_ref(&third));
    assert_eq!(
        list(&["--waiting-for", "decision", "--mode", "sandbox", "--requester", "author"]).len(),
        3
    );
    assert_eq!(list(&["--before", &third]), [second, first]);
    assert_eq!(list(&["--requester", "agent"]), Vec::<String>::new());
}

#[test]
fn a_watched_run_is_told_from_its_start_and_its_result_is_the_exit_code() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    drop(dev.running.stdout_line(|line| line.contains("inbox approve")));
    let (approved, cancelled) = (asks(&dev), asks(&dev));
    let watch = |run: &str| dev.command("author", &["runs", "watch", run, "--json"]).start();
    let (good, bad) = (watch(&approved), watch(&cancelled));
    drop(bad.stdout_line(|line| line.contains("RunStarted")));
    drop(
        dev.command("author", &["runs", "cancel", &cancelled, "--reason", "not today"])
            .run()
            .expect_code(0),
    );
    let bad = bad.finish().expect_code(1);
    assert_eq!(bad.json()["type"], "RunCancelled");
    let shown = dev.command("author", &["runs", "show", &cancelled]).run().expect_code(0).stdout;
    assert!(shown.contains("cancelled by author: not today"), "{shown}");

    let list = dev.command("approver", &["inbox", "list", "--json"]).run().expect_code(0).json();
    let item = list["items"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|item| item["run"] == approved.as_str());
    let id = item.expect("it asks")["id"].as_str().expect("an id").to_owned();
    drop(dev.command("approver", &["inbox", "approve", &id]).run().expect_code(0));
    let good = good.finish().expect_code(0);
    assert_eq!(good.json()["type"], "RunCompleted");
    // what is over ends at once
    assert!(watch(&approved).finish().expect_code(0).stdout.contains("RunStarted"));
    let unknown = watch("run_00000000000000000000000000").finish().expect_code(1);
    assert!(unknown.stderr.contains("PL4001"), "{}", unknown.stderr);
    drop(dev.running.terminate().expect_code(0));
    let alone = placet(&project).args(["runs", "watch", "--data", ".placet"]).run().expect_code(2);
    assert!(alone.stderr.contains("there is no engine to watch"), "{}", alone.stderr);
}
