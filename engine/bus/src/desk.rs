//! The inbox of a running engine: what arrives over NATS goes to the same functions that every other door uses.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use placet_executor::handle::Error;
use placet_executor::inbox::{Caller, Problem};
use placet_executor::{Handle, Notice as Hint};
use placet_model::actor::Role;
use placet_model::decision::Assurance;
use placet_model::nkey::UserKey;
use placet_model::{DecisionId, IntegrationId, Principal, RunId};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::identity::Sender;
use crate::inbox::{
    About, Inbox, InboxRefusal, InboxRequest, Notice, Operate, Operation, Verb, refused,
};
use crate::trace;

impl Inbox {
    /// The engine's inbox; `assurance` says how sure its users' names are, which depends on who may publish on the server.
    pub fn of(engine: &Handle, assurance: Assurance) -> Self {
        let nobody: Operate = Arc::new(|_asked| {
            Box::pin(async { Err(refused("PL4012", "nobody answers for connections here")) })
        });
        Self::operated(engine, assurance, nobody)
    }

    /// As [`Inbox::of`], with somebody who does the words of a connection's life.
    pub fn operated(engine: &Handle, assurance: Assurance, operate: Operate) -> Self {
        let (asked, watched) = (engine.clone(), engine.clone());
        let notices = move || {
            let engine = watched.clone();
            let hints = stream::unfold(engine.notices(), next);
            hints.then(move |hint| addressed(engine.clone(), hint)).flat_map(stream::iter).boxed()
        };
        let followed = engine.clone();
        Self::new(notices, move |request| {
            answer((asked.clone(), Arc::clone(&operate)), assurance, request)
        })
        .with_traces(move || trace::of(followed.log()))
    }
}

async fn answer(
    (engine, operate): (Handle, Operate),
    assurance: Assurance,
    request: InboxRequest,
) -> Result<Value, InboxRefusal> {
    let InboxRequest { user, verb, sender, request_id, body } = request;
    let assurance = vouched(&engine, (&user, &sender), assurance)?;
    if let Verb::Integrations(word) = verb {
        return operate(Operation { user, assurance, request_id, word, body }).await;
    }
    let caller = Caller { principal: user, assurance, request_id };
    let body = Value::Object(body);
    let answer = match verb {
        Verb::List => reading(move || engine.inbox_list(&caller, &body)).await,
        Verb::Get => reading(move || engine.inbox_get(&caller, &body)).await,
        Verb::Stats => reading(move || engine.inbox_stats(&caller, &body)).await,
        Verb::Decide => engine.inbox_act(&caller, &body).await,
        Verb::Act => engine.ask_action(&caller.principal, &body).await.map(|acted| json!(acted)),
        Verb::Integrations(_) => return Err(refused("PL9001", "it was answered before")),
        Verb::Withdraw => {
            let taken = engine.withdraw_action(&caller.principal, &body, assurance).await;
            taken.map(|receipt| json!(receipt))
        }
    };
    answer.map_err(|error| {
        let Problem { code, title, detail } = Problem::from(&error);
        InboxRefusal { code, title, detail }
    })
}

/// How sure the name is: a key that the server says has asked must be the user's own, where the log
/// knows whose it is.
fn vouched(
    engine: &Handle,
    (user, sender): (&Principal, &Sender),
    assurance: Assurance,
) -> Result<Assurance, InboxRefusal> {
    let Sender::Account { user: key, account } = sender else { return Ok(assurance) };
    let Ok(key) = key.parse::<UserKey>() else { return Ok(assurance) };
    match engine.world().keys.get(&key) {
        Some(known) if known.principal != *user || known.revoked => {
            let state = if known.revoked { ", revoked," } else { "" };
            let detail = format!(
                "the server says that the key {key}{state} of {} asked, in the account {account}",
                known.principal
            );
            Err(refused("PL5005", &detail))
        }
        Some(_) => Ok(Assurance::Account),
        None => Ok(assurance),
    }
}

/// Reads block on the disk, so they have threads of their own.
async fn reading(
    read: impl FnOnce() -> Result<Value, Error> + Send + 'static,
) -> Result<Value, Error> {
    tokio::task::spawn_blocking(read).await.unwrap_or(Err(Error::Stopping))
}

/// The next hint about an inbox; ends with the engine. Hints that came too fast are skipped: they are only hints.
async fn next(mut hints: Receiver<Hint>) -> Option<(Hint, Receiver<Hint>)> {
    loop {
        match hints.recv().await {
            Ok(hint) => return Some((hint, hints)),
            Err(RecvError::Lagged(missed)) => tracing::debug!(missed, "inbox hints were skipped"),
            Err(RecvError::Closed) => return None,
        }
    }
}

/// What has become of an action, for the agent that asked for it: facts, no content.
async fn ended(engine: Handle, run: RunId) -> Option<Notice> {
    let row = tokio::task::spawn_blocking(move || engine.run_row(run)).await.ok()?.ok()??;
    if row.workflow.namespace != placet_executor::actions::NAMESPACE {
        return None;
    }
    let error = row.fault.map(|(kind, status, _)| json!({ "type": kind, "status": status }));
    let body = json!({ "run": run, "status": row.status.word(), "error": error });
    Some(Notice { user: row.requester, about: About::Action, body })
}

/// How a connection stands now, for whoever operates.
fn standing(engine: &Handle, integration: IntegrationId) -> Vec<Notice> {
    let world = engine.world();
    let Some(known) = world.integrations.get(&integration) else { return Vec::new() };
    let body = json!({
        "integration": known.id,
        "name": known.name,
        "provider": known.provider,
        "status": known.status,
        "reason": known.reason,
    });
    let operates = |who: &Principal| {
        [Role::Operator, Role::Admin].into_iter().any(|role| world.policy.has_role(who, role))
    };
    let people = world.policy.principals.keys().filter(|who| operates(who));
    let told = people.map(|user| {
        let (user, body) = (user.clone(), body.clone());
        Notice { user, about: About::Integration, body }
    });
    told.collect()
}

/// One notice for each person whose inbox it is.
async fn addressed(engine: Handle, hint: Hint) -> Vec<Notice> {
    let (run, decision) = match hint {
        Hint::Inbox { run, decision } => (run, decision),
        Hint::Finished { run } => return ended(engine, run).await.into_iter().collect(),
        Hint::Integration { integration } => return standing(&engine, integration),
        Hint::InDoubt { .. } | Hint::Parked { .. } | Hint::Failed => return Vec::new(),
    };
    let body = Arc::new(json!({ "decision": decision, "run": run }));
    let people = audience(engine, decision).await;
    people
        .into_iter()
        .map(|user| Notice { user, about: About::Inbox, body: Value::clone(&body) })
        .collect()
}

async fn audience(engine: Handle, decision: DecisionId) -> Vec<Principal> {
    match tokio::task::spawn_blocking(move || engine.audience(decision)).await {
        Ok(Ok(people)) => people,
        Ok(Err(error)) => {
            tracing::warn!(%error, "nobody is told that the inbox changed");
            Vec::new()
        }
        Err(_stopping) => Vec::new(),
    }
}
