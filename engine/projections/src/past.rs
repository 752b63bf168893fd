//! The projections as they were: the log folded up to a position, in memory, read through the same
//! [`Views`].

use crate::projections::fold_from;
use crate::store::{Snapshot, Store, guarded};
use crate::table::{Generation, TableName};
use crate::{Error, Views};
use placet_log::ReadView;
use placet_model::Position;
use redb::backends::InMemoryBackend;
use redb::{Database, ReadTransaction, ReadableDatabase};
use std::fmt;

/// The project at an earlier moment. It costs a fold of the log up to there and memory for every
/// row of then; the log and the live tables are only read.
pub struct Past {
    tx: ReadTransaction,
    at: Position,
}

impl fmt::Debug for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Past").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Past {
    /// Replays the log up to and with the event at `position`.
    ///
    /// # Errors
    /// [`Error::NoSuchPosition`]; a damaged or corrupt log, with the position.
    pub fn at(view: &ReadView, position: Position) -> Result<Self, Error> {
        let head = view.head().position();
        if position == Position::START || position > head {
            return Err(Error::NoSuchPosition { position, head });
        }
        guarded(|| Self::replay(view, position))
    }

    pub(crate) fn replay(view: &ReadView, at: Position) -> Result<Self, Error> {
        let memory = TableName::Hot;
        let database = Database::builder()
            .create_with_backend(InMemoryBackend::new())
            .map_err(memory.err("making in memory"))?;
        let tx = database.begin_write().map_err(memory.err("making in memory"))?;
        {
            let mut store = Store::new(&tx, Generation::Live);
            store.create()?;
            store.set_cursor(Position::START)?;
            let count = usize::try_from(at.get()).unwrap_or(usize::MAX);
            let mut events = view.events(Position::START).take(count);
            fold_from(&mut store, &mut events)?;
        }
        tx.commit().map_err(memory.err("making in memory"))?;
        let tx = database.begin_read().map_err(memory.err("making in memory"))?;
        Ok(Self { tx, at })
    }

    /// Position of the last event that is folded.
    pub const fn position(&self) -> Position {
        self.at
    }

    /// The projections of then.
    pub const fn views(&self) -> Views<'_> {
        Views::over(self.snapshot())
    }

    pub(crate) const fn snapshot(&self) -> Snapshot<'_> {
        Snapshot::new(&self.tx)
    }
}
