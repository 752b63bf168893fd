//! One transaction: many appends, all or nothing of each, written in the order they came.
//!
//! Decides for every append whether it is new, a repetition or refused, writes rows, index,
//! payloads and tree hashes. Runs on the writer thread only, and never commits: that is the
//! writer's. After an error its state is worthless and must be dropped.

use crate::append::{Expected, Novelty};
use crate::envelope::Envelope;
use crate::head::Head;
use crate::journal::{Rows, Which};
use crate::keyring::{Recent, StreamKey};
use crate::payload::SealedPayload;
use crate::record::{self, Record};
use crate::storage::File;
use crate::tables::{APART, EVENTS, META, PAYLOADS, STREAM_KEYS, STREAMS, UNPLACED};
use crate::tree::{self, Frontier};
use crate::{AppendError, Appended, Erasable, Error, check::sha256, codec, erase, index, subjects};
use placet_model::{
    Actor, DataKeyId, Digest, Event, EventId, Position, RecordedEvent, Revision, StreamId,
    Timestamp,
};
use redb::{ReadableTable, Table, WriteTransaction};
use std::sync::Arc;

/// How far back a stale append looks for its own events.
const LOOK_BACK: u64 = 1024;
const DOING: &str = "appending";

/// An append or group, encoded and sealed on the caller's thread.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) at: Timestamp,
    pub(crate) parts: Vec<Part>,
}

/// The events for one stream.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) stream: StreamId,
    pub(crate) key: Vec<u8>,
    pub(crate) expected: Expected,
    pub(crate) events: Vec<PreparedEvent>,
    pub(crate) data_key: Option<Arc<StreamKey>>,
    pub(crate) subjects: Vec<Digest>,
    pub(crate) erases: Vec<Erasable>,
}

#[derive(Debug)]
pub(crate) struct PreparedEvent {
    pub(crate) event_id: EventId,
    pub(crate) actor: Actor,
    pub(crate) causation: Option<EventId>,
    pub(crate) correlation: Option<EventId>,
    pub(crate) event: Event,
    pub(crate) body: Vec<u8>,
    pub(crate) sealed: Vec<SealedPayload>,
    /// The key that seals the payloads of this event alone.
    pub(crate) apart: Option<DataKeyId>,
}

impl Prepared {
    pub(crate) fn events(&self) -> usize {
        self.parts.iter().map(|part| part.events.len()).sum()
    }

    /// Roughly what it adds to the transaction.
    pub(crate) fn bytes(&self) -> usize {
        let event = |event: &PreparedEvent| {
            let sealed: usize = event.sealed.iter().map(|payload| payload.stored.len()).sum();
            300 + event.body.len() + sealed
        };
        self.parts.iter().flat_map(|part| &part.events).map(event).sum()
    }
}

/// What an append comes to once the transaction is durable.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The next so many of the batch's new events are its own.
    Written(usize),
    Repeated(Vec<RecordedEvent>),
    Refused(AppendError),
}

/// Where a stream ends.
#[derive(Debug, Clone, Copy)]
struct StreamEnd {
    revision: Revision,
    last_id: Option<EventId>,
}

/// What the writer knows of the log between transactions.
#[derive(Debug)]
pub(crate) struct Committer {
    project: String,
    file: File,
    pub(crate) head: Head,
    frontier: Frontier,
    ends: Recent<Vec<u8>, StreamEnd>,
    /// What the batch brings beside its events; most bring nothing.
    beside: Beside,
    /// The rows of the batch, for the journal.
    pub(crate) rows: Rows,
}

/// Rows that few appends bring: written at the end of a batch, in its transaction.
#[derive(Debug, Default)]
struct Beside {
    apart: Vec<(Position, DataKeyId)>,
    subjects: Vec<subjects::Row>,
    erases: Vec<Erasable>,
}

enum Place {
    After(StreamEnd),
    Repeated(Position),
    Refused(AppendError),
}

impl Committer {
    pub(crate) fn new(project: String, file: File, head: Head, frontier: Frontier) -> Self {
        let (beside, rows) = (Beside::default(), Rows::default());
        Self { project, file, head, frontier, ends: Recent::new(8192), beside, rows }
    }

    /// Writes every append of the batch that is new, and the head row.
    ///
    /// Returns an outcome for each, and all new events in order.
    pub(crate) fn write(
        &mut self,
        tx: &WriteTransaction,
        batch: impl Iterator<Item = Prepared>,
    ) -> Result<(Vec<Outcome>, Vec<RecordedEvent>), Error> {
        self.rows.clear();
        let mut tables = Tables::open(tx, &self.file)?;
        let mut recorded = Vec::new();
        let mut outcomes = Vec::new();
        for prepared in batch {
            outcomes.push(self.append(&mut tables, prepared, &mut recorded)?);
        }
        drop(tables);
        self.write_beside(tx)?;
        if !recorded.is_empty() {
            self.head.root = self.frontier.root();
            let mut meta = tx.open_table(META).map_err(self.file.err(DOING))?;
            self.head.write(&mut meta).map_err(self.file.err(DOING))?;
        }
        Ok((outcomes, recorded))
    }

    fn write_beside(&mut self, tx: &WriteTransaction) -> Result<(), Error> {
        let Beside { apart, subjects, erases } = std::mem::take(&mut self.beside);
        if !apart.is_empty() {
            let mut table = tx.open_table(APART).map_err(self.file.err(DOING))?;
            for (position, key) in apart {
                let row = (position.get(), (key.0, 0));
                let table = (&mut table, Which::Apart);
                self.rows.insert(table, &row.0, &row.1).map_err(self.file.err(DOING))?;
            }
        }
        if !subjects.is_empty() {
            subjects::insert(tx, &subjects, (&self.file, &mut self.rows))?;
        }
        for what in &erases {
            self.rows.erase(what);
            erase::delete(tx, what, &self.file)?;
        }
        Ok(())
    }

    fn append(
        &mut self,
        tables: &mut Tables<'_>,
        prepared: Prepared,
        recorded: &mut Vec<RecordedEvent>,
    ) -> Result<Outcome, Error> {
        let mut after = Vec::new();
        let mut repeated = Vec::new();
        for part in &prepared.parts {
            match self.place(tables, part)? {
                Place::After(end) => after.push(end),
                Place::Repeated(first) => repeated.push((part, first)),
                Place::Refused(error) => return Ok(Outcome::Refused(error)),
            }
        }
        if !repeated.is_empty() {
            if repeated.len() == prepared.parts.len() {
                return self.reread(tables, &repeated).map(Outcome::Repeated);
            }
            let lacks = |part: &&Part| repeated.iter().all(|(known, _)| known.key != part.key);
            let stream = prepared.parts.iter().find(lacks).map(|part| part.stream.clone());
            let stream = stream.unwrap_or(StreamId::Project);
            return Ok(Outcome::Refused(AppendError::GroupInPart { stream }));
        }
        let count = prepared.events();
        self.head.recorded_at = self.head.recorded_at.max(prepared.at);
        #[cfg(placet_mutants)]
        if placet_mutants::is_planted(placet_mutants::Mutant::LogTimeGoesBack) {
            self.head.recorded_at = prepared.at;
        }
        for (part, end) in prepared.parts.into_iter().zip(after) {
            self.write_part(tables, part, end, recorded)?;
        }
        Ok(Outcome::Written(count))
    }

    /// Decides about one part, before anything of its group is written.
    fn place(&mut self, tables: &Tables<'_>, part: &Part) -> Result<Place, Error> {
        let end = self.stream_end(tables, &part.key)?;
        let expected = match part.expected {
            Expected::Exact(revision) => revision,
            Expected::NoStream => Revision::START,
            Expected::Any => {
                if let Some(first) = self.unplaced(tables, part)? {
                    return self.compare(tables, part, first);
                }
                end.revision
            }
        };
        let last_id = part.events.last().map(|event| event.event_id);
        if expected == end.revision && (end.last_id.is_none() || end.last_id != last_id) {
            return Ok(Place::After(end));
        }
        // the expectation is stale, or the stream ends with these very events
        if let Some(found) = self.search(tables, part, end)? {
            return Ok(found);
        }
        if expected == end.revision {
            return Ok(Place::After(end));
        }
        let stream = part.stream.clone();
        let actual = end.revision;
        Ok(Place::Refused(AppendError::WrongRevision { stream, expected, actual }))
    }

    /// Looks for the part's events in its stream, from the end backwards.
    fn search(
        &self,
        tables: &Tables<'_>,
        part: &Part,
        end: StreamEnd,
    ) -> Result<Option<Place>, Error> {
        let Some(first) = part.events.first() else { return Ok(None) };
        let low = end.revision.get().saturating_sub(LOOK_BACK);
        for revision in (low + 1..=end.revision.get()).rev() {
            let position = self.position_of(tables, &part.key, Revision::new(revision))?;
            if self.event_id_at(tables, position)? == first.event_id {
                return self.compare(tables, part, position).map(Some);
            }
        }
        Ok(None)
    }

    /// Whether the events from `first` on are the part's.
    fn compare(&self, tables: &Tables<'_>, part: &Part, first: Position) -> Result<Place, Error> {
        for (event, place) in part.events.iter().zip(0..) {
            let position = first.plus(place);
            let same = position <= self.head.position()
                && self.event_id_at(tables, position)? == event.event_id;
            if !same {
                return Ok(Place::Refused(AppendError::EventIdTaken {
                    stream: part.stream.clone(),
                    event_id: event.event_id,
                }));
            }
        }
        Ok(Place::Repeated(first))
    }

    fn unplaced(&self, tables: &Tables<'_>, part: &Part) -> Result<Option<Position>, Error> {
        let Some(first) = part.events.first() else { return Ok(None) };
        let key = (part.key.as_slice(), &first.event_id.to_bytes());
        let row = tables.unplaced.get(key).map_err(self.file.err(DOING))?;
        Ok(row.map(|row| Position::new(row.value())))
    }

    fn stream_end(&mut self, tables: &Tables<'_>, key: &[u8]) -> Result<StreamEnd, Error> {
        if let Some(end) = self.ends.get(key) {
            return Ok(end);
        }
        let revision = index::last_revision(&tables.streams, key).map_err(self.file.err(DOING))?;
        let last_id = if revision == Revision::START {
            None
        } else {
            let position = self.position_of(tables, key, revision)?;
            Some(self.event_id_at(tables, position)?)
        };
        let end = StreamEnd { revision, last_id };
        self.ends.insert(key.to_vec(), end);
        Ok(end)
    }

    fn position_of(
        &self,
        tables: &Tables<'_>,
        key: &[u8],
        revision: Revision,
    ) -> Result<Position, Error> {
        index::locate(&tables.streams, key, revision)
            .map_err(self.file.err(DOING))?
            .ok_or_else(|| self.file.damaged(format!("its stream index, at revision {revision}")))
    }

    fn event_id_at(&self, tables: &Tables<'_>, position: Position) -> Result<EventId, Error> {
        self.with_record(tables, position, |record| Ok(record.envelope.event_id))
    }

    fn with_record<T>(
        &self,
        tables: &Tables<'_>,
        position: Position,
        read: impl FnOnce(&Record<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let row = tables.events.get(position.get()).map_err(self.file.err(DOING))?;
        let row = row.ok_or_else(|| Error::Damaged { position, what: "it is missing".into() })?;
        read(&Record::open(position, &self.project, row.value())?)
    }

    fn reread(
        &self,
        tables: &Tables<'_>,
        parts: &[(&Part, Position)],
    ) -> Result<Vec<RecordedEvent>, Error> {
        let positions = parts.iter().flat_map(|(part, first)| {
            part.events.iter().zip(0..).map(|(_, place)| first.plus(place))
        });
        positions.map(|position| self.with_record(tables, position, record::event_of)).collect()
    }

    fn write_part(
        &mut self,
        tables: &mut Tables<'_>,
        part: Part,
        end: StreamEnd,
        recorded: &mut Vec<RecordedEvent>,
    ) -> Result<(), Error> {
        let file = self.file.clone();
        let first = self.head.position().next();
        let first_revision = end.revision.next();
        let count = part.events.len();
        let ids = (part.events.first(), part.events.last());
        let (first_id, last_id) = (ids.0.map(|e| e.event_id), ids.1.map(|e| e.event_id));
        let row = (first.get(), u32::try_from(count).unwrap_or(u32::MAX));
        let key = part.key.as_slice();
        let rows = &mut self.rows;
        let place = (key, first_revision.get());
        rows.insert((&mut tables.streams, Which::Streams), &place, &row)
            .map_err(file.err(DOING))?;
        if let (Expected::Any, Some(first_id)) = (part.expected, first_id) {
            let key = (key, &first_id.to_bytes());
            let table = (&mut tables.unplaced, Which::Unplaced);
            rows.insert(table, &key, &first.get()).map_err(file.err(DOING))?;
        }
        if let Some(data_key) = part.data_key.as_ref().filter(|key| !key.is_registered()) {
            let key = (key, data_key.key.id().0);
            let table = (&mut tables.stream_keys, Which::StreamKeys);
            rows.insert(table, &key, &0).map_err(file.err(DOING))?;
            // a transaction that fails stops the log, so this cannot outlive a lost row
            data_key.set_registered();
        }
        if !part.subjects.is_empty() {
            self.beside.subjects.extend(subjects::rows(&part.stream, first, part.subjects));
        }
        self.beside.erases.extend(part.erases);
        let mut revision = end.revision;
        for event in part.events {
            revision = revision.next();
            recorded.push(self.write_event(tables, &part.stream, revision, event)?);
        }
        self.ends.insert(part.key, StreamEnd { revision, last_id });
        Ok(())
    }

    fn write_event(
        &mut self,
        tables: &mut Tables<'_>,
        stream: &StreamId,
        revision: Revision,
        new: PreparedEvent,
    ) -> Result<RecordedEvent, Error> {
        let position = self.head.position().next();
        let kind = new.event.kind();
        let envelope = Envelope {
            type_id: kind.type_id(),
            type_version: codec::current_version(kind),
            position,
            project: &self.project,
            stream: stream.clone(),
            revision,
            event_id: new.event_id,
            recorded_at: self.head.recorded_at,
            actor: new.actor,
            causation: new.causation,
            correlation: new.correlation,
            body_digest: Digest::from_bytes(sha256(&[&new.body])),
            payloads: new.sealed.iter().map(|sealed| sealed.commitment).collect(),
        };
        let leaf = envelope.encode().map_err(|error| self.file.damaged(error))?;
        let nodes = self.frontier.push(tree::leaf_hash(&leaf));
        let row = record::encode(&leaf, &new.body, &nodes);
        let rows = &mut self.rows;
        rows.insert((&mut tables.events, Which::Events), &position.get(), &row.as_slice())
            .map_err(self.file.err(DOING))?;
        for (sealed, n) in new.sealed.iter().zip(0..) {
            let key = (position.get(), n);
            let table = (&mut tables.payloads, Which::Payloads);
            rows.insert(table, &key, &sealed.stored.as_slice()).map_err(self.file.err(DOING))?;
        }
        if let Some(key) = new.apart {
            self.beside.apart.push((position, key));
        }
        self.head.size += 1;
        Ok(RecordedEvent {
            position,
            stream: envelope.stream,
            revision,
            event_id: envelope.event_id,
            recorded_at: envelope.recorded_at,
            actor: envelope.actor,
            causation: envelope.causation,
            correlation: envelope.correlation,
            event: new.event,
        })
    }
}

/// The acknowledged form of an outcome; `recorded` yields the batch's new events in order.
pub(crate) fn acknowledge(
    outcome: Outcome,
    recorded: &mut impl Iterator<Item = RecordedEvent>,
) -> Result<Appended, AppendError> {
    match outcome {
        Outcome::Written(count) => {
            Ok(Appended { events: recorded.take(count).collect(), novelty: Novelty::Written })
        }
        Outcome::Repeated(events) => Ok(Appended { events, novelty: Novelty::Repeated }),
        Outcome::Refused(error) => Err(error),
    }
}

/// The tables of one transaction, each opened once.
struct Tables<'t> {
    events: Table<'t, u64, &'static [u8]>,
    streams: Table<'t, (&'static [u8], u64), (u64, u32)>,
    unplaced: Table<'t, (&'static [u8], &'static [u8; 16]), u64>,
    payloads: Table<'t, (u64, u16), &'static [u8]>,
    stream_keys: Table<'t, (&'static [u8], u64), u64>,
}

impl<'t> Tables<'t> {
    fn open(tx: &'t WriteTransaction, file: &File) -> Result<Self, Error> {
        Ok(Self {
            events: tx.open_table(EVENTS).map_err(file.err(DOING))?,
            streams: tx.open_table(STREAMS).map_err(file.err(DOING))?,
            unplaced: tx.open_table(UNPLACED).map_err(file.err(DOING))?,
            payloads: tx.open_table(PAYLOADS).map_err(file.err(DOING))?,
            stream_keys: tx.open_table(STREAM_KEYS).map_err(file.err(DOING))?,
        })
    }
}
