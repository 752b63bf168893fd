//! `placet integrations`: the configured connections of the project.

mod complete;
mod hooks;
mod life;
mod oauth;
mod pair;

use crate::exit::{Exit, invalid};
use crate::link::{Link, Purpose, Target, encoded};
use crate::out::{self, visible};
use crate::project;
use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Map, Value, json};
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Every integration, and who it acts as
    List {
        #[arg(long)]
        json: bool,
    },
    /// Connect an integration, or connect it again
    Connect(Connect),
    /// Let it send again; what was held goes on
    Enable { name: String },
    /// Hold everything that would go through it
    Disable { name: String },
    /// Take it away; approvals bound to it are void
    Disconnect {
        name: String,
        /// Do not ask, whatever depends on it
        #[arg(long)]
        yes: bool,
    },
    /// One integration: who it acts as, what its scopes enable, where it may be used
    Show {
        name: String,
        #[arg(long)]
        json: bool,
    },
    /// Ask its provider who it is; exit 1 where the credential is refused
    Test {
        name: String,
        #[arg(long)]
        json: bool,
    },
    /// What depends on it: steps, open decisions, runs that wait, policies, channels, starts
    Uses {
        name: String,
        #[arg(long)]
        json: bool,
    },
    /// Give it a new credential, tested before it counts
    Rotate(Rotate),
    /// Set where it may be used; without options: the whole project
    Scope(Scope),
    /// Read now what came to it since the last time
    Sync {
        name: String,
        #[arg(long)]
        json: bool,
    },
    /// Choose what connecting still lacks: list the choices, or --choose one
    Complete(complete::Complete),
    /// Pair it with a conversation at its provider: print a code, and wait for it to come back
    Pair(pair::Pair),
    /// What its provider posts here: show it, ask for it (on), have it taken away (off)
    Hooks(hooks::Hooks),
}

const CONNECT_HELP: &str = "\
Examples:
  placet integrations connect slack --credential access_token=env:SLACK_TOKEN \\
      --credential signing_secret=env:SLACK_SIGNING_SECRET
  placet integrations connect telegram --credential bot_token=@FILE --credential webhook_secret=@FILE --pair
  placet integrations connect slack --oauth --client-id ID --client-secret @FILE --scope base --scope inbound

`placet adapters show PROVIDER` has the settings and the fields of its credential.";

#[derive(Debug, clap::Args)]
#[command(after_help = CONNECT_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Connect {
    /// Its provider
    provider: String,
    /// The name by which steps refer to it; the provider's without it
    #[arg(long)]
    name: Option<String>,
    /// A setting, `KEY=VALUE`; the value is JSON where it parses as such
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// A field of its credential, `FIELD=@FILE` or `FIELD=env:VARIABLE`: never on the command line
    #[arg(long = "credential", value_name = "FIELD=@FILE|env:VARIABLE")]
    credential: Vec<String>,
    #[command(flatten)]
    person: Person,
    /// Then pair it with whoever sends a code to it, as `integrations pair` does
    #[arg(long, conflicts_with = "oauth")]
    pair: bool,
    /// Steps that name no integration use it
    #[arg(long)]
    default: bool,
    #[arg(long)]
    json: bool,
}

/// Connecting by OAuth.
#[derive(Debug, clap::Args)]
struct Person {
    /// A person gives the grant at the provider: print a link for a browser, and wait
    #[arg(long)]
    oauth: bool,
    /// With --oauth: the id of your own app at the provider
    #[arg(long, value_name = "ID", requires = "oauth")]
    client_id: Option<String>,
    /// With --oauth: its secret, never on the command line
    #[arg(long, value_name = "@FILE|env:VARIABLE", requires = "oauth")]
    client_secret: Option<String>,
    /// With --oauth: a set of scopes of the provider's manifest, or a single one of them
    #[arg(long = "scope", value_name = "SET|SCOPE", requires = "oauth")]
    scopes: Vec<String>,
    /// With --oauth: under which of its names (serve.hosts) the provider sends people back
    #[arg(long, value_name = "HOST", requires = "oauth")]
    host: Option<String>,
}

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Rotate {
    name: String,
    /// A new field of its credential, `FIELD=@FILE` or `FIELD=env:VARIABLE`; the others stay
    #[arg(long = "credential", value_name = "FIELD=@FILE|env:VARIABLE", required = true)]
    credential: Vec<String>,
    /// My word that it is the same account, where the provider does not say
    #[arg(long, conflicts_with = "new_identity")]
    same_account: bool,
    /// Another account is meant; approvals for the one before are void
    #[arg(long)]
    new_identity: bool,
    /// For how many hours what the provider posts may still be signed with the secret of before (at
    /// most 168; 24 if not said, 0 where that secret is known to others)
    #[arg(long, value_name = "HOURS")]
    grace_hours: Option<u16>,
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Scope {
    name: String,
    /// Only workflows of this workstream
    #[arg(long)]
    workstream: Option<String>,
    /// Only workflows of this space of the workstream
    #[arg(long, requires = "workstream")]
    space: Option<String>,
    /// Only where at most these can see it: internal, shared, client
    #[arg(long)]
    visibility: Option<String>,
    /// Only for this agent, who then acts under it; may be given again
    #[arg(long = "agent", value_name = "AGENT")]
    agents: Vec<String>,
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let purpose = match &args.command {
        Command::List { .. } | Command::Show { .. } | Command::Uses { .. } => Purpose::Read,
        Command::Hooks(hooks) if hooks.only_shows() => Purpose::Read,
        _ => Purpose::Change,
    };
    let link = args.target.open(purpose).await?;
    let done = act(&link, args.command).await;
    link.close().await?;
    done
}

async fn act(link: &Link, command: Command) -> Result<Exit> {
    match command {
        Command::List { json } => list(link, json).await?,
        Command::Connect(connect) => return connected(link, connect).await,
        Command::Show { name, json } => life::show(link, &name, json).await?,
        Command::Test { name, json } => return life::test(link, &name, json).await,
        Command::Uses { name, json } => life::uses(link, &name, json).await?,
        Command::Rotate(rotate) => rotated(link, rotate).await?,
        Command::Scope(scope) => scoped(link, scope).await?,
        Command::Sync { name, json } => hooks::sync(link, &name, json).await?,
        Command::Hooks(hooks) => hooks::run(link, hooks).await?,
        Command::Complete(step) => complete::run(link, step).await?,
        Command::Pair(pair) => return pair::run(link, pair).await,
        Command::Enable { name } => set(link, &name, "enable").await?,
        Command::Disable { name } => set(link, &name, "disable").await?,
        Command::Disconnect { name, yes } => {
            life::confirm(link, &name, yes).await?;
            set(link, &name, "disconnect").await?;
        }
    }
    Ok(Exit::Done)
}

async fn rotated(link: &Link, rotate: Rotate) -> Result<()> {
    let mut body = json!({ "credential": credential(&rotate.credential)? });
    if rotate.same_account {
        body["account"] = json!("same");
    } else if rotate.new_identity {
        body["account"] = json!("new");
    }
    if let Some(hours) = rotate.grace_hours {
        body["grace_hours"] = hours.into();
    }
    let answer = link.post(&path(&rotate.name, "rotate"), &body).await?;
    life::say_changed(&answer);
    if let Some(until) = answer["old_signatures_until"].as_str() {
        out::say(&format!("what is still signed with the secret of before is taken until {until}"));
    }
    if rotate.json {
        return out::json(&answer);
    }
    let word = |value: &Value| visible(value.as_str().unwrap_or_default());
    let identity = &answer["identity"];
    out::data(&format!(
        "{}: version {} of its credential is in force, acting as {} of {}",
        rotate.name,
        answer["credential_version"],
        word(&identity["id"]),
        word(&identity["tenant"])
    ))
}

async fn scoped(link: &Link, scope: Scope) -> Result<()> {
    let body = json!({
        "workstream": scope.workstream,
        "space": scope.space,
        "visibility": scope.visibility,
        "agents": scope.agents,
    });
    let answer = link.post(&path(&scope.name, "scope"), &body).await?;
    if scope.json {
        return out::json(&answer);
    }
    out::data(&format!("{}: {}", scope.name, life::scope_words(&answer["used_in"])))
}

/// The path of a verb on an integration.
fn path(name: &str, verb: &str) -> String {
    format!("/api/v1/integrations/{}/{verb}", encoded(name))
}

async fn set(link: &Link, name: &str, verb: &str) -> Result<()> {
    let answer = link.post(&path(name, verb), &json!({})).await?;
    if let Some(words) = answer["credential"].as_str() {
        out::say(&format!("its credential is {}", visible(words)));
    }
    if let Some(words) = answer["webhook"].as_str() {
        out::say(&visible(words));
    }
    out::data(&format!("{name}: {}", answer["status"].as_str().unwrap_or_default()))
}

async fn list(link: &Link, json: bool) -> Result<()> {
    let answer = link.get("/api/v1/integrations").await?;
    if json {
        return out::json(&answer);
    }
    let rows: Vec<Vec<String>> =
        answer["integrations"].as_array().into_iter().flatten().map(row).collect();
    if link.get("/api/v1/status").await?["paused"] == true {
        out::say("everything outbound is paused: placet resume");
    }
    if rows.is_empty() {
        out::say("no integration is connected: placet integrations connect PROVIDER");
    }
    out::table(&["NAME", "PROVIDER", "STATUS", "ACTS AS", "TENANT", "LABEL"], &rows)
}

fn row(integration: &Value) -> Vec<String> {
    let word = |value: &Value| visible(value.as_str().unwrap_or_default());
    let name = word(&integration["name"]);
    let default = if integration["is_default"] == true { " (default)" } else { "" };
    let mut status = word(&integration["status"]);
    if integration["reason"].is_string() {
        status = format!("{status}: {}", word(&integration["reason"]));
    }
    if integration["paused"] == true {
        status.push_str(", paused");
    }
    if integration["pending"].as_array().is_some_and(|steps| !steps.is_empty()) {
        status.push_str(", pending");
    }
    if integration["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty()) {
        status.push_str(", hears nothing");
    }
    vec![
        format!("{name}{default}"),
        word(&integration["provider"]),
        status,
        word(&integration["identity"]["id"]),
        word(&integration["identity"]["tenant"]),
        word(&integration["label"]),
    ]
}

async fn connected(link: &Link, connect: Connect) -> Result<Exit> {
    if connect.person.oauth {
        oauth::connected(link, connect).await?;
        return Ok(Exit::Done);
    }
    let name = connect.name.unwrap_or_else(|| connect.provider.clone());
    let mut body = Map::from_iter([
        ("name".to_owned(), json!(name)),
        ("provider".to_owned(), json!(connect.provider)),
        ("settings".to_owned(), settings(&connect.settings)?),
    ]);
    if !connect.credential.is_empty() {
        body.insert("credential".to_owned(), credential(&connect.credential)?);
    }
    if connect.default {
        body.insert("default".to_owned(), json!(true));
    }
    let answer = link.post("/api/v1/integrations", &Value::Object(body)).await?;
    if connect.pair {
        return pair::run(link, pair::Pair::of(name, connect.json)).await;
    }
    if connect.json {
        out::json(&answer)?;
    } else {
        life::connected(&answer)?;
    }
    Ok(Exit::Done)
}

fn settings(given: &[String]) -> Result<Value> {
    let mut settings = Map::new();
    for pair in given {
        let (key, value) = split(pair)?;
        let value = serde_json::from_str(value).unwrap_or_else(|_text| json!(value));
        settings.insert(key.to_owned(), value);
    }
    Ok(Value::Object(settings))
}

fn credential(given: &[String]) -> Result<Value> {
    let mut fields = Map::new();
    for pair in given {
        let (field, place) = split(pair)?;
        fields.insert(field.to_owned(), json!(secret(place)?));
    }
    Ok(Value::Object(fields))
}

/// A secret from where it stands, `@FILE` or `env:VARIABLE`.
fn secret(place: &str) -> Result<String> {
    if let Some(path) = place.strip_prefix('@') {
        return Ok(project::read(Path::new(path))?
            .text()
            .trim_end_matches(['\r', '\n'])
            .to_owned());
    }
    if let Some(variable) = place.strip_prefix("env:") {
        let value = std::env::var(variable);
        return value.map_err(|_unset| invalid(format!("the variable {variable} is not set")));
    }
    Err(invalid(
        "a credential does not stand on the command line, where others can read it: write FIELD=@FILE \
         or FIELD=env:VARIABLE",
    ))
}

fn split(pair: &str) -> Result<(&str, &str)> {
    let split = pair.split_once('=').filter(|(key, _)| !key.is_empty());
    split.context("").map_err(|_none| invalid(format!("{pair:?} is no KEY=VALUE")))
}
