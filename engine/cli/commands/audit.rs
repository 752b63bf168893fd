//! `placet audit`: read the log, replay it, verify it. Nothing in here appends anything.

use crate::compose::{self, Place};
use crate::exit::{Exit, invalid};
use crate::link::{Found, Link, Target};
use crate::out::{self, Stream, Tone, visible};
use crate::project::Project;
use anyhow::{Context, Result};
use clap::Subcommand;
use placet_executor::public;
use placet_log::{Error, Log, OpenOptions};
use placet_model::{Position, Revision, StreamId};
use placet_projections::{Difference, compare};
use serde_json::{Value, json};
use std::path::Path;

/// Events of one page of a running engine.
const PAGE: usize = 500;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Events, oldest first
    Log {
        /// Only those after this position
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// Only those of this stream, such as `run:run_…`
        #[arg(long)]
        stream: Option<StreamId>,
        /// Only those of this type, such as `VoteCast`
        #[arg(long = "type")]
        kind: Option<String>,
        /// At most so many
        #[arg(long)]
        limit: Option<usize>,
        /// One event a line
        #[arg(long)]
        json: bool,
    },
    /// Rebuild the projections in memory and compare them with the live ones
    Replay {
        #[arg(long)]
        json: bool,
    },
    /// Check every record, index and payload against its digest
    Verify {
        #[arg(long)]
        json: bool,
    },
    /// One event
    Show {
        #[arg(value_parser = clap::value_parser!(u64).range(1..))]
        position: u64,
        #[arg(long)]
        json: bool,
    },
    #[command(external_subcommand)]
    Later(Vec<String>),
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    if let Command::Later(words) = &args.command {
        let word = words.first().map_or("", String::as_str);
        return Err(invalid(format!("audit {word} is not built yet: log, show, replay or verify")));
    }
    let found = args.target.find().await?;
    match args.command {
        Command::Log { after, stream, kind, limit, json } => {
            let wanted = Wanted { after, stream, kind, limit };
            log(&found, wanted, json).await.map(|()| Exit::Done)
        }
        Command::Show { position, json } => {
            let wanted = Wanted {
                after: position.saturating_sub(1),
                stream: None,
                kind: None,
                limit: Some(1),
            };
            show(&found, wanted, json).await.map(|()| Exit::Done)
        }
        Command::Replay { json } => {
            let answer = out::with_progress("replaying the log", replay(&found)).await?;
            told(&answer, "equal", json, || replay_words(&answer))
        }
        Command::Verify { json } => {
            let answer = out::with_progress("verifying the log", verify(&found)).await?;
            told(&answer, "ok", json, || verify_words(&answer))
        }
        Command::Later(_) => Ok(Exit::Usage),
    }
}

/// Which events.
struct Wanted {
    after: u64,
    stream: Option<StreamId>,
    kind: Option<String>,
    limit: Option<usize>,
}

async fn log(found: &Found, wanted: Wanted, json: bool) -> Result<()> {
    let mut shown = 0;
    each(found, wanted, &mut |event| {
        shown += 1;
        if json { out::json(event) } else { out::data(&line(event)) }
    })
    .await?;
    if shown == 0 {
        out::say("there are no such events");
    }
    Ok(())
}

async fn show(found: &Found, wanted: Wanted, json: bool) -> Result<()> {
    let position = wanted.after + 1;
    let mut event = None;
    each(found, wanted, &mut |found| {
        event = Some(found.clone());
        Ok(())
    })
    .await?;
    let event =
        event.ok_or_else(|| invalid(format!("there is no event at position {position}")))?;
    if json { out::json(&event) } else { out::data(&crate::view::request::pretty(&event)) }
}

async fn each(
    found: &Found,
    wanted: Wanted,
    visit: &mut dyn FnMut(&Value) -> Result<()>,
) -> Result<()> {
    match found {
        Found::Engine(link) => pages(link, wanted, visit).await,
        Found::Data(data, project) => {
            let log = open_bare(data, project)?;
            let view = log.read()?;
            let after = Position::new(wanted.after);
            let events: Box<dyn Iterator<Item = _>> = match &wanted.stream {
                None => Box::new(view.events(after.next())),
                Some(stream) => Box::new(view.stream(stream, Revision::START)),
            };
            let mut left = wanted.limit.unwrap_or(usize::MAX);
            for event in events {
                let event = event?;
                let fits =
                    wanted.kind.as_deref().is_none_or(|kind| kind == event.event.type_name());
                if event.position <= after || !fits {
                    continue;
                }
                if left == 0 {
                    break;
                }
                left -= 1;
                visit(&public::render(&event))?;
            }
            Ok(())
        }
    }
}

async fn pages(
    link: &Link,
    wanted: Wanted,
    visit: &mut dyn FnMut(&Value) -> Result<()>,
) -> Result<()> {
    let mut left = wanted.limit.unwrap_or(usize::MAX);
    let mut after = json!(wanted.after);
    while left > 0 {
        let mut query = vec![format!("after={after}"), format!("limit={}", left.min(PAGE))];
        query.extend(wanted.stream.as_ref().map(|stream| format!("stream={stream}")));
        query.extend(wanted.kind.as_ref().map(|kind| format!("type={kind}")));
        let page = link.get(&format!("/api/v1/audit/events?{}", query.join("&"))).await?;
        for event in page["events"].as_array().into_iter().flatten() {
            left -= 1;
            visit(event)?;
        }
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    Ok(())
}

/// `position  time  type  stream  actor`.
fn line(event: &Value) -> String {
    let word = |key: &str| visible(event[key].as_str().unwrap_or_default());
    let position = event["position"].to_string();
    let (at, kind, stream) = (word("recorded_at"), word("type"), word("stream"));
    format!("{position:>6}  {at}  {kind:20}  {stream}  {}", word("actor"))
}

async fn replay(found: &Found) -> Result<Value> {
    match found {
        Found::Engine(link) => link.get("/api/v1/audit/replay").await,
        Found::Data(data, project) => {
            let log = compose::open_log_of(project, &Place::to_read(data))?;
            let view = log.read()?;
            let position = view.head().position();
            match compare(&view) {
                Ok(()) => Ok(json!({ "equal": true, "position": position })),
                Err(Difference::Unreadable { source }) => Err(source.into()),
                Err(found) => Ok(json!({
                    "equal": false,
                    "position": position,
                    "difference": found.to_string(),
                })),
            }
        }
    }
}

async fn verify(found: &Found) -> Result<Value> {
    match found {
        Found::Engine(link) => link.post("/api/v1/audit/verify", &json!({})).await,
        Found::Data(data, project) => match open_bare(data, project).and_then(|log| {
            let verified = log.read()?.verify()?;
            Ok(json!({
                "ok": true,
                "events": verified.events,
                "payloads": verified.payloads,
                "erased": verified.erased,
                "root": verified.root,
            }))
        }) {
            Ok(answer) => Ok(answer),
            Err(error) => damage(error),
        },
    }
}

/// The first damage as an answer; an error that says nothing about the log stays one.
fn damage(error: anyhow::Error) -> Result<Value> {
    let position = match error.downcast_ref::<Error>() {
        Some(
            Error::Damaged { position, .. }
            | Error::UnknownEvent { position, .. }
            | Error::KeyLost { position, .. },
        ) => Some(*position),
        Some(Error::DamagedIndex { .. }) => None,
        _ => return Err(error),
    };
    let detail = format!("{error:#}");
    Ok(json!({ "ok": false, "code": "PL1003", "position": position, "detail": detail }))
}

/// Without projections: what the log itself holds can be read even when they cannot.
fn open_bare(data: &Path, project: &Project) -> Result<Log> {
    let open = |name: &str| Log::open(OpenOptions::new(data, name).aside());
    let opened = match open(&project.config.project) {
        Err(Error::OtherProject { found, .. }) if project.dir.is_none() => open(&found),
        opened => opened,
    };
    Ok(opened?)
}

fn told(answer: &Value, key: &str, json: bool, words: impl Fn() -> String) -> Result<Exit> {
    let good = answer[key].as_bool().context("the answer says neither yes nor no")?;
    if json {
        out::json(answer)?;
    } else {
        let tone = if good { Tone::Good } else { Tone::Bad };
        out::data(&Stream::Out.paint(tone, &words()))?;
    }
    Ok(if good { Exit::Done } else { Exit::Negative })
}

fn replay_words(answer: &Value) -> String {
    match answer["difference"].as_str() {
        None => format!(
            "equal: the projections are what the log gives, to position {}",
            answer["position"]
        ),
        Some(difference) => format!("different: {}", visible(difference)),
    }
}

fn verify_words(answer: &Value) -> String {
    if answer["ok"] == true {
        let count = |key: &str| answer[key].to_string();
        let root = answer["root"].as_str().unwrap_or_default();
        return format!(
            "whole: {} events, {} payloads, {} erased; root {root}",
            count("events"),
            count("payloads"),
            count("erased"),
        );
    }
    let detail = visible(answer["detail"].as_str().unwrap_or_default());
    match answer["position"].as_u64() {
        Some(position) => format!("damaged at position {position}: {detail}"),
        None => format!("damaged: {detail}"),
    }
}
