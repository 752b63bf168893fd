//! `placet integrations`: the configured connections of the project.

mod oauth;

use crate::exit::{Exit, invalid};
use crate::link::{Link, Purpose, Target};
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
    Disconnect { name: String },
    #[command(external_subcommand)]
    Later(Vec<String>),
}

#[derive(Debug, clap::Args)]
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

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let purpose = match &args.command {
        Command::List { .. } => Purpose::Read,
        Command::Later(words) => {
            let word = words.first().map_or("", String::as_str);
            return Err(invalid(format!("integrations {word} is not built yet")));
        }
        _ => Purpose::Change,
    };
    let link = args.target.open(purpose).await?;
    let done = act(&link, args.command).await;
    link.close().await?;
    done.map(|()| Exit::Done)
}

async fn act(link: &Link, command: Command) -> Result<()> {
    let (name, verb) = match command {
        Command::List { json } => return list(link, json).await,
        Command::Connect(connect) => return connected(link, connect).await,
        Command::Enable { name } => (name, "enable"),
        Command::Disable { name } => (name, "disable"),
        Command::Disconnect { name } => (name, "disconnect"),
        Command::Later(_) => return Ok(()),
    };
    let answer = link.post(&format!("/api/v1/integrations/{name}/{verb}"), &json!({})).await?;
    if let Some(words) = answer["credential"].as_str() {
        out::say(&format!("its credential is {}", visible(words)));
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
    let status = if integration["paused"] == true {
        format!("{}, paused", word(&integration["status"]))
    } else {
        word(&integration["status"])
    };
    vec![
        format!("{name}{default}"),
        word(&integration["provider"]),
        status,
        word(&integration["identity"]["id"]),
        word(&integration["identity"]["tenant"]),
        word(&integration["label"]),
    ]
}

async fn connected(link: &Link, connect: Connect) -> Result<()> {
    if connect.person.oauth {
        return oauth::connected(link, connect).await;
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
    if connect.json { out::json(&answer) } else { out::data(&row(&answer).join("  ")) }
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
