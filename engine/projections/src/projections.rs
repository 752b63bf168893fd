//! The write side: the hook that the log calls in its own transaction.

use placet_log::{BoxError, Projector, ReadView};
use placet_model::RecordedEvent;
use redb::WriteTransaction;

/// All projections, kept in the log's transactions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Projections;

impl Projections {
    /// The projections, to be given to `OpenOptions::projector`.
    pub const fn new() -> Self {
        Self
    }
}

impl Projector for Projections {
    fn prepare(&mut self, _tx: &WriteTransaction, _view: &ReadView) -> Result<(), BoxError> {
        Ok(())
    }

    fn apply(&mut self, _tx: &WriteTransaction, _events: &[RecordedEvent]) -> Result<(), BoxError> {
        Ok(())
    }
}
