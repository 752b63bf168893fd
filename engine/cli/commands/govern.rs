//! Acts of people on a project: `policy`, `pause`, `resume`, and `projections status`.

use crate::compose::{self, Place};
use crate::exit::{Exit, invalid};
use crate::findings::{self, Found as Checked};
use crate::link::{Found, Link, Purpose, Target};
use crate::out;
use crate::project::{self, POLICY_FILE};
use anyhow::Result;
use clap::Subcommand;
use placet_projections::status;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Findings in a policy
    Check {
        #[arg(default_value = POLICY_FILE)]
        file: PathBuf,
        /// How findings are written
        #[arg(long, value_enum, default_value = "text")]
        format: findings::Format,
        /// The same as --format json
        #[arg(long, conflicts_with = "format")]
        json: bool,
    },
    /// Put a policy into force (admin)
    Apply {
        #[arg(default_value = POLICY_FILE)]
        file: PathBuf,
        #[command(flatten)]
        target: Target,
    },
}

pub(crate) async fn policy(args: PolicyArgs) -> Result<Exit> {
    match args.command {
        PolicyCommand::Check { file, format, json } => {
            let source = project::read(&file)?;
            let (_, diagnostics) = project::dev_policy(&source);
            let found = Checked { source, diagnostics };
            let format = if json { findings::Format::Json } else { format };
            findings::show(std::slice::from_ref(&found), format)?;
            Ok(if found.has_errors() { Exit::Negative } else { Exit::Done })
        }
        PolicyCommand::Apply { file, target } => {
            let link = target.open(Purpose::Change).await?;
            let answer = propose(&link, "/api/v1/policy", &file).await;
            link.close().await?;
            let digest = answer?["digest"].as_str().unwrap_or_default().to_owned();
            out::data(&format!("{} is in force ({digest})", file.display()))?;
            Ok(Exit::Done)
        }
    }
}

async fn propose(link: &Link, path: &str, file: &Path) -> Result<Value> {
    let source = project::read(file)?;
    link.post(path, &json!({ "file": source.name(), "source": source.text() })).await
}

#[derive(Debug, clap::Args)]
pub(crate) struct PauseArgs {
    /// Only what goes through this integration
    #[arg(long, value_name = "NAME")]
    integration: Option<String>,
    #[command(flatten)]
    target: Target,
}

/// Whether outbound calls stop or go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Pause,
    Resume,
}

pub(crate) async fn set_flow(args: PauseArgs, flow: Flow) -> Result<Exit> {
    let (path, words) = match flow {
        Flow::Pause => ("/api/v1/pause", "paused: approved requests are held"),
        Flow::Resume => ("/api/v1/resume", "resumed: what was held goes on"),
    };
    let what = args.integration.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
    let link = args.target.open(Purpose::Change).await?;
    let body = match &args.integration {
        Some(name) => json!({ "integration": name }),
        None => json!({}),
    };
    let answer = link.post(path, &body).await;
    link.close().await?;
    answer?;
    out::data(&format!("{what}{words}"))?;
    Ok(Exit::Done)
}

#[derive(Debug, clap::Args)]
pub(crate) struct ProjectionsArgs {
    #[command(subcommand)]
    command: ProjectionsCommand,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum ProjectionsCommand {
    /// How far the derived tables have come
    Status {
        #[arg(long)]
        json: bool,
    },
    #[command(external_subcommand)]
    Later(Vec<String>),
}

pub(crate) async fn projections(args: ProjectionsArgs) -> Result<Exit> {
    let json = match args.command {
        ProjectionsCommand::Status { json } => json,
        ProjectionsCommand::Later(words) => {
            let word = words.first().map_or("", String::as_str);
            return Err(invalid(format!("projections {word} is not built yet")));
        }
    };
    let answer = match args.target.find().await? {
        Found::Engine(link) => {
            // a running engine writes events and tables in one transaction
            let head = link.get("/api/v1/status").await?["head"].clone();
            json!({ "cursor": head, "head": head })
        }
        Found::Data(data, project) => {
            let log = compose::open_log_of(&project, &Place::to_read(data))?;
            let found = status(&log.read()?)?;
            let tables = found.tables.iter().map(|(name, rows)| ((*name).to_owned(), json!(rows)));
            let tables: serde_json::Map<String, Value> = tables.collect();
            json!({ "cursor": found.cursor, "head": found.head, "tables": tables })
        }
    };
    if json {
        out::json(&answer)?;
    } else {
        out::data(&format!("at position {} of {}", answer["cursor"], answer["head"]))?;
        for (name, rows) in answer["tables"].as_object().into_iter().flatten() {
            out::data(&format!("  {name:24} {rows}"))?;
        }
    }
    Ok(Exit::Done)
}
