//! What triggers there are, and what they start.

use super::acts::TriggerState;
use super::{Key, Said, Triggers};
use crate::connections::Brings;
use crate::handle::{Error, Handle};
use placet_adapters::Manifest;
use placet_adapters::inbound::Inbound;
use placet_log::ReadView;
use placet_model::IntegrationId;
use placet_model::integration::{Integration, IntegrationStatus};
use placet_model::plan::Plan;
use placet_projections::Views;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An event of a connection, and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TriggerRow {
    /// The name of the connection.
    pub integration: String,
    /// The type of the event.
    pub event: String,
    /// What becomes of it.
    pub state: TriggerState,
    /// `seeded` with the connection, or `written` by somebody; none where nothing is said.
    pub origin: Option<&'static str>,
    /// Whether there is a connection of that name.
    pub connected: bool,
    /// Deployed workflows that listen for it, in their latest version.
    pub starts: Vec<String>,
}

/// Events that start no run, by the names of connections that are there: what a check warns of.
pub type Silent = BTreeSet<(String, String)>;

/// What a provider brings that could start a run.
pub(super) fn brought(manifest: Option<&Manifest>) -> impl Iterator<Item = &str> {
    let inbound = manifest.and_then(Manifest::inbound).into_iter();
    inbound.flat_map(Inbound::triggers).map(|(kind, _)| kind)
}

impl Handle {
    /// Every event of what is connected that could start a run, and what people have written for what is
    /// not; by connection and event.
    ///
    /// # Errors
    /// When the project cannot be read.
    pub fn triggers(&self) -> Result<Vec<TriggerRow>, Error> {
        self.trigger_rows(|_any| true)
    }

    /// As [`Handle::triggers`], of one connection.
    ///
    /// # Errors
    /// When the project cannot be read.
    pub fn triggers_of(&self, name: &str) -> Result<Vec<TriggerRow>, Error> {
        self.trigger_rows(|own| own == name)
    }

    fn trigger_rows(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<TriggerRow>, Error> {
        let (world, plans) = (self.world(), self.started_plans()?);
        let mut said = self.env.triggers.now(&self.view()?)?;
        let mut rows = vec![];
        let is_there =
            |one: &&Integration| one.status != IntegrationStatus::Disconnected && wanted(&one.name);
        for integration in world.integrations.values().filter(is_there) {
            let manifest = self.manifest_of(integration);
            let inbound = manifest.and_then(Manifest::inbound);
            let keys: BTreeMap<&str, &str> =
                inbound.into_iter().flat_map(Inbound::events).collect();
            for kind in brought(manifest) {
                let brings = Brings::one(integration, (kind, keys.get(kind).unwrap_or(&"")));
                let starting = plans.iter().filter(|plan| brings.starts(plan));
                let key = (integration.name.clone(), kind.to_owned());
                let now = said.remove(&key);
                let starts = starting.map(|plan| plan.workflow.to_string()).collect();
                rows.push(TriggerRow { connected: true, starts, ..row(key, now) });
            }
        }
        let is_set = |(_, said): &(IntegrationId, Said)| *said != Said::Removed;
        let left = said.into_iter().filter(|(key, said)| {
            is_set(said) && wanted(&key.0) && world.by_name(&key.0).is_none()
        });
        rows.extend(left.map(|(key, said)| row(key, Some(said))));
        rows.sort_by(|a, b| (&a.integration, &a.event).cmp(&(&b.integration, &b.event)));
        Ok(rows)
    }

    /// Events that start no run now.
    ///
    /// # Errors
    /// When the project cannot be read.
    pub fn silent_triggers(&self) -> Result<Silent, Error> {
        Ok(silent_of(self.env.triggers.now(&self.view()?)?))
    }

    /// The latest version of each workflow that is started by events.
    fn started_plans(&self) -> Result<Vec<Arc<Plan>>, Error> {
        let view = self.view()?;
        let mut rows = Views::new(&view)?.workflows()?;
        rows.dedup_by(|later, first| later.family == first.family);
        let mut plans = vec![];
        for row in rows {
            let plan = self.env.plan(row.plan_digest)?;
            let listens = plan.schedule.as_ref().is_some_and(|schedule| schedule.on.is_some());
            plans.extend(listens.then_some(plan));
        }
        Ok(plans)
    }
}

/// Events that start no run, as the log says; for who has no engine.
///
/// # Errors
/// When the log cannot be read.
pub fn silent(view: &ReadView) -> Result<Silent, placet_log::Error> {
    Ok(silent_of(Triggers::default().now(view)?))
}

fn silent_of(said: BTreeMap<Key, (IntegrationId, Said)>) -> Silent {
    said.into_iter().filter(|(_, (_, said))| !said.starts_runs()).map(|(key, _)| key).collect()
}

fn row((integration, event): Key, said: Option<(IntegrationId, Said)>) -> TriggerRow {
    let (state, origin) = match said.map(|(_, said)| said) {
        None => (TriggerState::On, None),
        Some(Said::Set { origin, enabled: true }) => (TriggerState::On, Some(origin.word())),
        Some(Said::Set { origin, enabled: false }) => (TriggerState::Off, Some(origin.word())),
        Some(Said::Removed) => (TriggerState::Removed, None),
    };
    TriggerRow { integration, event, state, origin, connected: false, starts: vec![] }
}
