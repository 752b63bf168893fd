//! Deleting the payload rows of a stream, after its keys were destroyed.

use crate::BoxError;
use crate::storage::File;
use crate::tables::{PAYLOADS, STREAM_KEYS, STREAMS};
use placet_model::DataKeyId;
use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};

const DOING: &str = "erasing payloads";

/// Deletes the stream's payloads and marks its keys as destroyed; returns how many rows there
/// were.
pub(crate) fn delete_payloads(
    tx: &WriteTransaction,
    stream: &[u8],
    keys: &[DataKeyId],
    file: &File,
) -> Result<usize, BoxError> {
    let mut gone = 0;
    let mut last = 0;
    {
        let streams = tx.open_table(STREAMS).map_err(file.err(DOING))?;
        let mut payloads = tx.open_table(PAYLOADS).map_err(file.err(DOING))?;
        for row in streams.range((stream, 0)..=(stream, u64::MAX)).map_err(file.err(DOING))? {
            let (first, count) = row.map_err(file.err(DOING))?.1.value();
            let range = (first, 0)..(first + u64::from(count), 0);
            let before = payloads.len().map_err(file.err(DOING))?;
            payloads.retain_in(range, |_, _| false).map_err(file.err(DOING))?;
            let after = payloads.len().map_err(file.err(DOING))?;
            gone += usize::try_from(before - after)?;
            last = first + u64::from(count) - 1;
        }
    }
    let mut stream_keys = tx.open_table(STREAM_KEYS).map_err(file.err(DOING))?;
    for key in keys {
        stream_keys.insert((stream, key.0), last).map_err(file.err(DOING))?;
    }
    Ok(gone)
}
