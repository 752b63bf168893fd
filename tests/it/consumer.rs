//! Clients that are not ours. The consumer of `deploy/nats/`, a client that is not ours: it and the server are killed again and again, its file is put
//! back to an older state, and it has every event once, in order.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use placet_test_support::nats::NatsServer;
use placet_test_support::random::Random;
use serde_json::{Value, json};

use crate::world::{Live, stream_is_the_log};

const ROUNDS: u64 = 6;

/// A Python that has nats-py.
fn python(test: &str) -> Option<std::ffi::OsString> {
    let python = std::env::var_os("PLACET_TEST_NATS_PYTHON");
    if python.is_none() {
        let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!is_ci, "{test}: CI must have nats-py");
        eprintln!("skipped: {test} (no nats-py; ./tests/run installs it)");
    }
    python
}

/// Killed with the test.
struct Consumer {
    child: Child,
    told: Lines<BufReader<ChildStdout>>,
}

impl Consumer {
    fn start(python: &std::ffi::OsStr, url: &str, file: &Path) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/nats/consumer.py");
        let mut command = Command::new(python);
        command.args([script, url, "acme"]).arg(file).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python can be started");
        let told = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        Self { child, told }
    }

    /// Waits until this event is on its disk.
    fn until(&mut self, seq: u64) {
        let is_it = |line: std::io::Result<String>| {
            let line = line.expect("it goes on");
            line.parse::<u64>().expect("a number") >= seq
        };
        assert!(self.told.any(is_it), "the consumer has ended before {seq}");
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // SIGKILL: whatever it was about to write or to acknowledge
        self.child.kill().expect("a child of ours can be killed");
        self.child.wait().expect("and waited for");
    }
}

/// Whole lines of the journal.
fn journal(file: &Path) -> Vec<Value> {
    let Ok(file) = std::fs::File::open(file) else { return Vec::new() };
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    lines.map_while(|line| serde_json::from_str(&line).ok()).collect()
}

#[test]
fn a_consumer_that_is_not_ours_has_every_event_once_whatever_is_killed() {
    let name = "a_consumer_that_is_not_ours_has_every_event_once_whatever_is_killed";
    let Some(python) = python(name) else { return };
    let Some(mut server) = NatsServer::start_or_skip(name) else { return };
    let live = Live::on_nats(&server, None);
    let file = live.project.dir().join("journal.jsonl");
    let mut random = Random::new(7);
    let mut last = 0;
    for round in 0..ROUNDS {
        let mut consumer = Consumer::start(&python, &server.url(), &file);
        if round % 2 == 1 {
            server.kill_9();
        }
        let asked = live.ask(&format!("message {round}"));
        live.approve(&asked);
        let end = live.until(&asked.run, "RunCompleted").pop().expect("the end of the run");
        last = end["position"].as_u64().expect("a position");
        if round % 2 == 1 {
            server.restart();
        }
        // somewhere in what is new
        consumer.until(last - random.below(8));
        drop(consumer);
    }
    // given that the consumer's file is put back to an older state, with a line that was cut short
    let text = std::fs::read_to_string(&file).expect("a journal");
    let kept: String = text.split_inclusive('\n').take(5).collect();
    std::fs::write(&file, format!("{kept}{{\"epoch\": 1, \"se")).expect("a journal");
    let asked = live.ask("one more");
    live.approve(&asked);
    let end = live.until(&asked.run, "RunCompleted").pop().expect("the end of the run");
    let last = last.max(end["position"].as_u64().expect("a position"));
    let mut consumer = Consumer::start(&python, &server.url(), &file);
    consumer.until(last);
    let lines = journal(&file);
    // then each event is there once, in order, as the log has it
    let seqs: Vec<u64> = lines.iter().filter_map(|line| line["seq"].as_u64()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    stream_is_the_log(&server, &live, last);
    let log = live.door().events().until(|events| events.len() >= lines.len());
    for (line, event) in lines.iter().zip(&log) {
        assert_eq!(&line["event"], event);
    }
}

#[test]
fn a_client_that_is_not_ours_discovers_the_service_and_its_counts() {
    let name = "a_client_that_is_not_ours_discovers_the_service_and_its_counts";
    let Some(python) = python(name) else { return };
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let _live = Live::on_nats(&server, None);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign/service.py");
    let ran = Command::new(python).args([script, &server.url()]).output().expect("python");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let found: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    let kinds = ["ping", "info", "stats"].map(|kind| format!("io.nats.micro.v1.{kind}_response"));
    assert_eq!((&found["types"], &found["name"]), (&json!(kinds), &json!("placet-inbox")));
    assert_eq!(found["same"], true, "{found}");
    let subjects = [
        "placet.v1.act.*",
        "placet.v1.act.*.withdraw",
        "placet.v1.inbox.*.decide",
        "placet.v1.inbox.*.get",
        "placet.v1.inbox.*.list",
        "placet.v1.inbox.*.stats",
        "placet.v1.integrations.*.authorize",
        "placet.v1.integrations.*.complete",
        "placet.v1.integrations.*.connect",
        "placet.v1.integrations.*.disable",
        "placet.v1.integrations.*.disconnect",
        "placet.v1.integrations.*.enable",
        "placet.v1.integrations.*.hooks",
        "placet.v1.integrations.*.list",
        "placet.v1.integrations.*.pair",
        "placet.v1.integrations.*.rotate",
        "placet.v1.integrations.*.scope",
        "placet.v1.integrations.*.show",
        "placet.v1.integrations.*.stage",
        "placet.v1.integrations.*.sync",
        "placet.v1.integrations.*.test",
        "placet.v1.integrations.*.triggers",
        "placet.v1.integrations.*.uses",
    ];
    assert_eq!(found["subjects"], json!(subjects));
    // what was refused is counted as such, and says so in body and headers
    assert_eq!((&found["requests"], &found["errors"]), (&json!(3), &json!(2)), "{found}");
    assert_eq!(found["refused"]["error"]["code"], "PL5004");
    let headers = json!({"Nats-Service-Error": "the message is malformed", "Nats-Service-Error-Code": "5004"});
    assert_eq!(found["error_headers"], headers);
    assert!(found["last_error"].as_str().is_some_and(|last| last.contains("3004")), "{found}");
}
