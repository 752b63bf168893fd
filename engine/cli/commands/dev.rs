//! `placet dev`: engine, HTTP API and inbox on this machine, for one person who writes workflows.
//! It applies what the project's files propose, at start and on change, and says so; nothing else
//! ever does (GATE.md §8, §9).

pub(super) mod proposals;

use crate::commands::init;
use crate::commands::run::ModeArg;
use crate::commands::running::{Nats, Stop, bus, operate, until_stopped};
use crate::compose::{self, LostVault, Place, Reach, Running, Setup};
use crate::exit::{Exit, invalid, refused};
use crate::link::{self, DEFAULT_URL};
use crate::project::{CONFIG_FILE, Project};
use crate::{env, out, state};
use anyhow::{Context, Result};
use placet_bus::{Inbox, check_address};
use placet_executor::{Clock, Handle};
use placet_model::decision::Assurance;
use placet_model::draft::Mode;
use placet_server::{Access, Server, ServerOptions, Token};
use proposals::Proposals;
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::sync::{oneshot, watch};

/// Where the example goes when people start in a folder that is something else.
const EXAMPLE_DIR: &str = "placet-example";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The project; without it the one here, or an example
    dir: Option<PathBuf>,
    /// Whether approved bytes leave
    #[arg(long, value_enum, default_value = "sandbox")]
    mode: ModeArg,
    /// Where to listen; loopback only
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7480")]
    listen: SocketAddr,
    /// A NATS server: events go there, inboxes answer there; looked for each second
    #[arg(long, value_name = "URL")]
    nats: Option<String>,
    /// A target that may be loopback and plain http
    #[arg(long, value_name = "HOST:PORT")]
    egress_allow: Vec<String>,
    /// Where the data live; DIR/.placet without it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The vault is lost: begin a new one, and hold what used it until it is connected again
    #[arg(long)]
    new_vault: bool,
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    if !args.listen.ip().is_loopback() {
        let words = format!("dev listens on this machine alone: {} is not loopback", args.listen);
        return Err(invalid(words));
    }
    let dir = project_dir(args.dir.as_deref())?;
    let mut project = Project::at(&dir)?;
    project.overrides.iter().for_each(|line| out::say(line));
    project.config.egress_allow.extend(args.egress_allow.iter().cloned());
    compose::listed(&project.config.egress_allow)?;
    if project.config.agents.grants.is_empty() {
        // everything works before anything is configured; the gate stands before it all
        project.config.agents.grants.push("*:*".to_owned());
    }
    let nats = args.nats.as_deref().or(project.config.nats.url.as_deref());
    nats.map_or(Ok(()), check_address).map_err(|error| invalid(error.to_string()))?;
    let data = args.data.clone().unwrap_or_else(|| project.data());
    let mode = args.mode.into();
    let mut proposals = Proposals::of(&project)?;
    let place = Place::of(&data);
    let setup = Setup {
        project: &project,
        adapters: project.adapters_of(&data)?,
        place: place.clone(),
        mode,
        clock: Clock::System,
        seed: 0,
        reach: Reach::Public,
        lost_vault: LostVault::of(args.new_vault),
    };
    compose::unmark_virtual(&data);
    let mut running = out::with_progress("opening the project", compose::start(setup)).await?;
    running.watch_connections();
    // before anything says that the engine is there: from now on it ends in good order
    let stop = Stop::heard()?;
    let served = serve(&args, &running, &mut proposals, (&dir, &place), stop).await;
    link::withdraw(&data);
    running.stop().await?;
    served
}

/// Everything between the engine's start and its stop.
async fn serve(
    args: &Args,
    running: &Running,
    proposals: &mut Proposals,
    (dir, place): (&Path, &Place),
    asked: Stop,
) -> Result<Exit> {
    let handle = running.handle();
    let mode: Mode = args.mode.into();
    proposals.go_out_by(running.live.clone());
    proposals.apply_policy(handle).await?;
    if mode == Mode::Sandbox {
        compose::connect_sandbox(handle).await?;
    }
    proposals.deploy_manifests(handle).await?;
    let workflows = proposals.deploy(handle).await?;
    let token = state::token(&format!("http://{}", args.listen))?;
    let token = token.map_or_else(Token::random, Token::new);
    let login = Token::random();
    let (told, nats_status) = watch::channel(Value::Null);
    let server = Server::bind(ServerOptions {
        listen: args.listen,
        handle: handle.clone(),
        access: Access::dev([token.clone()]),
        login_token: Some(login.clone()),
        hosts: vec![],
        vault: running.vault.clone(),
        live: running.live.clone(),
        nats: nats_status,
        mode,
    })
    .await;
    let server = server.map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        invalid(format!("{error}: {cause}; name another place with --listen"))
    })?;
    let url = format!("http://{}", server.local_addr());
    let token_file = state::keep_token(&url, token.expose())?;
    link::announce(&place.data, &url, &handle.log().install_id())?;
    handle.run_schedules().await.map_err(|error| refused(&error))?;
    drop(tokio::spawn(Box::pin(handle.clone().keep_retention())));
    let (stop, stopped) = oneshot::channel::<()>();
    let nats = nats(args, handle);
    let operate = operate(&server, nats.as_ref().map(|nats| nats.url.as_str()));
    let server = tokio::spawn(server.run(async move { drop(stopped.await) }));
    let inbox = || Some(Inbox::operated(handle, Assurance::Transport, operate));
    let bus = nats.map(|nats| bus(nats, handle, (inbox(), told))).transpose()?;
    out::data(&format!("{url}/login?token={}", login.expose()))?;
    welcome(&Welcome { dir, place, token_file: &token_file, url: &url, handle, mode, workflows })?;
    let exit = until_stopped(handle, Some(proposals), asked).await?;
    out::say("stopping");
    drop(stop);
    server.await??;
    if let Some(bus) = bus {
        bus.stop().await;
    }
    Ok(exit)
}

/// The NATS server: that of the arguments, else that of the operator's file.
fn nats(args: &Args, handle: &Handle) -> Option<Nats> {
    let config = &handle.config().nats;
    let url = args.nats.clone().or_else(|| config.url.clone())?;
    Some(Nats { url, seed: env::of(config.seed_env.as_deref().unwrap_or(env::NATS_SEED)) })
}

/// The project's folder: what was named, what is here, or an example. One that is empty becomes an
/// example.
fn project_dir(named: Option<&Path>) -> Result<PathBuf> {
    let here = Path::new(".");
    let dir = match named {
        Some(dir) => dir.to_owned(),
        None if is_project(here) || is_empty(here)? => here.to_owned(),
        None => PathBuf::from(EXAMPLE_DIR),
    };
    if dir.is_file() {
        return Err(invalid(format!("{} is a file: name a project's folder", dir.display())));
    }
    if !dir.exists() || is_empty(&dir)? {
        fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        init::write(&dir)?;
        out::say(&format!("made an example project in {}", dir.display()));
    }
    Ok(dir)
}

fn is_project(dir: &Path) -> bool {
    dir.join(CONFIG_FILE).is_file() || dir.join("workflows").is_dir()
}

/// Nothing in it but, perhaps, data.
fn is_empty(dir: &Path) -> Result<bool> {
    let entries = fs::read_dir(dir).with_context(|| dir.display().to_string())?;
    let names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    Ok(names.iter().all(|name| name == crate::project::DATA_DIR))
}

struct Welcome<'a> {
    dir: &'a Path,
    place: &'a Place,
    token_file: &'a Path,
    url: &'a str,
    handle: &'a Handle,
    mode: Mode,
    workflows: Vec<String>,
}

/// Where things are, and the next three commands to type.
fn welcome(told: &Welcome<'_>) -> Result<()> {
    let full = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_gone| path.to_owned());
    let keys = told.place.keys.directory(&told.handle.log().install_id())?;
    let mode = match told.mode {
        Mode::Sandbox => "sandbox: nothing leaves",
        Mode::Live => "live: approved bytes leave",
    };
    let program = std::env::args().next().unwrap_or_else(|| "placet".to_owned());
    let server = match told.url {
        DEFAULT_URL => String::new(),
        url => format!(" --server {url}"),
    };
    let example = "ops/slack-notify";
    let is_there = told.workflows.is_empty() || told.workflows.iter().any(|name| name == example);
    let (workflow, input) = match told.workflows.first() {
        Some(other) if !is_there => (other.as_str(), "JSON"),
        _ => (example, r#"'{"channel":"C0SALES","text":"Hello"}'"#),
    };
    let lines = [
        String::new(),
        format!("project  {}", full(told.dir).display()),
        format!("data     {}", full(&told.place.data).display()),
        format!("keys     {}", keys.map(|keys| keys.display().to_string()).unwrap_or_default()),
        format!("token    {}", told.token_file.display()),
        format!("mode     {mode}"),
        String::new(),
        "next, in another terminal:".to_owned(),
    ];
    let mut next = vec![
        format!("  {program} start {workflow} --input {input}{server}"),
        format!("  {program} inbox list --as approver{server}"),
        format!("  {program} inbox approve DECISION --as approver{server}"),
    ];
    if told.mode == Mode::Live && told.workflows.is_empty() {
        // what sends needs an account first, and is then deployed by hand
        let connect = "integrations connect slack --credential access_token=env:SLACK_TOKEN";
        next.insert(0, format!("  {program} {connect}{server}"));
        next.insert(1, format!("  {program} deploy {}{server}", told.dir.display()));
    }
    lines.iter().chain(&next).try_for_each(|line| out::data(line))
}

/// A refusal of the engine, as something to say and go on.
fn say_refused(what: &str, error: &placet_executor::Error) {
    out::say(&format!("{what}: {:#}", refused(error)));
}
