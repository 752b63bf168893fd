//! Identifiers: each its own type, each with a readable prefix.
//!
//! An id is a UUID of version 7 (time-ordered, so that index writes stay at the right edge of a table),
//! shown as `prefix_` and 26 characters of lower-case Crockford base32; the text form sorts like
//! the number. Ids are minted by the shell and handed in; nothing here draws randomness.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TEXT_LEN: usize = 26;

/// Text that is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an id of the form {prefix}_… with {TEXT_LEN} characters after it")]
pub struct ParseIdError {
    /// The prefix that this kind of id carries.
    pub prefix: &'static str,
    /// The text that was given.
    pub text: String,
}

fn encode(value: u128) -> [u8; TEXT_LEN] {
    let mut out = [b'0'; TEXT_LEN];
    let mut rest = value;
    for slot in out.iter_mut().rev() {
        *slot = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    out
}

fn decode(text: &str) -> Option<u128> {
    if text.len() != TEXT_LEN || text.as_bytes().first().is_none_or(|first| *first > b'7') {
        return None;
    }
    text.bytes().try_fold(0u128, |value, byte| {
        let digit = ALPHABET.iter().position(|letter| *letter == byte)?;
        Some((value << 5) | digit as u128)
    })
}

macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The prefix of the text form, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Wraps a UUID minted by the shell.
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The number behind the id, big-endian as in keys and envelopes.
            pub const fn to_bytes(self) -> [u8; 16] {
                *self.0.as_bytes()
            }

            /// The id with these bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The number behind the id.
            pub const fn as_u128(self) -> u128 {
                self.0.as_u128()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($prefix, "_"))?;
                for byte in encode(self.0.as_u128()) {
                    fmt::Write::write_char(f, char::from(byte))?;
                }
                Ok(())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(|value| Self(Uuid::from_u128(value)))
                    .ok_or_else(|| ParseIdError { prefix: $prefix, text: text.to_owned() })
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.to_bytes().serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    <[u8; 16]>::deserialize(deserializer).map(Self::from_bytes)
                }
            }
        }
    };
}

id!(
    /// One execution of a workflow.
    RunId, "run"
);
id!(
    /// One request for a decision on one draft revision.
    DecisionId, "dec"
);
id!(
    /// One claim of one call, with its tries.
    AttemptId, "att"
);
id!(
    /// One configured connection of a provider.
    IntegrationId, "int"
);
id!(
    /// One event; appending the same id again is idempotent.
    EventId, "evt"
);
id!(
    /// One durable timer of a run.
    TimerId, "tmr"
);

/// The number of a data key in the key file; the key itself never leaves the log's crate and
/// the shell that seals with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DataKeyId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_id_parses_back_and_sorts_like_the_number() {
        let small = RunId::new(Uuid::from_u128(7));
        let large = RunId::new(Uuid::from_u128(u128::MAX));
        for id in [small, large] {
            assert_eq!(id.to_string().parse::<RunId>(), Ok(id));
        }
        assert!(small.to_string() < large.to_string());
        assert_eq!(small.to_string(), "run_00000000000000000000000007");
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let text = RunId::new(Uuid::from_u128(1)).to_string();
        let error = text.parse::<DecisionId>().unwrap_err();
        assert_eq!(error.prefix, "dec");
        for bad in ["run_", "run_8zzzzzzzzzzzzzzzzzzzzzzzzz", "run_0000000000000000000000000u", ""]
        {
            assert!(bad.parse::<RunId>().is_err(), "{bad}");
        }
    }
}
