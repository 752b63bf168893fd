//! What a backup of a project is made of: log and keys, the vault, and what says how its time runs.
//!
//! Not in it, ever: the key directory. Whoever keeps backup and keys in one place has taken the locks
//! off the content.

use placet_log::{Backup, Log, Manifest};
use placet_model::Timestamp;
use placet_vault::Vault;
use std::path::{Path, PathBuf};

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log could not be copied.
    #[error("the log cannot be backed up")]
    Log(#[from] placet_log::Error),
    /// The vault could not be copied.
    #[error("the vault cannot be backed up")]
    Vault(#[from] placet_vault::Error),
    /// Another file could not be copied.
    #[error("{} cannot be backed up", file.display())]
    Copy {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The vault, in the data directory.
pub const VAULT_FILE: &str = "vault.redb";
/// Small files of the data that a restored project needs.
const ALONG: [&str; 1] = ["clock"];

/// Copies a project, as it is now, into a directory that is absent or empty; it goes on meanwhile.
/// The vault is the open one, or the file of the data when nobody has it open.
///
/// # Errors
/// What the files say; the directory is then no backup.
pub fn make(
    log: &Log,
    (data, vault): (&Path, Option<&Vault>),
    dir: &Path,
    told: &mut dyn FnMut(&str),
) -> Result<Manifest, Error> {
    let made_at = now();
    let backup = log.backup(dir, told)?;
    add_vault(&backup, (data, vault), told)?;
    for name in ALONG {
        let file = data.join(name);
        match std::fs::copy(&file, dir.join(name)) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::Copy { file, source });
            }
            Ok(_) | Err(_) => {}
        }
    }
    told("manifest.json");
    Ok(backup.finish(env!("CARGO_PKG_VERSION"), made_at)?)
}

fn add_vault(
    backup: &Backup,
    (data, vault): (&Path, Option<&Vault>),
    told: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let (from, to) = (data.join(VAULT_FILE), backup.dir().join(VAULT_FILE));
    match vault {
        Some(vault) => {
            told("vault.redb: sealed credentials");
            vault.copy_to(&to)?;
        }
        None if from.exists() => {
            told("vault.redb: sealed credentials");
            placet_vault::copy(&from, &to)?;
        }
        None => {}
    }
    Ok(())
}

fn now() -> Timestamp {
    crate::Clock::System.now()
}
