//! A project in memory with an engine and a server, a vault on disk, and a live transport that a test
//! controls.

use crate::http::{Answer, Ask};
use placet_adapters::{Adapters, Call, FilledRequest, Performing, Response, Transport};
use placet_executor::{Clock, Engine, Handle, Notice, Parts, Transports};
use placet_log::{Log, OpenOptions};
use placet_model::actor::{PrincipalKind, Role};
use placet_model::draft::Mode;
use placet_model::policy::{Policy, PrincipalInfo};
use placet_model::project::ProjectConfig;
use placet_model::request::PreparedRequest;
use placet_model::{Position, Principal};
use placet_projections::Projections;
use placet_server::{Access, Error, Server, ServerOptions, Token};
use placet_test_support::DEADLINE;
use placet_test_support::dirs::{Project, fixture};
use placet_vault::{Kek, KekSource, Vault, VaultOptions};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinHandle;

pub(crate) const TOKEN: &str = "t0ken-of-the-tests";

/// Answers every call the same way, and keeps what it was asked.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) seen: Mutex<Vec<(PreparedRequest, u32)>>,
    pub(crate) answer: Mutex<Value>,
    /// What an authorization server was asked, as `METHOD URL`.
    pub(crate) asked: Mutex<Vec<String>>,
    /// Whether it ends whatever it is asked to end; everything is refused afterwards.
    pub(crate) ends_grants: Mutex<bool>,
}

impl Live {
    fn is_over(&self) -> bool {
        let ended = self.asked.lock().unwrap().iter().any(|asked| asked.ends_with("/revoke"));
        ended && *self.ends_grants.lock().unwrap()
    }
}

impl Transport for Live {
    fn ask(&self, request: FilledRequest) -> Performing<'_> {
        let asked = format!("{} {}", request.method, request.url.expose());
        self.asked.lock().unwrap().push(asked);
        Box::pin(async { Ok(Response::new(200, vec![], b"{}".to_vec())) })
    }

    fn perform(&self, call: Call) -> Performing<'_> {
        if self.is_over() {
            return Box::pin(async { Ok(Response::new(401, vec![], b"{}".to_vec())) });
        }
        let version = call.integration.map_or(0, |integration| integration.credential_version);
        self.seen.lock().unwrap().push(((*call.request).clone(), version));
        let body = serde_json::to_vec(&*self.answer.lock().unwrap()).unwrap();
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Box::pin(async move { Ok(Response::new(200, headers, body)) })
    }
}

pub(crate) struct World {
    pub(crate) handle: Handle,
    pub(crate) server: SocketAddr,
    pub(crate) vault: Arc<Vault>,
    pub(crate) live: Arc<Live>,
    pub(crate) login: Token,
    notices: broadcast::Receiver<Notice>,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<Result<(), Error>>>,
    _engine: Engine,
    /// Holds the vault's file.
    _project: Project,
}

pub(crate) fn name(text: &str) -> Principal {
    text.parse().unwrap()
}

/// `author`, two approvers, an auditor, an agent.
fn people() -> Policy {
    let mut policy = Policy::default();
    let mut add = |who: &str, kind, roles: &[Role]| {
        let info = PrincipalInfo { kind, roles: roles.iter().copied().collect() };
        policy.principals.insert(name(who), info);
    };
    add("author", PrincipalKind::User, &[Role::Author, Role::Operator, Role::Admin]);
    add("approver", PrincipalKind::User, &[Role::Approver]);
    add("second", PrincipalKind::User, &[Role::Approver]);
    add("auditor", PrincipalKind::User, &[Role::Auditor]);
    add("agent", PrincipalKind::Agent, &[Role::Agent]);
    policy
}

/// An engine without people yet.
pub(crate) async fn empty() -> World {
    let project = Project::new();
    let live = Arc::new(Live {
        seen: Mutex::default(),
        answer: Mutex::new(json!({})),
        asked: Mutex::default(),
        ends_grants: Mutex::default(),
    });
    let log = Log::open(OpenOptions::in_memory("test").projector(Projections::new())).unwrap();
    let transports = Transports {
        sandbox: Some(Arc::new(placet_sandbox::Sandbox::new(0))),
        live: Some(Arc::clone(&live) as Arc<dyn Transport>),
    };
    let mut config = ProjectConfig { project: "test".into(), ..ProjectConfig::default() };
    config.agents.grants = vec!["agent:slack".into()];
    config.limits.caller_second_max = 10;
    let parts = Parts {
        log,
        config,
        adapters: Arc::new(Adapters::shipped()),
        transports,
        clock: Clock::System,
        mode: Mode::Sandbox,
    };
    let engine = Engine::start(parts).await.unwrap();
    let handle = engine.handle().clone();
    let vault = Vault::open(VaultOptions {
        file: project.data().join("vault.redb"),
        key: KekSource::Given(Kek::from_bytes([7; 32])),
        project: "test".into(),
    });
    let (vault, login) = (Arc::new(vault.unwrap()), Token::random());
    let options = ServerOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        handle: handle.clone(),
        access: Access::dev([Token::new(TOKEN)]),
        login_token: Some(login.clone()),
        hosts: vec![],
        vault: Some(Arc::clone(&vault)),
        live: Some(Arc::clone(&live) as Arc<dyn Transport>),
        nats: tokio::sync::watch::channel(Value::Null).1,
        mode: Mode::Sandbox,
    };
    let server = Server::bind(options).await.unwrap();
    let address = server.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async { drop(stopped.await) }));
    let notices = handle.notices();
    let (stop, running) = (Some(stop), Some(running));
    World {
        handle,
        server: address,
        vault,
        live,
        login,
        notices,
        stop,
        running,
        _engine: engine,
        _project: project,
    }
}

pub(crate) async fn start() -> World {
    let world = empty().await;
    world.handle.apply_policy(&name("author"), people()).await.unwrap();
    world
}

/// With a default Slack integration and the fixture that posts to it, deployed.
pub(crate) async fn with_workflow() -> World {
    let world = start().await;
    world.post("/api/v1/integrations", &json!({"name": "slack", "provider": "slack"})).await.ok();
    let body = json!({"file": "slack-notify.yaml", "source": text("ok/slack-notify.yaml")});
    world.post("/api/v1/workflows", &body).await.ok();
    world
}

pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(fixture("workflows").join(path)).unwrap()
}

/// A request with the token.
pub(crate) fn ask(method: &str, target: &str) -> Ask {
    Ask::new(method, target).header("Authorization", &format!("Bearer {TOKEN}"))
}

/// Nothing more comes of it: between two steps it neither waits nor is it over.
pub(crate) fn is_over(report: &Value) -> bool {
    report["status"] != "waiting" && report["status"] != "running"
}

impl World {
    pub(crate) async fn get(&self, target: &str) -> Answer {
        ask("GET", target).send(self.server).await
    }

    pub(crate) async fn get_as(&self, user: &str, target: &str) -> Answer {
        ask("GET", target).header("Placet-As", user).send(self.server).await
    }

    pub(crate) async fn post(&self, target: &str, body: &Value) -> Answer {
        ask("POST", target).json(body).send(self.server).await
    }

    pub(crate) async fn post_as(&self, user: &str, target: &str, body: &Value) -> Answer {
        ask("POST", target).header("Placet-As", user).json(body).send(self.server).await
    }

    /// Of what can be read: the log tells its head a moment after it can.
    pub(crate) fn head(&self) -> Position {
        self.handle.view().unwrap().head().position()
    }

    /// Starts a run that waits for approval: its id and its card.
    pub(crate) async fn waiting(&mut self) -> (String, Value) {
        let body =
            json!({"workflow": "ops/slack-notify", "input": {"channel": "C0123", "text": "hello"}});
        let run = self.post("/api/v1/runs", &body).await.ok()["run"].as_str().unwrap().to_owned();
        self.settled(&run).await;
        let list = self.get_as("approver", "/api/v1/inbox").await.ok();
        let mine =
            list["items"].as_array().unwrap().iter().find(|item| item["run"] == run.as_str());
        let decision =
            mine.unwrap_or_else(|| panic!("{list:#}"))["id"].as_str().unwrap().to_owned();
        let card = self.get_as("approver", &format!("/api/v1/decisions/{decision}")).await.ok();
        (run, card)
    }

    /// Waits until a run waits for a vote, or is over.
    pub(crate) async fn settled(&mut self, run: &str) -> Value {
        let asks = |report: &Value| report["waiting_for"]["kind"] == "decision";
        self.until(run, |report| is_over(report) || asks(report)).await
    }

    /// Waits until a run is over.
    pub(crate) async fn finished(&mut self, run: &str) -> Value {
        self.until(run, is_over).await
    }

    /// Waits until an event of this type is in a run's story.
    pub(crate) async fn until_story(&mut self, run: &str, kind: &str) {
        loop {
            let story = self.get(&format!("/api/v1/audit/story/{run}")).await.ok();
            let lines = story["lines"].as_array().unwrap();
            if lines.iter().any(|line| line["event"]["type"] == kind) {
                return;
            }
            let notice = tokio::time::timeout(DEADLINE, self.notices.recv()).await;
            notice.unwrap_or_else(|_| panic!("stuck: {story:#}")).unwrap();
        }
    }

    pub(crate) async fn until(&mut self, run: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let report = self.get(&format!("/api/v1/runs/{run}")).await.ok();
            if wanted(&report) {
                return report;
            }
            let notice = tokio::time::timeout(DEADLINE, self.notices.recv()).await;
            notice.unwrap_or_else(|_| panic!("stuck: {report:#}")).unwrap();
        }
    }

    /// Asks the server to end, and waits for it.
    pub(crate) async fn close(&mut self) {
        drop(self.stop.take());
        let running = self.running.take().expect("closed once");
        let ended = tokio::time::timeout(DEADLINE, running).await;
        ended.expect("it ends in time").unwrap().unwrap();
    }
}
