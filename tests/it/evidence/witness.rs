//! Witnesses: a process of somebody else's that signs only what continues what it has seen.

use std::fs;
use std::path::{Path, PathBuf};

use placet_test_support::port::Port;
use placet_test_support::process::Running;
use serde_json::Value;

use super::foreign::Foreign;
use super::{Export, copy_dir, key_of, keys_of, succeeds};
use crate::world::Live;

const NAME: &str = "witness.example/w1";

/// A witness of this log, as a process.
struct Witness {
    key: String,
    url: String,
    port: Port,
    running: Running,
}

impl Witness {
    fn dir(live: &Live) -> String {
        live.project.dir().join("witness").display().to_string()
    }

    fn start(live: &Live, log: &str) -> Self {
        let dir = Self::dir(live);
        let made = live.placet(["witness", "key", "--dir", &dir, "--name", NAME]).run();
        let key = made.expect_code(0).stdout.trim().to_owned();
        Self::serving(live, log, (key, Port::reserve()))
    }

    fn serving(live: &Live, log: &str, (key, port): (String, Port)) -> Self {
        let (dir, at) = (Self::dir(live), port.address());
        let serve = ["witness", "serve", "--dir", &dir, "--listen", &at, "--log", log];
        let running = live.placet(serve).start();
        let url = running.stdout_line(|line| line.starts_with("http://"));
        Self { key, url, port, running }
    }
}

/// An engine that asks this witness.
fn watched() -> (Live, Witness, String) {
    let mut live = Live::start();
    let key = key_of(&live);
    live.terminate();
    let witness = Witness::start(&live, &key);
    let listed = format!("[audit]\nwitnesses = [\"{} {}\"]\n", witness.url, witness.key);
    live.project.write("placet.toml", &format!("project = \"acme\"\n{listed}"));
    live.restart();
    (live, witness, key)
}

/// The log's events once a checkpoint of this size is cosigned.
fn until_cosigned(live: &Live, checkpoint: &str) -> Vec<Value> {
    let size = size_of(checkpoint);
    let is_it = |event: &Value| {
        event["type"] == "CheckpointCosigned" && event["body"]["size"].as_u64() == Some(size)
    };
    live.door().events().until(|events| events.iter().any(is_it))
}

fn size_of(checkpoint: &str) -> u64 {
    checkpoint.lines().nth(1).and_then(|line| line.parse().ok()).expect("a size")
}

fn checkpoint(live: &Live) -> String {
    live.placet(["audit", "checkpoint"]).run().expect_code(0).stdout
}

#[test]
fn a_witness_signs_each_checkpoint_and_readers_check_its_signature_in_an_export() {
    let (mut live, witness, key) = watched();
    let first = checkpoint(&live);
    let events = until_cosigned(&live, &first);
    let cosigned = events.last().expect("it came");
    assert_eq!(cosigned["body"]["witness"], NAME);
    // an engine that starts again has forgotten what the witness knows, and learns it
    live.terminate();
    live.restart();
    let second = checkpoint(&live);
    until_cosigned(&live, &second);
    let export = Export::of(live, key, &[]);
    let told = export.verify(&export.dir, &["--witness", &witness.key]).expect_code(0).json();
    assert_eq!(told["signed_by"]["witnesses"], serde_json::json!([NAME]), "{told}");
    assert_eq!(told["events"].as_u64(), Some(size_of(&second)), "that checkpoint vouches for all");
    if let Some(foreign) = Foreign::find("a_witness_signs_each_checkpoint") {
        foreign.export(&export.dir, &[&export.key, &witness.key]).expect("it is signed by both");
    }
    // the line taken out, another witness asked for, a byte of the line changed
    let file = |copy: &Path| copy.join("checkpoint");
    let text = fs::read_to_string(file(&export.dir)).expect("a checkpoint");
    let line = text.lines().find(|line| line.contains(NAME)).expect("its line");
    for (forged, says) in [
        (text.replace(&format!("{line}\n"), ""), "0 of the 1 witnesses"),
        (text.replace(line, &flipped(line)), "does not fit the note"),
    ] {
        let copy = export.copy();
        fs::write(file(&copy), forged).expect("a copy can be written");
        let found = export.verify(&copy, &["--witness", &witness.key]).expect_code(1).json();
        assert!(found["detail"].as_str().is_some_and(|said| said.contains(says)), "{found}");
        if let Some(foreign) = Foreign::find("a_witness_signs_each_checkpoint") {
            assert!(foreign.export(&copy, &[&export.key, &witness.key]).is_err(), "{says}");
        }
    }
    let enough = export.verify(&export.copy(), &["--witness", &witness.key, "--min", "2"]);
    assert_eq!(enough.code, Some(1), "{enough:?}");
}

/// The line with another last byte of its signature.
fn flipped(line: &str) -> String {
    let mut bytes = line.as_bytes().to_vec();
    let at = bytes.len() - 6;
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).expect("still a text")
}

#[test]
fn a_witness_that_is_away_holds_up_nothing_and_is_asked_again() {
    let (live, witness, _) = watched();
    until_cosigned(&live, &checkpoint(&live));
    witness.running.kill_9();
    live.done("author", &["pause"]);
    let signed = checkpoint(&live);
    live.done("author", &["resume"]);
    let after = checkpoint(&live);
    assert!(size_of(&after) > size_of(&signed));
    // its memory is on disk, and the checkpoint of its own log is what it says
    let dir = PathBuf::from(Witness::dir(&live));
    let kept = fs::read_dir(&dir).expect("its directory").filter_map(|entry| {
        let path = entry.expect("an entry").path();
        path.extension().is_some_and(|end| end == "checkpoint").then_some(path)
    });
    let kept: Vec<PathBuf> = kept.collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let kept = kept[0].display().to_string();
    let key = key_of(&live);
    let verify = ["audit", "verify", "--key", &key, "--older", &kept];
    succeeds(live.placet(verify).run());
}

#[test]
fn the_last_checkpoint_of_an_engine_that_stops_in_order_is_witnessed() {
    let (mut live, witness, _) = watched();
    live.done("author", &["pause"]);
    let stopped = live.terminate();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    let last = fs::read_to_string(live.project.data().join("checkpoint")).expect("a checkpoint");
    assert!(last.contains(NAME), "{last}");
    // it is in the log, and vouches for all of it but itself
    let newest = live.json_lines(&["audit", "log", "--reverse", "--limit", "2"]);
    assert_eq!(newest[0]["type"], "CheckpointCosigned", "{newest:?}");
    assert_eq!(newest[1]["type"], "CheckpointSigned", "{newest:?}");
    assert_eq!(newest[0]["body"]["size"].as_u64(), Some(size_of(&last)), "{newest:?}");
    witness.running.kill_9();
}

#[test]
fn a_witness_that_never_answers_does_not_keep_an_engine_from_stopping() {
    let mut live = Live::start();
    live.terminate();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let made = live.placet(["witness", "key", "--dir", &Witness::dir(&live), "--name", NAME]).run();
    let key = made.expect_code(0).stdout.trim().to_owned();
    let at = silent.local_addr().expect("its address");
    let listed = format!("[audit]\nwitnesses = [\"http://{at} {key}\"]\n");
    live.project.write("placet.toml", &format!("project = \"acme\"\n{listed}"));
    live.restart();
    live.done("author", &["pause"]);
    let stopped = live.terminate();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    assert!(stopped.stderr.contains("not every witness has answered"), "{stopped:?}");
    let last = fs::read_to_string(live.project.data().join("checkpoint")).expect("a checkpoint");
    assert!(!last.contains(NAME), "{last}");
}

#[test]
fn a_log_that_was_restored_on_purpose_is_witnessed_again_once_its_witness_is_told_to_forget() {
    let (mut live, witness, key) = watched();
    let backup = live.project.dir().join("backup").display().to_string();
    succeeds(live.placet(["backup", &backup]).run());
    for _ in 0..4 {
        live.done("author", &["pause"]);
        live.done("author", &["resume"]);
    }
    until_cosigned(&live, &checkpoint(&live));
    let seen = fs::read_to_string(live.project.data().join("checkpoint")).expect("a checkpoint");
    live.kill_9();
    fs::remove_dir_all(live.project.data()).expect("the data can be removed");
    succeeds(live.placet(["restore", &backup, "--yes", "--accept-rollback"]).run());
    // what its witness has seen is gone: it signs nothing, and the engine says what can be done
    live.restart();
    checkpoint(&live);
    let refused = live.running().stderr_line(|line| line.contains("placet witness forget"));
    assert!(refused.contains("restored on purpose"), "{refused}");
    let dir = Witness::dir(&live);
    let origin = seen.lines().next().expect("an origin").to_owned();
    let forget = ["witness", "forget", &origin, "--reason", "rack lost, backup", "--dir", &dir];
    let forget = || live.placet(forget).args(["--yes"]).run();
    let running = forget().expect_code(1).stderr;
    assert!(running.contains("PL1001") && running.contains("stop it first"), "{running}");
    let Witness { key: witness_key, port, running, .. } = witness;
    drop(running.terminate().expect_code(0));
    let stranger = ["witness", "forget", "other.example/x", "--reason", "x", "--dir", &dir];
    let unknown = live.placet(stranger).args(["--yes"]).run().expect_code(1).stderr;
    assert!(unknown.contains(&origin), "it says whom it knows: {unknown}");
    succeeds(forget());
    let listed = live.json_lines(&["witness", "list", "--dir", &dir]);
    assert_eq!((&listed[0]["origin"], &listed[0]["last"]), (&origin.as_str().into(), &Value::Null));
    let record = &listed[0]["forgotten"][0];
    assert_eq!(record["size"].as_u64(), Some(size_of(&seen)), "{record}");
    assert_eq!(record["reason"], "rack lost, backup");
    // at the address that the project's configuration names
    let witness = Witness::serving(&live, &key, (witness_key, port));
    live.done("author", &["pause"]);
    let checkpoint = checkpoint(&live);
    until_cosigned(&live, &checkpoint);
    let export = Export::of(live, key, &[]);
    let verified = export.verify(&export.dir, &["--witness", &witness.key]);
    succeeds(verified);
    drop(witness.running.terminate().expect_code(0));
}

#[test]
fn a_history_that_was_rewritten_with_the_log_s_own_key_gets_no_signature() {
    let (mut live, witness, key) = watched();
    live.terminate();
    let root = live.project.dir();
    let (data, keys) = (root.join("their-data"), root.join("their-keys"));
    copy_dir(&live.project.data(), &data);
    copy_dir(&keys_of(&live), &keys);
    super::forget_place(&keys);
    live.restart();
    live.done("author", &["pause"]);
    let seen = checkpoint(&live);
    until_cosigned(&live, &seen);
    live.terminate();
    witness.running.kill_9();
    // the copy goes another way, past the size that the witness has seen
    let data = data.display().to_string();
    let theirs = |args: &[&str]| {
        let args = args.iter().copied().chain(["--data", &data]);
        live.placet(args).env("PLACET_KEY_DIR", &keys).run()
    };
    let resumed = || {
        succeeds(theirs(&["pause", "--as", "author"]));
        succeeds(theirs(&["resume", "--as", "author"]));
        theirs(&["audit", "checkpoint"]).expect_code(0).stdout
    };
    let longer = (0..8).map(|_| resumed()).find(|forged| size_of(forged) > size_of(&seen));
    assert!(longer.is_some(), "the rewritten log is the longer one");
    let file = root.join("request").display().to_string();
    let sign = |request: String| {
        fs::write(&file, request + "\n").expect("a file can be written");
        let dir = Witness::dir(&live);
        live.placet(["witness", "sign", &file, "--dir", &dir, "--log", &key]).run()
    };
    let since = size_of(&seen).to_string();
    let forged = theirs(&["audit", "checkpoint", "--since", &since]).expect_code(0).stdout;
    let refused = sign(forged).expect_code(1);
    assert!(
        refused.stderr.contains("not signed: the proof does not lead to the root"),
        "{refused:?}"
    );
    // the true one is signed still
    let good = live.placet(["audit", "checkpoint", "--since", &since]).run().expect_code(0).stdout;
    let line = sign(good).expect_code(0).stdout;
    assert!(line.contains(NAME), "{line}");
}
