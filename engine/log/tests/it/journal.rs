//! The journal: what was acknowledged is on disk before redb has synced it, whatever a crash leaves
//! behind; and a journal that does not fit its log is refused by name.

use crate::support::*;
use placet_log::{Error, KeyPlace, Log, OpenOptions, ProjectKey, Storage};
use placet_model::Position;
use placet_test_support::disk::{Disk, Honesty};
use placet_test_support::random::Random;
use std::path::Path;

/// An entry of a small append takes up so much.
const BLOCK: usize = 4096;

/// A machine with the files of one log: log, keys and journal.
struct Machine([Disk; 3]);

impl Machine {
    fn new() -> Self {
        Self([(); 3].map(|()| Disk::new(Honesty::Honest)))
    }

    /// Another one, with what is durable on this one now.
    fn left_behind(&self) -> Self {
        Self(self.0.each_ref().map(|disk| Disk::of(disk.image(), Honesty::Honest)))
    }

    fn with_journal(&self, image: Vec<u8>) -> Self {
        let [log, keys, _] = self.left_behind().0;
        Self([log, keys, Disk::of(image, Honesty::Honest)])
    }

    fn journal(&self) -> Vec<u8> {
        self.0[2].image()
    }

    fn open(&self, journal_bytes: u64) -> Result<Log, Error> {
        let [log, keys, journal] = self.0.each_ref().map(Disk::backend);
        let storage = Storage::Backends { log, keys, journal };
        let key = KeyPlace::Given(ProjectKey::from_bytes([7; 32]));
        let options = OpenOptions::with_storage(storage, "sales").keys(key);
        Log::open(options.cache_bytes(1 << 20).journal_bytes(journal_bytes))
    }
}

fn append(log: &Log, n: u128) {
    let new = event(n).with_payload(n.to_be_bytes().to_vec());
    log.append_blocking(NOW, exactly(run(n % 3), u64::try_from((n - 1) / 3).unwrap(), vec![new]))
        .unwrap();
}

/// The events 1 to `last` are there, whole, and no other.
fn holds(log: &Log, last: u128) {
    let found = all(log);
    assert_eq!(found.len() as u128, last);
    assert!(found.iter().zip(1..).all(|(recorded, n)| is(recorded, n)));
    let view = log.read().unwrap();
    assert_eq!(u128::from(view.verify().unwrap().payloads), last);
}

/// A machine that lost its power with the events 1 to `last`, of which all but the first are in the
/// journal only.
fn broken_off(last: u128) -> Machine {
    let machine = Machine::new();
    let log = machine.open(1 << 20).unwrap();
    (1..=last).for_each(|n| append(&log, n));
    machine.left_behind()
}

#[test]
fn what_was_acknowledged_is_durable_at_once_however_small_the_journal_is() {
    for journal_bytes in [0, 1, 3, 8].map(|blocks| blocks * BLOCK as u64) {
        let machine = Machine::new();
        let log = machine.open(journal_bytes).unwrap();
        for n in 1..=30 {
            append(&log, n);
            holds(&machine.left_behind().open(journal_bytes).unwrap(), n);
        }
    }
}

#[test]
fn an_append_waits_for_one_sync_and_redb_for_none() {
    let machine = Machine::new();
    let log = machine.open(1 << 20).unwrap();
    append(&log, 1);
    let (before, operations) = (log.measured().syncs, machine.0[0].operations());
    for n in 2..=11 {
        append(&log, n);
    }
    assert_eq!(log.measured().syncs - before, 10);
    assert_eq!(machine.0[0].operations(), operations, "the log's file is left alone");
}

#[test]
fn a_log_that_crashes_again_and_again_while_it_recovers_keeps_all_and_goes_on() {
    let machine = broken_off(12);
    let mut random = Random::new(1);
    for operations in 0..120 {
        for disk in &machine.0 {
            disk.restart(&mut random);
            disk.power_on();
        }
        machine.0[0].cut_power_after(operations);
        if let Ok(log) = machine.open(1 << 20) {
            // closing it is cut short, too
            drop(log);
        }
    }
    for disk in &machine.0 {
        disk.restart(&mut random);
        disk.power_on();
    }
    let log = machine.open(1 << 20).unwrap();
    holds(&log, 12);
    append(&log, 13);
    append(&log, 14);
    holds(&machine.left_behind().open(1 << 20).unwrap(), 14);
}

#[test]
fn a_log_that_was_closed_in_order_needs_no_journal() {
    let machine = Machine::new();
    let log = machine.open(1 << 20).unwrap();
    (1..=5).for_each(|n| append(&log, n));
    drop(log);
    holds(&machine.with_journal(vec![]).open(1 << 20).unwrap(), 5);
}

#[test]
fn an_entry_that_was_being_written_was_never_acknowledged_and_is_passed_over() {
    let machine = broken_off(5);
    let mut journal = machine.journal();
    // the second half of the last entry did not reach the disk
    journal[3 * BLOCK + 400..4 * BLOCK].fill(0);
    let log = machine.with_journal(journal).open(1 << 20).unwrap();
    holds(&log, 4);
    append(&log, 5);
    holds(&log, 5);
}

#[test]
fn a_damaged_entry_with_a_whole_one_behind_it_is_refused_with_its_place_and_nothing_is_written() {
    let machine = broken_off(6);
    for at in [0, 30, 200, 300] {
        let mut journal = machine.journal();
        journal[2 * BLOCK + at] ^= 4;
        let spoiled = machine.with_journal(journal);
        let error = spoiled.open(1 << 20).unwrap_err();
        let words = error.to_string();
        assert_eq!(error.code(), "PL1003", "{words}");
        assert!(words.contains("journal") && words.contains("position 3"), "{words}");
        // put back, it opens
        let log = spoiled.with_journal(machine.journal()).open(1 << 20).unwrap();
        holds(&log, 6);
    }
}

#[test]
fn a_journal_that_does_not_fit_its_log_is_refused() {
    let machine = broken_off(6);
    let refused = |journal: Vec<u8>| {
        let error = machine.with_journal(journal).open(1 << 20).unwrap_err();
        assert_eq!(error.code(), "PL1003", "{error}");
        error.to_string()
    };
    assert!(refused(vec![]).contains("cut short"));
    assert!(refused(vec![b'x'; machine.journal().len()]).contains("no journal"));
    let mut other = machine.journal();
    other[8] ^= 1;
    assert!(refused(other).contains("another log"));
    let mut gap = machine.journal();
    gap.drain(..BLOCK);
    gap.extend([0; BLOCK]);
    assert!(refused(gap).contains("after position 1 comes 3"));
}

#[test]
fn a_log_that_has_gone_back_behind_its_journal_is_refused() {
    let machine = Machine::new();
    let log = machine.open(2 * BLOCK as u64).unwrap();
    append(&log, 1);
    let [old, ..] = machine.left_behind().0;
    // three entries are one too many: a new generation has begun
    (2..=5).for_each(|n| append(&log, n));
    let [_, keys, journal] = machine.left_behind().0;
    let error = Machine([old, keys, journal]).open(1 << 20).unwrap_err();
    assert!(error.to_string().contains("gone back"), "{error}");
}

#[test]
fn what_another_life_has_left_in_the_journal_keeps_no_later_one_from_opening() {
    let block = BLOCK as u64;
    let machine = Machine::new();
    let log = machine.open(2 * block).unwrap();
    append(&log, 1);
    drop(log);
    let [closed, keys, _] = machine.left_behind().0;
    let log = machine.open(4 * block).unwrap();
    (2..=20).for_each(|n| append(&log, n));
    let later = machine.left_behind().journal();
    let foreign = vec![b'x'; later.len()];
    for left in [later, foreign] {
        // an earlier log.redb, closed in order, beside what came later
        let [closed, keys] = [&closed, &keys].map(|disk| Disk::of(disk.image(), Honesty::Honest));
        let machine = Machine([closed, keys, Disk::of(left, Honesty::Honest)]);
        let log = machine.open(1 << 20).unwrap();
        for n in 2..=4 {
            append(&log, n);
            holds(&machine.left_behind().open(1 << 20).unwrap(), n);
        }
    }
}

#[test]
fn a_file_of_any_size_in_the_place_of_a_journal_that_no_log_needs_is_cut_and_taken_over() {
    // given a log that was closed in order, and a file of a terabyte in its journal's place
    let place = Place::new();
    append(&place.open().unwrap(), 1);
    let journal = place.data.path().join("journal");
    let file = std::fs::File::options().write(true).open(&journal).unwrap();
    file.set_len(1 << 40).unwrap();
    drop(file);

    // when it is written again, and killed
    let log = place.open().unwrap();
    append(&log, 2);
    assert_eq!(std::fs::metadata(&journal).unwrap().len(), 8 << 20);

    // then nothing is lost
    let left = killed(&place);
    holds(&Log::open(left.options("sales").aside()).unwrap(), 2);
}

/// A copy of the files of an open log, which is what a killed process leaves.
fn killed(place: &Place) -> Place {
    let copy = Place::new();
    for (from, to) in [(&place.data, &copy.data), (&place.keys, &copy.keys)] {
        copy_dir(from.path(), to.path());
    }
    copy
}

fn copy_dir(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_journal_that_is_missing_is_named_and_put_back_it_is_read() {
    let place = Place::new();
    let log = place.open().unwrap();
    (1..=4).for_each(|n| append(&log, n));
    let left = killed(&place);
    drop(log);
    let file = left.data.path().join("journal");
    let journal = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let open = || Log::open(left.options("sales").aside());
    let error = open().unwrap_err();
    assert!(matches!(&error, Error::Missing { file: named, .. } if *named == file), "{error}");
    std::fs::write(&file, journal).unwrap();
    holds(&open().unwrap(), 4);
}

#[test]
fn data_that_are_only_looked_at_show_what_is_in_the_journal_and_are_not_touched() {
    let place = Place::new();
    let log = place.open().unwrap();
    (1..=4).for_each(|n| append(&log, n));
    let left = killed(&place);
    drop(log);
    let files =
        || ["log.redb", "journal"].map(|name| std::fs::read(left.data.path().join(name)).unwrap());
    let before = files();
    let options = || {
        let frozen = Storage::Frozen(left.data.path().to_owned());
        let keys = KeyPlace::Directory(left.keys.path().to_owned());
        OpenOptions::with_storage(frozen, "sales").keys(keys)
    };
    for _ in 0..2 {
        holds(&Log::open(options()).unwrap(), 4);
        assert!(files() == before, "untouched");
    }
}

#[test]
fn the_journal_is_private_to_its_owner_and_no_longer_than_it_may_be() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let log = Log::open(place.options("sales").journal_bytes(300 * 1024)).unwrap();
    (1..=200).for_each(|n| append(&log, n));
    let meta = std::fs::metadata(place.data.path().join("journal")).unwrap();
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    assert!(meta.len() <= 512 * 1024, "{} bytes", meta.len());
    drop(log);
    let view = place.open().unwrap().read().unwrap();
    assert_eq!(view.head().position(), Position::new(200));
}
