//! After a crash: what the journal holds is put behind what redb holds durably.

use super::disk::Place;
use super::entry::{self, Entry, MAGIC};
use super::rows::put;
use super::{BLOCK, DOING, GROWTH, INSTALL_LEN, Standing};
use crate::Error;
use crate::head::Head;
use crate::storage::File;
use crate::tables::META;
use std::path::Path;

/// Puts the rows of the journal into a log that was not closed in order, in one durable commit. Returns
/// what the log's file says of its journal then.
///
/// # Errors
/// [`Error::Missing`] where the journal is gone, and every sign that it does not fit the log.
pub(crate) fn replay(
    (db, file): (&crate::storage::Db, &File),
    place: &Place,
    install_id: [u8; INSTALL_LEN],
) -> Result<Standing, Error> {
    let tx = db.begin_read().map_err(file.err(DOING))?;
    let standing = Standing::read(&tx, file)?;
    if !standing.in_use {
        return Ok(standing);
    }
    let meta = tx.open_table(META).map_err(file.err(DOING))?;
    let head = Head::read(&meta, file)?;
    drop((meta, tx));
    let Some(bytes) = place.read()? else {
        return Err(Error::Missing { file: place.path(), beside: crate::storage::LOG_FILE });
    };
    let found = Found { bytes: &bytes, path: &place.path(), install_id };
    let entries = found.entries(standing.generation, head.size)?;
    let mut tx = db.begin_write().map_err(file.err(DOING))?;
    tx.set_quick_repair(true);
    if let Some(last) = entries.last() {
        for entry in &entries {
            put(&tx, entry.rows, (&found, file))?;
        }
        let mut meta = tx.open_table(META).map_err(file.err(DOING))?;
        last.head.write(&mut meta).map_err(file.err(DOING))?;
        tracing::info!(
            from = head.size,
            to = last.head.size,
            "the log was not closed in order: its journal is put into it"
        );
    }
    let standing = Standing { in_use: false, ..standing };
    if !place.is_frozen() {
        standing.write(&tx, file)?;
    }
    tx.commit().map_err(file.err(DOING))?;
    Ok(standing)
}

/// A journal that is read.
pub(super) struct Found<'f> {
    bytes: &'f [u8],
    path: &'f Path,
    install_id: [u8; INSTALL_LEN],
}

impl<'f> Found<'f> {
    /// The entries of a generation that are not in a log of this size.
    fn entries(&self, generation: u64, size: u64) -> Result<Vec<Entry<'f>>, Error> {
        let (mut at, mut size, mut entries) = (0, size, Vec::new());
        if (self.bytes.len() as u64) < GROWTH {
            return Err(self.damaged("it is cut short"));
        }
        let rest = self.bytes.strip_prefix(&MAGIC);
        if rest.is_none() && !self.bytes.starts_with(&[0; MAGIC.len()]) {
            return Err(self.damaged("it is no journal of Placet"));
        }
        if rest.is_some_and(|rest| !rest.starts_with(&self.install_id)) {
            return Err(self.damaged("it belongs to another log"));
        }
        while let Some(entry) = self.at(at) {
            if entry.generation > generation {
                return Err(self.damaged("it is newer than log.redb, which has gone back"));
            }
            if entry.generation < generation {
                break;
            }
            at += entry.length;
            // packing the file makes durable what is journalled, too
            if entry.head.size <= size {
                continue;
            }
            if entry.first != size + 1 {
                let what = format!("after position {size} comes {}", entry.first);
                return Err(self.damaged(&what));
            }
            size = entry.head.size;
            entries.push(entry);
        }
        let behind = (at..self.bytes.len()).step_by(BLOCK).filter_map(|place| self.at(place));
        if behind.into_iter().any(|entry| entry.generation >= generation) {
            let what = format!("the entry behind position {size} is damaged");
            return Err(self.damaged(&what));
        }
        Ok(entries)
    }

    fn at(&self, place: usize) -> Option<Entry<'f>> {
        entry::decode(self.bytes.get(place..)?, self.install_id)
    }

    pub(super) fn damaged(&self, what: &str) -> Error {
        Error::DamagedIndex { what: format!("{} ({what})", self.path.display()) }
    }
}
