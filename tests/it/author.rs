//! For authors: what `check` and `run` say of a file, and what a run shows of itself.

use crate::kit::{INPUT, placet, slack_notify};
use placet_test_support::dirs::{Project, fixture};
use placet_test_support::process::Finished;
use serde_json::{Value, json};

/// A file with a mistake: `(fixture, code, line, column)` of its first finding.
const BROKEN: [(&str, &str, u64, u64); 6] = [
    ("broken-yaml", "PL2001", 5, 6),
    ("unknown-key", "PL2003", 5, 7),
    ("wrong-types", "PL2003", 3, 15),
    ("interpolation", "PL2202", 3, 30),
    ("missing-integration", "PL2110", 3, 61),
    ("unknown-operation", "PL2102", 3, 16),
];

fn err(name: &str) -> String {
    fixture(&format!("workflows/err/{name}.yaml")).display().to_string()
}

fn run(project: &Project, more: &[&str]) -> Finished {
    let file = slack_notify();
    let args = ["run", &file, "--input", INPUT].into_iter().chain(more.iter().copied());
    placet(project).args(args).run()
}

#[test]
fn a_broken_file_is_a_finding_with_its_place_for_check_and_invalid_input_for_run() {
    let project = Project::new();
    for (name, code, line, column) in BROKEN {
        let found = placet(&project).args(["check", &err(name), "--format", "json"]).run();
        let found = found.expect_code(1).json();
        let first = &found[0];
        assert_eq!(first["code"], code, "{name}: {found}");
        assert_eq!((&first["line"], &first["column"]), (&json!(line), &json!(column)), "{name}");
        assert!(first["file"].as_str().unwrap().ends_with(&format!("{name}.yaml")), "{name}");

        let refused = placet(&project).args(["run", &err(name), "--json"]).run().expect_code(2);
        assert_eq!(refused.stdout, "", "{name}");
        assert!(refused.stderr.contains(&format!("error[{code}]")), "{name}: {}", refused.stderr);
        assert!(
            refused.stderr.contains(&format!(":{line}:{column}")),
            "{name}: {}",
            refused.stderr
        );
    }
}

#[test]
fn findings_are_written_for_people_with_the_source_and_for_pull_requests_in_their_form() {
    let project = Project::new();
    let text = placet(&project).args(["check", &err("interpolation")]).run().expect_code(1);
    assert!(text.stdout.contains("error[PL2202]"), "{}", text.stdout);
    assert!(text.stdout.contains("Hello ${ .name }"), "{}", text.stdout);
    assert!(text.stdout.contains("= help:"), "{}", text.stdout);
    let args = ["check", &err("interpolation"), "--format", "github"];
    let github = placet(&project).args(args).run().expect_code(1);
    let first = github.stdout.lines().next().unwrap_or_default();
    assert!(first.starts_with("::error file=") && first.contains(",line=3,col=30"), "{first}");
}

#[test]
fn a_good_file_has_no_findings_and_a_missing_one_is_a_usage_error() {
    let project = Project::new();
    let good = placet(&project).args(["check", &slack_notify(), "--format", "json"]).run();
    assert_eq!(good.expect_code(0).json(), json!([]));
    drop(placet(&project).args(["check", "no-such-file.yaml"]).run().expect_code(2));
    drop(placet(&project).args(["check"]).run().expect_code(2));
    drop(placet(&project).args(["run", "no-such-file.yaml"]).run().expect_code(2));
}

#[test]
fn policies_and_configurations_are_checked_by_their_names() {
    let project = Project::new()
        .with("policy.yaml", "rules:\n  - match: { effect: sned }\n    require: { quorum: 1 }\n")
        .with("placet.toml", "project = \"sales\"\n[egres]\n");
    let found = placet(&project).args(["check", ".", "--format", "json"]).run().expect_code(1);
    let found = found.json();
    let codes: Vec<&str> =
        found.as_array().unwrap().iter().filter_map(|f| f["code"].as_str()).collect();
    assert_eq!(codes, ["PL1007", "PL2401", "PL2401"], "{found}");
    assert_eq!((&found[1]["severity"], &found[1]["line"]), (&json!("error"), &json!(2)));
    // a rule that one person can satisfy is none for what that person has caused
    assert_eq!((&found[2]["severity"], &found[2]["line"]), (&json!("warning"), &json!(3)));
}

#[test]
fn a_sandbox_run_shows_exactly_what_would_have_been_sent() {
    let report = run(&Project::new(), &["--mode", "sandbox", "--approve", "auto", "--json"]);
    let report = report.expect_code(0).json();
    let members: Vec<&String> = report.as_object().unwrap().keys().collect();
    assert_eq!(members, ["run", "status", "output", "error", "trace"]);
    assert_eq!(report["status"], "completed");
    let entry = &report["trace"][0];
    assert_eq!((&entry["task"], &entry["status"]), (&json!("/do/0/notify"), &json!("completed")));
    let sent = &entry["would_have_sent"];
    assert_eq!(sent["method"], "POST");
    assert_eq!(sent["url"], "https://slack.com/api/chat.postMessage");
    assert_eq!(sent["headers"]["Authorization"], "Bearer ‹credential:access_token›");
    assert_eq!(sent["body"]["channel"], "C0SALES");
    assert_eq!(sent["body"]["text"], "Hello");
    assert!(sent["digest"].as_str().unwrap().starts_with("sha256:"));
}

#[test]
fn a_run_in_words_shows_the_payload_as_well() {
    let shown = run(&Project::new(), &["--approve", "auto"]).expect_code(0).stdout;
    for words in
        ["would have sent", "https://slack.com/api/chat.postMessage", "\"text\": \"Hello\""]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[test]
fn the_same_seed_gives_the_same_answers() {
    let project = Project::new();
    let output = |seed: &str| -> Value {
        run(&project, &["--approve", "auto", "--json", "--seed", seed]).expect_code(0).json()["output"].clone()
    };
    assert_eq!(output("7"), output("7"));
    assert_ne!(output("7"), output("8"));
}

#[test]
fn a_denied_request_faults_the_run() {
    let report = run(&Project::new(), &["--approve", "deny", "--json"]).expect_code(1).json();
    assert_eq!(report["status"], "faulted");
    assert_eq!(report["error"]["type"], "urn:placet:errors:approval-rejected");
    assert_eq!(report["trace"][0]["would_have_sent"], Value::Null);
}

#[test]
fn a_run_that_nobody_answers_waits_and_is_resumed_by_its_id() {
    let project = Project::new();
    let waiting = run(&project, &["--approve", "ask", "--json"]).expect_code(3);
    assert!(waiting.stderr.contains("--resume"), "{}", waiting.stderr);
    let waiting = waiting.json();
    assert_eq!(waiting["status"], "waiting");
    let id = waiting["run"].as_str().unwrap();
    let again = placet(&project).args(["run", "--resume", id, "--json"]).run().expect_code(3);
    assert_eq!(again.json()["status"], "waiting");
    let args = ["run", "--resume", id, "--approve", "auto", "--json"];
    let done = placet(&project).args(args).run().expect_code(0).json();
    assert_eq!((&done["run"], &done["status"]), (&waiting["run"], &json!("completed")));
    assert_eq!(done["trace"][0]["would_have_sent"]["body"]["text"], "Hello");
}

#[test]
fn a_run_kept_in_named_data_is_found_there() {
    let project = Project::new();
    let waiting = run(&project, &["--data", "kept", "--json"]).expect_code(3).json();
    let id = waiting["run"].as_str().unwrap();
    let args = ["run", "--resume", id, "--data", "kept", "--approve", "auto", "--json"];
    let done = placet(&project).args(args).run().expect_code(0).json();
    assert_eq!(done["status"], "completed");
    let list = placet(&project).args(["runs", "list", "--data", "kept", "--json"]).run();
    assert_eq!(list.expect_code(0).json()["runs"][0]["run"], waiting["run"]);
}

#[test]
fn an_input_that_the_workflow_refuses_is_invalid_input() {
    let project = Project::new();
    drop(placet(&project).args(["init", "demo"]).run().expect_code(0));
    let file = "demo/workflows/slack-notify.yaml";
    let refused = placet(&project).args(["run", file, "--input", r#"{"channel":1}"#]).run();
    assert!(refused.expect_code(2).stderr.contains("schema"));
    drop(placet(&project).args(["run", file, "--input", "{"]).run().expect_code(2));
    let none = placet(&project).args(["run", file]).run().expect_code(2);
    assert!(none.stderr.contains("--input"), "{}", none.stderr);
    let folder = placet(&project).args(["run", "demo"]).run().expect_code(2);
    assert!(folder.stderr.contains("is a folder"), "{}", folder.stderr);
}

#[test]
fn votes_of_test_principals_let_nothing_leave() {
    let project = Project::new();
    for more in [&["--mode", "live"][..], &["--mode", "live", "--egress-allow", "example.com:443"]]
    {
        let args: Vec<&str> = more.iter().copied().chain(["--approve", "auto"]).collect();
        let refused = run(&project, &args).expect_code(2);
        assert!(refused.stderr.contains("loopback"), "{}", refused.stderr);
    }
}

#[test]
fn the_example_project_is_made_checked_and_run() {
    let project = Project::new();
    drop(placet(&project).args(["init", "demo"]).run().expect_code(0));
    drop(placet(&project).args(["init", "demo"]).run().expect_code(2));
    let found = placet(&project).args(["check", "demo", "--json"]).run().expect_code(0).json();
    assert_eq!(found, json!([]), "the example warns of itself: {found}");
    let file = "demo/workflows/slack-notify.yaml";
    let args = ["run", file, "--approve", "auto", "--json", "--input", "-"];
    let report = placet(&project).args(args).stdin(INPUT).run().expect_code(0).json();
    assert_eq!(report["status"], "completed");
}

#[test]
fn an_adapter_that_cannot_be_used_is_named_with_its_file_and_place() {
    let project = Project::new()
        .with("placet.toml", "")
        .with("adapters/bad.yaml", "junk: 1\n")
        .with("adapters/webhook.yaml", "manifest: 1\nprovider: webhook\ntitle: W\ncategory: c\n");
    let refused = placet(&project).args(["adapters", "list"]).run().expect_code(2);
    assert!(
        refused.stderr.contains("adapters/bad.yaml:1:1: unknown field `junk`"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains(":0:0"), "{}", refused.stderr);
}

/// The README, with the walk that new authors take.
const README: &str = include_str!("../../README.md");

/// The blocks of a language in a section of the README.
fn blocks(section: &str, language: &str) -> Vec<&'static str> {
    let (_, text) = README.split_once(&format!("\n## {section}\n")).expect("the section");
    let text = text.split_once("\n## ").map_or(text, |(text, _)| text);
    let parts = text.split("\n```").skip(1).step_by(2);
    parts.filter_map(|part| part.strip_prefix(language)?.strip_prefix('\n')).collect()
}

/// A line without what differs with the machine: how long something took.
fn steady(line: &str) -> &str {
    let line = line.trim_end();
    let took = if line.ends_with(" ms)") { line.rfind("  (") } else { None };
    let whole = if line.ends_with(" s") { line.rfind(" in ") } else { None };
    &line[..took.or(whole).unwrap_or(line.len())]
}

/// Does what a `sed -i` of the README says.
fn edit(project: &Project, path: &str, (from, to): (&str, &str)) {
    let file = project.dir().join(path);
    let text = std::fs::read_to_string(&file).expect("a file of the example");
    assert!(text.contains(from), "{from}: {text}");
    drop(project.write(path, &text.replacen(from, to, 1)));
}

#[test]
fn the_walk_of_the_readme_leads_from_init_to_a_failing_test_and_its_fix() {
    let section = "Tests of a workflow";
    let [first, second] = blocks(section, "sh").try_into().expect("two blocks of commands");
    assert!(first.starts_with("placet init demo\nplacet test demo "), "{first}");
    let project = Project::new();
    drop(placet(&project).args(["init", "demo"]).run().expect_code(0));
    let shown = placet(&project).args(["test", "demo"]).run().expect_code(0).stdout;
    assert!(shown.contains("\n5 passed in "), "{shown}");

    let change = ("'${ .text }'", "'${ \"FYI: \" + .text }'");
    let sed = |text: &str| text.replace('$', "\\$").replace('"', "\\\"");
    let command = format!("\"s/{}/{}/\"", sed(change.0), sed(change.1));
    assert!(first.contains(&command), "{command}: {first}");
    edit(&project, "demo/workflows/slack-notify.yaml", change);
    let shown = placet(&project).args(["test", "demo"]).run().expect_code(1).stdout;
    let [told] = blocks(section, "text").try_into().expect("one block of output");
    let mut lines = shown.lines();
    for wanted in told.lines().filter(|line| line.trim() != "…") {
        let found = lines.any(|line| steady(line) == steady(wanted));
        assert!(found, "the README tells what is not told: {wanted}\n{shown}");
    }

    assert!(second.starts_with("sed -i \"15s/text: Hello/text: 'FYI: Hello'/\""), "{second}");
    let fix = (
        "body: { channel: C0SALES, text: Hello }",
        "body: { channel: C0SALES, text: 'FYI: Hello' }",
    );
    edit(&project, "demo/tests/slack-notify.test.yaml", fix);
    let shown = placet(&project).args(["test", "demo"]).run().expect_code(0).stdout;
    assert!(shown.contains("\n5 passed in "), "{shown}");
}

#[test]
fn the_test_in_the_readme_is_one_of_the_example() {
    let [told] = blocks("Tests of a workflow", "yaml").try_into().expect("one block");
    let project = Project::new();
    drop(placet(&project).args(["init", "demo"]).run().expect_code(0));
    let example = std::fs::read_to_string(project.dir().join("demo/tests/slack-notify.test.yaml"));
    let example = example.expect("the example's tests");
    let (_, test) = told.split_once("tests:\n").expect("a test");
    assert!(example.contains(test.trim_end()), "{test}\n{example}");
}

#[test]
fn the_schema_of_test_files_is_printed_for_editors() {
    let shown = placet(&Project::new()).args(["test", "--schema"]).run().expect_code(0).stdout;
    let schema: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(schema["required"], json!(["workflow", "tests"]));
}
