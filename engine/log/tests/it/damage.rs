//! Damage at rest: a flipped bit is an error or changes nothing, never a wrong value.

use crate::support::*;
use placet_log::{
    Append, Error, Expected, KeyPlace, Log, OpenOptions, ProjectKey, ReadView, Storage,
};
use placet_model::{PayloadRef, Position, RecordedEvent, Revision, StreamId};
use placet_test_support::random::Random;
use redb::{Database, ReadableTable, TableDefinition};
use std::path::Path;

/// One byte in so many is flipped; redb's header is flipped byte for byte.
const STRIDE: usize = 97;
const HEADER: usize = 320;

/// Everything that a log can be asked.
#[derive(Debug, PartialEq)]
pub(crate) struct Contents {
    events: Vec<RecordedEvent>,
    streams: Vec<Vec<RecordedEvent>>,
    payloads: Vec<Option<Vec<u8>>>,
    root: placet_model::Digest,
}

pub(crate) fn options(dir: &Path) -> OpenOptions {
    OpenOptions::new(dir, "sales").keys(KeyPlace::Given(ProjectKey::from_bytes([7; 32])))
}

fn streams() -> Vec<StreamId> {
    (0..3).map(run).chain([StreamId::Policy]).collect()
}

pub(crate) fn fill(dir: &Path) {
    let log = Log::open(options(dir)).unwrap();
    for (stream, n) in streams().into_iter().cycle().zip(0..24u128) {
        let mut new = events([2 * n, 2 * n + 1]);
        if n.is_multiple_of(3) {
            new[1] = new[1].clone().with_payload(n.to_be_bytes().to_vec());
        }
        log.append_blocking(NOW, Append::new(stream, Expected::Any, new)).unwrap();
    }
}

fn read_all(view: &ReadView) -> Result<Contents, Error> {
    let events = view.events(Position::START).collect::<Result<Vec<_>, _>>()?;
    let streams = streams()
        .iter()
        .map(|stream| view.stream(stream, Revision::START).collect())
        .collect::<Result<_, _>>()?;
    let payloads = events
        .iter()
        .map(|event| match view.payload(&event.stream, PayloadRef::new(event.revision, 0)) {
            Ok(payload) => Ok(Some(payload.as_bytes().to_vec())),
            Err(Error::NoSuchPayload { .. }) => Ok(None),
            Err(error) => Err(error),
        })
        .collect::<Result<_, _>>()?;
    Ok(Contents { events, streams, payloads, root: view.root_at(view.head().size)? })
}

pub(crate) fn contents(dir: &Path) -> Result<Contents, Error> {
    read_all(&Log::open(options(dir))?.read()?)
}

#[test]
fn a_flipped_bit_anywhere_in_the_file_is_an_error_or_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    let expected = contents(dir.path()).unwrap();
    let path = dir.path().join("log.redb");
    let whole = std::fs::read(&path).unwrap();
    let head = std::fs::read(dir.path().join("head")).unwrap();
    let mut random = Random::new(1);
    let (mut errors, mut unchanged, mut wrong) = (0, 0, Vec::new());
    std::panic::set_hook(Box::new(|_| {}));
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
    for at in (0..HEADER).chain((HEADER..used).step_by(STRIDE)) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << random.below(8);
        std::fs::write(&path, &flipped).unwrap();
        std::fs::write(dir.path().join("head"), &head).unwrap();
        match contents(dir.path()) {
            Ok(found) if found == expected => unchanged += 1,
            Ok(found) => wrong.push((at, found.events.len())),
            Err(_) => errors += 1,
        }
    }
    drop(std::panic::take_hook());
    assert_eq!(wrong, [], "bytes whose flip gave a wrong value and no error, and events then read");
    println!("{errors} flips reported, {unchanged} without effect, 0 wrong values");
    assert!(errors > 100, "{errors}");
}

const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");
const PAYLOADS: TableDefinition<'_, (u64, u16), &[u8]> = TableDefinition::new("payloads");
const STREAMS: TableDefinition<'_, (&[u8], u64), (u64, u32)> = TableDefinition::new("streams");

/// Changes the closed file behind the log's back.
fn tamper(dir: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let db = Database::open(dir.join("log.redb")).unwrap();
    let tx = db.begin_write().unwrap();
    change(&tx);
    tx.commit().unwrap();
}

fn after(change: impl FnOnce(&redb::WriteTransaction)) -> (Result<Log, Error>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    tamper(dir.path(), change);
    // as with a large file, whose start is beyond the tail that opening checks
    (Log::open(options(dir.path()).checked_events(4)), dir)
}

#[test]
fn verification_names_the_first_bad_position() {
    let (log, _dir) = after(|tx| {
        let mut events = tx.open_table(EVENTS).unwrap();
        for position in [9, 20] {
            let mut row = events.get(position).unwrap().unwrap().value().to_vec();
            row[200] ^= 1;
            events.insert(position, row.as_slice()).unwrap();
        }
    });
    let view = log.unwrap().read().unwrap();
    let error = view.verify().unwrap_err();
    assert!(matches!(&error, Error::Damaged { position, .. } if position.get() == 9), "{error}");
    // and reading stops there, never skips
    let read: Vec<_> = view.events(Position::START).collect();
    assert_eq!(read.len(), 9);
    assert!(read[8].is_err());
}

#[test]
fn a_missing_or_swapped_event_is_an_error_with_its_position() {
    let (log, _dir) = after(|tx| {
        tx.open_table(EVENTS).unwrap().remove(11).unwrap();
    });
    let error = log.unwrap().read().unwrap().verify().unwrap_err();
    assert!(matches!(&error, Error::Damaged { position, .. } if position.get() == 11), "{error}");

    let (log, _dir) = after(|tx| {
        let mut events = tx.open_table(EVENTS).unwrap();
        let row = events.get(13).unwrap().unwrap().value().to_vec();
        events.insert(15, row.as_slice()).unwrap();
    });
    let view = log.unwrap().read().unwrap();
    let error = view.event(Position::new(15)).unwrap_err();
    assert!(matches!(&error, Error::Damaged { position, .. } if position.get() == 15), "{error}");
}

#[test]
fn a_log_whose_last_events_are_gone_does_not_open() {
    let (log, _dir) = after(|tx| {
        tx.open_table(EVENTS).unwrap().retain(|position, _| position < 47).unwrap();
    });
    assert!(matches!(log, Err(Error::Damaged { .. })), "{log:?}");
}

#[test]
fn an_older_file_put_in_place_of_a_closed_one_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    let older = std::fs::read(dir.path().join("log.redb")).unwrap();
    let log = Log::open(options(dir.path())).unwrap();
    log.append_blocking(NOW, exactly(run(9), 0, events([900]))).unwrap();
    drop(log);
    std::fs::write(dir.path().join("log.redb"), older).unwrap();
    let frozen = Storage::Frozen(dir.path().to_owned());
    let looked_at = OpenOptions::with_storage(frozen, "sales").keys(KeyPlace::Without);
    for options in [options(dir.path()), looked_at] {
        let error = Log::open(options).unwrap_err();
        assert!(matches!(&error, Error::DamagedIndex { what } if what.contains("49")), "{error}");
    }
}

#[test]
fn data_are_looked_at_by_many_and_never_beside_an_engine() {
    let dir = tempfile::tempdir().unwrap();
    let frozen = || {
        let frozen = Storage::Frozen(dir.path().to_owned());
        Log::open(OpenOptions::with_storage(frozen, "sales").keys(KeyPlace::Without))
    };
    fill(dir.path());
    let engine = Log::open(options(dir.path())).unwrap();
    assert!(matches!(frozen(), Err(Error::InUse { .. })));
    drop(engine);
    let (first, second) = (frozen().unwrap(), frozen().unwrap());
    assert_eq!(first.head(), second.head());
    assert!(matches!(Log::open(options(dir.path())), Err(Error::InUse { .. })));
    drop((first, second));
    Log::open(options(dir.path())).unwrap();
}

#[test]
fn a_forged_event_with_matching_digests_breaks_the_tree() {
    // given an event rewritten whole, its own hash and check recomputed
    let (log, _dir) = after(|tx| {
        let mut events = tx.open_table(EVENTS).unwrap();
        let mut row = events.get(10).unwrap().unwrap().value().to_vec();
        let leaf_len = usize::from(u16::from_be_bytes([row[0], row[1]]));
        row[2 + 40] ^= 1; // recorded at
        let leaf_hash = placet_log::tree::leaf_hash(&row[2..2 + leaf_len]);
        let body_len = u32::from_be_bytes(row[2 + leaf_len..6 + leaf_len].try_into().unwrap());
        let nodes = 7 + leaf_len + usize::try_from(body_len).unwrap();
        row[nodes..nodes + 32].copy_from_slice(leaf_hash.as_bytes());
        let end = row.len() - placet_log::check::CHECK_LEN;
        let check = placet_log::check::of(b"nodes", &row[nodes..end]);
        row[end..].copy_from_slice(&check);
        events.insert(10, row.as_slice()).unwrap();
    });
    let error = log.unwrap().read().unwrap().verify().unwrap_err();
    assert!(matches!(&error, Error::Damaged { position, .. } if position.get() == 10), "{error}");
}

#[test]
fn a_payload_or_index_row_that_is_wrong_missing_or_too_many_is_found() {
    type Change = fn(&redb::WriteTransaction);
    let changes: [(&str, Change); 5] = [
        ("payload flipped", |tx| {
            let mut payloads = tx.open_table(PAYLOADS).unwrap();
            let mut row = payloads.get((2, 0)).unwrap().unwrap().value().to_vec();
            row[30] ^= 1;
            payloads.insert((2, 0), row.as_slice()).unwrap();
        }),
        ("payload missing", |tx| {
            tx.open_table(PAYLOADS).unwrap().remove((2, 0)).unwrap();
        }),
        ("payload of nobody", |tx| {
            tx.open_table(PAYLOADS).unwrap().insert((3, 0), &[0; 60][..]).unwrap();
        }),
        ("index row missing", |tx| {
            tx.open_table(STREAMS).unwrap().pop_first().unwrap();
        }),
        ("index row elsewhere", |tx| {
            let mut streams = tx.open_table(STREAMS).unwrap();
            let key = streams.first().unwrap().unwrap().0.value().0.to_vec();
            streams.insert((key.as_slice(), 1), (5, 2)).unwrap();
        }),
    ];
    for (name, change) in changes {
        let (log, _dir) = after(change);
        assert!(log.unwrap().read().unwrap().verify().is_err(), "{name}");
    }
}

#[test]
fn a_whole_log_verifies_to_the_root_of_its_last_commit() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    let log = Log::open(options(dir.path())).unwrap();
    let view = log.read().unwrap();
    let verified = view.verify().unwrap();
    assert_eq!((verified.events, verified.payloads, verified.erased), (48, 8, 0));
    assert_eq!(verified.root, view.head().root);
    assert_eq!(verified.root, view.root_at(48).unwrap());
}
