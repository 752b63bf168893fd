//! Opening: one engine, the right project, the right key, kept where it belongs.

use crate::support::*;
use placet_log::{Error, KeyPlace, Log, OpenOptions};
use placet_model::Position;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

fn key_file(place: &Place) -> PathBuf {
    let files = std::fs::read_dir(place.keys.path()).unwrap().map(|file| file.unwrap().path());
    files.into_iter().find(|file| file.extension().is_some_and(|end| end == "key")).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_log_is_found_again_as_it_was_left() {
    let place = Place::new();
    let log = place.open().unwrap();
    let install_id = log.install_id();
    let new = vec![event(1).with_payload(b"hello".to_vec()), event(2)];
    log.append_blocking(NOW, exactly(run(1), 0, new)).unwrap();
    let before = all(&log);
    drop(log);

    let log = place.open().unwrap();
    assert_eq!(log.install_id(), install_id);
    assert_eq!(log.head(), Position::new(2));
    assert_eq!(all(&log), before);
    let opened = log.read().unwrap().payload_at(Position::new(1), 0).unwrap();
    assert_eq!(opened.payload.as_bytes(), b"hello");
    log.append_blocking(NOW, exactly(run(1), 2, events([3]))).unwrap();
    log.read().unwrap().verify().unwrap();
}

#[test]
fn a_second_engine_on_the_same_data_is_refused() {
    let place = Place::new();
    let log = place.open().unwrap();
    let error = place.open().unwrap_err();
    assert!(matches!(&error, Error::InUse { dir } if dir == place.data.path()), "{error}");
    drop(log);
    place.open().unwrap();
}

#[test]
fn data_and_key_can_be_read_by_their_owner_only() {
    let place = Place::new();
    let data = place.data.path().join("data");
    let keys = place.keys.path().join("keys");
    let options = OpenOptions::new(&data, "sales").keys(KeyPlace::Directory(keys.clone()));
    let log = Log::open(options).unwrap();
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&keys), 0o700);
    assert_eq!(mode(&keys.join(format!("{}.key", log.install_id()))), 0o600);
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let place = Place::new();
    drop(place.open().unwrap());
    let path = key_file(&place);
    for exposed in [0o640, 0o604, 0o660] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(exposed)).unwrap();
        let error = place.open().unwrap_err();
        assert!(matches!(error, Error::KeyFileExposed { mode, .. } if mode == exposed), "{error}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    place.open().unwrap();
}

#[test]
fn a_missing_wrong_or_mangled_key_is_named_with_what_to_do() {
    let place = Place::new();
    drop(place.open().unwrap());
    let path = key_file(&place);
    let key = std::fs::read_to_string(&path).unwrap();

    std::fs::remove_file(&path).unwrap();
    let error = place.open().unwrap_err();
    assert!(matches!(&error, Error::KeyFileMissing { path: named } if *named == path), "{error}");
    assert!(error.to_string().contains("PLACET_KEY_DIR"), "{error}");

    let write = |text: &str| {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let last = key.trim_end().chars().last().unwrap();
    let other = if last == '0' { '1' } else { '0' };
    write(&format!("{}{other}\n", &key.trim_end()[..key.trim_end().len() - 1]));
    let error = place.open().unwrap_err();
    assert!(matches!(&error, Error::KeyFileWrong { path: named } if *named == path), "{error}");

    for mangled in ["", "placet-project-key-v1 abc\n", &key[1..]] {
        write(mangled);
        let error = place.open().unwrap_err();
        assert!(matches!(&error, Error::KeyFileMalformed { .. }), "{error}");
    }
    write(&key);
    place.open().unwrap();
}

#[test]
fn a_key_directory_inside_the_data_is_refused() {
    let place = Place::new();
    let keys = KeyPlace::Directory(place.data.path().join("keys"));
    let error = Log::open(OpenOptions::new(place.data.path(), "sales").keys(keys)).unwrap_err();
    assert!(matches!(error, Error::KeyDirInsideData { .. }), "{error}");
}

#[test]
fn the_log_of_another_project_is_refused() {
    let place = Place::new();
    drop(place.open().unwrap());
    let error = Log::open(place.options("ops")).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"the log belongs to project "sales", not to "ops": check the data directory"#
    );
    for bad in ["", "a b", "A", "a+b", &"x".repeat(129)] {
        assert!(matches!(Log::open(place.options(bad)), Err(Error::ProjectName { .. })), "{bad}");
    }
}

#[test]
fn two_logs_may_keep_their_keys_in_one_directory() {
    let (first, second) = (Place::new(), Place::new());
    let keys = KeyPlace::Directory(first.keys.path().to_owned());
    let open = |place: &Place| {
        Log::open(OpenOptions::new(place.data.path(), "sales").keys(keys.clone())).unwrap()
    };
    drop((open(&first), open(&second)));
    assert_ne!(open(&first).install_id(), open(&second).install_id());
}

#[test]
fn a_creation_that_was_cut_short_is_begun_anew() {
    let place = Place::new();
    std::fs::write(place.data.path().join("log.redb.new"), b"half a database").unwrap();
    std::fs::write(place.data.path().join("keys.redb.new"), b"").unwrap();
    let log = place.open().unwrap();
    assert_eq!(log.head(), Position::START);
    assert!(!place.data.path().join("log.redb.new").exists());
}

#[test]
fn a_file_that_is_no_log_is_named() {
    let place = Place::new();
    std::fs::write(place.data.path().join("log.redb"), [1; 5000]).unwrap();
    let error = place.open().unwrap_err();
    assert!(error.to_string().contains("log.redb"), "{error}");
}

#[test]
fn who_only_reads_changes_no_file() {
    let place = Place::new();
    let log = place.open().unwrap();
    let new = vec![event(1).with_payload(b"hello".to_vec())];
    log.append_blocking(NOW, exactly(run(1), 0, new)).unwrap();
    drop(log);
    let log = place.open().unwrap();
    let size = |log: &Log| log.read().unwrap().head().size;
    let before = (size(&log), std::fs::metadata(place.data.path().join("log.redb")).unwrap().len());
    log.read().unwrap().verify().unwrap();
    log.read().unwrap().payload_at(Position::new(1), 0).unwrap();
    let after = (size(&log), std::fs::metadata(place.data.path().join("log.redb")).unwrap().len());
    assert_eq!(before, after);
}
