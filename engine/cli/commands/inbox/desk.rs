//! The desk at which inboxes are asked for: an engine's API, or NATS.

use crate::exit::{Refused, invalid};
use crate::link::{Link, Target, encoded};
use crate::out;
use crate::signing;
use anyhow::{Result, anyhow};
use placet_bus::{ClientError, InboxClient, Verb};
use placet_executor::Clock;
use placet_executor::inbox::Problem;
use placet_model::{DecisionId, Timestamp};
use placet_server::Token;
use serde_json::{Map, Value, json};

/// Where inboxes are asked for.
#[derive(Debug)]
pub(super) enum Desk {
    Engine(Link),
    Nats(InboxClient),
}

/// 16 random bytes, hex.
pub(super) fn nonce() -> String {
    Token::random().expose()[..32].to_owned()
}

impl Desk {
    pub(super) async fn over_nats(url: &str, target: &Target) -> Result<Self> {
        let user = target.acting.as_ref();
        let user = user.ok_or_else(|| invalid("--nats needs --as USER"))?;
        let seed = signing::login(user)?;
        InboxClient::connect(url, user, seed.as_deref()).await.map(Self::Nats).map_err(failed)
    }

    pub(super) fn now(&self) -> Timestamp {
        match self {
            Self::Engine(link) => link.now(),
            Self::Nats(_) => Clock::System.now(),
        }
    }

    /// One page of what waits for the caller.
    pub(super) async fn page(&self, cursor: Option<&str>) -> Result<Value> {
        self.list(&Map::new(), false, (cursor, 200)).await
    }

    /// One page of items, or of their shapes.
    pub(super) async fn list(
        &self,
        filter: &Map<String, Value>,
        group: bool,
        (cursor, limit): (Option<&str>, usize),
    ) -> Result<Value> {
        match self {
            Self::Engine(link) => {
                let mut query = vec![format!("limit={limit}"), format!("group={group}")];
                query.extend(cursor.map(|cursor| format!("cursor={}", encoded(cursor))));
                for (name, value) in filter {
                    match value {
                        Value::Bool(true) => query.push(format!("filter={name}")),
                        Value::String(text) => query.push(format!("{name}={}", encoded(text))),
                        _ => {}
                    }
                }
                link.get(&format!("/api/v1/inbox?{}", query.join("&"))).await
            }
            Self::Nats(client) => {
                let body = json!({
                    "filter": filter, "group": group, "cursor": cursor, "limit": limit,
                });
                let body = body.as_object().cloned().unwrap_or_default();
                ask(client, Verb::List, &body).await
            }
        }
    }

    /// The whole card.
    pub(super) async fn card(&self, decision: DecisionId) -> Result<Value> {
        match self {
            Self::Engine(link) => link.get(&format!("/api/v1/decisions/{decision}")).await,
            Self::Nats(client) => {
                let body = Map::from_iter([("decision".to_owned(), json!(decision))]);
                ask(client, Verb::Get, &body).await
            }
        }
    }

    /// How people decide.
    pub(super) async fn stats(&self, asked: &[(&str, String)]) -> Result<Value> {
        let given: Vec<_> = asked.iter().filter(|(_, value)| !value.is_empty()).collect();
        match self {
            Self::Engine(link) => {
                let query: Vec<String> =
                    given.iter().map(|(key, value)| format!("{key}={value}")).collect();
                link.get(&format!("/api/v1/inbox/stats?{}", query.join("&"))).await
            }
            Self::Nats(client) => {
                let body = given.iter().map(|(key, value)| ((*key).to_owned(), json!(value)));
                ask(client, Verb::Stats, &body.collect()).await
            }
        }
    }

    /// A verdict with its ballot, or what became of an attempt in doubt.
    pub(super) async fn decide(
        &self,
        decision: DecisionId,
        verdict: &str,
        mut ballot: Map<String, Value>,
    ) -> Result<Value> {
        ballot.insert("verdict".to_owned(), json!(verdict));
        match self {
            Self::Engine(link) => {
                let path = format!("/api/v1/decisions/{decision}/votes");
                link.post(&path, &Value::Object(ballot)).await
            }
            Self::Nats(client) => {
                ballot.insert("decision".to_owned(), json!(decision));
                ask(client, Verb::Decide, &ballot).await
            }
        }
    }

    /// A signed decision.
    pub(super) async fn hand_in(
        &self,
        decision: DecisionId,
        envelope: Map<String, Value>,
    ) -> Result<Value> {
        match self {
            Self::Engine(link) => {
                let path = format!("/api/v1/decisions/{decision}/votes");
                link.post(&path, &Value::Object(envelope)).await
            }
            Self::Nats(client) => ask(client, Verb::Decide, &envelope).await,
        }
    }

    /// A signed decision about several.
    pub(super) async fn hand_in_all(&self, envelope: Map<String, Value>) -> Result<Value> {
        match self {
            Self::Engine(link) => link.post("/api/v1/votes", &Value::Object(envelope)).await,
            Self::Nats(client) => ask(client, Verb::Decide, &envelope).await,
        }
    }

    /// One verdict on several items.
    pub(super) async fn decide_all(
        &self,
        verdict: &str,
        mut ballot: Map<String, Value>,
    ) -> Result<Value> {
        ballot.insert("verdict".to_owned(), json!(verdict));
        match self {
            Self::Engine(link) => {
                link.post("/api/v1/decisions/votes", &Value::Object(ballot)).await
            }
            Self::Nats(client) => ask(client, Verb::Decide, &ballot).await,
        }
    }

    pub(super) async fn close(self) -> Result<()> {
        match self {
            Self::Engine(link) => link.close().await,
            Self::Nats(_) => Ok(()),
        }
    }
}

/// Repeated for a while when nobody answers: then that is said.
async fn ask(client: &InboxClient, verb: Verb, body: &Map<String, Value>) -> Result<Value> {
    let id = nonce();
    let answer = client.ask(verb, &id, body);
    out::with_progress("waiting for an engine to answer", answer).await.map_err(failed)
}

pub(super) fn failed(error: ClientError) -> anyhow::Error {
    match error {
        ClientError::Refused { refusal } => {
            let (code, title, detail) = (refusal.code, refusal.title, refusal.detail);
            Refused(Problem { code, title, detail }).into()
        }
        error @ ClientError::Address { .. } => invalid(error.to_string()),
        ClientError::NoAnswer { reason } => anyhow!(
            "no engine answers inboxes there: {reason}; a decision may have been recorded all the \
             same: see `placet inbox show`"
        ),
        error => error.into(),
    }
}
