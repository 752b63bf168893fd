//! Where the KEK comes from: a file that we make, or what the operator gives from outside (a file, the
//! environment, a command that asks a KMS). Whatever the source, the key is never kept inside the data
//! directory, where a copy of the data would take it along.

use crate::kek::Kek;
use crate::key_command::KeyCommand;
use placet_adapters::SecretText;
use std::path::PathBuf;

/// Name of the first key file in its directory; later ones are called `vault-ID.key`.
pub const KEK_FILE: &str = "vault.key";

/// Where the KEK of a vault comes from.
#[derive(Debug)]
pub enum KekSource {
    /// Files in this directory, made on first use and by rotations. The directory must lie outside
    /// the data; vaults that share it share the first key.
    Directory(PathBuf),
    /// From outside of what Placet keeps. Keys of before are looked for in the directory as well, so
    /// that a rotation leads from there to here.
    Outside {
        /// The key directory.
        directory: PathBuf,
        /// What gives the keys.
        supply: KeySupply,
    },
    /// This key, for tests.
    Given(Kek),
}

/// What gives keys from outside.
#[derive(Debug)]
pub enum KeySupply {
    /// Texts as they stand in a key file, or 64 hexadecimal digits.
    Text {
        /// The one that seals.
        key: SecretText,
        /// The one of before, while a rotation leads away from it.
        old: Option<SecretText>,
    },
    /// Key files that somebody else makes (a secrets manager, systemd credentials).
    File {
        /// The one that seals.
        path: PathBuf,
        /// The one of before, while a rotation leads away from it.
        old: Option<PathBuf>,
    },
    /// A command that wraps and unwraps keys; what it wrapped is kept in the directory.
    Command(KeyCommand),
}
