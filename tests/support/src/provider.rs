//! A provider stand-in on loopback: records each request exactly as received and does what the test scripted.
//!
//! It speaks HTTP/1.1 over a bare socket instead of a framework, because a test must see the bytes as they were sent and
//! must be able to lose an answer after applying the request, to cut the connection, or to answer rubbish. It runs on a
//! thread of its own, so plain and async tests use it alike.

mod behaviour;
mod http;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

pub use behaviour::{Answer, Behaviour, Play};
pub use http::Received;

use crate::DEADLINE;
use behaviour::Reaction;

/// A connection on loopback that takes longer than this is not taken.
const FULL: Duration = Duration::from_millis(300);
/// More than any queue of connections holds.
const CROWD_MAX: usize = 5_000;

/// The stand-in; its port closes when it is dropped.
#[derive(Debug)]
pub struct Provider {
    address: SocketAddr,
    shared: Arc<Shared>,
    counts: watch::Receiver<Counts>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// How many requests came, and how many of them took effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests received in full, held ones included.
    pub received: usize,
    /// Requests that had their effect, whether or not the sender learnt of it.
    pub applied: usize,
    /// Requests whose answer has been written whole to the connection.
    pub answered: usize,
}

#[derive(Debug)]
struct Shared {
    ledger: Mutex<Ledger>,
    counts: watch::Sender<Counts>,
    gate: Semaphore,
    door: watch::Sender<Door>,
}

/// Whether new connections are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    Shut,
}

/// While it lives, whoever connects waits: nobody is taken in, and the places to wait in are full.
#[derive(Debug)]
pub struct Crowd {
    shared: Arc<Shared>,
    _waiting: Vec<std::net::TcpStream>,
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.shared.door.send_replace(Door::Open);
    }
}

#[derive(Debug, Default)]
struct Ledger {
    received: Vec<Received>,
    applied: Vec<Received>,
    script: VecDeque<Behaviour>,
    script_for: BTreeMap<String, VecDeque<Behaviour>>,
    otherwise: Behaviour,
}

impl Provider {
    /// Starts on a free port of 127.0.0.1; every request is answered as Slack would until scripted otherwise.
    pub fn start() -> Self {
        let listener =
            std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        listener.set_nonblocking(true).expect("a socket can be non-blocking");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (counts_in, counts) = watch::channel(Counts::default());
        let shared = Arc::new(Shared {
            ledger: Mutex::default(),
            counts: counts_in,
            gate: Semaphore::new(0),
            door: watch::Sender::new(Door::Open),
        });
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be built").block_on(async move {
                tokio::select! {
                    () = serve(listener, served) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, shared, counts, stop: Some(stop), thread: Some(thread) }
    }

    /// `127.0.0.1:PORT`, as `--egress-allow` takes it.
    pub fn host_port(&self) -> String {
        self.address.to_string()
    }

    /// `http://127.0.0.1:PORT` followed by `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request, whatever its path, meets this behaviour; further calls queue up.
    pub fn next(&self, behaviour: Behaviour) {
        self.ledger().script.push_back(behaviour);
    }

    /// The next request to exactly this path meets this behaviour; goes before [`Provider::next`].
    pub fn next_for(&self, path: &str, behaviour: Behaviour) {
        self.ledger().script_for.entry(path.to_owned()).or_default().push_back(behaviour);
    }

    /// What a request meets for which nothing is queued.
    pub fn otherwise(&self, behaviour: Behaviour) {
        self.ledger().otherwise = behaviour;
    }

    /// Lets one held request go on; may be called before it comes.
    pub fn release(&self) {
        self.shared.gate.add_permits(1);
    }

    /// Takes no more connections and fills the queue of those that wait, so that the next one never gets through and
    /// not one byte of its request leaves; until the result is dropped.
    pub fn crowd(&self) -> Crowd {
        self.shared.door.send_replace(Door::Shut);
        let connect = || std::net::TcpStream::connect_timeout(&self.address, FULL).ok();
        let waiting = std::iter::from_fn(connect).take(CROWD_MAX).collect::<Vec<_>>();
        assert!(waiting.len() < CROWD_MAX, "the queue of connections has no end");
        Crowd { shared: Arc::clone(&self.shared), _waiting: waiting }
    }

    /// Every request in the order in which it was received in full.
    pub fn received(&self) -> Vec<Received> {
        self.ledger().received.clone()
    }

    /// The requests to this path, in order.
    pub fn received_at(&self, path: &str) -> Vec<Received> {
        self.received().into_iter().filter(|request| request.path() == path).collect()
    }

    /// The requests that had their effect, in order.
    pub fn applied(&self) -> Vec<Received> {
        self.ledger().applied.clone()
    }

    /// The requests to this path that had their effect, in order.
    pub fn applied_at(&self, path: &str) -> Vec<Received> {
        self.applied().into_iter().filter(|request| request.path() == path).collect()
    }

    /// The counts now.
    pub fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    /// Blocks until `wanted` holds; panics after [`DEADLINE`]. For plain tests; async ones use [`Provider::reached`].
    pub fn wait_until(&self, wanted: impl Fn(Counts) -> bool + Send) {
        std::thread::scope(|scope| {
            let waited = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
                runtime.expect("a runtime can be built").block_on(self.reached(wanted));
            });
            if let Err(panic) = waited.join() {
                std::panic::resume_unwind(panic);
            }
        });
    }

    /// Blocks until `n` requests were received.
    pub fn wait_for(&self, n: usize) {
        self.wait_until(move |counts| counts.received >= n);
    }

    /// Waits until `wanted` holds; panics after [`DEADLINE`].
    pub async fn reached(&self, wanted: impl Fn(Counts) -> bool) {
        let mut counts = self.counts.clone();
        let reached =
            tokio::time::timeout(DEADLINE, counts.wait_for(|counts| wanted(*counts))).await;
        assert!(reached.is_ok(), "the provider only saw {:?}", self.counts());
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.shared.ledger()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // a panic in there has already been printed; a second one here would abort the test run
            drop(thread.join());
        }
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("no connection panics")
    }

    fn record(&self, request: &Received) -> Behaviour {
        let mut ledger = self.ledger();
        ledger.received.push(request.clone());
        self.counts.send_modify(|counts| counts.received += 1);
        let for_path = ledger.script_for.get_mut(request.path()).and_then(VecDeque::pop_front);
        for_path.or_else(|| ledger.script.pop_front()).unwrap_or_else(|| ledger.otherwise.clone())
    }

    fn apply(&self, request: &Received) {
        self.ledger().applied.push(request.clone());
        self.counts.send_modify(|counts| counts.applied += 1);
    }
}

impl Shared {
    /// Says whether the connection goes on.
    async fn answer(&self, stream: &mut TcpStream, answer: &Answer) -> bool {
        let written = http::write(stream, answer).await;
        if written {
            self.counts.send_modify(|counts| counts.answered += 1);
        }
        written
    }
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).expect("a non-blocking socket");
    let mut connections = tokio::task::JoinSet::new();
    let mut door = shared.door.subscribe();
    loop {
        if door.wait_for(|door| *door == Door::Open).await.is_err() {
            return;
        }
        let accepted = tokio::select! {
            biased;
            _ = door.changed() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { return };
        connections.spawn(converse(stream, Arc::clone(&shared)));
    }
}

/// One connection: requests one after the other until either side ends it.
async fn converse(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut buffer = Vec::new();
    while let Some(request) = http::read(&mut stream, &mut buffer).await {
        let mut behaviour = shared.record(&request);
        let reaction = loop {
            let applied = shared.ledger().applied.clone();
            let reaction = behaviour.reaction(&request, &applied);
            match reaction {
                Reaction::Wait(then) => {
                    let permit = shared.gate.acquire().await.expect("the gate is never closed");
                    permit.forget();
                    behaviour = then;
                }
                decided => break decided,
            }
        };
        if !react(reaction, &mut stream, &request, &shared).await {
            return;
        }
    }
}

/// Says whether the connection goes on.
async fn react(
    reaction: Reaction,
    stream: &mut TcpStream,
    request: &Received,
    shared: &Shared,
) -> bool {
    match reaction {
        Reaction::Wait(_) => unreachable!("waiting is over"),
        Reaction::Apply(answer) => {
            shared.apply(request);
            shared.answer(stream, &answer).await
        }
        Reaction::Decline(answer) => shared.answer(stream, &answer).await,
        Reaction::ApplyThenSilence => {
            shared.apply(request);
            std::future::pending().await
        }
        Reaction::ApplyThenReset => {
            shared.apply(request);
            reset(stream);
            false
        }
        Reaction::Reset => {
            reset(stream);
            false
        }
        Reaction::ApplyThenTruncate(answer) => {
            shared.apply(request);
            http::write_part(stream, &answer).await;
            false
        }
        Reaction::ApplyThenDrip(answer) => {
            shared.apply(request);
            http::drip(stream, &answer).await;
            false
        }
        Reaction::ApplyThenGarbage => {
            shared.apply(request);
            http::write_raw(stream, b"\x00\x01 this is not HTTP \xff\r\n\r\n").await;
            false
        }
    }
}

/// Makes the close that follows an RST, which a client meets as "connection reset by peer".
fn reset(stream: &TcpStream) {
    stream.set_zero_linger().expect("a TCP socket takes a linger time");
}

/// Panics unless nothing at all reaches the provider for as long as `quiet`; the one wait that has no event to wait for.
pub async fn nothing_more_arrives(provider: &Provider, quiet: Duration) {
    let before = provider.counts();
    let mut counts = provider.counts.clone();
    let more =
        tokio::time::timeout(quiet, counts.wait_for(|now| now.received > before.received)).await;
    assert!(more.is_err(), "more arrived: {:?}", provider.received().last());
}
