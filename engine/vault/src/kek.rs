//! The key-encryption key (KEK): it seals nothing itself, every record gets a key derived from it.
//!
//! It is never printed, and written nowhere but into its key file.

use crate::Error;
use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::digest::{Context, SHA256};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret as _, SecretBox};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Bytes of a KEK.
pub(crate) const KEK_LEN: usize = 32;
/// Bytes of the salt that makes one record's key.
pub(crate) const SALT_LEN: usize = 32;

const INFO: &[u8] = b"placet/cred/v1";
const ID_LABEL: &[u8] = b"placet/kek-id/v1";

/// Tells one KEK from another without telling the key: the first 8 bytes of a SHA-256 over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KekId([u8; Self::LEN]);

impl KekId {
    pub(crate) const LEN: usize = 8;

    pub(crate) const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for KekId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KekId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = (text.len() == 2 * Self::LEN).then(|| u64::from_str_radix(&text, 16).ok());
        let number = number.flatten().ok_or_else(|| D::Error::custom("no id of a key"))?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// A key-encryption key.
pub struct Kek {
    id: KekId,
    secret: SecretBox<[u8; KEK_LEN]>,
}

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kek({})", self.id)
    }
}

impl Kek {
    /// The KEK with these bytes.
    pub fn from_bytes(bytes: [u8; KEK_LEN]) -> Self {
        Self::new(SecretBox::new(Box::new(bytes)))
    }

    pub(crate) fn new(secret: SecretBox<[u8; KEK_LEN]>) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(ID_LABEL);
        context.update(secret.expose_secret());
        let mut id = [0; KekId::LEN];
        id.copy_from_slice(&context.finish().as_ref()[..KekId::LEN]);
        Self { id: KekId(id), secret }
    }

    pub(crate) fn random(random: &SystemRandom) -> Result<Self, Error> {
        let mut drawn = Ok(());
        let secret = SecretBox::init_with_mut(|bytes: &mut [u8; KEK_LEN]| {
            drawn = random.fill(bytes);
        });
        drawn.map_err(|_unspecified| Error::Random)?;
        Ok(Self::new(secret))
    }

    /// The same key once more.
    pub(crate) fn duplicate(&self) -> Self {
        let bytes = self.expose();
        let secret = SecretBox::init_with_mut(|copy: &mut [u8; KEK_LEN]| *copy = *bytes);
        Self { id: self.id, secret }
    }

    /// Its name in records.
    pub const fn id(&self) -> KekId {
        self.id
    }

    pub(crate) fn expose(&self) -> &[u8; KEK_LEN] {
        self.secret.expose_secret()
    }

    /// The key of the record with this salt: HKDF-SHA256(KEK, salt, `placet/cred/v1`). A key of
    /// its own per record keeps every one far below the 2^32 random nonces of NIST SP 800-38D.
    pub(crate) fn record_key(&self, salt: &[u8; SALT_LEN]) -> LessSafeKey {
        let extracted = Salt::new(HKDF_SHA256, salt).extract(self.expose());
        let key = extracted
            .expand(&[INFO], &AES_256_GCM)
            .expect("32 bytes are within the 8,160 that HKDF-SHA256 gives");
        LessSafeKey::new(UnboundKey::from(key))
    }
}

/// The KEKs that open records: the one that seals new ones and, once keys are rotated, those whose
/// records are not re-wrapped yet.
#[derive(Debug)]
pub(crate) struct Keks {
    current: Kek,
    /// None of them is the current one.
    old: Vec<Kek>,
}

impl Keks {
    pub(crate) const fn new(current: Kek) -> Self {
        Self { current, old: Vec::new() }
    }

    /// The same, and what these have sealed opens too.
    pub(crate) fn with_old(self, old: Vec<Kek>) -> Self {
        Self { old, ..self }
    }

    /// From now on `next` seals.
    pub(crate) fn turn_to(&mut self, next: Kek) {
        self.old.push(std::mem::replace(&mut self.current, next));
    }

    /// Opens what the current key has sealed, and nothing else.
    pub(crate) fn drop_old(&mut self) {
        self.old.clear();
    }

    pub(crate) const fn current(&self) -> &Kek {
        &self.current
    }

    pub(crate) fn get(&self, id: KekId) -> Option<&Kek> {
        std::iter::once(&self.current).chain(&self.old).find(|key| key.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_but_not_printed() {
        let kek = Kek::from_bytes([0xab; KEK_LEN]);
        assert_eq!(format!("{kek:?}"), format!("Kek({})", kek.id()));
        assert!(!format!("{kek:?}").contains("abab"));
        assert_ne!(kek.id(), Kek::from_bytes([0xac; KEK_LEN]).id());
    }
}
