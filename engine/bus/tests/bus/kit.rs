//! A log that grows when told to, and what a reader of the stream gets to see.

use std::sync::{Arc, Mutex};

use async_nats::ConnectOptions;
use async_nats::jetstream::{self, consumer};
use futures_util::StreamExt;
use placet_bus::subjects::{HEADER_POSITION, Token, event_stream};
use placet_bus::{Bus, EventSource, Options, OutboxMessage, Status};
use placet_model::Position;
use placet_test_support::DEADLINE;
use placet_test_support::nats::NatsServer;
use tokio::sync::watch;
use tokio::time::timeout;

/// An append-only list behind the interface of the log.
pub(crate) struct Log {
    name: Token,
    events: Arc<Mutex<Vec<OutboxMessage>>>,
    tail: watch::Sender<Position>,
}

impl Log {
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: token(name),
            events: Arc::default(),
            tail: watch::Sender::new(Position::START),
        }
    }

    /// Appends `count` events and makes them durable at once.
    pub(crate) fn append(&self, count: u64) {
        let mut events = self.events.lock().expect("no test thread panics with the list");
        for _ in 0..count {
            let position = Position::new(events.len() as u64 + 1);
            let body = format!(r#"{{"position":{position}}}"#).into();
            let kind = if position.get().is_multiple_of(3) { "VoteCast" } else { "RunStarted" };
            events.push(OutboxMessage { position, kind: kind.to_owned(), body });
        }
        self.tail.send_replace(Position::new(events.len() as u64));
    }

    pub(crate) fn append_body(&self, body: Vec<u8>) {
        let mut events = self.events.lock().expect("no test thread panics with the list");
        let position = Position::new(events.len() as u64 + 1);
        events.push(OutboxMessage { position, kind: "RunStarted".to_owned(), body: body.into() });
        self.tail.send_replace(position);
    }

    pub(crate) fn source(&self) -> EventSource {
        let (events, grows) = (Arc::clone(&self.events), self.tail.clone());
        EventSource::new(self.name.clone(), self.tail.subscribe(), move |after, max| {
            // it may grow for as long as somebody reads it
            let _lives = &grows;
            let events = events.lock().expect("no test thread panics with the list");
            let rest = events.iter().skip(usize::try_from(after.get())?);
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(rest.take(max).cloned().collect())
        })
    }
}

pub(crate) fn token(text: &str) -> Token {
    Token::parse(text).expect("a token")
}

pub(crate) fn start(server: &NatsServer, log: &Log) -> Bus {
    start_at(&server.url(), log)
}

pub(crate) fn start_at(url: &str, log: &Log) -> Bus {
    let options = Options { url: url.to_owned(), seed: None, project: token("acme"), replicas: 1 };
    Bus::start(options, log.source(), None)
}

/// Waits for a status that `wanted` takes; panics with the last one.
pub(crate) async fn status(bus: &Bus, wanted: impl Fn(&Status) -> bool) -> Status {
    let mut status = bus.status();
    let found = timeout(DEADLINE, status.wait_for(|status| wanted(status))).await;
    let in_time =
        found.unwrap_or_else(|late| unreachable!("{late}: the bus is {:?}", bus.status().borrow()));
    in_time.expect("the bus is running").clone()
}

/// Waits until the bus says that everything up to here is in the stream.
pub(crate) async fn published(bus: &Bus, position: u64) {
    let mut published = bus.published();
    let reached = timeout(DEADLINE, published.wait_for(|at| at.get() >= position)).await;
    assert!(reached.is_ok(), "at {:?}, {:?}", bus.published().borrow(), bus.status().borrow());
}

/// A client that waits as long as a test does: a loaded machine may keep the server from answering for longer than the
/// five seconds for a connection and the ten for an answer after which a client gives up by itself.
pub(crate) fn patient(options: ConnectOptions) -> ConnectOptions {
    options.connection_timeout(DEADLINE).request_timeout(Some(DEADLINE))
}

pub(crate) async fn client(url: &str) -> async_nats::Client {
    patient(ConnectOptions::new()).connect(url).await.expect("the server is there")
}

pub(crate) async fn jetstream(server: &NatsServer) -> jetstream::Context {
    jetstream::new(client(&server.url()).await)
}

/// Positions in the order in which a fresh reader of the stream gets them, all of them.
pub(crate) async fn positions(server: &NatsServer) -> Vec<u64> {
    let jetstream = jetstream(server).await;
    let mut stream =
        jetstream.get_stream(event_stream(&token("acme"))).await.expect("the stream is there");
    let count = stream.info().await.expect("the stream has a state").state.messages;
    let reader = consumer::pull::OrderedConfig::default();
    let messages =
        stream.create_consumer(reader).await.expect("a reader").messages().await.expect("messages");
    let position = |message: jetstream::Message| {
        let headers = message.headers.as_ref().expect("headers");
        headers
            .get(HEADER_POSITION)
            .expect("a position")
            .as_str()
            .parse::<u64>()
            .expect("a position")
    };
    let all = messages
        .take(usize::try_from(count).expect("a count"))
        .map(|message| position(message.expect("a message")));
    timeout(DEADLINE, all.collect()).await.expect("the stream can be read")
}

/// 1, 2, 3 … without gaps or repeats.
pub(crate) fn in_order_once(count: u64) -> Vec<u64> {
    (1..=count).collect()
}
