//! Epochs: a log that was restored or copied goes on in a new one, and says so with its first event.
//!
//! Positions and stream revisions count on over an epoch; what another copy of the log has recorded
//! after the fork stands under the same positions there, so whoever keeps positions outside keeps
//! the epoch beside them.

use crate::{Error, ReadView};
use placet_model::{Digest, Event, EventId, Position, Revision, StreamId, Timestamp};

/// A new beginning of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    /// Which one: 2 for the first restore. The first epoch has no entry.
    pub number: u64,
    /// The event that began it: tells it from an epoch of another copy with the same number.
    pub id: EventId,
    /// Position of the event that began it.
    pub position: Position,
    /// Log time of that event.
    pub at: Timestamp,
    /// Events that the data held: what came after them elsewhere is given up.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Digest,
    /// Size of the largest head that was known to be signed, when it is larger.
    pub lost_to: Option<u64>,
}

impl ReadView {
    /// The epochs after the first one, oldest first.
    ///
    /// # Errors
    /// A damaged record.
    pub fn epochs(&self) -> Result<Vec<Epoch>, Error> {
        let mut epochs = Vec::new();
        for event in self.stream(&StreamId::Project, Revision::START) {
            let event = event?;
            if let Event::EpochStarted(body) = event.event {
                epochs.push(Epoch {
                    number: body.epoch,
                    id: event.event_id,
                    position: event.position,
                    at: event.recorded_at,
                    size: body.size,
                    root: body.root,
                    lost_to: body.lost_to,
                });
            }
        }
        Ok(epochs)
    }
}
