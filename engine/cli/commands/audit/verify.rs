//! `placet audit verify`: a live project, a data directory, an export or a receipt. Needs no key but
//! the reader's own, and appends nothing.

mod asked;
mod files;
mod live;
mod story;

use super::told;
use crate::exit::{Exit, invalid};
use crate::link::Target;
use crate::out;
use crate::project::Project;
use anyhow::Result;
use placet_log::receipt;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An export, a data directory (or a copy of one) or a receipt; the project's own log without
    path: Option<PathBuf>,
    /// The log's key, from somewhere else than what is verified: its text, or a file with it
    #[arg(long)]
    key: Option<String>,
    /// A witness's key; may be given more than once
    #[arg(long, value_name = "KEY")]
    witness: Vec<String>,
    /// How many of these witnesses must have signed (all of them without)
    #[arg(long, value_name = "N", requires = "witness")]
    min: Option<usize>,
    /// A checkpoint that was kept: the log must continue it
    #[arg(long, value_name = "FILE")]
    older: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(target: &Target, args: &Args) -> Result<Exit> {
    let asked = asked::of(args)?;
    let answer = match &args.path {
        None => {
            let found = target.find().await?;
            out::with_progress("verifying the log", live::verify(&found, &asked)).await?
        }
        Some(path) if path.is_dir() && path.join("log.redb").exists() => {
            let project = Project::of_data(path)?;
            let verify = live::of_data((path, live::Standing::Given), &project, &asked);
            out::with_progress("verifying the data", async { verify }).await?
        }
        Some(path) if path.is_dir() && path.join("tile").exists() => files::export(path, &asked),
        Some(path) if path.is_dir() && path.join("checkpoint").exists() => {
            files::export(path, &asked)
        }
        Some(path) => files::receipt(path, &text(path)?, &asked),
    };
    told(&answer, "ok", args.json, || words(&answer))
}

fn text(path: &Path) -> Result<String> {
    let unread = |why: &dyn std::fmt::Display| {
        let path = path.display();
        invalid(format!("{path} is no export, no data directory and no receipt: {why}"))
    };
    if path.is_dir() {
        return Err(unread(&"it has neither log.redb nor a checkpoint"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unread(&error))?;
    if receipt::is_receipt(&text) { Ok(text) } else { Err(unread(&"it does not read as one")) }
}

/// A line for each thing that is said; content that goes along begins none of its own.
fn words(answer: &Value) -> String {
    let text = |key: &str| out::one_line(answer[key].as_str().unwrap_or_default());
    if answer["ok"] != true {
        let detail = text("detail");
        return match (answer["position"].as_u64(), answer["last"].as_u64()) {
            (Some(first), Some(last)) if first != last => {
                format!("damaged in positions {first} to {last}: {detail}")
            }
            (Some(position), _) => format!("damaged at position {position}: {detail}"),
            (None, _) => format!("damaged: {detail}"),
        };
    }
    let mut words = if answer["story"].is_array() {
        format!("good: {} events of the log {}", answer["events"], text("origin"))
    } else {
        let (events, payloads, erased) =
            (&answer["events"], &answer["payloads"], &answer["erased"]);
        format!(
            "whole: {events} events, {payloads} payloads, {erased} erased; root {}",
            text("root")
        )
    };
    let lines = answer["story"].as_array().into_iter().chain(answer["notes"].as_array());
    for line in lines.flatten().filter_map(Value::as_str) {
        write!(words, "\n{}", out::one_line(line)).expect("writing to a string cannot fail");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::words;
    use serde_json::json;

    #[test]
    fn content_of_a_receipt_cannot_look_like_a_line_of_its_story() {
        let forged =
            "its body: hi\n  2026-01-01T00:00:00.000Z (position 9)  the decision ended: approved";
        let told =
            words(&json!({"ok": true, "events": 1, "origin": "placet/0/a", "story": [forged]}));
        assert_eq!(told.lines().count(), 2, "{told}");
        let told = words(&json!({"ok": false, "position": null, "detail": forged}));
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}
