//! Where the KEK comes from.
//!
//! Today a file or given bytes; environment, age, systemd credentials and a command hook become
//! further variants. Whatever the source, the key is never kept inside the data directory, where a
//! copy of the data would take it along.

use crate::kek::Kek;
use crate::{Error, file, key_file};
use ring::rand::SystemRandom;
use std::path::{Path, PathBuf};

/// Name of the key file in its directory.
pub const KEK_FILE: &str = "vault.key";

/// Where the KEK of a vault comes from.
#[derive(Debug)]
pub enum KekSource {
    /// The file [`KEK_FILE`] in this directory, made on first use. The directory must lie outside
    /// the data; vaults that share it share the key.
    Directory(PathBuf),
    /// This key, for tests.
    Given(Kek),
}

/// What a source gave.
#[derive(Debug)]
pub(crate) enum Found {
    Kek(Kek),
    /// There is no key file yet.
    Missing(KeyFile),
}

/// A key file by path.
#[derive(Debug)]
pub(crate) struct KeyFile(pub(crate) PathBuf);

impl KekSource {
    /// Its place for people.
    pub(crate) fn place(&self) -> PathBuf {
        match self {
            Self::Directory(dir) => dir.join(KEK_FILE),
            Self::Given(_) => PathBuf::from("(given key)"),
        }
    }

    /// The key, if it is there. `data` is the directory that must not hold it.
    pub(crate) fn find(self, data: &Path) -> Result<Found, Error> {
        let path = self.place();
        let dir = match self {
            Self::Given(kek) => return Ok(Found::Kek(kek)),
            Self::Directory(dir) => dir,
        };
        file::create_private_dir(&dir)?;
        if file::canonical(&dir)?.starts_with(file::canonical(data)?) {
            return Err(Error::KeyDirInsideData { path: dir });
        }
        Ok(match key_file::read(&path)? {
            Some(kek) => Found::Kek(kek),
            None => Found::Missing(KeyFile(path)),
        })
    }
}

impl Found {
    /// The key, made now if there is none; durable before this returns.
    pub(crate) fn or_create(self, random: &SystemRandom) -> Result<Kek, Error> {
        match self {
            Self::Kek(kek) => Ok(kek),
            Self::Missing(KeyFile(path)) => {
                let kek = Kek::random(random)?;
                key_file::create(&path, &kek)?;
                Ok(kek)
            }
        }
    }
}
