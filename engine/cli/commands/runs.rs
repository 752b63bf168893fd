//! `placet start` and `placet runs`.

mod list;
mod verbs;
mod watch;

use crate::commands::run::{ModeArg, input};
use crate::exit::{Exit, invalid};
use crate::link::{Link, Purpose, Target};
use crate::out::{self, Stream, one_line, visible};
use crate::project;
use crate::view;
use anyhow::Result;
use clap::Subcommand;
use placet_model::RunId;
use placet_model::draft::Mode;
use serde_json::{Map, Value, json};
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(crate) struct StartArgs {
    /// A deployed workflow, `namespace/name`, or a file
    #[arg(value_name = "WORKFLOW|FILE")]
    workflow: String,
    /// The workflow's input: JSON, @FILE, or - for stdin; null without it
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    input: Option<String>,
    /// Whether approved bytes leave; the engine's own mode without it
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
    /// What looks random follows from it
    #[arg(long)]
    seed: Option<u64>,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs, newest first; with --by-version how many stand on which version
    List(list::Args),
    /// What happens, as it happens; of one run until it is over, with its result as exit code
    Watch {
        /// The run; every run without it
        run: Option<RunId>,
        #[arg(long)]
        json: bool,
    },
    /// What a run did, and what it waits for
    Show {
        run: RunId,
        #[arg(long)]
        json: bool,
    },
    /// Stop a run; what it asks for is withdrawn
    Cancel {
        run: RunId,
        /// Why; shown with the run
        #[arg(long)]
        reason: Option<String>,
    },
    /// Start a run again that has faulted or was cancelled: a new run with the same input
    Retry { run: RunId },
    /// Send an event that only this run may take
    Signal(verbs::SignalArgs),
    /// Have waiting runs go on under another version; what is open is asked again
    Migrate(verbs::MigrateArgs),
}

pub(crate) async fn start(args: StartArgs) -> Result<Exit> {
    let mut body = Map::new();
    let path = Path::new(&args.workflow);
    if path.is_file() {
        body.insert("file".to_owned(), json!(args.workflow));
        body.insert("source".to_owned(), json!(project::read(path)?.text()));
    } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
        return Err(invalid(format!("there is no file {}", args.workflow)));
    } else {
        body.insert("workflow".to_owned(), json!(args.workflow));
    }
    body.insert("input".to_owned(), input(args.input.as_deref())?);
    body.extend(args.mode.map(|mode| ("mode".to_owned(), json!(Mode::from(mode)))));
    body.extend(args.seed.map(|seed| ("seed".to_owned(), json!(seed))));
    let link = args.target.open(Purpose::Change).await?;
    let started = link.post("/api/v1/runs", &Value::Object(body)).await;
    link.close().await?;
    let started = started?;
    if args.json {
        out::json(&started)?;
    } else {
        out::data(started["run"].as_str().unwrap_or_default())?;
    }
    Ok(Exit::Done)
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let purpose = match args.command {
        Command::List(_) | Command::Show { .. } | Command::Watch { .. } => Purpose::Read,
        Command::Cancel { .. }
        | Command::Retry { .. }
        | Command::Signal(_)
        | Command::Migrate(_) => Purpose::Change,
    };
    let link = args.target.open(purpose).await?;
    let done = act(&link, args.command).await;
    link.close().await?;
    done
}

async fn act(link: &Link, command: Command) -> Result<Exit> {
    match command {
        Command::List(args) => list::run(link, args).await?,
        Command::Watch { run, json } => return watch::run(link, run, json).await,
        Command::Show { run, json } => {
            let report = link.get(&format!("/api/v1/runs/{run}")).await?;
            if json {
                out::json(&report)?;
            } else {
                out::data(&view::trace::text(&report, Stream::Out))?;
                cancelled(&report)?;
            }
        }
        Command::Cancel { run, reason } => {
            let body = json!({ "reason": reason });
            link.post(&format!("/api/v1/runs/{run}/cancel"), &body).await?;
            out::data(&format!("{run} cancelled"))?;
        }
        Command::Retry { run } => verbs::retry(link, run).await?,
        Command::Signal(args) => verbs::signal(link, args).await?,
        Command::Migrate(args) => return verbs::migrate(link, args).await,
    }
    Ok(Exit::Done)
}

/// Who stopped a run, and why.
fn cancelled(report: &Value) -> Result<()> {
    let stopped = &report["cancelled"];
    let Some(by) = stopped["by"].as_str() else { return Ok(()) };
    let reason = stopped["reason"].as_str().map(|reason| format!(": {}", one_line(reason)));
    out::data(&format!("cancelled by {}{}", visible(by), reason.unwrap_or_default()))
}
