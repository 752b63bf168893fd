//! `placet inbox`: what waits for a decision, and deciding it. Over HTTP, over NATS, or on data
//! that no engine has open.

mod desk;
mod watch;

use crate::exit::{Exit, invalid};
use crate::link::{Purpose, Target};
use crate::out::{self, Stream, visible};
use crate::view;
use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use desk::Desk;
use placet_model::{DecisionId, Digest};
use serde_json::{Map, Value, json};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    way: Way,
}

/// How to get to the inbox.
#[derive(Debug, clap::Args)]
struct Way {
    #[command(flatten)]
    target: Target,
    /// The NATS server to ask, as the user of --as
    #[arg(long, value_name = "URL", global = true)]
    nats: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What waits
    List {
        /// Every open item, not only those that wait for you
        #[arg(long)]
        all: bool,
        #[arg(long)]
        json: bool,
    },
    /// One card: what will be sent, where, as whom
    Show {
        decision: DecisionId,
        #[arg(long)]
        json: bool,
    },
    /// Send exactly this
    Approve(Vote),
    /// Do not send
    Reject(Vote),
    /// Send it back with feedback
    Respond {
        decision: DecisionId,
        /// What should be different
        #[arg(long)]
        text: String,
        #[command(flatten)]
        seen: Seen,
    },
    /// Take it back (requester, operator)
    Withdraw(Vote),
    /// Send it alone in an emergency; somebody else will ask why (those named by the policy)
    BreakGlass(Vote),
    /// Say what became of an attempt in doubt
    Resolve { decision: DecisionId, became: Became },
    /// New items as they come
    Watch {
        #[arg(long)]
        json: bool,
    },
    /// Not built yet
    #[command(hide = true)]
    Edit(Rest),
    /// Not built yet
    #[command(hide = true)]
    Reassign(Rest),
}

#[derive(Debug, clap::Args)]
struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _rest: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct Vote {
    decision: DecisionId,
    /// Why
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    seen: Seen,
}

#[derive(Debug, clap::Args)]
struct Seen {
    /// The digest of the card that you have seen; without it the one of now
    #[arg(long)]
    digest: Option<Digest>,
    #[arg(long)]
    json: bool,
}

/// What became of an attempt in doubt.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Became {
    /// It was sent
    Sent,
    /// It was not sent: ask again with a new draft
    NotSent,
    /// Nobody can tell: the task faults
    GiveUp,
}

impl Became {
    const fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::NotSent => "not_sent",
            Self::GiveUp => "give_up",
        }
    }
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let purpose = match args.command {
        Command::List { .. } | Command::Show { .. } | Command::Watch { .. } => Purpose::Read,
        Command::Edit(_) | Command::Reassign(_) => {
            return Err(invalid("this verdict is not built yet: approve, reject or respond"));
        }
        _ => Purpose::Change,
    };
    let desk = match &args.way.nats {
        Some(url) => Desk::over_nats(url, &args.way.target).await?,
        None => Desk::Engine(args.way.target.open(purpose).await?),
    };
    let done = act(&desk, args.command).await;
    desk.close().await?;
    done
}

async fn act(desk: &Desk, command: Command) -> Result<Exit> {
    match command {
        Command::List { all, json } => list(desk, all.then_some("all"), json).await?,
        Command::Show { decision, json } => {
            let card = desk.card(decision).await?;
            if json {
                out::json(&card)?;
            } else {
                out::data(&view::card::text(&card, desk.now(), Stream::Out))?;
            }
        }
        Command::Approve(vote) => decide(desk, "approve", vote).await?,
        Command::Reject(vote) => decide(desk, "reject", vote).await?,
        Command::Withdraw(vote) => decide(desk, "withdraw", vote).await?,
        Command::BreakGlass(vote) => decide(desk, "break_glass", vote).await?,
        Command::Respond { decision, text, seen } => {
            decide(desk, "respond", Vote { decision, reason: Some(text), seen }).await?;
        }
        Command::Resolve { decision, became } => {
            let answer = desk.decide(decision, became.word(), Map::new()).await?;
            out::data(&format!("{} at position {}", became.word(), answer["position"]))?;
        }
        Command::Watch { json } => watch::run(desk, json).await?,
        Command::Edit(_) | Command::Reassign(_) => {}
    }
    Ok(Exit::Done)
}

async fn list(desk: &Desk, filter: Option<&str>, json: bool) -> Result<()> {
    let mut items = vec![];
    let mut cursor = Value::Null;
    loop {
        let page = desk.page(filter, cursor.as_str()).await?;
        items.extend(page["items"].as_array().cloned().unwrap_or_default());
        cursor = page["next"].clone();
        if cursor.is_null() {
            break;
        }
    }
    if json {
        return out::json(&json!({ "items": items, "next": null }));
    }
    if items.is_empty() {
        out::say("nothing waits for you");
        return Ok(());
    }
    let rows: Vec<Vec<String>> = items.iter().map(row).collect();
    out::table(&["DECISION", "STATE", "MODE", "SUMMARY", "NEEDS", "EXPIRES"], &rows)
}

/// An item as one line.
fn row(item: &Value) -> Vec<String> {
    let word = |key: &str| visible(item[key].as_str().unwrap_or_default()).replace('\n', " ");
    let missing = item["missing"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let needed = match item["hold"].as_str() {
        Some(hold) => format!("held: {}", visible(hold)),
        None => missing.map(visible).collect::<Vec<_>>().join("; "),
    };
    vec![word("id"), word("state"), word("mode"), word("summary"), needed, word("expires_at")]
}

/// Fetches the card first, unless the digest that was seen is named: a vote is for exact bytes.
async fn decide(desk: &Desk, verdict: &str, vote: Vote) -> Result<()> {
    let Vote { decision, reason, seen } = vote;
    let digest = if let Some(digest) = seen.digest {
        digest.to_string()
    } else {
        let card = desk.card(decision).await?;
        if !seen.json {
            out::say(&view::card::text(&card, desk.now(), Stream::Err));
        }
        card["digest"].as_str().unwrap_or_default().to_owned()
    };
    let mut ballot = Map::new();
    ballot.insert("digest".to_owned(), json!(digest));
    ballot.insert("nonce".to_owned(), json!(desk::nonce()));
    ballot.insert("time".to_owned(), json!(desk.now()));
    if let Some(reason) = reason {
        ballot.insert("reason".to_owned(), json!(reason));
    }
    let answer = desk.decide(decision, verdict, ballot).await?;
    if seen.json {
        return out::json(&answer);
    }
    let state = answer["state"].as_str().unwrap_or_default();
    let words = match state {
        "requested" => "recorded; further votes are needed",
        state => state,
    };
    out::data(&format!("{verdict}: {words} (position {})", answer["position"]))?;
    out::say(&format!("its receipt: placet audit prove {decision}"));
    Ok(())
}
