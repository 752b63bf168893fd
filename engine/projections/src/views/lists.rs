//! What must be looked at: the inbox, what is due, what a restart finds.

use super::Views;
use crate::decision::Decision;
use crate::key::{MARK_LEN, MarkKind, marked, moment};
use crate::run::Facts;
use crate::store::guarded;
use crate::table::TableName;
use crate::{DecisionRow, DueRow, Error};
use placet_model::{DecisionId, RunId, Timestamp};
use std::ops::Bound;

impl Views<'_> {
    /// Decisions after `after` that are requested, approved and unspent, or in doubt; oldest first.
    ///
    /// # Errors
    /// A damaged row.
    pub fn open(&self, after: Option<DecisionId>, limit: usize) -> Result<Vec<DecisionRow>, Error> {
        guarded(|| self.decisions(MarkKind::Open, after, limit))
    }

    /// Decisions that somebody has sent alone in an emergency, oldest first.
    ///
    /// # Errors
    /// A damaged or missing row.
    pub fn broken_glass(&self) -> Result<Vec<DecisionRow>, Error> {
        guarded(|| self.decisions(MarkKind::Broken, None, usize::MAX))
    }

    /// Decisions that are approved and unspent, oldest first: what a lifted hold must look at.
    ///
    /// # Errors
    /// A damaged row.
    pub fn approved(&self) -> Result<Vec<DecisionRow>, Error> {
        guarded(|| self.decisions(MarkKind::Approved, None, usize::MAX))
    }

    /// One that is approved and unspent.
    pub(super) fn approved_first(&self) -> Result<Option<DecisionRow>, Error> {
        guarded(|| Ok(self.decisions(MarkKind::Approved, None, 1)?.pop()))
    }

    /// What is due until `until` (included), earliest first.
    ///
    /// # Errors
    /// A damaged row.
    pub fn due(&self, until: Timestamp, limit: usize) -> Result<Vec<DueRow>, Error> {
        guarded(|| {
            let table = self.snapshot.open(TableName::Due)?;
            let next = until.as_millis().checked_add(1).map(Timestamp::from_millis).map(moment);
            let to = next.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(&key[..]));
            let rows = table.range::<()>(Bound::Unbounded, to)?.take(limit);
            rows.map(|row| due_row(&row?.0)).collect()
        })
    }

    /// The earliest rows: what is due at `now`, at most `limit` of it, and one row that is not yet. No
    /// further one is read, however many there are.
    ///
    /// # Errors
    /// A damaged row.
    pub fn due_and_next(&self, now: Timestamp, limit: usize) -> Result<Vec<DueRow>, Error> {
        guarded(|| {
            let table = self.snapshot.open(TableName::Due)?;
            let mut rows = Vec::new();
            for row in table.range::<()>(Bound::Unbounded, Bound::Unbounded)?.take(limit) {
                let row = due_row(&row?.0)?;
                rows.push(row);
                if row.at > now {
                    break;
                }
            }
            Ok(rows)
        })
    }

    /// When something is due next, or has been for some time.
    ///
    /// # Errors
    /// A damaged row.
    pub fn next_due(&self) -> Result<Option<Timestamp>, Error> {
        Ok(self.due(Timestamp::from_millis(i64::MAX), 1)?.first().map(|row| row.at))
    }

    /// Runs with a try under way, runs that are over included.
    ///
    /// # Errors
    /// A damaged row.
    pub fn in_flight(&self) -> Result<Vec<RunId>, Error> {
        self.runs_marked(MarkKind::InFlight)
    }

    /// Runs with an attempt in doubt, runs that are over included.
    ///
    /// # Errors
    /// A damaged row.
    pub fn in_doubt(&self) -> Result<Vec<RunId>, Error> {
        self.runs_marked(MarkKind::InDoubt)
    }

    /// Runs that can go on by themselves: their last event left them neither parked, nor approved
    /// and unspent, nor over.
    ///
    /// # Errors
    /// A damaged row.
    pub fn ready(&self) -> Result<Vec<RunId>, Error> {
        self.runs_marked(MarkKind::Ready)
    }

    pub(super) fn runs_marked(&self, kind: MarkKind) -> Result<Vec<RunId>, Error> {
        guarded(|| {
            let ids = self.marked(kind, Bound::Included([0; 16]), usize::MAX)?;
            Ok(ids.into_iter().map(RunId::from_bytes).collect())
        })
    }

    fn decisions(
        &self,
        kind: MarkKind,
        after: Option<DecisionId>,
        limit: usize,
    ) -> Result<Vec<DecisionRow>, Error> {
        let from = after.map_or(Bound::Included([0; 16]), |id| Bound::Excluded(id.to_bytes()));
        let ids = self.marked(kind, from, limit)?;
        let decisions = self.snapshot.open(TableName::Decisions)?;
        let runs = self.snapshot.open(TableName::Runs)?;
        let rows = ids.into_iter().map(|id| {
            let decision: Decision = decisions.need(&id)?;
            let facts: Facts = runs.need(&decision.run.to_bytes())?;
            decision.into_row(DecisionId::from_bytes(id), facts)
        });
        rows.collect()
    }

    fn marked(
        &self,
        kind: MarkKind,
        from: Bound<[u8; 16]>,
        limit: usize,
    ) -> Result<Vec<[u8; 16]>, Error> {
        let table = self.snapshot.open(TableName::Hot)?;
        let from: Bound<[u8; MARK_LEN]> = from.map(|id| kind.key(id));
        let to = kind.key([u8::MAX; 16]);
        let rows = table.range::<()>(from.as_ref().map(|key| &key[..]), Bound::Included(&to))?;
        let ids = rows.take(limit).map(|row| {
            let (key, ()) = row?;
            marked(&key).ok_or_else(|| TableName::Hot.damaged(&key, "its key"))
        });
        ids.collect()
    }
}

fn due_row(key: &[u8]) -> Result<DueRow, Error> {
    DueRow::from_key(key).ok_or_else(|| TableName::Due.damaged(key, "its key"))
}
