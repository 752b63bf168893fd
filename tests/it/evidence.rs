//! What somebody who does not believe the engine can rely on: exports and receipts that tools of others check too, with a
//! key that comes from somewhere else, and a forgery of each kind that none of them passes.

mod checkpoints;
mod foreign;
mod forgeries;
mod witness;

use std::path::{Path, PathBuf};

use placet_test_support::process::Finished;
use serde_json::{Value, json};

use crate::world::{Asked, Live};
use foreign::Foreign;

/// Leaves two events for each of its items.
const COUNT: &str = "\
document: { dsl: '1.0.3', namespace: ops, name: count, version: '1.0.0' }
do:
  - each:
      for: { each: n, in: '${ .items }' }
      do:
        - keep: { set: { n: '${ $n }' } }
";

/// An engine that has sent a message on an approval, and the log's key as its operator hands it out.
fn story() -> (Live, Asked, String) {
    let live = Live::start();
    let asked = live.ask("Hello");
    live.approve(&asked);
    live.until(&asked.run, "RunCompleted");
    let key = key_of(&live);
    (live, asked, key)
}

fn key_of(live: &Live) -> String {
    let told = live.placet(["audit", "checkpoint", "--key"]).run().expect_code(0);
    told.stdout.trim().to_owned()
}

/// Where the project's keys lie, away from its data.
fn keys_of(live: &Live) -> PathBuf {
    let env = live.project.env();
    let keys = env.into_iter().find(|(name, _)| name == "PLACET_KEY_DIR");
    keys.expect("a project of a test has keys of its own").1
}

/// More than two full bundles of events.
fn long_story() -> (Live, Asked, String) {
    let (live, asked, key) = story();
    live.project.write("workflows/count.yaml", COUNT);
    live.done("author", &["deploy", "."]);
    let input = json!({ "items": (0..280).collect::<Vec<_>>() }).to_string();
    let started = live.json("author", &["start", "ops/count", "--input", &input]);
    live.until(started["run"].as_str().expect("a run"), "RunCompleted");
    (live, asked, key)
}

/// The log as files, and who checks them.
struct Export {
    live: Live,
    dir: PathBuf,
    key: String,
}

impl Export {
    fn of(live: Live, key: String, more: &[&str]) -> Self {
        let dir = live.project.dir().join("export");
        let to = dir.display().to_string();
        let export = ["audit", "export", &to].into_iter().chain(more.iter().copied());
        let _ = live.placet(export).run().expect_code(0);
        Self { live, dir, key }
    }

    /// `audit verify` on this directory, with the operator's key.
    fn verify(&self, dir: &Path, more: &[&str]) -> Finished {
        let dir = dir.display().to_string();
        let args = ["audit", "verify", &dir, "--key", &self.key, "--json"];
        self.live.placet(args.into_iter().chain(more.iter().copied())).run()
    }

    /// A copy to forge.
    fn copy(&self) -> PathBuf {
        let copy = self.live.project.dir().join("forged");
        if copy.exists() {
            std::fs::remove_dir_all(&copy).expect("a copy can be removed");
        }
        copy_dir(&self.dir, &copy);
        copy
    }
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a fresh directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).expect("an entry");
        if path.is_dir() {
            copy_dir(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).expect("a file can be copied");
        }
    }
}

#[test]
fn a_receipt_proves_a_decision_to_us_and_to_a_foreign_tool_until_a_byte_of_it_is_changed() {
    let (live, asked, key) = story();
    let file = live.project.dir().join("receipt.json").display().to_string();
    let _ = live.placet(["audit", "prove", &asked.decision, "-o", &file]).run().expect_code(0);
    // the auditor needs neither the engine nor its data
    let verify = |more: &[&str]| {
        let args = ["audit", "verify", &file, "--key", &key].into_iter();
        live.placet(args.chain(more.iter().copied())).run()
    };
    let told = verify(&[]).expect_code(0).stdout;
    for words in [
        &asked.decision,
        "approver voted approve on sha256:",
        "no signature of the voter's own does",
        "the decision ended: approved",
        "it was spent: try 1 of slack.chat.postMessage in live mode",
        "it was answered with status 200",
        "it does not prove that the log holds no others",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let answer = verify(&["--json"]).expect_code(0).json();
    assert_eq!(answer["signed_by"]["key"], json!(key), "{answer}");
    let foreign = Foreign::find("a_receipt_proves_a_decision");
    if let Some(foreign) = &foreign {
        let said = foreign.receipt(Path::new(&file), &key).expect("a good receipt");
        assert!(said.contains(&asked.decision), "{said}");
    }
    // forged: another voter, another leaf, another proof, another checkpoint
    let good = std::fs::read_to_string(&file).expect("a receipt");
    let receipt: Value = serde_json::from_str(&good).expect("JSON");
    let events = receipt["events"].as_array().expect("events");
    let forged = |forge: &dyn Fn(&mut Value)| {
        let mut copy = receipt.clone();
        forge(&mut copy);
        std::fs::write(&file, copy.to_string()).expect("a file can be written");
        let ours = verify(&["--json"]).expect_code(1).json();
        let theirs = foreign.as_ref().map(|foreign| foreign.receipt(Path::new(&file), &key));
        (ours, theirs.is_none_or(|said| said.is_err()))
    };
    let vote = events
        .iter()
        .position(|event| event["line"].as_str().is_some_and(|line| line.contains("\"VoteCast\"")));
    let vote = vote.expect("the vote is there");
    let line = events[vote]["line"].as_str().expect("a line").replace("approver", "somebody");
    let (ours, _) = forged(&|receipt| receipt["events"][vote]["line"] = json!(line));
    assert!(ours["position"].is_u64(), "{ours}");
    let flip = |member: &'static str, at: usize| {
        move |receipt: &mut Value| {
            let text = receipt["events"][vote][member].as_str().expect("a text");
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            receipt["events"][vote][member] = json!(String::from_utf8(bytes).expect("ASCII"));
        }
    };
    for (member, at) in [("leaf", 40), ("proof", 40)] {
        let (ours, theirs) = forged(&flip(member, at));
        assert!(theirs, "{member}: {ours}");
    }
    let (ours, theirs) = forged(&|receipt| {
        for event in receipt["events"].as_array_mut().expect("events") {
            let proof =
                event["proof"].as_str().expect("a proof").replacen("placet/", "placet/0", 1);
            event["proof"] = json!(proof);
        }
    });
    assert!(
        theirs && ours["detail"].as_str().is_some_and(|said| said.contains("placet/0")),
        "{ours}"
    );
    // what was shown and sent goes along when it is asked for, and is compared with the approved digests
    let _ = live
        .placet(["audit", "prove", &asked.decision, "-o", &file, "--plain"])
        .run()
        .expect_code(0);
    let told = verify(&[]).expect_code(0).stdout;
    assert!(told.contains("its request (it is the one of that digest)"), "{told}");
    assert!(told.contains("Hello"), "{told}");
}

#[test]
fn reading_commands_append_nothing_and_prove_the_newest_event() {
    let (live, asked, key) = story();
    let events = |live: &Live| live.json("auditor", &["audit", "verify"])["events"].clone();
    let before = events(&live);
    let dir = live.project.dir().join("export").display().to_string();
    let file = live.project.dir().join("receipt.json").display().to_string();
    let _ = live.placet(["audit", "export", &dir]).run().expect_code(0);
    let _ = live.placet(["audit", "prove", &asked.decision, "-o", &file]).run().expect_code(0);
    let _ = live.placet(["audit", "checkpoint", "--key"]).run().expect_code(0);
    assert_eq!(events(&live), before);
    let export = live.placet(["audit", "verify", &dir, "--key", &key, "--json"]).run();
    assert_eq!(export.expect_code(0).json()["events"], before, "all of it is in the export");
}

#[test]
fn the_same_export_is_written_from_a_running_engine_and_from_its_data() {
    let (mut live, _, key) = story();
    let _ = live.placet(["audit", "checkpoint"]).run().expect_code(0);
    let to = |name: &str| live.project.dir().join(name).display().to_string();
    let (remote, local) = (to("remote"), to("local"));
    let _ = live.placet(["audit", "export", &remote, "--plain"]).run().expect_code(0);
    live.kill_9();
    let _ = live.placet(["audit", "export", &local, "--plain"]).run().expect_code(0);
    let files = |dir: &str| {
        let mut files = vec![];
        walk(Path::new(dir), &mut |path| {
            let name = path.strip_prefix(dir).expect("below").to_owned();
            files.push((name, std::fs::read(path).expect("a file")));
        });
        files.sort();
        files
    };
    assert_eq!(files(&remote), files(&local));
    let verified = live.placet(["audit", "verify", &local, "--key", &key]).run().expect_code(0);
    assert!(verified.stdout.contains("stand in the clear"), "{}", verified.stdout);
}

fn walk(dir: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { walk(&path, visit) } else { visit(&path) }
    }
}
