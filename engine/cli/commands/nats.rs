//! `placet nats`: the server's configuration for a project's people.

use crate::exit::{Exit, invalid};
use crate::link::{Purpose, Target};
use crate::{env, out};
use anyhow::Result;
use clap::Subcommand;
use placet_bus::Seed;
use placet_bus::config::{Does, Person, ServerConfig};
use placet_model::nkey::UserKey;
use serde_json::Value;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the configuration of a nats-server: accounts, and what each registered key may do
    Config {
        /// The public key of the engine; without it that of the seed in the environment
        #[arg(long, value_name = "KEY")]
        engine_key: Option<UserKey>,
        /// Where the server listens
        #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:4222")]
        listen: String,
        /// Where the server keeps its streams
        #[arg(long, value_name = "DIR", default_value = "/var/lib/nats")]
        store_dir: String,
    },
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let Command::Config { engine_key, listen, store_dir } = args.command;
    let engine = engine_key.map_or_else(of_environment, Ok)?;
    let link = args.target.open(Purpose::Read).await?;
    let keys = link.get("/api/v1/keys").await;
    link.close().await?;
    let keys = keys?;
    let rows = keys["keys"].as_array().into_iter().flatten();
    let people: Vec<Person> = rows.filter_map(person).collect();
    if people.iter().any(|person| person.key == engine.to_string()) {
        return Err(invalid("the engine's key is registered as somebody's: make one of its own"));
    }
    let project = keys["project"].as_str().unwrap_or_default().to_owned();
    if people.is_empty() {
        out::say("nobody has a registered key yet: placet keys register USER KEY");
    }
    let config = ServerConfig { project, listen, store_dir, engine: engine.to_string(), people };
    out::data(config.text().trim_end())?;
    Ok(Exit::Done)
}

fn of_environment() -> Result<UserKey> {
    let seed = env::of(env::NATS_SEED).and_then(|text| Seed::parse(&text).ok());
    seed.map(|seed| seed.key()).ok_or_else(|| {
        invalid(format!(
            "the engine needs a key of its own: `placet keys new engine` makes one; name it with --engine-key, or \
             set {} to its seed",
            env::NATS_SEED
        ))
    })
}

/// Somebody with a key in force whom the policy knows.
fn person(row: &Value) -> Option<Person> {
    if row["revoked"] == true {
        return None;
    }
    let roles = row["roles"].as_array()?;
    let has = |wanted: &[&str]| roles.iter().any(|role| wanted.iter().any(|word| role == word));
    let does = if row["kind"] == "agent" || has(&["agent"]) {
        Does::Act
    } else if has(&["operator", "admin"]) {
        Does::Operate
    } else if has(&["author", "auditor"]) {
        Does::DecideAndFollow
    } else {
        Does::Decide
    };
    Some(Person {
        name: row["principal"].as_str()?.parse().ok()?,
        key: row["key"].as_str()?.to_owned(),
        does,
    })
}
