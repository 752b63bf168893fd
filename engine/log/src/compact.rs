//! Compaction: rewriting the files so that what was erased is in none of their pages.
//!
//! Deleting a row leaves its bytes in free pages, and in the unused ends of pages that live on. So:
//!
//! 1. `keys.redb` is copied row by row into a new file, which takes the old one's name: a destroyed
//!    key is in no page of it.
//! 2. The rows of `payloads` are copied into a fresh table, a few at a time between appends; then
//!    the table takes the old one's name.
//! 3. `log.redb` is packed: pages move to the front, the file is cut. Appends wait meanwhile; this
//!    is the pause that compaction makes. redb packs only while nobody reads, so it is tried again
//!    until a moment comes in which nobody does.
//! 4. The pages that are still free are written over with zeros, and it is packed again.
//!
//! Everything is a transaction or a rename: a kill at any moment leaves files that open, with every
//! acknowledged event in them. What is erased while it runs is for the next one to rewrite. Blocks
//! that the file system has given up, and copies that a disk keeps by itself, are out of reach.

use crate::shared::Shared;
use crate::storage::{File, Packing};
use crate::tables::{FILLER, PAYLOADS, PAYLOADS_NEW};
use crate::{AppendError, BoxError, Error, Log};
use redb::{ReadableTable, WriteTransaction};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

const DOING: &str = "compacting";
/// Bytes of payloads that are copied in one transaction, between two batches of appends.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// How long a moment without readers is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);
/// A row of this size has a page of its own.
const FILLER_BYTES: usize = 3500;
/// Pages that the tables themselves need while free pages are filled.
const FILLER_MORE: u64 = 64;

/// What compaction is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Writing the key file anew.
    Keys,
    /// So many payloads are written anew.
    Payloads(u64),
    /// Packing the log's file; appends wait.
    Packing,
    /// Writing over so many free pages.
    Clearing(u64),
}

/// What compaction came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes of both files before.
    pub before: u64,
    /// Bytes of both files after.
    pub after: u64,
    /// The longest time for which appends had to wait.
    pub paused: Duration,
}

impl Log {
    /// Rewrites both files without what was erased, while the log is in use. `progress` is told
    /// what is being done.
    ///
    /// # Errors
    /// [`Error::Busy`] when there was always somebody reading; what redb and the disk say.
    pub fn compact(&self, mut progress: impl FnMut(Step)) -> Result<Compacted, AppendError> {
        let shared = self.shared();
        let before = shared.bytes();
        progress(Step::Keys);
        shared.keyring.rewrite(shared.dir.is_some())?;
        self.copy_payloads(&mut progress)?;
        progress(Step::Packing);
        let mut paused = self.pack()?;
        let free = self.fill_free()?;
        progress(Step::Clearing(free));
        paused = paused.max(self.pack()?);
        Ok(Compacted { before, after: shared.bytes(), paused })
    }

    /// Copies the payload rows into a fresh table, which takes the place of the old one.
    fn copy_payloads(&self, progress: &mut impl FnMut(Step)) -> Result<(), AppendError> {
        let file = self.shared().db.1.clone();
        self.maintain(move |tx| {
            // one that was begun by a process that died
            tx.delete_table(PAYLOADS_NEW).map_err(file.err(DOING))?;
            tx.delete_table(FILLER).map_err(file.err(DOING))?;
            Ok(())
        })?;
        let (mut from, mut copied) = ((0, 0), 0);
        loop {
            let file = self.shared().db.1.clone();
            let (answer, answered) = mpsc::sync_channel(1);
            self.maintain(move |tx| {
                let batch = copy_batch(tx, from, &file)?;
                answer.send(batch).map_err(BoxError::from)
            })?;
            let batch = answered.recv().map_err(|_gone| stopped())?;
            copied += batch.rows;
            progress(Step::Payloads(copied));
            match batch.next {
                Some(next) => from = next,
                None => return Ok(()),
            }
        }
    }

    /// Writes over the pages that are free; returns how many there were.
    fn fill_free(&self) -> Result<u64, AppendError> {
        let (shared, (answer, answered)) = (Arc::clone(self.shared()), mpsc::sync_channel(1));
        self.maintain(move |tx| {
            let free = free_pages(tx, &shared)?;
            let mut filler = tx.open_table(FILLER).map_err(shared.db.1.err(DOING))?;
            for page in 0..free + FILLER_MORE {
                let row = [0; FILLER_BYTES];
                filler.insert(page, row.as_slice()).map_err(shared.db.1.err(DOING))?;
            }
            answer.send(free).map_err(BoxError::from)
        })?;
        let file = self.shared().db.1.clone();
        self.maintain(move |tx| {
            tx.delete_table(FILLER).map_err(file.err(DOING))?;
            Ok(())
        })?;
        answered.recv().map_err(|_gone| stopped())
    }

    /// Packs the log's file on the writer's thread; returns how long that took.
    fn pack(&self) -> Result<Duration, AppendError> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let (shared, (answer, answered)) = (Arc::clone(self.shared()), mpsc::sync_channel(1));
            let tried = Instant::now();
            self.alone(move || {
                let packed = shared.db.0.pack(&shared.db.1);
                let failed = packed.as_ref().err().map(ToString::to_string);
                drop(answer.send(packed));
                failed.map_or(Ok(()), Err)
            });
            match answered.recv().map_err(|_gone| stopped())?? {
                Packing::Done => return Ok(tried.elapsed()),
                Packing::Read => std::thread::sleep(PAUSE),
            }
        }
        Err(Error::Busy.into())
    }
}

struct Batch {
    rows: u64,
    /// Where the next batch begins; none once the new table has taken the old one's place.
    next: Option<(u64, u16)>,
}

fn copy_batch(tx: &WriteTransaction, from: (u64, u16), file: &File) -> Result<Batch, Error> {
    let (mut rows, mut bytes) = (0, 0);
    {
        let old = tx.open_table(PAYLOADS).map_err(file.err(DOING))?;
        let mut new = tx.open_table(PAYLOADS_NEW).map_err(file.err(DOING))?;
        for row in old.range(from..).map_err(file.err(DOING))? {
            let (key, value) = row.map_err(file.err(DOING))?;
            if bytes > BATCH_BYTES {
                return Ok(Batch { rows, next: Some(key.value()) });
            }
            bytes += value.value().len();
            rows += 1;
            new.insert(key.value(), value.value()).map_err(file.err(DOING))?;
        }
    }
    tx.delete_table(PAYLOADS).map_err(file.err(DOING))?;
    tx.rename_table(PAYLOADS_NEW, PAYLOADS).map_err(file.err(DOING))?;
    Ok(Batch { rows, next: None })
}

fn free_pages(tx: &WriteTransaction, shared: &Shared) -> Result<u64, Error> {
    let stats = tx.stats().map_err(shared.db.1.err(DOING))?;
    let pages = shared.log_bytes() / stats.page_size() as u64;
    Ok(pages.saturating_sub(stats.allocated_pages()))
}

fn stopped() -> AppendError {
    AppendError::CommitUnknown { reason: "the log stopped after an earlier failure".to_owned() }
}
