//! What lies in a data directory, looked at before anything is opened or made.
//!
//! A file that is missing beside another one is never made anew: that would hide a loss. Nothing in
//! here writes.

use crate::journal::JOURNAL_FILE;
use crate::storage::{KEYS_FILE, LOG_FILE};
use crate::{Error, RESTORING_FILE};
use std::io::{ErrorKind, Read as _};
use std::path::Path;

/// How every redb file begins.
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";
/// Made after the log: without one they say that it is gone.
const LATER: [&str; 5] = [KEYS_FILE, JOURNAL_FILE, "vault.redb", "head", "install"];

/// Refuses a directory that a restore has left half done.
pub(crate) fn refuse_unfinished(dir: &Path) -> Result<(), Error> {
    if is_there(&dir.join(RESTORING_FILE))? {
        return Err(Error::Unfinished { dir: dir.to_owned() });
    }
    Ok(())
}

/// Whether there is a log. Refuses a directory that has lost it.
pub(crate) fn has_log(dir: &Path) -> Result<bool, Error> {
    let log = is_there(&dir.join(LOG_FILE))?;
    for later in LATER {
        if !log && is_there(&dir.join(later))? {
            return Err(Error::Missing { file: dir.join(LOG_FILE), beside: later });
        }
    }
    Ok(log)
}

/// Refuses what is no redb file, before redb sees it.
pub(crate) fn probe(path: &Path) -> Result<(), Error> {
    let foreign = |what| Err(Error::Foreign { file: path.to_owned(), what });
    let io = |source| Error::Io { doing: "opening", path: path.to_owned(), source };
    let found = std::fs::metadata(path).map_err(io)?;
    if found.is_dir() {
        return foreign("a directory");
    }
    if found.len() == 0 {
        return foreign("empty");
    }
    let mut begins = Vec::new();
    let file = std::fs::File::open(path).map_err(io)?;
    file.take(MAGIC.len() as u64).read_to_end(&mut begins).map_err(io)?;
    if begins == MAGIC { Ok(()) } else { foreign("no database of Placet") }
}

fn is_there(path: &Path) -> Result<bool, Error> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::Io { doing: "looking for", path: path.to_owned(), source }),
    }
}
