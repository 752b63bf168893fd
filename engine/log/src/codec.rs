//! Event bodies: frozen postcard structs, one per type and version.
//!
//! The structs of `placet_model::event` **are** the bodies of the current version of their type. Never skips an unknown type,
//! never accepts bytes left over, never reads a body as another version.
//!
//! When a body has to change after a release:
//!
//! 1. Copy the struct as it is into `codec/<type>.rs` as `<Type>V1`, private, with its serde derives;
//!    whatever types it holds that change as well are copied with it.
//! 2. Change the struct in the model, and write `impl From<<Type>V1> for <Type>`: pure, total, what is
//!    new gets the value that old events meant.
//! 3. [`current_version`] of the kind becomes 2; [`decode`] gets an arm for version 1 of that kind
//!    (`from_bytes::<<Type>V1>(body)`, then `into`), beside version 2 of the new struct.
//! 4. `PLACET_WRITE_GOLDENS=1` makes `fixtures/events/<Type>/v2`; `v1` stays, and the golden test gets a
//!    line that `v1` decodes to the JSON of its upcast. A field moved or retyped without this fails the
//!    golden test by its bytes, a renamed one by its `shape`.
//! 5. `fixtures/archive` is not touched: the databases of the old format go on opening, and the
//!    `expected.json` of an archive changes only by the fields that the rendering now adds.

mod attempt_started;
mod decision_requested;
mod requirement;

use attempt_started::AttemptStartedV1;
use decision_requested::DecisionRequestedV1;
use placet_model::event::EventKind;
use placet_model::{Event, Position, for_each_event};
use requirement::{DraftPreparedV1, RequirementRaisedV1};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// A body is at most this long; content belongs into payloads.
pub const BODY_MAX: usize = 256 * 1024;

/// The version in which new events of a kind are written.
pub const fn current_version(kind: EventKind) -> u16 {
    match kind {
        // the moment by a clock that nobody can set; what a policy asks for besides votes
        EventKind::AttemptStarted
        | EventKind::DecisionRequested
        | EventKind::DraftPrepared
        | EventKind::RequirementRaised => 2,
        _ => 1,
    }
}

/// The name of a type number, if this engine knows it.
pub fn name_of(type_id: u16) -> Option<&'static str> {
    EventKind::from_type_id(type_id).map(EventKind::name)
}

/// Why a body cannot be written or read; `at` adds the position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The type, or the version of it, is not known.
    #[error("type {type_id} version {type_version} is unknown")]
    Unknown {
        /// Type number.
        type_id: u16,
        /// Version number.
        type_version: u16,
    },
    /// The bytes are no body of the type.
    #[error("the body is no {name} version {type_version}: {reason}")]
    Malformed {
        /// Name of the type.
        name: &'static str,
        /// Version number.
        type_version: u16,
        /// What postcard said.
        reason: String,
    },
}

impl DecodeError {
    pub(crate) fn at(self, position: Position) -> Error {
        match self {
            Self::Unknown { type_id, type_version } => {
                Error::UnknownEvent { position, type_id, type_version }
            }
            Self::Malformed { .. } => Error::Damaged { position, what: self.to_string() },
        }
    }
}

macro_rules! bodies {
    ($($name:ident = $id:literal,)+) => {
        /// The body of an event in the current version of its type.
        ///
        /// # Errors
        /// What postcard says of a struct it cannot write; the golden files rule that out.
        pub fn encode(event: &Event) -> Result<Vec<u8>, postcard::Error> {
            match event {
                $(Event::$name(body) => to_bytes(body),)+
            }
        }

        fn decode_current(kind: EventKind, body: &[u8]) -> Result<Event, String> {
            match kind {
                $(EventKind::$name => from_bytes(body).map(Event::$name),)+
            }
        }
    };
}
for_each_event!(bodies);

/// Reads a body of the given type and version, upcast to the current event.
///
/// # Errors
/// [`DecodeError`] when type or version is unknown or the bytes do not fit exactly.
pub fn decode(type_id: u16, type_version: u16, body: &[u8]) -> Result<Event, DecodeError> {
    let unknown = DecodeError::Unknown { type_id, type_version };
    let Some(kind) = EventKind::from_type_id(type_id) else { return Err(unknown) };
    let event = match (type_version, kind) {
        (current, _) if current == current_version(kind) => decode_current(kind, body),
        (1, EventKind::AttemptStarted) => upcast::<AttemptStartedV1>(body, Event::AttemptStarted),
        (1, EventKind::DecisionRequested) => {
            upcast::<DecisionRequestedV1>(body, Event::DecisionRequested)
        }
        (1, EventKind::DraftPrepared) => upcast::<DraftPreparedV1>(body, Event::DraftPrepared),
        (1, EventKind::RequirementRaised) => {
            upcast::<RequirementRaisedV1>(body, Event::RequirementRaised)
        }
        _ => return Err(unknown),
    };
    event.map_err(|reason| DecodeError::Malformed { name: kind.name(), type_version, reason })
}

fn upcast<Old>(body: &[u8], wrap: fn(Old::Current) -> Event) -> Result<Event, String>
where
    Old: DeserializeOwned + Outdated,
{
    Ok(wrap(from_bytes::<Old>(body)?.into_current()))
}

/// A body of an earlier version.
trait Outdated {
    /// What it has become.
    type Current;

    /// Pure and total: what is new gets the value that old events meant.
    fn into_current(self) -> Self::Current;
}

fn to_bytes<T: Serialize>(body: &T) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_allocvec(body)
}

fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match postcard::take_from_bytes(bytes) {
        Ok((body, [])) => Ok(body),
        Ok((_, rest)) => Err(format!("{} bytes are left over", rest.len())),
        Err(error) => Err(error.to_string()),
    }
}
