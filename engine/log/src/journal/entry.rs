//! One entry of the journal, as bytes.

use super::rows::Rows;
use super::{BLOCK, INSTALL_LEN};
use crate::check;
use crate::head::Head;
use placet_model::Position;

pub(super) const MAGIC: [u8; 8] = *b"placet-j";
const HEAD_LEN: usize = 56;
/// Magic, install id, generation, first position, length of the rows.
const FRONT_LEN: usize = MAGIC.len() + INSTALL_LEN + 8 + 8 + 4;
const CHECK_KEY: &[u8] = b"journal";

/// Writes an entry behind what `entry` holds, without the zeros up to the next block.
pub(super) fn encode(
    entry: &mut Vec<u8>,
    (install_id, generation, first): ([u8; INSTALL_LEN], u64, Position),
    head: &Head,
    rows: &Rows,
) {
    entry.extend_from_slice(&MAGIC);
    entry.extend_from_slice(&install_id);
    entry.extend_from_slice(&generation.to_be_bytes());
    entry.extend_from_slice(&first.get().to_be_bytes());
    let length = u32::try_from(rows.0.len()).unwrap_or(u32::MAX);
    entry.extend_from_slice(&length.to_be_bytes());
    entry.extend_from_slice(&head.encode());
    entry.extend_from_slice(&rows.0);
    check::seal(CHECK_KEY, entry);
}

/// An entry as it is found.
#[derive(Debug)]
pub(super) struct Entry<'f> {
    pub(super) generation: u64,
    pub(super) first: u64,
    pub(super) head: Head,
    pub(super) rows: &'f [u8],
    /// Bytes that it takes up.
    pub(super) length: usize,
}

/// A whole entry of this log that begins here.
pub(super) fn decode(bytes: &[u8], install_id: [u8; INSTALL_LEN]) -> Option<Entry<'_>> {
    let rest = bytes.strip_prefix(&MAGIC)?.strip_prefix(&install_id)?;
    let (generation, rest) = rest.split_first_chunk()?;
    let (first, rest) = rest.split_first_chunk()?;
    let (length, _) = rest.split_first_chunk()?;
    let rows = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let sealed = bytes.get(..FRONT_LEN + HEAD_LEN + rows.checked_add(check::CHECK_LEN)?)?;
    let content = check::open(CHECK_KEY, sealed)?;
    let (head, rows) = content.get(FRONT_LEN..)?.split_at_checked(HEAD_LEN)?;
    Some(Entry {
        generation: u64::from_be_bytes(*generation),
        first: u64::from_be_bytes(*first),
        head: Head::decode(head)?,
        rows,
        length: sealed.len().next_multiple_of(BLOCK),
    })
}
