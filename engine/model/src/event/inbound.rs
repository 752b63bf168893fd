//! Events of what providers post to us. What came is content; what names a person is in no body.

use crate::wire::wire_enum;
use crate::{Digest, IntegrationId, Timestamp};
use serde::{Deserialize, Serialize};

/// Which payload of an [`InboundReceived`] holds what came, as `CloudEvents` JSON.
pub const ENVELOPE: u16 = 0;

/// A provider told us something, and has proven who it is. Recorded by the executor before the
/// provider hears that it has arrived. Its first payload ([`ENVELOPE`]) is the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundReceived {
    /// Whose webhook it is.
    pub integration: IntegrationId,
    /// Version of the credential that has proven the sender; 0 where none was asked for one.
    pub credential_version: u32,
    /// Type of the event.
    pub kind: String,
    /// Its generic name, the same for every provider.
    pub event_key: String,
    /// Pseudonym of its source and the provider's own id: a second one is not recorded.
    pub identity: Digest,
    /// What it says of the message that it answers: the pseudonym of each named value, all of which
    /// must be values of what was sent.
    pub correlate: Vec<Digest>,
}

wire_enum! {
    /// Why an arrival was not taken.
    Refused {
        /// The integration has no secret that could prove a sender.
        NoKey = 1 "no_key",
        /// Its secret cannot be used as a key.
        BadKey = 2 "bad_key",
        /// It was not signed.
        Unsigned = 3 "unsigned",
        /// Its signature could not be read.
        Malformed = 4 "malformed",
        /// Its signature was not the provider's.
        Mismatch = 5 "mismatch",
        /// It was signed too long ago, or too far ahead.
        Stale = 6 "stale",
        /// It was larger than the provider's messages are.
        TooLarge = 7 "too_large",
        /// The integration was switched off.
        Disabled = 8 "disabled",
        /// Genuine: a message of our own came back.
        Own = 20 "own",
        /// Genuine: nothing that the manifest knows.
        Unknown = 21 "unknown",
        /// Genuine: the provider only asked whether we are here.
        Handshake = 22 "handshake",
    }
}

/// How many arrivals were not taken for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals {
    /// Why.
    pub reason: Refused,
    /// How many.
    pub count: u64,
}

/// Arrivals that were not taken, summed up: anybody can post, so that an event for each would let
/// anybody fill the log. Recorded by the executor, at most once in a minute for an integration, and
/// more seldom while it goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundRejected {
    /// Whose webhook it is.
    pub integration: IntegrationId,
    /// Version of the credential that they were checked with; 0 without one.
    pub credential_version: u32,
    /// When the first of them came.
    pub since: Timestamp,
    /// How many, by reason.
    pub refused: Vec<Refusals>,
}
