//! The fold of events that come: from outside, and from the runs that emit them.

use crate::store::Store;
use crate::table::TableName;
use crate::{ArrivalRow, Error, Located};
use placet_model::{Digest, PayloadRef, Position, RecordedEvent, RunId, Timestamp};
use serde::{Deserialize, Serialize};

/// Key in [`TableName::Project`]: up to where everybody has been told.
pub(crate) const DELIVERED: &[u8] = b"delivered";

/// An event that came, as stored: the stream by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Arrival {
    at: Timestamp,
    kind: String,
    to: Option<RunId>,
    stream: String,
    envelope: PayloadRef,
}

impl Arrival {
    /// The row as readers see it; none when its stream has no name of ours.
    pub(crate) fn into_row(self, position: Position) -> Option<ArrivalRow> {
        let envelope = Located { stream: self.stream.parse().ok()?, payload: self.envelope };
        Some(ArrivalRow { position, at: self.at, kind: self.kind, to: self.to, envelope })
    }
}

/// `text | 0 | rest`: types of events hold no zero, as they come from checked attributes.
pub(crate) fn key(kind: &str, rest: &[u8]) -> Vec<u8> {
    [kind.as_bytes(), &[0], rest].concat()
}

/// What of an event stands in the body of the event that records it.
pub(crate) struct Came<'e> {
    pub(crate) kind: &'e str,
    pub(crate) identity: &'e Digest,
    pub(crate) envelope: PayloadRef,
    pub(crate) to: Option<RunId>,
}

impl<'e> Came<'e> {
    pub(crate) fn of(
        kind: &'e str,
        identity: &'e Digest,
        (envelope, to): (PayloadRef, Option<RunId>),
    ) -> Self {
        Self { kind, identity, envelope, to }
    }
}

/// A second event of one source and id is not heard.
pub(crate) fn came(
    store: &mut Store<'_>,
    event: &RecordedEvent,
    came: &Came<'_>,
) -> Result<(), Error> {
    let identity = came.identity.as_bytes();
    if store.get::<Position>(TableName::ArrivalIds, identity)?.is_some() {
        return Ok(());
    }
    let place = event.position.get().to_be_bytes();
    let row = Arrival {
        at: event.recorded_at,
        kind: came.kind.to_owned(),
        to: came.to,
        stream: event.stream.to_string(),
        envelope: came.envelope,
    };
    store.put(TableName::ArrivalIds, identity, &event.position)?;
    store.put(TableName::Arrivals, &place, &row)?;
    store.put(TableName::ArrivalTypes, &key(came.kind, &place), &())
}

pub(crate) fn delivered(store: &mut Store<'_>, up_to: Position) -> Result<(), Error> {
    store.put(TableName::Project, DELIVERED, &up_to)
}
