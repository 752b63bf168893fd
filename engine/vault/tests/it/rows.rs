//! Rows that were moved, copied, swapped or flipped in the file never open.

use crate::support::{Install, RowKey, fields, integration, read};
use placet_vault::{Error, Kek, KekSource, Vault, VaultOptions};

fn two_integrations() -> Install {
    let install = Install::new();
    let vault = install.open();
    for n in 1..=2 {
        for version in 1..=2 {
            let text = format!("secret {n} {version}");
            let credential = fields([("access_token", &text), ("refresh_token", "r")]);
            vault.store(integration(n), version, &credential).unwrap();
        }
    }
    drop(vault);
    install
}

#[test]
fn a_row_moved_to_another_integration_version_or_field_does_not_open() {
    let install = two_integrations();
    let from: RowKey = (integration(1), 1, "access_token");
    let record = install.raw_row(from);
    let elsewhere: [RowKey; 4] = [
        (integration(2), 1, "access_token"),
        (integration(1), 2, "access_token"),
        (integration(1), 1, "refresh_token"),
        (integration(1), 1, "never_stored"),
    ];
    for to in elsewhere {
        install.put_raw_row(to, &record);
        let vault = install.open();
        let refused = vault.secret(to.0, to.1, to.2).unwrap_err();
        assert!(matches!(refused, Error::RowRefused { .. }), "{to:?}: {refused}");
        assert_eq!(read(&vault, from), "secret 1 1", "it still opens where it belongs");
    }
}

#[test]
fn no_byte_of_a_stored_row_can_be_flipped_and_one_spoiled_row_spoils_no_other() {
    let install = two_integrations();
    let at: RowKey = (integration(1), 1, "access_token");
    let record = install.raw_row(at);
    for index in 0..record.len() {
        let mut flipped = record.clone();
        flipped[index] ^= 0x80;
        install.put_raw_row(at, &flipped);
        let vault = install.open();
        let refused = vault.secret(at.0, at.1, at.2).unwrap_err();
        let named = match index {
            0 => matches!(refused, Error::RowFormat { .. }),
            1..=8 => matches!(refused, Error::RowOfOtherKey { .. }),
            _ => matches!(refused, Error::RowRefused { .. }),
        };
        assert!(named, "byte {index}: {refused}");
        assert_eq!(read(&vault, (integration(2), 1, "access_token")), "secret 2 1");
    }
    install.put_raw_row(at, &record);
    assert_eq!(read(&install.open(), at), "secret 1 1");
}

#[test]
fn a_row_of_another_project_does_not_open_even_under_the_same_key() {
    let (sales, support) = (Install::new(), Install::new());
    let at: RowKey = (integration(1), 1, "access_token");
    let options = |install: &Install, project: &str| VaultOptions {
        file: install.vault_file(),
        key: KekSource::Given(Kek::from_bytes([5; 32])),
        project: project.to_owned(),
    };
    for (install, project) in [(&sales, "sales"), (&support, "support")] {
        let vault = Vault::open(options(install, project)).unwrap();
        vault.store(at.0, at.1, &fields([(at.2, project)])).unwrap();
    }
    support.put_raw_row(at, &sales.raw_row(at));
    let vault = Vault::open(options(&support, "support")).unwrap();
    assert!(matches!(vault.secret(at.0, at.1, at.2), Err(Error::RowRefused { .. })));
    drop(vault);
    let other = Vault::open(options(&support, "sales")).unwrap_err();
    assert!(matches!(other, Error::OtherProject { .. }), "{other}");
}

#[test]
fn an_open_vault_lets_no_second_one_in() {
    let install = Install::new();
    let _first = install.open();
    let second = install.try_open().unwrap_err();
    assert!(matches!(second, Error::InUse { .. }), "{second}");
}

#[test]
fn a_vault_in_use_is_packed_and_goes_on_meanwhile() {
    let install = Install::new();
    let vault = install.open();
    let (slack, stripe) = (integration(1), integration(2));
    let long = "x".repeat(placet_vault::FIELD_BYTES_MAX);
    vault.store(stripe, 1, &fields([("api_key", "kept")])).unwrap();
    for version in 1..=40 {
        vault.store(slack, version, &fields([("access_token", &long)])).unwrap();
    }
    vault.forget_before(slack, 40).unwrap();
    let size = || std::fs::metadata(install.vault_file()).unwrap().len();
    let before = size();
    std::thread::scope(|scope| {
        let reader =
            scope.spawn(|| (0..200).all(|_| read(&vault, (stripe, 1, "api_key")) == "kept"));
        vault.compact().unwrap();
        assert!(reader.join().unwrap(), "who reads meanwhile waits, and reads the same");
    });
    assert!(size() < before / 2, "{before} bytes before, {} after", size());
    vault.store(slack, 41, &fields([("access_token", "new")])).unwrap();
    drop(vault);
    let vault = install.open();
    assert_eq!(read(&vault, (slack, 41, "access_token")), "new");
    assert_eq!(read(&vault, (slack, 40, "access_token")), long);
}
