//! What the keeping of connections rests on, for a person's act and for the keeper beside the loop alike:
//! it reads the project, records, and holds no [`Handle`], so that it keeps no engine alive.

use super::Connections;
use crate::env::Env;
use crate::handle::{Error, Handle};
use crate::input::{Change, Input};
use crate::inputs::Inputs;
use crate::world::World;
use placet_log::{Append, Expected, NewEvent};
use placet_model::{Actor, Event, EventId, IntegrationId, RecordedEvent, StreamId, Timestamp};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::oneshot;

/// Who acts, on what.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(super) env: Arc<Env>,
    pub(super) inputs: Inputs,
    world: Arc<RwLock<Arc<World>>>,
    pub(super) connections: Arc<Connections>,
    pub(super) actor: Actor,
    /// What was recorded before belongs to an earlier process.
    pub(super) started_at: Timestamp,
}

impl Desk {
    pub(super) fn new(
        (env, inputs): (&Arc<Env>, &Inputs),
        world: &Arc<RwLock<Arc<World>>>,
        connections: &Arc<Connections>,
        actor: Actor,
    ) -> Self {
        let started_at = connections.started_at(env.now());
        Self {
            env: Arc::clone(env),
            inputs: inputs.clone(),
            world: Arc::clone(world),
            connections: Arc::clone(connections),
            actor,
            started_at,
        }
    }

    pub(super) fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Appends to an integration's stream; answers when it is on disk.
    pub(super) async fn record(&self, id: IntegrationId, events: Vec<Event>) -> Result<(), Error> {
        self.append(id, events).await.map(|_| ())
    }

    /// As [`Self::record`]; gives the event's id.
    pub(super) async fn record_one(
        &self,
        id: IntegrationId,
        event: Event,
    ) -> Result<EventId, Error> {
        let recorded = self.append(id, vec![event]).await?;
        // an append that is acknowledged has its events
        recorded.first().map(|event| event.event_id).ok_or(Error::Stopping)
    }

    async fn append(
        &self,
        id: IntegrationId,
        events: Vec<Event>,
    ) -> Result<Vec<RecordedEvent>, Error> {
        let now = self.env.now();
        let new = |event| NewEvent::new(self.env.mint.event(now), self.actor.clone(), event);
        let events = events.into_iter().map(new).collect();
        let append = Append::new(StreamId::Integration(id), Expected::Any, events);
        let (reply, answer) = oneshot::channel();
        let change = Change { group: vec![append], policy: None, reply, turn: None };
        let input = Input::Govern(Box::new(change));
        self.inputs.send(input).map_err(|_ended| Error::Stopping)?;
        answer.await.map_err(|_ended| Error::Stopping)?
    }
}

impl Handle {
    pub(super) fn desk(&self, actor: Actor) -> Desk {
        Desk::new((&self.env, &self.inputs), &self.world, &self.connections, actor)
    }
}
