//! A call by a channel: led to one operation of one connection before anything is drafted, and never
//! after. What is drafted, approved and sent is the concrete call; the route is on record beside it, and
//! an approval whose channel leads elsewhere by now is void.

use super::gate::CallTarget;
use super::perform::{CallShape, chain};
use super::{Error, Turn};
use crate::world::World;
use placet_adapters::Adapters;
use placet_core::run::{Ask, Leaf};
use placet_model::event::decision::DraftPrepared;
use placet_model::event::route::SendRouted;
use placet_model::fault::FaultKind;
use placet_model::integration::Integration;
use placet_model::plan::{Plan, TaskKind, TaskList, Template};
use placet_model::route::{Candidate, Carrier, Channel, NOTIFY_OPERATION, RouteError, choose};
use placet_model::{Fault, Principal};
use serde_json::Value;
use std::sync::Arc;

/// Where a call goes: which operation, called with what, and by which channel it came to that.
pub(super) struct Aim {
    pub(super) target: CallTarget,
    pub(super) with: Value,
    channel: Option<Channel>,
}

impl World {
    /// The connection that carries a channel on behalf of somebody.
    pub(crate) fn route(
        &self,
        adapters: &Adapters,
        channel: &Channel,
        who: Option<&Principal>,
    ) -> Result<(Integration, Carrier), RouteError> {
        let who = who.map(Principal::as_str);
        let candidates: Vec<Candidate> =
            self.integrations.values().filter_map(|one| Candidate::of(one, who)).collect();
        let carriers = adapters.carriers();
        let (name, carrier) = choose(channel, &carriers, &candidates)?;
        let found = self.by_name(&name).cloned();
        let found = found.ok_or(RouteError::NotThere { name, help: String::new() })?;
        Ok((found, carrier.clone()))
    }
}

impl CallShape<'_> {
    /// The name under which a policy may mean it besides that of the operation that is sent.
    pub(crate) fn via(&self) -> Option<&str> {
        self.is_by_channel().then_some(NOTIFY_OPERATION)
    }

    pub(super) fn is_by_channel(&self) -> bool {
        self.operation() == NOTIFY_OPERATION
    }
}

impl Turn<'_> {
    /// Where this call goes, and what is sent there.
    pub(super) fn aim(&self, call: CallShape<'_>, with: Value) -> Result<Aim, Fault> {
        if !call.is_by_channel() {
            return Ok(Aim { target: self.target(call, &with)?, with, channel: None });
        }
        let validation = |words: String| Fault::new(FaultKind::Validation, words);
        let configuration = |words: String| Fault::new(FaultKind::Configuration, words);
        let adapters = &self.env.adapters;
        let formed = adapters.check_notify(&with);
        formed.map_err(|violations| validation(format!("with: {violations}")))?;
        let channel: Channel = with["channel"]
            .as_str()
            .unwrap_or_default()
            .parse()
            .map_err(|error: RouteError| validation(error.to_string()))?;
        let (_, requester) = self.stands();
        let (integration, carrier) = self
            .world
            .route(adapters, &channel, requester.as_ref())
            .map_err(|error| configuration(error.to_string()))?;
        // before its channel is asked for, which may be what it lacks
        self.is_complete(&integration)?;
        let with = adapters
            .notify_with(&with, &integration)
            .map_err(|error| configuration(chain(&error)))?;
        let target = self.carried(&carrier.operation, integration)?;
        Ok(Aim { target, with, channel: Some(channel) })
    }

    /// Records where a call by a channel was led.
    pub(super) fn note_route(&mut self, leaf: &Leaf, aim: &Aim) -> Result<(), Error> {
        let (Some(channel), Some(integration)) = (&aim.channel, &aim.target.integration) else {
            return Ok(());
        };
        let routed = SendRouted {
            task: leaf.task.clone(),
            iteration: leaf.iteration.clone(),
            operation: NOTIFY_OPERATION.to_owned(),
            channel: channel.to_string(),
            to: aim.target.operation.name().to_owned(),
            integration: integration.id,
        };
        self.note(routed, vec![])
    }

    /// The target of the next revision of a draft. One that was led by a channel stays where it was
    /// led: what a person edits or has sent again is the concrete call.
    pub(super) fn target_again(
        &self,
        call: CallShape<'_>,
        (with, last): (&Value, &DraftPrepared),
    ) -> Result<CallTarget, Fault> {
        if !call.is_by_channel() {
            return self.target(call, with);
        }
        let bound = last.integration.as_ref().and_then(|b| self.world.integrations.get(&b.id));
        let gone = || Fault::new(FaultKind::Configuration, "its connection is gone".to_owned());
        self.carried(&last.operation, bound.cloned().ok_or_else(gone)?)
    }

    fn carried(&self, operation: &str, integration: Integration) -> Result<CallTarget, Fault> {
        let (place, requester) = self.stands();
        integration.used_in.allows(&place, requester.as_ref()).map_err(|why| {
            let words = format!("the integration {} may not be used here: {why}", integration.name);
            Fault::new(FaultKind::Authorization, words)
        })?;
        self.is_complete(&integration)?;
        let found = self.env.adapters.operation(operation).map(Arc::clone);
        let operation = found.ok_or_else(|| {
            let words = format!("there is no operation {operation}");
            Fault::new(FaultKind::Configuration, words)
        })?;
        let effect = operation.effect();
        Ok(CallTarget { operation, effect, integration: Some(integration) })
    }

    /// Whether the channel by which an approved action was asked for leads elsewhere by now. A route
    /// that is not on record leads nowhere.
    pub(super) fn is_rerouted(&self, call: CallShape<'_>, ask: &Ask) -> bool {
        if !call.is_by_channel() {
            return false;
        }
        let key = (ask.draft.task.clone(), ask.draft.iteration.clone());
        let route = self.out.run.routes.get(&key);
        let Some(channel) = route.and_then(|route| route.channel.parse::<Channel>().ok()) else {
            return true;
        };
        let (_, requester) = self.stands();
        let now = self.world.route(&self.env.adapters, &channel, requester.as_ref());
        let bound = ask.draft.integration.as_ref().map(|bound| bound.id);
        now.is_err() || now.ok().map(|(integration, _)| integration.id) != bound
    }
}

/// The first step of a plan whose channel, written out, leads nowhere, in words.
pub(crate) fn astray(world: &World, adapters: &Adapters, plan: &Plan) -> Option<String> {
    let agent = plan.place.as_ref().and_then(|place| place.agent.as_ref());
    led_astray((world, adapters, agent), &plan.tasks)
}

type Ground<'a> = (&'a World, &'a Adapters, Option<&'a Principal>);

fn led_astray(ground: Ground<'_>, list: &TaskList) -> Option<String> {
    list.0.iter().find_map(|task| {
        let words = match &task.kind {
            TaskKind::Call(call) if call.operation == NOTIFY_OPERATION => {
                leads_nowhere(ground, &call.with)
            }
            _ => None,
        };
        let words = words.map(|words| format!("{}: {words}", task.path));
        let inner = || task.kind.lists().into_iter().find_map(|list| led_astray(ground, list));
        words.or_else(inner)
    })
}

/// A channel that an expression gives is known when the step begins; so is an address.
fn leads_nowhere((world, adapters, agent): Ground<'_>, with: &Template) -> Option<String> {
    let channel = literal(with, "channel")?;
    let channel: Channel = match channel.as_str().unwrap_or_default().parse() {
        Ok(channel) => channel,
        Err(error) => return Some(error.to_string()),
    };
    let (integration, _) = match world.route(adapters, &channel, agent) {
        Ok(route) => route,
        Err(error) => return Some(error.to_string()),
    };
    let mut sketch = serde_json::json!({ "text": "…", "subject": "…" });
    match (has(with, "to"), literal(with, "to")) {
        (true, Some(to)) => sketch["to"] = to,
        (true, None) => sketch["to"] = "1".into(),
        (false, _) => {}
    }
    adapters.notify_with(&sketch, &integration).err().map(|error| chain(&error))
}

/// A member of `with` that is written out.
pub(crate) fn literal(with: &Template, member: &str) -> Option<Value> {
    match with {
        Template::Literal(value) => value.get(member).cloned(),
        Template::Map(members) => match members.iter().find(|(name, _)| name == member)? {
            (_, Template::Literal(value)) => Some(value.clone()),
            (_, Template::Expression(_) | Template::Map(_) | Template::List(_)) => None,
        },
        Template::Expression(_) | Template::List(_) => None,
    }
}

fn has(with: &Template, member: &str) -> bool {
    match with {
        Template::Literal(value) => value.get(member).is_some(),
        Template::Map(members) => members.iter().any(|(name, _)| name == member),
        Template::Expression(_) | Template::List(_) => false,
    }
}
