//! `placet tokens`: who may come in to an engine of `placet serve`.

use crate::exit::Exit;
use crate::link::{Link, Purpose, Target};
use crate::out;
use anyhow::Result;
use clap::Subcommand;
use placet_executor::Clock;
use placet_model::Principal;
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;

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
        /// Good for so many days; for ever without it
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
        days: Option<u16>,
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
        Command::New { principal, days, json } => {
            let end = days.map(|days| Clock::System.now().plus_millis(i64::from(days) * DAY_MS));
            let wanted = json!({ "principal": principal, "expires_at": end });
            let made = link.post("/api/v1/tokens", &wanted).await?;
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
            let keys = ["id", "principal", "created_at", "created_by", "expires_at"];
            let rows = list["tokens"].as_array().into_iter().flatten();
            let rows: Vec<Vec<String>> =
                rows.map(|row| keys.map(|key| word(row, key)).to_vec()).collect();
            out::table(&["TOKEN", "OF", "MADE", "BY", "UNTIL"], &rows)
        }
        Command::Revoke { id } => {
            let gone = link.post(&format!("/api/v1/tokens/{id}/revoke"), &json!({})).await?;
            out::data(&format!("{} of {} is revoked", word(&gone, "id"), word(&gone, "principal")))
        }
    }
}
