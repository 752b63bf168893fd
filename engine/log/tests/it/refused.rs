//! Data directories that are not what they should be: each is refused with an error that names the file, and not one byte
//! of any file is changed by the look.

use crate::damage::{contents, fill, options};
use crate::support::*;
use placet_log::{Error, KeyPlace, Log, OpenOptions, ProjectKey};
use redb::ReadableTable;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every file but the lock.
fn bytes(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.is_file() && !path.ends_with("lock"))
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
        })
        .collect()
}

fn filled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    dir
}

/// Opens what must be refused; the error's words.
fn refused(dir: &Path, options: OpenOptions) -> (Error, String) {
    let before = bytes(dir);
    let error = Log::open(options).expect_err("it must be refused");
    assert_eq!(bytes(dir), before, "refusing changed nothing: {error}");
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let words = format!("{error} {source}");
    (error, words)
}

#[test]
fn a_truncated_file_is_refused_by_name_at_every_length_and_stays_as_it_is() {
    let dir = filled();
    let expected = contents(dir.path()).unwrap();
    std::panic::set_hook(Box::new(|_| {}));
    let (mut errors, mut harmless, mut wrong) = (0, 0, vec![]);
    for file in ["log.redb", "keys.redb"] {
        let path = dir.path().join(file);
        let whole = bytes(dir.path());
        let len = whole[file].len();
        let short = (0..16).map(|n| n * 41).chain((0..len).step_by(len / 96)).chain([len - 1]);
        for cut in short.filter(|cut| *cut < len) {
            fs::write(&path, &whole[file][..cut]).unwrap();
            let before = bytes(dir.path());
            match Log::open(options(dir.path())) {
                Err(error) => {
                    errors += 1;
                    let named = error.to_string().contains(file);
                    if bytes(dir.path()) != before || !named {
                        wrong.push((file, cut, error.to_string()));
                    }
                }
                // free pages at the end: nothing is missing
                Ok(log) => {
                    drop(log);
                    harmless += 1;
                    assert_eq!(contents(dir.path()).unwrap(), expected, "{file} cut at {cut}");
                }
            }
            for (name, content) in &whole {
                fs::write(dir.path().join(name), content).unwrap();
            }
        }
    }
    drop(std::panic::take_hook());
    println!("{errors} lengths refused, {harmless} without effect");
    assert_eq!(wrong, []);
    assert!(errors > 150, "{errors}");
    assert_eq!(contents(dir.path()).unwrap(), expected);
}

#[test]
fn what_is_no_file_of_ours_is_refused_by_name() {
    type Put = fn(&Path);
    let cases: [(&str, Put); 5] = [
        ("text", |path| fs::write(path, "project = \"sales\"\n").unwrap()),
        ("SQLite", |path| {
            fs::write(path, [b"SQLite format 3\0".as_slice(), &[0; 4080]].concat()).unwrap();
        }),
        ("an empty file", |path| fs::write(path, "").unwrap()),
        ("a directory", |path| fs::create_dir(path).unwrap()),
        ("zeros", |path| fs::write(path, vec![0; 100_000]).unwrap()),
    ];
    for file in ["log.redb", "keys.redb"] {
        for (what, put) in cases {
            let dir = filled();
            let path = dir.path().join(file);
            fs::remove_file(&path).unwrap();
            put(&path);
            let (error, words) = refused(dir.path(), options(dir.path()));
            assert!(matches!(error, Error::Foreign { .. }), "{what}: {words}");
            assert!(words.contains(file) && words.contains("nothing was changed"), "{words}");
        }
    }
}

#[test]
fn another_redb_database_is_refused_by_name() {
    for file in ["log.redb", "keys.redb"] {
        let dir = filled();
        fs::remove_file(dir.path().join(file)).unwrap();
        let db = redb::Database::create(dir.path().join(file)).unwrap();
        let tx = db.begin_write().unwrap();
        tx.open_table(redb::TableDefinition::<u64, u64>::new("theirs"))
            .unwrap()
            .insert(1, 1)
            .unwrap();
        tx.commit().unwrap();
        drop(db);
        let (_, words) = refused(dir.path(), options(dir.path()));
        assert!(words.contains(file), "{words}");
    }
}

#[test]
fn an_empty_database_in_the_place_of_the_log_or_its_keys_is_refused() {
    for file in ["log.redb", "keys.redb"] {
        for note in ["with", "without"] {
            let dir = filled();
            fs::remove_file(dir.path().join(file)).unwrap();
            drop(redb::Database::create(dir.path().join(file)).unwrap());
            if note == "without" {
                fs::remove_file(dir.path().join("head")).unwrap();
            }
            let (_, words) = refused(dir.path(), options(dir.path()));
            assert!(words.contains(file), "{words}");
        }
    }
}

#[test]
fn a_file_that_is_missing_beside_another_is_not_made_anew() {
    for (file, beside) in [("keys.redb", "log.redb"), ("log.redb", "keys.redb")] {
        let dir = filled();
        fs::remove_file(dir.path().join(file)).unwrap();
        let (error, words) = refused(dir.path(), options(dir.path()));
        assert!(matches!(error, Error::Missing { .. }), "{words}");
        assert!(words.contains(file) && words.contains(beside), "{words}");
        assert!(words.contains("restore a backup"), "{words}");
        assert!(!dir.path().join(file).exists(), "and it still is not there");
    }
    // what is left of a log that is gone
    for left in ["head", "vault.redb"] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(left), "left").unwrap();
        let (error, words) = refused(dir.path(), options(dir.path()));
        assert!(matches!(error, Error::Missing { .. }) && words.contains(left), "{words}");
    }
}

#[test]
fn the_key_file_of_another_log_or_of_an_earlier_day_is_refused() {
    let (dir, other) = (filled(), tempfile::tempdir().unwrap());
    let key = KeyPlace::Given(ProjectKey::from_bytes([8; 32]));
    let log = Log::open(OpenOptions::new(other.path(), "sales").keys(key)).unwrap();
    let new = (1..=9).map(|n| event(n).with_payload(vec![1])).collect();
    log.append_blocking(NOW, exactly(run(1), 0, new)).unwrap();
    drop(log);
    let whole = fs::read(dir.path().join("keys.redb")).unwrap();
    fs::copy(other.path().join("keys.redb"), dir.path().join("keys.redb")).unwrap();
    let (error, words) = refused(dir.path(), options(dir.path()));
    assert!(matches!(error, Error::ForeignKeys { .. }), "{words}");
    assert!(words.contains("keys.redb") && words.contains("restore a backup"), "{words}");

    // one from before the last keys were made would give their numbers out again
    fs::write(dir.path().join("keys.redb"), &whole).unwrap();
    let log = Log::open(options(dir.path())).unwrap();
    for n in 100..180 {
        let new = vec![event(n).with_payload(vec![1])];
        log.append_blocking(NOW, exactly(run(n), 0, new)).unwrap();
    }
    drop(log);
    fs::write(dir.path().join("keys.redb"), whole).unwrap();
    let (error, words) = refused(dir.path(), options(dir.path()));
    assert!(matches!(error, Error::ForeignKeys { .. }), "{words}");
}

#[test]
fn a_newer_format_and_another_project_are_refused_without_a_touch() {
    let dir = filled();
    let (error, words) = refused(
        dir.path(),
        OpenOptions::new(dir.path(), "ops").keys(KeyPlace::Given(ProjectKey::from_bytes([7; 32]))),
    );
    assert!(matches!(error, Error::OtherProject { .. }), "{words}");
    let meta = redb::TableDefinition::<&str, &[u8]>::new("meta");
    let db = redb::Database::open(dir.path().join("log.redb")).unwrap();
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table(meta).unwrap();
        let row = table.get("log").unwrap().unwrap().value().to_vec();
        let mut newer = row[..row.len() - placet_log::check::CHECK_LEN].to_vec();
        newer[1] = 9;
        placet_log::check::seal(b"log", &mut newer);
        table.insert("log", newer.as_slice()).unwrap();
    }
    tx.commit().unwrap();
    drop(db);
    let (error, words) = refused(dir.path(), options(dir.path()));
    assert!(matches!(error, Error::Format { found: 9, known: 2, .. }), "{words}");
    assert!(words.contains("newer engine") && words.contains("log.redb"), "{words}");
}

#[test]
fn a_tampered_record_in_the_tail_is_refused_with_its_position_and_without_a_touch() {
    let dir = filled();
    let events = redb::TableDefinition::<u64, &[u8]>::new("events");
    let db = redb::Database::open(dir.path().join("log.redb")).unwrap();
    let tx = db.begin_write().unwrap();
    {
        let mut table = tx.open_table(events).unwrap();
        let mut row = table.get(40).unwrap().unwrap().value().to_vec();
        row[100] ^= 1;
        table.insert(40, row.as_slice()).unwrap();
    }
    tx.commit().unwrap();
    drop(db);
    let (error, words) = refused(dir.path(), options(dir.path()));
    assert!(matches!(error, Error::Damaged { position, .. } if position.get() == 40), "{words}");
}
