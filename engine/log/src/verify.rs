//! Verification: the tail while opening, everything in `audit verify` and the background scrub.
//!
//! Works on digests, never on redb's page checksums (which redb does not check on reads). Names
//! the first bad position. Reads one snapshot; appends nothing, repairs nothing.

use crate::checkpoint::Checkpoint;
use crate::envelope::stream_key;
use crate::note::Note;
use crate::payload;
use crate::record::Record;
use crate::tables::{PAYLOADS, STREAMS};
use crate::tree::{Frontier, leaf_hash};
use crate::votes::Votes;
use crate::{Error, ReadView};
use placet_model::event::governance::CheckpointSigned;
use placet_model::{Digest, Event, Position, Timestamp};
use redb::{ReadableTable, ReadableTableMetadata};

/// What a full verification found to be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Events, all of them.
    pub events: u64,
    /// Payloads whose sealed bytes fit their leaf.
    pub payloads: u64,
    /// Payloads that were erased.
    pub erased: u64,
    /// Signatures of votes, each verified again.
    pub signatures: u64,
    /// Root of the tree, rebuilt from the leaves.
    pub root: Digest,
}

impl ReadView {
    /// Checks every record, the stream index, every payload, every signature of a vote and the Merkle
    /// tree.
    ///
    /// # Errors
    /// The first damage, naming the position.
    pub fn verify(&self) -> Result<Verified, Error> {
        self.verify_telling(&|_events| {})
    }

    /// As [`ReadView::verify`]; after each event `tell` hears how many were read, of
    /// [`ReadView::head`]'s `size`.
    ///
    /// # Errors
    /// As [`ReadView::verify`].
    pub fn verify_telling(&self, tell: &dyn Fn(u64)) -> Result<Verified, Error> {
        let mut check = Check::new(Frontier::default());
        let (mut payloads, mut erased) = (0, 0);
        let mut votes = Votes::new(self.origin());
        self.scan(Position::START, |record| {
            check.record(self, record)?;
            let (position, event) = (record.envelope.position, record.event()?.event);
            votes
                .event(&event, &record.envelope.payloads)
                .map_err(|what| Error::Damaged { position, what })?;
            if let Event::CheckpointSigned(signed) = event {
                self.check_signed(position, &signed)?;
            }
            for index in 0..record.envelope.payloads.len() {
                match self.check_payload(record, index)? {
                    Sealed::Whole => payloads += 1,
                    Sealed::Erased => erased += 1,
                }
            }
            tell(position.get());
            Ok::<(), Error>(())
        })?;
        let root = check.finish(self)?;
        self.check_counts(payloads)?;
        self.check_subjects()?;
        Ok(Verified {
            events: self.head().size,
            payloads,
            erased,
            signatures: votes.signatures(),
            root,
        })
    }

    /// A checkpoint in the log must be of the log that it stands in.
    fn check_signed(&self, position: Position, signed: &CheckpointSigned) -> Result<(), Error> {
        let damaged = |what: &str| Error::Damaged { position, what: what.to_owned() };
        let note: Note = signed.note.parse().map_err(|_none| damaged("its checkpoint is none"))?;
        let read = note.text().parse::<Checkpoint>();
        let read = read.map_err(|_none| damaged("its checkpoint is none"))?;
        let is_same = (read.size, read.root) == (signed.size, signed.root);
        if !is_same || signed.size >= position.get() || self.root_at(signed.size)? != signed.root {
            return Err(damaged("the events before it are not those that its checkpoint signs"));
        }
        Ok(())
    }

    fn check_payload(&self, record: &Record<'_>, index: usize) -> Result<Sealed, Error> {
        let position = record.envelope.position;
        let damaged =
            |what: &str| Error::Damaged { position, what: format!("payload {index}: {what}") };
        let place = u16::try_from(index).map_err(|_ignored| damaged("out of range"))?;
        let Some(stored) = self.sealed_payload_of(&record.envelope, place)? else {
            return Ok(Sealed::Erased);
        };
        let commitment = record.envelope.payloads.get(index).ok_or_else(|| damaged("missing"))?;
        payload::check(&stored, commitment).map_err(damaged)?;
        Ok(Sealed::Whole)
    }

    /// Rows that belong to no event would be invisible to a walk over the events.
    fn check_counts(&self, payloads: u64) -> Result<(), Error> {
        self.guarded(|| {
            let tx = self.transaction();
            let table = tx.open_table(PAYLOADS).map_err(self.err())?;
            let rows = table.len().map_err(self.err())?;
            let streams = tx.open_table(STREAMS).map_err(self.err())?;
            let mut indexed = 0;
            for row in streams.iter().map_err(self.err())? {
                indexed += u64::from(row.map_err(self.err())?.1.value().1);
            }
            let size = self.head().size;
            if rows != payloads || indexed != size {
                return Err(Error::DamagedIndex {
                    what: format!(
                        "count of rows ({rows} payloads for {payloads}, {indexed} indexed events for {size})"
                    ),
                });
            }
            Ok(())
        })
    }
}

enum Sealed {
    Whole,
    Erased,
}

/// Checks the last `count` events against the root of the last commit; the edge of the tree.
pub(crate) fn tail(view: &ReadView, count: u64) -> Result<Frontier, Error> {
    let size = view.head().size;
    let start = size.saturating_sub(count);
    let edge = Frontier::load(start, |level, index| view.node(level, index))?;
    let mut check = Check::new(edge);
    view.scan(Position::new(start + 1), |record| check.record(view, record))?;
    check.finish(view)?;
    Ok(check.edge)
}

/// What consecutive records must agree on.
struct Check {
    edge: Frontier,
    recorded_at: Option<Timestamp>,
}

impl Check {
    const fn new(edge: Frontier) -> Self {
        Self { edge, recorded_at: None }
    }

    fn record(&mut self, view: &ReadView, record: &Record<'_>) -> Result<(), Error> {
        let envelope = &record.envelope;
        let position = envelope.position;
        let damaged = |what: &str| Error::Damaged { position, what: what.to_owned() };
        let completed = self.edge.push(leaf_hash(record.leaf));
        if !completed.iter().map(Digest::as_bytes).eq(record.nodes) {
            return Err(damaged("its tree hashes do not follow from the leaves before it"));
        }
        if self.recorded_at.is_some_and(|earlier| earlier > envelope.recorded_at) {
            return Err(damaged("its log time is before that of the event before it"));
        }
        self.recorded_at = Some(envelope.recorded_at);
        if view.position_of_key(&stream_key(&envelope.stream), envelope.revision)? != Some(position)
        {
            return Err(damaged("the stream index does not lead to it"));
        }
        Ok(())
    }

    fn finish(&self, view: &ReadView) -> Result<Digest, Error> {
        let (root, head) = (self.edge.root(), view.head());
        if self.edge.size() != head.size || root != head.root {
            return Err(Error::Damaged {
                position: head.position(),
                what: "the tree's root is not the one of the last commit".to_owned(),
            });
        }
        if self.recorded_at.is_some_and(|last| last != head.recorded_at) {
            return Err(Error::Damaged {
                position: head.position(),
                what: "its log time is not the one of the last commit".to_owned(),
            });
        }
        Ok(root)
    }
}
