//! Where the project's integrations may be used, by what a step says: a name, or nothing but the
//! provider. Handed over as data; an engine builds it from what is connected.

use placet_model::integration::{Integration, IntegrationStatus, UseScope};
use placet_model::route::{Candidate, Standing};
use std::collections::BTreeMap;

/// Scopes of the integrations that steps can mean.
#[derive(Clone, Debug, Default)]
pub struct Scopes {
    named: BTreeMap<String, UseScope>,
    usual: BTreeMap<String, (String, UseScope)>,
    /// Connections that agents have of their own, by agent and provider.
    own: BTreeMap<(String, String), (String, UseScope)>,
    all: Vec<Integration>,
}

impl Scopes {
    /// Those of these integrations that are there.
    pub fn of<'a>(integrations: impl IntoIterator<Item = &'a Integration>) -> Self {
        let mut scopes = Self::default();
        for integration in integrations {
            if integration.status == IntegrationStatus::Disconnected {
                continue;
            }
            scopes.all.push(integration.clone());
            let Integration { name, provider, used_in, .. } = integration;
            scopes.named.insert(name.clone(), used_in.clone());
            let found = (name.clone(), used_in.clone());
            for agent in &used_in.agents {
                scopes.own.insert((agent.to_string(), provider.clone()), found.clone());
            }
            if integration.is_default {
                scopes.usual.insert(provider.clone(), found);
            }
        }
        scopes
    }

    /// What may carry a channel on behalf of this agent: what is connected, and of the other names that
    /// are known what the sandbox makes.
    pub(crate) fn candidates(
        &self,
        known: &BTreeMap<String, String>,
        agent: Option<&str>,
    ) -> Vec<Candidate> {
        let connected = self.all.iter().filter_map(|one| Candidate::of(one, agent));
        let made = known.iter().filter(|(name, _)| !self.named.contains_key(*name));
        let made = made.map(|(name, provider)| {
            let (name, provider) = (name.clone(), provider.clone());
            Candidate { name, provider, standing: Standing::Placeholder }
        });
        connected.chain(made).collect()
    }

    /// Name and scope of what a step means, on behalf of this agent where one is named.
    pub fn meant(
        &self,
        provider: &str,
        name: Option<&str>,
        agent: Option<&str>,
    ) -> Option<(&str, &UseScope)> {
        if let Some(name) = name {
            return self.named.get_key_value(name).map(|(name, scope)| (name.as_str(), scope));
        }
        let own = agent.and_then(|agent| self.own.get(&(agent.to_owned(), provider.to_owned())));
        own.or_else(|| self.usual.get(provider)).map(|(name, scope)| (name.as_str(), scope))
    }
}
