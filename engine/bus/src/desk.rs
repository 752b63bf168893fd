//! The inbox of a running engine: what arrives over NATS goes to the same functions that every other door uses.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use placet_executor::handle::Error;
use placet_executor::inbox::{Caller, Problem};
use placet_executor::{Handle, Notice as Hint};
use placet_model::decision::Assurance;
use placet_model::nkey::UserKey;
use placet_model::{DecisionId, Principal, RunId};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::identity::Sender;
use crate::inbox::{About, Inbox, InboxRefusal, InboxRequest, Notice, Verb, refused};
use crate::trace;

impl Inbox {
    /// The engine's inbox; `assurance` says how sure its users' names are, which depends on who may publish on the server.
    pub fn of(engine: &Handle, assurance: Assurance) -> Self {
        let (asked, watched) = (engine.clone(), engine.clone());
        let notices = move || {
            let engine = watched.clone();
            let hints = stream::unfold(engine.notices(), next);
            hints.then(move |hint| addressed(engine.clone(), hint)).flat_map(stream::iter).boxed()
        };
        let followed = engine.clone();
        Self::new(notices, move |request| answer(asked.clone(), assurance, request))
            .with_traces(move || trace::of(followed.log()))
    }
}

async fn answer(
    engine: Handle,
    assurance: Assurance,
    request: InboxRequest,
) -> Result<Value, InboxRefusal> {
    let InboxRequest { user, verb, sender, request_id, body } = request;
    let assurance = vouched(&engine, (&user, &sender), assurance)?;
    let caller = Caller { principal: user, assurance, request_id };
    let body = Value::Object(body);
    let answer = match verb {
        Verb::List => reading(move || engine.inbox_list(&caller, &body)).await,
        Verb::Get => reading(move || engine.inbox_get(&caller, &body)).await,
        Verb::Stats => reading(move || engine.inbox_stats(&caller, &body)).await,
        Verb::Decide => engine.inbox_act(&caller, &body).await,
        Verb::Act => engine.ask_action(&caller.principal, &body).await.map(|acted| json!(acted)),
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

/// One notice for each person whose inbox it is.
async fn addressed(engine: Handle, hint: Hint) -> Vec<Notice> {
    let (run, decision) = match hint {
        Hint::Inbox { run, decision } => (run, decision),
        Hint::Finished { run } => return ended(engine, run).await.into_iter().collect(),
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
