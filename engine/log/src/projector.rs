//! The hook through which projections are written in the log's own transaction.

use crate::{BoxError, ReadView};
use placet_model::RecordedEvent;
use redb::WriteTransaction;

/// Tables derived from events, kept in the same file and the same transaction as the events.
///
/// Called on the writer thread only. An error stops the log: nothing of the batch is written, and
/// every append is refused until the log is opened again. Tables are named `proj_…`; the log's own
/// tables must not be opened.
pub trait Projector: Send {
    /// Called once while the log opens, before any append: make or migrate tables, and catch up
    /// from `view` when the cursor is behind its head.
    ///
    /// # Errors
    /// Whatever keeps the projections from being used; the log does not open.
    fn prepare(&mut self, _tx: &WriteTransaction, _view: &ReadView) -> Result<(), BoxError> {
        Ok(())
    }

    /// Applies all events of one commit, in order of position; open each table once.
    ///
    /// # Errors
    /// Whatever keeps an event from being applied; never skip one.
    fn apply(&mut self, tx: &WriteTransaction, events: &[RecordedEvent]) -> Result<(), BoxError>;
}

/// No projections.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProjections;

impl Projector for NoProjections {
    fn apply(&mut self, _tx: &WriteTransaction, _events: &[RecordedEvent]) -> Result<(), BoxError> {
        Ok(())
    }
}
