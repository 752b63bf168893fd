//! Data directories that are truncated, foreign, newer, read-only, full or damaged, met by the real program: each is an
//! error with a code that names the file, says what to do, and leaves every byte as it was.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use placet_test_support::process::{Finished, Placet};
use serde_json::Value;

use crate::world::{Live, PLACET};

/// A project with a past, whose engine was killed; the data as they were then.
struct Past {
    live: Live,
    whole: BTreeMap<String, Vec<u8>>,
}

/// Every file of the data but the lock.
fn bytes(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries =
        fs::read_dir(dir).expect("a data directory").map(|entry| entry.expect("an entry").path());
    let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    entries
        .filter(|path| path.is_file() && !path.ends_with("lock"))
        .map(|path| (name(&path), fs::read(&path).expect("it can be read")))
        .collect()
}

impl Past {
    fn new() -> Self {
        let mut live = Live::start();
        live.ask("Hello");
        live.kill_9();
        let whole = bytes(&live.project.data());
        Self { live, whole }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.live.project.data().join(name)
    }

    /// Puts everything back as it was.
    fn mend(&self) {
        let data = self.live.project.data();
        fs::remove_dir_all(&data).expect("it can be removed");
        fs::create_dir(&data).expect("it can be made");
        for (name, content) in &self.whole {
            fs::write(data.join(name), content).expect("it can be written");
        }
    }

    /// What a command says that must be refused; nothing is changed by it.
    fn refused(&self, what: &str, command: Placet) -> Finished {
        let before = bytes(&self.live.project.data());
        let finished = command.run();
        assert_eq!(finished.code, Some(1), "{what}: {}{}", finished.stdout, finished.stderr);
        assert!(bytes(&self.live.project.data()) == before, "{what}: a file was changed");
        finished
    }
}

/// What is done to the data, which command meets it, the code, and words of the answer.
struct Case {
    what: &'static str,
    spoil: fn(&Past),
    code: &'static str,
    words: &'static [&'static str],
}

const DO: &str = "= help: ";

fn cut(past: &Past, file: &str, length: usize) {
    fs::write(past.file(file), &past.whole[file][..length]).expect("it can be written");
}

fn put(past: &Past, file: &str, content: &[u8]) {
    fs::write(past.file(file), content).expect("it can be written");
}

fn remove(past: &Past, file: &str) {
    fs::remove_file(past.file(file)).expect("it can be removed");
}

const CASES: &[Case] = &[
    Case {
        what: "an empty log",
        spoil: |p| cut(p, "log.redb", 0),
        code: "PL1002",
        words: &["log.redb", "empty", "nothing was changed", DO],
    },
    Case {
        what: "a log of 5 bytes",
        spoil: |p| cut(p, "log.redb", 5),
        code: "PL1002",
        words: &["log.redb", "nothing was changed", DO],
    },
    Case {
        what: "half a log",
        spoil: |p| cut(p, "log.redb", p.whole["log.redb"].len() / 2),
        code: "PL1003",
        words: &["log.redb", "restore", DO],
    },
    Case {
        what: "an empty key file",
        spoil: |p| cut(p, "keys.redb", 0),
        code: "PL1002",
        words: &["keys.redb", "empty", DO],
    },
    Case {
        what: "half a key file",
        spoil: |p| cut(p, "keys.redb", p.whole["keys.redb"].len() / 2),
        code: "PL1003",
        words: &["keys.redb", "restore", DO],
    },
    Case {
        what: "text for a log",
        spoil: |p| put(p, "log.redb", b"hello\n"),
        code: "PL1002",
        words: &["log.redb", "no database of Placet", "backup", DO],
    },
    Case {
        what: "SQLite for a log",
        spoil: |p| put(p, "log.redb", &[b"SQLite format 3\0".as_slice(), &[0; 4080]].concat()),
        code: "PL1002",
        words: &["log.redb", DO],
    },
    Case {
        what: "the vault for a log",
        spoil: |p| put(p, "log.redb", &p.whole["vault.redb"]),
        code: "PL1003",
        words: &["log.redb", DO],
    },
    Case {
        what: "a directory for a log",
        spoil: |p| {
            remove(p, "log.redb");
            fs::create_dir(p.file("log.redb")).expect("made");
        },
        code: "PL1002",
        words: &["log.redb", "a directory", DO],
    },
    Case {
        what: "no key file",
        spoil: |p| remove(p, "keys.redb"),
        code: "PL1003",
        words: &["keys.redb", "missing beside log.redb", "restore a backup", DO],
    },
    Case {
        what: "no log",
        spoil: |p| remove(p, "log.redb"),
        code: "PL1003",
        words: &["log.redb", "missing beside", "restore a backup", DO],
    },
    Case {
        what: "the log for its keys",
        spoil: |p| put(p, "keys.redb", &p.whole["log.redb"]),
        code: "PL1003",
        words: &["keys.redb", DO],
    },
    Case {
        what: "a missing journal",
        spoil: |p| remove(p, "journal"),
        code: "PL1003",
        words: &["journal", "missing beside log.redb", "restore a backup", DO],
    },
    Case {
        what: "a journal cut short",
        spoil: |p| cut(p, "journal", p.whole["journal"].len() / 2),
        code: "PL1003",
        words: &["journal", "cut short", "restore", DO],
    },
    Case {
        what: "another file in the place of the journal",
        spoil: |p| put(p, "journal", &p.whole["log.redb"]),
        code: "PL1003",
        words: &["journal", "no journal of Placet", DO],
    },
    Case {
        what: "a restore cut short",
        spoil: |p| put(p, "restoring", b"{}"),
        code: "PL1009",
        words: &["placet restore", DO],
    },
];

#[test]
fn each_spoiled_log_or_key_file_is_named_with_what_to_do_and_stays_as_it_is() {
    let past = Past::new();
    for case in CASES {
        (case.spoil)(&past);
        let said = past.refused(case.what, past.live.placet(["pause"])).stderr;
        for word in [case.code].iter().chain(case.words) {
            assert!(said.contains(word), "{}: {word:?} in {said}", case.what);
        }
        past.mend();
    }
    drop(past.live.placet(["audit", "verify"]).run().expect_code(0));
}

#[test]
fn the_log_of_an_engine_that_stopped_in_order_is_whole_without_its_journal() {
    let mut live = Live::start();
    live.ask("Hello");
    drop(live.terminate().expect_code(0));
    let journal = live.project.data().join("journal");
    assert!(fs::metadata(&journal).is_ok_and(|meta| meta.len() > 0), "it was in use");
    fs::remove_file(&journal).expect("it can be removed");
    drop(live.placet(["audit", "verify"]).run().expect_code(0));
    let told = live.placet(["audit", "log", "--type", "DecisionRequested"]).run().expect_code(0);
    assert!(!told.stdout.is_empty());
}

#[test]
fn each_spoiled_vault_is_named_and_stays_as_it_is() {
    let past = Past::new();
    // the engine looks at its vault after its log: what it writes into that is no harm
    let refused = |what: &str, code: &str| {
        let before = fs::read(past.file("vault.redb")).ok();
        let said = past.live.dev().run().expect_code(1).stderr;
        assert!(said.contains("vault.redb") && said.contains(code), "{what}: {said}");
        assert!(fs::read(past.file("vault.redb")).ok() == before, "{what}: it was changed");
        past.mend();
    };
    for (what, code, length) in
        [("empty", "PL1002", 0), ("short", "PL1002", 7), ("half", "PL1003", 2)]
    {
        let whole = &past.whole["vault.redb"];
        put(&past, "vault.redb", &whole[..if length == 2 { whole.len() / 2 } else { length }]);
        refused(what, code);
    }
    put(&past, "vault.redb", &past.whole["log.redb"]);
    refused("the log for a vault", "PL100");
    put(&past, "vault.redb", b"hello");
    refused("text", "PL1002");
}

#[test]
fn a_missing_vault_is_named_and_made_anew_only_when_somebody_says_that_it_is_lost() {
    let mut past = Past::new();
    let there = past.live.dev().args(["--new-vault"]).run().expect_code(2).stderr;
    assert!(there.contains("vault.redb is there"), "{there}");
    remove(&past, "vault.redb");
    let said = past.live.dev().run().expect_code(1).stderr;
    for word in ["PL1003", "vault.redb", "is missing", "slack", "--new-vault", DO] {
        assert!(said.contains(word), "{word:?} in {said}");
    }
    assert!(!past.file("vault.redb").exists(), "nothing was made in its place");
    let sandbox = ["dev", ".", "--mode", "sandbox", "--new-vault"];
    let said = past.live.placet(sandbox).run().expect_code(2).stderr;
    assert!(said.contains("a sandbox has no vault"), "{said}");
    let backup = past.live.project.dir().join("backup").display().to_string();
    let said = past.live.placet(["backup", &backup]).run().expect_code(0).stderr;
    assert!(said.contains("no vault is in it"), "{said}");
    let renewing = past.live.dev().args(["--new-vault"]).start();
    renewing.stderr_line(|line| line.contains("slack is held"));
    renewing.stdout_line(|line| line.contains("http://"));
    drop(renewing.terminate().expect_code(0));
    // nothing goes through it until it is connected again, and then under a version of its own
    past.live.restart();
    let listed = past.live.json("author", &["integrations", "list"]).to_string();
    assert!(listed.contains("vault_lost") && listed.contains("failed"), "{listed}");
    past.live.connect();
    let asked = past.live.ask("after the loss");
    past.live.approve(&asked);
    past.live.until(&asked.run, "RunCompleted");
    let log = past.live.json_lines(&["audit", "log", "--type", "CredentialStored"]);
    let versions: Vec<_> = log.iter().map(|event| event["body"]["version"].clone()).collect();
    assert_eq!(versions, [1, 2], "a version never stands for two credentials");
}

#[test]
fn keys_of_another_project_and_another_projects_data_are_refused() {
    let (past, other) = (Past::new(), Past::new());
    put(&past, "keys.redb", &other.whole["keys.redb"]);
    let said = past.refused("keys of another", past.live.placet(["pause"])).stderr;
    assert!(said.contains("keys.redb") && said.contains("PL1003"), "{said}");
    past.mend();
    // the data of another install: their project key is not here
    put(&past, "log.redb", &other.whole["log.redb"]);
    let said = past.refused("another log", past.live.placet(["pause"])).stderr;
    assert!(said.contains("PL1004") && said.contains(".key"), "{said}");
    past.mend();
    past.live.project.write("placet.toml", "project = \"other\"\n");
    let said = past.refused("another name", past.live.placet(["pause"])).stderr;
    assert!(
        said.contains("PL1002") && said.contains("\"acme\"") && said.contains("\"other\""),
        "{said}"
    );
}

#[test]
fn a_flipped_bit_is_reported_or_harmless_and_never_silently_wrong() {
    let past = Past::new();
    let read = |past: &Past| -> Option<(Value, String)> {
        let verified = past.live.placet(["audit", "verify", "--json"]).run();
        let log = past.live.placet(["audit", "log", "--json"]).run();
        let whole = verified.code == Some(0) && log.code == Some(0);
        let coded = verified.stderr.contains("PL10")
            || verified.stdout.contains("PL10")
            || log.stderr.contains("PL10");
        assert!(whole || coded, "{}{}{}", verified.stdout, verified.stderr, log.stderr);
        whole.then(|| (verified.json(), log.stdout))
    };
    let expected = read(&past).expect("it is whole");
    past.mend();
    let whole = &past.whole["log.redb"];
    let used = whole.iter().rposition(|byte| *byte != 0).expect("it is not empty");
    let (mut reported, mut harmless) = (0, 0);
    for at in (9..321).step_by(39).chain((4096..used).step_by(used / 24)) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        put(&past, "log.redb", &flipped);
        match read(&past) {
            Some(found) => {
                assert_eq!(found, expected, "byte {at}");
                harmless += 1;
            }
            None => reported += 1,
        }
        past.mend();
    }
    println!("{reported} flips reported, {harmless} harmless");
    assert!(reported > 0, "none was reported");
}

/// Runs a script as root of a namespace of its own, in which it may mount; none where that is not allowed.
fn in_namespace(past: &Past, script: &str) -> Option<Finished> {
    let unshare = || {
        Placet::new("unshare", &past.live.project).args(["--user", "--map-root-user", "--mount"])
    };
    let allowed = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "true"])
        .status();
    if !allowed.is_ok_and(|status| status.success()) {
        println!("skipped: no namespaces here");
        return None;
    }
    let data = past.live.project.data().display().to_string();
    let env = |placet: Placet| placet.env("DATA", data).env("PLACET", PLACET);
    Some(env(unshare()).args(["sh", "-ec", script]).run())
}

#[test]
fn a_read_only_directory_or_file_is_named_and_says_what_to_do() {
    let past = Past::new();
    for (what, named) in [("", "lock"), ("/log.redb", "log.redb"), ("/keys.redb", "keys.redb")] {
        let script = format!(
            "mount --bind \"$DATA{what}\" \"$DATA{what}\"; mount -o remount,bind,ro \"$DATA{what}\"; exec \"$PLACET\" pause --data \"$DATA\""
        );
        let before = bytes(&past.live.project.data());
        let Some(finished) = in_namespace(&past, &script) else { return };
        let said = finished.expect_code(1).stderr;
        assert!(said.contains("PL1008") && said.contains(named), "{said}");
        assert!(said.contains("Read-only") && said.contains(DO), "{said}");
        assert!(bytes(&past.live.project.data()) == before, "{what}: a file was changed");
    }
    drop(past.live.placet(["audit", "verify"]).run().expect_code(0));
}

#[test]
fn a_full_disk_begins_no_project_and_what_was_begun_is_begun_when_there_is_room() {
    let past = Past::new();
    let script = "
        mkdir -p \"$DATA/full\"; mount -t tmpfs -o size=64k tmpfs \"$DATA/full\"
        dd if=/dev/zero of=\"$DATA/full/filler\" bs=4k 2>/dev/null || true
        \"$PLACET\" run --data \"$DATA/full/new\" \"$FLOW\" --input '{\"channel\":\"C1\",\"text\":\"x\"}' --approve auto && exit 9
        mount -o remount,size=64m tmpfs \"$DATA/full\"
        exec \"$PLACET\" run --data \"$DATA/full/new\" \"$FLOW\" --input '{\"channel\":\"C1\",\"text\":\"x\"}' --approve auto
    ";
    let flow = past.live.project.dir().join("workflows/slack-notify.yaml").display().to_string();
    let script = script.replace("$FLOW", &flow);
    let Some(finished) = in_namespace(&past, &script) else { return };
    let finished = finished.expect_code(0);
    assert!(finished.stderr.contains("PL1008"), "{}", finished.stderr);
    assert!(finished.stderr.contains("log.redb"), "{}", finished.stderr);
}

#[test]
fn a_disk_that_fills_up_stops_the_engine_and_loses_nothing_that_was_acknowledged() {
    let past = Past::new();
    // each start records a payload of 100 kB; the room ends before they do
    let script = "
        mkdir -p \"$DATA/disk\"; mount -t tmpfs -o size=6m tmpfs \"$DATA/disk\"
        cp \"$DATA/log.redb\" \"$DATA/keys.redb\" \"$DATA/vault.redb\" \"$DATA/journal\" \"$DATA/disk\"
        mount --bind \"$DATA/disk\" \"$DATA\"
        text=$(head -c 100000 /dev/zero | tr '\\0' x)
        n=0
        while [ $n -lt 60 ]; do
            \"$PLACET\" start ops/slack-notify --data \"$DATA\" --input \"{\\\"channel\\\":\\\"C1\\\",\\\"text\\\":\\\"$text\\\"}\" --json >/dev/null || break
            n=$((n + 1))
        done
        echo \"acknowledged $n\"
        mount -o remount,size=64m tmpfs \"$DATA\"
        \"$PLACET\" audit verify --data \"$DATA\" >&2
        echo \"runs $(\"$PLACET\" audit log --data \"$DATA\" --type RunStarted | wc -l)\"
    ";
    let Some(finished) = in_namespace(&past, script) else { return };
    let finished = finished.expect_code(0);
    let number = |word: &str| -> u64 {
        let line = finished.stdout.lines().find_map(|line| line.strip_prefix(word));
        line.unwrap_or_else(|| panic!("{}{}", finished.stdout, finished.stderr))
            .trim()
            .parse()
            .expect("a number")
    };
    let (acknowledged, runs) = (number("acknowledged "), number("runs "));
    assert!(acknowledged > 0 && acknowledged < 60, "{}{}", finished.stdout, finished.stderr);
    // one run was there before; the one whose answer failed may be
    assert!((acknowledged + 1..=acknowledged + 2).contains(&runs), "{acknowledged} of {runs}");
    assert!(finished.stderr.contains("PL10"), "{}", finished.stderr);
}
