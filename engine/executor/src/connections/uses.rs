//! What depends on a connection: read from what is deployed, what is open, what is in force.

use super::hears::Brings;
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
/// Runs whose waits are looked at.
const LISTENERS_MAX: usize = 10_000;
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
    /// Runs that wait for something that it brings in.
    pub waiting: u64,
    /// The first of them, with the waits in question.
    pub waits: Vec<Wait>,
    /// Rules and standing approvals of the policy in force that name it.
    pub policies: Vec<String>,
    /// Channels over which people are told something.
    pub channels: Vec<String>,
    /// Deployed workflows that start by themselves and use it, or are started by what it brings in.
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

/// A run that waits for something that it brings in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Wait {
    /// The run.
    pub run: RunId,
    /// `namespace/name@version`.
    pub workflow: String,
    /// Its waits that may take such an event.
    pub tasks: Vec<TaskPath>,
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
    /// `time`, `event`, or `its events` where what starts it may come from here.
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
        let manifest = self.adapters().manifest(&integration.provider);
        let brings = Brings::of(manifest.map(AsRef::as_ref), &integration);
        let mut uses = Uses::default();
        for row in views.workflows()? {
            let plan = self.env.plan(row.plan_digest)?;
            let before = uses.steps.len();
            let ground = (&*world, self.adapters().as_ref());
            steps((&plan, ground), &integration, &plan.tasks, &mut uses.steps);
            let sends = uses.steps.len() > before;
            let when = match &plan.schedule {
                Some(_) if brings.starts(&plan) => Some("its events"),
                Some(schedule) if sends && schedule.on.is_some() => Some("event"),
                Some(_) if sends => Some("time"),
                Some(_) | None => None,
            };
            let start = when.map(|when| Start { workflow: plan.workflow.to_string(), when });
            uses.starts.extend(start);
        }
        open(&views, &integration, &mut uses)?;
        self.waiting(&views, (&world, &integration, &brings), &mut uses)?;
        uses.policies = policies(&world, &integration);
        uses.channels = self.channels(&world, &integration);
        uses.agents = self.granted(&integration);
        Ok(uses)
    }

    /// Runs that wait now, of whatever version they are.
    fn waiting(
        &self,
        views: &Views<'_>,
        (world, integration, brings): (&World, &Integration, &Brings),
        uses: &mut Uses,
    ) -> Result<(), Error> {
        let mut runs = BTreeSet::new();
        for kind in brings.kinds() {
            runs.extend(views.listeners(kind)?.into_keys());
        }
        for run in runs.into_iter().take(LISTENERS_MAX) {
            let Some(row) = views.run(run)? else { continue };
            let plan = self.env.plan(row.plan_digest)?;
            let mut own = vec![];
            let ground = (world, self.adapters().as_ref());
            steps((&plan, ground), integration, &plan.tasks, &mut own);
            let sends = own.iter().map(|step| step.task.to_string()).collect();
            let tasks = brings.waits(&plan.tasks, &sends);
            if tasks.is_empty() {
                continue;
            }
            uses.waiting += 1;
            if uses.waits.len() < NAMED_MAX {
                uses.waits.push(Wait { run, workflow: row.workflow.to_string(), tasks });
            }
        }
        Ok(())
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

/// Rules and standing approvals that name it, or what can go through nothing else.
fn policies(world: &World, integration: &Integration) -> Vec<String> {
    let prefix = format!("{}.", integration.provider);
    let how = |matches: &Match| {
        if matches.integration.contains(&integration.name) {
            return Some("");
        }
        let by_operation = matches.operation.iter().any(|name| name.starts_with(&prefix));
        let by_provider = matches.provider.contains(&integration.provider) || by_operation;
        (by_provider && matches.integration.is_empty()).then_some(", by its provider")
    };
    let rules = world.policy.rules.iter().enumerate();
    let rules = rules.filter_map(|(index, rule)| {
        Some(format!("rule {} ({}){}", index + 1, rule.name, how(&rule.matches)?))
    });
    let standing = world.policy.standing.iter();
    let standing = standing.filter_map(|standing| {
        Some(format!("standing approval {}{}", standing.name, how(&standing.matches)?))
    });
    rules.chain(standing).collect()
}
