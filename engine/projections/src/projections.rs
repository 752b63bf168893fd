//! The write side: the hook that the log calls in its own transaction.

use crate::store::{self, Store};
use crate::table::Generation;
use crate::{Error, fold};
use placet_log::{BoxError, Projector, ReadView};
use placet_model::{Position, RecordedEvent};
use redb::WriteTransaction;

/// How many events are folded at a time while catching up.
pub(crate) const CHUNK: usize = 4096;

/// All projections, kept in the log's transactions. Holds no state: the tables are the state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Projections;

impl Projections {
    /// The projections, to be given to `OpenOptions::projector`.
    pub const fn new() -> Self {
        Self
    }
}

impl Projector for Projections {
    /// Makes the tables, and folds what the log got without them. What a rebuild that was cut short
    /// has left is removed.
    fn prepare(&mut self, tx: &WriteTransaction, view: &ReadView) -> Result<(), BoxError> {
        store::delete(tx, Generation::Next)?;
        let known = Store::new(tx, Generation::Live).cursor()?;
        if known.is_some() {
            // they were made together: one that is not there was lost, and is not empty
            store::demand_all(tx)?;
        } else {
            // rows without a cursor would be rows of nobody knows when
            store::delete(tx, Generation::Live)?;
            store::delete_other_layouts(tx)?;
            Store::new(tx, Generation::Live).set_cursor(Position::START)?;
        }
        let mut live = Store::new(tx, Generation::Live);
        live.create()?;
        let cursor = known.unwrap_or(Position::START);
        let head = view.head().position();
        if cursor > head {
            return Err(Error::Ahead { cursor, head }.into());
        }
        catch_up(&mut live, view, cursor)?;
        Ok(())
    }

    fn apply(&mut self, tx: &WriteTransaction, events: &[RecordedEvent]) -> Result<(), BoxError> {
        Ok(fold::apply(&mut Store::new(tx, Generation::Live), events)?)
    }
}

/// Folds every event of the view after `cursor`.
pub(crate) fn catch_up(
    store: &mut Store<'_>,
    view: &ReadView,
    cursor: Position,
) -> Result<(), Error> {
    fold_from(store, &mut view.events(cursor.next())).map(drop)
}

/// Folds events to the end; returns how many there were.
pub(crate) fn fold_from(
    store: &mut Store<'_>,
    events: &mut dyn Iterator<Item = Result<RecordedEvent, placet_log::Error>>,
) -> Result<u64, Error> {
    let mut count = 0;
    loop {
        let chunk: Result<Vec<_>, _> = events.take(CHUNK).collect();
        let chunk = chunk.map_err(|source| Error::Log { source })?;
        if chunk.is_empty() {
            return Ok(count);
        }
        count += chunk.len() as u64;
        fold::apply(store, &chunk)?;
    }
}
