//! Events that came, who waits for them, and runs that were ordered.

use super::{Views, run_id};
use crate::arrival::{self, Arrival, DELIVERED};
use crate::key::MarkKind;
use crate::order::Order;
use crate::store::guarded;
use crate::table::TableName;
use crate::{ArrivalRow, Error, OrderRow};
use placet_model::{Digest, Position, RunId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

impl Views<'_> {
    /// Events of this type, or of any, that came at this moment or later and after this place; the
    /// latest `limit` of them, in the order in which they came.
    ///
    /// # Errors
    /// A damaged row.
    pub fn arrivals(
        &self,
        kind: Option<&str>,
        (since, after): (Timestamp, Position),
        limit: usize,
    ) -> Result<Vec<ArrivalRow>, Error> {
        guarded(|| {
            let mut rows = vec![];
            for position in self.newest_arrivals(kind, after)? {
                let row = self.need_arrival(position?)?;
                if row.at < since || rows.len() == limit {
                    break;
                }
                rows.push(row);
            }
            rows.reverse();
            Ok(rows)
        })
    }

    fn newest_arrivals(
        &self,
        kind: Option<&str>,
        after: Position,
    ) -> Result<Box<dyn Iterator<Item = Result<Position, Error>>>, Error> {
        let from = after.next().get().to_be_bytes();
        let Some(kind) = kind else {
            let table = self.snapshot.open(TableName::Arrivals)?;
            let rows = table.range::<Arrival>(Bound::Included(&from), Bound::Unbounded)?;
            return Ok(Box::new(rows.rev().map(|row| position(&row?.0))));
        };
        let table = self.snapshot.open(TableName::ArrivalTypes)?;
        let (from, to) = (arrival::key(kind, &from), arrival::key(kind, &[u8::MAX; 8]));
        let rows = table.range::<()>(Bound::Included(&from), Bound::Included(&to))?;
        Ok(Box::new(rows.rev().map(|row| position(&row?.0))))
    }

    fn need_arrival(&self, place: Position) -> Result<ArrivalRow, Error> {
        let key = place.get().to_be_bytes();
        let table = self.snapshot.open(TableName::Arrivals)?;
        let row = table.need::<Arrival>(&key)?.into_row(place);
        row.ok_or_else(|| TableName::Arrivals.damaged(&key, "its stream"))
    }

    /// The event that came at this place; none when it is a second one of its source and id.
    ///
    /// # Errors
    /// A damaged row.
    pub fn arrival(&self, place: Position) -> Result<Option<ArrivalRow>, Error> {
        guarded(|| {
            let table = self.snapshot.open(TableName::Arrivals)?;
            let known = table.get::<Arrival>(&place.get().to_be_bytes())?;
            known.map(|_| self.need_arrival(place)).transpose()
        })
    }

    /// Where the event of this source and id stands, if it came before.
    ///
    /// # Errors
    /// A damaged row.
    pub fn arrival_of(&self, identity: &Digest) -> Result<Option<Position>, Error> {
        guarded(|| self.snapshot.open(TableName::ArrivalIds)?.get(identity.as_bytes()))
    }

    /// Runs that wait for events of this type, or of any, each with the place where the wait began,
    /// or began again: what came before it is looked for by the run itself.
    ///
    /// # Errors
    /// A damaged row.
    pub fn listeners(&self, kind: &str) -> Result<BTreeMap<RunId, Position>, Error> {
        guarded(|| {
            let table = self.snapshot.open(TableName::Listeners)?;
            let mut runs = BTreeMap::new();
            for kind in [kind, ""] {
                let (from, to) = (arrival::key(kind, &[]), arrival::key(kind, &[u8::MAX; 16]));
                for row in table.range::<Position>(Bound::Included(&from), Bound::Included(&to))? {
                    let (key, at) = row?;
                    // a type that begins like this one ends in more
                    if key.len() == kind.len() + 17 {
                        let run = run_id(&key[key.len() - 16..])?;
                        runs.entry(run)
                            .and_modify(|known: &mut Position| *known = at.min(*known))
                            .or_insert(at);
                    }
                }
            }
            Ok(runs)
        })
    }

    /// Up to where everybody has been told of what came.
    ///
    /// # Errors
    /// A damaged row.
    pub fn delivered(&self) -> Result<Position, Error> {
        guarded(|| {
            let row = self.snapshot.open(TableName::Project)?.get(DELIVERED)?;
            Ok(row.unwrap_or(Position::START))
        })
    }

    /// Runs whose wait began, or began again, after this place.
    ///
    /// # Errors
    /// A damaged row.
    pub fn listening_since(&self, place: Position) -> Result<BTreeSet<RunId>, Error> {
        guarded(|| {
            let table = self.snapshot.open(TableName::Listeners)?;
            let mut runs = BTreeSet::new();
            for row in table.range::<Position>(Bound::Unbounded, Bound::Unbounded)? {
                let (key, at) = row?;
                if at > place {
                    runs.insert(run_id(key.get(key.len().saturating_sub(16)..).unwrap_or(&[]))?);
                }
            }
            Ok(runs)
        })
    }

    /// The order by which a run was begun; most runs have none.
    ///
    /// # Errors
    /// A damaged row.
    pub fn order(&self, run: RunId) -> Result<Option<OrderRow>, Error> {
        guarded(|| {
            let key = run.to_bytes();
            let Some(order) = self.snapshot.open(TableName::Orders)?.get::<Order>(&key)? else {
                return Ok(None);
            };
            let row = order.into_row(run);
            row.map(Some).ok_or_else(|| TableName::Orders.damaged(&key, "its stream"))
        })
    }

    /// Whether any run was ever ordered by another, or by a schedule.
    ///
    /// # Errors
    /// A damaged row.
    pub fn has_orders(&self) -> Result<bool, Error> {
        guarded(|| {
            let table = self.snapshot.open(TableName::Orders)?;
            let first = table.range::<Order>(Bound::Unbounded, Bound::Unbounded)?.next();
            Ok(first.transpose()?.is_some())
        })
    }

    /// Orders about which something is still to be done.
    ///
    /// # Errors
    /// A damaged row.
    pub fn pending_orders(&self) -> Result<Vec<OrderRow>, Error> {
        let mut rows = vec![];
        for run in self.runs_marked(MarkKind::Ordered)? {
            let row = self.order(run)?;
            rows.push(row.ok_or_else(|| TableName::Orders.missing(&run.to_bytes()))?);
        }
        Ok(rows)
    }
}

/// The place at the end of a key.
fn position(key: &[u8]) -> Result<Position, Error> {
    let place = key.last_chunk::<8>();
    let place = place.ok_or_else(|| TableName::Arrivals.damaged(key, "its key"))?;
    Ok(Position::new(u64::from_be_bytes(*place)))
}
