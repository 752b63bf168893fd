//! Compaction: what was erased is in no byte of the files, whatever was acknowledged stays, and it
//! may be cut short anywhere, or run beside appends.

use crate::support::*;
use placet_log::{Erasable, Error, KeyPlace, Log, OpenOptions, ProjectKey, Step, Storage};
use placet_model::{Position, StreamId};
use placet_test_support::disk::{Disk, Honesty};
use placet_test_support::random::Random;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The wrapped data key, as it stands in the key file of a closed log.
fn wrapped(place: &Place, key: u64) -> Vec<u8> {
    let database = redb::Database::open(place.data.path().join("keys.redb")).unwrap();
    let tx = redb::ReadableDatabase::begin_read(&database).unwrap();
    let table = tx.open_table(redb::TableDefinition::<u64, &[u8]>::new("data_keys")).unwrap();
    table.get(key).unwrap().unwrap().value().to_vec()
}

/// The files of a directory in which these bytes stand.
fn files_with(dir: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = vec![];
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if std::fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes) {
            found.push(path.display().to_string());
        }
    }
    found
}

fn sealed(log: &Log, position: u64) -> Vec<u8> {
    log.read().unwrap().sealed_payload(Position::new(position), 0).unwrap().unwrap()
}

fn append(log: &Log, n: u128, bytes: usize) {
    let content = vec![u8::try_from(n % 251).unwrap(); bytes];
    let new = event(n).with_payload(content.clone()).with_payload(content);
    log.append_blocking(NOW, exactly(run(n), 0, vec![new])).unwrap();
}

#[test]
fn neither_erased_content_nor_its_keys_are_in_any_byte_of_the_files() {
    let place = Place::new();
    let log = place.open().unwrap();
    // small ones share pages, large ones have pages of their own
    for n in 1..=60 {
        append(&log, n, if n % 10 == 0 { 9000 } else { 60 });
    }
    let gone: Vec<u64> = (1..=60).filter(|n| n % 3 != 0).collect();
    let contents: Vec<Vec<u8>> = gone.iter().map(|position| sealed(&log, *position)).collect();
    drop(log);
    let keys: Vec<Vec<u8>> = contents
        .iter()
        .map(|sealed| wrapped(&place, u64::from_be_bytes(*sealed.first_chunk().unwrap())))
        .collect();
    let log = place.open().unwrap();
    for position in &gone {
        log.erase(&Erasable::Stream(run(u128::from(*position)))).unwrap();
    }
    let mut steps = vec![];
    let compacted = log.compact(|step| steps.push(step)).unwrap();
    assert!(compacted.after < compacted.before, "{compacted:?}");
    assert!(steps.contains(&Step::Packing) && steps.contains(&Step::Payloads(40)), "{steps:?}");

    let check = |log: &Log| {
        for (content, key) in contents.iter().zip(&keys) {
            let middle = &content[20..content.len() - 16];
            assert_eq!(files_with(place.data.path(), middle), Vec::<String>::new());
            assert_eq!(files_with(place.data.path(), &key[12..44]), Vec::<String>::new());
        }
        let verified = log.read().unwrap().verify().unwrap();
        assert_eq!((verified.payloads, verified.erased), (2 * 20, 2 * 40));
        let kept = log.read().unwrap().payload_at(Position::new(30), 1).unwrap();
        assert_eq!(kept.payload.as_bytes(), [30; 9000]);
    };
    check(&log);
    append(&log, 300, 10);
    drop(log);
    let log = place.open().unwrap();
    assert_eq!(
        log.read().unwrap().payload_at(Position::new(61), 0).unwrap().payload.as_bytes(),
        [49; 10]
    );
}

#[test]
fn appends_and_erasures_go_on_while_files_are_rewritten() {
    let place = Place::new();
    let log = place.open().unwrap();
    for n in 1..=300 {
        append(&log, n, 2000);
    }
    let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writer = {
        let (log, over, done) = (log.clone(), Arc::clone(&over), Arc::clone(&done));
        std::thread::spawn(move || {
            for n in 301_u64.. {
                append(&log, u128::from(n), 100);
                log.erase(&Erasable::Stream(run(u128::from(n - 300)))).unwrap();
                let kept = log.read().unwrap().payload_at(Position::new(n), 0).unwrap();
                assert_eq!(kept.payload.as_bytes().len(), 100);
                done.store(n, Ordering::SeqCst);
                if over.load(Ordering::SeqCst) && n > 320 {
                    return;
                }
            }
        })
    };
    for _ in 0..3 {
        log.compact(|_step| {}).unwrap();
    }
    over.store(true, Ordering::SeqCst);
    writer.join().unwrap();
    let last = done.load(Ordering::SeqCst);
    drop(log);
    let log = place.open().unwrap();
    let view = log.read().unwrap();
    assert_eq!(view.head().size, last);
    let verified = view.verify().unwrap();
    assert_eq!(verified.erased, 2 * (last - 300));
}

#[test]
fn power_that_goes_at_any_operation_of_a_compaction_loses_nothing() {
    let disks = [(); 3].map(|()| Disk::new(Honesty::Honest));
    let open = || {
        let [log, keys, journal] = disks.each_ref().map(Disk::backend);
        let storage = Storage::Backends { log, keys, journal };
        let key = KeyPlace::Given(ProjectKey::from_bytes([7; 32]));
        Log::open(OpenOptions::with_storage(storage, "sales").keys(key).cache_bytes(1 << 20))
    };
    let log = open().unwrap();
    for n in 1..=40 {
        append(&log, n, 500);
    }
    for n in 1..=20 {
        log.erase(&Erasable::Stream(run(n))).unwrap();
    }
    let root = log.read().unwrap().head().root;
    drop(log);
    disks.iter().for_each(Disk::keep_all);
    let mut ended = 0;
    for operations in (1..400).step_by(3) {
        let mut random = Random::new(operations);
        for disk in &disks {
            disk.restart(&mut random);
            disk.power_on();
        }
        if operations % 2 == 0 {
            disks[0].cut_power_after(operations);
        } else {
            disks[1].cut_power_after(operations / 4);
        }
        if let Ok(log) = open() {
            ended += u64::from(log.compact(|_step| {}).is_ok());
        }
        for disk in &disks {
            disk.restart(&mut random);
            disk.power_on();
        }
        let log = open().unwrap_or_else(|error| panic!("operation {operations}: {error:?}"));
        let view = log.read().unwrap();
        let verified = view.verify().unwrap();
        assert_eq!((verified.root, verified.payloads, verified.erased), (root, 40, 40));
        let kept = view.payload_at(Position::new(30), 0).unwrap();
        assert_eq!(kept.payload.as_bytes(), [30; 500]);
    }
    assert!(ended > 0, "some were not cut short");
}

#[test]
fn compaction_waits_for_the_last_reader_and_for_no_one_else() {
    let place = Place::new();
    let log = place.open().unwrap();
    append(&log, 1, 2000);
    let view = log.read().unwrap();
    let (told, steps) = std::sync::mpsc::channel();
    let compacting = {
        let log = log.clone();
        std::thread::spawn(move || log.compact(|step| told.send(step).unwrap()))
    };
    assert!(steps.iter().any(|step| step == Step::Packing), "it has come to where it must wait");
    append(&log, 2, 100);
    assert_eq!(view.payload_at(Position::new(1), 0).unwrap().payload.as_bytes(), [1; 2000]);
    drop(view);
    compacting.join().unwrap().unwrap();
    assert!(steps.iter().any(|step| matches!(step, Step::Clearing(_))));
}

#[test]
fn a_copy_of_the_keys_that_was_not_finished_is_gone_after_the_next_open() {
    let place = Place::new();
    drop(place.open().unwrap());
    let unfinished = place.data.path().join("keys.redb.new");
    std::fs::copy(place.data.path().join("keys.redb"), &unfinished).unwrap();
    let log = place.open().unwrap();
    assert!(!unfinished.exists());
    append(&log, 1, 10);
    log.erase(&Erasable::Stream(run(1))).unwrap();
    let erased = log.read().unwrap().payload_at(Position::new(1), 0);
    assert!(matches!(erased, Err(Error::Erased { .. })));
    assert_eq!(log.read().unwrap().revision(&StreamId::Project).unwrap().get(), 0);
}
