//! The inbox page by page: a page costs what it holds, wherever it begins.

use super::Views;
use crate::decision::Decision;
use crate::inbox::{Place, Rank, Shape, of_person, shape_key, unhex};
use crate::run::Facts;
use crate::store::guarded;
use crate::table::TableName;
use crate::{DecisionRow, Error, ShapeRow, Source};
use placet_model::{DecisionId, Digest, Principal};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::ops::Bound;
use std::str::FromStr;

/// Where a page of shapes ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShapePlace([u8; 33]);

impl fmt::Display for ShapePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::table::hex(&self.0))
    }
}

impl FromStr for ShapePlace {
    type Err = crate::ParsePlaceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        unhex(text).map(Self).ok_or_else(|| crate::ParsePlaceError::of(text))
    }
}

impl Views<'_> {
    /// Open items after `after` in the order of [`Place`], out of all of these sources, each once.
    /// It costs a seek for each source and the rows of the page.
    ///
    /// # Errors
    /// A damaged row.
    pub fn inbox(
        &self,
        sources: &[Source],
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<DecisionRow>, Error> {
        guarded(|| {
            let decisions = self.snapshot.open(TableName::Decisions)?;
            let runs = self.snapshot.open(TableName::Runs)?;
            let rows = self.places(sources, after, limit)?.into_iter().map(|place| {
                let id = place.decision();
                let decision: Decision = decisions.need(&id.to_bytes())?;
                let facts: Facts = runs.need(&decision.run.to_bytes())?;
                decision.into_row(id, facts)
            });
            rows.collect()
        })
    }

    fn places(
        &self,
        sources: &[Source],
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Place>, Error> {
        let mut ranges = Vec::with_capacity(sources.len());
        for source in sources {
            ranges.push(self.of_source(source, after)?);
        }
        let mut next = BinaryHeap::with_capacity(ranges.len());
        let mut advance = |range: usize| ranges[range].next().transpose();
        let push = |heap: &mut BinaryHeap<_>, place: Option<Place>, range: usize| {
            heap.extend(place.map(|place| Reverse((place, range))));
        };
        for range in 0..sources.len() {
            push(&mut next, advance(range)?, range);
        }
        let mut places: Vec<Place> = Vec::new();
        while let Some(Reverse((place, range))) = next.pop() {
            if places.last() != Some(&place) {
                if places.len() == limit {
                    break;
                }
                places.push(place);
            }
            push(&mut next, advance(range)?, range);
        }
        Ok(places)
    }

    fn of_source(
        &self,
        source: &Source,
        after: Option<Place>,
    ) -> Result<Box<dyn Iterator<Item = Result<Place, Error>>>, Error> {
        let (name, prefix) = match source {
            Source::All => (TableName::Inbox, vec![]),
            Source::Shape(shape) => (TableName::Shaped, shape.as_bytes().to_vec()),
            Source::AskedBy(person) => (TableName::Asked, of_person(person, &[])),
            Source::InHandsOf(person) => (TableName::Hands, of_person(person, &[])),
        };
        let from = match after {
            Some(after) => [&prefix[..], after.as_bytes()].concat(),
            None => prefix.clone(),
        };
        let from = after.map_or(Bound::Included(&from[..]), |_| Bound::Excluded(&from[..]));
        let to = [&prefix[..], &[u8::MAX; Place::LEN]].concat();
        let rows = self.snapshot.open(name)?.range::<()>(from, Bound::Included(&to[..]))?;
        Ok(Box::new(rows.map(move |row| {
            let (key, ()) = row?;
            Place::at_end_of(&key).ok_or_else(|| name.damaged(&key, "its key"))
        })))
    }

    /// Items that wait for votes, in the order of [`Place`]: keys alone are read.
    ///
    /// # Errors
    /// A damaged row.
    pub fn waiting_for_votes(&self, limit: usize) -> Result<Vec<DecisionId>, Error> {
        let (from, to) = ([Rank::CannotBeUndone as u8], [Rank::Approved as u8]);
        guarded(|| {
            let table = self.snapshot.open(TableName::Inbox)?;
            let rows = table.range::<()>(Bound::Included(&from), Bound::Excluded(&to))?;
            let rows = rows.take(limit).map(|row| {
                let (key, ()) = row?;
                let place = Place::at_end_of(&key);
                let place = place.ok_or_else(|| TableName::Inbox.damaged(&key, "its key"))?;
                Ok(place.decision())
            });
            rows.collect()
        })
    }

    /// Shapes of open items after `after`, by rank, each with its exact count.
    ///
    /// # Errors
    /// A damaged row.
    pub fn shapes(
        &self,
        after: Option<ShapePlace>,
        limit: usize,
    ) -> Result<Vec<(ShapePlace, ShapeRow)>, Error> {
        guarded(|| {
            let from = match &after {
                Some(after) => Bound::Excluded(&after.0[..]),
                None => Bound::Unbounded,
            };
            let table = self.snapshot.open(TableName::Shapes)?;
            let rows = table.range::<(u64, Shape)>(from, Bound::Unbounded)?.take(limit);
            let rows = rows.map(|row| {
                let (key, (count, shape)) = row?;
                let damaged = || TableName::Shapes.damaged(&key, "its key");
                let place: [u8; 33] = key.as_slice().try_into().map_err(|_length| damaged())?;
                let (_, digest) = place.split_first_chunk::<1>().ok_or_else(damaged)?;
                let digest: [u8; 32] = digest.try_into().map_err(|_length| damaged())?;
                let row = ShapeRow::of(Digest::from_bytes(digest), count, shape);
                Ok((ShapePlace(place), row.ok_or_else(damaged)?))
            });
            rows.collect()
        })
    }

    /// The shape with this digest, while there are open items of it.
    ///
    /// # Errors
    /// A damaged row.
    pub fn shape(&self, digest: Digest) -> Result<Option<ShapeRow>, Error> {
        guarded(|| {
            let table = self.snapshot.open(TableName::Shapes)?;
            for rank in Rank::ALL {
                let key = shape_key(rank as u8, &digest);
                if let Some((count, shape)) = table.get::<(u64, Shape)>(&key)? {
                    let row = ShapeRow::of(digest, count, shape);
                    return row
                        .map(Some)
                        .ok_or_else(|| TableName::Shapes.damaged(&key, "its rank"));
                }
            }
            Ok(None)
        })
    }

    /// How many items are open, where their shapes are not more than `shapes_max`.
    ///
    /// # Errors
    /// A damaged row.
    pub fn open_count(&self, shapes_max: usize) -> Result<Option<u64>, Error> {
        let shapes = self.shapes(None, shapes_max + 1)?;
        let all = shapes.len() <= shapes_max;
        Ok(all.then(|| shapes.iter().map(|(_, shape)| shape.count).sum()))
    }

    /// How many items that this principal has caused are open, at most `limit`.
    ///
    /// # Errors
    /// A damaged row.
    pub fn open_of(&self, requester: &Principal, limit: usize) -> Result<usize, Error> {
        guarded(|| {
            let mut rows = self.of_source(&Source::AskedBy(requester.clone()), None)?;
            rows.by_ref().take(limit).try_fold(0, |count, row| row.map(|_place| count + 1))
        })
    }

    /// An open item that is approved and unspent, or on which somebody has voted.
    ///
    /// # Errors
    /// A damaged row.
    pub fn voted_on(&self) -> Result<Option<DecisionRow>, Error> {
        if let Some(row) = self.approved_first()? {
            return Ok(Some(row));
        }
        guarded(|| {
            let table = self.snapshot.open(TableName::Hands)?;
            for row in table.range::<()>(Bound::Unbounded, Bound::Unbounded)? {
                let (key, ()) = row?;
                let place = Place::at_end_of(&key);
                let place = place.ok_or_else(|| TableName::Hands.damaged(&key, "its key"))?;
                let row = self.decision(place.decision())?;
                // who has written it has not voted on it
                if row.as_ref().is_some_and(|row| !row.votes.is_empty()) {
                    return Ok(row);
                }
            }
            Ok(None)
        })
    }
}
