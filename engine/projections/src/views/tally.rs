//! What approvers did, and how far they were told.

use super::Views;
use crate::store::{Opened, guarded};
use crate::table::TableName;
use crate::tally::{RESUME, Stored, Told, prefix, told_key};
use crate::{Error, TallyKind, TallyRow, ToldRow};
use placet_model::draft::Mode;
use placet_model::{Position, Principal, Timestamp};
use std::ops::{Bound, ControlFlow, Range};

impl Views<'_> {
    /// Hands every row of somebody (or of nobody) of one kind and in a span of time to `each`, in
    /// order of time, until it breaks off. Memory does not grow with their number.
    ///
    /// # Errors
    /// A damaged row.
    pub fn tally(
        &self,
        (who, kind): (Option<&Principal>, TallyKind),
        span: Range<Timestamp>,
        mut each: impl FnMut(TallyRow) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let prefix = prefix(who, kind);
        let at = |at| [&prefix[..], &crate::key::moment(at)].concat();
        let (from, to) = (at(span.start), at(span.end));
        guarded(|| {
            let table = self.snapshot.open(TableName::Tally)?;
            let rows = table.range::<Stored>(Bound::Included(&from), Bound::Excluded(&to))?;
            for row in rows {
                if each(tally_row(&prefix, row?)?).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// The last row of somebody of one kind.
    ///
    /// # Errors
    /// A damaged row.
    pub fn last_tally(&self, who: &Principal, kind: TallyKind) -> Result<Option<TallyRow>, Error> {
        let prefix = prefix(Some(who), kind);
        let to = [&prefix[..], &[u8::MAX; 17]].concat();
        guarded(|| {
            let table = self.snapshot.open(TableName::Tally)?;
            let mut rows = table.range::<Stored>(Bound::Included(&prefix), Bound::Included(&to))?;
            rows.next_back().map(|row| tally_row(&prefix, row?)).transpose()
        })
    }

    /// Everybody of whom there is a row, in order of their names. It looks at a few rows for each.
    ///
    /// # Errors
    /// A damaged row.
    pub fn tallied(&self) -> Result<Vec<Principal>, Error> {
        guarded(|| {
            let table = self.snapshot.open(TableName::Tally)?;
            let mut found = vec![];
            // nobody's rows come first: an empty name and a zero
            let mut after = vec![1];
            while let Some(name) = name_from(&table, &after)? {
                after = [name.as_str().as_bytes(), &[1]].concat();
                found.push(name);
            }
            Ok(found)
        })
    }

    /// How far somebody was told over a channel.
    ///
    /// # Errors
    /// A damaged row.
    pub fn told(
        &self,
        to: &Principal,
        channel: &str,
        mode: Mode,
    ) -> Result<Option<ToldRow>, Error> {
        let key = told_key(to, channel, mode);
        guarded(|| {
            let told = self.snapshot.open(TableName::Told)?.get::<Told>(&key)?;
            Ok(told.map(|told| ToldRow {
                up_to: told.up_to,
                queued_at: told.queued_at,
                under_way: told.under_way.map(|notice| (notice, told.tries)),
            }))
        })
    }

    /// From where an engine that starts reads on, to tell people what they were not told; none
    /// before the first notice.
    ///
    /// # Errors
    /// A damaged row.
    pub fn tell_after(&self) -> Result<Option<Position>, Error> {
        guarded(|| self.snapshot.open(TableName::Told)?.get(RESUME))
    }
}

/// The first name at or after a key.
fn name_from(table: &Opened, after: &[u8]) -> Result<Option<Principal>, Error> {
    let mut rows = table.range::<Stored>(Bound::Included(after), Bound::Unbounded)?;
    let Some(row) = rows.next() else { return Ok(None) };
    let (key, _) = row?;
    let damaged = || TableName::Tally.damaged(&key, "its key");
    let name = key.split(|byte| *byte == 0).next().and_then(|name| str::from_utf8(name).ok());
    name.and_then(|name| name.parse().ok()).map(Some).ok_or_else(damaged)
}

fn tally_row(prefix: &[u8], (key, stored): (Vec<u8>, Stored)) -> Result<TallyRow, Error> {
    let rest = key.get(prefix.len()..).and_then(|rest| <[u8; 16]>::try_from(rest).ok());
    let rest = rest.ok_or_else(|| TableName::Tally.damaged(&key, "its key"))?;
    let (at, position) = rest.split_at(8);
    let number = |bytes: &[u8]| bytes.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    Ok(TallyRow {
        at: Timestamp::from_millis((number(at) ^ (1 << 63)).cast_signed()),
        position: Position::new(number(position)),
        decision: stored.decision,
        word: stored.word,
        took_ms: stored.took_ms,
    })
}
