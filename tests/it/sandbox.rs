//! A dry run is the real run without the world: the same path, the exact bytes that would have left, and no socket.
//!
//! covers: S21, T24

use std::path::{Path, PathBuf};

use placet_test_support::dirs::{Project, fixture};
use placet_test_support::process::Placet;
use serde_json::{Value, json};

use crate::world::PLACET;

const INPUT: &str = r#"{"channel": "C0SALES", "text": "Hello"}"#;

fn notify() -> String {
    fixture("workflows/ok/slack-notify.yaml").display().to_string()
}

fn dry_run(seed: &str) -> Vec<String> {
    let words = ["run", &notify(), "--input", INPUT, "--mode", "sandbox", "--approve", "auto"];
    words.into_iter().chain(["--seed", seed, "--json"]).map(str::to_owned).collect()
}

#[test]
fn a_dry_run_completes_and_says_exactly_what_would_have_been_sent() {
    let report =
        Placet::new(PLACET, &Project::new()).args(dry_run("0")).run().expect_code(0).json();
    assert_eq!(report["status"], "completed", "{report:#}");
    assert_eq!(report["error"], Value::Null);
    let sent = &report["trace"][0]["would_have_sent"];
    assert_eq!(sent["method"], "POST");
    assert_eq!(sent["url"], "https://slack.com/api/chat.postMessage");
    let headers = json!({
        "Content-Type": "application/json; charset=utf-8",
        "Authorization": "Bearer ‹credential:access_token›",
        "Accept": "application/json",
    });
    assert_eq!(sent["headers"], headers);
    let body = sent["body"].as_object().expect("a JSON body");
    let members: Vec<&str> = body.keys().map(String::as_str).collect();
    assert_eq!(members, ["channel", "text", "client_msg_id", "metadata"]);
    assert_eq!((&body["channel"], &body["text"]), (&json!("C0SALES"), &json!("Hello")));
    let marker = body["metadata"]["event_payload"]["placet_send"].as_str().expect("a send id");
    assert!(marker.len() == 40 && marker.bytes().all(|b| b.is_ascii_alphanumeric()), "{marker}");
    let digest = sent["digest"].as_str().expect("the digest that was approved");
    let hex = digest.strip_prefix("sha256:").expect("its algorithm");
    assert!(hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()), "{digest}");
    assert_eq!(report["output"]["channel"], "C0SALES", "the answer echoes the request");
}

/// Ids, and with them send ids and digests, are new in every run; everything that the world would have answered is not.
#[test]
fn the_same_seed_gives_the_same_output_bytes_and_another_seed_others() {
    let output = |seed: &str| {
        let report = Placet::new(PLACET, &Project::new()).args(dry_run(seed)).run().expect_code(0);
        let report = report.json();
        assert_eq!(report["trace"][0]["output"], report["output"]);
        report["output"].to_string()
    };
    assert_eq!(output("7"), output("7"));
    assert_ne!(output("7"), output("8"));
}

#[test]
fn t24_a_dry_run_opens_no_socket() {
    let name = "t24_a_dry_run_opens_no_socket";
    let Some(strace) = strace_or_skip(name) else { return };
    let seen = sockets(&strace, &dry_run("0"), 0);
    let inet: Vec<&String> = seen.iter().filter(|line| line.contains("AF_INET")).collect();
    assert_eq!(inet, Vec::<&String>::new(), "of {} calls", seen.len());
    // the same watch sees the socket of a command that opens one: its silence above means something
    let ask = ["inbox", "list", "--server", "http://127.0.0.1:9"].map(str::to_owned);
    let seen = sockets(&strace, &ask, 1);
    assert!(seen.iter().any(|line| line.contains("AF_INET")), "{seen:?}");
}

/// Runs a command under strace, all its threads and children; the calls that make or connect a socket.
fn sockets(strace: &Path, command: &[String], code: i32) -> Vec<String> {
    let project = Project::new();
    let log = project.dir().join("strace.log");
    let watch = ["-f", "-qq", "-e", "trace=socket,connect", "-o", "strace.log", PLACET];
    let traced = Placet::new(strace, &project).args(watch).args(command).run();
    let traced = traced.expect_code(code);
    if code == 0 {
        assert_eq!(traced.json()["status"], "completed");
    }
    let log = std::fs::read_to_string(log).expect("strace has written its log");
    log.lines().map(str::to_owned).collect()
}

/// `./tests/run` installs strace where it may; a machine without it skips by name, CI fails.
pub(crate) fn strace_or_skip(test: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join("strace")).find(|at| at.is_file());
    if found.is_none() {
        let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!in_ci, "{test}: CI must have strace");
        eprintln!("skipped: {test} (no strace; ./tests/run installs it for root)");
    }
    found
}
