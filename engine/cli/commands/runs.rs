//! `placet start` and `placet runs`.

use crate::commands::run::{ModeArg, input};
use crate::exit::{Exit, invalid};
use crate::link::{Link, Purpose, Target};
use crate::out::{self, Stream, visible};
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
    /// Runs, newest first
    List {
        /// Only those that stand so
        #[arg(long, value_parser = ["running", "waiting", "completed", "faulted", "cancelled"])]
        status: Option<String>,
        /// `namespace/name`
        #[arg(long)]
        workflow: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
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
        #[arg(long)]
        reason: Option<String>,
    },
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
        Command::List { .. } | Command::Show { .. } => Purpose::Read,
        Command::Cancel { .. } => Purpose::Change,
    };
    let link = args.target.open(purpose).await?;
    let done = act(&link, args.command).await;
    link.close().await?;
    done.map(|()| Exit::Done)
}

async fn act(link: &Link, command: Command) -> Result<()> {
    match command {
        Command::List { status, workflow, limit, json } => {
            let mut query = vec![format!("limit={limit}")];
            query.extend(status.map(|status| format!("status={status}")));
            query.extend(workflow.map(|workflow| format!("workflow={workflow}")));
            let page = link.get(&format!("/api/v1/runs?{}", query.join("&"))).await?;
            if json { out::json(&page) } else { table(&page) }
        }
        Command::Show { run, json } => {
            let report = link.get(&format!("/api/v1/runs/{run}")).await?;
            if json {
                return out::json(&report);
            }
            out::data(&view::trace::text(&report, Stream::Out))
        }
        Command::Cancel { run, reason } => {
            let body = json!({ "reason": reason });
            link.post(&format!("/api/v1/runs/{run}/cancel"), &body).await?;
            out::data(&format!("{run} cancelled"))
        }
    }
}

fn table(page: &Value) -> Result<()> {
    let runs = page["runs"].as_array().or_else(|| page["items"].as_array());
    let cell = |run: &Value, key: &str| match &run[key] {
        Value::Null => String::new(),
        Value::String(text) => visible(text),
        // what it waits for: the kind, and the decision's id
        other => {
            let words = [&other["kind"], &other["decision"]];
            let words = words.map(|word| visible(word.as_str().unwrap_or_default()));
            words.join(" ").trim_end().to_owned()
        }
    };
    let keys = ["run", "workflow", "mode", "status", "waiting_for", "started_at"];
    let rows = runs.into_iter().flatten().map(|run| keys.map(|key| cell(run, key)).to_vec());
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        out::say("there are no runs");
    }
    out::table(&["RUN", "WORKFLOW", "MODE", "STATUS", "WAITS FOR", "STARTED"], &rows)
}
