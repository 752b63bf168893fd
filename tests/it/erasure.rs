//! Erasing, compacting and retention with the real binary: what is erased is in no byte of the data,
//! and everything that proves the log still does.
//!
//! covers: S10

use placet_test_support::nats::NatsServer;
use placet_test_support::provider::Behaviour;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

use crate::world::{Asked, Live, POST};

const MARKER: &str = "marker-b1946ac92492d2347c6235b4d2611184";
const ANA: &str = "ana@example.com";

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// The files below a directory in which the marker stands.
fn files_with_marker(dir: &Path) -> Vec<PathBuf> {
    let mut all = vec![];
    files(dir, &mut all);
    let marker = MARKER.as_bytes();
    let holds = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(marker.len()).any(|window| window == marker)
    };
    all.retain(holds);
    all
}

fn check_whole(live: &Live) {
    let verified = live.json("auditor", &["audit", "verify"]);
    assert_eq!(verified["ok"], true, "{verified}");
    let replayed = live.json("auditor", &["audit", "replay"]);
    assert_eq!(replayed["equal"], true, "{replayed}");
}

fn is_erased(live: &Live, run: &str) -> bool {
    let shown = live.json("author", &["runs", "show", run]).to_string();
    shown.contains("[erased]") && !shown.contains(MARKER)
}

/// Two runs about one person: one was sent, one was answered with words.
fn story(live: &Live) -> [Asked; 2] {
    let text = format!("Dear {ANA}, {MARKER}");
    let (sent, answered) = (live.ask(&text), live.ask(&text));
    live.approve(&sent);
    live.until(&sent.run, "RunCompleted");
    live.done("approver", &["inbox", "respond", &answered.decision, "--text", MARKER]);
    live.until(&answered.run, "RunFaulted");
    for asked in [&sent, &answered] {
        let shown = live.json("author", &["runs", "show", &asked.run]).to_string();
        let card = live.card(&asked.decision).to_string();
        assert!(shown.contains(MARKER) || card.contains(MARKER), "it was there to be erased");
    }
    [sent, answered]
}

#[test]
fn an_erased_person_is_in_no_byte_of_data_keys_or_stream_and_the_log_still_verifies() {
    let name = "an_erased_person_is_in_no_byte_of_data_keys_or_stream_and_the_log_still_verifies";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let mut live = Live::on_nats(&server, None);
    let runs = story(&live);
    let waits = live.ask(&format!("{ANA}: {MARKER}"));
    let kept = live.ask("to somebody else");

    let refused = live.placet(["erase", "--subject", ANA]).run().expect_code(2);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    let erased = live.done("author", &["erase", "--subject", " Ana@Example.com ", "--yes"]);
    for run in runs.iter().chain([&waits]).map(|asked| &asked.run) {
        assert!(erased.stdout.contains(run.as_str()), "{run}: {}", erased.stdout);
        assert!(!live.json("author", &["runs", "show", run]).to_string().contains(MARKER));
    }
    assert!(runs.iter().all(|asked| is_erased(&live, &asked.run)));
    assert!(!erased.stdout.contains(&kept.run), "{}", erased.stdout);
    assert!(erased.stderr.contains("at the latest"), "{}", erased.stderr);
    assert_eq!(live.json("author", &["runs", "show", &waits.run])["status"], "cancelled");
    let card = live.card(&waits.decision);
    assert_eq!((&card["state"], &card["request"]), (&json!("withdrawn"), &json!("[erased]")));
    assert_eq!(live.inbox().len(), 1, "somebody else's request stays");

    let compacted = live.json("author", &["compact"]);
    assert!(compacted["after"].as_u64() > Some(0), "{compacted}");
    check_whole(&live);
    let log = live.done("auditor", &["audit", "log", "--json"]).stdout;
    assert!(log.contains("PayloadErased") && !log.contains(MARKER) && !log.contains(ANA));
    let retried = live.placet(["runs", "retry", &runs[1].run, "--as", "author"]).run();
    assert!(retried.expect_code(1).stderr.contains("PL4030"));
    let ended = live.terminate();
    assert!(!ended.stdout.contains(MARKER) && !ended.stderr.contains(MARKER));

    let places = [live.project.dir(), server.dir().to_path_buf()];
    for place in &places {
        assert_eq!(files_with_marker(place), Vec::<PathBuf>::new());
    }
    live.project.write("control.txt", MARKER);
    assert_eq!(files_with_marker(&places[0]).len(), 1, "the search finds what is there");
    live.restart();
    check_whole(&live);
    assert!(is_erased(&live, &runs[0].run));
}

#[test]
fn a_call_whose_outcome_nobody_knows_is_settled_before_its_run_is_erased() {
    let live = Live::start();
    live.cannot_be_looked_up();
    let asked = live.ask(MARKER);
    live.provider.next_for(POST, Behaviour::ApplyThenReset);
    live.approve(&asked);
    let refused = || {
        let refused = live.placet(["erase", &asked.run, "--yes", "--as", "author"]).run();
        refused.expect_code(1).stderr
    };
    live.until(&asked.run, "AttemptInDoubt");
    let words = refused();
    assert!(words.contains("PL4031"), "{words}");
    assert!(words.contains(&format!("placet inbox resolve {}", asked.decision)), "{words}");
    live.done("approver", &["inbox", "resolve", &asked.decision, "sent"]);
    live.until(&asked.run, "RunCompleted");
    live.done("author", &["erase", &asked.run, "--yes", "--reason", "asked for"]);
    assert!(is_erased(&live, &asked.run));
    check_whole(&live);
}

/// As a machine does whose backup comes back.
#[test]
fn data_that_are_put_back_from_before_the_erasure_do_not_bring_it_back() {
    let mut live = Live::start();
    let [sent, _] = story(&live);
    live.terminate();
    let before = PathBuf::from(live.copy_of_data());
    let erase = ["erase", &sent.run, "--yes", "--as", "author"];
    let erased = live.placet(erase).run().expect_code(0);
    assert!(erased.stdout.contains(&sent.run), "on data that nobody has open: {}", erased.stdout);
    for file in ["log.redb", "keys.redb", "head"] {
        std::fs::copy(before.join(file), live.project.data().join(file)).expect("a file");
    }
    // they are older than what is known of the project: nothing starts on them by itself
    let refused = live.dev().run().expect_code(1);
    assert!(refused.stderr.contains("PL1010"), "{}", refused.stderr);
    drop(live.placet(["restore", "--copy", "--yes", "--accept-rollback"]).run().expect_code(0));
    live.restart();
    assert!(is_erased(&live, &sent.run), "its key was destroyed again");
    check_whole(&live);
}

#[test]
fn a_running_engine_packs_its_vault_too_and_sends_with_what_is_in_it() {
    let live = Live::start();
    let size = || {
        let vault = std::fs::metadata(live.project.data().join("vault.redb"));
        vault.expect("a vault").len()
    };
    let before = size();
    live.done("author", &["compact"]);
    assert!(size() < before, "{before} bytes before, {} after", size());
    let asked = live.ask("Hello");
    live.approve(&asked);
    live.until(&asked.run, "RunCompleted");
    assert_eq!(live.posts().len(), 1);
}

#[test]
fn a_compaction_that_is_killed_at_any_step_leaves_data_that_open() {
    let mut live = Live::start();
    let [sent, answered] = story(&live);
    live.terminate();
    live.done("author", &["erase", &sent.run, "--yes"]);
    for step in ["writing the data keys", "payloads written", "packing", "free pages"] {
        let running = live.placet(["compact"]).start();
        running.stderr_line(|line| line.contains(step));
        running.kill_9();
        let verified = live.placet(["audit", "verify", "--json"]).run().expect_code(0).json();
        assert_eq!(verified["ok"], true, "killed at {step}: {verified}");
    }
    live.done("author", &["compact"]);
    live.restart();
    assert!(is_erased(&live, &sent.run));
    let card = live.card(&answered.decision);
    assert!(card.to_string().contains(MARKER), "what was not erased is there");
    check_whole(&live);
}

#[test]
fn metadata_only_erases_what_a_run_held_once_it_has_ended() {
    let mut live = Live::start();
    live.terminate();
    live.project.write("placet.toml", "project = \"acme\"\n[data]\npolicy = \"metadata_only\"\n");
    live.restart();
    let asked = live.ask(MARKER);
    live.approve(&asked);
    let events = live.door().events().until(|events| {
        events.iter().any(|event| {
            event["type"] == "PayloadErased" && event["body"]["run"] == asked.run.as_str()
        })
    });
    let told = events.iter().find(|event| event["type"] == "PayloadErased").expect("it came");
    assert_eq!(told["actor"], "engine", "{told}");
    assert_eq!(live.posts().len(), 1, "what was approved was kept until it was sent");
    assert!(String::from_utf8_lossy(&live.posts()[0].body).contains(MARKER));
    assert!(is_erased(&live, &asked.run));
    check_whole(&live);
    let none: Value = live.json("author", &["erase", &asked.run, "--yes"]);
    assert_eq!(none["runs"], json!([]));
}
