//! Files that are no vault, or no whole one: refused by name, and not one byte of them is changed by the look.

use crate::support::{Install, fields, integration, read};
use placet_vault::Error;
use std::fs;

fn refuse(install: &Install) -> Error {
    let file = install.vault_file();
    let before = fs::read(&file).ok();
    let error = install.try_open().expect_err("it must be refused");
    assert_eq!(fs::read(&file).ok(), before, "refusing changed nothing: {error}");
    assert!(error.to_string().contains("vault.redb"), "{error}");
    error
}

fn filled() -> Install {
    let install = Install::new();
    install.open().store(integration(1), 1, &fields([("access_token", "xoxb-1")])).unwrap();
    install
}

#[test]
fn a_truncated_vault_is_refused_by_name_at_every_length_or_is_whole() {
    let install = filled();
    let whole = fs::read(install.vault_file()).unwrap();
    std::panic::set_hook(Box::new(|_| {}));
    let mut refused = 0;
    for cut in (0..16).map(|n| n * 41).chain((0..whole.len()).step_by(whole.len() / 64)) {
        fs::write(install.vault_file(), &whole[..cut]).unwrap();
        if let Ok(vault) = install.try_open() {
            assert_eq!(read(&vault, (integration(1), 1, "access_token")), "xoxb-1");
        } else {
            refused += 1;
            fs::write(install.vault_file(), &whole[..cut]).unwrap();
            refuse(&install);
        }
    }
    drop(std::panic::take_hook());
    assert!(refused > 40, "{refused}");
}

#[test]
fn what_is_no_vault_is_refused_by_name() {
    let cases: [(&str, &[u8]); 3] =
        [("text", b"token = 1\n"), ("SQLite", b"SQLite format 3\0...."), ("an empty file", b"")];
    for (what, content) in cases {
        let install = filled();
        fs::write(install.vault_file(), content).unwrap();
        let error = refuse(&install);
        assert!(matches!(error, Error::Foreign { .. }), "{what}: {error}");
        assert_eq!(error.code(), Some("PL1002"));
    }
    let install = filled();
    fs::remove_file(install.vault_file()).unwrap();
    fs::create_dir(install.vault_file()).unwrap();
    assert!(matches!(refuse(&install), Error::Foreign { .. }));

    let install = filled();
    fs::remove_file(install.vault_file()).unwrap();
    drop(redb::Database::create(install.vault_file()).unwrap());
    refuse(&install);
}
