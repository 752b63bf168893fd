//! Triggers: which events of which connection may start runs. A manifest states those that may as soon as
//! it is connected, operators say otherwise, and what a workflow listens for (`schedule.on`) says what an
//! event starts.
//!
//! Invariants:
//!
//! * What is said of an event is that of the *name* of its connection: what people have written is there
//!   again when a connection of that name comes back.
//! * What came while its trigger was off starts nothing, also when it is on again, and also over a restart:
//!   what counts is what stood in the log before the event itself.
//! * Of an event of which nothing was ever said (its connection is older than triggers are, or its type
//!   came with a later manifest) whatever listens for it is started.
//! * Runs that wait for an event (`listen`) hear it either way: a trigger is about starts alone.
//! * What a connection has seeded goes with it; what people wrote stays.

mod acts;
mod list;

pub use acts::TriggerState;
pub use list::{Silent, TriggerRow, silent};

use crate::turn;
use placet_log::ReadView;
use placet_model::event::trigger::TriggerOrigin;
use placet_model::{Event, IntegrationId, Position, Revision, StreamId};
use placet_projections::ArrivalRow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was said of an event of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Set { origin: TriggerOrigin, enabled: bool },
    Removed,
}

impl Said {
    pub(crate) const fn starts_runs(self) -> bool {
        matches!(self, Self::Set { enabled: true, .. })
    }
}

/// The name of a connection, and the type of an event.
pub(crate) type Key = (String, String);

/// What was said of the events of all connections: read from the log as far as somebody looks.
#[derive(Debug, Default)]
pub(crate) struct Triggers(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// How far the stream of the project was read.
    up_to: Option<Revision>,
    /// What was said, in order, each at its place in the log.
    said: BTreeMap<Key, Vec<(Position, Placed)>>,
    /// Types of events of which it was ever said that they start nothing.
    silenced: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy)]
struct Placed {
    integration: IntegrationId,
    said: Said,
}

impl Told {
    fn note(&mut self, position: Position, event: &Event) {
        let (key, integration, said) = match event {
            Event::TriggerSet(body) => {
                let said = Said::Set { origin: body.origin, enabled: body.enabled };
                ((body.name.clone(), body.event.clone()), body.integration, said)
            }
            Event::TriggerRemoved(body) => {
                ((body.name.clone(), body.event.clone()), body.integration, Said::Removed)
            }
            _ => return,
        };
        if !said.starts_runs() {
            self.silenced.insert(key.1.clone());
        }
        self.said.entry(key).or_default().push((position, Placed { integration, said }));
    }
}

impl Triggers {
    /// Everything that the log says up to this view.
    fn read(&self, view: &ReadView) -> Result<MutexGuard<'_, Told>, placet_log::Error> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for event in view.stream(&StreamId::Project, told.up_to.unwrap_or(Revision::START)) {
            let event = event?;
            told.note(event.position, &event.event);
            told.up_to = Some(event.revision);
        }
        Ok(told)
    }

    /// What is said now, with the connection that bore the name when it was said.
    pub(crate) fn now(
        &self,
        view: &ReadView,
    ) -> Result<BTreeMap<Key, (IntegrationId, Said)>, placet_log::Error> {
        let told = self.read(view)?;
        let last = told.said.iter().filter_map(|(key, all)| {
            let (_, last) = all.last()?;
            Some((key.clone(), (last.integration, last.said)))
        });
        Ok(last.collect())
    }

    /// Whether an event of this type may be one that starts nothing.
    fn was_ever_silenced(&self, view: &ReadView, event: &str) -> Result<bool, placet_log::Error> {
        Ok(self.read(view)?.silenced.contains(event))
    }

    /// What was said of an event before this position.
    fn before(
        &self,
        view: &ReadView,
        (key, position): (&Key, Position),
    ) -> Result<Option<Said>, placet_log::Error> {
        let told = self.read(view)?;
        let all = told.said.get(key).map(Vec::as_slice).unwrap_or_default();
        let before = all.iter().take_while(|(at, _)| *at < position);
        Ok(before.last().map(|(_, placed)| placed.said))
    }
}

impl turn::Turn<'_> {
    /// Whether this run would start something for an event whose trigger was off when it came.
    pub(crate) fn is_silenced(&self, arrival: &ArrivalRow) -> Result<bool, turn::Error> {
        if arrival.envelope.stream != StreamId::Events || !self.is_listener() {
            return Ok(false);
        }
        let (view, triggers) = (self.env.view()?, &self.env.triggers);
        if !triggers.was_ever_silenced(&view, &arrival.kind)? {
            return Ok(false);
        }
        let Event::InboundReceived(body) = view.event(arrival.position)?.event else {
            return Ok(false);
        };
        let Some(known) = self.world.integrations.get(&body.integration) else { return Ok(false) };
        let key = (known.name.clone(), body.kind);
        let said = triggers.before(&view, (&key, arrival.position))?;
        Ok(said.is_some_and(|said| !said.starts_runs()))
    }
}
