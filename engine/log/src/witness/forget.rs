//! Forgetting: a log that was restored to an earlier state, on purpose, can never again continue what
//! its witness has seen. Whoever runs the witness may have it forget that log, says why, and the
//! witness signs that it did: what it has signed since then says nothing of what was before.
//!
//! ```text
//! record    "placet-witness-forgets-v1\n" origin "\n" size "\n" base64 root "\n" reason "\n"
//!           | "\n" | the witness's signature, with the time
//! ```
//!
//! The records of a log stand one after the other in `<origin>.forgotten`, seven lines each. The
//! first line is no origin that a checkpoint could have beside a size, so none of them passes for a
//! checkpoint. A record is on disk before the checkpoint goes; asking again finishes what a kill cut
//! short.

use super::Witness;
use crate::checkpoint::{Checkpoint, base64, decimal, digest};
use crate::note::{Note, NoteError, VerifierKey};
use crate::project_key::sync_dir;
use crate::{Error, replace_file};
use placet_model::Digest;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

const HEADER: &str = "placet-witness-forgets-v1";
const LINES: usize = 7;
/// A reason is at most this long.
pub const REASON_MAX: usize = 500;

/// What a witness was told to forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// The log.
    pub origin: String,
    /// Events of the checkpoint that it had signed last.
    pub size: u64,
    /// Its root.
    pub root: Digest,
    /// Why.
    pub reason: String,
    /// When (seconds since 1970).
    pub at: u64,
}

/// What a witness knows of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// The log.
    pub origin: String,
    /// What it has signed last; none once that is forgotten.
    pub last: Option<Checkpoint>,
    /// What it was told to forget, oldest first.
    pub forgotten: Vec<Forgotten>,
}

/// Whether this can stand in a record: one line, not empty, of at most [`REASON_MAX`] bytes.
pub fn is_reason(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= REASON_MAX && !text.chars().any(char::is_control)
}

impl Witness {
    /// Forgets what it has signed of a log, and records that it did. None where it knows no such log.
    ///
    /// # Errors
    /// A reason that is none; when its memory cannot be read or written: then nothing is forgotten.
    pub fn forget(&self, origin: &str, reason: &str, now: u64) -> Result<Option<Forgotten>, Error> {
        if !is_reason(reason) {
            return Err(NoteError::Malformed { what: "a reason is one short line" }.into());
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = self.last(origin)? else { return Ok(None) };
        let (size, root) = (last.size, last.root);
        let mut known = self.forgotten(origin)?;
        let same = |record: &Forgotten| {
            (record.size, record.root, record.reason.as_str()) == (size, root, reason)
        };
        if !known.last().is_some_and(same) {
            let text = format!("{HEADER}\n{origin}\n{size}\n{}\n{reason}\n", base64(&root));
            let note = Note::new(text.as_str(), self.key.sign(&text, now));
            let records = self.records(origin);
            let earlier = read(&records)?.unwrap_or_default();
            replace_file(&records, format!("{earlier}{note}").as_bytes())?;
            let (origin, reason) = (origin.to_owned(), reason.to_owned());
            known.push(Forgotten { origin, size, root, reason, at: now });
        }
        let path = self.file(origin);
        let io = |source| Error::Io { doing: "removing", path: path.clone(), source };
        fs::remove_file(&path).map_err(io)?;
        sync_dir(Some(&self.dir))?;
        Ok(known.pop())
    }

    /// What it was told to forget of a log, oldest first; each record is checked.
    ///
    /// # Errors
    /// When a record cannot be read, or the witness has not signed it.
    pub fn forgotten(&self, origin: &str) -> Result<Vec<Forgotten>, Error> {
        let records = parse(&read(&self.records(origin))?.unwrap_or_default(), self.verifier())?;
        if records.iter().any(|record| record.origin != origin) {
            return Err(NoteError::Malformed { what: "a record is of another log" }.into());
        }
        Ok(records)
    }

    /// Everything that it knows, by origin.
    ///
    /// # Errors
    /// When its memory cannot be read.
    pub fn memory(&self) -> Result<Vec<Memory>, Error> {
        let io = |source| Error::Io { doing: "looking into", path: self.dir.clone(), source };
        let mut origins = std::collections::BTreeSet::new();
        for found in fs::read_dir(&self.dir).map_err(io)? {
            let path = found.map_err(io)?.path();
            let Some(text) = read(&path)? else { continue };
            match path.extension().and_then(std::ffi::OsStr::to_str) {
                Some("checkpoint") => {
                    let note: Note = text.parse()?;
                    origins.insert(note.text().parse::<Checkpoint>()?.origin);
                }
                Some("forgotten") => {
                    let records = parse(&text, self.verifier())?;
                    origins.extend(records.into_iter().map(|record| record.origin));
                }
                Some(_) | None => {}
            }
        }
        let memory = |origin: String| {
            let (last, forgotten) = (self.last(&origin)?, self.forgotten(&origin)?);
            Ok(Memory { origin, last, forgotten })
        };
        origins.into_iter().map(memory).collect()
    }

    fn records(&self, origin: &str) -> PathBuf {
        self.file(origin).with_extension("forgotten")
    }
}

/// The text of a file of the memory; none where there is none, or it is no such file.
fn read(path: &Path) -> Result<Option<String>, Error> {
    let is_ours = path.extension().is_some_and(|end| end == "checkpoint" || end == "forgotten");
    if !is_ours {
        return Ok(None);
    }
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io { doing: "reading", path: path.to_owned(), source }),
    }
}

fn parse(text: &str, key: &VerifierKey) -> Result<Vec<Forgotten>, NoteError> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    lines.chunks(LINES).map(|record| parse_one(&record.concat(), key)).collect()
}

fn parse_one(text: &str, key: &VerifierKey) -> Result<Forgotten, NoteError> {
    let no = NoteError::Malformed { what: "it is no record of something forgotten" };
    let note: Note = text.parse()?;
    let at = note.verify(key)?;
    let mut lines = note.text().lines();
    let header = lines.next();
    let (origin, size, root, reason) =
        (lines.next(), lines.next().and_then(decimal), lines.next().and_then(digest), lines.next());
    match (header, origin, size, root, reason) {
        (Some(HEADER), Some(origin), Some(size), Some(root), Some(reason)) => {
            let (origin, reason) = (origin.to_owned(), reason.to_owned());
            Ok(Forgotten { origin, size, root, reason, at })
        }
        _ => Err(no),
    }
}
