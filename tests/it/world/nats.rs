//! NATS as a person's client and as a reader of the stream uses it, from tests that do not run in a runtime.

use async_nats::jetstream::{self, consumer};
use async_nats::{Client, ConnectOptions, HeaderMap};
use futures_util::StreamExt;
use placet_bus::subjects::{self, HEADER_POSITION, HEADER_REQUEST_ID, Token};
use placet_test_support::DEADLINE;
use placet_test_support::nats::NatsServer;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Live, PROJECT};

/// A client of the inbox service: plain requests, as any NATS client would send them.
#[derive(Debug)]
pub(crate) struct Desk {
    runtime: Runtime,
    client: Client,
}

impl Desk {
    pub(crate) fn at(server: &NatsServer) -> Self {
        let runtime = runtime();
        let client = runtime.block_on(anybody(server));
        Self { runtime, client }
    }

    /// The answer to one request, an error included.
    pub(crate) fn ask(&self, user: &str, verb: &str, body: &Value) -> Value {
        self.ask_as(user, verb, body, &nonce())
    }

    /// As [`Desk::ask`], under this request id.
    pub(crate) fn ask_as(&self, user: &str, verb: &str, body: &Value, id: &str) -> Value {
        self.ask_bytes((user, verb), body.to_string().into_bytes(), id)
    }

    /// The answer to these bytes, whatever they are.
    pub(crate) fn ask_bytes(&self, (user, verb): (&str, &str), body: Vec<u8>, id: &str) -> Value {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER_REQUEST_ID, id);
        let subject = format!("placet.v1.inbox.{user}.{verb}");
        let payload = body.into();
        let answer = self.runtime.block_on(async {
            timeout(DEADLINE, self.client.request_with_headers(subject, headers, payload)).await
        });
        let answer = answer.expect("an answer in time").expect("the inbox service answers");
        serde_json::from_slice(&answer.payload).expect("answers are JSON")
    }

    /// The answer to a request on any subject.
    pub(crate) fn request(&self, subject: &str, body: &Value) -> Value {
        let (subject, payload) = (subject.to_owned(), body.to_string().into());
        let answer = self
            .runtime
            .block_on(async { timeout(DEADLINE, self.client.request(subject, payload)).await });
        let answer = answer.expect("an answer in time").expect("the service answers");
        serde_json::from_slice(&answer.payload).expect("answers are JSON")
    }

    /// The answers to requests that are all under way at once.
    pub(crate) fn at_once(&self, requests: Vec<(String, Value)>) -> Vec<Value> {
        let asked = requests.into_iter().map(|(subject, body)| {
            let client = self.client.clone();
            async move { client.request(subject, body.to_string().into()).await }
        });
        let answers = async { timeout(DEADLINE, futures_util::future::join_all(asked)).await };
        let answers = self.runtime.block_on(answers).expect("answers in time");
        let read = |answer: Result<async_nats::Message, _>| {
            let answer = answer.expect("the service answers");
            serde_json::from_slice(&answer.payload).expect("answers are JSON")
        };
        answers.into_iter().map(read).collect()
    }

    /// What is told on a subject from now on.
    pub(crate) fn told(&self, subject: &str) -> impl FnMut() -> Value + use<'_> {
        let subject = subject.to_owned();
        let mut messages = self.runtime.block_on(async {
            let messages = self.client.subscribe(subject).await.expect("a subscription");
            self.client.flush().await.expect("the server has it");
            messages
        });
        move || {
            let next = async { timeout(DEADLINE, messages.next()).await };
            let message = self.runtime.block_on(next).expect("told in time").expect("it goes on");
            serde_json::from_slice(&message.payload).expect("notices are JSON")
        }
    }

    /// Publishes a request that no reply is wanted for.
    pub(crate) fn tell(&self, user: &str, verb: &str, body: &Value) {
        let subject = format!("placet.v1.inbox.{user}.{verb}");
        self.runtime.block_on(async {
            let sent = self.client.publish(subject, body.to_string().into()).await;
            sent.expect("the server takes it");
            self.client.flush().await.expect("the server has it");
        });
    }

    /// As [`Desk::tell`], under this request id.
    pub(crate) fn tell_as(&self, user: &str, verb: &str, body: &Value, id: &str) {
        let subject = format!("placet.v1.inbox.{user}.{verb}");
        let mut headers = HeaderMap::new();
        headers.insert(HEADER_REQUEST_ID, id);
        self.runtime.block_on(async {
            let payload = body.to_string().into();
            let sent = self.client.publish_with_headers(subject, headers, payload).await;
            sent.expect("the server takes it");
            self.client.flush().await.expect("the server has it");
        });
    }

    /// What waits for a user.
    pub(crate) fn items(&self, user: &str) -> Vec<Value> {
        self.ask(user, "list", &json!({}))["items"].as_array().expect("a list").clone()
    }

    /// The whole card.
    pub(crate) fn card(&self, user: &str, decision: &str) -> Value {
        self.ask(user, "get", &json!({ "decision": decision }))
    }

    /// The code of a refusal; null for a success.
    pub(crate) fn refusal(&self, user: &str, ballot: &Value) -> Value {
        self.ask(user, "decide", ballot)["error"]["code"].clone()
    }
}

/// Everything that goes through a server from now on: subjects, headers and payloads, as one heap of bytes.
#[derive(Debug)]
pub(crate) struct Wiretap {
    runtime: Runtime,
    client: Client,
    listens: JoinHandle<()>,
    heap: Arc<Mutex<Vec<u8>>>,
}

impl Wiretap {
    pub(crate) fn at(server: &NatsServer) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime =
            runtime.worker_threads(1).enable_all().build().expect("a runtime can be built");
        let heap = Arc::<Mutex<Vec<u8>>>::default();
        let into = Arc::clone(&heap);
        let (client, listens) = runtime.block_on(async {
            let client = anybody(server).await;
            let mut messages = client.subscribe(">").await.expect("a subscription");
            client.flush().await.expect("the server has it");
            let listens = tokio::spawn(async move {
                while let Some(message) = messages.next().await {
                    if message.subject.as_str() == ENOUGH {
                        return;
                    }
                    let mut heap = into.lock().unwrap_or_else(PoisonError::into_inner);
                    heap.extend_from_slice(message.subject.as_bytes());
                    heap.extend_from_slice(format!("{:?}", message.headers).as_bytes());
                    heap.extend_from_slice(&message.payload);
                    heap.push(b'\n');
                }
            });
            (client, listens)
        });
        Self { runtime, client, listens, heap }
    }

    /// All that went through the server before this.
    pub(crate) fn heard(self) -> Vec<u8> {
        let Self { runtime, client, listens, heap } = self;
        // what was said before comes before it
        runtime.block_on(async {
            client.publish(ENOUGH, Vec::new().into()).await.expect("the server takes it");
            client.flush().await.expect("the server has it");
            let heard = timeout(DEADLINE, listens).await.expect("it is heard in time");
            heard.expect("the one who listens does not panic");
        });
        std::mem::take(&mut *heap.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The word at which a wiretap stops to listen.
const ENOUGH: &str = "enough";

/// A client that waits as long as a test does: a loaded machine may keep the server from answering for longer than the
/// five seconds for a connection and the ten for an answer after which a client gives up by itself.
pub(crate) fn patient(options: ConnectOptions) -> ConnectOptions {
    options.connection_timeout(DEADLINE).request_timeout(Some(DEADLINE))
}

async fn anybody(server: &NatsServer) -> Client {
    let client = patient(ConnectOptions::new()).connect(server.url()).await;
    client.expect("the server is there")
}

/// A decision document, with a nonce of its own.
pub(crate) fn ballot(decision: &str, digest: &Value, verdict: &str) -> Value {
    json!({
        "decision": decision,
        "digest": digest,
        "verdict": verdict,
        "nonce": nonce(),
        "time": placet_executor::Clock::System.now(),
        "reason": "as agreed",
    })
}

/// Holds the stream to the log: each event up to this position once, in order, as the log has it.
pub(crate) fn stream_is_the_log(server: &NatsServer, live: &Live, last: u64) {
    let (positions, stream): (Vec<u64>, Vec<Value>) = stream_of(server, last).into_iter().unzip();
    assert_eq!(positions, (1..=last).collect::<Vec<_>>());
    let mut log = live.door().events().until(|events| events.len() as u64 >= last);
    log.truncate(stream.len());
    assert_eq!(stream, log);
}

/// The stream's messages as a fresh reader gets them, up to and including this position: `(Placet-Seq, event)`.
pub(crate) fn stream_of(server: &NatsServer, last: u64) -> Vec<(u64, Value)> {
    let read = async {
        let client = anybody(server).await;
        let project = Token::parse(PROJECT).expect("a token");
        let stream = jetstream::new(client).get_stream(subjects::event_stream(&project)).await;
        let reader = consumer::pull::OrderedConfig::default();
        let reader = stream.expect("the stream is there").create_consumer(reader).await;
        let mut messages = reader.expect("a reader").messages().await.expect("messages");
        let mut read = Vec::new();
        while read.last().is_none_or(|(position, _)| *position != last) {
            let message = messages.next().await.expect("the stream goes on").expect("a message");
            let headers = message.headers.as_ref().expect("headers");
            let position = headers.get(HEADER_POSITION).expect("a position").as_str();
            let event = serde_json::from_slice(&message.payload).expect("events are JSON");
            read.push((position.parse().expect("a position"), event));
        }
        read
    };
    runtime().block_on(async { timeout(DEADLINE, read).await }).expect("the stream catches up")
}

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built")
}

/// Unlike any before it in this process.
fn nonce() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("e2e-nonce-{:016x}", NEXT.fetch_add(1, Ordering::Relaxed))
}
