//! Payloads: content, sealed beside the log with the data key of its stream.
//!
//! ```text
//! stored = key id u64 | nonce 12 | AES-256-GCM(plaintext | salt 32) | tag 16
//! AAD    = "placet-payload-v1" | project length u8 | project | stream length u16 | stream
//!          | event id 16 | n u16
//! ct_hash   = SHA-256(stored)
//! pt_commit = SHA-256("placet-pt-v1" | salt | plaintext)
//! ```
//!
//! The event id binds the payload to one event of one stream (the event id is in the leaf, and
//! known before the writer gives the revision, so sealing happens on the caller's thread).
//! Plaintext is never logged and never printed: `Debug` shows digest and length.

use crate::check::sha256;
use crate::envelope::Commitment;
use placet_model::{DataKeyId, Digest, EventId};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use zeroize::Zeroizing;

use crate::Error;

/// A payload is at most this long.
pub const PAYLOAD_MAX: usize = 16 * 1024 * 1024;

const KEY_ID_LEN: usize = 8;
const SALT_LEN: usize = 32;
/// Bytes that sealing adds: key id, nonce, salt and AES-GCM's tag.
pub(crate) const SEALED_MORE: usize = KEY_ID_LEN + NONCE_LEN + SALT_LEN + 16;
const COMMIT_LABEL: &[u8] = b"placet-pt-v1";

/// Content in the clear. It is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    bytes: Zeroizing<Vec<u8>>,
    /// A salt that somebody else has committed to already; without it a fresh one is drawn.
    salt: Option<[u8; SALT_LEN]>,
}

impl Payload {
    /// Content to which somebody has committed with this salt, such as a signed reason: the leaf's
    /// commitment is then the same.
    pub fn salted(bytes: Vec<u8>, salt: [u8; SALT_LEN]) -> Self {
        Self { bytes: Zeroizing::new(bytes), salt: Some(salt) }
    }

    /// The content.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes: Zeroizing::new(bytes), salt: None }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({:?}, {} bytes)", Digest::of(&self.bytes), self.bytes.len())
    }
}

/// A payload with the salt that its commitment was made with: what an export in the clear holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedPayload {
    /// The content.
    pub payload: Payload,
    /// The salt of `pt_commit`.
    pub salt: [u8; SALT_LEN],
}

/// A key for the payloads of one stream. Debug shows its number only.
pub(crate) struct DataKey {
    id: DataKeyId,
    key: LessSafeKey,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({})", self.id.0)
    }
}

impl DataKey {
    pub(crate) fn new(id: DataKeyId, bytes: &[u8; 32]) -> Result<Self, Error> {
        let unbound = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_unspecified| Error::Random)?;
        Ok(Self { id, key: LessSafeKey::new(unbound) })
    }

    pub(crate) const fn id(&self) -> DataKeyId {
        self.id
    }
}

/// A payload as it is stored, with what the leaf says about it.
#[derive(Debug)]
pub(crate) struct SealedPayload {
    pub(crate) stored: Vec<u8>,
    pub(crate) commitment: Commitment,
}

/// What a payload belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'o> {
    pub(crate) project: &'o str,
    pub(crate) stream: &'o [u8],
    pub(crate) event_id: EventId,
    pub(crate) index: u16,
}

impl Owner<'_> {
    fn aad(&self) -> Aad<Vec<u8>> {
        let project_len =
            u8::try_from(self.project.len()).expect("a project name fits PROJECT_MAX");
        let stream_len = u16::try_from(self.stream.len()).expect("a stream name fits STREAM_MAX");
        Aad::from(
            [
                &b"placet-payload-v1"[..],
                &[project_len],
                self.project.as_bytes(),
                &stream_len.to_be_bytes(),
                self.stream,
                &self.event_id.to_bytes(),
                &self.index.to_be_bytes(),
            ]
            .concat(),
        )
    }
}

/// Seals a payload under a fresh nonce, and a fresh salt unless it brings one.
pub(crate) fn seal(
    key: &DataKey,
    owner: Owner<'_>,
    payload: &Payload,
    random: &SystemRandom,
) -> Result<SealedPayload, Error> {
    let mut fresh = [0; NONCE_LEN + SALT_LEN];
    random.fill(&mut fresh).map_err(|_unspecified| Error::Random)?;
    let (nonce, salt) = fresh.split_at(NONCE_LEN);
    let salt = payload.salt.as_ref().map_or(salt, |salt| &salt[..]);
    let head = KEY_ID_LEN + NONCE_LEN;
    let mut stored =
        Vec::with_capacity(head + payload.bytes.len() + SALT_LEN + AES_256_GCM.tag_len());
    stored.extend_from_slice(&key.id.0.to_be_bytes());
    stored.extend_from_slice(nonce);
    stored.extend_from_slice(&payload.bytes);
    stored.extend_from_slice(salt);
    let unique = Nonce::try_assume_unique_for_key(nonce).map_err(|_unspecified| Error::Random)?;
    let tag = key
        .key
        .seal_in_place_separate_tag(unique, owner.aad(), &mut stored[head..])
        .map_err(|_unspecified| Error::Random)?;
    stored.extend_from_slice(tag.as_ref());
    let commitment = Commitment {
        ct_hash: Digest::from_bytes(sha256(&[&stored])),
        pt_commit: commit(salt, &payload.bytes),
    };
    Ok(SealedPayload { stored, commitment })
}

/// The key that a stored payload was sealed with.
pub(crate) fn key_of(stored: &[u8]) -> Option<DataKeyId> {
    stored.first_chunk().map(|id| DataKeyId(u64::from_be_bytes(*id)))
}

/// Compares stored bytes with what the leaf says; needs no key.
pub(crate) fn check(stored: &[u8], commitment: &Commitment) -> Result<(), &'static str> {
    if sha256(&[stored]) == *commitment.ct_hash.as_bytes() {
        Ok(())
    } else {
        Err("the sealed bytes do not fit ct_hash")
    }
}

/// Compares content and salt with what the leaf says; needs no key.
pub(crate) fn check_plain(
    content: &[u8],
    salt: &[u8; SALT_LEN],
    commitment: &Commitment,
) -> Result<(), &'static str> {
    if commit(salt, content) == commitment.pt_commit {
        Ok(())
    } else {
        Err("the content does not fit pt_commit")
    }
}

/// Opens a stored payload and compares it with what the leaf says; the error says what differs.
pub(crate) fn open(
    key: &DataKey,
    owner: Owner<'_>,
    stored: &[u8],
    commitment: &Commitment,
) -> Result<OpenedPayload, &'static str> {
    check(stored, commitment)?;
    let (head, sealed) =
        stored.split_at_checked(KEY_ID_LEN + NONCE_LEN).ok_or("the sealed bytes are too short")?;
    let nonce = Nonce::try_assume_unique_for_key(&head[KEY_ID_LEN..])
        .map_err(|_unspecified| "the nonce cannot be read")?;
    let mut sealed = Zeroizing::new(sealed.to_vec());
    let opened = key
        .key
        .open_in_place(nonce, owner.aad(), &mut sealed)
        .map_err(|_unspecified| "the data key does not open it")?;
    let (plain, salt) = opened.split_last_chunk::<SALT_LEN>().ok_or("the salt is missing")?;
    check_plain(plain, salt, commitment)?;
    Ok(OpenedPayload { payload: Payload::from(plain.to_vec()), salt: *salt })
}

fn commit(salt: &[u8], plaintext: &[u8]) -> Digest {
    Digest::from_bytes(sha256(&[COMMIT_LABEL, salt, plaintext]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner<'_> = Owner {
        project: "sales",
        stream: b"\x01run",
        event_id: EventId::from_bytes([3; 16]),
        index: 0,
    };

    fn sealed(key: &DataKey) -> SealedPayload {
        seal(key, OWNER, &Payload::from(b"hello".to_vec()), &SystemRandom::new()).unwrap()
    }

    #[test]
    fn a_payload_opens_with_its_key_for_its_owner_only() {
        let key = DataKey::new(DataKeyId(7), &[1; 32]).unwrap();
        let SealedPayload { stored, commitment } = sealed(&key);
        let opened = open(&key, OWNER, &stored, &commitment).unwrap();
        assert_eq!(opened.payload.as_bytes(), b"hello");
        assert_eq!(key_of(&stored), Some(DataKeyId(7)));

        let other_key = DataKey::new(DataKeyId(7), &[2; 32]).unwrap();
        assert!(open(&other_key, OWNER, &stored, &commitment).is_err());
        let others = [
            Owner { project: "ops", ..OWNER },
            Owner { stream: b"\x01rum", ..OWNER },
            Owner { event_id: EventId::from_bytes([4; 16]), ..OWNER },
            Owner { index: 1, ..OWNER },
        ];
        for other in others {
            assert!(open(&key, other, &stored, &commitment).is_err(), "{other:?}");
        }
    }

    #[test]
    fn a_changed_byte_of_a_stored_payload_is_an_error() {
        let key = DataKey::new(DataKeyId(7), &[1; 32]).unwrap();
        let SealedPayload { stored, commitment } = sealed(&key);
        for at in 0..stored.len() {
            let mut flipped = stored.clone();
            flipped[at] ^= 1;
            assert!(open(&key, OWNER, &flipped, &commitment).is_err(), "byte {at}");
        }
        let swapped = Commitment { pt_commit: Digest::of(b"other"), ..commitment };
        assert_eq!(open(&key, OWNER, &stored, &swapped), Err("the content does not fit pt_commit"));
    }

    #[test]
    fn the_same_content_is_sealed_differently_each_time() {
        let key = DataKey::new(DataKeyId(7), &[1; 32]).unwrap();
        let (first, second) = (sealed(&key), sealed(&key));
        assert_ne!(first.stored, second.stored);
        assert_ne!(first.commitment.pt_commit, second.commitment.pt_commit);
    }

    #[test]
    fn a_payload_with_a_salt_of_its_own_is_committed_to_with_that() {
        let key = DataKey::new(DataKeyId(7), &[1; 32]).unwrap();
        let payload = Payload::salted(b"hello".to_vec(), [5; SALT_LEN]);
        let sealed = seal(&key, OWNER, &payload, &SystemRandom::new()).unwrap();
        let expected = placet_model::signed::text_digest(&[5; SALT_LEN], "hello");
        assert_eq!(sealed.commitment.pt_commit, expected);
        let opened = open(&key, OWNER, &sealed.stored, &sealed.commitment).unwrap();
        assert_eq!(opened.salt, [5; SALT_LEN]);
    }

    #[test]
    fn debug_shows_digest_and_length_only() {
        let text = format!("{:?}", Payload::from(b"ana@example.com".to_vec()));
        assert!(!text.contains("ana"), "{text}");
        assert!(text.contains("15 bytes"), "{text}");
    }
}
