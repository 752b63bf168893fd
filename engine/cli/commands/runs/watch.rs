//! `placet runs watch`: what happens, as it happens. One run is followed from its first event to its
//! end, and the exit code is its result; without one, every run of the engine, until it is
//! interrupted.

use crate::exit::{Exit, invalid};
use crate::link::Link;
use crate::out::{self, visible};
use anyhow::Result;
use placet_model::RunId;
use serde_json::Value;

pub(super) async fn run(link: &Link, run: Option<RunId>, json: bool) -> Result<Exit> {
    if !link.is_remote() {
        return Err(invalid("there is no engine to watch: start `placet dev` or `placet serve`"));
    }
    let path = match run {
        // told at once where there is no such run
        Some(run) => format!("/api/v1/events?run={run}"),
        None => "/api/v1/events".to_owned(),
    };
    let mut lines = link.lines(&path).await?;
    while let Some(line) = lines.next().await? {
        let Some(data) = line.strip_prefix("data:") else { continue };
        let Ok(event) = serde_json::from_str::<Value>(data.trim_start()) else { continue };
        let stream = event["stream"].as_str().unwrap_or_default();
        let Some(of) = stream.strip_prefix("run:") else { continue };
        if json {
            out::json(&event)?;
        } else {
            out::data(&row(of, &event))?;
        }
        if let Some(exit) = run.and_then(|_| end(&event)) {
            return Ok(exit);
        }
    }
    out::say("the engine has ended the stream");
    Ok(Exit::Negative)
}

/// When, what, and of which task or decision.
fn row(run: &str, event: &Value) -> String {
    let word = |value: &Value| visible(value.as_str().unwrap_or_default());
    let body = &event["body"];
    let about = ["task", "decision", "attempt", "operation", "workflow"]
        .iter()
        .map(|key| word(&body[key]))
        .find(|about| !about.is_empty());
    let cells = [
        word(&event["recorded_at"]),
        visible(run),
        format!("{:18}", word(&event["type"])),
        about.unwrap_or_default(),
        word(&event["actor"]).trim_start_matches("principal:").to_owned(),
    ];
    cells.join("  ").trim_end().to_owned()
}

/// How a run ended, where this event is its end.
fn end(event: &Value) -> Option<Exit> {
    match event["type"].as_str()? {
        "RunCompleted" => Some(Exit::Done),
        "RunFaulted" | "RunCancelled" => Some(Exit::Negative),
        _ => None,
    }
}
