//! What holds in the project besides the runs: policy, integrations, pauses. An immutable
//! snapshot; every change makes a new one with a higher version, so that a claim that was worked
//! out on an older one can be seen to be stale.

use placet_core::claim::Hold;
use placet_log::Epoch;
use placet_model::decision::Assurance;
use placet_model::draft::Mode;
use placet_model::integration::{Identity, Integration, IntegrationStatus};
use placet_model::keys::Keys;
use placet_model::passkey::Passkeys;
use placet_model::policy::Policy;
use placet_model::{Digest, Event, IntegrationId, Principal};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Who has given their votes in advance, by the digest of the standing approval.
pub type Endorsements = BTreeMap<Digest, BTreeMap<Principal, Assurance>>;

/// A snapshot of the project.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Rises with every change.
    pub version: u64,
    /// The policy in force.
    pub policy: Arc<Policy>,
    /// Votes given in advance.
    pub endorsements: Endorsements,
    /// The integrations, disconnected ones included.
    pub integrations: BTreeMap<IntegrationId, Integration>,
    /// The keys of the people.
    pub keys: Arc<Keys>,
    /// Passkeys of the people.
    pub passkeys: Arc<Passkeys>,
    /// Whether the whole project is paused.
    pub paused: bool,
    /// Integrations that are paused.
    pub paused_integrations: BTreeSet<IntegrationId>,
    /// Whether the engine is stopping.
    pub stopping: bool,
    /// Modes in which this engine can send.
    pub modes: Modes,
    /// The epoch, when the data were restored or copied.
    pub epoch: Option<Epoch>,
}

/// Modes in which an engine can send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Modes {
    /// It has a sandbox transport.
    pub sandbox: bool,
    /// It has a live transport.
    pub live: bool,
}

impl Modes {
    /// Whether this engine can send in the mode.
    pub const fn has(self, mode: Mode) -> bool {
        match mode {
            Mode::Sandbox => self.sandbox,
            Mode::Live => self.live,
        }
    }
}

impl World {
    /// The integration that a step means: by name, or the provider's default one.
    pub fn integration(&self, provider: &str, name: Option<&str>) -> Option<&Integration> {
        let usable = |i: &&Integration| {
            i.provider == provider && i.status != IntegrationStatus::Disconnected
        };
        let mut candidates = self.integrations.values().filter(usable);
        match name {
            Some(name) => candidates.find(|integration| integration.name == name),
            None => candidates.find(|integration| integration.is_default),
        }
    }

    /// The integration that a step means on behalf of somebody: an agent acts under a connection of
    /// its own, where it has one and the step names none.
    pub fn integration_for(
        &self,
        provider: &str,
        name: Option<&str>,
        who: Option<&Principal>,
    ) -> Option<&Integration> {
        let own = |i: &&Integration| {
            i.provider == provider
                && i.status != IntegrationStatus::Disconnected
                && who.is_some_and(|who| i.used_in.agents.contains(who))
        };
        let its_own = match name {
            Some(_) => None,
            None => self.integrations.values().find(own),
        };
        its_own.or_else(|| self.integration(provider, name))
    }

    /// The integration with this name, whatever its provider.
    pub fn by_name(&self, name: &str) -> Option<&Integration> {
        let mut found = self.integrations.values().filter(|i| i.name == name);
        found.find(|i| i.status != IntegrationStatus::Disconnected)
    }

    /// The temporary condition that keeps a call waiting, if there is one (GATE.md §4, hold).
    pub fn hold(&self, mode: Mode, integration: Option<&Integration>) -> Option<Hold> {
        if self.stopping {
            return Some(Hold::Stopping);
        }
        if self.paused {
            return Some(Hold::Paused);
        }
        if !self.modes.has(mode) {
            return Some(Hold::ModeUnavailable);
        }
        let integration = integration?;
        if self.paused_integrations.contains(&integration.id) {
            return Some(Hold::IntegrationPaused);
        }
        match integration.status {
            IntegrationStatus::Disabled => Some(Hold::IntegrationDisabled),
            IntegrationStatus::Failed => Some(Hold::IntegrationFailed),
            IntegrationStatus::Active | IntegrationStatus::Disconnected => None,
        }
    }

    /// Folds an event of the project or of an integration; events of runs change nothing here.
    /// A policy is content and is set by [`World::with_policy`].
    #[must_use]
    pub fn after(&self, event: &Event) -> Self {
        let mut next = self.clone();
        next.version += 1;
        match event {
            Event::OutboundPaused(body) => match body.integration {
                None => next.paused = true,
                Some(id) => {
                    let _was_paused = next.paused_integrations.insert(id);
                }
            },
            Event::OutboundResumed(body) => match body.integration {
                None => next.paused = false,
                Some(id) => {
                    let _was_paused = next.paused_integrations.remove(&id);
                }
            },
            Event::KeyRegistered(_) | Event::KeyRevoked(_) => {
                Arc::make_mut(&mut next.keys).apply(event);
                next.policy = next.keys.in_force(&next.passkeys, &next.policy);
            }
            Event::PasskeyEnrolled(_) | Event::PasskeyConfirmed(_) | Event::PasskeyRevoked(_) => {
                Arc::make_mut(&mut next.passkeys).apply(event);
                next.policy = next.keys.in_force(&next.passkeys, &next.policy);
            }
            Event::StandingEndorsed(body) => {
                let given = next.endorsements.entry(body.digest).or_default();
                given.insert(body.by.clone(), body.assurance);
            }
            Event::IntegrationConnected(body) => next.connect(body),
            Event::CredentialStored(body) => {
                next.change(body.integration, |i| i.credential_version = body.version);
            }
            Event::IntegrationTested(body) => next.change(body.integration, |i| {
                i.identity = Identity::clone(&body.identity);
                i.label.clone_from(&body.label);
                i.scopes.clone_from(&body.scopes);
                if i.status == IntegrationStatus::Failed {
                    (i.status, i.reason) = (IntegrationStatus::Active, None);
                }
            }),
            Event::IntegrationScoped(body) => {
                next.change(body.integration, |i| i.used_in = body.into());
            }
            Event::HealthCheckFailed(body) => next.change(body.integration, |i| match i.status {
                IntegrationStatus::Active | IntegrationStatus::Failed => {
                    i.status = IntegrationStatus::Failed;
                    i.reason = Some(body.code.clone());
                }
                IntegrationStatus::Disabled | IntegrationStatus::Disconnected => {}
            }),
            Event::IntegrationDisabled(body) => {
                next.set(body.integration, IntegrationStatus::Disabled);
            }
            Event::IntegrationEnabled(body) => {
                next.set(body.integration, IntegrationStatus::Active);
            }
            Event::IntegrationDisconnected(body) => {
                next.set(body.integration, IntegrationStatus::Disconnected);
            }
            _ => {}
        }
        next
    }

    /// Connections that were there before and stand otherwise now.
    pub(crate) fn standing_otherwise(&self, before: &Self) -> Vec<IntegrationId> {
        let known = self.integrations.values().filter(|now| {
            before.integrations.get(&now.id).is_some_and(|then| then.status != now.status)
        });
        known.map(|integration| integration.id).collect()
    }

    /// The same project under another policy.
    #[must_use]
    pub fn with_policy(&self, policy: &Arc<Policy>) -> Self {
        let policy = self.keys.in_force(&self.passkeys, policy);
        Self { version: self.version + 1, policy, ..self.clone() }
    }

    fn change(&mut self, id: IntegrationId, change: impl FnOnce(&mut Integration)) {
        if let Some(integration) = self.integrations.get_mut(&id) {
            change(integration);
        }
    }

    fn set(&mut self, id: IntegrationId, status: IntegrationStatus) {
        self.change(id, |integration| {
            integration.status = status;
            integration.reason = None;
        });
    }

    fn connect(&mut self, body: &placet_model::event::integration::IntegrationConnected) {
        if body.is_default {
            for other in self.integrations.values_mut().filter(|i| i.provider == body.provider) {
                other.is_default = false;
            }
        }
        let settings = serde_json::from_str(&body.settings).unwrap_or_default();
        let known = self.integrations.get(&body.integration);
        let credential_version = known.map_or(0, |i| i.credential_version);
        let disabled = known.is_some_and(|i| i.status == IntegrationStatus::Disabled);
        let status = if disabled { IntegrationStatus::Disabled } else { IntegrationStatus::Active };
        let (scopes, used_in) =
            known.map(|i| (i.scopes.clone(), i.used_in.clone())).unwrap_or_default();
        let integration = Integration {
            id: body.integration,
            name: body.name.clone(),
            provider: body.provider.clone(),
            settings,
            identity: body.identity.clone(),
            label: body.label.clone(),
            status,
            reason: None,
            credential_version,
            is_default: body.is_default,
            scopes,
            used_in,
        };
        self.integrations.insert(body.integration, integration);
    }
}
