//! What of a connection has ended by itself and was not renewed: it sends as before and hears nothing.
//!
//! It is computed from what stands on record of its subscriptions and the engine's clock, so that one whose
//! end came while nobody could be asked (the engine was down, the credential had failed) is told as well.

use super::hooks::Subscription;
use crate::handle::{Error, Handle};
use placet_adapters::inbound::LifecycleStep;
use placet_model::event::hook::SubscriptionStep;
use placet_model::integration::{Integration, IntegrationStatus};
use placet_model::{Actor, Timestamp};
use serde::Serialize;

/// The code of a subscription that has ended.
pub const LAPSED: &str = "subscription_lapsed";

/// Something that an operator should look into, though the connection is not held for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What it is, in one word.
    pub code: &'static str,
    /// What was subscribed to; empty where there is one place only.
    pub resource: String,
    /// Since when.
    pub since: Timestamp,
    /// Why it was not renewed, in the provider's word, where it was asked.
    pub reason: Option<String>,
}

impl Subscription {
    /// When it ended, if it has: it was made once, and nothing has taken its place.
    fn lapsed(&self, now: Timestamp) -> Option<Timestamp> {
        let was_made = matches!(self.step, SubscriptionStep::Made | SubscriptionStep::Refused);
        self.expires_at.filter(|end| was_made && *end <= now)
    }
}

impl Handle {
    /// What is to be looked into of a connection.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn warnings(&self, integration: &Integration) -> Result<Vec<Warning>, Error> {
        let manifest = self.env.adapters.manifest(&integration.provider);
        let inbound = manifest.and_then(|manifest| manifest.inbound());
        let asks = inbound.and_then(|inbound| inbound.lifecycle(LifecycleStep::Subscribe));
        if asks.is_none() || integration.status == IntegrationStatus::Disconnected {
            return Ok(vec![]);
        }
        let (now, desk) = (self.now(), self.desk(Actor::Engine));
        let all = desk.subscriptions(integration.id)?.into_values();
        let lapsed = all.filter_map(|one| {
            let since = one.lapsed(now)?;
            let reason = one.code.filter(|_| one.step == SubscriptionStep::Refused);
            Some(Warning { code: LAPSED, resource: one.resource, since, reason })
        });
        Ok(lapsed.collect())
    }
}
