//! What somebody who does not believe the engine can rely on: exports and receipts that tools of others check too, with a
//! key that comes from somewhere else, and a forgery of each kind that none of them passes.

mod checkpoints;
mod foreign;
mod forgeries;
mod receipts;
mod witness;

use std::path::{Path, PathBuf};

use placet_test_support::dirs::copy_dir;
use placet_test_support::process::Finished;
use serde_json::json;

use crate::world::{Asked, Live};

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
    let voted = live.done("approver", &["inbox", "approve", &asked.decision]);
    let offered = format!("its receipt: placet audit prove {}", asked.decision);
    assert!(voted.stderr.contains(&offered), "{}", voted.stderr);
    live.until(&asked.run, "RunCompleted");
    let key = key_of(&live);
    (live, asked, key)
}

pub(crate) fn key_of(live: &Live) -> String {
    let told = live.placet(["audit", "checkpoint", "--key"]).run().expect_code(0);
    told.stdout.trim().to_owned()
}

/// For a command whose output nobody needs.
fn succeeds(finished: Finished) {
    drop(finished.expect_code(0));
}

/// Where the project's keys lie, away from its data.
pub(crate) fn keys_of(live: &Live) -> PathBuf {
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
        succeeds(live.placet(export).run());
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

#[test]
fn reading_commands_append_nothing_and_prove_the_newest_event() {
    let (live, asked, key) = story();
    let events = |live: &Live| live.json("auditor", &["audit", "verify"])["events"].clone();
    let before = events(&live);
    let dir = live.project.dir().join("export").display().to_string();
    let file = live.project.dir().join("receipt.json").display().to_string();
    succeeds(live.placet(["audit", "export", &dir]).run());
    succeeds(live.placet(["audit", "prove", &asked.decision, "-o", &file]).run());
    succeeds(live.placet(["audit", "checkpoint", "--key"]).run());
    assert_eq!(events(&live), before);
    let again = live.placet(["audit", "export", &dir]).run().expect_code(2);
    assert!(again.stderr.contains("is not empty"), "{}", again.stderr);
    let export = live.placet(["audit", "verify", &dir, "--key", &key, "--json"]).run();
    assert_eq!(export.expect_code(0).json()["events"], before, "all of it is in the export");
}

#[test]
fn the_same_export_is_written_from_a_running_engine_and_from_its_data() {
    let (mut live, _, key) = story();
    succeeds(live.placet(["audit", "checkpoint"]).run());
    let to = |name: &str| live.project.dir().join(name).display().to_string();
    let (remote, local) = (to("remote"), to("local"));
    succeeds(live.placet(["audit", "export", &remote, "--plain"]).run());
    live.kill_9();
    succeeds(live.placet(["audit", "export", &local, "--plain"]).run());
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

/// Takes away the note of where a project was last used, as whoever holds its keys can.
fn forget_place(keys: &Path) {
    walk(keys, &mut |file| {
        if file.extension().is_some_and(|end| end == "place") {
            std::fs::remove_file(file).expect("it can be removed");
        }
    });
}
