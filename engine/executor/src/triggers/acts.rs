//! Setting triggers, and what connecting and disconnecting does to them.

use super::{Key, Said, list};
use crate::handle::{Error, Handle, ProjectFact};
use placet_adapters::Manifest;
use placet_adapters::inbound::Inbound;
use placet_model::actor::Role;
use placet_model::event::trigger::{TriggerOrigin, TriggerRemoved, TriggerSet};
use placet_model::integration::Integration;
use placet_model::{Actor, IntegrationId, Principal, StreamId};
use serde::{Deserialize, Serialize};

/// What is said of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerState {
    /// It starts the runs of whatever listens for it.
    On,
    /// It starts no run.
    Off,
    /// There is no such trigger: it starts no run either, and a new connection may bring it again.
    Removed,
}

impl Handle {
    /// Says what becomes of an event of a connection from now on. What is so already, by somebody's word,
    /// is recorded no second time.
    ///
    /// # Errors
    /// When the actor may not, nothing connected brings such an event, or there is no such trigger.
    pub async fn set_trigger(
        &self,
        actor: &Principal,
        (name, event): (&str, &str),
        state: TriggerState,
    ) -> Result<(), Error> {
        let turn = self.act_turn().await;
        self.demand(actor, Role::Operator)?;
        let key = (name.to_owned(), event.to_owned());
        let said = self.env.triggers.now(&self.view()?)?.get(&key).copied();
        let fact = match state {
            TriggerState::On => self.written(&key, said, On::Yes)?,
            TriggerState::Off => self.written(&key, said, On::No)?,
            TriggerState::Removed => Some(self.removed(&key, said)?),
        };
        let Some(fact) = fact else { return Ok(()) };
        self.govern(&Actor::Principal(actor.clone()), vec![fact], None, turn).await.map(|_| ())
    }

    /// Only what is connected can be set.
    fn written(
        &self,
        (name, event): &Key,
        said: Option<(IntegrationId, Said)>,
        on: On,
    ) -> Result<Option<ProjectFact>, Error> {
        let integration = self.named(name)?;
        if !self.brings(&integration, event) {
            let brought: Vec<&str> = list::brought(self.manifest_of(&integration)).collect();
            let detail = match brought.as_slice() {
                [] => format!("nothing comes in over {name} that could start a run"),
                brought => format!(
                    "{name} brings no event {event}; what it brings is {}",
                    brought.join(", ")
                ),
            };
            return Err(Error::Refused { code: "PL3076", detail });
        }
        let (origin, enabled) = (TriggerOrigin::Written, on == On::Yes);
        let is_so = said.is_some_and(|(_, said)| said == Said::Set { origin, enabled });
        let (name, event, integration) = (name.clone(), event.clone(), integration.id);
        let set = TriggerSet { integration, name, event, origin, enabled };
        Ok((!is_so).then(|| (StreamId::Project, set.into(), vec![])))
    }

    /// What was written for a connection that is gone can be removed too.
    fn removed(
        &self,
        (name, event): &Key,
        said: Option<(IntegrationId, Said)>,
    ) -> Result<ProjectFact, Error> {
        let integration = match said {
            Some((integration, Said::Set { .. })) => Some(integration),
            Some((_, Said::Removed)) => None,
            None => {
                let world = self.world();
                let known = world.by_name(name).filter(|known| self.brings(known, event));
                known.map(|known| known.id)
            }
        };
        let Some(integration) = integration else {
            let detail = format!("there is no trigger {event} of {name}");
            return Err(Error::Refused { code: "PL3078", detail });
        };
        let removed = TriggerRemoved { integration, name: name.clone(), event: event.clone() };
        Ok((StreamId::Project, removed.into(), vec![]))
    }

    /// What comes with a connection that is new: every event that could start a run, as its manifest states
    /// it, where nobody has said anything of it.
    pub(crate) fn seeded(
        &self,
        id: IntegrationId,
        (name, manifest): (&str, &Manifest),
    ) -> Result<Vec<ProjectFact>, Error> {
        if self.world().integrations.contains_key(&id) {
            return Ok(vec![]);
        }
        let said = self.env.triggers.now(&self.view()?)?;
        let is_said = |event: &str| {
            let said = said.get(&(name.to_owned(), event.to_owned()));
            said.is_some_and(|(_, said)| *said != Said::Removed)
        };
        let stated = manifest.inbound().into_iter().flat_map(Inbound::triggers);
        let new = stated.filter(|(event, _)| !is_said(event));
        let facts = new.map(|(event, enabled)| {
            let (name, event) = (name.to_owned(), event.to_owned());
            let origin = TriggerOrigin::Seeded;
            let set = TriggerSet { integration: id, name, event, origin, enabled };
            (StreamId::Project, set.into(), vec![])
        });
        Ok(facts.collect())
    }

    /// What goes with a connection: what it has brought, and nobody has said anything of.
    pub(crate) fn unseeded(&self, integration: &Integration) -> Result<Vec<ProjectFact>, Error> {
        let said = self.env.triggers.now(&self.view()?)?;
        let own = said.into_iter().filter(|((name, _), (_, said))| {
            let is_seeded = matches!(said, Said::Set { origin: TriggerOrigin::Seeded, .. });
            *name == integration.name && is_seeded
        });
        let facts = own.map(|((name, event), _)| {
            let removed = TriggerRemoved { integration: integration.id, name, event };
            (StreamId::Project, removed.into(), vec![])
        });
        Ok(facts.collect())
    }

    fn brings(&self, integration: &Integration, event: &str) -> bool {
        list::brought(self.manifest_of(integration)).any(|kind| kind == event)
    }

    pub(super) fn manifest_of(&self, integration: &Integration) -> Option<&Manifest> {
        self.env.adapters.manifest(&integration.provider).map(AsRef::as_ref)
    }
}

/// Whether a trigger is to start runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    Yes,
    No,
}
