//! `placet runs signal`, `retry` and `migrate`.

use crate::commands::run::json_of;
use crate::exit::{Exit, Refused, invalid, report};
use crate::link::Link;
use crate::out;
use anyhow::Result;
use placet_model::RunId;
use serde_json::{Map, Value, json};

#[derive(Debug, clap::Args)]
pub(super) struct SignalArgs {
    /// The run that may take it
    run: RunId,
    /// Type of the event
    #[arg(long = "type", value_name = "TYPE")]
    kind: String,
    /// Where it comes from; this user without it
    #[arg(long)]
    source: Option<String>,
    /// Its id: the same source and id again is the same event
    #[arg(long)]
    id: Option<String>,
    /// Its data: JSON, @FILE, or - for stdin (--data is where the engine keeps its own)
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    payload: Option<String>,
}

/// Sends an event to one run.
pub(super) async fn signal(link: &Link, args: SignalArgs) -> Result<()> {
    let mut event = Map::new();
    event.insert("type".to_owned(), json!(args.kind));
    event.extend(args.source.map(|source| ("source".to_owned(), json!(source))));
    event.extend(args.id.map(|id| ("id".to_owned(), json!(id))));
    if let Some(payload) = args.payload.as_deref() {
        event.insert("data".to_owned(), json_of("--payload", payload)?);
    }
    let path = format!("/api/v1/runs/{}/signal", args.run);
    let answer = link.post(&path, &Value::Object(event)).await?;
    out::data(&format!("{} at position {}", args.kind, answer["position"]))
}

/// Starts a run again that has faulted or was cancelled.
pub(super) async fn retry(link: &Link, run: RunId) -> Result<()> {
    let answer = link.post(&format!("/api/v1/runs/{run}/retry"), &json!({})).await?;
    out::data(answer["run"].as_str().unwrap_or_default())
}

#[derive(Debug, clap::Args)]
pub(super) struct MigrateArgs {
    /// The runs
    #[arg(required_unless_present = "workflow")]
    runs: Vec<RunId>,
    /// Every waiting run of this workflow, `namespace/name`
    #[arg(long, value_name = "NAME", conflicts_with = "runs")]
    workflow: Option<String>,
    /// The version to go on under; the one that was deployed last without it
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
}

/// Has waiting runs go on under another version. Says of each run what became of it.
pub(super) async fn migrate(link: &Link, args: MigrateArgs) -> Result<Exit> {
    let runs = match &args.workflow {
        None => args.runs.clone(),
        Some(workflow) => waiting(link, workflow).await?,
    };
    if runs.is_empty() {
        out::say("no run of it waits");
    }
    let mut exit = Exit::Done;
    for run in runs {
        let body = json!({ "version": args.to });
        match link.post(&format!("/api/v1/runs/{run}/migrate"), &body).await {
            Ok(answer) => {
                let workflow = answer["workflow"].as_str().unwrap_or_default();
                out::data(&format!(
                    "{run} goes on under {workflow}; what was open is asked again"
                ))?;
            }
            Err(error) if error.is::<Refused>() => {
                report(&error);
                exit = Exit::Negative;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(exit)
}

async fn waiting(link: &Link, workflow: &str) -> Result<Vec<RunId>> {
    if !workflow.contains('/') || workflow.contains('@') {
        return Err(invalid(format!("{workflow} is no namespace/name of a workflow")));
    }
    let (mut runs, mut before) = (vec![], String::new());
    loop {
        let path = format!("/api/v1/runs?status=waiting&workflow={workflow}&limit=200{before}");
        let page = link.get(&path).await?;
        let rows = page["runs"].as_array().cloned().unwrap_or_default();
        runs.extend(rows.iter().filter_map(|row| row["run"].as_str()?.parse::<RunId>().ok()));
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => return Ok(runs),
        }
    }
}
