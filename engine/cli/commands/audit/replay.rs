//! `placet audit replay`: are the derived tables what the log gives; or what held at a position.

use super::show::moment;
use super::{Found, open_bare, told, told_by_engine};
use crate::compose::{self, Place};
use crate::exit::Exit;
use crate::out::{self, Stream, Tone, one_line, visible};
use anyhow::Result;
use placet_executor::public::past;
use placet_model::Position;
use placet_projections::{Difference, compare};
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub(super) struct ReplayArgs {
    /// Show inbox, runs and integrations as they were at this position instead
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(u64).range(1..))]
    at: Option<u64>,
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(found: &Found, args: ReplayArgs) -> Result<Exit> {
    let Some(at) = args.at else {
        let answer = out::with_progress("replaying the log", whole(found)).await?;
        return told(&answer, "equal", args.json, || words(&answer));
    };
    let state = out::with_progress("replaying the log", as_of(found, at)).await?;
    if args.json {
        out::json(&state)?;
    } else {
        show(&state)?;
    }
    Ok(Exit::Done)
}

async fn as_of(found: &Found, at: u64) -> Result<Value> {
    match found {
        Found::Engine(link) => link.get(&format!("/api/v1/audit/replay?at={at}")).await,
        Found::Data(data, project) => {
            let log = open_bare(data, project)?;
            past::as_of(&log.read()?, Position::new(at)).map_err(told_by_engine)
        }
    }
}

async fn whole(found: &Found) -> Result<Value> {
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

fn words(answer: &Value) -> String {
    match answer["difference"].as_str() {
        None => format!(
            "equal: the projections are what the log gives, to position {}",
            answer["position"]
        ),
        Some(difference) => format!("different: {}", visible(difference)),
    }
}

/// The project of then, for a person.
fn show(state: &Value) -> Result<()> {
    let (at, head) = (moment(&word(&state["recorded_at"])), &state["head"]);
    let first = format!("as of position {} of {head}, {at}", state["position"]);
    out::data(&Stream::Out.paint(Tone::Strong, &first))?;
    out::data(&format!("root {}", word(&state["root"])))?;
    let policy = state["policy"].as_str().map_or_else(|| "none".to_owned(), visible);
    out::data(&format!("policy {policy}"))?;
    out::data(if state["paused"] == true { "outbound is paused" } else { "outbound goes" })?;
    let votes = |row: &Value| {
        let votes = row["votes"].as_array().into_iter().flatten();
        let votes =
            votes.map(|vote| format!("{} {}", word(&vote["voter"]), word(&vote["verdict"])));
        votes.collect::<Vec<_>>().join(", ")
    };
    section(state, "inbox", |row| {
        let digest = word(&row["digest"]);
        cells(row, &["id", "state", "operation", "run"], vec![digest, votes(row)])
    })?;
    section(state, "runs", |row| {
        let waiting = &row["waiting_for"];
        let waiting = [&waiting["kind"], &waiting["decision"], &waiting["run"]].map(word).join(" ");
        cells(row, &["run", "status", "workflow"], vec![waiting.trim().to_owned()])
    })?;
    section(state, "integrations", |row| {
        let paused = if row["paused"] == true { "paused" } else { "" };
        let identity = [&row["identity"]["id"], &row["identity"]["tenant"]].map(word).join(" of ");
        cells(row, &["name", "provider", "status"], vec![identity, paused.to_owned()])
    })?;
    section(state, "workflows", |row| cells(row, &["workflow", "version", "plan_digest"], vec![]))
}

fn section(state: &Value, name: &str, row: impl Fn(&Value) -> Vec<String>) -> Result<()> {
    let rows: Vec<Vec<String>> = state[name].as_array().into_iter().flatten().map(row).collect();
    let head = if rows.is_empty() { format!("{name}: none") } else { format!("{name}:") };
    out::data(&Stream::Out.paint(Tone::Strong, &head))?;
    let indented = rows.into_iter().map(|mut row| {
        row[0].insert_str(0, "  ");
        row
    });
    let indented: Vec<_> = indented.collect();
    let widest = indented.iter().map(Vec::len).max().unwrap_or(0);
    out::rows(widest, &indented)
}

fn cells(row: &Value, keys: &[&str], more: Vec<String>) -> Vec<String> {
    keys.iter().map(|key| word(&row[*key])).chain(more).collect()
}

fn word(value: &Value) -> String {
    one_line(value.as_str().unwrap_or_default())
}
