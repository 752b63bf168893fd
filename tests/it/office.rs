//! A whole office on NATS: `placet serve` in live mode behind a server with the configuration that it prints itself, with
//! people and an agent who have keys of their own, and a provider stand-in on loopback.

mod agents;
mod doubt;
mod exam;
mod integrations;
mod pause;
mod storm;

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, HeaderMap, Request};
use futures_util::StreamExt;
use placet_bus::Seed;
use placet_model::passkey::SignerKey;
use placet_model::signed::{Draft, Item, Said, text_digest};
use placet_test_support::DEADLINE;
use placet_test_support::dirs::Project;
use placet_test_support::nats::NatsServer;
use placet_test_support::partition::Way;
use placet_test_support::process::{Finished, Placet, Running};
use placet_test_support::provider::Provider;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::kit::{placet, slack_notify};
use crate::world::patient;

const PEOPLE: [&str; 5] = ["ana", "ben", "wendy", "eve", "robot"];
const POLICY: &str = "
principals:
  root: [admin]
  wendy: [author, operator]
  ana: [approver]
  ben: [approver]
  eve: [auditor]
  robot: { kind: agent, roles: [agent] }
groups: { leads: [ana, ben] }
rules:
  - match: { effect: send }
    require: { approvers: [leads] }
";

/// Everything of it.
pub(crate) struct Office {
    pub(crate) project: Project,
    pub(crate) provider: Provider,
    pub(crate) server: NatsServer,
    /// The engine's own way to the server.
    pub(crate) way: Way,
    pub(crate) seeds: BTreeMap<&'static str, Seed>,
    pub(crate) tokens: BTreeMap<&'static str, String>,
    keys: tempfile::TempDir,
    engine: Option<(Running, String)>,
}

impl Office {
    /// Opens it; none where there is no server to be had.
    pub(crate) fn open(test: &str, limits: &str) -> Option<Self> {
        let server = NatsServer::start_or_skip(test)?;
        drop(server);
        let provider = Provider::start();
        let base = format!(
            "project = \"acme\"\n\n[serve]\nlisten = \"127.0.0.1:0\"\nmode = \"live\"\n\n[egress]\nallow = [\"{}\"]\n\n\
             [agents]\ngrants = [\"robot:slack\"]\n\n[limits]\n{limits}\n",
            provider.host_port()
        );
        let workflow = std::fs::read_to_string(slack_notify()).expect("the fixture is there");
        let project = Project::new()
            .with("placet.toml", &base)
            .with("policy.yaml", POLICY)
            .with_workflow("slack-notify", &workflow);
        let made = placet(&project)
            .args(["serve", "--config", "placet.toml", "--init-admin", "root"])
            .run();
        let root = made.expect_code(0).stdout.trim().to_owned();
        let keys = tempfile::tempdir().expect("a temporary directory");
        let first = serve(&project, None);
        let by = |token: &str, args: &[&str]| {
            let placet = placet(&project).args(args).env("PLACET_TOKEN", token);
            placet.env("SLACK_TOKEN", crate::world::TOKEN).run().expect_code(0).stdout
        };
        by(&root, &["policy", "apply"]);
        let mut tokens = BTreeMap::from([("root", root.clone())]);
        for who in ["wendy", "ana", "ben", "eve", "robot"] {
            tokens.insert(who, by(&root, &["tokens", "new", who]).trim().to_owned());
        }
        let mut seeds = BTreeMap::new();
        for who in PEOPLE.into_iter().chain(["engine"]) {
            let seed = Seed::random().expect("random bytes");
            let key = seed.key().to_string();
            if who != "engine" {
                by(&root, &["keys", "register", who, &key]);
                keep(keys.path(), who, &seed);
            }
            seeds.insert(who, seed);
        }
        let api = format!("api_base={}", provider.url("/api"));
        let connect = ["integrations", "connect", "slack", "--set", &api];
        by(
            &tokens["wendy"],
            &[&connect[..], &["--credential", "access_token=env:SLACK_TOKEN"]].concat(),
        );
        by(&tokens["wendy"], &["deploy", "."]);
        let engine = seeds["engine"].key().to_string();
        let config = by(&root, &["nats", "config", "--engine-key", &engine]);
        let own = |line: &&str| {
            !line.starts_with("listen:") && !line.trim_start().starts_with("store_dir:")
        };
        let config: Vec<&str> = config.lines().filter(own).collect();
        let server = NatsServer::start_configured_or_skip(test, &config.join("\n"))?;
        let way = Way::to(server.port());
        project.write("placet.toml", &format!("{base}\n[nats]\nurl = \"{}\"\n", way.nats_url()));
        drop(first.0.terminate().expect_code(0));
        let mut office = Self { project, provider, server, way, seeds, tokens, keys, engine: None };
        office.start();
        office.ready();
        Some(office)
    }

    /// Starts the engine, which must not be running.
    pub(crate) fn start(&mut self) {
        assert!(self.engine.is_none(), "the engine still runs");
        let seed = self.seeds["engine"].expose().expect("a seed");
        self.engine = Some(serve(&self.project, Some(&seed)));
    }

    /// Waits until it has said that NATS is ready.
    pub(crate) fn ready(&self) {
        let said = self.engine().stderr_line(|line| line.contains("nats is ready"));
        // the printed configuration lets the engine learn that the server syncs what it acknowledges
        assert!(said.ends_with(')'), "{said}");
    }

    pub(crate) fn kill_9(&mut self) {
        let (running, _) = self.engine.take().expect("the engine runs");
        running.kill_9();
    }

    pub(crate) fn engine(&self) -> &Running {
        &self.engine.as_ref().expect("the engine runs").0
    }

    /// `127.0.0.1:PORT` of the HTTP door.
    pub(crate) fn address(&self) -> String {
        let (_, url) = self.engine.as_ref().expect("the engine runs");
        url.trim_start_matches("http://").to_owned()
    }

    /// The command line of somebody with a token.
    pub(crate) fn by(&self, who: &str, args: &[&str]) -> Placet {
        let placet = placet(&self.project).args(args).env("PLACET_TOKEN", &self.tokens[who]);
        placet.env("PLACET_KEY_DIR", self.keys.path())
    }

    pub(crate) fn done(&self, who: &str, args: &[&str]) -> Finished {
        self.by(who, args).run().expect_code(0)
    }

    /// The events of the log, as the auditor gets them.
    pub(crate) fn log(&self, more: &[&str]) -> Vec<Value> {
        let args = [&["audit", "log", "--json"][..], more].concat();
        let log = self.by("eve", &args).start().finish_within(Duration::from_mins(3));
        let line = |line: &str| serde_json::from_str(line).expect("JSON");
        log.expect_code(0).stdout.lines().map(line).collect()
    }

    /// Waits until a run has this event; its events so far.
    pub(crate) fn until(&self, run: &str, kind: &str) -> Vec<Value> {
        let watch = self.by("wendy", &["runs", "watch", run, "--json"]).start();
        let wanted = format!("\"type\":\"{kind}\"");
        watch.stdout_line(|line| line.replace(": ", ":").contains(&wanted));
        watch.stdout_lines().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Somebody's client of the server, as the server knows them by key.
    pub(crate) async fn client(&self, who: &str) -> Client {
        connect(&self.server.url(), &self.seeds[who]).await
    }

    /// The decision that an agent's action has asked for.
    pub(crate) async fn asked(&self, key: &str) -> (String, String) {
        let robot = self.client("robot").await;
        let acted = ask(&robot, "placet.v1.act.robot", &action(key), key).await;
        let text = |member: &str| acted[member].as_str().expect("an id").to_owned();
        (text("run"), text("decision"))
    }

    /// The card, as `who` gets it over NATS.
    pub(crate) async fn card(&self, who: &str, decision: &str) -> Value {
        let client = self.client(who).await;
        ask(&client, &inbox(who, "get"), &json!({ "decision": decision }), "card").await
    }

    /// What `who` signs about the items of this card, or of several.
    pub(crate) fn signed(&self, who: &str, cards: &[&Value], said: Said) -> Value {
        signed(&self.seeds[who], who, cards, said)
    }

    /// Signs and decides over NATS.
    pub(crate) async fn decide(&self, who: &str, card: &Value, said: Said) -> Value {
        let client = self.client(who).await;
        let envelope = self.signed(who, &[card], said);
        ask(&client, &inbox(who, "decide"), &envelope, &nonce_text()).await
    }
}

/// A person's seed, where their command line looks for it.
fn keep(keys: &Path, who: &str, seed: &Seed) {
    let people = keys.join("people");
    std::fs::create_dir_all(&people).expect("a directory");
    let file = people.join(format!("{who}.seed"));
    std::fs::write(&file, seed.expose().expect("a seed")).expect("a file");
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("it is ours");
}

fn serve(project: &Project, seed: Option<&str>) -> (Running, String) {
    let serve = placet(project).args(["serve", "--config", "placet.toml"]);
    let serve = seed.into_iter().fold(serve, |serve, seed| serve.env("PLACET_NATS_SEED", seed));
    let running = serve.start();
    let url = running.stdout_line(|line| line.starts_with("http://"));
    (running, url)
}

async fn connect(url: &str, seed: &Seed) -> Client {
    patient(known(seed)).connect(url).await.expect("the server knows the key")
}

/// Whoever has this seed.
fn known(seed: &Seed) -> ConnectOptions {
    let text = seed.expose().expect("a seed");
    ConnectOptions::with_nkey(text).custom_inbox_prefix(format!("_INBOX_{}", seed.key()))
}

/// Whether the server lets nobody hear of this: it tells the one who asks nothing at all.
pub(crate) async fn is_kept_from(client: &Client, subject: String, body: String) -> bool {
    let soon = Some(Duration::from_secs(1));
    client.send_request(subject, Request::new().payload(body.into()).timeout(soon)).await.is_err()
}

pub(crate) fn inbox(user: &str, verb: &str) -> String {
    format!("placet.v1.inbox.{user}.{verb}")
}

/// One request; the answer, an error included.
pub(crate) async fn ask(client: &Client, subject: &str, body: &Value, id: &str) -> Value {
    let mut headers = HeaderMap::new();
    headers.insert("Placet-Request-Id", id);
    let payload = body.to_string().into();
    let asked = client.request_with_headers(subject.to_owned(), headers, payload);
    let answer = timeout(DEADLINE, asked).await.expect("in time").expect("an answer");
    serde_json::from_slice(&answer.payload).expect("JSON")
}

pub(crate) fn action(key: &str) -> Value {
    json!({
        "operation": "slack.chat.postMessage", "with": {"channel": "C0SALES", "text": format!("about {key}")},
        "idempotency_key": key, "reason": "the customer asked for it",
    })
}

/// 16 bytes that this process has not given out before.
fn nonce() -> [u8; 16] {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes[8..12].copy_from_slice(&std::process::id().to_be_bytes());
    bytes
}

pub(crate) fn nonce_text() -> String {
    u128::from_be_bytes(nonce()).to_string()
}

/// The document of an act, as its parts.
pub(crate) fn draft(seed: &Seed, who: &str, cards: &[&Value], said: Said) -> Draft {
    let now = placet_executor::Clock::System.now();
    let item = |card: &&Value| Item {
        decision: card["id"].as_str().expect("an id").to_owned(),
        digest: card["digest"].as_str().expect("a digest").parse().expect("a digest"),
    };
    Draft {
        items: cards.iter().map(item).collect(),
        said,
        user: who.parse().expect("a principal"),
        key: SignerKey::Nkey(seed.key()),
        nonce: nonce(),
        origin: cards[0]["sign"]["origin"].as_str().expect("an origin").to_owned(),
        issued_at: now,
        expires_at: now.plus_millis(10 * 60 * 1000),
        reason: Some(text_digest(&SALT, REASON)),
        with: None,
    }
}

pub(crate) const SALT: [u8; 32] = [7; 32];
pub(crate) const REASON: &str = "as agreed";

pub(crate) fn signed(seed: &Seed, who: &str, cards: &[&Value], said: Said) -> Value {
    let envelope: Map<String, Value> =
        seed.sign(draft(seed, who, cards, said), Some((REASON, &SALT))).expect("a document");
    Value::Object(envelope)
}

/// What is read over HTTP: status, head and body.
pub(crate) async fn get((address, token): (&str, &str), path: &str) -> (u16, String, Value) {
    let head = format!(
        "GET /api/v1{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    exchange(address, &head).await.expect("an answer")
}

/// One request over HTTP: status and body; an error where the engine is not there.
pub(crate) async fn post(
    (address, token): (&str, &str),
    path: &str,
    (body, id): (&Value, &str),
) -> std::io::Result<(u16, String, Value)> {
    let body = body.to_string();
    let head = format!(
        "POST /api/v1{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {id}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    exchange(address, &head).await
}

async fn exchange(address: &str, head: &str) -> std::io::Result<(u16, String, Value)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let cut = || std::io::Error::other("the answer is cut off");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(cut)?;
    let status = head.get(9..12).and_then(|status| status.parse().ok()).ok_or_else(cut)?;
    Ok((status, head.to_owned(), serde_json::from_str(body).map_err(std::io::Error::other)?))
}

/// The stream's messages up to this position, read with the engine's key: `(Placet-Seq, event)`.
pub(crate) async fn stream_of(office: &Office, last: u64) -> Vec<(u64, Value)> {
    use async_nats::jetstream::{self, consumer};
    let client = office.client("engine").await;
    let stream = jetstream::new(client).get_stream("PLACET_EV_acme").await;
    let reader = consumer::pull::OrderedConfig::default();
    let reader = stream.expect("the stream is there").create_consumer(reader).await;
    let mut messages = reader.expect("a reader").messages().await.expect("messages");
    let mut read: Vec<(u64, Value)> = Vec::new();
    while read.last().is_none_or(|(position, _)| *position < last) {
        let next = timeout(DEADLINE, messages.next()).await.expect("the stream catches up");
        let message = next.expect("the stream goes on").expect("a message");
        let headers = message.headers.as_ref().expect("headers");
        let position = headers.get("Placet-Seq").expect("a position").as_str();
        let event = serde_json::from_slice(&message.payload).expect("events are JSON");
        read.push((position.parse().expect("a position"), event));
    }
    read
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be built")
}
