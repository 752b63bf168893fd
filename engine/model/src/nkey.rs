//! The public keys of approvers: Ed25519 keys in the text form of NATS user nkeys.
//!
//! ```text
//! base32 (RFC 4648, no padding) of: 160 | 32 bytes of the key | CRC-16/XMODEM, low byte first
//! ```
//!
//! Seeds have no type here: whatever the engine handles, it never handles one.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// First byte of a user's public key; it makes the text begin with `U`.
const USER: u8 = 20 << 3;
/// Bytes before the text form: prefix, key, check.
const RAW: usize = 1 + 32 + 2;
/// Characters of the text form.
const TEXT: usize = 56;
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A user's public key: 56 characters that begin with `U`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserKey([u8; 32]);

/// Text that is no user's public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no public key of a user: 56 characters that begin with U, as `placet keys new` prints them"
)]
pub struct ParseUserKeyError {
    text: String,
}

impl UserKey {
    /// The key with these 32 bytes.
    pub const fn from_ed25519(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The 32 bytes of the Ed25519 key.
    pub const fn ed25519(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for UserKey {
    type Err = ParseUserKeyError;
    fn from_str(text: &str) -> Result<Self, ParseUserKeyError> {
        let key = raw(text).filter(|raw| raw[0] == USER && crc(&raw[..33]) == raw[33..]);
        let key = key.and_then(|raw| <[u8; 32]>::try_from(&raw[1..33]).ok());
        // a seed that was pasted here must not come back in an error
        let shown = || text.get(..8).unwrap_or(text).to_owned();
        key.map(Self).ok_or_else(|| ParseUserKeyError { text: shown() })
    }
}

impl fmt::Display for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut raw = [0; RAW];
        raw[0] = USER;
        raw[1..33].copy_from_slice(&self.0);
        let check = crc(&raw[..33]);
        raw[33..].copy_from_slice(&check);
        for chunk in raw.chunks_exact(5) {
            let bits = chunk.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            for place in (0..8).rev() {
                let letter = ALPHABET[(bits >> (place * 5) & 31) as usize];
                write!(f, "{}", char::from(letter))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for UserKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for UserKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            <[u8; 32]>::deserialize(deserializer).map(Self)
        }
    }
}

/// The bytes behind the text; 35 bytes are 56 characters exactly, so every text has one reading.
fn raw(text: &str) -> Option<[u8; RAW]> {
    if text.len() != TEXT {
        return None;
    }
    let mut raw = [0; RAW];
    for (chunk, letters) in raw.chunks_exact_mut(5).zip(text.as_bytes().chunks_exact(8)) {
        let mut bits = 0_u64;
        for letter in letters {
            let value = ALPHABET.iter().position(|known| known == letter)?;
            bits = bits << 5 | value as u64;
        }
        chunk.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    Some(raw)
}

/// CRC-16/XMODEM (polynomial 0x1021, from 0), low byte first.
fn crc(bytes: &[u8]) -> [u8; 2] {
    let mut crc = 0_u16;
    for byte in bytes {
        crc ^= u16::from(*byte) << 8;
        for _bit in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
        }
    }
    crc.to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the seed whose 32 bytes are 00 01 … 1f.
    const KEY: &str = "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK";

    #[test]
    fn a_key_reads_back_as_it_was_written() {
        let key: UserKey = KEY.parse().unwrap();
        assert_eq!(key.to_string(), KEY);
        assert_eq!(key.ed25519()[..4], [0x03, 0xa1, 0x07, 0xbf]);
        assert_eq!(UserKey::from_ed25519(*key.ed25519()), key);
    }

    #[test]
    fn a_changed_short_or_foreign_key_is_refused_and_a_seed_is_not_repeated() {
        for place in 0..TEXT {
            let mut text = KEY.as_bytes().to_vec();
            text[place] = if text[place] == b'A' { b'B' } else { b'A' };
            let text = String::from_utf8(text).unwrap();
            assert!(text.parse::<UserKey>().is_err(), "{text}");
        }
        let seed = "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y";
        for bad in ["", "U", &KEY[..55], &format!("{KEY}A"), &KEY.to_lowercase(), seed] {
            assert!(bad.parse::<UserKey>().is_err(), "{bad}");
        }
        let error = seed.parse::<UserKey>().unwrap_err().to_string();
        assert!(!error.contains(&seed[..12]), "{error}");
    }
}
