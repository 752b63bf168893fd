//! Erasing: in one transaction the rows of the content go, its keys are marked, and who it was about
//! is forgotten; then the keys are destroyed.
//!
//! The order, and why it survives a kill at every point:
//!
//! 1. One commit of `log.redb`: the event that says so (when the erasure comes with an append),
//!    payload rows deleted, keys marked as erased, the same keys put down in `erasing`. Before it
//!    nothing has happened; after it the content cannot be read through the log.
//! 2. The numbers are written to the tombstones, durably: a backup that comes back cannot bring
//!    the keys back.
//! 3. The keys are destroyed, in one commit of `keys.redb`.
//! 4. `erasing` is emptied.
//!
//! A kill between 1 and 4 leaves rows in `erasing`; the next open does 2 to 4 again, which is
//! harmless.
//!
//! An event from outside that was recorded before each had a key of its own shares one with its
//! neighbours: its rows are deleted and it is marked as erased, but that key stays while they need
//! it. What a backup from before holds of it can be opened until that backup is gone.
//!
//! No event is ever rewritten. Pages that held the rows are rewritten by compaction.

use crate::Error;
use crate::envelope::stream_key;
use crate::payload;
use crate::shared::Shared;
use crate::storage::{Db, File};
use crate::subjects;
use crate::tables::{APART, ERASING, PAYLOADS, PAYLOADS_NEW, STREAM_KEYS, STREAMS};
use placet_model::{DataKeyId, Position, StreamId};
use redb::{ReadableTable, ReadableTableMetadata, TableHandle, WriteTransaction};
use std::collections::BTreeSet;

const DOING: &str = "erasing payloads";

/// What can be erased by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Erasable {
    /// All content of a stream.
    Stream(StreamId),
    /// The content of one event that came from outside, by its position.
    Arrival(Position),
}

/// What an erasure removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Data keys destroyed.
    pub keys: usize,
    /// Payload rows deleted.
    pub payloads: usize,
}

/// Deletes payload rows, marks their keys and puts them down for destruction; returns how many
/// rows there were.
pub(crate) fn delete(tx: &WriteTransaction, what: &Erasable, file: &File) -> Result<usize, Error> {
    let (keys, gone) = match what {
        Erasable::Stream(stream) => delete_stream(tx, &stream_key(stream), file)?,
        Erasable::Arrival(position) => delete_arrival(tx, *position, file)?,
    };
    put_down(tx, &keys, file)?;
    Ok(gone)
}

fn delete_stream(
    tx: &WriteTransaction,
    stream: &[u8],
    file: &File,
) -> Result<(Vec<DataKeyId>, usize), Error> {
    let (mut gone, mut last) = (0, 0);
    {
        let streams = tx.open_table(STREAMS).map_err(file.err(DOING))?;
        for row in streams.range((stream, 0)..=(stream, u64::MAX)).map_err(file.err(DOING))? {
            let (first, count) = row.map_err(file.err(DOING))?.1.value();
            gone += delete_rows(tx, first..first + u64::from(count), file)?;
            last = first + u64::from(count) - 1;
        }
    }
    let mut stream_keys = tx.open_table(STREAM_KEYS).map_err(file.err(DOING))?;
    let mut keys = Vec::new();
    for row in stream_keys.range((stream, 0)..=(stream, u64::MAX)).map_err(file.err(DOING))? {
        let (key, erased_until) = row.map_err(file.err(DOING))?;
        if erased_until.value() == 0 {
            keys.push(DataKeyId(key.value().1));
        }
    }
    for key in &keys {
        stream_keys.insert((stream, key.0), last).map_err(file.err(DOING))?;
    }
    subjects::forget(tx, (stream, None), file)?;
    Ok((keys, gone))
}

fn delete_arrival(
    tx: &WriteTransaction,
    position: Position,
    file: &File,
) -> Result<(Vec<DataKeyId>, usize), Error> {
    let position = position.get();
    let mut apart = tx.open_table(APART).map_err(file.err(DOING))?;
    let row = apart.get(position).map_err(file.err(DOING))?.map(|row| row.value());
    let (key, own) = match row {
        Some((key, 0)) => (key, vec![DataKeyId(key)]),
        Some(_erased) => return Ok((vec![], 0)),
        // recorded before there were keys of their own: its neighbours need the key that it shares
        // with them, so the rows go and the key stays
        None => match shared_key(tx, position, file)? {
            Some(key) => (key.0, vec![]),
            None => return Ok((vec![], 0)),
        },
    };
    apart.insert(position, (key, 1)).map_err(file.err(DOING))?;
    let gone = delete_rows(tx, position..position + 1, file)?;
    subjects::forget(tx, (&stream_key(&StreamId::Events), Some(position)), file)?;
    Ok((own, gone))
}

/// The key that seals the content at this position; none where there is no content.
fn shared_key(
    tx: &WriteTransaction,
    position: u64,
    file: &File,
) -> Result<Option<DataKeyId>, Error> {
    let payloads = tx.open_table(PAYLOADS).map_err(file.err(DOING))?;
    let mut rows = payloads.range((position, 0)..(position + 1, 0)).map_err(file.err(DOING))?;
    let Some(row) = rows.next() else { return Ok(None) };
    let stored = row.map_err(file.err(DOING))?.1;
    let key = payload::key_of(stored.value());
    key.map(Some).ok_or_else(|| file.damaged(format!("a payload at position {position}")))
}

fn delete_rows(
    tx: &WriteTransaction,
    positions: std::ops::Range<u64>,
    file: &File,
) -> Result<usize, Error> {
    let mut payloads = tx.open_table(PAYLOADS).map_err(file.err(DOING))?;
    let before = payloads.len().map_err(file.err(DOING))?;
    let rows = (positions.start, 0)..(positions.end, 0);
    payloads.retain_in(rows.clone(), |_, _| false).map_err(file.err(DOING))?;
    let after = payloads.len().map_err(file.err(DOING))?;
    let mut tables = tx.list_tables().map_err(file.err(DOING))?;
    if tables.any(|table| table.name() == PAYLOADS_NEW.name()) {
        // compaction is copying them
        let mut copies = tx.open_table(PAYLOADS_NEW).map_err(file.err(DOING))?;
        copies.retain_in(rows, |_, _| false).map_err(file.err(DOING))?;
    }
    Ok(usize::try_from(before - after).unwrap_or(usize::MAX))
}

fn put_down(tx: &WriteTransaction, keys: &[DataKeyId], file: &File) -> Result<(), Error> {
    let mut erasing = tx.open_table(ERASING).map_err(file.err(DOING))?;
    for key in keys {
        erasing.insert(key.0, ()).map_err(file.err(DOING))?;
    }
    Ok(())
}

/// The keys that are put down for destruction.
pub(crate) fn unfinished(db: &Db, file: &File) -> Result<Vec<DataKeyId>, Error> {
    let tx = db.begin_read().map_err(file.err(DOING))?;
    let table = match tx.open_table(ERASING) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(vec![]),
        Err(error) => return Err(file.err(DOING)(error)),
    };
    let mut keys = Vec::new();
    for row in table.iter().map_err(file.err(DOING))? {
        keys.push(DataKeyId(row.map_err(file.err(DOING))?.0.value()));
    }
    Ok(keys)
}

/// These keys are destroyed: they are not put down any more.
pub(crate) fn strike_off(
    tx: &WriteTransaction,
    keys: &[DataKeyId],
    file: &File,
) -> Result<(), Error> {
    let mut erasing = tx.open_table(ERASING).map_err(file.err(DOING))?;
    for key in keys {
        erasing.remove(key.0).map_err(file.err(DOING))?;
    }
    Ok(())
}

/// While the log opens, before anybody can read: destroys again what tombstones name and a restored
/// key file has brought back, and finishes erasures that were cut short. Where no event of the log
/// says so, a new epoch does ([`ReadView::erased`](crate::ReadView::erased)). Without keys all of it
/// is left to whoever has them: a key must not go before its tombstone is written.
pub(crate) fn recover(shared: &Shared) -> Result<(), Error> {
    if shared.demand_key().is_err() {
        return Ok(());
    }
    let (db, file) = &shared.db;
    let revived = shared.keyring.revived(&shared.tombstones.keys())?;
    if !revived.is_empty() {
        tracing::warn!(
            keys = revived.len(),
            "destroyed data keys had come back: destroying them again"
        );
        let what = sealed_with(&revived, db, file)?;
        let tx = write(db, file)?;
        for what in what {
            delete(&tx, &what, file)?;
        }
        put_down(&tx, &revived.into_iter().collect::<Vec<_>>(), file)?;
        tx.commit().map_err(file.err(DOING))?;
    }
    let keys = unfinished(db, file)?;
    if keys.is_empty() {
        return Ok(());
    }
    shared.destroy(&keys)?;
    let tx = write(db, file)?;
    strike_off(&tx, &keys, file)?;
    tx.commit().map_err(file.err(DOING))
}

fn write(db: &Db, file: &File) -> Result<WriteTransaction, Error> {
    let mut tx = db.begin_write().map_err(file.err(DOING))?;
    tx.set_quick_repair(true);
    Ok(tx)
}

/// What was sealed with one of these keys and is not erased.
fn sealed_with(
    keys: &BTreeSet<DataKeyId>,
    db: &Db,
    file: &File,
) -> Result<BTreeSet<Erasable>, Error> {
    let tx = db.begin_read().map_err(file.err(DOING))?;
    let mut found = BTreeSet::new();
    let stream_keys = tx.open_table(STREAM_KEYS).map_err(file.err(DOING))?;
    for row in stream_keys.iter().map_err(file.err(DOING))? {
        let (key, erased_until) = row.map_err(file.err(DOING))?;
        let (stream, id) = key.value();
        if erased_until.value() == 0 && keys.contains(&DataKeyId(id)) {
            let stream = crate::envelope::stream_of(stream)
                .ok_or_else(|| file.damaged("a stream's name in stream_keys"))?;
            found.insert(Erasable::Stream(stream));
        }
    }
    match tx.open_table(APART) {
        Ok(apart) => {
            for row in apart.iter().map_err(file.err(DOING))? {
                let (position, row) = row.map_err(file.err(DOING))?;
                if row.value().1 == 0 && keys.contains(&DataKeyId(row.value().0)) {
                    found.insert(Erasable::Arrival(Position::new(position.value())));
                }
            }
        }
        Err(redb::TableError::TableDoesNotExist(_)) => {}
        Err(error) => return Err(file.err(DOING)(error)),
    }
    Ok(found)
}
