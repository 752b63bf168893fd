//! What depends on a connection: read from what is deployed, what is open, what is in force.

use crate::handle::{Error, Handle};
use crate::turn::literal;
use crate::world::World;
use placet_adapters::Adapters;
use placet_model::integration::Integration;
use placet_model::plan::{Call, Plan, TaskKind, TaskList};
use placet_model::policy::Match;
use placet_model::route::{Channel, NOTIFY_OPERATION};
use placet_model::{DecisionId, RunId, TaskPath};
use placet_projections::{Source, Views};
use serde::Serialize;
use std::collections::BTreeSet;

/// Kinds of open items that are looked at.
const SHAPES_MAX: usize = 10_000;
/// Open items that are named; of all there is the count.
const NAMED_MAX: usize = 100;

/// What depends on an integration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Uses {
    /// Steps of deployed workflows.
    pub steps: Vec<Step>,
    /// Items that are open through it: asked for, approved and held, or in doubt.
    pub open: u64,
    /// The first of them.
    pub decisions: Vec<DecisionId>,
    /// The runs that wait with these.
    pub runs: Vec<RunId>,
    /// Rules and standing approvals of the policy in force that name it.
    pub policies: Vec<String>,
    /// Channels over which people are told something.
    pub channels: Vec<String>,
    /// Deployed workflows that start by themselves and use it.
    pub starts: Vec<Start>,
    /// Agents that may ask for actions through it.
    pub agents: Vec<String>,
}

/// A step that uses it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Step {
    /// `namespace/name@version`.
    pub workflow: String,
    /// Where the step stands.
    pub task: TaskPath,
    /// What it calls.
    pub operation: String,
    /// Whether the step names it, or it is the provider's default.
    pub by: By,
}

/// How a step comes to use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The step names it.
    Name,
    /// The step names none, and it is the provider's default.
    Default,
}

/// A workflow that starts by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Start {
    /// `namespace/name@version`.
    pub workflow: String,
    /// `time` or `event`.
    pub when: &'static str,
}

impl Uses {
    /// Whether nothing would miss it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Handle {
    /// What depends on an integration.
    ///
    /// # Errors
    /// When it is unknown, or the project cannot be read.
    pub fn uses(&self, name: &str) -> Result<Uses, Error> {
        let (world, integration) = (self.world(), self.named(name)?);
        let view = self.view()?;
        let views = Views::new(&view)?;
        let mut uses = Uses::default();
        for row in views.workflows()? {
            let plan = self.env.plan(row.plan_digest)?;
            let before = uses.steps.len();
            let ground = (&*world, self.adapters().as_ref());
            steps((&plan, ground), &integration, &plan.tasks, &mut uses.steps);
            if let (Some(schedule), true) = (&plan.schedule, uses.steps.len() > before) {
                let when = if schedule.on.is_some() { "event" } else { "time" };
                uses.starts.push(Start { workflow: plan.workflow.to_string(), when });
            }
        }
        open(&views, &integration, &mut uses)?;
        uses.policies = policies(&world, &integration);
        uses.channels = self.channels(&world, &integration);
        uses.agents = self.granted(&integration);
        Ok(uses)
    }

    fn channels(&self, world: &World, integration: &Integration) -> Vec<String> {
        let channels = self.env.config.channels.iter();
        let goes = channels.filter(|(_, channel)| {
            let provider = channel.operation.split('.').next().unwrap_or_default();
            let used = world.integration(provider, channel.integration.as_deref());
            used.is_some_and(|used| used.id == integration.id)
        });
        goes.map(|(name, _)| name.clone()).collect()
    }

    fn granted(&self, integration: &Integration) -> Vec<String> {
        let grants = self.env.config.agents.grants.iter();
        let granted = grants.filter_map(|grant| grant.split_once(':'));
        let named: BTreeSet<String> = granted
            .filter(|(_, to)| *to == integration.name)
            .map(|(agent, _)| agent.to_owned())
            .collect();
        let own = integration.used_in.agents.iter().map(ToString::to_string);
        named.into_iter().chain(own).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

type Ground<'a> = (&'a World, &'a Adapters);

fn steps(
    (plan, ground): (&Plan, Ground<'_>),
    integration: &Integration,
    list: &TaskList,
    found: &mut Vec<Step>,
) {
    for task in &list.0 {
        if let TaskKind::Call(call) = &task.kind
            && let Some(by) = used_by(ground, call, integration)
        {
            found.push(Step {
                workflow: plan.workflow.to_string(),
                task: task.path.clone(),
                operation: call.operation.clone(),
                by,
            });
        }
        for inner in task.kind.lists() {
            steps((plan, ground), integration, inner, found);
        }
    }
}

/// How a call comes to use the integration, as far as that is written out.
fn used_by((world, adapters): Ground<'_>, call: &Call, integration: &Integration) -> Option<By> {
    if call.operation == NOTIFY_OPERATION {
        let channel: Channel = literal(&call.with, "channel")?.as_str()?.parse().ok()?;
        let (carries, _) = world.route(adapters, &channel, None).ok()?;
        let by = if channel.integration.is_some() { By::Name } else { By::Default };
        return (carries.id == integration.id).then_some(by);
    }
    let by = match &call.integration {
        Some(name) if *name == integration.name => By::Name,
        None if integration.is_default => By::Default,
        Some(_) | None => return None,
    };
    let provider = call.operation.split('.').next();
    (provider == Some(integration.provider.as_str())).then_some(by)
}

fn open(views: &Views<'_>, integration: &Integration, uses: &mut Uses) -> Result<(), Error> {
    let mut shapes = vec![];
    for (_, shape) in views.shapes(None, SHAPES_MAX)? {
        if shape.integration == Some(integration.id) {
            uses.open += shape.count;
            shapes.push(Source::Shape(shape.shape));
        }
    }
    let mut runs = BTreeSet::new();
    for row in views.inbox(&shapes, None, NAMED_MAX)? {
        uses.decisions.push(row.decision);
        runs.insert(row.run);
    }
    uses.runs = runs.into_iter().collect();
    Ok(())
}

fn policies(world: &World, integration: &Integration) -> Vec<String> {
    let named = |matches: &Match| matches.integration.contains(&integration.name);
    let rules = world.policy.rules.iter().enumerate();
    let rules = rules.filter(|(_, rule)| named(&rule.matches));
    let rules = rules.map(|(index, _)| format!("rule {}", index + 1));
    let standing = world.policy.standing.iter().filter(|standing| named(&standing.matches));
    rules.chain(standing.map(|standing| format!("standing approval {}", standing.name))).collect()
}
