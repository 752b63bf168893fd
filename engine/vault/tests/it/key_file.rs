//! The key file: made once, private, outside the data, and never replaced by another unnoticed.

use crate::support::{Install, fields, integration, read};
use placet_vault::{Error, Kek, KekSource};

fn with_a_credential() -> Install {
    let install = Install::new();
    install.open().store(integration(1), 1, &fields([("access_token", "xoxb")])).unwrap();
    install
}

#[test]
fn a_new_vault_makes_its_key_outside_the_data_and_only_for_its_owner() {
    let install = Install::new();
    drop(install.open());
    let key = std::fs::read_to_string(install.key_file()).unwrap();
    let digits = key.strip_prefix("placet-vault-key-v1 ").unwrap().strip_suffix('\n').unwrap();
    assert_eq!(digits.len(), 64);
    let data = std::fs::read(install.vault_file()).unwrap();
    assert!(!data.windows(64).any(|window| window == digits.as_bytes()));
    #[cfg(unix)]
    for path in [install.key_file(), install.vault_file(), install.key_dir()] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
}

#[test]
#[cfg(unix)]
fn a_key_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let install = with_a_credential();
    let chmod = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(install.key_file(), permissions).unwrap();
    };
    for mode in [0o640, 0o604, 0o620, 0o644] {
        chmod(mode);
        let refused = install.try_open().unwrap_err();
        assert!(matches!(refused, Error::KeyFileExposed { mode: told, .. } if told == mode));
        assert!(refused.to_string().contains("run chmod 600"), "{refused}");
    }
    chmod(0o400);
    assert_eq!(read(&install.open(), (integration(1), 1, "access_token")), "xoxb");
}

#[test]
fn a_missing_key_file_is_named_and_not_made_anew_while_there_are_credentials() {
    let install = with_a_credential();
    let key = std::fs::read(install.key_file()).unwrap();
    std::fs::remove_file(install.key_file()).unwrap();
    let refused = install.try_open().unwrap_err();
    assert!(matches!(refused, Error::KeyFileMissing { .. }), "{refused}");
    let text = refused.to_string();
    assert!(text.contains(&install.key_file().display().to_string()), "{text}");
    assert!(text.contains("put the key file back from your backup"), "{text}");
    assert!(!install.key_file().exists());
    write_private(&install, &key);
    assert_eq!(read(&install.open(), (integration(1), 1, "access_token")), "xoxb");
}

#[test]
fn the_key_of_another_vault_is_refused() {
    let install = with_a_credential();
    let other = with_a_credential();
    write_private(&install, &std::fs::read(other.key_file()).unwrap());
    let refused = install.try_open().unwrap_err();
    assert!(matches!(refused, Error::KeyFileWrong { .. }), "{refused}");
    let given = install.try_open_with(KekSource::Given(Kek::from_bytes([9; 32]))).unwrap_err();
    assert!(matches!(given, Error::KeyFileWrong { .. }), "{given}");
}

#[test]
fn a_file_that_holds_no_key_is_refused_and_kept() {
    let install = with_a_credential();
    let key = std::fs::read(install.key_file()).unwrap();
    let mut other_digit = key.clone();
    other_digit[30] = b'g';
    for bytes in [&b""[..], b"placet-vault-key-v1 ", &key[..80], &other_digit, &[0xff; 300]] {
        write_private(&install, bytes);
        let refused = install.try_open().unwrap_err();
        assert!(matches!(refused, Error::KeyFileMalformed { .. }), "{refused}");
        assert_eq!(std::fs::read(install.key_file()).unwrap(), bytes);
    }
}

#[test]
fn an_empty_vault_takes_the_key_there_is() {
    let install = with_a_credential();
    let vault = install.open();
    vault.forget(integration(1)).unwrap();
    drop(vault);
    std::fs::remove_file(install.key_file()).unwrap();
    let vault = install.open();
    vault.store(integration(1), 2, &fields([("access_token", "new")])).unwrap();
    drop(vault);
    assert_eq!(read(&install.open(), (integration(1), 2, "access_token")), "new");
}

#[test]
fn a_key_made_before_a_crash_is_used_by_the_vault_made_after_it() {
    let install = Install::new();
    drop(install.open());
    let key = std::fs::read(install.key_file()).unwrap();
    std::fs::remove_file(install.vault_file()).unwrap();
    std::fs::write(install.vault_file().with_extension("redb.new"), "half a vault").unwrap();
    let vault = install.open();
    vault.store(integration(1), 1, &fields([("access_token", "xoxb")])).unwrap();
    assert_eq!(std::fs::read(install.key_file()).unwrap(), key);
}

#[test]
fn a_key_directory_inside_the_data_is_refused() {
    let install = Install::new();
    for dir in [install.data_dir(), install.data_dir().join("keys")] {
        let refused = install.try_open_with(KekSource::Directory(dir.clone())).unwrap_err();
        assert!(matches!(refused, Error::KeyDirInsideData { .. }), "{refused}");
        assert!(!dir.join("vault.key").exists());
    }
}

/// Puts a key file in place as its owner would: mode 0600 stays.
fn write_private(install: &Install, bytes: &[u8]) {
    std::fs::write(install.key_file(), bytes).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let permissions = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(install.key_file(), permissions).unwrap();
    }
}
