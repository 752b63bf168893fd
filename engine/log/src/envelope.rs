//! The leaf: the fixed, hand-written header of an event, and the bytes that the Merkle tree and
//! every auditor hash.
//!
//! Never changed once released; never holds content or personal data. All numbers are big-endian.
//!
//! ```text
//!   0  magic          u8    0x50, "P"
//!   1  leaf version   u8    1
//!   2  type id        u16   which event
//!   4  type version   u16   which frozen body
//!   6  flags          u8    bit 0 causation is there, bit 1 correlation is there
//!   7  project length u8
//!   8  position       u64   from 1
//!  16  revision       u64   from 1
//!  24  event id       16
//!  40  recorded at    i64   ms since 1970 UTC
//!  48  body digest    32    SHA-256 of the postcard body
//!  80  causation      16    zeros when absent
//!  96  correlation    16    zeros when absent
//! 112  project        UTF-8
//!      stream         length u16 | kind u8 | 16 bytes of id, or UTF-8
//!      actor          length u8 | "engine" or "principal:<name>"
//!      payloads       count u16 | (ct_hash 32 | pt_commit 32) each
//! ```

use placet_model::{
    Actor, Digest, EventId, IntegrationId, Position, Revision, RunId, StreamId, Timestamp,
};

/// A leaf is at most this long, as an entry of a tlog-tiles bundle has a 16-bit length.
pub const LEAF_MAX: usize = 65_535;
/// At most this many payloads per event.
pub const PAYLOADS_MAX: usize = 512;
/// At most this many bytes of project name.
pub const PROJECT_MAX: usize = 128;
/// At most this many bytes of a stream's text name.
pub const STREAM_MAX: usize = 512;

const MAGIC: u8 = 0x50;
const VERSION: u8 = 1;
const FIXED: usize = 112;
const HAS_CAUSATION: u8 = 1;
const HAS_CORRELATION: u8 = 2;

/// What a leaf says about one payload.
///
/// Both are needed: AES-GCM does not commit to its key, so a digest of the ciphertext alone would
/// let one ciphertext open to two texts; and the salt inside the ciphertext stops guessing the
/// text once it is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment {
    /// SHA-256 of the stored bytes.
    pub ct_hash: Digest,
    /// SHA-256("placet-pt-v1" | salt 32 | plaintext).
    pub pt_commit: Digest,
}

/// A decoded leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<'l> {
    /// Which event.
    pub type_id: u16,
    /// Which frozen body of it.
    pub type_version: u16,
    /// Place in the log.
    pub position: Position,
    /// The project whose log this is.
    pub project: &'l str,
    /// Whose event it is.
    pub stream: StreamId,
    /// Place in the stream.
    pub revision: Revision,
    /// Its id.
    pub event_id: EventId,
    /// Log time.
    pub recorded_at: Timestamp,
    /// Who caused it.
    pub actor: Actor,
    /// The event that led to it.
    pub causation: Option<EventId>,
    /// The first event of the whole story.
    pub correlation: Option<EventId>,
    /// SHA-256 of the body.
    pub body_digest: Digest,
    /// One commitment per payload.
    pub payloads: Vec<Commitment>,
}

/// The stream as it stands in leaves and keys: kind u8, then 16 bytes of id or UTF-8.
pub fn stream_key(stream: &StreamId) -> Vec<u8> {
    let (kind, rest): (u8, &[u8]) = match stream {
        StreamId::Run(id) => (1, &id.to_bytes()),
        StreamId::Integration(id) => (2, &id.to_bytes()),
        StreamId::Policy => (3, &[]),
        StreamId::Project => (4, &[]),
        StreamId::Workflow(name) => (5, name.as_bytes()),
        StreamId::Adapter(provider) => (6, provider.as_bytes()),
        StreamId::Events => (7, &[]),
        StreamId::Checkpoints => (8, &[]),
        StreamId::Notices => (9, &[]),
    };
    let mut key = Vec::with_capacity(1 + rest.len());
    key.push(kind);
    key.extend_from_slice(rest);
    key
}

/// The stream that these bytes name, if any.
pub fn stream_of(key: &[u8]) -> Option<StreamId> {
    let (kind, rest) = key.split_first()?;
    let id = || <[u8; 16]>::try_from(rest).ok();
    let text = || std::str::from_utf8(rest).ok().filter(|text| !text.is_empty()).map(str::to_owned);
    match kind {
        1 => id().map(|bytes| StreamId::Run(RunId::from_bytes(bytes))),
        2 => id().map(|bytes| StreamId::Integration(IntegrationId::from_bytes(bytes))),
        3 => rest.is_empty().then_some(StreamId::Policy),
        4 => rest.is_empty().then_some(StreamId::Project),
        5 => text().map(StreamId::Workflow),
        6 => text().map(StreamId::Adapter),
        7 => rest.is_empty().then_some(StreamId::Events),
        8 => rest.is_empty().then_some(StreamId::Checkpoints),
        9 => rest.is_empty().then_some(StreamId::Notices),
        _ => None,
    }
}

/// Why bytes are no leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the leaf's {field} cannot be read")]
pub struct Malformed {
    /// The field at fault.
    pub field: &'static str,
}

impl Envelope<'_> {
    /// The leaf bytes.
    ///
    /// # Errors
    /// [`Malformed`] when a field is longer than its length can say.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let mut leaf = Vec::with_capacity(FIXED + 96 + 64 * self.payloads.len());
        let flags = u8::from(self.causation.is_some()) * HAS_CAUSATION
            + u8::from(self.correlation.is_some()) * HAS_CORRELATION;
        leaf.extend_from_slice(&[MAGIC, VERSION]);
        leaf.extend_from_slice(&self.type_id.to_be_bytes());
        leaf.extend_from_slice(&self.type_version.to_be_bytes());
        leaf.extend_from_slice(&[flags, short_length(self.project.len(), PROJECT_MAX, "project")?]);
        leaf.extend_from_slice(&self.position.get().to_be_bytes());
        leaf.extend_from_slice(&self.revision.get().to_be_bytes());
        leaf.extend_from_slice(&self.event_id.to_bytes());
        leaf.extend_from_slice(&self.recorded_at.as_millis().to_be_bytes());
        leaf.extend_from_slice(self.body_digest.as_bytes());
        leaf.extend_from_slice(&self.causation.map_or([0; 16], EventId::to_bytes));
        leaf.extend_from_slice(&self.correlation.map_or([0; 16], EventId::to_bytes));
        leaf.extend_from_slice(self.project.as_bytes());
        let stream = stream_key(&self.stream);
        leaf.extend_from_slice(&length(stream.len(), STREAM_MAX, "stream")?.to_be_bytes());
        leaf.extend_from_slice(&stream);
        let actor = self.actor.to_string();
        leaf.push(short_length(actor.len(), usize::from(u8::MAX), "actor")?);
        leaf.extend_from_slice(actor.as_bytes());
        let count = length(self.payloads.len(), PAYLOADS_MAX, "payload count")?;
        leaf.extend_from_slice(&count.to_be_bytes());
        for commitment in &self.payloads {
            leaf.extend_from_slice(commitment.ct_hash.as_bytes());
            leaf.extend_from_slice(commitment.pt_commit.as_bytes());
        }
        Ok(leaf)
    }
}

impl<'l> Envelope<'l> {
    /// Reads a leaf; every byte must have its meaning, none may be left over.
    ///
    /// # Errors
    /// [`Malformed`] with the first field that cannot be read.
    pub fn decode(leaf: &'l [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader { rest: leaf };
        if reader.array::<2>("magic")? != [MAGIC, VERSION] {
            return Err(Malformed { field: "magic and version" });
        }
        let type_id = u16::from_be_bytes(reader.array("type id")?);
        let type_version = u16::from_be_bytes(reader.array("type version")?);
        let [flags, project_length] = reader.array("flags")?;
        if flags & !(HAS_CAUSATION | HAS_CORRELATION) != 0 {
            return Err(Malformed { field: "flags" });
        }
        let position = Position::new(u64::from_be_bytes(reader.array("position")?));
        let revision = Revision::new(u64::from_be_bytes(reader.array("revision")?));
        let event_id = EventId::from_bytes(reader.array("event id")?);
        let recorded_at = Timestamp::from_millis(i64::from_be_bytes(reader.array("recorded at")?));
        let body_digest = Digest::from_bytes(reader.array("body digest")?);
        let causation = reader.optional_id(flags & HAS_CAUSATION != 0, "causation")?;
        let correlation = reader.optional_id(flags & HAS_CORRELATION != 0, "correlation")?;
        let project = reader.text(usize::from(project_length), "project")?;
        let stream_length = u16::from_be_bytes(reader.array("stream length")?);
        let stream = stream_of(reader.bytes(usize::from(stream_length), "stream")?)
            .ok_or(Malformed { field: "stream" })?;
        let [actor_length] = reader.array("actor length")?;
        let actor = reader.text(usize::from(actor_length), "actor")?;
        let actor = actor.parse().map_err(|_ignored| Malformed { field: "actor" })?;
        let payloads = reader.commitments()?;
        if !reader.rest.is_empty() {
            return Err(Malformed { field: "end" });
        }
        Ok(Self {
            type_id,
            type_version,
            position,
            project,
            stream,
            revision,
            event_id,
            recorded_at,
            actor,
            causation,
            correlation,
            body_digest,
            payloads,
        })
    }
}

fn length(actual: usize, max: usize, field: &'static str) -> Result<u16, Malformed> {
    u16::try_from(actual).ok().filter(|_| actual <= max).ok_or(Malformed { field })
}

fn short_length(actual: usize, max: usize, field: &'static str) -> Result<u8, Malformed> {
    u8::try_from(actual).ok().filter(|_| actual <= max).ok_or(Malformed { field })
}

struct Reader<'l> {
    rest: &'l [u8],
}

impl<'l> Reader<'l> {
    fn bytes(&mut self, count: usize, field: &'static str) -> Result<&'l [u8], Malformed> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(Malformed { field })?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Malformed { field })?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn text(&mut self, count: usize, field: &'static str) -> Result<&'l str, Malformed> {
        std::str::from_utf8(self.bytes(count, field)?).map_err(|_ignored| Malformed { field })
    }

    fn optional_id(
        &mut self,
        there: bool,
        field: &'static str,
    ) -> Result<Option<EventId>, Malformed> {
        let bytes = self.array::<16>(field)?;
        match (there, bytes == [0; 16]) {
            (true, _) => Ok(Some(EventId::from_bytes(bytes))),
            (false, true) => Ok(None),
            (false, false) => Err(Malformed { field }),
        }
    }

    fn commitments(&mut self) -> Result<Vec<Commitment>, Malformed> {
        let field = "payloads";
        let count = u16::from_be_bytes(self.array(field)?);
        if usize::from(count) > PAYLOADS_MAX {
            return Err(Malformed { field });
        }
        (0..count)
            .map(|_| {
                let ct_hash = Digest::from_bytes(self.array(field)?);
                let pt_commit = Digest::from_bytes(self.array(field)?);
                Ok(Commitment { ct_hash, pt_commit })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(payloads: usize, causation: Option<EventId>) -> Envelope<'static> {
        let commitment =
            Commitment { ct_hash: Digest::of(b"sealed"), pt_commit: Digest::of(b"plain") };
        Envelope {
            type_id: 1,
            type_version: 1,
            position: Position::new(7),
            project: "sales",
            stream: StreamId::Workflow("ops/heartbeat".into()),
            revision: Revision::new(3),
            event_id: EventId::from_bytes([9; 16]),
            recorded_at: Timestamp::from_millis(-1),
            actor: Actor::Principal("ana".parse().unwrap()),
            causation,
            correlation: None,
            body_digest: Digest::of(b"body"),
            payloads: vec![commitment; payloads],
        }
    }

    #[test]
    fn a_leaf_decodes_to_what_was_encoded() {
        for payloads in [0, 1, PAYLOADS_MAX] {
            for causation in [None, Some(EventId::from_bytes([1; 16]))] {
                let envelope = envelope(payloads, causation);
                let leaf = envelope.encode().unwrap();
                assert!(leaf.len() <= LEAF_MAX);
                assert_eq!(Envelope::decode(&leaf), Ok(envelope));
            }
        }
    }

    #[test]
    fn no_byte_of_a_leaf_is_without_meaning() {
        let leaf = envelope(2, None).encode().unwrap();
        for at in 0..leaf.len() {
            for bit in 0..8 {
                let mut flipped = leaf.clone();
                flipped[at] ^= 1 << bit;
                if let Ok(decoded) = Envelope::decode(&flipped) {
                    assert_ne!(decoded, envelope(2, None), "byte {at} bit {bit}");
                    assert_eq!(decoded.encode().unwrap(), flipped, "byte {at} bit {bit}");
                }
            }
        }
    }

    #[test]
    fn a_shorter_or_longer_leaf_is_refused() {
        let leaf = envelope(1, None).encode().unwrap();
        for end in 0..leaf.len() {
            assert!(Envelope::decode(&leaf[..end]).is_err(), "{end}");
        }
        let longer = [leaf, vec![0]].concat();
        assert_eq!(Envelope::decode(&longer), Err(Malformed { field: "end" }));
    }

    #[test]
    fn too_many_payloads_are_refused() {
        let error = envelope(PAYLOADS_MAX + 1, None).encode().unwrap_err();
        assert_eq!(error, Malformed { field: "payload count" });
    }
}
