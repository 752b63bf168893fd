//! The row of one event: leaf, body, and the stored hashes that the event completes.
//!
//! ```text
//! leaf length u16 | leaf | body length u32 | body | node count u8 | nodes 32 each | check 8
//! ```
//!
//! Every byte is covered: the leaf by its hash (the first node), the body by its digest in the
//! leaf, the nodes by the check, the lengths by having to add up. [`Record::open`] recomputes all
//! of it on every read; there is no way to an event that skips it.

use crate::check;
use crate::codec;
use crate::envelope::Envelope;
use crate::tree;
use crate::{Error, check::sha256};
use placet_model::{Digest, Position, RecordedEvent};

/// Writes the row.
pub(crate) fn encode(leaf: &[u8], body: &[u8], nodes: &[Digest]) -> Vec<u8> {
    let nodes_len = nodes.len() * Digest::LEN;
    let mut row = Vec::with_capacity(leaf.len() + body.len() + nodes_len + 15);
    let leaf_len = u16::try_from(leaf.len()).expect("a leaf is checked against LEAF_MAX");
    let body_len = u32::try_from(body.len()).expect("a body is checked against BODY_MAX");
    let count = u8::try_from(nodes.len()).expect("a position has at most 65 nodes");
    row.extend_from_slice(&leaf_len.to_be_bytes());
    row.extend_from_slice(leaf);
    row.extend_from_slice(&body_len.to_be_bytes());
    row.extend_from_slice(body);
    row.push(count);
    let start = row.len();
    for node in nodes {
        row.extend_from_slice(node.as_bytes());
    }
    let check = check::of(b"nodes", &row[start..]);
    row.extend_from_slice(&check);
    row
}

/// A row that was read and found whole.
#[derive(Debug, Clone)]
pub struct Record<'r> {
    /// The leaf bytes, as hashed.
    pub leaf: &'r [u8],
    /// The leaf, decoded.
    pub envelope: Envelope<'r>,
    /// The postcard body.
    pub body: &'r [u8],
    /// The stored hashes that the event completes, its leaf hash first.
    pub nodes: &'r [[u8; Digest::LEN]],
}

impl<'r> Record<'r> {
    /// Checks the row found at `position` of the log of `project`.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a byte of it is not what was written.
    pub(crate) fn open(position: Position, project: &str, row: &'r [u8]) -> Result<Self, Error> {
        let damaged = |what: &str| Error::Damaged { position, what: what.to_owned() };
        let parts = split(row).ok_or_else(|| damaged("the row's lengths do not add up"))?;
        let nodes = parts.nodes.as_chunks().0;
        #[cfg(placet_mutants)]
        if placet_mutants::is_planted(placet_mutants::Mutant::DigestNotChecked) {
            let envelope =
                Envelope::decode(parts.leaf).map_err(|error| damaged(&error.to_string()))?;
            return Ok(Self { leaf: parts.leaf, envelope, body: parts.body, nodes });
        }
        if check::of(b"nodes", parts.nodes) != *parts.check
            || nodes.len() != tree::completed_by(position.get().wrapping_sub(1))
        {
            return Err(damaged("its tree hashes do not fit their check"));
        }
        let described = || describe(parts.leaf);
        if nodes.first() != Some(tree::leaf_hash(parts.leaf).as_bytes()) {
            return Err(damaged(&format!("the leaf does not fit its hash{}", described())));
        }
        let envelope = Envelope::decode(parts.leaf).map_err(|error| damaged(&error.to_string()))?;
        if envelope.position != position {
            return Err(damaged(&format!("it belongs to another position{}", described())));
        }
        if envelope.project != project {
            return Err(damaged(&format!("it belongs to another project{}", described())));
        }
        if sha256(&[parts.body]) != *envelope.body_digest.as_bytes() {
            return Err(damaged(&format!("the body does not fit its digest{}", described())));
        }
        Ok(Self { leaf: parts.leaf, envelope, body: parts.body, nodes })
    }

    /// The event, decoded.
    ///
    /// # Errors
    /// [`Error::UnknownEvent`] for a type or version from the future, [`Error::Damaged`] for a
    /// body that its type cannot hold.
    pub fn event(&self) -> Result<RecordedEvent, Error> {
        recorded(&self.envelope, self.body)
    }
}

/// The event that a leaf and a body say together; whether they belong to each other is checked
/// before.
pub(crate) fn recorded(envelope: &Envelope<'_>, body: &[u8]) -> Result<RecordedEvent, Error> {
    let event = codec::decode(envelope.type_id, envelope.type_version, body)
        .map_err(|error| error.at(envelope.position))?;
    Ok(RecordedEvent {
        position: envelope.position,
        stream: envelope.stream.clone(),
        revision: envelope.revision,
        event_id: envelope.event_id,
        recorded_at: envelope.recorded_at,
        actor: envelope.actor.clone(),
        causation: envelope.causation,
        correlation: envelope.correlation,
        event,
    })
}

/// [`Record::event`], for where a closure over any lifetime is wanted.
pub(crate) fn event_of(record: &Record<'_>) -> Result<RecordedEvent, Error> {
    record.event()
}

struct Parts<'r> {
    leaf: &'r [u8],
    body: &'r [u8],
    nodes: &'r [u8],
    check: &'r [u8; check::CHECK_LEN],
}

fn split(row: &[u8]) -> Option<Parts<'_>> {
    let (leaf_len, rest) = row.split_first_chunk()?;
    let (leaf, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*leaf_len)))?;
    let (body_len, rest) = rest.split_first_chunk()?;
    let body_len = usize::try_from(u32::from_be_bytes(*body_len)).ok()?;
    let (body, rest) = rest.split_at_checked(body_len)?;
    let (count, rest) = rest.split_first()?;
    let (nodes, check) = rest.split_at_checked(usize::from(*count) * Digest::LEN)?;
    Some(Parts { leaf, body, nodes, check: check.try_into().ok()? })
}

/// Type and stream of a leaf that may itself be damaged, for an error message.
fn describe(leaf: &[u8]) -> String {
    match Envelope::decode(leaf) {
        Ok(envelope) => {
            let name = codec::name_of(envelope.type_id).unwrap_or("event of unknown type");
            format!("; it reads as {name} of {} at revision {}", envelope.stream, envelope.revision)
        }
        Err(_) => String::new(),
    }
}
