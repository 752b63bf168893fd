//! Reading: a snapshot of the log at one commit.
//!
//! Every event that comes out was checked: leaf, body, position, place in its stream. A gap or a
//! damaged row is an error that names the position; nothing is skipped. Keep a view short: while
//! it lives, the file cannot reuse the pages that it sees.

use crate::envelope::{Commitment, Envelope, stream_key};
use crate::head::Head;
use crate::payload::{self, OpenedPayload, Owner, Payload};
use crate::record::{self, Record};
use crate::shared::Shared;
use crate::storage::{Snapshot, guarded};
use crate::tables::{APART, EVENTS, META, PAYLOADS, STREAM_KEYS, STREAMS};
use crate::{Erasable, Error, index, tree};
use placet_model::{DataKeyId, Digest, PayloadRef, Position, RecordedEvent, Revision, StreamId};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable as _};
use std::fmt;
use std::sync::Arc;

const DOING: &str = "reading";
/// Payloads whose keys are held against the key file when the log opens.
const LAST_PAYLOADS: usize = 256;

/// A snapshot of the log. Opened with [`crate::Log::read`].
pub struct ReadView {
    pub(crate) shared: Arc<Shared>,
    events: ReadOnlyTable<u64, &'static [u8]>,
    streams: ReadOnlyTable<(&'static [u8], u64), (u64, u32)>,
    /// After its tables: they are dropped first.
    tx: Snapshot,
    head: Head,
}

impl fmt::Debug for ReadView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadView").field("head", &self.head).finish_non_exhaustive()
    }
}

/// An event as stored: what an export or a proof needs beside the event itself.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// The event.
    pub event: RecordedEvent,
    /// The leaf bytes: the entry of the Merkle tree.
    pub leaf: Vec<u8>,
    /// The leaf's hash.
    pub leaf_hash: Digest,
    /// The postcard body.
    pub body: Vec<u8>,
    /// What the leaf says about each payload.
    pub payloads: Vec<Commitment>,
}

impl ReadView {
    pub(crate) fn open(shared: &Arc<Shared>) -> Result<Self, Error> {
        if shared.is_stopped() {
            return Err(Error::Stopped);
        }
        let file = shared.db.1.clone();
        guarded(DOING, &file, || {
            let tx = shared.db.0.begin_read().map_err(file.err(DOING))?;
            let meta = tx.open_table(META).map_err(file.err(DOING))?;
            let head = Head::read(&meta, &file)?;
            let events = tx.open_table(EVENTS).map_err(file.err(DOING))?;
            let streams = tx.open_table(STREAMS).map_err(file.err(DOING))?;
            Ok(Self { shared: Arc::clone(shared), tx, events, streams, head })
        })
    }

    /// The commit that this view shows.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The name that the log's checkpoints go by, and that signed votes name.
    pub fn origin(&self) -> String {
        crate::checkpoint::origin(self.shared.install_id, &self.shared.project)
    }

    /// The redb transaction behind the view. For `placet-projections` only, and there only for
    /// tables named `proj_…`.
    pub fn transaction(&self) -> &ReadTransaction {
        &self.tx
    }

    /// Events from `from` to the head, in order.
    pub fn events(&self, from: Position) -> impl Iterator<Item = Result<RecordedEvent, Error>> {
        let mut scan = Scan::new(self, from.get().max(1));
        std::iter::from_fn(move || scan.next(record::event_of))
    }

    /// The youngest data key of the last payloads.
    pub(crate) fn newest_key(&self) -> Result<Option<DataKeyId>, Error> {
        self.guarded(|| {
            let payloads = self.tx.open_table(PAYLOADS).map_err(self.err())?;
            let mut newest = None;
            for row in payloads.iter().map_err(self.err())?.rev().take(LAST_PAYLOADS) {
                let (_, sealed) = row.map_err(self.err())?;
                let key = sealed.value().first_chunk().map(|key| u64::from_be_bytes(*key));
                newest = newest.max(key);
            }
            Ok(newest.map(DataKeyId))
        })
    }

    /// Checked records from `from` to the head, each given to `visit`; stops at its first error.
    ///
    /// # Errors
    /// The first damaged record or gap, or what `visit` returns.
    pub fn scan<E: From<Error>>(
        &self,
        from: Position,
        mut visit: impl FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut scan = Scan::new(self, from.get().max(1));
        while let Some(visited) = scan.next(|record| Ok(visit(record))) {
            visited??;
        }
        Ok(())
    }

    /// The event at `position`.
    ///
    /// # Errors
    /// [`Error::NoSuchPosition`] beyond the head, [`Error::Damaged`].
    pub fn event(&self, position: Position) -> Result<RecordedEvent, Error> {
        self.with_record(position, record::event_of)
    }

    /// The event at `position` with its leaf, body and commitments.
    ///
    /// # Errors
    /// As [`ReadView::event`].
    pub fn stored(&self, position: Position) -> Result<StoredEvent, Error> {
        self.with_record(position, |record| {
            Ok(StoredEvent {
                event: record.event()?,
                leaf: record.leaf.to_vec(),
                leaf_hash: tree::leaf_hash(record.leaf),
                body: record.body.to_vec(),
                payloads: record.envelope.payloads.clone(),
            })
        })
    }

    /// The revision of the last event of a stream; [`Revision::START`] when it has none.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn revision(&self, stream: &StreamId) -> Result<Revision, Error> {
        self.guarded(|| {
            index::last_revision(&self.streams, &stream_key(stream)).map_err(self.err())
        })
    }

    /// The events of a stream after `after`, in order ([`Revision::START`]: all).
    pub fn stream(
        &self,
        stream: &StreamId,
        after: Revision,
    ) -> impl Iterator<Item = Result<RecordedEvent, Error>> {
        let stream = stream.clone();
        let mut next = after.next();
        let mut last = None;
        std::iter::from_fn(move || {
            let end = match last {
                Some(end) => end,
                None => match self.revision(&stream) {
                    Ok(end) => *last.insert(end),
                    Err(error) => {
                        last = Some(Revision::START);
                        return Some(Err(error));
                    }
                },
            };
            if next > end {
                return None;
            }
            let event = self.stream_event(&stream, next);
            next = if event.is_ok() { next.next() } else { end.next() };
            Some(event)
        })
    }

    /// The event of a stream at `revision`.
    ///
    /// # Errors
    /// [`Error::NoSuchRevision`], [`Error::Damaged`], [`Error::DamagedIndex`].
    pub fn stream_event(
        &self,
        stream: &StreamId,
        revision: Revision,
    ) -> Result<RecordedEvent, Error> {
        let position = self.position_of(stream, revision)?;
        self.with_record(position, |record| {
            self.check_place(record, stream, revision)?;
            record.event()
        })
    }

    /// The content that a reference of an event of `stream` names.
    ///
    /// # Errors
    /// [`Error::Erased`] once its key is destroyed, [`Error::NoSuchPayload`], [`Error::Damaged`].
    pub fn payload(&self, stream: &StreamId, reference: PayloadRef) -> Result<Payload, Error> {
        let position = self.position_of(stream, reference.revision)?;
        self.with_record(position, |record| {
            self.check_place(record, stream, reference.revision)?;
            self.open_payload(&record.envelope, reference.index)
        })
        .map(|opened| opened.payload)
    }

    /// The `index`-th payload of the event at `position`, with the salt of its commitment.
    ///
    /// # Errors
    /// As [`ReadView::payload`].
    pub fn payload_at(&self, position: Position, index: u16) -> Result<OpenedPayload, Error> {
        self.with_record(position, |record| self.open_payload(&record.envelope, index))
    }

    /// The stored bytes of a payload (`ct_hash` is their digest); `None` once erased.
    ///
    /// # Errors
    /// [`Error::NoSuchPayload`], [`Error::Damaged`].
    pub fn sealed_payload(&self, position: Position, index: u16) -> Result<Option<Vec<u8>>, Error> {
        self.with_record(position, |record| self.sealed_payload_of(&record.envelope, index))
    }

    pub(crate) fn sealed_payload_of(
        &self,
        envelope: &Envelope<'_>,
        index: u16,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.sealed(envelope, index).map(Result::ok)
    }

    /// The Merkle root of the first `size` events.
    ///
    /// # Errors
    /// [`Error::NoSuchPosition`] beyond the head, [`Error::Damaged`].
    pub fn root_at(&self, size: u64) -> Result<Digest, Error> {
        if size > self.head.size {
            return Err(self.beyond(Position::new(size)));
        }
        tree::Frontier::load(size, |level, index| self.node(level, index)).map(|edge| edge.root())
    }

    /// The stored hash of the subtree `index` at `level` (0: leaf hashes).
    ///
    /// # Errors
    /// [`Error::NoSuchPosition`] when the subtree is not full yet, [`Error::Damaged`].
    pub fn node(&self, level: u8, index: u64) -> Result<Digest, Error> {
        let (at, slot) = tree::place_of(level, index);
        let position = Position::new(at + 1);
        self.with_record(position, |record| {
            let node = record.nodes.get(slot).copied().map(Digest::from_bytes);
            node.ok_or_else(|| Error::Damaged {
                position,
                what: format!("it lacks the tree hash of level {level}"),
            })
        })
    }

    /// Opens a snapshot-consistent record, checked, for `read`.
    ///
    /// # Errors
    /// As [`ReadView::event`].
    pub fn with_record<T>(
        &self,
        position: Position,
        read: impl FnOnce(&Record<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if position == Position::START || position > self.head.position() {
            return Err(self.beyond(position));
        }
        self.guarded(|| {
            let row = self.events.get(position.get()).map_err(self.err())?;
            let row =
                row.ok_or_else(|| Error::Damaged { position, what: "it is missing".to_owned() })?;
            read(&Record::open(position, &self.shared.project, row.value())?)
        })
    }

    fn position_of(&self, stream: &StreamId, revision: Revision) -> Result<Position, Error> {
        self.position_of_key(&stream_key(stream), revision)?
            .ok_or_else(|| Error::NoSuchRevision { stream: stream.clone(), revision })
    }

    pub(crate) fn position_of_key(
        &self,
        key: &[u8],
        revision: Revision,
    ) -> Result<Option<Position>, Error> {
        self.guarded(|| index::locate(&self.streams, key, revision).map_err(self.err()))
    }

    fn check_place(
        &self,
        record: &Record<'_>,
        stream: &StreamId,
        revision: Revision,
    ) -> Result<(), Error> {
        let envelope = &record.envelope;
        if envelope.stream == *stream && envelope.revision == revision {
            return Ok(());
        }
        Err(self.shared.db.1.damaged(format!(
            "its stream index leads from {stream} revision {revision} to position {}",
            envelope.position
        )))
    }

    pub(crate) fn open_payload(
        &self,
        envelope: &Envelope<'_>,
        index: u16,
    ) -> Result<OpenedPayload, Error> {
        self.shared.demand_key()?;
        let position = envelope.position;
        let damaged =
            |what: &str| Error::Damaged { position, what: format!("payload {index}: {what}") };
        let erased = |key| Error::Erased { position, index, key };
        let stored = self.sealed(envelope, index)?.map_err(erased)?;
        let commitment =
            envelope.payloads.get(usize::from(index)).ok_or_else(|| damaged("no commitment"))?;
        let id = payload::key_of(&stored).ok_or_else(|| damaged("too short"))?;
        let key = self.shared.keyring.get(id)?;
        let stream = stream_key(&envelope.stream);
        let owner = Owner {
            project: &self.shared.project,
            stream: &stream,
            event_id: envelope.event_id,
            index,
        };
        let Some(key) = key else {
            payload::check(&stored, commitment).map_err(damaged)?;
            return Err(match self.erased_key(&stream, position)? {
                Some(key) => erased(key),
                None if self.shared.tombstones.has(id) => erased(id),
                None => Error::KeyLost { position, index, key: id },
            });
        };
        payload::open(&key, owner, &stored, commitment).map_err(damaged)
    }

    /// The stored bytes, or the destroyed key.
    fn sealed(
        &self,
        envelope: &Envelope<'_>,
        index: u16,
    ) -> Result<Result<Vec<u8>, DataKeyId>, Error> {
        let position = envelope.position;
        if usize::from(index) >= envelope.payloads.len() {
            return Err(Error::NoSuchPayload { position, index });
        }
        let payloads = self.tx.open_table(PAYLOADS).map_err(self.err())?;
        if let Some(row) = payloads.get((position.get(), index)).map_err(self.err())? {
            return Ok(Ok(row.value().to_vec()));
        }
        match self.erased_key(&stream_key(&envelope.stream), position)? {
            Some(key) => Ok(Err(key)),
            None => Err(Error::Damaged { position, what: format!("payload {index} is missing") }),
        }
    }

    /// The key that seals the event at `position` alone, and whether it was erased.
    fn apart(&self, position: Position) -> Result<Option<(DataKeyId, bool)>, Error> {
        let Some(apart) = self.open_if_made(APART)? else { return Ok(None) };
        let row = apart.get(position.get()).map_err(self.err())?;
        Ok(row.map(|row| row.value()).map(|(key, erased)| (DataKeyId(key), erased != 0)))
    }

    /// How many payloads there are of it that are not erased.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn payloads_of(&self, what: &Erasable) -> Result<u64, Error> {
        let ranges = match what {
            Erasable::Arrival(position) => vec![(position.get(), 1)],
            Erasable::Stream(stream) => self.appends_of(stream)?,
        };
        self.guarded(|| {
            let payloads = self.tx.open_table(PAYLOADS).map_err(self.err())?;
            let mut count = 0;
            for (first, events) in ranges {
                let range = payloads.range((first, 0)..(first + events, 0));
                for row in range.map_err(self.err())? {
                    row.map_err(self.err())?;
                    count += 1;
                }
            }
            Ok(count)
        })
    }

    /// First position and count of each append of a stream.
    fn appends_of(&self, stream: &StreamId) -> Result<Vec<(u64, u64)>, Error> {
        let key = stream_key(stream);
        self.guarded(|| {
            let range = (key.as_slice(), 0)..=(key.as_slice(), u64::MAX);
            let mut appends = Vec::new();
            for row in self.streams.range(range).map_err(self.err())? {
                let (first, count) = row.map_err(self.err())?.1.value();
                appends.push((first, u64::from(count)));
            }
            Ok(appends)
        })
    }

    /// A table that is made with its first row; `None` before.
    pub(crate) fn open_if_made<K: redb::Key + 'static, V: redb::Value + 'static>(
        &self,
        table: redb::TableDefinition<'_, K, V>,
    ) -> Result<Option<ReadOnlyTable<K, V>>, Error> {
        match self.tx.open_table(table) {
            Ok(table) => Ok(Some(table)),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(self.err()(error)),
        }
    }

    /// The destroyed key whose erasure covers `position` of the stream.
    fn erased_key(&self, stream: &[u8], position: Position) -> Result<Option<DataKeyId>, Error> {
        if let Some((key, erased)) = self.apart(position)? {
            return Ok(erased.then_some(key));
        }
        let keys = self.tx.open_table(STREAM_KEYS).map_err(self.err())?;
        for row in keys.range((stream, 0)..=(stream, u64::MAX)).map_err(self.err())? {
            let (key, erased_until) = row.map_err(self.err())?;
            if erased_until.value() >= position.get() {
                return Ok(Some(DataKeyId(key.value().1)));
            }
        }
        Ok(None)
    }

    pub(crate) fn guarded<T>(
        &self,
        operation: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        guarded(DOING, &self.shared.db.1, operation)
    }

    pub(crate) fn err<E: Into<redb::Error>>(&self) -> impl Fn(E) -> Error {
        self.shared.db.1.err(DOING)
    }

    fn beyond(&self, position: Position) -> Error {
        Error::NoSuchPosition { position, head: self.head.position() }
    }
}

/// A walk over rows in order of position that notices gaps. Ends after its first error.
struct Scan<'v> {
    view: &'v ReadView,
    rows: Option<redb::Range<'static, u64, &'static [u8]>>,
    next: u64,
}

impl<'v> Scan<'v> {
    fn new(view: &'v ReadView, next: u64) -> Self {
        Self { view, rows: None, next }
    }

    fn next<T>(
        &mut self,
        read: impl FnOnce(&Record<'_>) -> Result<T, Error>,
    ) -> Option<Result<T, Error>> {
        let position = Position::new(self.next);
        if position > self.view.head.position() {
            return None;
        }
        let view = self.view;
        let result = view.guarded(|| {
            if self.rows.is_none() {
                self.rows = Some(view.events.range(self.next..).map_err(view.err())?);
            }
            let row = self.rows.as_mut().and_then(Iterator::next);
            let row = row.transpose().map_err(view.err())?;
            let missing = || Error::Damaged { position, what: "it is missing".to_owned() };
            let (at, row) = row.ok_or_else(missing)?;
            if at.value() != position.get() {
                return Err(missing());
            }
            read(&Record::open(position, &view.shared.project, row.value())?)
        });
        self.next = if result.is_ok() { self.next + 1 } else { u64::MAX };
        Some(result)
    }
}
