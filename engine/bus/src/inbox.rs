//! The inbox service: `placet.v1.inbox.<user>.{list,get,decide,stats}`, request and reply; beside it what agents
//! ask for, and the words of a connection's life.
//!
//! The user is a part of the subject, and the server's permissions say who may publish there; whatever else a request
//! claims about its sender is ignored. The handler answers only after the commit, so a reply means that it is on disk. A
//! request without a reply subject is carried out all the same: its result is visible in the inbox.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_nats::service::{Request, ServiceExt};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll};
use placet_model::decision::Assurance;
use placet_model::{Principal, code};
use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::connect::Connection;
use crate::error::Error;
use crate::identity::{self, Sender};
use crate::subjects::{
    self, HEADER_REQUEST_ID, HEADER_SERVICE_ERROR, HEADER_SERVICE_ERROR_CODE, INBOX_DECIDE,
    INBOX_GET, INBOX_LIST, INBOX_STATS, QUEUE_GROUP, SERVICE, Token,
};
use crate::trace::{self, Trace};
use crate::words::Word;

/// Requests that are worked on at a time. They wait for the one writer of the log, so more would only wait longer; what
/// comes on top waits in the subscription, and beyond its capacity the sender tries again.
const AT_WORK: u32 = 64;

/// Longest request id.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `{filter?, cursor?, limit?}` → `{items, next}`.
    List,
    /// `{decision}` → the whole card.
    Get,
    /// A decision document → `{position, state}`.
    Decide,
    /// `{since?, until?, user?}` → how people decide.
    Stats,
    /// `{operation, integration?, with, idempotency_key, reason}` → `{run, decision}`.
    Act,
    /// `{decision, reason?}` → `{position, state}`.
    Withdraw,
    /// What operators do with connections.
    Integrations(Word),
}

/// One request, parsed as far as NATS goes.
#[derive(Clone, PartialEq)]
pub struct InboxRequest {
    /// Whose inbox: the subject's `<user>`.
    pub user: Principal,
    /// What is asked.
    pub verb: Verb,
    /// Who asks, as far as the server vouches for it.
    pub sender: Sender,
    /// The same id asks for the same answer.
    pub request_id: Option<String>,
    /// The JSON object of the request.
    pub body: Map<String, Value>,
}

impl fmt::Debug for InboxRequest {
    /// Without the body, which may hold a credential or what people have written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxRequest")
            .field("user", &self.user)
            .field("verb", &self.verb)
            .finish_non_exhaustive()
    }
}

/// A lawful no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxRefusal {
    /// `PL####`.
    pub code: String,
    /// What the code means, one line.
    pub title: String,
    /// What stands in the way this time.
    pub detail: String,
}

/// Who does the words of a connection's life.
pub type Operate = Arc<dyn Fn(Operation) -> Answer + Send + Sync>;

/// A word of a connection's life, from somebody of whom the server has said who it is.
#[derive(Clone, PartialEq)]
pub struct Operation {
    /// Who asks.
    pub user: Principal,
    /// How sure that is.
    pub assurance: Assurance,
    /// The same id asks for the same answer.
    pub request_id: Option<String>,
    /// What is asked.
    pub word: Word,
    /// The JSON object of the request.
    pub body: Map<String, Value>,
}

impl fmt::Debug for Operation {
    /// Without the body, which may hold a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("user", &self.user)
            .field("word", &self.word)
            .finish_non_exhaustive()
    }
}

/// An answer on its way.
pub type Answer = Pin<Box<dyn Future<Output = Result<Value, InboxRefusal>> + Send>>;

/// What somebody is told about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Their inbox changed.
    Inbox,
    /// A connection has come to stand otherwise.
    Integration,
    /// What an agent has asked for has come to an end.
    Action,
}

/// Something changed in somebody's inbox. A hint: whoever misses it finds the same by asking.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Whose inbox.
    pub user: Principal,
    /// What it is about.
    pub about: About,
    /// What changed, as JSON without content.
    pub body: Value,
}

/// Who answers requests, and who says that an inbox changed.
#[derive(Clone)]
pub struct Inbox {
    answer: Arc<dyn Fn(InboxRequest) -> Answer + Send + Sync>,
    notices: Arc<dyn Fn() -> BoxStream<'static, Notice> + Send + Sync>,
    traces: Arc<dyn Fn() -> BoxStream<'static, Trace> + Send + Sync>,
}

impl Inbox {
    /// `answer` replies only after its commit; the same request id gets the same reply. `notices` are those from the moment
    /// of its call on.
    pub fn new<F>(
        notices: impl Fn() -> BoxStream<'static, Notice> + Send + Sync + 'static,
        answer: impl Fn(InboxRequest) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Value, InboxRefusal>> + Send + 'static,
    {
        let answer = Arc::new(move |request| -> Answer { Box::pin(answer(request)) });
        let traces = || futures_util::stream::pending().boxed();
        Self { answer, notices: Arc::new(notices), traces: Arc::new(traces) }
    }

    /// `traces` are what happens in runs from the moment of its call on.
    #[must_use]
    pub fn with_traces(
        self,
        traces: impl Fn() -> BoxStream<'static, Trace> + Send + Sync + 'static,
    ) -> Self {
        Self { traces: Arc::new(traces), ..self }
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

/// The service on one connection; it outlives reconnections, and ends when dropped.
#[derive(Debug)]
pub(crate) struct Serving {
    client: Client,
    at_work: Arc<Semaphore>,
    stop: watch::Sender<Stop>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Run,
    Now,
}

impl Serving {
    pub(crate) async fn start(
        connection: &Connection,
        project: &Token,
        inbox: &Inbox,
    ) -> Result<Self, Error> {
        let doing = "starting the inbox service";
        let client = &connection.client;
        let service = client
            .service_builder()
            .description("Decision requests: list, get, decide, stats")
            .queue_group(QUEUE_GROUP)
            .start(SERVICE, env!("CARGO_PKG_VERSION"))
            .await
            .map_err(Error::unavailable(doing))?;
        let mut requests = SelectAll::new();
        for (name, subject, verb) in endpoints() {
            let endpoint = service
                .endpoint_builder()
                .name(name)
                .add(subject)
                .await
                .map_err(Error::unavailable(doing))?;
            requests.push(endpoint.map(move |request| (verb, request)).boxed());
        }
        // an answer on this connection means that the server has taken what was said before it: all subscriptions stand
        client
            .request(format!("$SRV.PING.{SERVICE}"), Bytes::new())
            .await
            .map_err(Error::unavailable(doing))?;
        let at_work = Arc::new(Semaphore::new(AT_WORK as usize));
        let (stop, stopped) = watch::channel(Stop::Run);
        let notices = trace::addressed((inbox.notices)(), |Notice { user, about, body }| {
            let user = Token::parse(user.as_str()).ok()?;
            let subject = match about {
                About::Inbox => subjects::inbox_event(&user),
                About::Integration => subjects::integrations_event(&user),
                About::Action => subjects::act_event(&user),
            };
            Some((subject, body))
        });
        let project = project.clone();
        let traces = trace::addressed((inbox.traces)(), move |Trace { run, body }| {
            Some((subjects::trace(&project, run), body))
        });
        for hints in [notices, traces] {
            tokio::spawn(trace::forward(client.clone(), hints, stopped.clone()));
        }
        let (at, inbox) = (Arc::clone(&at_work), inbox.clone());
        let desk = Desk { client: client.clone(), inbox, at_work: at };
        tokio::spawn(async move {
            desk.serve(requests, stopped).await;
            if let Err(error) = service.stop().await {
                tracing::debug!(error, "the inbox service had already stopped");
            }
        });
        Ok(Self { client: client.clone(), at_work, stop })
    }

    /// Takes no more requests and waits for those at work to be answered.
    pub(crate) async fn stop(self, patience: Duration) {
        self.stop.send_replace(Stop::Now);
        let quiet = async {
            drop(self.at_work.acquire_many(AT_WORK).await);
            self.client.flush().await
        };
        if !matches!(timeout(patience, quiet).await, Ok(Ok(()))) {
            tracing::warn!(
                "stopping before every inbox request was answered; their senders ask again"
            );
        }
    }
}

/// Name, subject and verb of all that is answered.
fn endpoints() -> impl Iterator<Item = (String, String, Verb)> {
    let inbox = [
        ("list", INBOX_LIST, Verb::List),
        ("get", INBOX_GET, Verb::Get),
        ("decide", INBOX_DECIDE, Verb::Decide),
        ("stats", INBOX_STATS, Verb::Stats),
        ("act", subjects::ACT, Verb::Act),
        ("withdraw", subjects::ACT_WITHDRAW, Verb::Withdraw),
    ];
    let inbox = inbox.map(|(name, subject, verb)| (name.to_owned(), subject.to_owned(), verb));
    let words = Word::ALL.map(|word| {
        let name = format!("integrations-{}", word.text());
        (name, subjects::integrations("*", word), Verb::Integrations(word))
    });
    inbox.into_iter().chain(words)
}

struct Desk {
    client: Client,
    inbox: Inbox,
    at_work: Arc<Semaphore>,
}

type Requests = SelectAll<BoxStream<'static, (Verb, Request)>>;

impl Desk {
    async fn serve(&self, mut requests: Requests, mut stopped: watch::Receiver<Stop>) {
        loop {
            let Ok(permit) = Arc::clone(&self.at_work).acquire_owned().await else { return };
            let next = tokio::select! {
                biased;
                _ = stopped.wait_for(|stop| *stop == Stop::Now) => return,
                next = requests.next() => next,
            };
            let Some((verb, request)) = next else { return };
            let (inbox, client) = (self.inbox.clone(), self.client.clone());
            tokio::spawn(async move {
                answer((&inbox, &client), verb, request).await;
                drop(permit);
            });
        }
    }
}

async fn answer((inbox, client): (&Inbox, &Client), verb: Verb, request: Request) {
    let answer = match parse(verb, &request) {
        Ok(parsed) => (inbox.answer)(parsed).await,
        Err(refusal) => Err(refusal),
    };
    let refusal = answer.as_ref().err().cloned();
    let (headers, body) = reply(answer);
    let Some(to) = request.message.reply.clone() else { return };
    let sent = match refusal {
        None => request.respond_with_headers(Ok(body), headers).await,
        Some(refusal) => {
            count(client, request, &refusal).await;
            client.publish_with_headers(to, headers, body).await
        }
    };
    if let Err(error) = sent {
        tracing::info!(%error, "an inbox reply was lost; its sender asks again");
    }
}

/// Has the client library count an error in the service's statistics. It does that only for replies that it sends
/// itself, which have no body; so it sends one to a subject that nobody hears.
async fn count(client: &Client, mut request: Request, refusal: &InboxRefusal) {
    request.message.reply = Some(client.new_inbox().into());
    let (line, code) = (line(&refusal.title), number(&refusal.code));
    let error = async_nats::service::error::Error { status: line, code };
    if let Err(error) = request.respond(Err(error)).await {
        tracing::debug!(%error, "an error was not counted");
    }
}

/// A header holds one line.
fn line(title: &str) -> String {
    title.chars().map(|char| if char.is_ascii_control() { ' ' } else { char }).collect()
}

/// The digits of a code.
fn number(code: &str) -> usize {
    code.trim_start_matches("PL").parse().unwrap_or_default()
}

fn parse(verb: Verb, request: &Request) -> Result<InboxRequest, InboxRefusal> {
    let message = &request.message;
    let user = subjects::inbox_user(&message.subject)
        .and_then(|user| user.parse().ok())
        .ok_or_else(|| malformed("the user in the subject is no principal name"))?;
    let sender = identity::sender(message.headers.as_ref(), message.reply.as_deref())
        .map_err(|detail| refused("PL5005", &detail))?;
    let request_id = request_id(message.headers.as_ref())?;
    let body = if message.payload.is_empty() {
        Ok(Map::new())
    } else {
        serde_json::from_slice(&message.payload)
    };
    let body = body.map_err(|error| malformed(&format!("the body is no JSON object: {error}")))?;
    Ok(InboxRequest { user, verb, sender, request_id, body })
}

fn request_id(headers: Option<&HeaderMap>) -> Result<Option<String>, InboxRefusal> {
    let Some(id) = headers.and_then(|headers| headers.get(HEADER_REQUEST_ID)) else {
        return Ok(None);
    };
    let id = id.as_str();
    let good = !id.is_empty()
        && id.len() <= REQUEST_ID_BYTES_MAX
        && id.bytes().all(|byte| byte.is_ascii_graphic());
    if good {
        Ok(Some(id.to_owned()))
    } else {
        Err(malformed(
            "Placet-Request-Id must be 1 to 128 printable ASCII characters without spaces",
        ))
    }
}

fn malformed(detail: &str) -> InboxRefusal {
    refused("PL5004", detail)
}

pub(crate) fn refused(code: &str, detail: &str) -> InboxRefusal {
    let title = code::find(code).map_or("", |page| page.title);
    InboxRefusal { code: code.to_owned(), title: title.to_owned(), detail: detail.to_owned() }
}

/// Body and headers of a reply. The client library would send an error without a body, so an error is a reply like any
/// other, with the service API's error headers on it.
fn reply(answer: Result<Value, InboxRefusal>) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    let body = match answer {
        Ok(answer) => answer,
        Err(InboxRefusal { code, title, detail }) => {
            headers.insert(HEADER_SERVICE_ERROR, line(&title));
            headers.insert(HEADER_SERVICE_ERROR_CODE, code.trim_start_matches("PL"));
            json!({"error": {"code": code, "title": title, "detail": detail}})
        }
    };
    (headers, Bytes::from(body.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_stands_in_body_and_headers() {
        let refusal = InboxRefusal {
            code: "PL3002".to_owned(),
            title: "the digest is not\r\nthat of the draft".to_owned(),
            detail: "it changed".to_owned(),
        };
        let (headers, body) = reply(Err(refusal));
        let header = |name: &str| headers.get(name).unwrap().as_str().to_owned();
        assert_eq!(header(HEADER_SERVICE_ERROR_CODE), "3002");
        assert_eq!(header(HEADER_SERVICE_ERROR), "the digest is not  that of the draft");
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"]["code"], "PL3002");
        assert_eq!(body["error"]["detail"], "it changed");
    }

    #[test]
    fn a_request_id_is_one_printable_word() {
        let given = |id: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER_REQUEST_ID, id);
            request_id(Some(&headers))
        };
        assert_eq!(given("req-1"), Ok(Some("req-1".to_owned())));
        assert_eq!(request_id(None), Ok(None));
        for bad in ["a b", "ä", &"x".repeat(129)] {
            assert_eq!(given(bad).unwrap_err().code, "PL5004", "{bad}");
        }
    }
}
