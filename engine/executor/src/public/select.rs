//! Which events somebody wants to read, and a page of them: the same filters at every door.
//!
//! A filter that names a stream reads that stream by its index; moments and positions are found by
//! halving, as log time never goes back. Everything else looks at one event after the other, at most
//! [`LOOKED_AT_MAX`] of them for one page.

use super::through::Through;
use crate::handle::Error;
use placet_language::duration;
use placet_log::ReadView;
use placet_model::event::EventKind;
use placet_model::{
    Actor, Duration, IntegrationId, Position, RecordedEvent, Revision, StreamId, Timestamp,
};
use placet_projections::Views;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Events that are looked at for one page; a page of rare ones ends early and says where to go on.
pub const LOOKED_AT_MAX: usize = 20_000;

/// Which events are wanted, as somebody says it; everything that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Those of this stream.
    pub stream: Option<StreamId>,
    /// Those of one of these types; any when empty.
    pub kinds: BTreeSet<EventKind>,
    /// Those that this one caused.
    pub actor: Option<Actor>,
    /// Those recorded at this moment or later.
    pub since: Option<Moment>,
    /// Those recorded before this moment.
    pub until: Option<Moment>,
    /// Those of an integration, and of the decisions and attempts that went through it: its name or
    /// its id.
    pub integration: Option<String>,
}

/// A moment, or how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// This one.
    At(Timestamp),
    /// This long before now.
    Ago(Duration),
}

impl Moment {
    pub(crate) const fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(moment) => moment,
            Self::Ago(ago) => now.plus_millis(-ago.approximate_millis()),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(moment) => moment.fmt(f),
            Self::Ago(ago) => ago.fmt(f),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(moment) = text.parse() {
            return Ok(Self::At(moment));
        }
        let ago = duration::from_text(text).map(Self::Ago);
        ago.map_err(|_no_duration| {
            format!("{text:?} is neither a moment such as 2026-01-01T00:00:00Z nor a length of time such as PT1H")
        })
    }
}

/// Reads an actor: `engine`, a principal's name, or `principal:NAME` for one that is called engine.
///
/// # Errors
/// Text that can name neither.
pub fn actor(text: &str) -> Result<Actor, String> {
    let named = || text.parse().map(Actor::Principal);
    text.parse().or_else(|_no_actor| named()).map_err(|error| error.to_string())
}

/// Reads the name of a type of event.
///
/// # Errors
/// When there is no such type.
pub fn kind(text: &str) -> Result<EventKind, String> {
    let found = EventKind::ALL.iter().find(|kind| kind.name() == text);
    found.copied().ok_or_else(|| format!("there is no event {text}"))
}

/// From which end the log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As it happened; the cursor is the position after which to begin.
    OldestFirst,
    /// Backwards; the cursor is the position before which to begin.
    NewestFirst,
}

/// Some of the events that were wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// They, in order.
    pub events: Vec<RecordedEvent>,
    /// The cursor of the next page; none when the end was reached.
    pub next: Option<Position>,
    /// Position of the last event of the log when this was read: where whoever follows goes on,
    /// once there is no next page.
    pub head: Position,
}

/// Which events are wanted, with every name looked up.
#[derive(Debug)]
pub struct Filter {
    stream: Option<StreamId>,
    kinds: BTreeSet<EventKind>,
    actor: Option<Actor>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    integrations: Option<BTreeSet<IntegrationId>>,
}

impl Wanted {
    /// Looks up what is named; lengths of time count back from `now`.
    ///
    /// # Errors
    /// An unknown integration; projections that cannot be read, where one is given by name.
    pub fn resolve(self, view: &ReadView, now: Timestamp) -> Result<Filter, Error> {
        let integrations = self.integration.as_deref().map(|name| named(view, name)).transpose()?;
        Ok(Filter {
            stream: self.stream,
            kinds: self.kinds,
            actor: self.actor,
            since: self.since.map(|moment| moment.before(now)),
            until: self.until.map(|moment| moment.before(now)),
            integrations,
        })
    }
}

/// The integrations that have this name, those that are gone included, or the one with this id.
fn named(view: &ReadView, name: &str) -> Result<BTreeSet<IntegrationId>, Error> {
    if let Ok(id) = name.parse() {
        return Ok(BTreeSet::from([id]));
    }
    let all = Views::new(view)?.integrations()?;
    let found: BTreeSet<_> = all.iter().filter(|i| i.name == name).map(|i| i.id).collect();
    if found.is_empty() {
        let detail = format!("there is no integration {name}");
        return Err(Error::Refused { code: "PL4009", detail });
    }
    Ok(found)
}

impl Filter {
    /// Up to `limit` events beyond `cursor` ([`Position::START`]: from the end that comes first).
    ///
    /// # Errors
    /// A damaged event, with its position.
    pub fn page(
        &self,
        view: &ReadView,
        (order, cursor): (Order, Position),
        limit: usize,
    ) -> Result<Page, Error> {
        let lane = Lane { view, stream: self.stream.as_ref() };
        let (from, to) = self.bounds(&lane, order, cursor)?;
        let mut through = self.integrations.as_ref().map(|ids| Through::new(view, ids));
        let head = view.head().position();
        let mut page = Page { events: vec![], next: None, head };
        let (mut looked_at, mut last) = (0, cursor);
        for event in lane.walk(from, to, order) {
            let event = event?;
            if page.events.len() == limit || looked_at == LOOKED_AT_MAX {
                page.next = Some(last);
                break;
            }
            (last, looked_at) = (event.position, looked_at + 1);
            if self.fits(&event) && through.as_mut().map_or(Ok(true), |t| t.fits(&event))? {
                page.events.push(event);
            }
        }
        Ok(page)
    }

    fn fits(&self, event: &RecordedEvent) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&event.event.kind()))
            && self.actor.as_ref().is_none_or(|actor| *actor == event.actor)
    }

    /// The first and the last place of the lane that can fit.
    fn bounds(
        &self,
        lane: &Lane<'_>,
        order: Order,
        cursor: Position,
    ) -> Result<(u64, u64), placet_log::Error> {
        let (mut from, mut to) = (1, lane.len()?);
        match order {
            Order::OldestFirst if cursor > Position::START => from = lane.beyond(cursor, to)?,
            Order::NewestFirst if cursor > Position::START => {
                let before = Position::new(cursor.get() - 1);
                to = lane.beyond(before, to)? - 1;
            }
            Order::OldestFirst | Order::NewestFirst => {}
        }
        if let Some(since) = self.since {
            from = lane.first(from, to, |event| event.recorded_at >= since)?;
        }
        if let Some(until) = self.until {
            to = lane.first(from, to, |event| event.recorded_at >= until)? - 1;
        }
        Ok((from, to))
    }
}

/// The log, or one stream of it, as a row of places from 1.
struct Lane<'v> {
    view: &'v ReadView,
    stream: Option<&'v StreamId>,
}

type Walk<'v> = Box<dyn Iterator<Item = Result<RecordedEvent, placet_log::Error>> + 'v>;

impl<'v> Lane<'v> {
    fn len(&self) -> Result<u64, placet_log::Error> {
        match self.stream {
            None => Ok(self.view.head().position().get()),
            Some(stream) => Ok(self.view.revision(stream)?.get()),
        }
    }

    fn get(&self, place: u64) -> Result<RecordedEvent, placet_log::Error> {
        match self.stream {
            None => self.view.event(Position::new(place)),
            Some(stream) => self.view.stream_event(stream, Revision::new(place)),
        }
    }

    /// The first place up to `to` of an event beyond `cursor`, one beyond `to` when there is none.
    fn beyond(&self, cursor: Position, to: u64) -> Result<u64, placet_log::Error> {
        match self.stream {
            None => Ok(cursor.get().min(to) + 1),
            Some(_) => self.first(1, to, |event| event.position > cursor),
        }
    }

    /// The first place from `from` to `to` whose event is `far`, one beyond `to` when none is. From
    /// there on all are.
    fn first(
        &self,
        from: u64,
        to: u64,
        far: impl Fn(&RecordedEvent) -> bool,
    ) -> Result<u64, placet_log::Error> {
        let (mut low, mut high) = (from, to.max(from - 1) + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if far(&self.get(middle)?) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }

    /// The events from place `from` to place `to`.
    fn walk(&self, from: u64, to: u64, order: Order) -> Walk<'v> {
        let (view, stream) = (self.view, self.stream);
        let count = usize::try_from((to + 1).saturating_sub(from)).unwrap_or(usize::MAX);
        match (order, stream) {
            (Order::OldestFirst, None) => Box::new(view.events(Position::new(from)).take(count)),
            (Order::OldestFirst, Some(stream)) => {
                Box::new(view.stream(stream, Revision::new(from - 1)).take(count))
            }
            (Order::NewestFirst, _) => {
                let lane = Lane { view, stream };
                Box::new((from..=to).rev().map(move |place| lane.get(place)))
            }
        }
    }
}
