//! Signing heads: what is signed continues what was signed before, or nothing is signed.

use crate::support::*;
use placet_log::checkpoint::{Checkpoint, Trust};
use placet_log::{Error, KeyPlace, Log, NewEvent, OpenOptions, SignedHead};
use placet_model::event::governance::CheckpointSigned;
use placet_model::{Actor, Position, StreamId};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

struct Place {
    data: PathBuf,
    keys: KeyPlace,
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = KeyPlace::Directory(dir.path().join("keys"));
        Self { data: dir.path().join("data"), keys, dir }
    }

    fn open(&self) -> Log {
        self.open_at(&self.data)
    }

    fn open_at(&self, data: &Path) -> Log {
        // as a copy: what keeps one from being opened at all is tested in tests/it/backup.rs
        Log::open(OpenOptions::new(data, "sales").keys(self.keys.clone()).aside()).unwrap()
    }

    /// A copy of the data as they are now.
    fn copy(&self, name: &str) -> PathBuf {
        let copy = self.dir.path().join(name);
        std::fs::create_dir(&copy).unwrap();
        for entry in std::fs::read_dir(&self.data).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
        copy
    }

    fn key_files(&self, log: &Log) -> [PathBuf; 2] {
        let file =
            |end: &str| self.dir.path().join(format!("keys/{}.checkpoint.{end}", log.install_id()));
        [file("key"), file("head")]
    }
}

fn add(log: &Log, from: u64, ids: impl IntoIterator<Item = u128>) {
    log.append_blocking(NOW, exactly(run(1), from, events(ids))).unwrap();
}

#[test]
fn a_signed_head_is_that_of_the_log_under_its_own_key() {
    let place = Place::new();
    let log = place.open();
    add(&log, 0, 1..=5);
    let signer = log.signer().unwrap();
    let view = log.read().unwrap();
    let note = signer.sign(&view).unwrap();
    let trust = Trust { key: Some(signer.verifier().clone()), ..Trust::default() };
    let checkpoint = trust.check(&note).unwrap().checkpoint;
    let expected = Checkpoint { origin: log.origin(), size: 5, root: view.head().root };
    assert_eq!(checkpoint, expected);
    assert_eq!(log.origin(), format!("placet/{}/sales", &log.install_id()[..16]));
    assert_eq!(signer.sign(&view).unwrap(), note, "signed again it is the same");
    // in files that only their owner can read
    for file in place.key_files(&log) {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert!(mode == 0o600 || !file.ends_with(".key"), "{}: {mode:o}", file.display());
    }
    drop((log, view));
    assert_eq!(place.open().signer().unwrap().verifier(), signer.verifier(), "for life");
}

#[cfg(unix)]
#[test]
fn what_was_signed_can_be_read_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let log = place.open();
    add(&log, 0, 1..=3);
    log.signer().unwrap().sign(&log.read().unwrap()).unwrap();
    for file in place.key_files(&log) {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
}

#[test]
fn an_older_copy_of_the_data_signs_nothing() {
    let place = Place::new();
    let log = place.open();
    add(&log, 0, 1..=3);
    log.signer().unwrap().sign(&log.read().unwrap()).unwrap();
    drop(log);
    let older = place.copy("older");
    let log = place.open();
    add(&log, 3, 4..=9);
    log.signer().unwrap().sign(&log.read().unwrap()).unwrap();
    drop(log);

    let log = place.open_at(&older);
    let signer = log.signer().unwrap();
    let error = signer.sign(&log.read().unwrap()).unwrap_err();
    assert!(
        matches!(&error, Error::RolledBack { size: 3, signed, .. } if signed.size == 9),
        "{error}"
    );
    assert_eq!(error.code(), "PL1201");
    assert!(error.to_string().contains("--accept-rollback"), "{error}");
    // it may be read and verified
    assert_eq!(log.read().unwrap().verify().unwrap().events, 3);
    // and goes on once somebody says so
    let head = *log.read().unwrap().head();
    let accepted = SignedHead { size: head.size, root: head.root };
    accepted.reset(&place.keys, &log.install_id()).unwrap();
    signer.sign(&log.read().unwrap()).unwrap();
    assert_eq!(SignedHead::read(&place.keys, &log.install_id()).unwrap(), Some(accepted));
}

#[test]
fn two_copies_that_went_separate_ways_never_both_sign() {
    let place = Place::new();
    let log = place.open();
    add(&log, 0, 1..=3);
    drop(log);
    let copy = place.copy("copy");
    let (one, other) = (place.open(), place.open_at(&copy));
    add(&one, 3, [4]);
    add(&other, 3, [5, 6]);
    one.signer().unwrap().sign(&one.read().unwrap()).unwrap();
    let error = other.signer().unwrap().sign(&other.read().unwrap()).unwrap_err();
    assert!(matches!(error, Error::RolledBack { size: 5, .. }), "{error}");
}

#[test]
fn a_lost_signing_key_is_not_replaced_in_silence() {
    let place = Place::new();
    let log = place.open();
    add(&log, 0, [1]);
    let old = log.signer().unwrap();
    old.sign(&log.read().unwrap()).unwrap();
    let [key, _] = place.key_files(&log);
    std::fs::remove_file(&key).unwrap();
    let error = log.signer().unwrap_err();
    assert!(matches!(&error, Error::SigningKeyMissing { path } if *path == key), "{error}");
    let new = log.new_signing_key().unwrap();
    assert_ne!(new.verifier(), old.verifier());
    assert_eq!(log.signer().unwrap().verifier(), new.verifier());
    assert!(log.new_signing_key().is_err(), "a key that is there stays");
}

#[test]
fn a_log_opened_without_keys_can_be_verified_and_nothing_else() {
    let place = Place::new();
    let log = place.open();
    let new = vec![event(1).with_payload(b"secret".to_vec())];
    log.append_blocking(NOW, exactly(run(1), 0, new)).unwrap();
    drop(log);
    std::fs::remove_dir_all(place.dir.path().join("keys")).unwrap();

    let options = OpenOptions::new(&place.data, "sales").keys(KeyPlace::Without);
    let log = Log::open(options).unwrap();
    assert_eq!(log.read().unwrap().verify().unwrap().payloads, 1);
    let read = log.read().unwrap().payload_at(Position::new(1), 0);
    assert!(matches!(read, Err(Error::Keyless)), "{read:?}");
    assert!(matches!(log.signer(), Err(Error::Keyless)));
    let refused = log.append_blocking(NOW, exactly(StreamId::Project, 0, events([2])));
    assert!(refused.is_err());
}

#[test]
fn all_events_since_the_last_signed_head_are_checked_at_a_start() {
    let place = Place::new();
    let log = place.open();
    add(&log, 0, 1..=4);
    log.signer().unwrap().sign(&log.read().unwrap()).unwrap();
    drop(log);
    // a head that was signed elsewhere: the check reaches back to it, past the least that was asked for
    let log = place.open();
    add(&log, 4, 5..=40);
    drop(log);
    let options =
        || OpenOptions::new(&place.data, "sales").keys(place.keys.clone()).checked_events(2);
    Log::open(options()).unwrap();
    damage(&place.data.join("log.redb"), &id(6).to_bytes());
    let error = Log::open(options()).unwrap_err();
    assert!(
        matches!(error, Error::Damaged { position, .. } if position == Position::new(6)),
        "{error}"
    );
}

/// Changes a byte of every place in the file where `what` stands.
fn damage(file: &Path, what: &[u8]) {
    let mut bytes = std::fs::read(file).unwrap();
    let places: Vec<usize> =
        (0..bytes.len() - what.len()).filter(|at| bytes[*at..].starts_with(what)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] ^= 1;
    }
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_checkpoint_in_the_log_must_be_of_the_events_before_it() {
    let log = memory();
    add(&log, 0, 1..=5);
    let note = log.signer().unwrap().sign(&log.read().unwrap()).unwrap().to_string();
    let root = log.read().unwrap().head().root;
    let record = |revision, body: CheckpointSigned| {
        let new = NewEvent::new(id(90 + u128::from(revision)), Actor::Engine, body);
        let append = exactly(StreamId::Checkpoints, revision, vec![new]);
        log.append_blocking(NOW, append).unwrap();
    };
    record(0, CheckpointSigned { size: 5, root, note: note.clone() });
    assert_eq!(log.read().unwrap().verify().unwrap().events, 6);
    // one of other events, as whoever rewrites them and not the checkpoints would leave it
    let text = note.replacen("\n5\n", "\n4\n", 1);
    record(1, CheckpointSigned { size: 4, root, note: text });
    let error = log.read().unwrap().verify().unwrap_err();
    assert!(matches!(error, Error::Damaged { position, .. } if position == Position::new(7)));
}
