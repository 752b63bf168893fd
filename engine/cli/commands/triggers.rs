//! `placet triggers`: which events of which connection start runs.

use crate::exit::Exit;
use crate::link::{Link, Purpose, Target, encoded};
use crate::out::{self, visible};
use anyhow::Result;
use clap::Subcommand;
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
    /// Events that could start runs, whether they do, and what they start
    List {
        /// Of this connection alone
        #[arg(long)]
        integration: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// Say whether an event of a connection starts what listens for it; runs that wait hear it either way
    Set {
        #[command(flatten)]
        of: Of,
        #[arg(value_enum)]
        state: State,
        #[arg(long)]
        json: bool,
    },
    /// Remove a trigger: its event starts nothing, until it is set or the connection is made anew
    Remove {
        #[command(flatten)]
        of: Of,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Of {
    /// The name of the connection
    integration: String,
    /// The type of the event, as in slack.message
    event: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum State {
    On,
    Off,
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let purpose = match &args.command {
        Command::List { .. } => Purpose::Read,
        Command::Set { .. } | Command::Remove { .. } => Purpose::Change,
    };
    let link = args.target.open(purpose).await?;
    let done = act(&link, args.command).await;
    link.close().await?;
    done.map(|()| Exit::Done)
}

async fn act(link: &Link, command: Command) -> Result<()> {
    match command {
        Command::List { integration, json } => {
            let of = integration.map(|name| format!("?integration={}", encoded(&name)));
            let path = format!("/api/v1/triggers{}", of.unwrap_or_default());
            list(&link.get(&path).await?, json)
        }
        Command::Set { of, state: State::On, json } => set(link, &of, ("on", json)).await,
        Command::Set { of, state: State::Off, json } => set(link, &of, ("off", json)).await,
        Command::Remove { of, json } => set(link, &of, ("removed", json)).await,
    }
}

async fn set(link: &Link, of: &Of, (state, json): (&str, bool)) -> Result<()> {
    let body = json!({ "integration": of.integration, "event": of.event, "state": state });
    let answer = link.post("/api/v1/triggers", &body).await?;
    if json {
        return out::json(&answer);
    }
    let what = if state == "on" { "starts what listens for it" } else { "starts nothing" };
    out::data(&format!("{} of {}: {state}, it {what}", of.event, of.integration))
}

fn list(answer: &Value, json: bool) -> Result<()> {
    if json {
        return out::json(answer);
    }
    let rows: Vec<Vec<String>> =
        answer["triggers"].as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        out::say("nothing is connected over which something comes in");
    }
    out::table(&["INTEGRATION", "EVENT", "STATE", "FROM", "STARTS"], &rows)
}

fn row(row: &Value) -> Vec<String> {
    let starts: Vec<String> = row["starts"].as_array().into_iter().flatten().map(word).collect();
    let gone = if row["connected"] == true { "" } else { " (not connected)" };
    vec![
        word(&row["integration"]),
        word(&row["event"]),
        format!("{}{gone}", word(&row["state"])),
        word(&row["origin"]),
        starts.join(", "),
    ]
}

fn word(value: &Value) -> String {
    visible(value.as_str().unwrap_or_default())
}
