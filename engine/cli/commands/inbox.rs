//! `placet inbox`: what waits for a decision, and deciding it. Over HTTP, over NATS, or on data
//! that no engine has open.

mod desk;
mod list;
mod stats;
mod watch;

use crate::exit::{Exit, invalid};
use crate::link::{Purpose, Target};
use crate::out::{self, Stream, visible};
use crate::signing::{Given, Terms};
use crate::view;
use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use desk::Desk;
use placet_model::decision::Resolution;
use placet_model::signed::{Item, Said};
use placet_model::{DecisionId, Digest, Principal};
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
    /// What waits, gravest first
    List(list::ListArgs),
    /// One card: what will be sent, where, as whom
    Show {
        decision: DecisionId,
        #[arg(long)]
        json: bool,
    },
    /// Send exactly this; several of one kind at once, each card shown
    Approve(Votes),
    /// Do not send
    Reject(Votes),
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
    /// How people decide: how much, how fast, and what became of it
    Stats(stats::StatsArgs),
    /// Replace what would be sent; somebody else approves it then
    Edit {
        decision: DecisionId,
        /// The new `with`, whole: JSON, @FILE or - for standard input
        #[arg(long, value_name = "JSON|@FILE|-")]
        with: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        seen: Seen,
    },
    /// Name who is to decide instead, among those who may
    Reassign {
        decision: DecisionId,
        /// Users or groups
        #[arg(long, required = true, value_delimiter = ',', value_name = "NAME")]
        to: Vec<Principal>,
        /// Why
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        seen: Seen,
    },
}

#[derive(Debug, clap::Args)]
struct Votes {
    #[arg(required = true, value_name = "DECISION")]
    decisions: Vec<DecisionId>,
    /// Why
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    seen: Seen,
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
    const fn resolution(self) -> Resolution {
        match self {
            Self::Sent => Resolution::Sent,
            Self::NotSent => Resolution::NotSent,
            Self::GiveUp => Resolution::GiveUp,
        }
    }

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
        Command::List(_) | Command::Show { .. } | Command::Watch { .. } | Command::Stats(_) => {
            Purpose::Read
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
        Command::List(args) => list::run(desk, args).await?,
        Command::Show { decision, json } => {
            let card = desk.card(decision).await?;
            if json {
                out::json(&card)?;
            } else {
                out::data(&view::card::text(&card, desk.now(), Stream::Out))?;
            }
        }
        Command::Approve(votes) => return say(desk, "approve", votes).await,
        Command::Reject(votes) => return say(desk, "reject", votes).await,
        Command::Withdraw(vote) => decide(desk, "withdraw", vote, Map::new()).await?,
        Command::BreakGlass(vote) => decide(desk, "break_glass", vote, Map::new()).await?,
        Command::Respond { decision, text, seen } => {
            let vote = Vote { decision, reason: Some(text), seen };
            decide(desk, "respond", vote, Map::new()).await?;
        }
        Command::Resolve { decision, became } => {
            let card = desk.card(decision).await?;
            let said = Said::Resolution(became.resolution());
            let items = vec![item_of(decision, &card)?];
            let answer = match signed(desk, &card, (items, said), Given::default())? {
                Some(envelope) => desk.hand_in(decision, envelope).await?,
                None => desk.decide(decision, became.word(), ballot(desk, &card, None)).await?,
            };
            out::data(&format!("{} at position {}", became.word(), answer["position"]))?;
        }
        Command::Watch { json } => watch::run(desk, json).await?,
        Command::Stats(args) => stats::run(desk, args).await?,
        Command::Edit { decision, with, reason, seen } => {
            let with = crate::commands::run::json_of("--with", &with)?;
            let more = Map::from_iter([("with".to_owned(), with)]);
            decide(desk, "edit", Vote { decision, reason, seen }, more).await?;
        }
        Command::Reassign { decision, to, reason, seen } => {
            let more = Map::from_iter([("to".to_owned(), json!(to))]);
            decide(desk, "reassign", Vote { decision, reason, seen }, more).await?;
        }
    }
    Ok(Exit::Done)
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

/// One vote, or one act for several.
async fn say(desk: &Desk, verdict: &str, votes: Votes) -> Result<Exit> {
    let Votes { decisions, reason, seen } = votes;
    match decisions[..] {
        [decision] => {
            decide(desk, verdict, Vote { decision, reason, seen }, Map::new()).await?;
            Ok(Exit::Done)
        }
        _ if seen.digest.is_some() => Err(invalid("--digest names the card of one decision")),
        _ => together(desk, verdict, (&decisions, reason), seen.json).await,
    }
}

/// Several in one act: every card is shown, each digest is bound by itself.
async fn together(
    desk: &Desk,
    verdict: &str,
    (decisions, reason): (&[DecisionId], Option<String>),
    json: bool,
) -> Result<Exit> {
    let (mut items, mut last) = (vec![], Value::Null);
    for decision in decisions {
        last = desk.card(*decision).await?;
        if !json {
            out::say(&view::card::text(&last, desk.now(), Stream::Err));
        }
        items.push(item_of(*decision, &last)?);
    }
    let given = Given { reason: reason.as_deref(), with: None };
    let said = Said::Vote(verdict.parse()?);
    let answer = if let Some(envelope) = signed(desk, &last, (items.clone(), said), given)? {
        desk.hand_in_all(envelope).await?
    } else {
        let items: Vec<_> = items.iter().map(Item::to_value).collect();
        let mut ballot = ballot(desk, &Value::Null, reason);
        ballot.remove("digest");
        ballot.insert("items".to_owned(), json!(items));
        desk.decide_all(verdict, ballot).await?
    };
    if json {
        out::json(&answer)?;
    }
    let mut refused = 0;
    for item in answer["items"].as_array().into_iter().flatten() {
        let id = visible(item["decision"].as_str().unwrap_or_default());
        let line = match item["error"]["code"].as_str() {
            Some(code) => {
                refused += 1;
                let detail = visible(item["error"]["detail"].as_str().unwrap_or_default());
                format!("{id} refused: {code} {detail}")
            }
            None => format!("{id} {verdict}: {}", item["state"].as_str().unwrap_or_default()),
        };
        if !json {
            out::data(&line)?;
        }
    }
    Ok(if refused == 0 { Exit::Done } else { Exit::Negative })
}

/// Fetches the card first, unless the digest that was seen is named: a vote is for exact bytes.
async fn decide(desk: &Desk, verdict: &str, vote: Vote, more: Map<String, Value>) -> Result<()> {
    let Vote { decision, reason, seen } = vote;
    let mut card = match desk.card(decision).await {
        // somebody who may not see it is told so by the vote
        Err(_unseen) if seen.digest.is_some() => Value::Null,
        card => card?,
    };
    if let Some(digest) = seen.digest {
        card["digest"] = json!(digest);
    } else if !seen.json {
        out::say(&view::card::text(&card, desk.now(), Stream::Err));
    }
    let said = Said::Vote(verdict.parse()?);
    let items = vec![item_of(decision, &card)?];
    let given = Given { reason: reason.as_deref(), with: signed_with(verdict, &more) };
    let answer = if let Some(envelope) = signed(desk, &card, (items, said), given)? {
        desk.hand_in(decision, envelope).await?
    } else {
        let mut ballot = ballot(desk, &card, reason);
        ballot.extend(more);
        desk.decide(decision, verdict, ballot).await?
    };
    if seen.json {
        return out::json(&answer);
    }
    let state = answer["state"].as_str().unwrap_or_default();
    let words = match state {
        "requested" if verdict == "reassign" => "recorded",
        "requested" => "recorded; further votes are needed",
        state => state,
    };
    out::data(&format!("{verdict}: {words} (position {})", answer["position"]))?;
    if let Some(next) = answer["successor"].as_str() {
        let next = visible(next);
        out::say(&format!(
            "what you have written waits for somebody else: placet inbox show {next}"
        ));
        return out::data(&next);
    }
    out::say(&format!("its receipt: placet audit prove {decision}"));
    Ok(())
}

/// What a vote holds that nobody signs.
fn ballot(desk: &Desk, card: &Value, reason: Option<String>) -> Map<String, Value> {
    let mut ballot = Map::new();
    ballot.insert("digest".to_owned(), card["digest"].clone());
    ballot.insert("nonce".to_owned(), json!(desk::nonce()));
    ballot.insert("time".to_owned(), json!(desk.now()));
    ballot.extend(reason.map(|reason| ("reason".to_owned(), json!(reason))));
    ballot
}

fn item_of(decision: DecisionId, card: &Value) -> Result<Item> {
    let digest: Digest = card["digest"].as_str().unwrap_or_default().parse()?;
    Ok(Item::new(decision, digest))
}

/// What is signed of that which belongs to the verdict: the new `with`, or whom it is left to.
fn signed_with(verdict: &str, more: &Map<String, Value>) -> Option<Value> {
    match verdict {
        "edit" => more.get("with").cloned(),
        "reassign" => Some(Value::Object(more.clone())),
        _ => None,
    }
}

/// The signed decision, where there is a seed on this machine for a key that the engine knows.
fn signed(
    desk: &Desk,
    card: &Value,
    (items, said): (Vec<Item>, Said),
    given: Given<'_>,
) -> Result<Option<Map<String, Value>>> {
    let Some(terms) = Terms::of(card) else { return Ok(None) };
    let Some(seed) = terms.seed()? else { return Ok(None) };
    terms.sign(&seed, (items, said), given, desk.now()).map(Some)
}
