//! The tables of `log.redb` and `keys.redb`, each with its layout drawn.
//!
//! Only this crate writes them; projections keep their own tables (`proj_…`) in the same file and
//! never open these. All numbers are big-endian. A layout is a contract: a change is a new
//! `FORMAT` and a migration, never an edit.
//!
//! Rows of one three-step run: 11 events, 4 stream index rows, its payload rows, 1 stream key row.

use redb::TableDefinition;

/// The layout that this crate writes: 2 has a journal beside it ([`crate::journal`]).
pub(crate) const FORMAT: u16 = 2;
/// The oldest layout that it reads: all of it is there in 2, and it becomes 2 with its first append.
pub(crate) const FORMAT_OLDEST: u16 = 1;

/// `name → bytes`, three rows.
///
/// ```text
/// "log"   format u16 | install id 16 | key fingerprint 8 | project (UTF-8, to the check) | check 8
///         written once, when the log is made
/// "head"  size u64 | recorded_at i64 (ms) | root 32 | check 8
///         written by every commit: a log whose last rows went missing is noticed
/// "journal" in use u8 | generation u64 | check 8
///         written by durable commits: which entries of the journal belong to the file
/// ```
pub(crate) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// `position → row`, one per event; see [`crate::record`] for the row and
/// [`crate::envelope`] for the leaf in it.
///
/// ```text
/// leaf length u16 | leaf | body length u32 | body | node count u8 | nodes 32 each | check 8
/// ```
///
/// The tree has no table of its own: in RFC 6962 order the event at position `p` completes its
/// leaf hash and the hashes of every subtree that ends with it, so they stand in its row.
pub(crate) const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");

/// `(stream, first revision) → (first position, count)`, one per append.
///
/// The events of an append are contiguous in the log and in their stream, so the event at a
/// revision is found by one look-up backwards. The stream is written as in the leaf
/// ([`crate::envelope::stream_key`]).
pub(crate) const STREAMS: TableDefinition<'_, (&[u8], u64), (u64, u32)> =
    TableDefinition::new("streams");

/// `(stream, id of the first event) → first position`, only for appends that expect nothing.
///
/// An append with an exact expectation is found again in its stream, at the place it expected;
/// one without has no such place. Event ids are ordered by time, so this writes at the right edge.
pub(crate) const UNPLACED: TableDefinition<'_, (&[u8], &[u8; 16]), u64> =
    TableDefinition::new("unplaced");

/// `(position, n) → key id u64 | nonce 12 | AES-256-GCM(plaintext | salt 32) | tag 16`.
///
/// The n-th payload of an event, sealed with the data key of its stream; see [`crate::payload`].
pub(crate) const PAYLOADS: TableDefinition<'_, (u64, u16), &[u8]> =
    TableDefinition::new("payloads");

/// The payloads as compaction writes them anew; it takes the name of the other in the end.
pub(crate) const PAYLOADS_NEW: TableDefinition<'_, (u64, u16), &[u8]> =
    TableDefinition::new("payloads.new");

/// Rows of zeros, there while compaction writes over free pages.
pub(crate) const FILLER: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("filler");

/// `(stream, data key id) → erased until (position), 0 while the key lives`.
///
/// Which keys seal the payloads of a stream, so that erasing the stream destroys all of them; a
/// payload row may be missing only up to the position in such a row.
pub(crate) const STREAM_KEYS: TableDefinition<'_, (&[u8], u64), u64> =
    TableDefinition::new("stream_keys");

/// `position → (data key id, erased: 0 or 1)`, for events that came from outside.
///
/// Each of them is sealed with a key of its own, so that one can be erased and its neighbours stay;
/// its payload rows may be missing only when the row says 1. Made with the first such event: events
/// that were recorded before this table was, share the key of their stream. One of those that is
/// erased has a row with 1 and that key, which lives on.
pub(crate) const APART: TableDefinition<'_, u64, (u64, u8)> = TableDefinition::new("apart");

/// `data key id → ()`: keys whose erasure is recorded, and which may still be in `keys.redb`.
///
/// Written in the transaction that deletes what they sealed, emptied once they are destroyed: two
/// files have no common transaction, so an erasure that was cut short is finished by the next open.
pub(crate) const ERASING: TableDefinition<'_, u64, ()> = TableDefinition::new("erasing");

/// `(pseudonym 32, stream, position) → ()`: which content is about whom; see [`crate::subjects`].
///
/// Position 0 stands for all of the stream, any other for one event that is sealed apart.
pub(crate) const SUBJECTS: TableDefinition<'_, (&[u8; 32], &[u8], u64), ()> =
    TableDefinition::new("subjects");

/// `(stream, position, pseudonym 32) → ()`: the same the other way round, to forget it with the
/// content.
pub(crate) const SUBJECTS_OF: TableDefinition<'_, (&[u8], u64, &[u8; 32]), ()> =
    TableDefinition::new("subjects_of");

/// In `keys.redb`: `data key id → nonce 12 | AES-256-GCM(data key 32) | tag 16`, wrapped by the
/// project key. Destroying a key is deleting its row.
pub(crate) const DATA_KEYS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("data_keys");

/// In `keys.redb`: `"next" → first id never given to a key`.
pub(crate) const KEY_COUNTER: TableDefinition<'_, &str, u64> = TableDefinition::new("key_counter");
