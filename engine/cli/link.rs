//! The way to an engine: the one that runs at a URL, or one of our own on data that nobody has
//! open. Either way a command speaks the same HTTP API, so there is one form of every answer.

use crate::compose::{self, LostVault, Place, Reach, Running, Setup};
use crate::exit::{Refused, invalid, refused};
use crate::project::Project;
use crate::{env, state};
use anyhow::{Context, Result, anyhow};
use placet_egress::control::{Control, ControlError, Lines, Reply};
use placet_executor::inbox::Problem;
use placet_executor::{Clock, Engine, Handle, Parts, Transports};
use placet_model::draft::Mode;
use placet_model::{Principal, Timestamp};
use placet_server::{Access, Server, ServerOptions, Token};
use serde_json::Value;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Where `placet dev` listens unless it is told otherwise.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:7480";
/// In the data of a running engine: its URL, and what tells it from others: commands on the data go
/// through it. A killed engine leaves the file behind, and a copy of the data takes it along.
const ENDPOINT_FILE: &str = "endpoint";

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Target {
    /// The engine to talk to; without it the one of this project, else the data in process
    #[arg(long, global = true, value_name = "URL", env = env::SERVER)]
    pub(crate) server: Option<String>,
    /// The data to open when no engine runs on them
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Act as this user (dev only)
    #[arg(long = "as", global = true, value_name = "USER")]
    pub(crate) acting: Option<Principal>,
}

/// Whether a command may change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It appends nothing.
    Read,
    /// It needs a running engine.
    Change,
}

/// An open way to an engine.
#[derive(Debug)]
pub(crate) struct Link {
    control: Control,
    acting: Option<Principal>,
    local: Option<Local>,
}

/// An engine of our own, on a loopback port that only this process knows the token of.
#[derive(Debug)]
struct Local {
    running: Option<Box<Running>>,
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<Result<(), placet_server::Error>>,
}

/// What a target turned out to be.
#[derive(Debug)]
pub(crate) enum Found {
    /// A running engine.
    Engine(Box<Link>),
    /// Data that no engine has open.
    Data(PathBuf, Box<Project>),
}

impl Target {
    /// Finds the engine, or opens the data.
    pub(crate) async fn open(&self, purpose: Purpose) -> Result<Link> {
        match self.find().await? {
            Found::Engine(link) => Ok(*link),
            Found::Data(data, project) => {
                let local = Local::start(&data, &project, purpose).await;
                let (local, url, token) = local.with_context(|| data.display().to_string())?;
                let control = Control::new(&url, Some(token.expose()))?;
                Ok(Link { control, acting: self.acting.clone(), local: Some(local) })
            }
        }
    }

    /// Finds the engine or the data, and opens nothing.
    pub(crate) async fn find(&self) -> Result<Found> {
        // before the server, which the environment may name
        if let Some(data) = &self.data {
            return self.on_data(data, Project::of_data(data)?).await;
        }
        if let Some(url) = &self.server {
            return self.at(url).map(|link| Found::Engine(Box::new(link)));
        }
        let project = Project::of(Path::new("."))?;
        let data = project.data();
        if data.join("log.redb").exists() || data.join("keys.redb").exists() {
            return self.on_data(&data, project).await;
        }
        if state::token(DEFAULT_URL)?.is_some() {
            return self.at(DEFAULT_URL).map(|link| Found::Engine(Box::new(link)));
        }
        let words = "there is no engine and no project here: start one with `placet dev`, or name \
                     --server or --data";
        Err(invalid(words))
    }

    fn at(&self, url: &str) -> Result<Link> {
        let token = token(url)?;
        let control = Control::new(url, token.as_deref()).map_err(|e| invalid(e.to_string()))?;
        Ok(Link { control, acting: self.acting.clone(), local: None })
    }

    async fn on_data(&self, data: &Path, project: Project) -> Result<Found> {
        match data.join("log.redb").try_exists() {
            Ok(true) => {}
            // opening says what has become of the log
            Ok(false) if data.join("keys.redb").exists() => {}
            Ok(false) => {
                return Err(invalid(format!("{} holds no project's data", data.display())));
            }
            Err(error) => {
                return Err(invalid(format!("{} cannot be read: {error}", data.display())));
            }
        }
        match Endpoint::of(data) {
            Some(endpoint) if endpoint.is_theirs(&project, data).await => {
                self.at(&endpoint.url).map(|link| Found::Engine(Box::new(link)))
            }
            _ => Ok(Found::Data(data.to_owned(), Box::new(project))),
        }
    }
}

/// The token for the engine at this URL: the environment's, else the one that is kept.
fn token(url: &str) -> Result<Option<String>> {
    match env::of(env::TOKEN) {
        Some(token) => Ok(Some(token)),
        None => state::token(url),
    }
}

/// Where the engine of some data said that it listens.
struct Endpoint {
    url: String,
    install_id: String,
}

impl Endpoint {
    /// None where no engine said so, and where it said so of other data, of which these are a copy.
    fn of(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(data.join(ENDPOINT_FILE)).ok()?;
        let mut lines = text.lines().map(str::to_owned);
        let (url, install_id, place) = (lines.next()?, lines.next()?, lines.next()?);
        (place == place_of(data)).then_some(Self { url, install_id })
    }

    /// Whether the engine of these data is still there: the address may be another project's by now.
    /// One that does not know us does not say whose it is; then somebody has the data open, or not.
    async fn is_theirs(&self, project: &Project, data: &Path) -> bool {
        let Ok(token) = token(&self.url) else { return false };
        let Ok(control) = Control::new(&self.url, token.as_deref()) else { return false };
        let Ok(reply) = control.get("/api/v1/status", &[]).await else { return false };
        if matches!(reply.status, 401 | 403) {
            return compose::is_in_use(project, data);
        }
        let status: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        status["install_id"] == self.install_id.as_str()
    }
}

/// Where the engine of these data said that it listens.
pub(crate) fn announced(data: &Path) -> Option<String> {
    Endpoint::of(data).map(|endpoint| endpoint.url)
}

fn place_of(data: &Path) -> String {
    fs::canonicalize(data).unwrap_or_else(|_gone| data.to_owned()).display().to_string()
}

/// Tells commands on these data where their engine is.
pub(crate) fn announce(data: &Path, url: &str, install_id: &str) -> Result<()> {
    let file = data.join(ENDPOINT_FILE);
    let text = format!("{url}\n{install_id}\n{}\n", place_of(data));
    fs::write(&file, text).with_context(|| file.display().to_string())
}

/// The engine of these data is about to end.
pub(crate) fn withdraw(data: &Path) {
    drop(fs::remove_file(data.join(ENDPOINT_FILE)));
}

impl Local {
    async fn start(
        data: &Path,
        project: &Project,
        purpose: Purpose,
    ) -> Result<(Self, String, Token)> {
        let place = match purpose {
            Purpose::Read => Place::to_read(data),
            Purpose::Change => Place::of(data),
        };
        let log = compose::open_log_of(project, &place)?;
        let clock =
            if compose::is_virtual(data) { compose::virtual_clock(&log)? } else { Clock::System };
        let adapters = project.adapters()?;
        let config = compose::config_of(project, &log);
        let project = Project { config, ..project.clone() };
        let (running, handle) = match purpose {
            Purpose::Read => {
                let parts = Parts {
                    log,
                    config: project.config.clone(),
                    adapters,
                    transports: Transports::default(),
                    clock,
                    mode: Mode::Sandbox,
                };
                (None, Engine::reader(parts).map_err(|error| refused(&error))?)
            }
            Purpose::Change => {
                let setup = Setup {
                    project: &project,
                    adapters,
                    place,
                    mode: Mode::Sandbox,
                    clock,
                    seed: 0,
                    reach: Reach::Public,
                    lost_vault: LostVault::Refuse,
                };
                let running = compose::start_with(setup, log).await?;
                let handle = running.handle().clone();
                (Some(Box::new(running)), handle)
            }
        };
        let token = Token::random();
        let server = Server::bind(ServerOptions {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            handle: handle.clone(),
            access: Access::dev([token.clone()]),
            login_token: Some(Token::random()),
            hosts: vec![],
            vault: None,
            live: None,
            nats: tokio::sync::watch::channel(Value::Null).1,
            mode: Mode::Sandbox,
        })
        .await?;
        let url = format!("http://{}", server.local_addr());
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(server.run(async move { drop(stopped.await) }));
        Ok((Self { running, handle, stop: Some(stop), server }, url, token))
    }

    async fn end(mut self) -> Result<()> {
        drop(self.stop.take());
        self.server.await??;
        match self.running {
            Some(running) => running.stop().await,
            None => Ok(()),
        }
    }
}

impl Link {
    /// The engine's clock: log time where it is virtual.
    pub(crate) fn now(&self) -> Timestamp {
        let local = self.local.as_ref().map(|local| local.handle.now());
        local.unwrap_or_else(|| Clock::System.now())
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        answer(self.control.get(path, &self.headers()).await)
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let key = Token::random();
        let mut headers = self.headers();
        headers.push(("Idempotency-Key", &key.expose()[..32]));
        answer(self.control.post(path, &headers, body.to_string().into_bytes()).await)
    }

    pub(crate) async fn lines(&self, path: &str) -> Result<Lines> {
        match self.control.lines(path, &self.headers()).await {
            Ok(Ok(lines)) => Ok(lines),
            Ok(Err(reply)) => Err(no(&reply)),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends an engine of our own.
    pub(crate) async fn close(self) -> Result<()> {
        match self.local {
            Some(local) => local.end().await,
            None => Ok(()),
        }
    }

    /// Whether the engine lives on after this command.
    pub(crate) const fn is_remote(&self) -> bool {
        self.local.is_none()
    }

    fn headers(&self) -> Vec<(&str, &str)> {
        self.acting.iter().map(|user| ("Placet-As", user.as_str())).collect()
    }
}

fn answer(reply: Result<Reply, ControlError>) -> Result<Value> {
    let reply = reply?;
    if !(200..300).contains(&reply.status) {
        return Err(no(&reply));
    }
    if reply.body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&reply.body).context("the engine's answer is no JSON")
}

/// problem+json as a refusal; anything else as an error.
fn no(reply: &Reply) -> anyhow::Error {
    let problem: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
    if problem["code"].is_string() {
        let problem = Problem { code: text("code"), title: text("title"), detail: text("detail") };
        return Refused(problem).into();
    }
    anyhow!("the engine answered {}: {}", reply.status, String::from_utf8_lossy(&reply.body))
}

/// A value of a query: everything but letters, digits and `-._~` in its escaped form.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| match byte {
        b'-' | b'.' | b'_' | b'~' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {
            text + &char::from(byte).to_string()
        }
        byte => text + &format!("%{byte:02X}"),
    })
}
