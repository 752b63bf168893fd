//! Erasing: one stream or one event from outside, in one transaction with the event that says so,
//! finished after a crash at any point, and not undone by a restored key file.

use crate::support::*;
use placet_log::{
    Append, AppendError, Erasable, Error, Expected, KeyPlace, Log, NewEvent, OpenOptions,
    ProjectKey, Storage,
};
use placet_model::{DataKeyId, Position, StreamId};
use placet_test_support::disk::{Disk, Honesty};
use placet_test_support::random::Random;
use std::path::Path;

fn stream(n: u128) -> Erasable {
    Erasable::Stream(run(n))
}

fn content(log: &Log, position: u64) -> Result<Vec<u8>, Error> {
    let opened = log.read()?.payload_at(Position::new(position), 0)?;
    Ok(opened.payload.as_bytes().to_vec())
}

fn is_erased(log: &Log, position: u64) -> bool {
    matches!(content(log, position), Err(Error::Erased { .. }))
}

fn with(n: u128, content: &[u8]) -> NewEvent {
    event(n).with_payload(content.to_vec())
}

/// An event from outside, at the next position.
fn arrive(log: &Log, n: u128, content: &[u8]) -> Position {
    let append = Append::new(StreamId::Events, Expected::Any, vec![with(n, content)]);
    log.append_blocking(NOW, append).unwrap().last_position()
}

fn key_of(log: &Log, position: u64) -> DataKeyId {
    let sealed = log.read().unwrap().sealed_payload(Position::new(position), 0).unwrap().unwrap();
    DataKeyId(u64::from_be_bytes(*sealed.first_chunk().unwrap()))
}

/// Whether something can still be sealed with the key.
fn is_alive(log: &Log, key: DataKeyId, n: u128) -> bool {
    let append = exactly(run(n), 0, vec![with(n, b"x")]).with_key(key);
    match log.append_blocking(NOW, append) {
        Ok(_) => true,
        Err(AppendError::Log { source }) if matches!(*source, Error::NoSuchKey { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

/// As a copy: what keeps one from being opened at all is tested elsewhere.
fn open(place: &Place) -> Log {
    Log::open(place.options("sales").aside()).unwrap()
}

fn copy_of(place: &Place, to: &Path, files: &[&str]) {
    for file in files {
        std::fs::copy(place.data.path().join(file), to.join(file)).unwrap();
    }
}

fn put_back(place: &Place, from: &Path, files: &[&str]) {
    for file in files {
        std::fs::copy(from.join(file), place.data.path().join(file)).unwrap();
    }
    drop(std::fs::remove_file(place.data.path().join("head")));
}

#[test]
fn one_event_from_outside_is_erased_and_its_neighbours_stay() {
    let place = Place::new();
    let log = open(&place);
    for n in 1..=3 {
        arrive(&log, n, format!("event {n}").as_bytes());
    }
    let erased = log.erase(&Erasable::Arrival(Position::new(2))).unwrap();
    assert_eq!((erased.keys, erased.payloads), (1, 1));

    let check = |log: &Log| {
        assert_eq!(content(log, 1).unwrap(), b"event 1");
        assert!(is_erased(log, 2));
        assert_eq!(content(log, 3).unwrap(), b"event 3");
        let verified = log.read().unwrap().verify().unwrap();
        assert_eq!((verified.payloads, verified.erased), (2, 1));
    };
    check(&log);
    drop(log);
    check(&open(&place));
}

/// Makes the events from outside what they were before each had a key of its own: sealed with the
/// key of their stream.
fn share_key(place: &Place, key: DataKeyId) {
    let database = redb::Database::open(place.data.path().join("log.redb")).unwrap();
    let tx = database.begin_write().unwrap();
    let apart = redb::TableDefinition::<u64, (u64, u8)>::new("apart");
    tx.delete_table(apart).unwrap();
    let keys = redb::TableDefinition::<(&[u8], u64), u64>::new("stream_keys");
    let stream = placet_log::envelope::stream_key(&StreamId::Events);
    tx.open_table(keys).unwrap().insert((stream.as_slice(), key.0), 0).unwrap();
    tx.commit().unwrap();
}

#[test]
fn an_event_from_before_there_were_keys_of_their_own_is_erased_and_its_neighbours_stay() {
    let place = Place::new();
    let log = open(&place);
    let shared = log.new_data_key().unwrap();
    for n in 1..=3 {
        let new = with(n, format!("event {n}").as_bytes());
        let append = Append::new(StreamId::Events, Expected::Any, vec![new]).with_key(shared);
        log.append_blocking(NOW, append).unwrap();
    }
    drop(log);
    share_key(&place, shared);

    let log = open(&place);
    assert_eq!(content(&log, 2).unwrap(), b"event 2");
    let erased = log.erase(&Erasable::Arrival(Position::new(2))).unwrap();
    assert_eq!((erased.keys, erased.payloads), (0, 1), "its neighbours need the key");
    let check = |log: &Log| {
        assert_eq!(content(log, 1).unwrap(), b"event 1");
        assert!(is_erased(log, 2));
        assert_eq!(content(log, 3).unwrap(), b"event 3");
        let view = log.read().unwrap();
        let verified = view.verify().unwrap();
        assert_eq!((verified.payloads, verified.erased), (2, 1));
        assert_eq!(view.erased().unwrap(), [(Erasable::Arrival(Position::new(2)), 1)]);
    };
    check(&log);
    drop(log);
    let log = open(&place);
    check(&log);
    let again = log.erase(&Erasable::Arrival(Position::new(2))).unwrap();
    assert_eq!((again.keys, again.payloads), (0, 0));
}

#[test]
fn a_payload_of_a_neighbour_that_goes_missing_is_damage_and_not_an_erasure() {
    let place = Place::new();
    let log = open(&place);
    for n in 1..=3 {
        arrive(&log, n, b"content");
    }
    log.erase(&Erasable::Arrival(Position::new(3))).unwrap();
    drop(log);
    let database = redb::Database::open(place.data.path().join("log.redb")).unwrap();
    let tx = database.begin_write().unwrap();
    let payloads = redb::TableDefinition::<(u64, u16), &[u8]>::new("payloads");
    assert!(tx.open_table(payloads).unwrap().remove((1, 0)).unwrap().is_some());
    tx.commit().unwrap();
    drop(database);

    let error = open(&place).read().unwrap().verify().unwrap_err();
    assert!(matches!(&error, Error::Damaged { position, .. } if position.get() == 1), "{error}");
}

#[test]
fn the_event_that_says_so_and_the_erasure_come_in_one_transaction() {
    let log = memory();
    log.append_blocking(NOW, exactly(run(1), 0, vec![with(1, b"a"), with(2, b"b")])).unwrap();
    let arrived = arrive(&log, 3, b"c");
    let what = vec![stream(1), Erasable::Arrival(arrived)];
    let view = log.read().unwrap();
    let counts: Vec<u64> = what.iter().map(|what| view.payloads_of(what).unwrap()).collect();
    assert_eq!(counts, [2, 1]);

    let says = |n| Append::new(StreamId::Project, Expected::Any, vec![event(n)]);
    log.append_blocking(NOW, says(10).erasing(what)).unwrap();
    assert!((1..=3).all(|position| is_erased(&log, position)), "before its keys are destroyed");
    assert_eq!(log.finish_erasures().unwrap(), 2);
    assert_eq!(log.finish_erasures().unwrap(), 0);
    log.read().unwrap().verify().unwrap();

    // an append that is refused erases nothing
    log.append_blocking(NOW, exactly(run(2), 0, vec![with(20, b"kept")])).unwrap();
    let refused = exactly(run(2), 7, vec![event(21)]).erasing(vec![stream(2)]);
    assert!(log.append_blocking(NOW, refused).is_err());
    assert_eq!(content(&log, 5).unwrap(), b"kept");
}

/// Content of one run and of one event from outside, on disks that lose power.
struct Disks {
    log: Disk,
    keys: Disk,
    journal: Disk,
}

impl Disks {
    fn open(&self) -> Result<Log, Error> {
        let storage = Storage::Backends {
            log: self.log.backend(),
            keys: self.keys.backend(),
            journal: self.journal.backend(),
        };
        let key = KeyPlace::Given(ProjectKey::from_bytes([7; 32]));
        Log::open(OpenOptions::with_storage(storage, "sales").keys(key).cache_bytes(1 << 20))
    }

    fn all(&self) -> [&Disk; 3] {
        [&self.log, &self.keys, &self.journal]
    }

    fn made() -> (Self, DataKeyId) {
        let fresh = || Disk::new(Honesty::Honest);
        let disks = Self { log: fresh(), keys: fresh(), journal: fresh() };
        let log = disks.open().unwrap();
        log.append_blocking(NOW, exactly(run(1), 0, vec![with(1, b"secret")])).unwrap();
        let key = key_of(&log, 1);
        drop(log);
        disks.all().into_iter().for_each(Disk::keep_all);
        (disks, key)
    }
}

#[test]
fn power_that_goes_at_any_operation_of_an_erasure_leaves_all_or_nothing_of_it() {
    let (mut whole, mut gone) = (0, 0);
    for (cut, operations) in (1..60).flat_map(|n| [(0, n), (1, n), (2, n)]) {
        let mut random = Random::new(operations);
        let (disks, key) = Disks::made();
        let restart = |random: &mut Random| {
            for disk in disks.all() {
                disk.restart(random);
                disk.power_on();
            }
        };
        restart(&mut random);
        disks.all()[cut].cut_power_after(operations);
        if let Ok(log) = disks.open() {
            // the first append is written by redb, the next one by the journal
            let before = Append::new(StreamId::Project, Expected::Any, vec![event(9)]);
            drop(log.append_blocking(NOW, before));
            let says = Append::new(StreamId::Project, Expected::Any, vec![event(10)]);
            let said = log.append_blocking(NOW, says.erasing(vec![stream(1)]));
            drop(said.map(|_| log.finish_erasures()));
        }
        restart(&mut random);
        // and once more while it recovers
        disks.all()[cut].cut_power_after(1 + operations % 20);
        drop(disks.open());
        restart(&mut random);

        let log = disks.open().unwrap();
        let said = log.head() == Position::new(3);
        assert_eq!(is_erased(&log, 1), said, "operation {operations} of file {cut}");
        assert_eq!(is_alive(&log, key, 30), !said, "operation {operations} of file {cut}");
        log.read().unwrap().verify().unwrap();
        *(if said { &mut gone } else { &mut whole }) += 1;
    }
    assert!(whole > 0 && gone > 0, "both ends were seen: {whole} whole, {gone} gone");
}

#[test]
fn a_key_file_that_is_put_back_does_not_bring_erased_content_back() {
    for files in [&["keys.redb"][..], &["log.redb"], &["log.redb", "keys.redb"]] {
        let (place, backup) = (Place::new(), tempfile::tempdir().unwrap());
        let log = open(&place);
        log.append_blocking(NOW, exactly(run(1), 0, vec![with(1, b"secret")])).unwrap();
        arrive(&log, 2, b"secret");
        log.append_blocking(NOW, exactly(run(2), 0, vec![with(3, b"kept")])).unwrap();
        let keys = [key_of(&log, 1), key_of(&log, 2)];
        drop(log);
        copy_of(&place, backup.path(), files);

        let log = open(&place);
        log.erase(&stream(1)).unwrap();
        log.erase(&Erasable::Arrival(Position::new(2))).unwrap();
        drop(log);
        put_back(&place, backup.path(), files);

        for _restart in 0..2 {
            let log = open(&place);
            assert!(is_erased(&log, 1) && is_erased(&log, 2), "{files:?} was put back");
            assert_eq!(content(&log, 3).unwrap(), b"kept");
            assert!(keys.iter().all(|key| !is_alive(&log, *key, 40)), "{files:?} was put back");
            log.read().unwrap().verify().unwrap();
        }
    }
}

#[test]
fn who_verifies_without_keys_destroys_none_that_a_backup_could_bring_back() {
    let (place, backup) = (Place::new(), tempfile::tempdir().unwrap());
    let log = open(&place);
    log.append_blocking(NOW, exactly(run(1), 0, vec![with(1, b"secret")])).unwrap();
    let key = key_of(&log, 1);
    drop(log);
    copy_of(&place, backup.path(), &["log.redb", "keys.redb"]);
    // an erasure that was cut short: the log says so, no tombstone is written yet
    let log = open(&place);
    let says = Append::new(StreamId::Project, Expected::Any, vec![event(2)]);
    log.append_blocking(NOW, says.erasing(vec![stream(1)])).unwrap();
    drop(log);

    let keyless = OpenOptions::new(place.data.path(), "sales").keys(KeyPlace::Without);
    let log = Log::open(keyless).unwrap();
    assert_eq!(log.read().unwrap().verify().unwrap().erased, 1);
    assert!(log.finish_erasures().is_err(), "there is nowhere to write down what is destroyed");
    drop(log);

    drop(open(&place));
    put_back(&place, backup.path(), &["log.redb", "keys.redb"]);
    let log = open(&place);
    assert!(is_erased(&log, 1));
    assert!(!is_alive(&log, key, 40), "whoever has the keys wrote the tombstone");
}

#[test]
fn an_erasure_in_a_copy_of_the_data_leaves_the_keys_of_the_other_copy_alone() {
    let (place, copy) = (Place::new(), tempfile::tempdir().unwrap());
    drop(open(&place));
    copy_of(&place, copy.path(), &["log.redb", "keys.redb"]);
    let open_copy = || {
        let keys = KeyPlace::Directory(place.keys.path().to_owned());
        Log::open(OpenOptions::new(copy.path(), "sales").keys(keys).aside()).unwrap()
    };
    let (log, other) = (open(&place), open_copy());
    let key = |log: &Log, n| {
        log.append_blocking(NOW, exactly(run(n), 0, vec![with(n, b"content")])).unwrap();
        key_of(log, 1)
    };
    assert_eq!(key(&log, 1), key(&other, 2), "both give the same number to another key");
    log.erase(&stream(1)).unwrap();
    drop((log, other));
    assert_eq!(content(&open_copy(), 1).unwrap(), b"content");
    assert!(is_erased(&open(&place), 1));
}

#[test]
fn a_restored_key_file_never_gives_a_destroyed_number_to_a_new_key() {
    let (place, backup) = (Place::new(), tempfile::tempdir().unwrap());
    drop(open(&place));
    copy_of(&place, backup.path(), &["log.redb", "keys.redb"]);
    let log = open(&place);
    for n in 1..70 {
        log.append_blocking(NOW, exactly(run(n), 0, vec![with(n, b"x")])).unwrap();
        log.erase(&stream(n)).unwrap();
    }
    drop(log);
    put_back(&place, backup.path(), &["log.redb", "keys.redb"]);
    let log = open(&place);
    for n in 1..70 {
        let appended = log.append_blocking(NOW, exactly(run(n), 0, vec![with(n, b"new")])).unwrap();
        assert_eq!(content(&log, appended.last_position().get()).unwrap(), b"new");
    }
    drop(log);
    assert_eq!(content(&open(&place), 1).unwrap(), b"new", "no open takes it for a destroyed one");
}

#[test]
fn content_is_found_by_the_pseudonym_of_its_subject_until_it_is_erased() {
    let place = Place::new();
    let log = open(&place);
    let (ana, ben) = (log.pseudonym("ana@example.com"), log.pseudonym("ben@example.com"));
    assert_ne!(ana, ben);
    let about = |n, who: &[placet_model::Digest]| {
        log.append_blocking(NOW, exactly(run(n), 0, vec![with(n, b"x")]).about(who.to_vec()))
            .unwrap()
    };
    about(1, &[ana, ben]);
    about(2, &[ana, ana]);
    let arrived = Append::new(StreamId::Events, Expected::Any, vec![with(3, b"x")]);
    let arrived = log.append_blocking(NOW, arrived.about(vec![ana])).unwrap().last_position();
    let find = |log: &Log, who| log.read().unwrap().subject(&who).unwrap();
    assert_eq!(find(&log, ana), [stream(1), stream(2), Erasable::Arrival(arrived)]);
    assert_eq!(find(&log, ben), [stream(1)]);
    assert_eq!(find(&log, log.pseudonym("cy@example.com")), []);

    drop(log);
    let log = open(&place);
    assert_eq!(log.pseudonym("ana@example.com"), ana, "the same in every life of the engine");
    log.erase(&stream(1)).unwrap();
    assert_eq!(find(&log, ana), [stream(2), Erasable::Arrival(arrived)]);
    assert_eq!(find(&log, ben), []);
    log.erase(&Erasable::Arrival(arrived)).unwrap();
    assert_eq!(find(&log, ana), [stream(2)]);
    log.read().unwrap().verify().unwrap();
}

#[test]
fn two_projects_give_one_person_two_pseudonyms() {
    let open = |key| {
        let options = OpenOptions::with_storage(Storage::memory(), "sales");
        Log::open(options.keys(KeyPlace::Given(ProjectKey::from_bytes([key; 32])))).unwrap()
    };
    assert_ne!(open(1).pseudonym("ana@example.com"), open(2).pseudonym("ana@example.com"));
}
