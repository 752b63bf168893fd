//! `placet audit`: read the log, replay it, verify it. Only `audit checkpoint` appends: what it signs.

mod checkpoint;
mod csv;
mod export;
mod log;
mod prove;
mod replay;
mod show;
mod verify;

use crate::exit::{Exit, invalid, refused};
use crate::link::{Found, Target};
use crate::out::{self, Stream, Tone};
use crate::project::Project;
use anyhow::{Context, Result};
use clap::Subcommand;
use placet_log::{Error, Log, OpenOptions};
use serde_json::Value;
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
    /// The newest signed head of the log, or its key
    Checkpoint(checkpoint::Args),
    /// The log as files that tools of others verify
    Export(export::Args),
    /// The receipt of one decision, in one file
    Prove(prove::Args),
    /// Check a log, an export or a receipt: every record, index and payload against its digest
    Verify(verify::Args),
    /// What a run did, in plain sentences; or one event
    Show(show::ShowArgs),
    #[command(external_subcommand)]
    Later(Vec<String>),
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    if let Command::Later(words) = &args.command {
        let word = words.first().map_or("", String::as_str);
        return Err(invalid(format!(
            "audit {word} is none of log, show, replay, checkpoint, export, prove and verify"
        )));
    }
    if let Command::Verify(asked) = &args.command {
        return verify::run(&args.target, asked).await;
    }
    let found = args.target.find().await?;
    match args.command {
        Command::Log(args) => log::run(&found, args).await,
        Command::Show(args) => show::run(&found, args).await,
        Command::Replay(args) => replay::run(&found, args).await,
        Command::Checkpoint(args) => checkpoint::run(&found, &args).await,
        Command::Export(args) => export::run(&found, &args).await,
        Command::Prove(args) => prove::run(&found, &args).await,
        Command::Verify(_) | Command::Later(_) => Ok(Exit::Usage),
    }
}

/// Without projections: what the log itself holds can be read even when they cannot.
pub(crate) fn open_bare(data: &Path, project: &Project) -> Result<Log> {
    let open = |name: &str| Log::open(OpenOptions::new(data, name).aside());
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
