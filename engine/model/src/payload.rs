//! References to content. Events hold references; content lives sealed in the payload store.

use crate::Revision;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where content stands: the `index`-th payload of the event at `revision` of the same stream.
///
/// The reference is known when an event is decided (the revision is the expected one plus its
/// place), so it can stand in the body of that very event or of a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PayloadRef {
    /// Revision of the event that carries the payload.
    pub revision: Revision,
    /// Place among that event's payloads, from 0.
    pub index: u16,
}

impl PayloadRef {
    /// The `index`-th payload of the event at `revision`.
    pub const fn new(revision: Revision, index: u16) -> Self {
        Self { revision, index }
    }
}

impl fmt::Display for PayloadRef {
    /// `3#0`: revision, then index.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.revision, self.index)
    }
}
