//! The head of the log: its row, and the watch that others wait on.

use crate::check;
use crate::storage::File;
use crate::{Error, tree};
use placet_model::{Digest, Position, Timestamp};
use redb::ReadableTable;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const ROW: &str = "head";

/// The last commit: how many events, the last log time, and the root of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Events in the log, which is the position of the last one.
    pub size: u64,
    /// Log time of the last event.
    pub recorded_at: Timestamp,
    /// Root of the Merkle tree over all leaves.
    pub root: Digest,
}

impl Head {
    /// The head of an empty log.
    pub(crate) fn empty() -> Self {
        Self { size: 0, recorded_at: Timestamp::EPOCH, root: tree::empty_root() }
    }

    /// Position of the last event.
    pub const fn position(&self) -> Position {
        Position::new(self.size)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(56);
        row.extend_from_slice(&self.size.to_be_bytes());
        row.extend_from_slice(&self.recorded_at.as_millis().to_be_bytes());
        row.extend_from_slice(self.root.as_bytes());
        check::seal(ROW.as_bytes(), &mut row);
        row
    }

    pub(crate) fn decode(row: &[u8]) -> Option<Self> {
        let row: &[u8; 48] = check::open(ROW.as_bytes(), row)?.try_into().ok()?;
        let (size, rest) = row.split_first_chunk()?;
        let (recorded_at, root) = rest.split_first_chunk()?;
        Some(Self {
            size: u64::from_be_bytes(*size),
            recorded_at: Timestamp::from_millis(i64::from_be_bytes(*recorded_at)),
            root: Digest::from_bytes(root.try_into().ok()?),
        })
    }

    pub(crate) fn read(
        meta: &impl ReadableTable<&'static str, &'static [u8]>,
        file: &File,
    ) -> Result<Self, Error> {
        let row = meta.get(ROW).map_err(file.err("reading the head"))?;
        row.and_then(|row| Self::decode(row.value())).ok_or_else(|| file.damaged("its head row"))
    }

    pub(crate) fn write(
        &self,
        meta: &mut redb::Table<'_, &'static str, &'static [u8]>,
    ) -> Result<(), redb::StorageError> {
        meta.insert(ROW, self.encode().as_slice()).map(drop)
    }
}

type Callback = Arc<dyn Fn(Position) + Send + Sync>;

/// Announces each new head, after it is durable.
#[derive(Default)]
pub(crate) struct Tail {
    state: Mutex<TailState>,
    moved: Condvar,
}

#[derive(Default)]
struct TailState {
    head: u64,
    next_id: u64,
    callbacks: Vec<(u64, Callback)>,
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tail").field("head", &self.head()).finish_non_exhaustive()
    }
}

impl Tail {
    fn lock(&self) -> MutexGuard<'_, TailState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn head(&self) -> Position {
        Position::new(self.lock().head)
    }

    pub(crate) fn publish(&self, head: Position) {
        let mut state = self.lock();
        state.head = head.get();
        let callbacks: Vec<Callback> =
            state.callbacks.iter().map(|(_, callback)| Arc::clone(callback)).collect();
        drop(state);
        self.moved.notify_all();
        for callback in callbacks {
            callback(head);
        }
    }

    pub(crate) fn wait_past(&self, position: Position, timeout: Duration) -> Position {
        let state = self.lock();
        let (state, _timed_out) = self
            .moved
            .wait_timeout_while(state, timeout, |state| state.head <= position.get())
            .unwrap_or_else(PoisonError::into_inner);
        Position::new(state.head)
    }

    pub(crate) fn subscribe(self: &Arc<Self>, callback: Callback) -> Subscription {
        let mut state = self.lock();
        state.next_id += 1;
        let id = state.next_id;
        state.callbacks.push((id, callback));
        Subscription { tail: Arc::clone(self), id }
    }
}

/// A callback on new positions; dropping it ends the calls.
#[derive(Debug)]
#[must_use = "dropping a subscription ends it"]
pub struct Subscription {
    tail: Arc<Tail>,
    id: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let id = self.id;
        self.tail.lock().callbacks.retain(|(other, _)| *other != id);
    }
}
