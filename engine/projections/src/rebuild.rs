//! Making the tables again: beside the live ones, then in their place ([`rebuild()`]); or in
//! memory, to see whether the live ones are what the log gives ([`compare()`]).
//!
//! A rebuild goes on between appends, a stretch of the log at a time. Until its last transaction,
//! which catches up and switches at once, the live tables are untouched; a rebuild that is cut
//! short leaves nothing that counts. It needs no projections in the log's own transactions, so
//! tables too damaged to be opened with can be made again: open the log without, rebuild, open it
//! with them.

use crate::projections::fold_from;
use crate::store::{self, Snapshot, Store, guarded};
use crate::table::{Generation, TableName, hex};
use crate::{Error, Past};
use placet_log::{BoxError, Log, ReadView};
use placet_model::Position;
use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};
use std::ops::ControlFlow;
use std::sync::mpsc;

/// Events folded in one of the log's transactions while appends wait: some ten milliseconds.
const STRETCH: usize = 8192;

/// What a rebuild did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilt {
    /// Events that were folded.
    pub events: u64,
    /// Position of the last one.
    pub cursor: Position,
}

/// How far a rebuild has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Events that were folded.
    pub events: u64,
    /// Position of the last event of the log: what is appended meanwhile is still to come.
    pub head: Position,
}

/// Makes all tables again from the log and puts them in the place of the live ones.
///
/// `watch` is told how far it has come before every stretch, between two appends; where it breaks
/// off, what was made so far is removed, the live tables stay as they are, and the answer is none.
///
/// # Errors
/// [`Error::Maintain`] when the log did not take them; the live tables are then unchanged.
pub fn rebuild(
    log: &Log,
    mut watch: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Option<Rebuilt>, Error> {
    maintain(log, |tx, _log| {
        store::delete(tx, Generation::Next)?;
        let mut next = Store::new(tx, Generation::Next);
        next.create()?;
        next.set_cursor(Position::START)
    })?;
    let mut events = 0;
    loop {
        if watch(Progress { events, head: log.head() }).is_break() {
            maintain(log, |tx, _log| store::delete(tx, Generation::Next))?;
            return Ok(None);
        }
        let (folded, done) = maintain(log, stretch)?;
        events += folded;
        if let Some(cursor) = done {
            return Ok(Some(Rebuilt { events, cursor }));
        }
    }
}

/// Folds a stretch; switches once the head is reached.
fn stretch(tx: &WriteTransaction, log: &Log) -> Result<(u64, Option<Position>), Error> {
    let view = log.read().map_err(|source| Error::Log { source })?;
    let mut next = Store::new(tx, Generation::Next);
    let cursor = next.cursor()?.ok_or(Error::Absent)?;
    let folded = fold_from(&mut next, &mut view.events(cursor.next()).take(STRETCH))?;
    let cursor = cursor.plus(folded);
    if cursor < view.head().position() {
        return Ok((folded, None));
    }
    drop(next);
    store::switch(tx)?;
    Ok((folded, Some(cursor)))
}

/// Runs `work` in a transaction of the log, and hands out what it returns.
fn maintain<T: Send + Sync + 'static>(
    log: &Log,
    work: impl FnOnce(&WriteTransaction, &Log) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let handle = log.clone();
    log.maintain(move |tx| {
        let result = work(tx, &handle)?;
        sender.send(result).map_err(BoxError::from)
    })
    .map_err(|source| Error::Maintain { source })?;
    Ok(receiver.recv().expect("work that succeeds has sent its result"))
}

/// Where live tables and log differ.
#[derive(Debug, thiserror::Error)]
pub enum Difference {
    /// A row is not what the log gives.
    #[error("the row {key} of {table} is not what the log gives")]
    Row {
        /// The table.
        table: &'static str,
        /// The key, in hex.
        key: String,
    },
    /// A row is there that the log does not give.
    #[error("the row {key} of {table} is not in the log's own")]
    Extra {
        /// The table.
        table: &'static str,
        /// The key, in hex.
        key: String,
    },
    /// A row is not there that the log gives.
    #[error("{table} lacks the row {key} that the log gives")]
    Lacking {
        /// The table.
        table: &'static str,
        /// The key, in hex.
        key: String,
    },
    /// The two could not be compared.
    #[error("the projections could not be compared with the log")]
    Unreadable {
        /// Why.
        #[from]
        source: Error,
    },
}

/// Replays the log into memory and compares it with the live tables, byte for byte. Writes nothing.
///
/// # Errors
/// The first [`Difference`], in the order of tables and keys.
pub fn compare(view: &ReadView) -> Result<(), Difference> {
    let mut found = None;
    guarded(|| {
        found = replay_and_compare(view)?;
        Ok(())
    })?;
    found.map_or(Ok(()), Err)
}

fn replay_and_compare(view: &ReadView) -> Result<Option<Difference>, Error> {
    let (fresh, live) = (Past::replay(view, view.head().position())?, view.transaction());
    for table in TableName::ALL {
        if let Some(difference) = difference(fresh.snapshot(), Snapshot::new(live), table)? {
            return Ok(Some(difference));
        }
    }
    Ok(None)
}

fn difference(
    fresh: Snapshot<'_>,
    live: Snapshot<'_>,
    name: TableName,
) -> Result<Option<Difference>, Error> {
    let (err, table) = (name.err("comparing"), name.live());
    let (fresh, live) = (fresh.open(name)?, live.open(name)?);
    let mut live = live.raw().iter().map_err(name.err("comparing"))?;
    let mut fresh = fresh.raw().iter().map_err(name.err("comparing"))?;
    loop {
        let theirs = live.next().transpose().map_err(&err)?;
        let ours = fresh.next().transpose().map_err(&err)?;
        let (theirs, ours) = match (theirs, ours) {
            (None, None) => return Ok(None),
            (Some((key, _)), None) => {
                return Ok(Some(Difference::Extra { table, key: hex(key.value()) }));
            }
            (None, Some((key, _))) => {
                return Ok(Some(Difference::Lacking { table, key: hex(key.value()) }));
            }
            (Some(theirs), Some(ours)) => (theirs, ours),
        };
        let (there, key) = (theirs.0.value(), ours.0.value());
        if there < key {
            return Ok(Some(Difference::Extra { table, key: hex(there) }));
        }
        if there > key {
            return Ok(Some(Difference::Lacking { table, key: hex(key) }));
        }
        if theirs.1.value() != ours.1.value() {
            return Ok(Some(Difference::Row { table, key: hex(key) }));
        }
    }
}

/// How the live tables stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Position of the last event that they hold.
    pub cursor: Position,
    /// Position of the last event of the log.
    pub head: Position,
    /// Each table with its number of rows.
    pub tables: Vec<(&'static str, u64)>,
}

/// How the live tables stand, also when they are behind the log.
///
/// # Errors
/// [`Error::Absent`] when the log never had projections, or a damaged cursor.
pub fn status(view: &ReadView) -> Result<Status, Error> {
    guarded(|| {
        let snapshot = Snapshot::new(view.transaction());
        let tables = TableName::ALL.into_iter().map(|name| {
            let rows = snapshot.open(name)?.raw().len().map_err(name.err("counting"))?;
            Ok((name.live(), rows))
        });
        Ok(Status {
            cursor: snapshot.cursor()?,
            head: view.head().position(),
            tables: tables.collect::<Result<_, Error>>()?,
        })
    })
}
