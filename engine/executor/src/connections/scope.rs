//! Where a connection may be used: set by an operator, and looked at at check, deploy, draft and claim.

use crate::handle::{Error, Handle};
use crate::world::World;
use placet_core::policy::is_agent;
use placet_model::actor::Role;
use placet_model::event::integration::IntegrationScoped;
use placet_model::integration::{Integration, UseScope, WorkflowPlace};
use placet_model::plan::{Plan, TaskKind, TaskList};
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

    /// Every step of a plan may use the integration that it means, where the workflow stands.
    ///
    /// # Errors
    /// The first step that may not.
    pub(crate) fn check_scopes(&self, plan: &Plan) -> Result<(), Error> {
        let place = plan.place.clone().unwrap_or_default();
        out_of_scope(&self.world(), &place, &plan.tasks).map_or(Ok(()), |words| {
            let detail = format!("{}: {words}", plan.workflow);
            Err(Error::Refused { code: "PL4063", detail })
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
fn out_of_scope(world: &World, place: &WorkflowPlace, list: &TaskList) -> Option<String> {
    list.0.iter().find_map(|task| {
        let refused = match &task.kind {
            TaskKind::Call(call) => {
                let provider = call.operation.split('.').next().unwrap_or_default();
                let (name, agent) = (call.integration.as_deref(), place.agent.as_ref());
                let meant = world.integration_for(provider, name, agent)?;
                let why = meant.used_in.allows(place, None).err()?;
                let (task, name) = (&task.path, &meant.name);
                Some(format!("{task}: the integration {name} may not be used here: {why}"))
            }
            _ => None,
        };
        let inner =
            || task.kind.lists().into_iter().find_map(|list| out_of_scope(world, place, list));
        refused.or_else(inner)
    })
}
