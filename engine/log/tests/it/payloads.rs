//! Payloads: sealed under the key of their stream, opened by reference, erased for good.

use crate::support::*;
use placet_log::{Append, AppendError, Erasable, Error, Expected, KeyPlace, Log, OpenOptions};
use placet_model::{DataKeyId, PayloadRef, Position, Revision};

fn with_content(n: u128, content: &[u8]) -> placet_log::NewEvent {
    event(n).with_payload(content.to_vec())
}

fn content(log: &Log, n: u128, revision: u64, index: u16) -> Result<Vec<u8>, Error> {
    let reference = PayloadRef::new(Revision::new(revision), index);
    let payload = log.read().unwrap().payload(&run(n), reference)?;
    Ok(payload.as_bytes().to_vec())
}

#[test]
fn a_reference_opens_the_payload_of_its_own_stream() {
    let log = memory();
    let first = vec![
        with_content(1, b"input").with_payload(Vec::new()),
        event(2),
        with_content(3, b"output"),
    ];
    log.append_blocking(NOW, exactly(run(1), 0, first)).unwrap();
    log.append_blocking(NOW, exactly(run(2), 0, vec![with_content(4, b"other")])).unwrap();

    assert_eq!(content(&log, 1, 1, 0).unwrap(), b"input");
    assert_eq!(content(&log, 1, 1, 1).unwrap(), b"");
    assert_eq!(content(&log, 1, 3, 0).unwrap(), b"output");
    assert_eq!(content(&log, 2, 1, 0).unwrap(), b"other");
    assert!(matches!(content(&log, 1, 2, 0), Err(Error::NoSuchPayload { .. })));
    assert!(matches!(content(&log, 1, 4, 0), Err(Error::NoSuchRevision { .. })));
    assert!(matches!(content(&log, 1, 0, 0), Err(Error::NoSuchRevision { .. })));
    assert!(matches!(content(&log, 3, 1, 0), Err(Error::NoSuchRevision { .. })));
}

#[test]
fn content_stands_in_no_file_in_the_clear() {
    let (data, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let marker = b"ana@example.com-and-a-marker";
    let open = || {
        let keys = KeyPlace::Directory(keys.path().to_owned());
        Log::open(OpenOptions::new(data.path(), "sales").keys(keys)).unwrap()
    };
    let log = open();
    log.append_blocking(NOW, exactly(run(1), 0, vec![with_content(1, marker)])).unwrap();
    drop(log);
    for entry in std::fs::read_dir(data.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(marker.len()).any(|window| window == marker);
        assert!(!found, "{}", path.display());
    }
    assert_eq!(content(&open(), 1, 1, 0).unwrap(), marker);
}

#[test]
fn a_data_key_is_handed_out_once_also_after_a_restart() {
    let (data, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let keys = KeyPlace::Directory(keys.path().to_owned());
        let log = Log::open(OpenOptions::new(data.path(), "sales").keys(keys)).unwrap();
        for _ in 0..150 {
            let key = log.new_data_key().unwrap();
            assert!(seen.insert(key), "{key:?} came twice");
        }
    }
}

#[test]
fn the_key_that_an_event_names_seals_its_payloads() {
    let log = memory();
    let key = log.new_data_key().unwrap();
    let append = exactly(run(1), 0, vec![with_content(1, b"input")]).with_key(key);
    log.append_blocking(NOW, append).unwrap();
    let stored = log.read().unwrap().sealed_payload(Position::new(1), 0).unwrap().unwrap();
    assert_eq!(stored[..8], key.0.to_be_bytes());
    // and later appends of the stream use it without being told
    log.append_blocking(NOW, exactly(run(1), 1, vec![with_content(2, b"output")])).unwrap();
    let stored = log.read().unwrap().sealed_payload(Position::new(2), 0).unwrap().unwrap();
    assert_eq!(stored[..8], key.0.to_be_bytes());
}

#[test]
fn a_key_that_does_not_exist_is_refused() {
    let log = memory();
    let append = exactly(run(1), 0, vec![with_content(1, b"input")]).with_key(DataKeyId(999));
    let error = log.append_blocking(NOW, append).unwrap_err();
    assert!(matches!(&error, AppendError::Log { .. }), "{error}");
    assert!(error.wrote_nothing());
}

#[test]
fn erased_content_is_gone_and_the_log_still_verifies() {
    let (data, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = || {
        let keys = KeyPlace::Directory(keys.path().to_owned());
        Log::open(OpenOptions::new(data.path(), "sales").keys(keys)).unwrap()
    };
    let log = open();
    let new = vec![with_content(1, b"a").with_payload(b"b".to_vec()), with_content(2, b"c")];
    log.append_blocking(NOW, exactly(run(1), 0, new)).unwrap();
    log.append_blocking(NOW, exactly(run(2), 0, vec![with_content(3, b"kept")])).unwrap();
    let root = log.read().unwrap().head().root;

    let erased = log.erase(&Erasable::Stream(run(1))).unwrap();
    assert_eq!((erased.keys, erased.payloads), (1, 3));
    let again = log.erase(&Erasable::Stream(run(1))).unwrap();
    assert_eq!((again.keys, again.payloads), (0, 0));

    let check = |log: &Log| {
        assert!(matches!(content(log, 1, 1, 0), Err(Error::Erased { .. })));
        assert_eq!(content(log, 2, 1, 0).unwrap(), b"kept");
        let verified = log.read().unwrap().verify().unwrap();
        assert_eq!((verified.payloads, verified.erased, verified.root), (1, 3, root));
    };
    check(&log);
    drop(log);
    check(&open());

    // the stream may go on, under a new key
    let log = open();
    log.append_blocking(NOW, exactly(run(1), 2, vec![with_content(5, b"new")])).unwrap();
    assert_eq!(content(&log, 1, 3, 0).unwrap(), b"new");
    assert!(matches!(content(&log, 1, 1, 0), Err(Error::Erased { .. })));
    log.read().unwrap().verify().unwrap();
}

#[test]
fn after_compaction_the_sealed_bytes_of_erased_content_are_in_no_file() {
    let (data, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = || {
        let keys = KeyPlace::Directory(keys.path().to_owned());
        OpenOptions::new(data.path(), "sales").keys(keys)
    };
    let log = Log::open(options()).unwrap();
    log.append_blocking(NOW, exactly(run(1), 0, vec![with_content(1, &[7; 500])])).unwrap();
    log.append_blocking(NOW, exactly(run(2), 0, vec![with_content(2, b"kept")])).unwrap();
    let sealed = log.read().unwrap().sealed_payload(Position::new(1), 0).unwrap().unwrap();
    log.erase(&Erasable::Stream(run(1))).unwrap();
    log.compact(|_step| {}).unwrap();
    let file = std::fs::read(data.path().join("log.redb")).unwrap();
    assert!(!file.windows(64).any(|window| window == &sealed[100..164]));
    drop(log);
    let log = Log::open(options()).unwrap();
    assert_eq!(content(&log, 2, 1, 0).unwrap(), b"kept");
    log.read().unwrap().verify().unwrap();
}

#[test]
fn a_lost_key_is_told_apart_from_an_erasure() {
    let (data, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = || {
        let keys = KeyPlace::Directory(keys.path().to_owned());
        Log::open(OpenOptions::new(data.path(), "sales").keys(keys)).unwrap()
    };
    let log = open();
    log.append_blocking(NOW, exactly(run(1), 0, vec![with_content(1, b"a")])).unwrap();
    drop(log);
    let keys_file = redb::Database::open(data.path().join("keys.redb")).unwrap();
    let tx = keys_file.begin_write().unwrap();
    tx.open_table(redb::TableDefinition::<u64, &[u8]>::new("data_keys"))
        .unwrap()
        .remove(1)
        .unwrap();
    tx.commit().unwrap();
    drop(keys_file);
    let error = content(&open(), 1, 1, 0).unwrap_err();
    assert!(matches!(error, Error::KeyLost { .. }), "{error}");
    assert!(error.to_string().contains("keys.redb"), "{error}");
}

#[test]
fn a_refused_append_leaves_no_payload_behind() {
    let log = memory();
    let wrong = exactly(run(1), 5, vec![with_content(1, b"lost")]);
    assert!(log.append_blocking(NOW, wrong).is_err());
    let right = Append::new(run(1), Expected::NoStream, vec![with_content(2, b"kept")]);
    log.append_blocking(NOW, right).unwrap();
    let verified = log.read().unwrap().verify().unwrap();
    assert_eq!((verified.events, verified.payloads), (1, 1));
    assert_eq!(content(&log, 1, 1, 0).unwrap(), b"kept");
}
