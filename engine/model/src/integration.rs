//! Integrations: configured connections of providers.

use crate::wire::wire_enum;
use crate::{Digest, IntegrationId, Principal, canonical};
use serde::{Deserialize, Serialize};
use serde_json::Value;

wire_enum! {
    /// Whether an integration may be used.
    IntegrationStatus {
        /// It may.
        Active = 1 "active",
        /// An operator has switched it off: sends hold.
        Disabled = 2 "disabled",
        /// Its credential was refused: sends hold.
        Failed = 3 "failed",
        /// Gone: approvals bound to it are void.
        Disconnected = 4 "disconnected",
    }
}

wire_enum! {
    /// Who can see what goes on in a space.
    #[derive(Default)]
    Visibility {
        /// The project's own people.
        #[default]
        Internal = 1 "internal",
        /// Partners as well.
        Shared = 2 "shared",
        /// The client.
        Client = 3 "client",
    }
}

/// Where an integration may be used. Without any of it: in the whole project.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UseScope {
    /// Only by workflows of this workstream.
    pub workstream: Option<String>,
    /// Only by workflows of this space of the workstream.
    pub space: Option<String>,
    /// Only where at most these can see it; none where that does not matter.
    pub visibility: Option<Visibility>,
    /// Only for these agents, under whose identity it acts; everybody where there is none.
    pub agents: Vec<Principal>,
}

impl std::fmt::Display for UseScope {
    /// In words.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_project() {
            return f.write_str("the whole project");
        }
        let mut words = vec![];
        words.extend(self.workstream.as_ref().map(|name| format!("workstream {name}")));
        words.extend(self.space.as_ref().map(|name| format!("space {name}")));
        words.extend(self.visibility.map(|eyes| format!("{eyes} eyes")));
        if !self.agents.is_empty() {
            let names: Vec<&str> = self.agents.iter().map(Principal::as_str).collect();
            words.push(format!("agents {}", names.join(", ")));
        }
        f.write_str(&words.join(", "))
    }
}

/// Where a workflow stands in the project, as its `document.metadata.place` says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkflowPlace {
    /// Its workstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workstream: Option<String>,
    /// Its space within the workstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// Who can see what goes on there.
    #[serde(default)]
    pub visibility: Visibility,
    /// The agent under whose profile it runs; it is then the one who causes its runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Principal>,
}

/// Why an integration may not be used somewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutOfScope {
    /// Another workstream, or none.
    #[error("it belongs to the workstream {0}")]
    Workstream(String),
    /// Another space, or none.
    #[error("it belongs to the space {0}")]
    Space(String),
    /// More people can see what goes on there.
    #[error("it is for what only `{0}` eyes can see")]
    Visibility(Visibility),
    /// Another agent, or a person.
    #[error("it acts for {0} alone")]
    Agent(String),
}

impl UseScope {
    /// Whether it may be used in the whole project.
    pub fn is_project(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a workflow that stands there may use it, on behalf of whom (none while nobody is
    /// known, at check and deploy; then the agent that the workflow names stands for them).
    ///
    /// # Errors
    /// The first reason why not.
    pub fn allows(
        &self,
        place: &WorkflowPlace,
        requester: Option<&Principal>,
    ) -> Result<(), OutOfScope> {
        if let Some(workstream) = &self.workstream
            && place.workstream.as_ref() != Some(workstream)
        {
            return Err(OutOfScope::Workstream(workstream.clone()));
        }
        if let Some(space) = &self.space
            && place.space.as_ref() != Some(space)
        {
            return Err(OutOfScope::Space(space.clone()));
        }
        if let Some(visibility) = self.visibility
            && place.visibility > visibility
        {
            return Err(OutOfScope::Visibility(visibility));
        }
        let acting = requester.or(place.agent.as_ref());
        if !self.agents.is_empty() && !acting.is_some_and(|who| self.agents.contains(who)) {
            let names: Vec<&str> = self.agents.iter().map(Principal::as_str).collect();
            return Err(OutOfScope::Agent(names.join(", ")));
        }
        Ok(())
    }
}

/// The account an integration acts as: what an approval binds, never a label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The account, or the credential's lineage id where a provider has no identity call.
    pub id: String,
    /// The tenant it belongs to.
    pub tenant: String,
}

impl Identity {
    /// The same account as its credential's mode shows it: keys of one account for trying and for
    /// real are two identities, so that an approval of one is never spent by the other. The mode
    /// stands at the end of the tenant, since that is what approvals have always bound.
    #[must_use]
    pub fn in_mode(mut self, mode: Option<&str>) -> Self {
        if let Some(mode) = mode {
            self.tenant = format!("{}{MODE_BEGINS}{mode}{MODE_ENDS}", self.tenant);
        }
        self
    }

    /// The mode at its end. Only a provider whose manifest names modes has one.
    pub fn mode(&self) -> Option<&str> {
        let (_, mode) = self.tenant.strip_suffix(MODE_ENDS)?.rsplit_once(MODE_BEGINS)?;
        Some(mode)
    }
}

/// Around the mode at the end of a tenant.
const MODE_BEGINS: &str = " (";
/// As [`MODE_BEGINS`].
const MODE_ENDS: char = ')';

/// One configured connection of a provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Integration {
    /// Its id.
    pub id: IntegrationId,
    /// The name by which steps refer to it; unique in the project.
    pub name: String,
    /// The provider.
    pub provider: String,
    /// Non-secret settings; bound by approvals.
    pub settings: Value,
    /// Who it acts as.
    pub identity: Identity,
    /// A line for people; not bound.
    pub label: String,
    /// Whether it may be used.
    pub status: IntegrationStatus,
    /// Why it is not active.
    pub reason: Option<String>,
    /// Version of its credential; 0 without one.
    pub credential_version: u32,
    /// Whether steps that name no integration use it.
    pub is_default: bool,
    /// Scopes that the provider granted, as it last said; empty where it does not tell.
    pub scopes: Vec<String>,
    /// Where it may be used.
    pub used_in: UseScope,
}

impl Integration {
    /// The digest of the settings that an approval binds.
    ///
    /// # Errors
    /// Where the settings have no canonical form.
    pub fn settings_digest(&self) -> Result<Digest, canonical::Error> {
        canonical::digest(&self.settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Principal {
        text.parse().expect("a name")
    }

    fn place(workstream: &str, space: &str, visibility: Visibility) -> WorkflowPlace {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        WorkflowPlace { workstream: text(workstream), space: text(space), visibility, agent: None }
    }

    #[test]
    fn an_integration_is_used_where_its_scope_says_and_nowhere_else() {
        use Visibility::{Client, Internal, Shared};
        let scope = UseScope {
            workstream: Some("sales".to_owned()),
            space: Some("leads".to_owned()),
            visibility: Some(Shared),
            agents: vec![],
        };
        let allowed = |place: &WorkflowPlace| scope.allows(place, None);
        assert_eq!(allowed(&place("sales", "leads", Internal)), Ok(()));
        assert_eq!(allowed(&place("sales", "leads", Shared)), Ok(()));
        let seen = Err(OutOfScope::Visibility(Shared));
        assert_eq!(allowed(&place("sales", "leads", Client)), seen);
        let space = Err(OutOfScope::Space("leads".to_owned()));
        assert_eq!(allowed(&place("sales", "", Internal)), space);
        let workstream = Err(OutOfScope::Workstream("sales".to_owned()));
        assert_eq!(allowed(&place("ops", "leads", Internal)), workstream);
        assert_eq!(allowed(&WorkflowPlace::default()), workstream);
        assert_eq!(UseScope::default().allows(&place("ops", "x", Client), None), Ok(()));
    }

    #[test]
    fn a_mode_is_part_of_who_it_acts_as() {
        let account = || Identity { id: "acct_1".to_owned(), tenant: "acct_1".to_owned() };
        let (live, test) = (account().in_mode(Some("live")), account().in_mode(Some("test")));
        assert_ne!(live, test);
        assert_eq!((live.mode(), test.mode()), (Some("live"), Some("test")));
        assert_eq!(live.tenant, "acct_1 (live)");
        assert_eq!(account().in_mode(None), account());
        assert_eq!(account().mode(), None);
    }

    #[test]
    fn what_acts_for_an_agent_acts_for_nobody_else() {
        let (bot, ana) = (name("bot"), name("ana"));
        let scope = UseScope { agents: vec![bot.clone()], ..UseScope::default() };
        let refused = Err(OutOfScope::Agent("bot".to_owned()));
        let nowhere = WorkflowPlace::default();
        assert_eq!(scope.allows(&nowhere, Some(&bot)), Ok(()));
        assert_eq!(scope.allows(&nowhere, Some(&ana)), refused);
        assert_eq!(scope.allows(&nowhere, None), refused);
        let of_bot = WorkflowPlace { agent: Some(bot), ..WorkflowPlace::default() };
        assert_eq!(scope.allows(&of_bot, None), Ok(()));
        assert_eq!(scope.allows(&of_bot, Some(&ana)), refused, "a name in a file is no right");
    }
}
