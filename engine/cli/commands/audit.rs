//! `placet audit`: read the log, replay it, verify it. Nothing in here appends anything.

mod csv;
mod log;
mod replay;
mod show;

use crate::exit::{Exit, invalid, refused};
use crate::link::{Found, Target};
use crate::out::{self, Stream, Tone, visible};
use crate::project::Project;
use anyhow::{Context, Result};
use clap::Subcommand;
use placet_log::{Error, Log, OpenOptions};
use serde_json::{Value, json};
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Events, oldest first, by stream, type, actor, time or integration
    Log(log::LogArgs),
    /// Rebuild the projections in memory and compare them with the live ones, or show an earlier state
    Replay(replay::ReplayArgs),
    /// Check every record, index and payload against its digest
    Verify {
        #[arg(long)]
        json: bool,
    },
    /// What a run did, in plain sentences; or one event
    Show(show::ShowArgs),
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
        Command::Log(args) => log::run(&found, args).await,
        Command::Show(args) => show::run(&found, args).await,
        Command::Replay(args) => replay::run(&found, args).await,
        Command::Verify { json } => {
            let answer = out::with_progress("verifying the log", verify(&found)).await?;
            told(&answer, "ok", json, || verify_words(&answer))
        }
        Command::Later(_) => Ok(Exit::Usage),
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
pub(crate) fn open_bare(data: &Path, project: &Project) -> Result<Log> {
    let open = |name: &str| Log::open(OpenOptions::new(data, name));
    let opened = match open(&project.config.project) {
        Err(Error::OtherProject { found, .. }) if project.dir.is_none() => open(&found),
        opened => opened,
    };
    Ok(opened?)
}

/// What the engine's own words say to what was asked of the data.
fn told_by_engine(error: placet_executor::Error) -> anyhow::Error {
    match &error {
        placet_executor::Error::Refused { .. } | placet_executor::Error::Turn(_) => refused(&error),
        _ => error.into(),
    }
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
