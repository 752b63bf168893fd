//! A new master key: where it comes from, that it takes every record along, and what it leaves behind.
//! That `kill -9` may come at any step of it is shown with the whole program (`vault_key`).
//!
//! covers: S13.

use crate::support::{Install, fields, integration, read};
use placet_adapters::SecretText;
use placet_adapters::oauth::{KeptGrant, Renews};
use placet_model::{Actor, Timestamp};
use placet_vault::{Error, KekSource, KeySupply, Rotated, Step, Vault};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

const COUNT: u128 = 150;

fn grant(generation: u64) -> KeptGrant {
    KeptGrant {
        generation,
        access_field: "access_token".to_owned(),
        access: SecretText::new(format!("access {generation}")),
        renews: Renews::By(SecretText::new("refresh")),
        settings: json!({}),
        issued_at: Timestamp::from_millis(1),
        expires_at: None,
        asking_since: None,
        over: None,
    }
}

fn fill(vault: &Vault) {
    for n in 1..=COUNT {
        vault.store(integration(n), 1, &fields([("api_key", &format!("secret {n}"))])).unwrap();
    }
    let granted = fields([("client_id", "app")]);
    vault.store_granted(integration(1), 2, (&granted, &grant(0))).unwrap();
}

fn all_open(vault: &Vault) {
    for n in 1..=COUNT {
        assert_eq!(read(vault, (integration(n), 1, "api_key")), format!("secret {n}"));
    }
    assert_eq!(vault.grant(integration(1), 2).unwrap(), Some(grant(0)));
}

fn put_on_record(vault: &Vault, rotated: &Rotated) {
    vault.on_record(rotated.event.expect("there is something to tell")).unwrap();
}

fn key_files(install: &Install) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(install.key_dir()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_rotation_seals_every_record_by_a_new_key_and_keeps_the_old_one_for_backups() {
    let install = Install::new();
    let vault = install.open();
    fill(&vault);
    let before = vault.sealing().unwrap();
    let records = u64::try_from(COUNT).unwrap() + 2;
    assert_eq!(before.records, [(before.key, records)].into());
    let old = install.dir_copy("before");
    let mut steps = vec![];
    let rotated = vault.rotate(&Actor::Engine, &mut |step| steps.push(step)).unwrap();
    let after = vault.sealing().unwrap();
    assert_ne!(after.key, before.key);
    assert_eq!((rotated.key, rotated.moved, rotated.stuck), (after.key, records, vec![]));
    assert_eq!((rotated.from, rotated.asked_by), (vec![before.key], None));
    assert_eq!(after.records, [(after.key, records)].into());
    assert_eq!(steps.first(), Some(&Step::Turned(after.key)));
    let part =
        |step: &&Step| matches!(step, Step::Moved { done, of } if done < of && *of == records);
    assert_eq!(steps.iter().filter(part).count(), 2, "{steps:?}");
    assert_eq!(steps.last(), Some(&Step::Packed));
    all_open(&vault);
    drop(vault);
    // also after it was opened again, and the copy from before opens with the key of before
    all_open(&install.open());
    assert_eq!(key_files(&install).len(), 2, "{:?}", key_files(&install));
    std::fs::copy(old, install.vault_file()).unwrap();
    all_open(&install.open());
}

#[test]
fn what_the_old_key_has_sealed_is_gone_from_the_file() {
    let install = Install::new();
    let vault = install.open();
    fill(&vault);
    drop(vault);
    let old = install.raw_row((integration(7), 1, "api_key"));
    let holds = || {
        let bytes = std::fs::read(install.vault_file()).unwrap();
        bytes.windows(old.len()).any(|window| window == old)
    };
    assert!(holds(), "the search finds what is there");
    install.open().rotate(&Actor::Engine, &mut |_| {}).unwrap();
    assert!(!holds());
}

#[test]
fn who_reads_and_stores_while_keys_change_is_not_disturbed() {
    let install = Install::new();
    let vault = install.open();
    fill(&vault);
    // a thread may begin long after it was made: no key changes before all are at it
    let (begun, is_over) = (Barrier::new(3), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            all_open_but_grant(&vault);
            begun.wait();
            while !is_over.load(Ordering::Relaxed) {
                all_open_but_grant(&vault);
            }
        });
        scope.spawn(|| {
            let store = |stored: u64| {
                vault.keep_grant((integration(1), 2), stored, &grant(stored + 1)).unwrap();
                let version = u32::try_from(stored + 1).unwrap();
                vault.store(integration(9000), version, &fields([("api_key", "new")])).unwrap();
            };
            store(0);
            begun.wait();
            for stored in (1..).take_while(|_| !is_over.load(Ordering::Relaxed)) {
                store(stored);
            }
        });
        begun.wait();
        for _ in 0..5 {
            put_on_record(&vault, &vault.rotate(&Actor::Engine, &mut |_| {}).unwrap());
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let sealing = vault.sealing().unwrap();
    assert!(!sealing.is_under_way(), "{sealing:?}");
    assert_eq!(sealing.records.len(), 1, "nothing was sealed by a key of before: {sealing:?}");
    assert_eq!(key_files(&install).len(), 6);
}

fn all_open_but_grant(vault: &Vault) {
    for n in 1..=COUNT {
        assert_eq!(read(vault, (integration(n), 1, "api_key")), format!("secret {n}"));
    }
}

#[test]
fn a_record_whose_key_is_lost_is_named_stays_as_it_is_and_holds_up_no_other() {
    let install = Install::new();
    let at = (integration(3), 1, "api_key");
    fill(&install.open());
    let mut record = install.raw_row(at);
    record[3] ^= 1;
    install.put_raw_row(at, &record);
    let vault = install.open();
    let rotated = vault.rotate(&Actor::Engine, &mut |_| {}).unwrap();
    assert_eq!(rotated.moved, u64::try_from(COUNT).unwrap() + 1);
    put_on_record(&vault, &rotated);
    assert_eq!(rotated.stuck.len(), 1);
    assert!(rotated.stuck[0].contains(&integration(3).to_string()), "{:?}", rotated.stuck);
    let sealing = vault.sealing().unwrap();
    assert_eq!((sealing.out_of_reach.len(), sealing.is_under_way()), (1, false));
    drop(vault);
    assert_eq!(install.raw_row(at), record);
}

fn supplied(install: &Install, supply: KeySupply) -> KekSource {
    KekSource::Outside { directory: install.key_dir(), supply }
}

fn text(install: &Install, key: &str, old: Option<&str>) -> KekSource {
    let (key, old) = (SecretText::new(key), old.map(SecretText::new));
    supplied(install, KeySupply::Text { key, old })
}

#[test]
fn a_key_from_the_environment_leaves_no_file_and_is_rotated_by_giving_the_next_one() {
    let install = Install::new();
    let (one, two) = ("1f".repeat(32), format!("placet-vault-key-v1 {}\n", "2e".repeat(32)));
    let open = |key: &str, old: Option<&str>| install.try_open_with(text(&install, key, old));
    let vault = open(&one, None).unwrap();
    fill(&vault);
    let refused = vault.rotate(&Actor::Engine, &mut |_| {}).unwrap_err();
    assert!(matches!(refused, Error::NoNewKey { .. }), "{refused}");
    drop(vault);
    assert!(matches!(open(&two, None), Err(Error::KeyFileWrong { .. })));
    let vault = open(&two, Some(&one)).unwrap();
    all_open(&vault);
    let before = vault.sealing().unwrap();
    assert!(!before.is_under_way(), "another key in the environment does not rotate by itself");
    assert_ne!(vault.rotate(&Actor::Engine, &mut |_| {}).unwrap().key, before.key);
    drop(vault);
    all_open(&open(&two, None).unwrap());
    assert!(matches!(open(&one, None), Err(Error::KeyFileWrong { .. })));
    assert_eq!(key_files(&install), Vec::<PathBuf>::new());
    for (spoiled, names) in [("", "environment"), ("1f", "environment"), (&one[1..], "64")] {
        let refused = open(spoiled, None).unwrap_err();
        assert!(matches!(refused, Error::KeyTextMalformed { .. }), "{refused}");
        assert!(refused.to_string().contains(names) && !refused.to_string().contains("1f1f"));
    }
}

#[test]
fn a_vault_goes_from_our_own_key_file_to_a_key_file_of_the_operator() {
    let install = Install::new();
    fill(&install.open());
    let secrets = tempfile::tempdir().unwrap();
    let path = secrets.path().join("credential");
    let file = |path: &PathBuf| {
        install.try_open_with(supplied(&install, KeySupply::File { path: path.clone(), old: None }))
    };
    assert!(matches!(file(&path), Err(Error::KeyFileMissing { .. })), "it is never made");
    let inside = install.data_dir().join("credential");
    for path in [&path, &inside] {
        std::fs::write(path, format!("placet-vault-key-v1 {}\n", "3d".repeat(32))).unwrap();
        private(path);
    }
    let refused = file(&inside).map(|vault| vault.rotate(&Actor::Engine, &mut |_| {}));
    assert!(matches!(refused, Err(Error::KeyDirInsideData { .. })), "{refused:?}");
    // what our own file has sealed opens until it is rotated
    let vault = file(&path).unwrap();
    all_open(&vault);
    vault.rotate(&Actor::Engine, &mut |_| {}).unwrap();
    drop(vault);
    std::fs::remove_file(install.key_file()).unwrap();
    all_open(&file(&path).unwrap());
}

fn private(path: &std::path::Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

fn somebody() -> Actor {
    Actor::Principal("ana".parse().unwrap())
}

/// A rotation that stops where `is_here` says so, as a killed process does: nothing after that is done.
fn stopped(install: &Install, is_here: impl Fn(Step) -> bool) {
    let vault = install.open();
    let stop = std::panic::AssertUnwindSafe(|| {
        vault.rotate(&somebody(), &mut |step| assert!(!is_here(step), "stopped"))
    });
    assert!(std::panic::catch_unwind(stop).is_err(), "it was not stopped");
}

#[test]
fn a_rotation_is_kept_in_mind_wherever_it_stops_until_it_is_on_record_and_then_no_more() {
    let records = u64::try_from(COUNT).unwrap() + 2;
    let stops: [fn(Step) -> bool; 3] = [
        |step| matches!(step, Step::Moved { done, .. } if done < 80),
        |step| matches!(step, Step::Moved { done, of } if done == of),
        |step| step == Step::Packed,
    ];
    for is_here in stops {
        let install = Install::new();
        fill(&install.open());
        let before = install.open().sealing().unwrap().key;
        stopped(&install, is_here);
        let vault = install.open();
        let sealing = vault.sealing().unwrap();
        assert!(sealing.is_unrecorded && sealing.is_under_way());
        let rotated = vault.go_on_rotating(&mut |_| {}).unwrap().expect("it was cut short");
        let event = rotated.event.expect("it is to be recorded");
        assert_eq!(rotated.asked_by.as_ref(), somebody().principal(), "whoever goes on with it");
        assert_eq!((&rotated.from, rotated.key), (&vec![before], sealing.key));
        assert_eq!((rotated.moved, &rotated.stuck), (records, &vec![]), "from its beginning on");
        // that nothing came into the log is noticed by whoever opens it next, as often as it takes
        drop(vault);
        let vault = install.open();
        assert_eq!(vault.go_on_rotating(&mut |_| {}).unwrap().as_ref(), Some(&rotated));
        assert_eq!(vault.rotate(&Actor::Engine, &mut |_| {}).unwrap(), rotated, "no key is new");
        vault.on_record(placet_model::EventId::from_bytes([9; 16])).unwrap();
        assert!(vault.sealing().unwrap().is_unrecorded, "that was another event");
        vault.on_record(event).unwrap();
        vault.on_record(event).unwrap();
        assert_eq!(vault.go_on_rotating(&mut |_| {}).unwrap(), None);
        let next = vault.rotate(&Actor::Engine, &mut |_| {}).unwrap();
        assert_eq!((next.from, next.asked_by), (vec![rotated.key], None));
        assert!(next.event.is_some_and(|next| next != event) && next.key != rotated.key);
        drop(vault);
        all_open(&install.open());
    }
}

#[test]
fn a_copy_for_a_backup_keeps_an_unrecorded_rotation_in_mind() {
    let install = Install::new();
    let vault = install.open();
    fill(&vault);
    let rotated = vault.rotate(&somebody(), &mut |_| {}).unwrap();
    drop(vault);
    let copied = install.data_dir().join("copy.redb");
    placet_vault::copy(&install.vault_file(), &copied).unwrap();
    std::fs::rename(copied, install.vault_file()).unwrap();
    assert_eq!(install.open().go_on_rotating(&mut |_| {}).unwrap(), Some(rotated));
}

#[test]
fn what_is_moved_where_nothing_was_begun_is_recorded_and_what_moves_nothing_is_not() {
    let install = Install::new();
    let at = (integration(3), 1, "api_key");
    fill(&install.open());
    let old = install.raw_row(at);
    let vault = install.open();
    let first = vault.rotate(&somebody(), &mut |_| {}).unwrap();
    put_on_record(&vault, &first);
    drop(vault);
    // as an older Placet leaves it that was killed, or a key that comes within reach again
    install.put_raw_row(at, &old);
    let vault = install.open();
    let went_on =
        vault.go_on_rotating(&mut |_| {}).unwrap().expect("a record is sealed by the old key");
    assert_eq!((went_on.moved, went_on.asked_by), (1, None));
    assert_eq!((went_on.from, went_on.key), (first.from.clone(), first.key));
    let event = went_on.event.expect("it is to be recorded");
    assert_ne!(Some(event), first.event);
    vault.on_record(event).unwrap();
    drop(vault);
    // one that opens with no key is tried at each start, which is no rotation
    let mut damaged = old;
    *damaged.last_mut().unwrap() ^= 1;
    install.put_raw_row(at, &damaged);
    let vault = install.open();
    for _ in 0..2 {
        let tried = vault.go_on_rotating(&mut |_| {}).unwrap().expect("its key is within reach");
        assert_eq!((tried.event, tried.moved, tried.stuck.len()), (None, 0, 1));
    }
}
