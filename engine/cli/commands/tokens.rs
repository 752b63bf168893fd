//! `placet tokens`: who may come in to an engine of `placet serve`.

use crate::exit::Exit;
use crate::link::{Link, Purpose, Target};
use crate::out;
use anyhow::Result;
use clap::Subcommand;
use placet_model::Principal;
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token for somebody whom the policy knows, and show it this once (admin)
    New {
        principal: Principal,
        #[arg(long)]
        json: bool,
    },
    /// Tokens, oldest first (admin)
    List {
        #[arg(long)]
        json: bool,
    },
    /// Take a token back (admin)
    Revoke { id: String },
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let link = args.target.open(Purpose::Change).await?;
    let done = act(&link, args.command).await;
    link.close().await?;
    done.map(|()| Exit::Done)
}

async fn act(link: &Link, command: Command) -> Result<()> {
    let word = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    match command {
        Command::New { principal, json } => {
            let made = link.post("/api/v1/tokens", &json!({ "principal": principal })).await?;
            if json {
                return out::json(&made);
            }
            out::data(&word(&made, "token"))?;
            out::say(&format!(
                "the token {} of {principal}: it is shown this once; they set PLACET_TOKEN to it",
                word(&made, "id")
            ));
            Ok(())
        }
        Command::List { json } => {
            let list = link.get("/api/v1/tokens").await?;
            if json {
                return out::json(&list);
            }
            let keys = ["id", "principal", "created_at", "created_by"];
            let rows = list["tokens"].as_array().into_iter().flatten();
            let rows: Vec<Vec<String>> =
                rows.map(|row| keys.map(|key| word(row, key)).to_vec()).collect();
            out::table(&["TOKEN", "OF", "MADE", "BY"], &rows)
        }
        Command::Revoke { id } => {
            let gone = link.post(&format!("/api/v1/tokens/{id}/revoke"), &json!({})).await?;
            out::data(&format!("{} of {} is revoked", word(&gone, "id"), word(&gone, "principal")))
        }
    }
}
