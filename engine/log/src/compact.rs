//! Compaction: rewriting the files so that what was erased is in none of their pages.
//!
//! Deleting a row leaves its bytes in free pages, and in the unused ends of pages that live on. So:
//!
//! 1. `keys.redb` is copied row by row into a new file, which takes the old one's name: a destroyed
//!    key is in no page of it.
//! 2. The rows of `payloads` are copied into a fresh table, a few at a time between appends; then
//!    the table takes the old one's name.
//! 3. `log.redb` is packed: pages move to the front, the file is cut. Appends wait meanwhile; this
//!    is the longest pause that compaction makes. redb packs only while nobody reads, so a moment in
//!    which nobody does is waited for.
//! 4. The pages that are still free are written over with zeros, a few at a time between appends, and
//!    it is packed again.
//! 5. The journal is emptied and written over with zeros.
//!
//! Everything is a transaction or a rename: a kill at any moment leaves files that open, with every
//! acknowledged event in them. What is erased while it runs is for the next one to rewrite. Blocks
//! that the file system has given up, and copies that a disk keeps by itself, are out of reach.

use crate::shared::Shared;
use crate::storage::{File, PATIENCE, Packing};
use crate::tables::{FILLER, PAYLOADS, PAYLOADS_NEW};
use crate::{AppendError, BoxError, Error, Log};
use redb::{ReadableTable, WriteTransaction};
use std::ops::Range;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

const DOING: &str = "compacting";
/// Bytes that are written in one transaction, between two batches of appends.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// A row of this size has a page of its own.
const FILLER_BYTES: usize = 3500;
/// Pages that are filled in one transaction.
const FILLER_BATCH: u64 = (BATCH_BYTES / FILLER_BYTES) as u64;
/// Pages more in each transaction: the tables themselves need some, and give others free.
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
        let mut paused = self.copy_payloads(&mut progress)?;
        progress(Step::Packing);
        paused = paused.max(self.pack()?);
        paused = paused.max(self.fill_free(&mut progress)?);
        paused = paused.max(self.pack()?);
        self.wipe_journal()?;
        Ok(Compacted { before, after: shared.bytes(), paused })
    }

    /// Copies the payload rows into a fresh table, which takes the place of the old one; returns the
    /// longest time for which appends had to wait.
    fn copy_payloads(&self, progress: &mut impl FnMut(Step)) -> Result<Duration, AppendError> {
        let file = self.shared().db.1.clone();
        let ((), mut paused) = self.between(move |tx| {
            // one that was begun by a process that died
            tx.delete_table(PAYLOADS_NEW).map_err(file.err(DOING))?;
            tx.delete_table(FILLER).map_err(file.err(DOING))?;
            Ok(())
        })?;
        let (mut from, mut copied) = ((0, 0), 0);
        loop {
            let file = self.shared().db.1.clone();
            let (batch, waited) = self.between(move |tx| copy_batch(tx, from, &file))?;
            paused = paused.max(waited);
            copied += batch.rows;
            progress(Step::Payloads(copied));
            match batch.next {
                Some(next) => from = next,
                None => return Ok(paused),
            }
        }
    }

    /// Writes over the pages that are free; returns the longest time for which appends had to wait.
    fn fill_free(&self, progress: &mut impl FnMut(Step)) -> Result<Duration, AppendError> {
        let shared = Arc::clone(self.shared());
        let (free, mut paused) = self.between(move |tx| free_pages(tx, &shared))?;
        progress(Step::Clearing(free));
        let (mut left, mut next) = (free, 0);
        while left > 0 {
            let file = self.shared().db.1.clone();
            let count = left.min(FILLER_BATCH);
            let rows = next..next + count + FILLER_MORE;
            (left, next) = (left - count, rows.end);
            let ((), waited) = self.between(move |tx| fill(tx, rows, &file))?;
            paused = paused.max(waited);
        }
        let file = self.shared().db.1.clone();
        let ((), waited) = self.between(move |tx| {
            tx.delete_table(FILLER).map_err(file.err(DOING))?;
            Ok(())
        })?;
        Ok(paused.max(waited))
    }

    /// Does something in a transaction between appends; returns also for how long they had to wait.
    fn between<T: Send + Sync + 'static>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, Error> + Send + 'static,
    ) -> Result<(T, Duration), AppendError> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.maintain(move |tx| {
            let began = Instant::now();
            answer.send((work(tx)?, began)).map_err(BoxError::from)
        })?;
        let (done, began) = answered.recv().map_err(|_gone| stopped())?;
        Ok((done, began.elapsed()))
    }

    /// Packs the log's file on the writer's thread; returns how long that took.
    fn pack(&self) -> Result<Duration, AppendError> {
        let until = Instant::now() + PATIENCE;
        while self.shared().db.0.wait_unread(until) {
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
                // somebody has begun to read since
                Packing::Read => {}
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

fn fill(tx: &WriteTransaction, pages: Range<u64>, file: &File) -> Result<(), Error> {
    let mut filler = tx.open_table(FILLER).map_err(file.err(DOING))?;
    let row = [0; FILLER_BYTES];
    for page in pages {
        filler.insert(page, row.as_slice()).map_err(file.err(DOING))?;
    }
    Ok(())
}

fn free_pages(tx: &WriteTransaction, shared: &Shared) -> Result<u64, Error> {
    let stats = tx.stats().map_err(shared.db.1.err(DOING))?;
    let pages = shared.log_bytes() / stats.page_size() as u64;
    Ok(pages.saturating_sub(stats.allocated_pages()))
}

fn stopped() -> AppendError {
    AppendError::CommitUnknown { reason: "the log stopped after an earlier failure".to_owned() }
}
