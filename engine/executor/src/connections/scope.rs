//! Where a connection may be used: set by an operator, and looked at at check, deploy, draft and claim.

use crate::handle::{Error, Handle};
use crate::turn::literal;
use crate::world::World;
use placet_adapters::Adapters;
use placet_core::policy::is_agent;
use placet_model::actor::Role;
use placet_model::event::integration::IntegrationScoped;
use placet_model::integration::{Integration, UseScope, WorkflowPlace};
use placet_model::plan::{Call, Plan, TaskKind, TaskList};
use placet_model::route::NOTIFY_OPERATION;
use placet_model::{Actor, Principal};

impl Handle {
    /// Sets where an integration may be used, as a whole. Approvals that have become out of scope are
    /// void at their claim.
    ///
    /// # Errors
    /// When the actor may not, or the scope names what cannot be.
    pub async fn scope_integration(
        &self,
        actor: &Principal,
        name: &str,
        scope: UseScope,
    ) -> Result<Integration, Error> {
        self.demand(actor, Role::Operator)?;
        let integration = self.named(name)?;
        self.check(&scope)?;
        if integration.used_in != scope {
            let scoped = IntegrationScoped {
                integration: integration.id,
                workstream: scope.workstream,
                space: scope.space,
                visibility: scope.visibility,
                agents: scope.agents,
            };
            let by = Actor::Principal(actor.clone());
            self.record(&by, &integration, vec![scoped.into()]).await?;
        }
        self.named(name)
    }

    /// Every step of a plan may use the integration that it means, where the workflow stands, and every
    /// channel that is written out leads somewhere.
    ///
    /// # Errors
    /// The first step that may not.
    pub(crate) fn check_scopes(&self, plan: &Plan) -> Result<(), Error> {
        let place = plan.place.clone().unwrap_or_default();
        out_of_scope((&self.world(), &self.env.adapters), &place, &plan.tasks).map_or(
            Ok(()),
            |words| {
                let detail = format!("{}: {words}", plan.workflow);
                Err(Error::Refused { code: "PL4063", detail })
            },
        )?;
        crate::turn::astray(&self.world(), &self.env.adapters, plan).map_or(Ok(()), |words| {
            let detail = format!("{}: {words}", plan.workflow);
            Err(Error::Refused { code: "PL4070", detail })
        })
    }

    fn check(&self, scope: &UseScope) -> Result<(), Error> {
        let malformed = |detail: String| Err(Error::Refused { code: "PL4003", detail });
        if scope.space.is_some() && scope.workstream.is_none() {
            return malformed("a space stands in a workstream: name that too".to_owned());
        }
        for name in scope.workstream.iter().chain(&scope.space) {
            if name.parse::<Principal>().is_err() {
                return malformed(format!(
                    "{name:?}: use 1 to 63 of a-z, 0-9, _ and -, starting with a letter or digit"
                ));
            }
        }
        let world = self.world();
        match scope.agents.iter().find(|name| !is_agent(&world.policy, name)) {
            Some(name) => malformed(format!("{name} is no agent of the policy in force")),
            None => Ok(()),
        }
    }
}

/// The first step that may not use what it means, in words.
fn out_of_scope(
    (world, adapters): (&World, &Adapters),
    place: &WorkflowPlace,
    list: &TaskList,
) -> Option<String> {
    list.0.iter().find_map(|task| {
        let refused = match &task.kind {
            TaskKind::Call(call) => {
                let meant = meant(world, adapters, (call, place.agent.as_ref()))?;
                let why = meant.used_in.allows(place, None).err()?;
                let (task, name) = (&task.path, &meant.name);
                Some(format!("{task}: the integration {name} may not be used here: {why}"))
            }
            _ => None,
        };
        let inner = || {
            task.kind
                .lists()
                .into_iter()
                .find_map(|list| out_of_scope((world, adapters), place, list))
        };
        refused.or_else(inner)
    })
}

/// The connection that a call means, as far as that is written out.
pub(super) fn meant(
    world: &World,
    adapters: &Adapters,
    (call, agent): (&Call, Option<&Principal>),
) -> Option<Integration> {
    if call.operation == NOTIFY_OPERATION {
        let channel = literal(&call.with, "channel")?.as_str()?.parse().ok()?;
        return world.route(adapters, &channel, agent).ok().map(|(integration, _)| integration);
    }
    let provider = call.operation.split('.').next().unwrap_or_default();
    world.integration_for(provider, call.integration.as_deref(), agent).cloned()
}
