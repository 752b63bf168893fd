//! `placet projections`: how the derived tables stand, and making them again from the log.

use super::audit::open_bare;
use crate::exit::Exit;
use crate::link::{Found, Link, Target};
use crate::out::{self, Progress, Stream, Tone};
use crate::project::Project;
use anyhow::{Context, Result, anyhow};
use clap::Subcommand;
use placet_projections::{rebuild, status};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// How an engine's rebuild is: told when it has ended, and every second how far it is until then.
const FOLLOW: &str = "/api/v1/projections?wait=1";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How far the derived tables have come
    Status {
        #[arg(long)]
        json: bool,
    },
    /// Make them again from the log, beside the live ones, and switch (operator); Ctrl-C leaves the live ones as they are
    Rebuild {
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let found = args.target.find().await?;
    match args.command {
        Command::Status { json } => show_status(&found, json).await,
        Command::Rebuild { json } => {
            let ended = match &found {
                Found::Engine(link) => on_engine(link).await?,
                Found::Data(data, project) => on_data(data, project).await?,
            };
            ended.tell(json)
        }
    }
}

async fn show_status(found: &Found, json: bool) -> Result<Exit> {
    let answer = match found {
        Found::Engine(link) => link.get("/api/v1/projections").await?,
        Found::Data(data, project) => {
            // without the projections: nothing is folded, and tables that are damaged can be told of
            let log = open_bare(data, project)?;
            let found = status(&log.read()?)?;
            let tables = found.tables.iter().map(|(name, rows)| ((*name).to_owned(), json!(rows)));
            let tables: serde_json::Map<String, Value> = tables.collect();
            json!({ "cursor": found.cursor, "head": found.head, "tables": tables })
        }
    };
    if json {
        out::json(&answer)?;
        return Ok(Exit::Done);
    }
    out::data(&format!("at position {} of {}", answer["cursor"], answer["head"]))?;
    for (name, rows) in answer["tables"].as_object().into_iter().flatten() {
        out::data(&format!("  {name:24} {rows}"))?;
    }
    if let Some(state) = answer["rebuild"]["state"].as_str() {
        let (events, head) = (&answer["rebuild"]["events"], &answer["rebuild"]["head"]);
        out::data(&format!("last rebuild: {state}, {events} of {head} events"))?;
    }
    Ok(Exit::Done)
}

/// How a rebuild ended.
#[derive(Debug)]
enum Ended {
    Done { events: u64, cursor: u64 },
    Cancelled,
}

impl Ended {
    fn tell(&self, json: bool) -> Result<Exit> {
        let (answer, tone, words, exit) = match self {
            Self::Done { events, cursor } => (
                json!({ "rebuilt": true, "events": events, "cursor": cursor }),
                Tone::Good,
                format!("rebuilt: {events} events, to position {cursor}"),
                Exit::Done,
            ),
            Self::Cancelled => (
                json!({ "rebuilt": false }),
                Tone::Warn,
                "cancelled: the tables are as they were".to_owned(),
                Exit::Negative,
            ),
        };
        if json {
            out::json(&answer)?;
        } else {
            out::data(&Stream::Out.paint(tone, &words))?;
        }
        Ok(exit)
    }
}

const fn progress() -> Progress {
    Progress::new("rebuilding the projections", "events")
}

async fn on_engine(link: &Link) -> Result<Ended> {
    let begun = link.post("/api/v1/projections/rebuild", &json!({})).await?;
    let mut bar = progress();
    let mut told = link.get("/api/v1/projections").await?;
    loop {
        let rebuild = told["rebuild"].take();
        if rebuild["id"] != begun["id"] {
            return Err(anyhow!(
                "the engine was started again meanwhile: its tables are as they were"
            ));
        }
        let count = |key: &str| rebuild[key].as_u64().unwrap_or_default();
        let (events, head) = (count("events"), count("head"));
        bar.at(events, head);
        match rebuild["state"].as_str().context("the engine does not say how the rebuild is")? {
            "running" => {}
            "done" => {
                bar.end();
                return Ok(Ended::Done { events, cursor: head });
            }
            "cancelled" => {
                bar.end();
                return Ok(Ended::Cancelled);
            }
            _ => {
                bar.end();
                let detail = rebuild["detail"].as_str().unwrap_or_default();
                return Err(anyhow!("the rebuild failed, the tables are as they were: {detail}"));
            }
        }
        told = tokio::select! {
            told = link.get(FOLLOW) => told?,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                link.post("/api/v1/projections/rebuild/cancel", &json!({})).await?;
                link.get(FOLLOW).await?
            }
        };
    }
}

/// Also where the tables are too damaged to be opened with: the log is opened without them.
async fn on_data(data: &Path, project: &Project) -> Result<Ended> {
    let log = open_bare(data, project)?;
    let head = log.head().get();
    let (told, mut news) = watch::channel((0, head));
    let cancelled = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&cancelled);
    let work = tokio::task::spawn_blocking(move || {
        rebuild(&log, |progress| {
            told.send_replace((progress.events, progress.head.get()));
            if asked.load(Ordering::Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
    });
    let mut work = std::pin::pin!(work);
    let mut bar = progress();
    bar.at(0, head);
    let ended = loop {
        tokio::select! {
            ended = &mut work => break ended,
            Ok(()) = news.changed() => {
                let (events, head) = *news.borrow_and_update();
                bar.at(events, head);
            }
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                cancelled.store(true, Ordering::Relaxed);
            }
        }
    };
    let made = ended.context("the rebuild panicked")??;
    if let Some(made) = made {
        bar.at(made.events, made.cursor.get());
    }
    bar.end();
    Ok(made.map_or(Ended::Cancelled, |made| Ended::Done {
        events: made.events,
        cursor: made.cursor.get(),
    }))
}
