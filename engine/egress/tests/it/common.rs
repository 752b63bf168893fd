//! A stand-in on loopback that counts connections, and calls to send to it.

use placet_adapters::{
    Adapters, Call, FillError, FillHoles, Occurrence, Operation, Redirects, SecretText, WantedHole,
};
use placet_egress::Live;
use placet_model::Timestamp;
use placet_model::draft::Mode;
use placet_model::request::{Body, HoledText, PreparedRequest};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

/// These tests are live.
pub(crate) fn live() -> Live {
    Live::of(Mode::Live).expect("live is live")
}

/// What the stand-in does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Behaviour {
    Answer(String),
    /// One answer after the other; the last one stays.
    Turns(Arc<std::sync::Mutex<VecDeque<String>>>),
    /// Takes the request and never answers.
    Silence,
    /// Takes the request and hangs up.
    HangUp,
    /// Hangs up in the middle of the body.
    HalfAnswer,
}

#[derive(Debug)]
pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    connects: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl StandIn {
    pub(crate) async fn on(bind: &str, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind(bind).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connects = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (count, seen) = (Arc::clone(&connects), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, behaviour.clone(), Arc::clone(&seen)));
            }
        });
        Self { address, connects, requests }
    }

    pub(crate) async fn answering(status: &str, headers: &str, body: &str) -> Self {
        let answer =
            format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len());
        Self::on("127.0.0.1:0", Behaviour::Answer(answer)).await
    }

    /// JSON answers, one after the other; the last one stays.
    pub(crate) async fn in_turn(answers: &[(&str, &str)]) -> Self {
        let answer = |(status, body): &(&str, &str)| {
            let length = body.len();
            format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
            )
        };
        let turns = answers.iter().map(answer).collect();
        Self::on("127.0.0.1:0", Behaviour::Turns(Arc::new(std::sync::Mutex::new(turns)))).await
    }

    pub(crate) fn connects(&self) -> usize {
        self.connects.load(Ordering::SeqCst)
    }

    pub(crate) async fn requests(&self) -> Vec<String> {
        self.requests.lock().await.clone()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn serve(mut stream: TcpStream, behaviour: Behaviour, seen: Arc<Mutex<Vec<String>>>) {
    let Some(request) = read_request(&mut stream).await else { return };
    seen.lock().await.push(request);
    let text = match behaviour {
        Behaviour::Answer(text) => text,
        Behaviour::Turns(turns) => {
            let mut turns = turns.lock().unwrap();
            let next = if turns.len() > 1 { turns.pop_front() } else { turns.front().cloned() };
            next.unwrap_or_default()
        }
        Behaviour::Silence => return std::future::pending().await,
        Behaviour::HangUp => return,
        Behaviour::HalfAnswer => "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf".to_owned(),
    };
    stream.write_all(text.as_bytes()).await.unwrap();
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk).await.ok()?;
        if count == 0 {
            return None;
        }
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, value)| value.parse::<usize>().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return Some(text);
            }
        }
    }
}

/// Secrets by name, each bound to one host.
#[derive(Debug, Default)]
pub(crate) struct Secrets(pub(crate) BTreeMap<String, String>);

impl FillHoles for Secrets {
    fn fill(&self, wanted: &WantedHole<'_>) -> Result<SecretText, FillError> {
        let secret = self.0.get(&wanted.hole.name);
        secret.map(SecretText::new).ok_or_else(|| FillError::Unknown { hole: wanted.hole.clone() })
    }
}

pub(crate) fn request(method: &str, url: &str, body: &str) -> PreparedRequest {
    let body = if body.is_empty() { Body::Empty } else { Body::Bytes(body.as_bytes().to_vec()) };
    PreparedRequest {
        method: method.to_owned(),
        url: HoledText::plain(url),
        headers: Vec::new(),
        body,
    }
}

/// A shipped operation; the manifests are read once.
pub(crate) fn operation(name: &str) -> Arc<Operation> {
    static ADAPTERS: LazyLock<Adapters> = LazyLock::new(Adapters::shipped);
    Arc::clone(ADAPTERS.operation(name).unwrap())
}

pub(crate) fn call(request: PreparedRequest, redirects: Redirects) -> Call {
    let operation = operation("http.request");
    Call {
        attempt: None,
        operation,
        integration: None,
        request: Arc::new(request),
        input: Arc::new(serde_json::Value::Null),
        occurrence: Occurrence { seen: None, now: Timestamp::EPOCH },
        redirects,
        // no stand-in of ours is slow; the machine may be
        timeout: Duration::from_mins(2),
        send_id: String::new(),
        response_bytes_max: 1 << 20,
    }
}
