//! Where an event stands: its place in the log and its place in a stream.

use crate::id::{IntegrationId, ParseIdError, RunId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Place of an event in the log: 1, 2, 3 … without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(u64);

/// Place of an event in its stream: 1, 2, 3 … without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(u64);

macro_rules! counter {
    ($name:ident) => {
        impl $name {
            /// Before the first event.
            pub const START: Self = Self(0);

            /// The counter with this value.
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The value; 0 stands before the first event.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The place after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }

            /// The place `count` after this one.
            #[must_use]
            pub const fn plus(self, count: u64) -> Self {
                Self(self.0 + count)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
counter!(Position);
counter!(Revision);

/// The thing whose events a stream holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamId {
    /// One run: `run:run_…`.
    Run(RunId),
    /// One integration: `integration:int_…`.
    Integration(IntegrationId),
    /// Policy and principals of the project: `policy`.
    Policy,
    /// The project itself (pause, starts, erasures, epochs): `project`.
    Project,
    /// One workflow's deployed versions: `workflow:<namespace>/<name>`.
    Workflow(String),
    /// One provider's registered operations: `adapter:<provider>`.
    Adapter(String),
    /// Events that came from outside: `events`.
    Events,
    /// Checkpoints of the log and what witnesses say to them: `checkpoints`.
    Checkpoints,
    /// What people were told outside of the inbox, and alarms about how they approve: `notices`.
    Notices,
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(id) => write!(f, "run:{id}"),
            Self::Integration(id) => write!(f, "integration:{id}"),
            Self::Policy => f.write_str("policy"),
            Self::Project => f.write_str("project"),
            Self::Workflow(name) => write!(f, "workflow:{name}"),
            Self::Adapter(provider) => write!(f, "adapter:{provider}"),
            Self::Events => f.write_str("events"),
            Self::Checkpoints => f.write_str("checkpoints"),
            Self::Notices => f.write_str("notices"),
        }
    }
}

/// Text that names no stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseStreamError {
    /// The word before the colon is unknown.
    #[error(
        "{text:?} names no stream: expected run:…, integration:…, workflow:…, adapter:…, events, checkpoints, notices, policy or project"
    )]
    Kind {
        /// The text that was given.
        text: String,
    },
    /// The id after the colon is malformed.
    #[error("the id in the stream name {text:?} cannot be read")]
    Id {
        /// The text that was given.
        text: String,
        /// Why.
        source: ParseIdError,
    },
}

impl FromStr for StreamId {
    type Err = ParseStreamError;
    fn from_str(text: &str) -> Result<Self, ParseStreamError> {
        let id = |source| ParseStreamError::Id { text: text.to_owned(), source };
        match text.split_once(':') {
            Some(("run", rest)) => rest.parse().map(Self::Run).map_err(id),
            Some(("integration", rest)) => rest.parse().map(Self::Integration).map_err(id),
            Some(("workflow", rest)) if !rest.is_empty() => Ok(Self::Workflow(rest.to_owned())),
            Some(("adapter", rest)) if !rest.is_empty() => Ok(Self::Adapter(rest.to_owned())),
            None if text == "policy" => Ok(Self::Policy),
            None if text == "project" => Ok(Self::Project),
            None if text == "events" => Ok(Self::Events),
            None if text == "checkpoints" => Ok(Self::Checkpoints),
            None if text == "notices" => Ok(Self::Notices),
            Some(_) | None => Err(ParseStreamError::Kind { text: text.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_name_parses_back() {
        let id = uuid::Uuid::from_u128(99);
        let streams = [
            StreamId::Run(RunId::new(id)),
            StreamId::Integration(IntegrationId::new(id)),
            StreamId::Policy,
            StreamId::Project,
            StreamId::Workflow("sales/follow-up".into()),
            StreamId::Adapter("slack".into()),
            StreamId::Events,
            StreamId::Checkpoints,
            StreamId::Notices,
        ];
        for stream in streams {
            assert_eq!(stream.to_string().parse(), Ok(stream));
        }
        for bad in ["", "run:", "run:int_00000000000000000000000007", "workflow:", "policy:x"] {
            assert!(bad.parse::<StreamId>().is_err(), "{bad}");
        }
    }
}
