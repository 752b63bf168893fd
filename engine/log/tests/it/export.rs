//! Exports: written whole or refused, checked offline, and every forgery named where it can be known.

use crate::support::*;
use placet_log::checkpoint::{Checkpoint, Trust};
use placet_log::export::{Asked, Content, Exported, Finding, Report, verify};
use placet_log::note::{KeyKind, Note, SigningKey, VerifierKey};
use placet_log::{Error, Log};
use placet_model::event::governance::PayloadErased;
use placet_model::{Actor, Position, RecordedEvent, RunId, StreamId};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// As `placet_executor::public` shows events, only shorter.
fn render(event: &RecordedEvent) -> Value {
    json!({ "position": event.position, "stream": event.stream.to_string(), "type": event.event.type_name() })
}

struct Export {
    dir: tempfile::TempDir,
    log: Log,
    note: Note,
    key: VerifierKey,
    wrote: Exported,
}

impl Export {
    fn of(log: Log, content: Content) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let signer = log.signer().unwrap();
        let view = log.read().unwrap();
        let note = signer.sign(&view).unwrap();
        let key = signer.verifier().clone();
        let wrote = view.export(dir.path(), content, &render, (&note, &key)).unwrap();
        drop(view);
        Self { dir, log, note, key, wrote }
    }

    fn asked(&self) -> Asked {
        let trust = Trust { key: Some(self.key.clone()), ..Trust::default() };
        Asked { trust, older: None }
    }

    fn verify(&self) -> Result<Report, Finding> {
        verify(self.dir.path(), &self.asked(), &render)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    /// Forges a copy; what is found then, and where.
    fn forged(&self, file: &str, forge: impl FnOnce(&mut Vec<u8>)) -> Finding {
        let path = self.path(file);
        let before = fs::read(&path).unwrap();
        let mut bytes = before.clone();
        forge(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let found = self.verify().unwrap_err();
        fs::write(&path, before).unwrap();
        found
    }
}

/// So many events, every tenth one with content.
fn log_of(count: u64) -> Log {
    let log = memory();
    let mut done = 0;
    while done < count {
        let batch = (count - done).min(1000);
        let events = (done..done + batch).map(|n| {
            let new = event(u128::from(n) + 1);
            if n.is_multiple_of(10) {
                new.with_payload(format!("content {n}").into_bytes())
            } else {
                new
            }
        });
        log.append_blocking(NOW, exactly(run(1), done, events.collect())).unwrap();
        done += batch;
    }
    log
}

#[test]
fn an_export_holds_everything_and_verifies_with_the_reader_s_own_key() {
    let export = Export::of(log_of(600), Content::Plain);
    let wrote = Exported { events: 600, payloads: 60, plain: 60, erased: 0 };
    assert_eq!(export.wrote, wrote);
    let report = export.verify().unwrap();
    assert_eq!((report.events, report.payloads, report.plain, report.erased), (600, 60, 60, 0));
    assert_eq!(report.attested.key, Some(export.key.clone()));
    let root = export.log.read().unwrap().verify().unwrap().root;
    assert_eq!(report.attested.checkpoint.root, root);
    // only the final width of the last tile of each level
    for (file, bytes) in
        [("tile/0/002.p/88", 88 * 32), ("tile/1/000.p/2", 64), ("tile/0/001", 8192)]
    {
        assert_eq!(fs::metadata(export.path(file)).unwrap().len(), bytes, "{file}");
    }
    assert!(export.path("tile/entries/002.p/88").exists());
    assert!(!export.path("tile/2").exists());
    // nobody to check with: the tree is checked, and that nobody signed it is said
    let unsigned = verify(export.dir.path(), &Asked::default(), &render).unwrap();
    assert_eq!(unsigned.attested.key, None);
}

#[test]
fn sizes_around_every_edge_of_a_tile_verify() {
    for size in [0, 1, 2, 255, 256, 257, 511, 512, 513] {
        let export = Export::of(log_of(size), Content::Sealed);
        assert_eq!(export.verify().unwrap().events, size, "{size}");
    }
}

#[test]
fn an_export_goes_into_an_empty_directory_and_under_the_checkpoint_of_its_entries() {
    let log = log_of(3);
    let export = Export::of(log_of(2), Content::Sealed);
    let view = log.read().unwrap();
    let with = (&export.note, &export.key);
    let full = view.export(export.dir.path(), Content::Sealed, &render, with);
    assert!(matches!(full, Err(Error::NotEmpty { .. })), "{full:?}");
    let other = tempfile::tempdir().unwrap();
    let wrong = view.export(&other.path().join("new"), Content::Sealed, &render, with);
    assert!(matches!(wrong, Err(Error::Damaged { .. })), "{wrong:?}");
    assert!(!other.path().join("new/checkpoint").exists(), "without one it is not an export");
    // signed by another key than the one that is to verify it
    let other = other.path().join("other");
    let forger = SigningKey::from_seed(export.key.name(), KeyKind::Log, &[9; 32]).unwrap();
    let signed = Note::new(export.note.text(), forger.sign(export.note.text(), 0));
    let view = export.log.read().unwrap();
    let wrong = view.export(&other, Content::Sealed, &render, (&signed, &export.key));
    assert!(matches!(wrong, Err(Error::Note { .. })), "{wrong:?}");
    assert!(!other.join("checkpoint").exists(), "without one it is not an export");
}

#[test]
fn a_forged_entry_tile_line_or_payload_is_named_with_its_position() {
    let export = Export::of(log_of(600), Content::Plain);
    let at = |position: u64| (Some(Position::new(position)), position);
    let entry = |bytes: &[u8], position: usize| {
        let mut start = 0;
        for _ in 0..position % 256 {
            start += 2 + usize::from(u16::from_be_bytes([bytes[start], bytes[start + 1]]));
        }
        start
    };
    // a byte of the entry at position 300 (the 44th of its bundle)
    let found = export.forged("tile/entries/001", |bytes| {
        let start = entry(bytes, 299);
        bytes[start + 60] ^= 1;
    });
    assert_eq!((found.position, 300), at(300), "{found}");
    // the entry and its hash: the readable line does not fit any more
    let hashes = fs::read(export.path("tile/0/001")).unwrap();
    let found = export.forged("tile/entries/001", |bytes| {
        let start = entry(bytes, 299);
        let end = entry(bytes, 300);
        bytes[start + 60] ^= 1;
        let hash = placet_log::tree::leaf_hash(&bytes[start + 2..end]);
        let mut forged = hashes.clone();
        forged[43 * 32..44 * 32].copy_from_slice(hash.as_bytes());
        fs::write(export.path("tile/0/001"), forged).unwrap();
    });
    fs::write(export.path("tile/0/001"), hashes).unwrap();
    assert_eq!((found.position, 300), at(300), "{found}");
    // hashes
    let found = export.forged("tile/0/002.p/88", |bytes| bytes[32 * 5 + 3] ^= 1);
    assert_eq!((found.position, 518), at(518), "{found}");
    let found = export.forged("tile/1/000.p/2", |bytes| bytes[33] ^= 1);
    assert_eq!((found.position, found.last), (at(257).0, at(512).0), "{found}");
    // two entries that have changed places, each with its hash
    let hashes = fs::read(export.path("tile/0/000")).unwrap();
    let found = export.forged("tile/entries/000", |bytes| {
        let (start, middle, end) = (entry(bytes, 8), entry(bytes, 9), entry(bytes, 10));
        bytes[start..end].rotate_left(middle - start);
        let mut forged = hashes.clone();
        forged[8 * 32..10 * 32].rotate_left(32);
        fs::write(export.path("tile/0/000"), forged).unwrap();
    });
    fs::write(export.path("tile/0/000"), hashes).unwrap();
    assert_eq!((found.position, 9), at(9), "{found}");
    assert!(found.what.contains("position 10"), "{found}");
    let found = export.forged("tile/entries/002.p/88", |bytes| bytes.truncate(bytes.len() - 1));
    assert_eq!((found.position, 600), at(600), "{found}");
    let found = export.forged("tile/entries/002.p/88", |bytes| bytes.push(0));
    assert_eq!((found.position, 600), at(600), "{found}");
    let found = export.forged("events.jsonl", |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        *bytes = text.replacen("OutboundPaused", "OutboundResumed", 1).into_bytes();
    });
    assert_eq!((found.position, 2), at(2), "{found}");
    let found = export.forged("events.jsonl", |bytes| bytes.extend_from_slice(b"{}\n"));
    assert_eq!((found.position, 601), at(601), "{found}");
    // content
    let files = |folder: &'static str| {
        let inside = fs::read_dir(export.path(folder)).unwrap();
        let names = inside.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.contains('.')).map(move |name| format!("{folder}/{name}"))
    };
    for file in files("payloads").chain(files("payloads.plain")).step_by(17) {
        let found = export.forged(&file, |bytes| bytes[0] ^= 1);
        assert_eq!(found.file, Path::new(&file), "{found}");
        assert!(found.position.is_some_and(|at| at.get() % 10 == 1), "{found}");
    }
    assert!(export.verify().is_ok(), "every copy was put back");
}

#[test]
fn a_missing_or_surplus_file_is_named() {
    let export = Export::of(log_of(600), Content::Sealed);
    for (file, position) in [
        ("tile/entries/001", Some(257)),
        ("tile/0/001", Some(257)),
        ("tile/1/000.p/2", Some(1)),
        ("events.jsonl", None),
        ("checkpoint", None),
    ] {
        let path = export.path(file);
        let aside = export.path("aside");
        fs::rename(&path, &aside).unwrap();
        let found = export.verify().unwrap_err();
        fs::rename(&aside, &path).unwrap();
        assert_eq!(
            (found.position, found.file.as_path()),
            (position.map(Position::new), Path::new(file))
        );
        assert!(found.what.contains("missing"), "{found}");
    }
    for surplus in ["tile/0/002.p/12", "tile/entries/003", "tile/2/000.p/1", "payloads/00"] {
        let path = export.path(surplus);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"x").unwrap();
        let found = export.verify().unwrap_err();
        assert_eq!(found.file, Path::new(surplus), "{found}");
        fs::remove_file(&path).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_link_or_a_file_without_end_in_an_export_is_named_and_never_followed() {
    let export = Export::of(log_of(300), Content::Plain);
    let payload = fs::read_dir(export.path("payloads")).unwrap().next().unwrap().unwrap();
    let payload = format!("payloads/{}", payload.file_name().to_str().unwrap());
    for file in ["checkpoint", "events.jsonl", "tile/0/000", "tile/entries/000", &payload] {
        let (path, aside) = (export.path(file), export.path("aside"));
        fs::rename(&path, &aside).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        let found = export.verify().unwrap_err();
        assert_eq!(found.file, Path::new(file), "{found}");
        assert!(found.what.contains("no plain file"), "{found}");
        fs::remove_file(&path).unwrap();
        // as long as it likes, without a line end or anything else that fits
        fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let found = export.verify().unwrap_err();
        assert_eq!(found.file, Path::new(file), "{found}");
        fs::remove_file(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
    }
    for surplus in ["tile/around", "payloads/around"] {
        std::os::unix::fs::symlink("..", export.path(surplus)).unwrap();
        let found = export.verify().unwrap_err();
        assert_eq!(found.file, Path::new(surplus), "{found}");
        fs::remove_file(export.path(surplus)).unwrap();
    }
    assert!(export.verify().is_ok(), "every file was put back");
}

#[test]
fn a_payload_may_be_missing_only_where_the_log_says_that_it_was_erased() {
    let log = memory();
    let with_content = |n: u128| event(n).with_payload(b"personal".to_vec());
    log.append_blocking(NOW, exactly(run(1), 0, vec![with_content(1)])).unwrap();
    log.append_blocking(NOW, exactly(run(2), 0, vec![with_content(2)])).unwrap();
    log.erase(&placet_log::Erasable::Stream(run(1))).unwrap();
    let silent = Export::of(log.clone(), Content::Plain);
    let found = silent.verify().unwrap_err();
    assert_eq!(found.position, Some(Position::new(1)), "{found}");
    assert!(found.what.contains("no event says"), "{found}");

    let run = Some(RunId::new(Uuid::from_u128(1)));
    let erased = PayloadErased { run, arrival: None, subject: None, payloads: 1, reason: None };
    let said = placet_log::NewEvent::new(id(9), Actor::Engine, erased);
    log.append_blocking(NOW, exactly(StreamId::Project, 0, vec![said])).unwrap();
    let report = Export::of(log, Content::Plain).verify().unwrap();
    assert_eq!((report.payloads, report.plain, report.erased), (1, 1, 1));
}

#[test]
fn an_edited_checkpoint_or_another_key_is_refused() {
    let export = Export::of(log_of(20), Content::Sealed);
    let text = export.note.to_string();
    for (from, to) in [("\n20\n", "\n19\n"), ("/sales\n20", "/other\n20"), ("placet/", "placet/0")]
    {
        let found =
            export.forged("checkpoint", |bytes| *bytes = text.replacen(from, to, 1).into_bytes());
        assert_eq!(found.file, Path::new("checkpoint"), "{found}");
    }
    let root = text.lines().nth(2).unwrap();
    let other = root.replacen(&root[..1], if root.starts_with('A') { "B" } else { "A" }, 1);
    let found =
        export.forged("checkpoint", |bytes| *bytes = text.replace(root, &other).into_bytes());
    assert!(found.what.contains("does not fit the note"), "{found}");
    // all of it, signed by somebody else in the log's name
    let forger = SigningKey::from_seed(export.key.name(), KeyKind::Log, &[9; 32]).unwrap();
    let signed = Note::new(export.note.text(), forger.sign(export.note.text(), 0));
    let found = export.forged("checkpoint", |bytes| *bytes = signed.to_string().into_bytes());
    assert!(found.what.contains("not signed by"), "{found}");
}

#[test]
fn an_export_must_continue_a_checkpoint_seen_before() {
    let log = log_of(40);
    let checkpoint = |log: &Log, size: u64| {
        let root = log.read().unwrap().root_at(size).unwrap();
        Checkpoint { origin: log.origin(), size, root }
    };
    let export = Export::of(log.clone(), Content::Sealed);
    let with = |older: Checkpoint| {
        verify(export.dir.path(), &Asked { older: Some(older), ..export.asked() }, &render)
    };
    for size in [0, 1, 33, 40] {
        assert!(with(checkpoint(&log, size)).is_ok(), "{size}");
    }
    // its end was cut off
    log.append_blocking(NOW, exactly(run(1), 40, events([90]))).unwrap();
    let found = with(checkpoint(&log, 41)).unwrap_err();
    assert!(found.what.contains("cut off"), "{found}");
    // a fork: the same size, another root
    let root = checkpoint(&log, 1).root;
    let found = with(Checkpoint { root, ..checkpoint(&log, 40) }).unwrap_err();
    assert!(found.what.contains("does not continue"), "{found}");
    let found =
        with(Checkpoint { origin: "placet/0/other".into(), ..checkpoint(&log, 40) }).unwrap_err();
    assert!(found.what.contains("placet/0/other"), "{found}");
}

#[test]
fn witnesses_count_when_the_reader_knows_them() {
    let export = Export::of(log_of(5), Content::Sealed);
    let witness = |name: &str| SigningKey::from_seed(name, KeyKind::Witness, &[3; 32]).unwrap();
    let (ana, bob) = (witness("witness.example/ana"), witness("witness.example/bob"));
    let mut note = export.note.clone();
    note.add(ana.sign(note.text(), 1_700_000_000));
    fs::write(export.path("checkpoint"), note.to_string()).unwrap();
    let with = |keys: &[&SigningKey], min| {
        let witnesses = keys.iter().map(|key| key.verifier().clone()).collect();
        let trust = Trust { key: Some(export.key.clone()), witnesses, min };
        verify(export.dir.path(), &Asked { trust, older: None }, &render)
    };
    let seen = with(&[&ana, &bob], Some(1)).unwrap().attested.witnesses;
    assert_eq!(seen, [("witness.example/ana".to_owned(), 1_700_000_000)]);
    assert!(with(&[&ana, &bob], None).unwrap_err().what.contains("1 of the 2 witnesses"));
    assert!(with(&[&bob], None).unwrap_err().what.contains("0 of the 1"));
}

#[test]
fn a_forged_hash_of_the_third_level_is_found() {
    let export = Export::of(log_of(257 * 256 + 3), Content::Sealed);
    assert_eq!(export.wrote.events, 65_795);
    let found = export.forged("tile/2/000.p/1", |bytes| bytes[0] ^= 1);
    assert_eq!((found.position, found.last), (Some(Position::new(1)), Some(Position::new(65_536))));
}
