//! The key of the vault, with the whole program: rotated while an engine runs and while none does, through `kill -9` at
//! every step, taken from the environment, and kept out of core dumps.
//!
//! covers: S13.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use placet_adapters::SecretText;
use placet_model::IntegrationId;
use placet_test_support::dirs::copy_dir;
use placet_test_support::process::{Finished, Placet};
use placet_vault::{KekId, KekSource, Vault, VaultOptions};
use serde_json::{Value, json};

use crate::sandbox::strace_or_skip;
use crate::world::{Live, PLACET, PROJECT, TOKEN};

/// Records besides the connection's own: a rotation needs three transactions for them.
const COUNT: u8 = 140;

/// A project with a connection and many more credentials, and no engine.
struct Office {
    live: Live,
    keys: PathBuf,
}

impl Office {
    fn new() -> Self {
        let mut live = Live::start();
        live.terminate();
        let env = live.project.env();
        let keys = env.into_iter().find(|(name, _)| name == "PLACET_KEY_DIR");
        let office = Self { live, keys: keys.expect("keys have a directory").1 };
        let vault = office.vault();
        for n in 1..=COUNT {
            let fields = [("api_key".to_owned(), SecretText::new(format!("secret {n}")))].into();
            vault.store(IntegrationId::from_bytes([n; 16]), 1, &fields).expect("it is stored");
        }
        office
    }

    fn vault(&self) -> Vault {
        let options = VaultOptions {
            file: self.live.project.data().join("vault.redb"),
            key: KekSource::Directory(self.keys.clone()),
            project: PROJECT.to_owned(),
        };
        Vault::open(options).expect("the vault opens")
    }

    /// Every record opens, and what they name are these keys and no other.
    fn all_open(&self) -> BTreeSet<KekId> {
        let vault = self.vault();
        for n in 1..=COUNT {
            let secret = vault.secret(IntegrationId::from_bytes([n; 16]), 1, "api_key");
            assert_eq!(secret.expect("it opens").expose(), format!("secret {n}"));
        }
        let sealing = vault.sealing().expect("it can be read");
        assert_eq!(sealing.out_of_reach, []);
        let count: u64 = sealing.records.values().sum();
        assert_eq!(count, u64::from(COUNT) + 1, "each record is there once");
        sealing.records.into_keys().collect()
    }

    fn status(&self) -> Value {
        self.live.json("author", &["vault", "status"])
    }

    /// The rotations that the log tells of.
    fn recorded(&self) -> Vec<Value> {
        self.live.json_lines(&["audit", "log", "--type", "VaultRotated"])
    }

    fn key_files(&self) -> BTreeSet<PathBuf> {
        let entries = fs::read_dir(&self.keys).expect("a directory");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths.filter(|path| path.to_string_lossy().contains("vault")).collect()
    }
}

/// A rotation that is killed at the `n`th call of this name.
fn killed_at(strace: &Path, office: &Office, (call, n): (&str, u32)) -> Finished {
    let trace = format!("trace={call}");
    let inject = format!("inject={call}:signal=KILL:when={n}");
    let watch = ["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, PLACET];
    Placet::new(strace, &office.live.project).args(watch).args(["vault", "rotate"]).run()
}

/// `kill -9` at the calls `first`, `first + by`, … until a rotation comes through; how often it was killed.
fn killed_at_every(call: &str, first: u32, by: u32) -> Option<(u32, BTreeSet<usize>)> {
    let strace = strace_or_skip("kill -9 in a rotation")?;
    let office = Office::new();
    let (data, keys) = (office.live.project.data(), office.keys.clone());
    let (kept, kept_keys) = (data.with_extension("kept"), data.with_extension("kept-keys"));
    copy_dir(&data, &kept);
    copy_dir(&keys, &kept_keys);
    let before = office.all_open();
    let (mut killed, mut seen) = (0, BTreeSet::new());
    for n in (first..).step_by(by as usize) {
        for (from, to) in [(&kept, &data), (&kept_keys, &keys)] {
            fs::remove_dir_all(to).expect("it is there");
            copy_dir(from, to);
        }
        let done = killed_at(&strace, &office, (call, n));
        if done.code == Some(0) {
            return Some((killed, seen));
        }
        killed += 1;
        assert!(done.code.is_none() || done.code == Some(137), "{done:?}");
        // each record opens, by the old key or by the new one
        let keys = office.all_open();
        assert!(keys.len() <= 2, "{call} {n}: {keys:?}");
        assert!(keys.len() < 2 || !keys.is_disjoint(&before), "{call} {n}: {keys:?}");
        seen.insert(keys.intersection(&before).count() * 2 + keys.difference(&before).count());
        // and the rotation goes on, to its end
        let went_on = office.live.json("author", &["vault", "rotate"]);
        assert_eq!(went_on["stuck"], json!([]));
        let status = office.status();
        assert_eq!(status["records"].as_array().map(Vec::len), Some(1), "{status}");
        assert_eq!(status["rotating"], false);
        let after = office.all_open();
        assert!(after.len() == 1 && after.is_disjoint(&before), "{call} {n}: {after:?}");
        // no key has come and gone without the log, and none twice
        let keys: Vec<String> = before.iter().chain(&after).map(ToString::to_string).collect();
        each_change_of_key_is_recorded(&office.recorded(), &keys);
    }
    unreachable!("a rotation has an end")
}

/// The recorded rotations lead from the first of these keys to the second, each from where the last one came to.
fn each_change_of_key_is_recorded(recorded: &[Value], keys: &[String]) {
    let turn = |event: &Value| {
        let from = event["body"]["from"].as_array().expect("a list").clone();
        let [from] = &from[..] else { panic!("{event}") };
        assert_eq!(
            (&event["body"]["stuck"], &event["body"]["asked_by"]),
            (&json!(0), &json!("author"))
        );
        (
            from.as_str().expect("a key").to_owned(),
            event["body"]["key"].as_str().expect("a key").to_owned(),
        )
    };
    let turns: Vec<_> = recorded.iter().map(turn).collect();
    assert!((1..=2).contains(&turns.len()), "{recorded:?}");
    let mut led_to = keys[0].clone();
    for (from, to) in turns {
        assert_eq!(from, led_to, "{recorded:?}");
        led_to = to;
    }
    assert_eq!(led_to, keys[1], "{recorded:?}");
}

#[test]
fn a_rotation_that_is_killed_at_any_sync_leaves_every_record_open_and_goes_on() {
    let Some((killed, seen)) = killed_at_every("fsync,fdatasync", 1, 1) else { return };
    println!("killed {killed} times");
    assert!(killed >= 8, "{killed}");
    // all by the old key, some by each, all by the new one
    assert_eq!(seen, [1, 2, 3].into(), "every stage was met");
}

#[test]
fn a_rotation_that_is_killed_between_writes_or_while_its_key_is_made_goes_on() {
    let Some((writes, _)) = killed_at_every("pwrite64", 3, 11) else { return };
    let (named, _) = killed_at_every("link,linkat,unlink,unlinkat,rename", 1, 1).expect("as above");
    println!("killed {writes} times between writes and {named} times between names");
    assert!(writes >= 5 && named >= 2, "{writes} {named}");
}

#[test]
fn an_engine_goes_on_with_a_rotation_that_was_killed_and_sends_with_what_it_sealed_anew() {
    let Some(strace) = strace_or_skip("an engine goes on with a rotation") else { return };
    let mut office = Office::new();
    let before = office.all_open();
    // in the middle: some records are sealed by the new key, some are not
    let middle = (1..10_000).find(|n| {
        killed_at(&strace, &office, ("fsync,fdatasync", *n));
        let keys = office.all_open();
        assert!(!keys.is_disjoint(&before), "no rotation was cut short");
        keys.len() == 2
    });
    assert!(middle.is_some());
    office.live.restart();
    let status = office.status();
    assert_eq!(
        (status["rotating"].as_bool(), status["records"].as_array().map(Vec::len)),
        (Some(false), Some(1))
    );
    // the engine went on with what the author had asked for, and the log says so once
    let recorded = office.recorded();
    let keys = before.iter().map(ToString::to_string);
    let keys: Vec<String> = keys.chain(status["key"].as_str().map(str::to_owned)).collect();
    each_change_of_key_is_recorded(&recorded, &keys);
    assert_eq!(recorded[0]["actor"], "engine");
    assert_eq!(recorded[0]["body"]["moved"], u64::from(COUNT) + 1);
    let position = recorded[0]["position"].as_u64().expect("a position").to_string();
    let told = office.live.placet(["audit", "show", &position]).run().expect_code(0);
    let words = "the engine sealed the vault by the new master key";
    assert!(
        told.stdout.contains(words) && told.stdout.contains("as author had asked"),
        "{}",
        told.stdout
    );
    let asked = office.live.ask("after a rotation");
    office.live.approve(&asked);
    office.live.until(&asked.run, "RunCompleted");
    let posts = office.live.posts();
    let sent = posts[0].header("authorization");
    assert_eq!(sent, Some(format!("Bearer {TOKEN}").as_str()));
}

#[test]
fn a_running_engine_rotates_its_key_and_goes_on_sending_and_so_does_the_next_one() {
    let mut live = Live::start();
    let before = live.json("author", &["vault", "status"]);
    let refused = live.placet(["vault", "rotate", "--as", "approver"]).run().expect_code(1);
    assert!(refused.stderr.contains("operator"), "{}", refused.stderr);
    let rotated = live.json("author", &["vault", "rotate"]);
    assert_eq!((rotated["moved"].as_u64(), &rotated["stuck"]), (Some(1), &json!([])));
    let after = live.json("author", &["vault", "status"]);
    assert_ne!(after["key"], before["key"]);
    for text in ["at once", "after a restart"] {
        let asked = live.ask(text);
        live.approve(&asked);
        live.until(&asked.run, "RunCompleted");
        live.terminate();
        live.restart();
    }
    assert_eq!(live.posts().len(), 2);
    let recorded = live.json_lines(&["audit", "log", "--type", "VaultRotated"]);
    let [recorded] = &recorded[..] else { panic!("{recorded:?}") };
    assert_eq!(recorded["actor"], "principal:author");
    let body = json!({
        "key": after["key"], "from": [before["key"]], "moved": 1, "stuck": 0, "asked_by": "author",
    });
    assert_eq!(recorded["body"], body);
}

#[test]
fn the_environment_gives_the_key_and_what_is_wrong_with_it_is_told_without_it() {
    let office = Office::new();
    let key = "5a".repeat(32);
    let with = |variables: &[(&str, &str)], args: &[&str]| {
        let mut placet = office.live.placet(args.iter().copied());
        for (name, value) in variables {
            placet = placet.env(name, value);
        }
        placet.run()
    };
    let environment = [("PLACET_VAULT_KEY", key.as_str())];
    let rotated = with(&environment, &["vault", "rotate", "--json"]).expect_code(0).json();
    assert_eq!(rotated["moved"], u64::from(COUNT) + 1);
    assert_eq!(office.key_files().len(), 1, "the key stands in no file");
    drop(with(&environment, &["vault", "status"]).expect_code(0));
    let missing = with(&[], &["vault", "status"]).expect_code(1);
    assert!(missing.stderr.contains("PL1004"), "{}", missing.stderr);
    let again = with(&environment, &["vault", "rotate"]).expect_code(1);
    assert!(again.stderr.contains("PL4050") && !again.stderr.contains("5a5a"), "{}", again.stderr);
    let command = r#"["sh", "-c", "echo s3cret-word; exit 3"]"#;
    let both = [environment[0], ("PLACET_VAULT_KEY_COMMAND", command)];
    let both = with(&both, &["vault", "status"]).expect_code(2);
    assert!(both.stderr.contains("only one may be set") && !both.stderr.contains("5a5a"));
    let half = with(&[("PLACET_VAULT_KEY", &key[..30])], &["vault", "status"]).expect_code(1);
    assert!(half.stderr.contains("64 hexadecimal") && !half.stderr.contains("5a5a"));
    let no_list = [("PLACET_VAULT_KEY_COMMAND", "kms s3cret-word")];
    let no_list = with(&no_list, &["vault", "status"]).expect_code(2);
    assert!(no_list.stderr.contains("JSON list") && !no_list.stderr.contains("s3cret"));
    let variables = [("PLACET_VAULT_KEY_COMMAND", command), ("PLACET_LOG", "trace")];
    let failed = with(&variables, &["vault", "rotate"]).expect_code(1);
    // of a vault whose key is in no file of ours there is nothing to ask the command for
    assert!(
        failed.stderr.contains("PL1004") && !failed.stderr.contains("s3cret"),
        "{}",
        failed.stderr
    );
}

#[test]
#[cfg(target_os = "linux")]
fn no_core_dump_of_an_engine_is_ever_written() {
    let mut live = Live::stopped();
    live.restart();
    let limits = fs::read_to_string(format!("/proc/{}/limits", live.running().id()));
    let limits = limits.expect("a process has limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size"));
    let words: Vec<&str> = core.expect("it is among them").split_whitespace().collect();
    assert_eq!(&words[4..6], ["0", "0"], "soft and hard");
    // and it says to the system that its memory is nobody's business
    let Some(strace) = strace_or_skip("no core dump") else { return };
    let log = live.project.dir().join("prctl.log");
    let watch = ["-f", "-qq", "-e", "trace=prctl", "-o", "prctl.log", PLACET, "explain", "PL1004"];
    let _ended = Placet::new(strace, &live.project).args(watch).run().expect_code(0);
    let seen = fs::read_to_string(log).expect("strace has written it");
    assert!(seen.contains("PR_SET_DUMPABLE, SUID_DUMP_DISABLE) = 0"), "{seen}");
}
