//! Backup and restore: what is put back never sends by itself, and a person always hears that it may have been sent.
//! Each test counts at the provider stand-in, which no restore takes back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use placet_log::{KeyPlace, Log, Restoring};
use placet_projections::Projections;
use placet_test_support::process::{Finished, Placet};
use placet_test_support::provider::Behaviour;
use serde_json::{Value, json};

use crate::evidence::{key_of, keys_of};
use crate::world::{Asked, Live, POST};

/// A backup of the project as it is now, beside it.
fn back_up(live: &Live, name: &str) -> PathBuf {
    let dir = live.project.dir().join(name);
    let made = live.placet(["backup", &dir.display().to_string()]).run().expect_code(0);
    assert!(made.stderr.contains("keep"), "it says where the keys are: {}", made.stderr);
    dir
}

/// The engine is killed, and its data are gone.
fn lose_data(live: &mut Live) {
    live.kill_9();
    fs::remove_dir_all(live.project.data()).expect("the data can be removed");
}

/// Restores into the project's own place, giving up what came after the backup.
fn restore(live: &Live, backup: &Path) -> Value {
    let backup = backup.display().to_string();
    let restore = ["restore", &backup, "--yes", "--accept-rollback", "--json"];
    live.placet(restore).run().expect_code(0).json()
}

/// The request that asks again, and its card.
fn asked_again(live: &Live, asked: &Asked) -> (Asked, Value) {
    let events = live.until_nth(&asked.run, "DecisionRequested", 2);
    let decision = events.last().expect("it asks again")["body"]["decision"].clone();
    let decision = decision.as_str().expect("an id").to_owned();
    let fresh = Asked { run: asked.run.clone(), decision };
    let card = live.card(&fresh.decision);
    (fresh, card)
}

/// The engine that starts now asks again, and what is approved then is sent, once.
fn sends_once_after_asking_again(live: &mut Live, asked: &Asked) {
    live.restart();
    let (fresh, _) = asked_again(live, asked);
    live.approve(&fresh);
    live.until(&asked.run, "RunCompleted");
    assert_eq!(live.posts().len(), 1);
}

/// An engine on a backup that was taken between the approval and the send; what was approved was sent afterwards, or not.
fn restored_between_approval_and_send(sent: bool) -> (Live, Asked, Value) {
    let mut live = Live::start();
    live.done("author", &["pause"]);
    let asked = live.ask("Hello");
    live.approve(&asked);
    live.until(&asked.run, "DecisionSettled");
    let backup = back_up(&live, "backup");
    if sent {
        live.done("author", &["resume"]);
        live.until(&asked.run, "RunCompleted");
    }
    assert_eq!(live.posts().len(), usize::from(sent));
    lose_data(&mut live);
    let report = restore(&live, &backup);
    live.restart();
    live.done("author", &["resume"]);
    (live, asked, report)
}

#[test]
fn what_was_sent_after_the_backup_is_asked_again_with_a_warning_and_sent_once_in_all() {
    let (live, asked, report) = restored_between_approval_and_send(true);
    assert_eq!((&report["epoch"], &report["voided"]), (&json!(2), &json!(1)));
    let (fresh, card) = asked_again(&live, &asked);
    let old = live.card(&asked.decision);
    assert_eq!((&old["state"], &old["void"]["reason"]), (&json!("void"), &json!("new_epoch")));
    assert_ne!(old["document"]["send_id"], card["document"]["send_id"], "another draft");
    assert_ne!(old["document"]["nonce"], card["document"]["nonce"]);
    // the person sees what has happened, and by which ids the earlier one can be found
    assert!(card["warnings"][0].as_str().expect("a warning").contains("restored"), "{card}");
    assert_eq!(card["restored"]["earlier_send_ids"], json!([old["document"]["send_id"]]));
    let shown = live.placet(["inbox", "show", &fresh.decision]).run().expect_code(0);
    assert!(shown.stdout.contains("may have been sent already"), "{}", shown.stdout);
    // the pause is lifted, and nothing goes by itself
    assert_eq!(live.posts().len(), 1);
    live.done("approver", &["inbox", "reject", &fresh.decision, "--reason", "it was sent"]);
    live.until(&asked.run, "RunFaulted");
    assert_eq!(live.posts().len(), 1, "once in all");
}

#[test]
fn what_was_not_sent_after_the_backup_is_sent_once_when_it_is_approved_again() {
    let (live, asked, _) = restored_between_approval_and_send(false);
    let (fresh, _) = asked_again(&live, &asked);
    assert_eq!(live.posts().len(), 0, "the old approval is void");
    let late = live.placet(["inbox", "approve", &asked.decision, "--as", "approver"]).run();
    drop(late.expect_code(1));
    live.approve(&fresh);
    live.until(&asked.run, "RunCompleted");
    assert_eq!(live.posts().len(), 1);
}

#[test]
fn a_backup_taken_during_a_call_leaves_it_in_doubt_and_never_sends_it_again() {
    let mut live = Live::start();
    let asked = live.ask("Hello");
    live.provider.next_for(POST, Behaviour::Slack.held());
    let before = live.provider.counts();
    live.approve(&asked);
    live.provider.wait_until(move |counts| counts.received > before.received);
    let backup = back_up(&live, "backup");
    lose_data(&mut live);
    let report = restore(&live, &backup);
    assert_eq!((&report["voided"], &report["in_doubt"]), (&json!(0), &json!(1)));
    live.restart();
    let items = live.inbox();
    assert_eq!((items.len(), &items[0]["state"]), (1, &json!("in_doubt")));
    let card = live.card(&asked.decision);
    assert!(card["in_doubt"]["words"].as_str().expect("words").starts_with("probably sent"));
    assert!(card["warnings"][0].as_str().expect("a warning").contains("restored"), "{card}");
    live.done("approver", &["inbox", "resolve", &asked.decision, "sent"]);
    live.until(&asked.run, "RunCompleted");
    assert_eq!(live.posts().len(), 1);
}

/// Runs a restore that must be refused, and shows that nothing came of it.
fn refused(live: &Live, args: &[&str], words: &str) -> Finished {
    let refused = live.placet(args.iter().copied()).run();
    assert_ne!(refused.code, Some(0), "{}", refused.stdout);
    assert!(refused.stderr.contains(words), "{words:?} in {}", refused.stderr);
    refused
}

#[test]
fn giving_up_later_events_needs_a_word_and_without_it_nothing_is_written() {
    let mut live = Live::start();
    let backup = back_up(&live, "backup").display().to_string();
    let asked = live.ask("Hello");
    live.approve(&asked);
    live.until(&asked.run, "RunCompleted");
    live.terminate();
    fs::remove_dir_all(live.project.data()).expect("the data can be removed");
    refused(&live, &["restore", &backup, "--yes"], "--accept-rollback");
    assert!(!live.project.data().exists(), "nothing was made");
    refused(&live, &["restore", &backup, "--accept-rollback"], "--yes");
    assert!(!live.project.data().exists());
    // and with it the event says how much was given up
    restore(&live, Path::new(&backup));
    let started = live.placet(["audit", "log", "--type", "EpochStarted", "--json"]).run();
    let started = started.expect_code(0).json();
    assert!(started["body"]["lost_to"].as_u64() > started["body"]["size"].as_u64(), "{started}");
    drop(live.placet(["audit", "verify"]).run().expect_code(0));
    drop(live.placet(["audit", "replay"]).run().expect_code(0));
}

#[test]
fn nothing_is_restored_over_anything_and_a_backup_overwrites_nothing() {
    let live = Live::start();
    let backup = back_up(&live, "backup").display().to_string();
    let data = live.project.data().display().to_string();
    refused(&live, &["restore", &backup, "--yes", "--accept-rollback"], "not empty");
    refused(&live, &["restore", &backup, "--yes", "--data", &data], "not empty");
    refused(&live, &["backup", &backup], "not empty");
    refused(&live, &["backup", &format!("{data}/inside")], "inside the data");
    live.ask("the engine goes on");
}

#[test]
fn a_backup_that_is_not_whole_is_refused_by_name() {
    let mut live = Live::start();
    live.ask("Hello");
    let backup = back_up(&live, "backup");
    live.terminate();
    let to = live.project.dir().join("elsewhere").display().to_string();
    let path = backup.display().to_string();
    let restore = ["restore", path.as_str(), "--yes", "--accept-rollback", "--data", to.as_str()];
    let manifest = fs::read(backup.join("manifest.json")).expect("a manifest");
    for file in ["log.redb", "keys.redb", "vault.redb"] {
        let whole = fs::read(backup.join(file)).expect("a file of the backup");
        let mut flipped = whole.clone();
        *flipped.last_mut().expect("not empty") ^= 1;
        for bad in [&whole[..whole.len() / 2], &[], &flipped] {
            fs::write(backup.join(file), bad).expect("it can be written");
            refused(&live, &restore, file);
        }
        fs::remove_file(backup.join(file)).expect("it can be removed");
        refused(&live, &restore, file);
        fs::write(backup.join(file), &whole).expect("it can be written");
    }
    // killed before its end: no manifest
    fs::remove_file(backup.join("manifest.json")).expect("it can be removed");
    refused(&live, &restore, "manifest.json");
    assert!(!Path::new(&to).exists(), "nothing was made");
    fs::write(backup.join("manifest.json"), manifest).expect("it can be written");
    drop(live.placet(restore).run().expect_code(0));
}

#[test]
fn a_restore_that_was_cut_short_starts_nothing_and_is_begun_anew_by_the_same_command() {
    let mut live = Live::start();
    let asked = live.ask("Hello");
    let backup = back_up(&live, "backup");
    lose_data(&mut live);
    restore(&live, &backup);
    // as a kill at any moment leaves it: the marker, and part of the files
    let data = live.project.data();
    let marker = json!({"backup": backup, "lost_to": null, "size": 1}).to_string();
    for lost in [None, Some("keys.redb"), Some("log.redb")] {
        fs::write(data.join("restoring"), &marker).expect("it can be written");
        if let Some(lost) = lost {
            fs::remove_file(data.join(lost)).expect("it can be removed");
        }
        let refused = live.dev().run().expect_code(1);
        assert!(refused.stderr.contains("PL1009"), "{}", refused.stderr);
        assert!(refused.stderr.contains("placet restore"), "{}", refused.stderr);
        restore(&live, &backup);
        assert!(!data.join("restoring").exists());
    }
    sends_once_after_asking_again(&mut live, &asked);
}

#[test]
fn a_folder_may_be_moved_and_a_copy_beside_its_original_sends_nothing() {
    let mut live = Live::start();
    let asked = live.ask("Hello");
    live.terminate();
    // given a copy: it is refused, and says what to do
    let copy = live.copy_of_data();
    let refused = live.dev().args(["--data", &copy]).run().expect_code(1);
    assert!(refused.stderr.contains("PL1010"), "{}", refused.stderr);
    assert!(refused.stderr.contains("placet restore --copy"), "{}", refused.stderr);
    // when the original is moved away, the same folder is a moved one, and nothing is asked again
    let moved = live.project.dir().join("moved").display().to_string();
    fs::remove_dir_all(&copy).expect("it can be removed");
    fs::rename(live.project.data(), &moved).expect("it can be moved");
    drop(live.placet(["pause", "--data", &moved]).run().expect_code(0));
    fs::rename(&moved, live.project.data()).expect("it can be moved back");
    live.restart();
    assert_eq!(live.inbox()[0]["id"], json!(asked.decision));
    // and a copy that is taken as one begins a new epoch, after which the original is the old copy
    live.terminate();
    let copy = live.copy_of_data();
    drop(live.placet(["restore", "--copy", "--yes", "--data", &copy]).run().expect_code(0));
    let older = live.dev().run().expect_code(1);
    assert!(older.stderr.contains("PL1010"), "{}", older.stderr);
    let items = live.placet(["audit", "log", "--type", "DecisionVoided", "--data", &copy]).run();
    assert_eq!(items.expect_code(0).stdout.lines().count(), 1);
}

#[test]
fn an_old_copy_in_the_place_of_the_data_is_refused() {
    let mut live = Live::start();
    live.terminate();
    let copy = live.copy_of_data();
    live.restart();
    live.ask("Hello");
    live.terminate();
    fs::remove_dir_all(live.project.data()).expect("it can be removed");
    fs::rename(&copy, live.project.data()).expect("it can be moved");
    let refused = live.dev().run().expect_code(1);
    assert!(refused.stderr.contains("PL1010"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--accept-rollback"), "{}", refused.stderr);
    let data = live.project.data().display().to_string();
    let copy = ["restore", "--copy", "--yes", "--data", data.as_str()];
    let unwilling = live.placet(copy).run().expect_code(2);
    assert!(unwilling.stderr.contains("--accept-rollback"), "{}", unwilling.stderr);
    drop(live.placet(copy).args(["--accept-rollback"]).run().expect_code(0));
    live.restart();
}

#[test]
fn two_engines_on_one_directory_are_refused_by_whatever_path_they_come() {
    let live = Live::start();
    let link = live.project.dir().join("link");
    std::os::unix::fs::symlink(live.project.data(), &link).expect("a link can be made");
    for data in [live.project.data(), link] {
        let second = live.dev().args(["--data", &data.display().to_string()]).run();
        let second = second.expect_code(1);
        assert!(second.stderr.contains("PL1001"), "{}", second.stderr);
    }
    // a backup goes through the engine, which goes on
    back_up(&live, "backup");
    let asked = live.ask("Hello");
    live.approve(&asked);
    live.until(&asked.run, "RunCompleted");
}

/// Starts a command and kills it as soon as this file is there (or it has ended before).
fn killed_at(command: Placet, file: &Path) {
    let running = command.start();
    let since = Instant::now();
    while !file.exists() && since.elapsed() < Duration::from_secs(5) {
        std::thread::yield_now();
    }
    drop(running.kill_9());
}

#[test]
fn a_kill_at_any_point_of_a_restore_leaves_nothing_that_starts_or_all_of_it() {
    let mut live = Live::start();
    let asked = live.ask("Hello");
    let backup = back_up(&live, "backup");
    lose_data(&mut live);
    let (data, path) = (live.project.data(), backup.display().to_string());
    let mut unfinished = 0;
    for file in ["restoring", "log.redb", "keys.redb", "vault.redb", "install", "head"] {
        let args = ["restore", &path, "--yes", "--accept-rollback"];
        killed_at(live.placet(args), &data.join(file));
        if data.join("restoring").exists() {
            unfinished += 1;
            let refused = live.dev().run().expect_code(1);
            assert!(refused.stderr.contains("PL1009"), "{file}: {}", refused.stderr);
        } else if data.join("log.redb").exists() {
            // all of it: the epoch is there
            let begun = live.placet(["audit", "log", "--type", "EpochStarted"]).run();
            assert_eq!(begun.expect_code(0).stdout.lines().count(), 1, "{file}");
            fs::remove_dir_all(&data).expect("it can be removed");
        }
    }
    println!("{unfinished} of 6 were cut short");
    assert!(unfinished > 0, "none was cut short");
    if data.exists() && !data.join("restoring").exists() {
        fs::remove_dir_all(&data).expect("it can be removed");
    }
    restore(&live, &backup);
    sends_once_after_asking_again(&mut live, &asked);
}

#[test]
fn a_kill_at_any_point_of_a_backup_leaves_no_directory_that_restore_takes() {
    let mut live = Live::start();
    live.ask("Hello");
    live.kill_9();
    let to = live.project.dir().join("elsewhere").display().to_string();
    let mut cut_short = 0;
    for file in ["log.redb", "keys.redb", "vault.redb", "manifest.new"] {
        let backup = live.project.dir().join(format!("backup-{file}"));
        let path = backup.display().to_string();
        killed_at(live.placet(["backup", path.as_str()]), &backup.join(file));
        if backup.exists() && !backup.join("manifest.json").exists() {
            cut_short += 1;
            let restore = ["restore", path.as_str(), "--yes", "--data", to.as_str()];
            refused(&live, &restore, "no backup, or one that was cut short");
            assert!(!Path::new(&to).exists(), "nothing was made");
        }
    }
    println!("{cut_short} of 4 were cut short");
    assert!(cut_short > 0, "none was cut short");
    // and the project is as it was
    drop(live.placet(["audit", "verify"]).run().expect_code(0));
    back_up(&live, "backup");
}

/// Every file below a directory, with its bytes and the moment of its last change.
fn print_of(dir: &Path) -> BTreeMap<PathBuf, (SystemTime, Vec<u8>)> {
    let changed =
        |path: &Path| fs::metadata(path).and_then(|found| found.modified()).expect("it has a time");
    let mut print = BTreeMap::from([(dir.to_owned(), (changed(dir), vec![]))]);
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            print.extend(print_of(&path));
        } else {
            let bytes = fs::read(&path).expect("it can be read");
            print.insert(path.clone(), (changed(&path), bytes));
        }
    }
    print
}

#[test]
fn verifying_a_backup_or_a_copy_of_the_data_changes_nothing_in_it() {
    let mut live = Live::start();
    let asked = live.ask("Hello");
    live.approve(&asked);
    live.until(&asked.run, "RunCompleted");
    drop(live.placet(["audit", "checkpoint"]).run().expect_code(0));
    let key = key_of(&live);
    let backup = back_up(&live, "backup").display().to_string();
    live.kill_9();
    // the engine had no time to close its files: whoever opens them to write would repair them
    let copy = live.copy_of_data();
    for place in [&backup, &copy] {
        let before = print_of(Path::new(place));
        assert!(
            before.keys().any(|path| path.ends_with("log.redb")),
            "there is something in {place}"
        );
        let verify = ["audit", "verify", place.as_str(), "--key", &key];
        for _ in 0..2 {
            let verified = live.placet(verify).run().expect_code(0);
            assert!(verified.stdout.contains("events"), "{verified:?}");
        }
        assert!(
            print_of(Path::new(place)) == before,
            "{place}: a file was changed, made or removed"
        );
    }
}

#[test]
fn a_copy_whose_repeated_erasure_was_cut_short_before_its_event_is_taken_up_with_the_event() {
    let mut live = Live::start();
    let gone = live.ask("a secret of theirs");
    live.terminate();
    let copy = PathBuf::from(live.copy_of_data());
    live.restart();
    live.done("author", &["erase", &gone.run, "--yes"]);
    live.terminate();
    let data = live.project.data();
    fs::remove_dir_all(&data).expect("the data can be removed");
    fs::rename(&copy, &data).expect("the old data are put back by hand");
    // the log is opened, which erases again what had been erased, and the process dies there
    let restoring = Restoring::in_place(&data, (0, None)).expect("it can begin");
    let keys = KeyPlace::Directory(keys_of(&live));
    let options = restoring.options("acme", keys).projector(Projections::new());
    let log = Log::open(options).expect("it opens");
    let erased = log.read().and_then(|view| view.erased()).expect("it can be read");
    assert_eq!(erased.len(), 1, "its key had come back");
    drop(log);

    let copy = ["restore", "--copy", "--yes", "--accept-rollback", "--json"];
    let report = live.placet(copy).run().expect_code(0).json();
    assert_eq!(report["erased_again"], json!(1), "{report}");
    let told = live.json_lines(&["audit", "log", "--type", "PayloadErased"]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["body"]["run"], json!(gone.run));
    assert!(told[0]["body"]["payloads"].as_u64() > Some(0), "{told:?}");
    assert_eq!(live.json_lines(&["audit", "log", "--type", "RunCancelled"]).len(), 1);
    // once more, in another epoch: what is told is not told again
    let report = live.placet(copy).run().expect_code(0).json();
    assert_eq!(report["erased_again"], json!(0), "{report}");
    drop(live.placet(["audit", "verify"]).run().expect_code(0));
}

#[test]
fn what_was_erased_after_the_backup_is_erased_again_and_its_run_does_not_go_on() {
    let mut live = Live::start();
    let (gone, kept) = (live.ask("a secret of theirs"), live.ask("kept"));
    let backup = back_up(&live, "backup");
    live.done("author", &["erase", &gone.run, "--yes"]);
    lose_data(&mut live);
    let report = restore(&live, &backup);
    assert_eq!((&report["erased_again"], &report["voided"]), (&json!(1), &json!(1)), "{report}");
    let log = |kind: &str| {
        let log = live.placet(["audit", "log", "--type", kind]).run().expect_code(0);
        log.stdout.lines().count()
    };
    assert_eq!((log("PayloadErased"), log("RunCancelled")), (1, 1));
    drop(live.placet(["audit", "verify"]).run().expect_code(0));
    live.restart();
    let (fresh, _) = asked_again(&live, &kept);
    let open: Vec<_> = live.inbox().iter().map(|item| item["id"].clone()).collect();
    assert_eq!(open, [json!(fresh.decision)], "only the run that was kept asks");
}
