//! The order of the inbox, and the fold of what is kept for it: open items by their place, by shape,
//! and by the people who have something to do with them; shapes with exact counts.
//!
//! A *shape* is what makes two items the same kind of decision: the call, the step that makes it,
//! what is required, and how it stands. Content, recipient and requester are no part of it: those are
//! looked at one by one.
//!
//! Everything here is a function of the decision ([`Listed::of`]), and a commit writes the
//! difference, so that a row cannot outlive its item.

use crate::Error;
use crate::decision::Decision;
use crate::key::moment;
use crate::store::Store;
use crate::table::TableName;
use placet_model::approval::Requirement;
use placet_model::decision::{DecisionState, Verdict};
use placet_model::draft::Mode;
use placet_model::manifest::Effect;
use placet_model::{DecisionId, Digest, IntegrationId, Principal, TaskPath, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// How grave it is, or how urgent: the first byte of a place, a contract. Lower comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Rank {
    /// Somebody lets it be sent alone in an emergency, and it is not sent yet.
    Emergency = 1,
    /// Sent, and nobody knows whether it arrived.
    InDoubt = 2,
    /// It waits for votes, and could not be undone.
    CannotBeUndone = 3,
    /// It waits for votes, and reaches a person.
    CannotBeUnsent = 4,
    /// It waits for votes, and can be changed back.
    Change = 5,
    /// It is approved and waits to be sent: nobody has to decide.
    Approved = 6,
}

impl Rank {
    fn of(decision: &Decision) -> Option<Self> {
        let broken = decision.votes.iter().any(|(_, verdict, _)| *verdict == Verdict::BreakGlass);
        match (decision.in_doubt, decision.state, decision.effect) {
            (Some(_), ..) => Some(Self::InDoubt),
            (None, DecisionState::Requested, Effect::Destructive) => Some(Self::CannotBeUndone),
            (None, DecisionState::Requested, Effect::Send) => Some(Self::CannotBeUnsent),
            (None, DecisionState::Requested, Effect::Write | Effect::Read) => Some(Self::Change),
            (None, DecisionState::Approved, _) if broken => Some(Self::Emergency),
            (None, DecisionState::Approved, _) => Some(Self::Approved),
            (
                None,
                DecisionState::Rejected
                | DecisionState::Responded
                | DecisionState::Expired
                | DecisionState::Withdrawn
                | DecisionState::Superseded
                | DecisionState::Void
                | DecisionState::Consumed,
                _,
            ) => None,
        }
    }

    /// Every rank, in order.
    pub const ALL: [Self; 6] = [
        Self::Emergency,
        Self::InDoubt,
        Self::CannotBeUndone,
        Self::CannotBeUnsent,
        Self::Change,
        Self::Approved,
    ];

    /// The state of such an item, in the word that the inbox uses.
    pub const fn state(self) -> &'static str {
        match self {
            Self::InDoubt => "in_doubt",
            Self::CannotBeUndone | Self::CannotBeUnsent | Self::Change => "requested",
            Self::Emergency | Self::Approved => "approved",
        }
    }
}

/// An open item's place in the list: by rank, then by deadline (of what is in doubt: since when it
/// is), then by when it was asked for. The cursor of a page is the place of its last item.
///
/// ```text
/// rank u8 | moment 8 | decision 16
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place([u8; 1 + 8 + 16]);

impl Place {
    pub(crate) const LEN: usize = 1 + 8 + 16;

    fn new(rank: Rank, at: Timestamp, decision: DecisionId) -> Self {
        let mut key = [0; Self::LEN];
        key[0] = rank as u8;
        key[1..9].copy_from_slice(&moment(at));
        key[9..].copy_from_slice(&decision.to_bytes());
        Self(key)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The place at the end of such a key.
    pub(crate) fn at_end_of(key: &[u8]) -> Option<Self> {
        key.last_chunk::<{ Self::LEN }>().copied().map(Self)
    }

    /// How grave it is.
    pub fn rank(&self) -> Rank {
        let rank = Rank::ALL.into_iter().find(|rank| *rank as u8 == self.0[0]);
        // places of other ranks are not made, but a cursor may hold anything: it shows nothing
        rank.unwrap_or(Rank::Approved)
    }

    /// Which item stands there.
    pub fn decision(&self) -> DecisionId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.0[9..]);
        DecisionId::from_bytes(id)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::table::hex(&self.0))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is no place in the list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no cursor of this list")]
pub struct ParsePlaceError {
    text: String,
}

impl ParsePlaceError {
    pub(crate) fn of(text: &str) -> Self {
        Self { text: text.to_owned() }
    }
}

impl FromStr for Place {
    type Err = ParsePlaceError;

    fn from_str(text: &str) -> Result<Self, ParsePlaceError> {
        let bytes = unhex(text).ok_or_else(|| ParsePlaceError::of(text))?;
        Ok(Self(bytes))
    }
}

/// Lower-case hex of exactly so many bytes.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (slot, [high, low]) in bytes.iter_mut().zip(pairs) {
        *slot = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// What makes two items the same kind of decision, as stored; its digest is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub(crate) operation: String,
    pub(crate) effect: Effect,
    pub(crate) integration: Option<IntegrationId>,
    pub(crate) mode: Mode,
    pub(crate) workflow: String,
    pub(crate) task: TaskPath,
    pub(crate) requirement: Requirement,
    pub(crate) assigned: Vec<Principal>,
    pub(crate) edited: bool,
    pub(crate) rank: u8,
}

impl Shape {
    fn of(decision: &Decision) -> Self {
        Self {
            operation: decision.operation.clone(),
            effect: decision.effect,
            integration: decision.integration,
            mode: decision.mode,
            workflow: decision.workflow.clone(),
            task: decision.task.clone(),
            requirement: decision.requirement.clone(),
            assigned: decision.assigned.clone(),
            edited: decision.editor.is_some(),
            rank: Rank::of(decision).map_or(0, |rank| rank as u8),
        }
    }

    pub(crate) fn rank(&self) -> Option<Rank> {
        Rank::ALL.into_iter().find(|rank| *rank as u8 == self.rank)
    }

    fn digest(&self) -> Result<Digest, Error> {
        let bytes = postcard::to_allocvec(self)
            .map_err(|source| Error::Encode { table: TableName::Shapes.live(), source })?;
        Ok(Digest::of(&bytes))
    }
}

/// The shape of a decision.
pub(crate) fn shape_of(decision: &Decision) -> Result<Digest, Error> {
    Shape::of(decision).digest()
}

/// The place of a decision, while it is open.
pub(crate) fn place_of(decision: DecisionId, stored: &Decision) -> Option<Place> {
    let rank = Rank::of(stored)?;
    let at = stored.in_doubt.map_or(stored.expires_at, |(_, since)| since);
    Some(Place::new(rank, at, decision))
}

/// An open item as it stands in the tables of the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    place: Place,
    digest: Digest,
    shape: Shape,
    requester: Principal,
    /// Who has voted on it or has written it.
    hands: BTreeSet<Principal>,
}

impl Listed {
    /// What is to stand there for this decision; nothing once it is closed.
    pub(crate) fn of(id: DecisionId, decision: &Decision) -> Result<Option<Self>, Error> {
        let Some(place) = place_of(id, decision) else { return Ok(None) };
        let shape = Shape::of(decision);
        let voters = decision.votes.iter().map(|(voter, ..)| voter.clone());
        Ok(Some(Self {
            place,
            digest: shape.digest()?,
            shape,
            requester: decision.requester.clone(),
            hands: voters.chain(decision.editor.clone()).collect(),
        }))
    }

    fn keys(&self) -> BTreeSet<(TableName, Vec<u8>)> {
        let place = self.place.as_bytes();
        let hands = self.hands.iter().map(|who| (TableName::Hands, of_person(who, place)));
        [
            (TableName::Inbox, place.to_vec()),
            (TableName::Shaped, [self.digest.as_bytes(), &place[..]].concat()),
            (TableName::Asked, of_person(&self.requester, place)),
        ]
        .into_iter()
        .chain(hands)
        .collect()
    }
}

/// The key of a person's item; no principal's name holds a zero.
pub(crate) fn of_person(person: &Principal, place: &[u8]) -> Vec<u8> {
    [person.as_str().as_bytes(), &[0], place].concat()
}

/// The key of a shape: shapes stand in the order of their ranks.
pub(crate) fn shape_key(rank: u8, digest: &Digest) -> Vec<u8> {
    [&[rank], &digest.as_bytes()[..]].concat()
}

/// How the tables of the inbox change with one commit.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    keys: BTreeMap<(TableName, Vec<u8>), bool>,
    counts: BTreeMap<Vec<u8>, (i64, Shape)>,
}

impl Changes {
    /// One item goes from here to there.
    pub(crate) fn moved(&mut self, before: Option<&Listed>, now: Option<&Listed>) {
        if before == now {
            return;
        }
        let [before_keys, now_keys] =
            [before, now].map(|listed| listed.map(Listed::keys).unwrap_or_default());
        self.keys.extend(before_keys.difference(&now_keys).cloned().map(|key| (key, false)));
        self.keys.extend(now_keys.difference(&before_keys).cloned().map(|key| (key, true)));
        for (listed, by) in [(before, -1), (now, 1)] {
            let Some(listed) = listed else { continue };
            let key = shape_key(listed.shape.rank, &listed.digest);
            let count = self.counts.entry(key).or_insert_with(|| (0, listed.shape.clone()));
            count.0 += by;
        }
    }

    pub(crate) fn write(self, store: &mut Store<'_>) -> Result<(), Error> {
        for ((table, key), there) in self.keys {
            if there {
                store.put(table, &key, &())?;
            } else {
                store.remove(table, &key)?;
            }
        }
        for (key, (by, shape)) in self.counts.into_iter().filter(|(_, (by, _))| *by != 0) {
            let stored: Option<(u64, Shape)> = store.get(TableName::Shapes, &key)?;
            let count = stored.map_or(0, |(count, _)| count).checked_add_signed(by);
            match count.ok_or_else(|| TableName::Shapes.damaged(&key, "its count"))? {
                0 => store.remove(TableName::Shapes, &key)?,
                count => store.put(TableName::Shapes, &key, &(count, shape))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_sort_by_rank_then_moment_and_read_back() {
        let id = |n| DecisionId::from_bytes([n; 16]);
        let at = Timestamp::from_millis;
        let places = [
            Place::new(Rank::Emergency, at(9), id(1)),
            Place::new(Rank::InDoubt, at(-1), id(1)),
            Place::new(Rank::InDoubt, at(5), id(1)),
            Place::new(Rank::InDoubt, at(5), id(2)),
            Place::new(Rank::Approved, at(0), id(0)),
        ];
        assert!(places.is_sorted());
        for place in places {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        assert_eq!(places[3].decision(), id(2));
        for bad in ["", "x", "00", &"0".repeat(51), &"G".repeat(50)] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
