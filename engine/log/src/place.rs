//! Where a project was last used and how far it had come, kept beside its key: outside the data, so
//! that a copy of the data does not take it along.
//!
//! The rule, chosen so that moving a folder, a symbolic link, a container's other path, or an old
//! copy of the key directory stops nobody:
//!
//! * A log that is shorter than the one known here, or has another root at that size, is an old copy
//!   or has gone another way. A longer one that goes on from it is the same log.
//! * A log in another directory than the last one is a copy only if that directory is still there,
//!   still has this install id, and is really another one (not the same file by another path).
//!
//! What it cannot see: a copy together with its own key directory. Checkpoints that are kept
//! elsewhere show that.

use crate::whole::write_private;
use crate::{Error, ReadView, meta};
use placet_model::Digest;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// In the data directory: the install id, in clear, so that another directory can be told by it.
const INSTALL_FILE: &str = "install";

/// What is known of a log outside of its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The data directory in which it was last used.
    pub path: PathBuf,
    /// Events that it had.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Digest,
    /// The epoch that it was in: the next one has a higher number, whatever backup it begins from.
    pub epoch: u64,
}

/// The record of one log.
#[derive(Debug)]
pub(crate) struct Place {
    file: PathBuf,
    dir: PathBuf,
}

impl Place {
    pub(crate) fn new(keys: &Path, dir: &Path, install_id: [u8; 16]) -> Result<Self, Error> {
        let real = dir.canonicalize();
        let doing = "resolving the directory";
        let dir = real.map_err(|source| Error::Io { doing, path: dir.to_owned(), source })?;
        Ok(Self { file: file_in(keys, &meta::install_text(install_id)), dir })
    }

    /// Refuses an old copy, and a copy whose original is still there.
    pub(crate) fn check(&self, view: &ReadView, install_id: &str) -> Result<(), Error> {
        let Some(known) = read(&self.file)? else { return Ok(()) };
        refuse_older(&self.dir, view, &known)?;
        let there = fs::read_to_string(known.path.join(INSTALL_FILE));
        let same_project = there.is_ok_and(|id| id.trim_end() == install_id);
        if known.path != self.dir && same_project && !is_same_file(&known.path, &self.dir) {
            let (dir, original) = (self.dir.clone(), known.path);
            return Err(Error::Copied { dir, original });
        }
        Ok(())
    }

    /// Notes where the log is and how far it has come, where that has changed.
    pub(crate) fn note(&self, view: &ReadView, install_id: &str) -> Result<(), Error> {
        let install = self.dir.join(INSTALL_FILE);
        if fs::read_to_string(&install).ok().as_deref() != Some(install_id) {
            write_private(&install, install_id.as_bytes())?;
        }
        let head = view.head();
        let epoch = view.epochs()?.last().map_or(1, |epoch| epoch.number);
        let known = Known { path: self.dir.clone(), size: head.size, root: head.root, epoch };
        if read(&self.file)?.as_ref() == Some(&known) {
            return Ok(());
        }
        let text = serde_json::to_string(&known).map_err(|error| Error::Io {
            doing: "noting the place in",
            path: self.file.clone(),
            source: error.into(),
        })?;
        write_private(&self.file, text.as_bytes())
    }
}

/// What is known outside of the data of the log with this install id.
pub(crate) fn known(keys: &Path, install_id: &str) -> Result<Option<Known>, Error> {
    read(&file_in(keys, install_id))
}

pub(crate) fn refuse_older(dir: &Path, view: &ReadView, known: &Known) -> Result<(), Error> {
    let size = view.head().size;
    let older = |what| Err(Error::OldCopy { dir: dir.to_owned(), size, what });
    if known.size > size {
        return older(format!("where {} are known", known.size));
    }
    if view.root_at(known.size)? != known.root {
        return older(format!("and is not what it was at {}", known.size));
    }
    Ok(())
}

fn file_in(keys: &Path, install_id: &str) -> PathBuf {
    keys.join(format!("{install_id}.place"))
}

fn read(file: &Path) -> Result<Option<Known>, Error> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(Error::Io { doing: "reading the place in", path: file.to_owned(), source });
        }
    };
    // it only adds a warning: one that cannot be read must not keep a whole log from opening
    Ok(serde_json::from_str(&text).inspect_err(|error| warn(file, error)).ok())
}

fn warn(file: &Path, error: &serde_json::Error) {
    tracing::warn!(file = %file.display(), %error, "the note of the last place cannot be read");
}

#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id =
        |dir: &Path| fs::metadata(dir.join(crate::storage::LOG_FILE)).map(|m| (m.dev(), m.ino()));
    matches!((id(one), id(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(not(unix))]
fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}
