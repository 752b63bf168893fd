//! Acts of people on a project: `policy`, `pause`, `resume`.

use super::policy;
use crate::exit::Exit;
use crate::findings::{self, Found as Checked};
use crate::link::{Link, Purpose, Target};
use crate::out;
use crate::project::{self, POLICY_FILE};
use anyhow::Result;
use clap::Subcommand;
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
    /// What a policy would ask for, on the requests of the log; nothing is recorded
    Test {
        #[arg(default_value = POLICY_FILE)]
        file: PathBuf,
        /// Only this request
        #[arg(long, value_name = "ID")]
        decision: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        target: Target,
    },
    /// The policy in force, as JSON, with the votes given in advance
    Show {
        #[command(flatten)]
        target: Target,
    },
    /// Give your vote in advance, under a standing approval of the policy in force
    Endorse {
        /// Name of the standing approval
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// What was sent in an emergency and nobody has looked at
    Emergencies {
        #[command(flatten)]
        target: Target,
    },
    /// Say of what was sent in an emergency whether it was one
    Review {
        /// The decision
        id: String,
        /// What you say
        #[arg(value_parser = ["justified", "objected"])]
        review: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        target: Target,
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
            let answer = answer?;
            for found in answer["diagnostics"].as_array().into_iter().flatten() {
                let (line, words) = (&found["line"], found["message"].as_str().unwrap_or_default());
                out::say(&format!("{}:{line}: {words}", file.display()));
            }
            let digest = answer["digest"].as_str().unwrap_or_default().to_owned();
            out::data(&format!("{} is in force ({digest})", file.display()))?;
            Ok(Exit::Done)
        }
        PolicyCommand::Test { file, decision, json, target } => {
            policy::test(&file, (decision, json), &target).await
        }
        PolicyCommand::Show { target } => policy::show(&target, "/api/v1/policy").await,
        PolicyCommand::Emergencies { target } => policy::show(&target, "/api/v1/emergencies").await,
        PolicyCommand::Endorse { name, target } => {
            let path = format!("/api/v1/policy/standing/{name}/endorse");
            policy::act(&target, (&path, json!({}))).await?;
            out::data(&format!("your vote is given in advance under {name:?}"))?;
            Ok(Exit::Done)
        }
        PolicyCommand::Review { id, review, reason, target } => {
            let path = format!("/api/v1/emergencies/{id}/review");
            policy::act(&target, (&path, json!({ "review": review, "reason": reason }))).await?;
            out::data(&format!("{id} is reviewed: {review}"))?;
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
