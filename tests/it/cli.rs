//! For whoever works at a terminal: `dev`, the inbox over HTTP and on data at rest, the audit
//! commands, exit codes.

use crate::kit::{Dev, INPUT, placet, slack_notify};
use placet_test_support::dirs::Project;
use serde_json::{Value, json};

/// Starts a run that asks, and waits until it does.
fn asks(dev: &Dev<'_>) -> (String, Value) {
    let watch = dev.command("approver", &["inbox", "watch", "--json"]).start();
    let file = slack_notify();
    let started = dev.command("author", &["start", &file, "--input", INPUT]).run().expect_code(0);
    drop(watch.stdout_line(|line| line.contains("slack.chat.postMessage")));
    (started.stdout.trim().to_owned(), dev.item("approver"))
}

/// The report of a run that is about to end: asked for until it has, not for ever.
fn ended(dev: &Dev<'_>, run: &str) -> Value {
    let ask = |_| {
        let report = dev.command("author", &["runs", "show", run, "--json"]).run();
        report.expect_code(0).json()
    };
    let is_over = |report: &Value| report["status"] != "waiting" && report["status"] != "running";
    (0..200).map(ask).find(is_over).expect("the run comes to its end")
}

#[test]
fn dev_prints_the_login_link_first_and_stops_in_good_order() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    assert!(dev.running.stdout_lines()[0].starts_with(&format!("{}/login?token=", dev.url)));
    drop(dev.running.stdout_line(|line| line.contains("inbox approve")));
    assert!(project.dir().join("workflows/slack-notify.yaml").exists(), "an example was made");
    let stopped = dev.running.terminate().expect_code(0);
    let links = stopped.stdout.lines().filter(|line| line.contains("/login?token=")).count();
    assert_eq!(links, 1, "{}", stopped.stdout);
    assert!(!dev.login.is_empty());
}

#[test]
fn dev_stops_on_interrupt_too_and_starts_again_on_the_same_data() {
    let project = Project::new();
    drop(Dev::start(&project, &[]).running.interrupt().expect_code(0));
    let dev = Dev::start(&project, &[]);
    let workflows = dev.running.terminate().expect_code(0).stderr;
    assert!(!workflows.contains("deployed"), "nothing is deployed twice: {workflows}");
}

#[cfg(unix)]
#[test]
fn the_token_file_can_be_read_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    let line = dev.running.stdout_line(|line| line.starts_with("token"));
    let file = line.trim_start_matches("token").trim();
    let mode = std::fs::metadata(file).expect("the token file is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_request_is_seen_approved_and_sent_over_http() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    let (run, item) = asks(&dev);
    let id = item["id"].as_str().unwrap();

    let card = dev.command("approver", &["inbox", "show", id]).run().expect_code(0).stdout;
    for words in
        ["C0SALES", "https://slack.com/api/chat.postMessage", "\"text\": \"Hello\"", "time left"]
    {
        assert!(card.contains(words), "{words}: {card}");
    }
    let mine = dev.command("author", &["inbox", "approve", id]).run().expect_code(1);
    assert!(mine.stderr.contains("PL3003"), "{}", mine.stderr);

    let args = ["inbox", "approve", id, "--json"];
    let answer = dev.command("approver", &args).run().expect_code(0).json();
    assert_eq!(answer["state"], "approved");
    let report = ended(&dev, &run);
    assert_eq!(report["status"], "completed");
    assert_eq!(report["trace"][0]["would_have_sent"]["digest"], item["digest"]);
    let again = dev.command("approver", &["inbox", "approve", id]).run().expect_code(1);
    assert!(again.stderr.contains("error[PL3"), "{}", again.stderr);
}

#[test]
fn a_vote_for_other_bytes_is_refused() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    let (_, item) = asks(&dev);
    let other = format!("sha256:{}", "0".repeat(64));
    let args = ["inbox", "approve", item["id"].as_str().unwrap(), "--digest", &other];
    let refused = dev.command("approver", &args).run().expect_code(1);
    assert!(refused.stderr.contains("PL3002"), "{}", refused.stderr);
}

#[test]
fn feedback_goes_back_to_the_workflow() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    let (run, item) = asks(&dev);
    let id = item["id"].as_str().unwrap();
    let args = ["inbox", "respond", id, "--text", "friendlier, please"];
    drop(dev.command("approver", &args).run().expect_code(0));
    let report = ended(&dev, &run);
    assert_eq!(report["error"]["type"], "urn:placet:errors:approval-response");
    assert_eq!(report["error"]["detail"], "friendlier, please");
}

#[test]
fn a_pause_holds_what_is_approved_until_it_is_lifted() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    let (run, item) = asks(&dev);
    drop(dev.command("author", &["pause"]).run().expect_code(0));
    let args = ["inbox", "approve", item["id"].as_str().unwrap()];
    drop(dev.command("approver", &args).run().expect_code(0));
    let held = dev.command("author", &["runs", "show", &run, "--json"]).run().expect_code(0);
    assert_eq!(held.json()["status"], "waiting");
    drop(dev.command("author", &["resume"]).run().expect_code(0));
    assert_eq!(ended(&dev, &run)["status"], "completed");
}

#[test]
fn a_changed_workflow_is_deployed_and_a_broken_one_is_said_to_be() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    drop(dev.running.stdout_line(|line| line.contains("inbox approve")));
    let file = project.dir().join("workflows/slack-notify.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    project.write("workflows/slack-notify.yaml", &text.replace("1.0.0", "1.1.0"));
    drop(dev.running.stderr_line(|line| line.contains("deployed ops/slack-notify@1.1.0")));
    project.write("workflows/broken.yaml", "do: [");
    drop(dev.running.stderr_line(|line| line.contains("broken.yaml is not deployed")));
}

#[test]
fn data_at_rest_are_read_without_a_trace_and_decided_in_process() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    let (run, item) = asks(&dev);
    drop(dev.running.terminate().expect_code(0));

    let on_data = |args: &[&str]| placet(&project).args(args.iter().chain(&["--data", ".placet"]));
    let events =
        || on_data(&["audit", "log", "--json"]).run().expect_code(0).stdout.lines().count();
    let before = events();
    let list =
        on_data(&["inbox", "list", "--as", "approver", "--json"]).run().expect_code(0).json();
    assert_eq!(list["items"][0]["id"], item["id"]);
    let id = item["id"].as_str().unwrap();
    drop(on_data(&["inbox", "show", id, "--as", "approver"]).run().expect_code(0));
    drop(on_data(&["runs", "list"]).run().expect_code(0));
    drop(on_data(&["integrations", "list"]).run().expect_code(0));
    drop(on_data(&["audit", "verify"]).run().expect_code(0));
    drop(on_data(&["audit", "replay"]).run().expect_code(0));
    drop(on_data(&["projections", "status"]).run().expect_code(0));
    assert_eq!(events(), before, "reading appends nothing");

    drop(on_data(&["inbox", "approve", id, "--as", "approver"]).run().expect_code(0));
    let report = on_data(&["runs", "show", &run, "--json"]).run().expect_code(0).json();
    assert_eq!(report["status"], "completed");
}

#[test]
fn the_log_is_read_replayed_and_verified() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    let (_, item) = asks(&dev);
    let args = ["inbox", "approve", item["id"].as_str().unwrap()];
    drop(dev.command("approver", &args).run().expect_code(0));
    for args in [&["audit", "verify", "--json"][..], &["audit", "replay", "--json"]] {
        let answer = dev.command("auditor", args).run().expect_code(0).json();
        assert!(answer["ok"] == true || answer["equal"] == true, "{answer}");
    }
    let log = dev.command("auditor", &["audit", "log", "--type", "VoteCast", "--json"]).run();
    let vote = log.expect_code(0).json();
    assert_eq!(vote["actor"], "principal:approver");
    assert_eq!(vote["body"]["decision"], item["id"]);
}

#[test]
fn what_is_asked_wrongly_ends_with_two_and_what_is_refused_with_one() {
    let project = Project::new();
    for args in [
        &["nonsense"][..],
        &["inbox", "show", "not-an-id"],
        &["inbox", "list"],
        &["inbox", "list", "--data", "nowhere"],
        &["dev", "--listen", "nowhere"],
        &["audit", "prove"],
    ] {
        let ended = placet(&project).args(args).run();
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.stderr);
    }
    let dev = Dev::start(&project, &[]);
    let unknown = "dec_00000000000000000000000000";
    let refused = dev.command("approver", &["inbox", "show", unknown]).run().expect_code(1);
    assert!(refused.stderr.contains("PL3001"), "{}", refused.stderr);
    let refused = dev.command("approver", &["start", "no/such"]).run().expect_code(1);
    assert!(refused.stderr.contains("error[PL4"), "{}", refused.stderr);
    let taken = placet(&project).args(["dev", ".", "--listen", "127.0.0.1:0"]).run();
    assert_eq!(taken.code, Some(1), "the data are in use: {}", taken.stderr);
}

#[test]
fn operations_are_listed_with_what_they_do() {
    let project = Project::new();
    let list = placet(&project).args(["adapters", "list", "--json"]).run().expect_code(0).json();
    let providers: Vec<&str> = list["providers"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|p| p["provider"].as_str())
        .collect();
    assert!(providers.contains(&"slack") && providers.contains(&"http"), "{providers:?}");
    let shown =
        placet(&project).args(["adapters", "show", "slack.chat.postMessage", "--json"]).run();
    assert_eq!(shown.expect_code(0).json()["effect"], json!("send"));
}
