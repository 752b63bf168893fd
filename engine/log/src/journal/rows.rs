//! The rows of a batch: put down as they are written into redb, and written into redb again from there.

use super::DOING;
use super::replay::Found;
use crate::erase::{self, Erasable};
use crate::storage::File;
use crate::tables::{
    APART, EVENTS, PAYLOADS, STREAM_KEYS, STREAMS, SUBJECTS, SUBJECTS_OF, UNPLACED,
};
use crate::{Error, envelope};
use placet_model::Position;
use redb::{Key, StorageError, Table, TableDefinition, Value, WriteTransaction};

/// Which table a row belongs to, or what is erased. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Events = 1,
    Streams = 2,
    Unplaced = 3,
    Payloads = 4,
    StreamKeys = 5,
    Apart = 6,
    Subjects = 7,
    SubjectsOf = 8,
    EraseStream = 9,
    EraseArrival = 10,
}

impl Which {
    fn of(number: u8) -> Option<Self> {
        let all = [
            Self::Events,
            Self::Streams,
            Self::Unplaced,
            Self::Payloads,
            Self::StreamKeys,
            Self::Apart,
            Self::Subjects,
            Self::SubjectsOf,
            Self::EraseStream,
            Self::EraseArrival,
        ];
        all.into_iter().find(|which| *which as u8 == number)
    }
}

/// The rows of a batch, as they are written into redb.
#[derive(Debug, Default)]
pub(crate) struct Rows(pub(super) Vec<u8>);

impl Rows {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    fn push(&mut self, which: Which, key: &[u8], value: &[u8]) {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
        self.0.push(which as u8);
        self.0.extend_from_slice(&length(key));
        self.0.extend_from_slice(&length(value));
        self.0.extend_from_slice(key);
        self.0.extend_from_slice(value);
    }

    /// Writes a row into its table, and puts it down.
    pub(crate) fn insert<K: Key + 'static, V: Value + 'static>(
        &mut self,
        (table, which): (&mut Table<'_, K, V>, Which),
        key: &K::SelfType<'_>,
        value: &V::SelfType<'_>,
    ) -> Result<(), StorageError> {
        self.push(which, K::as_bytes(key).as_ref(), V::as_bytes(value).as_ref());
        table.insert(key, value).map(drop)
    }

    /// Puts down what is erased behind all rows of the batch.
    pub(crate) fn erase(&mut self, what: &Erasable) {
        match what {
            Erasable::Stream(stream) => {
                self.push(Which::EraseStream, &envelope::stream_key(stream), &[]);
            }
            Erasable::Arrival(position) => {
                self.push(Which::EraseArrival, &position.get().to_be_bytes(), &[]);
            }
        }
    }
}

/// Writes the rows of an entry into their tables, and erases what it erased.
pub(super) fn put(
    tx: &WriteTransaction,
    rows: &[u8],
    (found, file): (&Found<'_>, &File),
) -> Result<(), Error> {
    let mut rest = rows;
    while !rest.is_empty() {
        let (row, behind) = row(rest).ok_or_else(|| found.damaged("a row of it cannot be read"))?;
        rest = behind;
        let Row { which, key, value } = row;
        match which {
            Which::Events => again((tx, file), EVENTS, key, value)?,
            Which::Streams => again((tx, file), STREAMS, key, value)?,
            Which::Unplaced => again((tx, file), UNPLACED, key, value)?,
            Which::Payloads => again((tx, file), PAYLOADS, key, value)?,
            Which::StreamKeys => again((tx, file), STREAM_KEYS, key, value)?,
            Which::Apart => again((tx, file), APART, key, value)?,
            Which::Subjects => again((tx, file), SUBJECTS, key, value)?,
            Which::SubjectsOf => again((tx, file), SUBJECTS_OF, key, value)?,
            Which::EraseStream | Which::EraseArrival => {
                let what = erasable(which, key)
                    .ok_or_else(|| found.damaged("an erasure in it cannot be read"))?;
                erase::delete(tx, &what, file).map(drop)?;
            }
        }
    }
    Ok(())
}

/// A row as it is found.
struct Row<'f> {
    which: Which,
    key: &'f [u8],
    value: &'f [u8],
}

/// The first row, and what is behind it.
fn row(bytes: &[u8]) -> Option<(Row<'_>, &[u8])> {
    let (which, rest) = bytes.split_first()?;
    let (key, rest) = rest.split_first_chunk()?;
    let (value, rest) = rest.split_first_chunk()?;
    let length = |bytes: &[u8; 4]| usize::try_from(u32::from_be_bytes(*bytes)).ok();
    let (key, rest) = rest.split_at_checked(length(key)?)?;
    let (value, rest) = rest.split_at_checked(length(value)?)?;
    Some((Row { which: Which::of(*which)?, key, value }, rest))
}

fn erasable(which: Which, key: &[u8]) -> Option<Erasable> {
    if which == Which::EraseStream {
        return envelope::stream_of(key).map(Erasable::Stream);
    }
    let position = key.try_into().ok()?;
    Some(Erasable::Arrival(Position::new(u64::from_be_bytes(position))))
}

fn again<K: Key + 'static, V: Value + 'static>(
    (tx, file): (&WriteTransaction, &File),
    table: TableDefinition<'_, K, V>,
    key: &[u8],
    value: &[u8],
) -> Result<(), Error> {
    let mut table = tx.open_table(table).map_err(file.err(DOING))?;
    table.insert(K::from_bytes(key), V::from_bytes(value)).map(drop).map_err(file.err(DOING))
}
