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
    let project = Project::new().with("placet.toml", "");
    for args in [
        &["nonsense"][..],
        &["inbox", "show", "not-an-id"],
        &["inbox", "list"],
        &["inbox", "list", "--data", "nowhere"],
        &["dev", "--listen", "nowhere"],
        &["dev", "--listen", "0.0.0.0:0"],
        &["dev", "--listen", "127.0.0.1:0", "--nats", "gibberish://host"],
        &["inbox", "list", "--nats", "gibberish://host", "--as", "approver"],
        &["init", "placet.toml"],
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
    for args in [
        &["runs", "list", "--status", "nonsense"][..],
        &["runs", "list", "--limit", "0"],
        &["audit", "show", "0"],
        &["start", &slack_notify(), "--input", "{"],
        &["inbox", "list", "--filter", "x"],
    ] {
        let ended = dev.command("author", args).run();
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.stderr);
    }
    let taken = placet(&project).args(["dev", ".", "--listen", "127.0.0.1:0"]).run();
    assert_eq!(taken.code, Some(1), "the data are in use: {}", taken.stderr);
    assert!(taken.stderr.contains(&dev.url), "by which engine: {}", taken.stderr);
}

#[test]
fn an_input_that_the_workflow_refuses_is_invalid_input_for_an_engine_too() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    let args = ["start", "ops/slack-notify", "--input", r#"{"channel":1}"#];
    let refused = dev.command("author", &args).run().expect_code(2);
    assert!(refused.stderr.contains("error[PL4010]"), "{}", refused.stderr);
}

#[test]
fn a_place_that_is_taken_is_named_with_what_to_do() {
    let (first, second) = (Project::new(), Project::new());
    let dev = Dev::start(&first, &[]);
    let address = dev.url.trim_start_matches("http://");
    let taken = placet(&second).args(["dev", ".", "--listen", address]).run().expect_code(2);
    assert!(taken.stderr.contains(address), "{}", taken.stderr);
    assert!(
        taken.stderr.contains("in use") && taken.stderr.contains("--listen"),
        "{}",
        taken.stderr
    );
}

#[test]
fn an_engine_that_is_not_there_is_said_in_two_lines_and_how_to_start_one() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    let url = dev.url.clone();
    drop(dev.running.terminate().expect_code(0));
    let gone = placet(&project).args(["runs", "list", "--server", &url]).run().expect_code(1);
    assert!(
        gone.stderr.contains("refused") && gone.stderr.contains("placet dev"),
        "{}",
        gone.stderr
    );
    assert_eq!(gone.stderr.lines().count(), 3, "{}", gone.stderr);
}

#[test]
fn a_user_whom_nobody_knows_is_told_so() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    let (_, item) = asks(&dev);
    for args in [
        &["inbox", "list"][..],
        &["inbox", "show", item["id"].as_str().unwrap()],
        &["inbox", "approve", item["id"].as_str().unwrap()],
    ] {
        let refused = dev.command("aprover", args).run().expect_code(1);
        assert!(refused.stderr.contains("error[PL3004]"), "{args:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("aprover"), "{args:?}: {}", refused.stderr);
    }
}

#[test]
fn members_of_an_applied_policys_groups_may_vote_in_dev() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    project.write(
        "other.yaml",
        "groups: { leads: [zoe] }\nrules:\n  - match: { effect: send }\n    require: { approvers: [leads] }\n",
    );
    let apply = ["policy", "apply", "other.yaml"];
    let refused = dev.command("approver", &apply).run().expect_code(1);
    assert!(refused.stderr.contains("error[PL4005]"), "{}", refused.stderr);
    drop(dev.command("author", &apply).run().expect_code(0));
    // the same once more: still nothing that everybody may do
    drop(dev.command("approver", &apply).run().expect_code(1));
    let file = slack_notify();
    drop(dev.command("author", &["start", &file, "--input", INPUT]).run().expect_code(0));
    let watch = dev.command("zoe", &["inbox", "watch", "--json"]).start();
    let item = watch.stdout_line(|line| line.contains("slack.chat.postMessage"));
    let item: Value = serde_json::from_str(&item).unwrap();
    let id = item["id"].as_str().unwrap();
    drop(dev.command("zoe", &["inbox", "approve", id]).run().expect_code(0));
    let card = dev.command("zoe", &["inbox", "show", id]).run().expect_code(0).stdout;
    assert!(!card.contains("time left"), "nothing is left to decide: {card}");
}

#[test]
fn what_is_paused_is_named() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    let one = dev.command("author", &["pause", "--integration", "slack"]).run().expect_code(0);
    assert!(one.stdout.starts_with("slack paused"), "{}", one.stdout);
    let list = || dev.command("author", &["integrations", "list"]).run().expect_code(0);
    assert!(!list().stderr.contains("everything"), "{}", list().stderr);
    drop(dev.command("author", &["pause"]).run().expect_code(0));
    assert!(list().stderr.contains("everything outbound is paused"), "{}", list().stderr);
}

#[test]
fn a_sandbox_engine_takes_no_credential_and_says_what_to_start() {
    let project = Project::new().with("token", "xoxb-1\n");
    let dev = Dev::start(&project, &[]);
    let args = ["integrations", "connect", "slack", "--credential", "access_token=@token"];
    let refused = dev.command("author", &args).run().expect_code(1);
    assert!(refused.stderr.contains("--mode live"), "{}", refused.stderr);
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

#[test]
fn the_inbox_is_listed_by_kind_narrowed_and_cut_off_with_a_cursor() {
    let project = Project::new();
    let dev = Dev::start(&project, &[]);
    for _ in 0..3 {
        let file = slack_notify();
        drop(dev.command("author", &["start", &file, "--input", INPUT]).run().expect_code(0));
    }
    let list = |args: &[&str]| {
        let args = [&["inbox", "list", "--json"], args].concat();
        dev.command("approver", &args).run().expect_code(0).json()
    };
    // runs come to their request by themselves, so the list is asked for until it has all
    let all = (0..200).map(|_| list(&[])).find(|all| all["items"].as_array().unwrap().len() == 3);
    let all = all.expect("three wait");
    let groups = list(&["--group"]);
    let [group] = &groups["groups"].as_array().unwrap()[..] else { panic!("{groups:#}") };
    assert_eq!(
        (&group["count"], &group["operation"]),
        (&json!(3), &json!("slack.chat.postMessage"))
    );
    let shape = group["shape"].as_str().unwrap();
    let short = &shape.trim_start_matches("sha256:")[..12];
    assert_eq!(list(&["--shape", short]), all);
    assert_eq!(list(&["--operation", "slack.chat.postMessage", "--state", "requested"]), all);
    assert_eq!(list(&["--workflow", "no/such"])["items"], json!([]));
    let page = list(&["--limit", "2"]);
    let cursor = page["next"].as_str().expect("there is more");
    let rest = list(&["--limit", "2", "--cursor", cursor]);
    let both = [&page, &rest].map(|page| page["items"].as_array().unwrap().clone()).concat();
    assert_eq!((json!(both), &rest["next"]), (all["items"].clone(), &Value::Null));
    let table = dev.command("approver", &["inbox", "list", "--group"]).run().expect_code(0);
    assert!(
        table.stdout.contains(short) && table.stdout.trim_start().starts_with('3'),
        "{table:?}"
    );
}

#[test]
fn every_code_is_explained_in_the_terminal() {
    let project = Project::new();
    let explained = placet(&project).args(["explain", "pl3017"]).run().expect_code(0).stdout;
    for words in ["PL3017: an unsigned vote", "placet keys new", "HTTP 403", "exit code 1"] {
        assert!(explained.contains(words), "{words}: {explained}");
    }
    let page = placet(&project).args(["explain", "3017", "--json"]).run().expect_code(0).json();
    assert_eq!((&page["code"], &page["http"]), (&json!("PL3017"), &json!(403)));
    let all = placet(&project).args(["explain", "--json"]).run().expect_code(0).json();
    assert!(all["codes"].as_array().unwrap().len() > 100);
    drop(placet(&project).args(["explain", "nothing"]).run().expect_code(2));
}
