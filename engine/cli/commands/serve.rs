//! `placet serve`: an engine in production. Everybody comes in with a token of their own, votes must
//! be signed, and files of the project only propose: nothing is applied by itself (GATE.md §8, §9).
//! What is missing is said before anything starts.

mod login;

use crate::commands::running::{Nats, Stop, bus, operate, until_stopped};
use crate::compose::{self, LostVault, Place, Reach, Running, Setup};
use crate::exit::{Exit, invalid, refused};
use crate::project::{CONFIG_FILE, Project};
use crate::{env, link, out};
use anyhow::{Context, Result};
use placet_adapters::Adapters;
use placet_bus::{Inbox, check_address};
use placet_executor::deploy::InForce;
use placet_executor::{Clock, Handle};
use placet_log::Log;
use placet_model::Principal;
use placet_model::actor::{PrincipalKind, Role};
use placet_model::decision::Assurance;
use placet_model::draft::Mode;
use placet_model::policy::{Policy, PrincipalInfo};
use placet_projections::Views;
use placet_server::{Access, Server, ServerOptions, Tokens};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The operator's file; its folder is the project
    #[arg(long, value_name = "FILE", default_value = CONFIG_FILE)]
    config: PathBuf,
    /// Where the data live; .placet beside the file without it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Name the first admin, print their token once, and end; for an admin of the policy in force,
    /// a further token
    #[arg(long, value_name = "NAME")]
    init_admin: Option<Principal>,
    /// The vault is lost: begin a new one, and hold what used it until it is connected again
    #[arg(long)]
    new_vault: bool,
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let mut project = Project::from_file(&args.config)?;
    project.overrides.iter().for_each(|line| out::say(line));
    let data = args.data.clone().unwrap_or_else(|| project.data());
    if compose::is_virtual(&data) {
        let words =
            format!("{} are data of a trial: their clock is not the wall's", data.display());
        return Err(invalid(words));
    }
    let place = Place::of(&data);
    if let Some(name) = &args.init_admin {
        return init_admin(&project, place, name).await;
    }
    let nats = ready(&project)?;
    if !data.join("log.redb").exists() {
        return Err(no_admin(&args, &format!("there are no data in {}", data.display())));
    }
    let log = compose::open_log(&project, &place)?;
    project.config = compose::config_of(&project, &log);
    let tokens = Tokens::open(compose::tokens_file(&place, &log)?)?;
    let login = login::of(&project.config)?;
    let adapters = adapters(&args, &log, &tokens)?;
    let lost_vault = LostVault::of(args.new_vault);
    let setup = Setup { lost_vault, ..setup(&project, &place, adapters) };
    let mut running =
        out::with_progress("opening the project", compose::start_served(setup, log)).await?;
    running.watch_connections();
    // before anything says that the engine is there: from now on it ends in good order
    let stop = Stop::heard()?;
    let access = Access::serve(tokens);
    let access = match login {
        Some(oidc) => access.and_by(oidc),
        None => access,
    };
    let served = serve(&running, access, (&place, nats), stop).await;
    link::withdraw(&data);
    running.stop().await?;
    served
}

/// Everything between the engine's start and its stop.
async fn serve(
    running: &Running,
    access: Access,
    (place, nats): (&Place, Option<Nats>),
    asked: Stop,
) -> Result<Exit> {
    let handle = running.handle();
    handle.demand_signatures();
    let config = &handle.config().serve;
    let (told, nats_status) = watch::channel(Value::Null);
    let server = Server::bind(ServerOptions {
        listen: config.listen.parse().context("serve.listen")?,
        handle: handle.clone(),
        access,
        login_token: None,
        hosts: config.hosts.clone(),
        vault: running.vault.clone(),
        live: running.live.clone(),
        nats: nats_status,
        mode: config.mode,
    })
    .await;
    let server = server.map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        invalid(format!("{error}{}; see serve.listen and serve.hosts", cause.unwrap_or_default()))
    })?;
    let url = format!("http://{}", from_here(server.local_addr()));
    link::announce(&place.data, &url, &handle.log().install_id())?;
    handle.run_schedules().await.map_err(|error| refused(&error))?;
    drop(tokio::spawn(Box::pin(handle.clone().keep_retention())));
    let (stop, stopped) = oneshot::channel::<()>();
    let operate = operate(&server, nats.as_ref().map(|nats| nats.url.as_str()));
    let server = tokio::spawn(server.run(async move { drop(stopped.await) }));
    let inbox = || Some(Inbox::operated(handle, Assurance::Transport, operate));
    let bus = nats.map(|nats| bus(nats, handle, (inbox(), told))).transpose()?;
    out::data(&url)?;
    tell(handle)?;
    let exit = until_stopped(handle, None, asked).await?;
    out::say("stopping");
    drop(stop);
    server.await??;
    if let Some(bus) = bus {
        bus.stop().await;
    }
    Ok(exit)
}

/// What runs, and what does not by itself.
fn tell(handle: &Handle) -> Result<()> {
    let view = handle.view().map_err(|error| refused(&error))?;
    let workflows = Views::new(&view)?.workflows()?;
    let families: BTreeSet<&str> = workflows.iter().map(|row| row.family.as_str()).collect();
    let mode = match handle.config().serve.mode {
        Mode::Sandbox => "sandbox: nothing leaves",
        Mode::Live => "live: approved bytes leave",
    };
    for line in [
        format!("project {}, {mode}", handle.log().project()),
        format!(
            "{} workflows are in force; files bind by `placet deploy` and `placet policy apply`",
            families.len()
        ),
        match handle.world().keys.iter().filter(|(_, known)| !known.revoked).count() {
            0 => "votes must be signed here, and nobody has a key yet: `placet keys new`, then `placet keys register`"
                .to_owned(),
            count => format!("votes must be signed here; {count} keys are registered"),
        },
    ] {
        out::say(&line);
    }
    Ok(())
}

/// Where this machine reaches an address on which all are listened on.
fn from_here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// What the environment must hold, all that is missing at once; the NATS server.
fn ready(project: &Project) -> Result<Option<Nats>> {
    let config = &project.config;
    compose::listed(&config.egress_allow)?;
    let mut missing = vec![];
    if config.serve.mode == Mode::Live {
        for (name, secret) in &config.secrets {
            if env::of(&secret.env).is_none() {
                missing.push(format!("{} is not set: it holds the secret {name}", secret.env));
            }
        }
    }
    missing.extend(login::missing(&config.login.oidc));
    let seed_env = config.nats.seed_env.as_deref();
    let seed = env::of(seed_env.unwrap_or(env::NATS_SEED));
    if let Some(name) = seed_env.filter(|_| seed.is_none()) {
        missing.push(format!("{name} is not set: nats.seed_env names it"));
    }
    if let Some(Err(error)) = config.nats.url.as_deref().map(check_address) {
        missing.push(format!("nats.url: {error}"));
    }
    if missing.is_empty() {
        return Ok(config.nats.url.clone().map(|url| Nats { url, seed }));
    }
    Err(invalid(missing.join("\n  ")))
}

/// The manifests in force; refused while there is nobody who could change anything.
fn adapters(args: &Args, log: &Log, tokens: &Tokens) -> Result<Arc<Adapters>> {
    let view = log.read()?;
    if Views::new(&view)?.policy()?.is_none() {
        return Err(no_admin(args, "no policy is in force"));
    }
    if tokens.all().is_empty() {
        return Err(no_admin(args, "nobody has a token"));
    }
    let in_force = InForce::read(&view).map_err(|error| refused(&error))?;
    let adapters = in_force.adapters();
    adapters.map(Arc::new).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        invalid(format!("a deployed manifest cannot be used any more: {}", lines.join("; ")))
    })
}

fn no_admin(args: &Args, words: &str) -> anyhow::Error {
    let data = args.data.as_ref().map(|data| format!(" --data {}", data.display()));
    invalid(format!(
        "{words}: name the first admin with `placet serve --config {}{} --init-admin NAME`",
        args.config.display(),
        data.unwrap_or_default()
    ))
}

fn setup<'p>(project: &'p Project, place: &Place, adapters: Arc<Adapters>) -> Setup<'p> {
    Setup {
        project,
        adapters,
        place: place.clone(),
        mode: project.config.serve.mode,
        clock: Clock::System,
        seed: 0,
        reach: Reach::Public,
        lost_vault: LostVault::Refuse,
    }
}

/// The operator of the process says who the first admin is: an act of its own, recorded as the first
/// policy. Afterwards the data are those of `serve`, and `dev` opens them no more.
async fn init_admin(project: &Project, place: Place, name: &Principal) -> Result<Exit> {
    let log = compose::open_log(project, &place)?;
    let mut project = project.clone();
    project.config = compose::config_of(&project, &log);
    project.config.serve.mode = Mode::Sandbox;
    refuse_unsigned(&log)?;
    let tokens = Tokens::open(compose::tokens_file(&place, &log)?)?;
    let setup = setup(&project, &place, Arc::new(Adapters::shipped()));
    let running = compose::start_served(setup, log).await?;
    let issued = make_admin(running.handle(), &tokens, name).await;
    running.stop().await?;
    let token = issued?;
    out::data(&token)?;
    out::say(&format!(
        "this is the token of {name}: it is shown this once; set {} to it, then `placet policy apply` \
         and `placet tokens new` name the others",
        env::TOKEN
    ));
    Ok(Exit::Done)
}

async fn make_admin(handle: &Handle, tokens: &Tokens, name: &Principal) -> Result<String> {
    let in_force = {
        let view = handle.view().map_err(|error| refused(&error))?;
        Views::new(&view)?.policy()?.is_some()
    };
    if in_force {
        let policy = &handle.world().policy;
        if !policy.has_role(name, Role::Admin) {
            let admins = policy.principals.keys().filter(|who| policy.has_role(who, Role::Admin));
            let admins: Vec<&str> = admins.map(Principal::as_str).collect();
            let words = format!(
                "a policy is in force, and {name} is no admin in it; its admins: {}",
                if admins.is_empty() { "none".to_owned() } else { admins.join(", ") }
            );
            return Err(invalid(words));
        }
    } else {
        let roles = BTreeSet::from([Role::Admin]);
        let mut policy = Policy::default();
        policy.principals.insert(name.clone(), PrincipalInfo { kind: PrincipalKind::User, roles });
        handle.apply_policy(name, policy).await.map_err(|error| refused(&error))?;
    }
    let (_, token) = tokens.issue(name.clone(), None, (handle.now(), None))?;
    Ok(token.expose().to_owned())
}

/// What `dev` was told without a signature must not come to be sent by `serve`.
fn refuse_unsigned(log: &Log) -> Result<()> {
    let view = log.read()?;
    match Views::new(&view).context("the projections")?.voted_on()? {
        None => Ok(()),
        Some(row) => Err(invalid(format!(
            "{} holds votes that nobody has signed: let it be sent, or withdraw it, with `placet dev`",
            row.decision
        ))),
    }
}
