//! Actions of agents: one call, asked for without a workflow of their own. The engine runs a workflow
//! of one step that it makes itself, so an action takes the same path as every other call: draft,
//! request, votes, claim.
//!
//! An agent names an operation and, where it likes, a connection by its name; never a credential.
//! Which connections it may use is the operator's word (`agents.grants` of `placet.toml`); without it
//! there is none. The same key is the same action, also after a restart; its quotas keep an agent from
//! filling an inbox.

use crate::handle::{Error, Handle, Vote};
use crate::start::Start;
use crate::turn::StartRun;
use crate::world::World;
use placet_core::Refusal;
use placet_core::policy::is_agent;
use placet_model::approval::ApprovalMetadata;
use placet_model::decision::{Assurance, Ballot, Verdict, Voter};
use placet_model::event::decision::ActionRequested;
use placet_model::plan::{
    Call, Directive, Expression, InputSpec, OutputSpec, PLAN_VERSION, Plan, TaskKind, TaskList,
    Template, WorkflowName,
};
use placet_model::route::{NOTIFY_OPERATION, RouteError};
use placet_model::{
    DecisionId, Digest, Event, Principal, Revision, RunId, StreamId, Timestamp, canonical,
};
use placet_projections::{RunFilter, Views};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// Namespace of the workflows of actions: no author can use it, as it holds a dot.
pub const NAMESPACE: &str = "placet.act";
/// Bytes of an idempotency key.
const KEY_BYTES_MAX: usize = 128;
/// Bytes of an agent's reason.
const REASON_BYTES_MAX: usize = 2000;
/// What a quota per minute counts back.
const MINUTE_MS: i64 = 60_000;

/// When an agent has asked for something, within the last minute; none until the log was asked.
type Asked = Option<VecDeque<Timestamp>>;
/// Runs that are looked at in one go.
const PAGE: usize = 256;

/// What is known of each agent while the engine runs: one of its wishes is weighed at a time.
#[derive(Debug, Default)]
pub(crate) struct Agents(Mutex<BTreeMap<Principal, Arc<tokio::sync::Mutex<Asked>>>>);

impl Agents {
    async fn turn(&self, agent: &Principal) -> OwnedMutexGuard<Asked> {
        let mine = {
            let mut agents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(agents.entry(agent.clone()).or_default())
        };
        mine.lock_owned().await
    }
}

/// What an agent asks for. Unknown members are refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// The adapter operation, or `http.request`.
    pub operation: String,
    /// Name of a connection; none is the provider's default one.
    #[serde(default)]
    pub integration: Option<String>,
    /// The operation's input.
    pub with: Value,
    /// The same key is the same action.
    pub idempotency_key: String,
    /// Why, in the agent's words: shown apart on the card, as unverified.
    pub reason: String,
}

/// What has become of an action so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Acted {
    /// The run that carries it out.
    pub run: RunId,
    /// What people decide on; none where nothing has to be asked.
    pub decision: Option<DecisionId>,
}

fn refused(code: &'static str, detail: impl Into<String>) -> Error {
    Error::Refused { code, detail: detail.into() }
}

impl Handle {
    /// Carries out an action of an agent, or gives the answer that its key has got before. Answers
    /// when its request is on disk.
    ///
    /// # Errors
    /// A malformed action, one without a grant, one beyond the agent's quotas, and a key that was
    /// used for something else; nothing is recorded then.
    pub async fn ask_action(&self, agent: &Principal, body: &Value) -> Result<Acted, Error> {
        let malformed = |detail: String| refused("PL4003", detail);
        let action = Action::deserialize(body).map_err(|error| malformed(error.to_string()))?;
        self.demand_agent(agent)?;
        check(&action)?;
        let content = canonical::to_bytes(&json!({
            "operation": action.operation, "integration": action.integration,
            "with": action.with, "reason": action.reason,
        }));
        let content = content.map_err(crate::turn::Error::from)?;
        let pseudonym = |text: &str| self.env.log.pseudonym(text);
        let requested = ActionRequested {
            key: pseudonym(&format!("action {agent} {}", action.idempotency_key)),
            content: pseudonym(&format!("action {}", String::from_utf8_lossy(&content))),
        };
        // whoever gives up waiting must not let a second one through
        let (engine, agent) = (self.clone(), agent.clone());
        let work = tokio::spawn(async move { engine.act_once(agent, action, requested).await });
        work.await.map_err(|_ended| Error::Stopping)?
    }

    async fn act_once(
        &self,
        agent: Principal,
        action: Action,
        requested: ActionRequested,
    ) -> Result<Acted, Error> {
        let mut asked = self.agents.turn(&agent).await;
        if let Some((run, content)) = self.known_action(requested.key)? {
            if content == requested.content {
                return self.acted(run);
            }
            let detail = format!("{run} was asked for with this key, and it says something else");
            return Err(refused("PL4041", detail));
        }
        self.check_grant(&agent, &action)?;
        self.check_quota(&agent, &mut asked)?;
        let plan = self.keep(plan(&action)).await?;
        let input = json!({ "with": action.with, "reason": action.reason });
        let mode = self.env.mode;
        let start = Start { plan, input, requester: agent, mode, seed: 0 };
        let run = self.begin(start, Some(requested), None).await?;
        asked.get_or_insert_default().push_back(self.now());
        self.acted(run)
    }

    /// Takes back what an agent has asked for, while it is open.
    ///
    /// # Errors
    /// When the decision is none of the agent's own, or is not open any more.
    pub async fn withdraw_action(
        &self,
        agent: &Principal,
        body: &Value,
        assurance: Assurance,
    ) -> Result<crate::handle::Receipt, Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Body {
            decision: DecisionId,
            #[serde(default)]
            reason: Option<String>,
        }
        self.demand_agent(agent)?;
        let body = Body::deserialize(body);
        let Body { decision, reason } =
            body.map_err(|error| refused("PL4003", error.to_string()))?;
        let row = {
            let view = self.view()?;
            Views::new(&view)?.decision(decision)?
        };
        // another's is as if it were not there
        let row = row.filter(|row| row.requester == *agent);
        let row = row.ok_or(Refusal::UnknownDecision { decision })?;
        let (digest, verdict) = (row.digest, Verdict::Withdraw);
        let (nonce, time) = (self.nonce(), self.now());
        let ballot = Ballot { decision, digest, verdict, nonce, time, reason };
        let voter = Voter { principal: agent.clone(), assurance };
        self.vote(Vote { ballot, voter, request_id: None, signed: None }).await
    }

    /// An agent begins a run of its own within its quotas.
    pub(crate) async fn agent_turn(
        &self,
        requester: &Principal,
    ) -> Result<Option<OwnedMutexGuard<Asked>>, Error> {
        if !is_agent(&self.world().policy, requester) {
            return Ok(None);
        }
        let mut asked = self.agents.turn(requester).await;
        self.check_quota(requester, &mut asked)?;
        asked.get_or_insert_default().push_back(self.now());
        Ok(Some(asked))
    }

    fn demand_agent(&self, name: &Principal) -> Result<(), Error> {
        let world = self.world();
        if !world.policy.principals.contains_key(name) {
            return Err(Refusal::UnknownPrincipal { name: name.clone() }.into());
        }
        if is_agent(&world.policy, name) {
            return Ok(());
        }
        Err(Refusal::NotPermitted { principal: name.clone(), role: "agent" }.into())
    }

    fn known_action(&self, key: Digest) -> Result<Option<(RunId, Digest)>, Error> {
        let view = self.view()?;
        Ok(Views::new(&view)?.action(key)?)
    }

    /// The answer is that of the moment at which the run began, however far it has come.
    fn acted(&self, run: RunId) -> Result<Acted, Error> {
        let view = self.view()?;
        let mut decision = None;
        for event in view.stream(&StreamId::Run(run), Revision::START) {
            if let Event::DecisionRequested(body) = event?.event {
                decision = Some(body.decision);
                break;
            }
        }
        Ok(Acted { run, decision })
    }

    /// The operation, its input and its connection: there, of the right form, and the agent's to use.
    fn check_grant(&self, agent: &Principal, action: &Action) -> Result<(), Error> {
        let name = action.operation.as_str();
        let world = self.world();
        if world.policy.blocked.contains(name) {
            return Err(refused("PL4042", format!("the policy blocks {name}")));
        }
        let connection = if name == NOTIFY_OPERATION {
            self.carrying(&world, (agent, action))?
        } else {
            self.connection_of(&world, (agent, action))?
        };
        if self.env.config.agents.grants.iter().any(|grant| covers(grant, agent, &connection)) {
            return Ok(());
        }
        let detail = format!("{agent} may not use {connection}");
        Err(refused("PL4042", detail))
    }

    /// The name of the connection that an operation goes through.
    fn connection_of(
        &self,
        world: &World,
        (agent, action): (&Principal, &Action),
    ) -> Result<String, Error> {
        let name = action.operation.as_str();
        let operation = self.env.adapters.operation(name);
        let operation =
            operation.ok_or_else(|| refused("PL2102", format!("there is no operation {name}")))?;
        if let Some(schema) = operation.input_schema() {
            let formed = schema.validate(&action.with);
            formed.map_err(|violations| refused("PL2108", format!("with: {violations}")))?;
        }
        if operation.is_http_call() {
            if action.integration.is_some() {
                return Err(refused("PL4003", "a plain HTTP call goes through no integration"));
            }
            return Ok("http".to_owned());
        }
        let provider = operation.provider();
        let wanted = action.integration.as_deref();
        let found = world.integration_for(provider, wanted, Some(agent));
        let missing = || match &action.integration {
            Some(wanted) => format!("there is no integration {wanted} of {provider}"),
            None => format!("there is no default integration of {provider}"),
        };
        Ok(found.ok_or_else(|| refused("PL4009", missing()))?.name.clone())
    }

    /// The name of the connection to which the action's channel leads.
    fn carrying(
        &self,
        world: &World,
        (agent, action): (&Principal, &Action),
    ) -> Result<String, Error> {
        if action.integration.is_some() {
            let detail = "integration: name the connection in the channel, as in slack:NAME";
            return Err(refused("PL4003", detail));
        }
        let adapters = &self.env.adapters;
        let formed = adapters.check_notify(&action.with);
        formed.map_err(|violations| refused("PL2108", format!("with: {violations}")))?;
        let astray = |words: String| refused("PL4070", words);
        let channel = action.with["channel"].as_str().unwrap_or_default().parse();
        let channel = channel.map_err(|error: RouteError| astray(error.to_string()))?;
        let route = world.route(adapters, &channel, Some(agent));
        let (integration, carrier) = route.map_err(|error| astray(error.to_string()))?;
        if world.policy.blocked.contains(&carrier.operation) {
            return Err(refused("PL4042", format!("the policy blocks {}", carrier.operation)));
        }
        let with = adapters.notify_with(&action.with, &integration);
        with.map_err(|error| astray(crate::turn::describe(&error)))?;
        Ok(integration.name)
    }

    fn check_quota(&self, agent: &Principal, asked: &mut Asked) -> Result<(), Error> {
        let limits = &self.env.config.limits;
        let (open_max, minute_max) = (limits.agent_open_max, limits.agent_minute_max);
        let now = self.now();
        // an engine that has just started knows from its log what was asked for before
        let asked = match asked {
            Some(asked) => asked,
            None => asked.insert(self.asked_lately(agent, now)?),
        };
        while asked.front().is_some_and(|at| now.millis_since(*at) >= MINUTE_MS) {
            asked.pop_front();
        }
        if let Some(oldest) = asked.front().filter(|_| asked.len() as u64 >= minute_max) {
            let left_ms = MINUTE_MS.saturating_sub(now.millis_since(*oldest)).max(1);
            let retry_after_s = u64::try_from(left_ms).unwrap_or_default().div_ceil(1000);
            let detail = format!(
                "{agent} has asked for {minute_max} within a minute (limits.agent_minute_max); again in {retry_after_s} s"
            );
            return Err(Error::TooMuch { detail, retry_after_s });
        }
        let open_max = usize::try_from(open_max).unwrap_or(usize::MAX);
        let open = {
            let view = self.view()?;
            Views::new(&view)?.open_of(agent, open_max)?
        };
        if open >= open_max {
            let detail = format!("{open_max} requests of {agent} are open (limits.agent_open_max)");
            return Err(refused("PL4040", detail));
        }
        Ok(())
    }
}

impl Handle {
    /// When an agent began runs within the last minute, oldest first, as the log has it.
    fn asked_lately(
        &self,
        agent: &Principal,
        now: Timestamp,
    ) -> Result<VecDeque<Timestamp>, Error> {
        let view = self.view()?;
        let views = Views::new(&view)?;
        let mut asked = VecDeque::new();
        let mut before = None;
        loop {
            let page = views.runs(&RunFilter::default(), before, PAGE)?;
            for row in &page {
                if now.millis_since(row.started_at) >= MINUTE_MS {
                    return Ok(asked);
                }
                if row.requester == *agent {
                    asked.push_front(row.started_at);
                }
            }
            before = page.last().map(|row| row.run);
            if page.len() < PAGE {
                return Ok(asked);
            }
        }
    }
}

/// `AGENT:CONNECTION`, either of them `*`.
fn covers(grant: &str, agent: &Principal, connection: &str) -> bool {
    let (who, which) = grant.split_once(':').unwrap_or((grant, ""));
    (who == "*" || who == agent.as_str()) && (which == "*" || which == connection)
}

fn check(action: &Action) -> Result<(), Error> {
    let key = &action.idempotency_key;
    let good =
        (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if !good {
        let detail = format!("idempotency_key: 1 to {KEY_BYTES_MAX} visible ASCII characters");
        return Err(refused("PL4003", detail));
    }
    if action.reason.trim().is_empty() || action.reason.len() > REASON_BYTES_MAX {
        let detail = format!("reason: 1 to {REASON_BYTES_MAX} bytes that say why");
        return Err(refused("PL4003", detail));
    }
    if !action.with.is_object() {
        return Err(refused("PL4003", "with: an object"));
    }
    Ok(())
}

/// The workflow of one step: the operation stands in it, what it is called with is its input.
fn plan(action: &Action) -> Plan {
    let family = match &action.integration {
        Some(integration) => format!("{}.{integration}", action.operation),
        None => action.operation.clone(),
    };
    let word = |text: &str| Template::Expression(Expression(text.to_owned()));
    let says = ApprovalMetadata { summary: Some(word(".reason")), ..ApprovalMetadata::default() };
    let call = TaskKind::Call(Box::new(Call {
        operation: action.operation.clone(),
        integration: action.integration.clone(),
        with: word(".with"),
        authentication: None,
        approval: Some(says),
    }));
    let task = crate::schedules::task("act", 0, (call, Directive::Continue));
    Plan {
        v: PLAN_VERSION,
        workflow: WorkflowName {
            namespace: NAMESPACE.to_owned(),
            name: family,
            version: "1.0.0".to_owned(),
        },
        definition: json!({ "act": action.operation, "integration": action.integration }),
        input: InputSpec::default(),
        output: OutputSpec::default(),
        timeout: None,
        timeout_from: None,
        tasks: TaskList(vec![task]),
        secrets: vec![],
        operations: BTreeMap::new(),
        schedule: None,
        place: None,
    }
}

impl StartRun {
    /// The same start, for an action.
    pub(crate) fn asked_as(mut self, action: Option<ActionRequested>) -> Self {
        self.action = action;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_covers_its_agent_and_its_connection_only() {
        let agent: Principal = "bot".parse().unwrap();
        for (grant, expected) in [
            ("bot:sales", true),
            ("*:sales", true),
            ("bot:*", true),
            ("*:*", true),
            ("bot:sale", false),
            ("bo:sales", false),
            ("bot", false),
            ("bot:", false),
            (":sales", false),
            ("", false),
        ] {
            assert_eq!(covers(grant, &agent, "sales"), expected, "{grant:?}");
        }
    }
}
