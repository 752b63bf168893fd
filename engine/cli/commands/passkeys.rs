//! `placet passkeys`: which there are, and whose an admin says they are. One is made in a browser.

use crate::exit::Exit;
use crate::link::{Link, Purpose, Target};
use crate::out;
use anyhow::Result;
use clap::Subcommand;
use placet_model::passkey::PasskeyId;
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
    /// Passkeys, revoked ones included
    List {
        #[arg(long)]
        json: bool,
    },
    /// Say that a passkey is its person's, once they have told you so themselves (admin)
    Confirm { passkey: PasskeyId },
    /// Take a passkey out of use for good (admin, or whose it is)
    Revoke { passkey: PasskeyId },
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let purpose = match args.command {
        Command::List { .. } => Purpose::Read,
        Command::Confirm { .. } | Command::Revoke { .. } => Purpose::Change,
    };
    let link = args.target.open(purpose).await?;
    let done = act(&link, args.command).await;
    link.close().await?;
    done.map(|()| Exit::Done)
}

async fn act(link: &Link, command: Command) -> Result<()> {
    let word = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    match command {
        Command::List { json } => {
            let list = link.get("/api/v1/passkeys").await?;
            if json {
                return out::json(&list);
            }
            let rows = list["passkeys"].as_array().into_iter().flatten();
            let keys = ["principal", "id", "algorithm", "host"];
            let cells = |row: &Value| -> Vec<String> {
                let known = keys.map(|key| word(row, key));
                known.into_iter().chain([state(row).to_owned()]).collect()
            };
            let rows: Vec<Vec<String>> = rows.map(cells).collect();
            out::table(&["OF", "PASSKEY", "SIGNS BY", "FOR", "STATE"], &rows)
        }
        Command::Confirm { passkey } => {
            let now = link.post(&format!("/api/v1/passkeys/{passkey}/confirm"), &json!({})).await?;
            out::data(&format!("{passkey} is {}'s, and counts", word(&now, "principal")))
        }
        Command::Revoke { passkey } => {
            let now = link.post(&format!("/api/v1/passkeys/{passkey}/revoke"), &json!({})).await?;
            out::data(&format!("{passkey} of {} is revoked", word(&now, "principal")))
        }
    }
}

fn state(row: &Value) -> &'static str {
    match (row["revoked"] == true, row["confirmed"] == true) {
        (true, _) => "revoked",
        (false, true) => "in force",
        (false, false) => "waits for an admin",
    }
}
