//! Whose content it is: an index from a person's pseudonym to the streams that hold their data.
//!
//! A pseudonym is HMAC-SHA256(key derived from the project key, normalised value): without the
//! project key nobody can guess it from an address. Rows are written in the transaction of the
//! append that brings the content (so they are in every backup and outlive every rebuild of
//! projections), and deleted with the content. The index never holds a value in the clear.

use crate::Error;
use crate::envelope::{stream_key, stream_of};
use crate::erase::Erasable;
use crate::journal::{Rows, Which};
use crate::project_key::ProjectKey;
use crate::read::ReadView;
use crate::storage::File;
use crate::tables::{SUBJECTS, SUBJECTS_OF};
use placet_model::{Digest, Position, StreamId};
use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};
use ring::hmac;

const DOING: &str = "indexing subjects";

/// At most this many subjects of one append are indexed.
pub const SUBJECTS_MAX: usize = 256;

/// Makes pseudonyms.
pub(crate) struct Pseudonyms(hmac::Key);

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pseudonyms(…)")
    }
}

impl Pseudonyms {
    pub(crate) fn new(project_key: &ProjectKey) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, project_key.as_bytes());
        let derived = hmac::sign(&root, b"placet-subject-index-v1");
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    pub(crate) fn of(&self, normalised: &str) -> Digest {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hmac::sign(&self.0, normalised.as_bytes()).as_ref());
        Digest::from_bytes(bytes)
    }
}

/// A subject of content: the stream, the place (0: all of the stream), and the pseudonym.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) stream: Vec<u8>,
    pub(crate) position: u64,
    pub(crate) pseudonym: Digest,
}

/// Adds rows; one that is there already changes nothing.
pub(crate) fn insert(
    tx: &WriteTransaction,
    rows: &[Row],
    (file, journal): (&File, &mut Rows),
) -> Result<(), Error> {
    let mut subjects = tx.open_table(SUBJECTS).map_err(file.err(DOING))?;
    let mut of = tx.open_table(SUBJECTS_OF).map_err(file.err(DOING))?;
    for Row { stream, position, pseudonym } in rows {
        let pseudonym = pseudonym.as_bytes();
        let (one, other) =
            ((pseudonym, stream.as_slice(), *position), (stream.as_slice(), *position, pseudonym));
        journal.insert((&mut subjects, Which::Subjects), &one, &()).map_err(file.err(DOING))?;
        journal.insert((&mut of, Which::SubjectsOf), &other, &()).map_err(file.err(DOING))?;
    }
    Ok(())
}

/// Forgets the subjects of a stream, or of one event in it.
pub(crate) fn forget(
    tx: &WriteTransaction,
    (stream, position): (&[u8], Option<u64>),
    file: &File,
) -> Result<(), Error> {
    let mut subjects = tx.open_table(SUBJECTS).map_err(file.err(DOING))?;
    let mut of = tx.open_table(SUBJECTS_OF).map_err(file.err(DOING))?;
    let (first, last) = position.map_or((0, u64::MAX), |position| (position, position));
    let mut rows = Vec::new();
    let range = (stream, first, &[0; 32])..=(stream, last, &[0xff; 32]);
    for row in of.range(range).map_err(file.err(DOING))? {
        let key = row.map_err(file.err(DOING))?.0;
        let (_, position, pseudonym) = key.value();
        rows.push((position, *pseudonym));
    }
    for (position, pseudonym) in rows {
        of.remove((stream, position, &pseudonym)).map_err(file.err(DOING))?;
        subjects.remove((&pseudonym, stream, position)).map_err(file.err(DOING))?;
    }
    Ok(())
}

impl ReadView {
    /// What holds data of the person with this pseudonym and is not erased, in order.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn subject(&self, pseudonym: &Digest) -> Result<Vec<Erasable>, Error> {
        self.guarded(|| {
            let Some(table) = self.open_if_made(SUBJECTS)? else { return Ok(vec![]) };
            let mut found = Vec::new();
            let key = pseudonym.as_bytes();
            for row in table.range((key, &[][..], 0)..).map_err(self.err())? {
                let row = row.map_err(self.err())?.0;
                let (of, stream, position) = row.value();
                if of != key {
                    break;
                }
                let stream = stream_of(stream)
                    .ok_or_else(|| self.shared.db.1.damaged("a stream's name in subjects"))?;
                found.push(match (stream, position) {
                    (StreamId::Events, position) => Erasable::Arrival(Position::new(position)),
                    (stream, _) => Erasable::Stream(stream),
                });
            }
            found.sort();
            found.dedup();
            Ok(found)
        })
    }

    /// Both directions of the index must say the same.
    pub(crate) fn check_subjects(&self) -> Result<(), Error> {
        self.guarded(|| {
            let tables = (self.open_if_made(SUBJECTS)?, self.open_if_made(SUBJECTS_OF)?);
            let (Some(subjects), Some(of)) = tables else { return Ok(()) };
            let damaged = || Error::DamagedIndex { what: "index of subjects".to_owned() };
            if subjects.len().map_err(self.err())? != of.len().map_err(self.err())? {
                return Err(damaged());
            }
            for row in of.iter().map_err(self.err())? {
                let row = row.map_err(self.err())?.0;
                let (stream, position, pseudonym) = row.value();
                let other = subjects.get((pseudonym, stream, position)).map_err(self.err())?;
                other.ok_or_else(damaged)?;
            }
            Ok(())
        })
    }
}

/// Where the subjects of an append to `stream` at `first` are put.
pub(crate) fn rows(stream: &StreamId, first: Position, subjects: Vec<Digest>) -> Vec<Row> {
    let position = if *stream == StreamId::Events { first.get() } else { 0 };
    let row = |pseudonym| Row { stream: stream_key(stream), position, pseudonym };
    subjects.into_iter().map(row).collect()
}
