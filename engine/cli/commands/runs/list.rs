//! `placet runs list`: runs, or how many of them stand on which version.

use crate::link::{Link, encoded};
use crate::out::{self, visible};
use anyhow::Result;
use placet_model::{Principal, RunId};
use serde_json::Value;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many runs that are not over stand on which version
    #[arg(long, conflicts_with_all = ["status", "version", "run_mode", "requester", "waiting_for", "before", "limit"])]
    by_version: bool,
    /// Only those that stand so
    #[arg(long, value_parser = ["running", "waiting", "completed", "faulted", "cancelled"])]
    status: Option<String>,
    /// `namespace/name`
    #[arg(long)]
    workflow: Option<String>,
    /// Of this version of their workflow
    #[arg(long)]
    version: Option<String>,
    /// Of this mode
    #[arg(id = "run_mode", long = "mode", value_parser = ["sandbox", "live"])]
    mode: Option<String>,
    /// Caused by this user, agent or service
    #[arg(long, value_name = "NAME")]
    requester: Option<Principal>,
    /// What they wait for
    #[arg(long, value_parser = ["decision", "timer", "answer", "deferred", "in_doubt", "event", "run"])]
    waiting_for: Option<String>,
    /// Older than this run: the next page
    #[arg(long, value_name = "RUN")]
    before: Option<RunId>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn run(link: &Link, args: Args) -> Result<()> {
    if args.by_version {
        return by_version(link, &args).await;
    }
    let mut query = vec![format!("limit={}", args.limit)];
    let mut add = |name: &str, value: Option<String>| {
        query.extend(value.map(|value| format!("{name}={}", encoded(&value))));
    };
    add("status", args.status);
    add("workflow", args.workflow);
    add("version", args.version);
    add("mode", args.mode);
    add("requester", args.requester.map(|name| name.to_string()));
    add("waiting_for", args.waiting_for);
    add("before", args.before.map(|run| run.to_string()));
    let page = link.get(&format!("/api/v1/runs?{}", query.join("&"))).await?;
    if args.json { out::json(&page) } else { table(&page) }
}

async fn by_version(link: &Link, args: &Args) -> Result<()> {
    let query = args.workflow.as_ref().map(|name| format!("?workflow={}", encoded(name)));
    let path = format!("/api/v1/runs/by-version{}", query.unwrap_or_default());
    let list = link.get(&path).await?;
    if args.json {
        return out::json(&list);
    }
    let text = |row: &Value, key: &str| visible(row[key].as_str().unwrap_or_default());
    let row = |row: &Value| {
        let kinds = row["waiting_for"].as_object().into_iter().flatten();
        let kinds: Vec<String> = kinds.map(|(kind, count)| format!("{count} {kind}")).collect();
        let latest = if row["latest"] == true { "latest" } else { "" };
        let plan: String = text(row, "plan_digest").chars().take(19).collect();
        vec![
            text(row, "workflow"),
            plan,
            latest.to_owned(),
            row["running"].to_string(),
            row["waiting"].to_string(),
            kinds.join(", "),
            text(row, "oldest_started_at"),
        ]
    };
    let rows: Vec<Vec<String>> =
        list["versions"].as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        out::say("no run stands on any version");
    }
    out::table(&["WORKFLOW", "PLAN", "", "RUNNING", "WAITING", "FOR", "OLDEST"], &rows)
}

fn table(page: &Value) -> Result<()> {
    let runs = page["runs"].as_array();
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
    let next = page["next"].as_str();
    match next {
        Some(next) => out::say(&format!("there are more: --before {next}")),
        None if rows.is_empty() => out::say("there are no runs"),
        None => {}
    }
    out::table(&["RUN", "WORKFLOW", "MODE", "STATUS", "WAITS FOR", "STARTED"], &rows)
}
