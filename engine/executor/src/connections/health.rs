//! The nightly check of every connection, beside the loop: the same question as a test by hand, asked
//! by the engine. What it finds is recorded, holds or frees what goes through the connection, and is
//! told to operators as a notice.
//!
//! A connection has its own minute within the hour, so that many projects do not ask one provider at
//! the same moment. A check that was missed (the engine was down) is made up for at the next start. A
//! provider that is not reached says nothing about a credential: it is asked again an hour later.

use super::Connections;
use super::ask::Said;
use super::desk::Desk;
use super::test::{told_unattended, used};
use crate::engine::Engine;
use crate::env::Env;
use crate::handle::Error;
use crate::inputs::Inputs;
use crate::lost::VAULT_LOST;
use crate::world::World;
use placet_model::integration::{Integration, IntegrationStatus};
use placet_model::project::Health;
use placet_model::{Actor, Digest, Event, IntegrationId, Revision, StreamId, Timestamp};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Mutex, watch};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The longest sleep: clocks are set, machines sleep, connections are made meanwhile.
const LOOK_MS: i64 = 5 * MINUTE_MS;

/// Checks connections until it is dropped.
#[derive(Debug)]
pub(crate) struct Keeper {
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
    watcher: Arc<Watcher>,
}

impl Keeper {
    /// Ends it, in order: nothing of it holds the log then.
    pub(crate) async fn stop(self) {
        let Self { stop, mut task, watcher } = self;
        let _running = stop.send_replace(true);
        let _ended = (&mut task).await;
        drop(watcher);
    }
}

/// What the checks rest on. Holds no [`crate::Handle`]: it keeps no engine alive.
#[derive(Debug)]
struct Watcher {
    env: Arc<Env>,
    inputs: Inputs,
    world: Arc<RwLock<Arc<World>>>,
    connections: Arc<Connections>,
    /// When each is asked next.
    due: Mutex<BTreeMap<IntegrationId, Timestamp>>,
}

impl Engine {
    /// Checks connections from now on, at the hour that the configuration says.
    pub fn watch_connections(&mut self) {
        let handle = self.handle();
        let watcher = Arc::new(Watcher {
            env: Arc::clone(&handle.env),
            inputs: handle.inputs.clone(),
            world: Arc::clone(&handle.world),
            connections: Arc::clone(&handle.connections),
            due: Mutex::default(),
        });
        watcher.connections.reads.store(true, Ordering::Relaxed);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(Arc::clone(&watcher).run(stopped));
        self.keep_watching(Keeper { stop, task, watcher });
    }

    /// Makes the checks that are due by the engine's clock, and answers when what they found is
    /// recorded. Without [`Engine::watch_connections`] there is nothing to do.
    ///
    /// # Errors
    /// When the project cannot be read, or the engine is stopping.
    pub async fn check_due_connections(&self) -> Result<(), Error> {
        match self.watching() {
            Some(keeper) => keeper.watcher.look().await.map(|_| ()),
            None => Ok(()),
        }
    }
}

impl Watcher {
    async fn run(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        loop {
            let next = match self.look().await {
                Ok(next) => next,
                Err(Error::Stopping) => return,
                Err(error) => {
                    tracing::error!(%error, "connections are not checked");
                    None
                }
            };
            let wait = next.map_or(LOOK_MS, |next| next.millis_since(self.env.now()));
            let wait = u64::try_from(wait.clamp(1_000, LOOK_MS)).unwrap_or(1_000);
            tokio::select! {
                biased;
                _ = stopped.changed() => return,
                () = self.connections.heard.notified() => {}
                () = tokio::time::sleep(Duration::from_millis(wait)) => {}
            }
        }
    }

    /// What was heard of is read; what stands at providers is settled and kept up; then whoever is due
    /// is asked.
    async fn look(&self) -> Result<Option<Timestamp>, Error> {
        let desk = self.desk();
        let unread = desk.refetch().await?;
        desk.settle(&self.connections).await?;
        desk.renew(&self.connections).await?;
        Ok(self.check_due().await?.into_iter().chain(unread).min())
    }

    fn desk(&self) -> Desk {
        let rest = (&self.env, &self.inputs);
        Desk::new(rest, &self.world, &self.connections, Actor::Engine)
    }

    /// Asks whoever is due; gives the moment of the next.
    async fn check_due(&self) -> Result<Option<Timestamp>, Error> {
        let mut due = self.due.lock().await;
        let watched = self.watched();
        due.retain(|id, _| watched.iter().any(|integration| integration.id == *id));
        for integration in watched {
            let id = integration.id;
            let at = match due.get(&id) {
                Some(at) => *at,
                None => slot(&self.env.config.health, id, self.last_heard(id)?),
            };
            let now = self.env.now();
            let next = if at <= now {
                match self.check(&integration).await? {
                    Said::Nothing(why) => {
                        tracing::warn!(integration = integration.name, %why, "a connection could not be checked");
                        now.plus_millis(HOUR_MS).min(slot(&self.env.config.health, id, now))
                    }
                    Said::Account(_) | Said::Good(_) | Said::Refused(_) => {
                        slot(&self.env.config.health, id, now)
                    }
                }
            } else {
                at
            };
            due.insert(id, next);
        }
        Ok(due.values().min().copied())
    }

    /// Connections that can be asked. What is held until somebody acts is left alone.
    fn watched(&self) -> Vec<Integration> {
        let world = Arc::clone(&self.world.read().unwrap_or_else(PoisonError::into_inner));
        let can_change = |i: &&Integration| match i.status {
            IntegrationStatus::Active => true,
            IntegrationStatus::Failed => {
                let needs_hands = [VAULT_LOST, crate::epoch::RESTORED];
                !i.reason.as_deref().is_some_and(|reason| needs_hands.contains(&reason))
            }
            IntegrationStatus::Disabled | IntegrationStatus::Disconnected => false,
        };
        let can_ask = |i: &&Integration| {
            let manifest = self.env.adapters.manifest(&i.provider);
            manifest.is_some_and(|m| self.connections.can_ask(m, i.credential_version).is_ok())
        };
        world.integrations.values().filter(can_change).filter(can_ask).cloned().collect()
    }

    /// When a provider last said something about a connection; the moment of its making, or now.
    fn last_heard(&self, id: IntegrationId) -> Result<Timestamp, Error> {
        let view = self.env.view()?;
        let mut last = None;
        for event in view.stream(&StreamId::Integration(id), Revision::START) {
            let event = event?;
            if matches!(
                event.event,
                Event::IntegrationConnected(_)
                    | Event::IntegrationTested(_)
                    | Event::HealthCheckFailed(_)
            ) {
                last = Some(event.recorded_at);
            }
        }
        Ok(last.unwrap_or_else(|| self.env.now()))
    }

    async fn check(&self, integration: &Integration) -> Result<Said, Error> {
        let nothing = || Said::Nothing("its provider is gone".to_owned());
        let Some(manifest) = self.env.adapters.manifest(&integration.provider).cloned() else {
            return Ok(nothing());
        };
        let _turn = self.connections.turn.lock().await;
        let version = integration.credential_version;
        let credential = (integration.id, version);
        let Ok(operation) = self.connections.asked_with(&manifest, credential).await else {
            return Ok(nothing());
        };
        let desk = self.desk();
        desk.record(integration.id, vec![used(integration, version, operation)]).await?;
        let said = self.connections.ask(&manifest, (integration, version), self.env.now()).await;
        let facts = told_unattended(integration, &said);
        if !facts.is_empty() {
            desk.record(integration.id, facts).await?;
        }
        Ok(said)
    }
}

/// The first check of a connection after this moment: at the hour, in its own minute of that day.
fn slot(health: &Health, id: IntegrationId, after: Timestamp) -> Timestamp {
    let hour = i64::try_from(health.hour % 24).unwrap_or(0);
    let spread = i64::try_from(health.jitter_minutes.max(1)).unwrap_or(1) * MINUTE_MS;
    let mut day = after.as_millis().div_euclid(DAY_MS);
    loop {
        let lot = Digest::of_parts(&[&id.to_bytes(), &day.to_be_bytes()]);
        let lot =
            lot.as_bytes().first_chunk().map_or(0, |bytes| i64::from(u32::from_be_bytes(*bytes)));
        let at = Timestamp::from_millis(day * DAY_MS + hour * HOUR_MS + lot % spread);
        if at > after {
            return at;
        }
        day += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_is_asked_once_a_day_within_the_hour_at_a_minute_of_its_own() {
        let health = Health { hour: 3, jitter_minutes: 60 };
        let ids = (1..40).map(|n| IntegrationId::from_bytes([n; 16]));
        let mut minutes = std::collections::BTreeSet::new();
        for id in ids {
            let mut at = Timestamp::from_millis(20_000 * DAY_MS + 12 * HOUR_MS);
            for day in 20_001..20_011 {
                at = slot(&health, id, at);
                let into = at.as_millis() - day * DAY_MS;
                assert!((3 * HOUR_MS..4 * HOUR_MS).contains(&into), "{into}");
                minutes.insert(into / MINUTE_MS);
            }
        }
        assert!(minutes.len() > 40, "spread over the hour: {}", minutes.len());
    }

    #[test]
    fn a_check_that_was_missed_is_due_at_once() {
        let (health, id) = (Health::default(), IntegrationId::from_bytes([7; 16]));
        let heard = Timestamp::from_millis(20_000 * DAY_MS + 20 * HOUR_MS);
        let now = heard.plus_millis(3 * DAY_MS);
        assert!(slot(&health, id, heard) < now);
    }
}
