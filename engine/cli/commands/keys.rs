//! `placet keys`: the keys with which people sign their decisions, and with which a NATS server knows
//! them.

use crate::exit::Exit;
use crate::link::{Link, Purpose, Target};
use crate::{out, signing};
use anyhow::Result;
use clap::Subcommand;
use placet_model::Principal;
use placet_model::nkey::UserKey;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key for yourself, keep its seed on this machine, and print the public key
    New {
        /// Your name in the project
        user: Principal,
        /// Where to keep the seed; in the key directory without it
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Say that a public key is somebody's, once they have told you so themselves (admin)
    Register { user: Principal, key: UserKey },
    /// Keys, revoked ones included
    List {
        #[arg(long)]
        json: bool,
    },
    /// Take a key out of use for good (admin, or whose it is)
    Revoke { key: UserKey },
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let purpose = match args.command {
        Command::New { user, file } => return new(&user, file),
        Command::List { .. } => Purpose::Read,
        Command::Register { .. } | Command::Revoke { .. } => Purpose::Change,
    };
    let link = args.target.open(purpose).await?;
    let done = act(&link, args.command).await;
    link.close().await?;
    done.map(|()| Exit::Done)
}

fn new(user: &Principal, file: Option<PathBuf>) -> Result<Exit> {
    let file = file.map_or_else(|| signing::file_of(user), Ok)?;
    let key = signing::make(&file)?;
    out::data(&key.to_string())?;
    out::say(&format!(
        "its seed is in {}: it stays there, and nobody else needs it",
        file.display()
    ));
    out::say(&format!("an admin registers it: placet keys register {user} {key}"));
    Ok(Exit::Done)
}

async fn act(link: &Link, command: Command) -> Result<()> {
    match command {
        Command::New { .. } => Ok(()),
        Command::Register { user, key } => {
            let body = json!({ "principal": user, "key": key });
            link.post("/api/v1/keys", &body).await?;
            out::data(&format!("{key} is the key of {user}"))
        }
        Command::List { json } => {
            let list = link.get("/api/v1/keys").await?;
            if json {
                return out::json(&list);
            }
            let word = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
            let state = |row: &Value| if row["revoked"] == true { "revoked" } else { "in force" };
            let rows = list["keys"].as_array().into_iter().flatten();
            let rows: Vec<Vec<String>> = rows
                .map(|row| vec![word(row, "principal"), word(row, "key"), state(row).to_owned()])
                .collect();
            out::table(&["OF", "KEY", "STATE"], &rows)
        }
        Command::Revoke { key } => {
            let gone = link.post(&format!("/api/v1/keys/{key}/revoke"), &json!({})).await?;
            let whose = gone["principal"].as_str().unwrap_or_default();
            out::data(&format!("{key} of {whose} is revoked"))
        }
    }
}
