//! The stream index: from a revision to a position, and where a stream ends.
//!
//! Looks up only; whoever reads the event found must compare its stream and revision, as the
//! index carries no digest.

use placet_model::{Position, Revision};
use redb::{ReadableTable, StorageError};

/// The table of [`crate::tables::STREAMS`], in a read or a write transaction.
pub(crate) trait Streams: ReadableTable<(&'static [u8], u64), (u64, u32)> {}
impl<T: ReadableTable<(&'static [u8], u64), (u64, u32)>> Streams for T {}

/// The last append at or before `revision`: first revision, first position, count.
fn append_at(
    streams: &impl Streams,
    key: &[u8],
    revision: u64,
) -> Result<Option<(u64, u64, u32)>, StorageError> {
    let Some(row) = streams.range((key, 0)..=(key, revision))?.next_back() else {
        return Ok(None);
    };
    let (at, place) = row?;
    let (first_position, count) = place.value();
    Ok(Some((at.value().1, first_position, count)))
}

/// Where the event at `revision` stands in the log.
pub(crate) fn locate(
    streams: &impl Streams,
    key: &[u8],
    revision: Revision,
) -> Result<Option<Position>, StorageError> {
    let found = append_at(streams, key, revision.get())?;
    Ok(found.and_then(|(first, position, count)| {
        let offset = revision.get() - first;
        (offset < u64::from(count)).then(|| Position::new(position).plus(offset))
    }))
}

/// The revision of the last event of a stream; [`Revision::START`] when it has none.
pub(crate) fn last_revision(streams: &impl Streams, key: &[u8]) -> Result<Revision, StorageError> {
    let found = append_at(streams, key, u64::MAX)?;
    Ok(found.map_or(Revision::START, |(first, _, count)| {
        Revision::new(first + u64::from(count).saturating_sub(1))
    }))
}
