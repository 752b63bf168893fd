//! Changes of the project: policy, pause, integrations; deploying is in [`crate::deploy`]. Each is an authenticated act and
//! an event with its actor (GATE.md §8); files only propose.

mod emergency;
mod simulate;

use crate::handle::{Error, Handle, ProjectFact};
use crate::input::ActTurn;
use placet_adapters::Manifest;
use placet_core::Refusal;
use placet_core::policy::{Electorate, Moment, is_agent};
use placet_model::actor::Role;
use placet_model::approval::Requirement;
use placet_model::decision::{Assurance, Voter};
use placet_model::event::governance::{
    OutboundPaused, OutboundResumed, PolicyChanged, StandingEndorsed,
};
use placet_model::event::integration::{
    CredentialStored, CredentialUsed, IntegrationConnected, IntegrationDisabled,
    IntegrationDisconnected, IntegrationEnabled, IntegrationTested,
};
use placet_model::integration::{Identity, Integration, IntegrationStatus};
use placet_model::policy::{Policy, Standing};
use placet_model::{
    Actor, Digest, Event, IntegrationId, PayloadRef, Principal, RecordedEvent, StreamId, Timestamp,
    canonical,
};
use placet_projections::Views;
use serde_json::Value;
use std::sync::Arc;

/// An integration that is to be connected, or connected again.
#[derive(Debug, Clone)]
pub struct Connect {
    /// Its name.
    pub name: String,
    /// Its provider.
    pub provider: String,
    /// Non-secret settings.
    pub settings: Value,
    /// Who it acts as.
    pub identity: Identity,
    /// A line for people.
    pub label: String,
    /// Whether steps that name no integration use it.
    pub is_default: bool,
    /// Version and field names of the credential that the vault already holds.
    pub credential: Option<(u32, Vec<String>)>,
    /// What the provider has granted, where it was asked and tells.
    pub scopes: Option<Vec<String>>,
}

/// The policy whose place another one is to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InPlaceOf {
    /// Whichever is in force.
    Whatever,
    /// The very first one: none may be in force.
    Nothing,
    /// This one.
    Policy(Digest),
}

impl InPlaceOf {
    fn is(self, now: Option<Digest>) -> bool {
        match self {
            Self::Whatever => true,
            Self::Nothing => now.is_none(),
            Self::Policy(digest) => now == Some(digest),
        }
    }
}

impl Handle {
    /// As [`Handle::apply_policy_by`], by somebody of whom nothing is known but the name.
    ///
    /// # Errors
    /// When the actor may not.
    pub async fn apply_policy(&self, actor: &Principal, policy: Policy) -> Result<Digest, Error> {
        let voter = Voter { principal: actor.clone(), assurance: Assurance::lowest() };
        self.apply_policy_by(&voter, policy).await
    }

    /// Puts a policy into force. Applying the same policy again records nothing. The very first
    /// one names the people, so anybody may apply it. Who applies it gives their own vote to the
    /// standing approvals in it, whatever the file says of who grants them.
    ///
    /// # Errors
    /// When the actor may not.
    pub async fn apply_policy_by(&self, voter: &Voter, policy: Policy) -> Result<Digest, Error> {
        self.apply_policy_over(voter, policy, InPlaceOf::Whatever).await
    }

    /// As [`Handle::apply_policy_by`], in the place of this policy and of no other.
    ///
    /// # Errors
    /// When the actor may not, or another policy has come into force meanwhile.
    pub async fn apply_policy_over(
        &self,
        voter: &Voter,
        policy: Policy,
        stood: InPlaceOf,
    ) -> Result<Digest, Error> {
        let actor = &voter.principal;
        let turn = self.act_turn().await;
        let document = serde_json::to_value(&policy)
            .map_err(|error| Error::Refused { code: "PL2401", detail: error.to_string() })?;
        let bytes = canonical::to_bytes(&document).map_err(crate::turn::Error::from)?;
        let digest = Digest::of(&bytes);
        let revision = {
            let view = self.view()?;
            let now = Views::new(&view)?.policy()?;
            if !stood.is(now.as_ref().map(|(now, _)| *now)) {
                return Err(Error::Refused {
                    code: "PL4075",
                    detail: "another policy has come into force meanwhile".to_owned(),
                });
            }
            if let Some((now, _)) = now {
                self.demand(actor, Role::Admin)?;
                self.demand_person(actor)?;
                if now == digest {
                    return Ok(digest);
                }
            }
            view.revision(&StreamId::Policy)?.next()
        };
        let changed = PolicyChanged { digest, policy: PayloadRef::new(revision, 0) };
        let mut facts = vec![(StreamId::Policy, Event::from(changed), vec![bytes])];
        facts.extend(policy.standing.iter().map(|standing| endorsed(standing, voter)));
        self.act(actor, facts, (Some(Arc::new(policy)), turn)).await?;
        Ok(digest)
    }

    /// The digest of the policy in force; none before the first.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn policy_digest(&self) -> Result<Option<Digest>, Error> {
        let view = self.view()?;
        Ok(Views::new(&view)?.policy()?.map(|(digest, _)| digest))
    }

    /// Gives one's own vote in advance, under a standing approval of the policy in force.
    ///
    /// # Errors
    /// When there is none of this name, or the vote of this principal can never count.
    pub async fn endorse(&self, voter: &Voter, name: &str) -> Result<(), Error> {
        let turn = self.act_turn().await;
        let world = self.world();
        self.demand_person(&voter.principal)?;
        self.demand(&voter.principal, Role::Approver)?;
        let standing = world.policy.standing.iter().find(|standing| standing.name == name);
        let standing = standing.ok_or_else(|| Error::Refused {
            code: "PL3034",
            detail: format!("the policy in force has no standing approval {name:?}"),
        })?;
        let given = world.endorsements.get(&standing.digest());
        if given.and_then(|given| given.get(&voter.principal)) == Some(&voter.assurance) {
            return Ok(());
        }
        let facts = vec![endorsed(standing, voter)];
        self.act(&voter.principal, facts, (None, turn)).await.map(|_| ())
    }

    /// Agents draft, and never decide what may be done without asking.
    fn demand_person(&self, actor: &Principal) -> Result<(), Error> {
        if is_agent(&self.world().policy, actor) {
            return Err(Refusal::Agent { voter: actor.clone() }.into());
        }
        Ok(())
    }

    /// When the rights of a request that was made then are looked at: now.
    pub fn moment(&self, requested_at: Timestamp) -> Moment {
        Moment { now: self.now(), requested_at }
    }

    /// Thresholds that nobody but this requester could ever meet under a requirement, in words.
    pub fn out_of_reach(&self, requirement: &Requirement, requester: &Principal) -> Vec<String> {
        let world = self.world();
        let (editor, assigned, policy) = (None, &[][..], &*world.policy);
        let moment = Moment::fresh(self.now());
        Electorate { policy, requirement, requester, editor, assigned, moment }.out_of_reach()
    }

    /// Stops everything outbound, of the project or of one integration, at once.
    ///
    /// # Errors
    /// When the actor may not, or the integration is unknown.
    pub async fn pause(&self, actor: &Principal, integration: Option<&str>) -> Result<(), Error> {
        let turn = self.act_turn().await;
        self.demand(actor, Role::Operator)?;
        let integration = integration.map(|name| self.named(name)).transpose()?.map(|i| i.id);
        let facts = vec![(StreamId::Project, OutboundPaused { integration }.into(), vec![])];
        self.act(actor, facts, (None, turn)).await.map(|_| ())
    }

    /// Lets it go on; what was held is looked at again.
    ///
    /// # Errors
    /// As [`Handle::pause`].
    pub async fn resume(&self, actor: &Principal, integration: Option<&str>) -> Result<(), Error> {
        let turn = self.act_turn().await;
        self.demand(actor, Role::Operator)?;
        let integration = integration.map(|name| self.named(name)).transpose()?.map(|i| i.id);
        let facts = vec![(StreamId::Project, OutboundResumed { integration }.into(), vec![])];
        self.act(actor, facts, (None, turn)).await.map(|_| ())
    }

    /// The id that an integration of this name has or would get.
    pub fn integration_id(&self, name: &str) -> IntegrationId {
        self.world().by_name(name).map_or_else(|| self.env.mint.integration(self.now()), |i| i.id)
    }

    /// Connects an integration, or connects it again under the same id.
    ///
    /// # Errors
    /// When the actor may not, the provider is unknown, or its settings are refused.
    pub async fn connect(
        &self,
        actor: &Principal,
        id: IntegrationId,
        connect: Connect,
    ) -> Result<Integration, Error> {
        let turn = self.act_turn().await;
        self.demand(actor, Role::Operator)?;
        self.check_name(id, &connect)?;
        let manifest = self.manifest(&connect.provider)?;
        let settings =
            manifest.settings(&connect.settings).map_err(|violations| Error::Refused {
                code: "PL4003",
                detail: format!("settings of {}: {violations}", connect.provider),
            })?;
        let bytes = canonical::to_bytes(&settings).map_err(crate::turn::Error::from)?;
        let seeded = self.seeded(id, (&connect.name, &manifest))?;
        let stream = StreamId::Integration(id);
        let connected = IntegrationConnected {
            integration: id,
            name: connect.name,
            provider: connect.provider,
            settings: String::from_utf8_lossy(&bytes).into_owned(),
            identity: connect.identity.clone(),
            label: connect.label.clone(),
            is_default: connect.is_default,
        };
        let mut facts = vec![(stream.clone(), Event::from(connected), vec![])];
        if let Some((version, fields)) = connect.credential {
            let stored =
                CredentialStored { integration: id, version, lineage: id.to_string(), fields };
            facts.push((stream.clone(), stored.into(), vec![]));
        }
        if let Some(scopes) = connect.scopes {
            let (identity, label) = (connect.identity, connect.label);
            let tested = IntegrationTested { integration: id, identity, label, scopes };
            facts.push((stream, tested.into(), vec![]));
        }
        facts.extend(seeded);
        self.act(actor, facts, (None, turn)).await?;
        self.world()
            .integrations
            .get(&id)
            .cloned()
            .ok_or_else(|| unknown_integration(&id.to_string()))
    }

    /// Switches an integration off, on, or takes it away. What is so already is recorded no second
    /// time.
    ///
    /// # Errors
    /// When the actor may not, or the integration is unknown.
    pub async fn set_integration(
        &self,
        actor: &Principal,
        name: &str,
        status: IntegrationStatus,
    ) -> Result<(), Error> {
        let turn = self.act_turn().await;
        self.demand(actor, Role::Operator)?;
        let known = self.named(name)?;
        if known.status == status {
            return Ok(());
        }
        let integration = known.id;
        let event: Event = match status {
            IntegrationStatus::Active => IntegrationEnabled { integration }.into(),
            IntegrationStatus::Disabled | IntegrationStatus::Failed => {
                IntegrationDisabled { integration }.into()
            }
            IntegrationStatus::Disconnected => IntegrationDisconnected { integration }.into(),
        };
        let mut facts = vec![(StreamId::Integration(integration), event, vec![])];
        if status == IntegrationStatus::Disconnected {
            facts.extend(self.unseeded(&known)?);
        }
        self.act(actor, facts, (None, turn)).await.map(|_| ())
    }

    /// Records that the engine used a credential outside an attempt.
    ///
    /// # Errors
    /// When nothing can be recorded.
    pub async fn credential_used(
        &self,
        (integration, version): (IntegrationId, u32),
        operation: String,
    ) -> Result<(), Error> {
        let turn = self.act_turn().await;
        let used = CredentialUsed { integration, version, operation };
        let facts = vec![(StreamId::Integration(integration), used.into(), vec![])];
        self.govern(&Actor::Engine, facts, None, turn).await.map(|_| ())
    }

    /// An integration keeps its provider for life, and a name means one integration: an approval
    /// that is bound to an id must never come to mean another provider's account.
    fn check_name(&self, id: IntegrationId, connect: &Connect) -> Result<(), Error> {
        let world = self.world();
        let malformed = |detail: String| Err(Error::Refused { code: "PL4003", detail });
        if let Some(known) = world.integrations.get(&id)
            && known.provider != connect.provider
        {
            return malformed(format!("{} is an integration of {}", known.name, known.provider));
        }
        match world.by_name(&connect.name) {
            Some(other) if other.id != id => malformed(format!(
                "there is an integration {} of {} already; disconnect it first",
                other.name, other.provider
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// The integration with this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(&self, name: &str) -> Result<Integration, Error> {
        self.world().by_name(name).cloned().ok_or_else(|| unknown_integration(name))
    }

    pub(crate) fn manifest(&self, provider: &str) -> Result<Arc<Manifest>, Error> {
        let manifest = self.env.adapters.manifest(provider);
        manifest.cloned().ok_or_else(|| Error::Refused {
            code: "PL4012",
            detail: format!("there is no provider {provider}; see `placet adapters list`"),
        })
    }

    /// The principal holds the role, or it is refused.
    ///
    /// # Errors
    /// When it does not.
    pub fn demand(&self, actor: &Principal, role: Role) -> Result<(), Error> {
        if self.world().policy.has_role(actor, role) {
            return Ok(());
        }
        let detail = format!("{actor} needs the role {role}");
        Err(Error::Refused { code: "PL4005", detail })
    }

    async fn act(
        &self,
        actor: &Principal,
        facts: Vec<ProjectFact>,
        (policy, turn): (Option<Arc<Policy>>, ActTurn),
    ) -> Result<Vec<RecordedEvent>, Error> {
        self.govern(&Actor::Principal(actor.clone()), facts, policy, turn).await
    }
}

/// The fact that somebody gives their vote in advance.
fn endorsed(standing: &Standing, voter: &Voter) -> ProjectFact {
    let endorsed = StandingEndorsed {
        standing: standing.name.clone(),
        digest: standing.digest(),
        by: voter.principal.clone(),
        assurance: voter.assurance,
    };
    (StreamId::Policy, endorsed.into(), vec![])
}

fn unknown_integration(name: &str) -> Error {
    Error::Refused { code: "PL4009", detail: format!("there is no integration {name}") }
}
