//! `placet policy test`, and what else is asked of an engine about its policy.

use crate::exit::Exit;
use crate::link::{Purpose, Target};
use crate::{out, project};
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;

/// What a policy would ask for, a line per request.
pub(super) async fn test(
    file: &Path,
    (decision, json): (Option<String>, bool),
    target: &Target,
) -> Result<Exit> {
    let source = project::read(file)?;
    let body = json!({ "file": source.name(), "source": source.text(), "decision": decision });
    let link = target.open(Purpose::Read).await?;
    let answer = link.post("/api/v1/policy/test", &body).await;
    link.close().await?;
    let answer = answer?;
    if json {
        out::data(&answer.to_string())?;
        return Ok(Exit::Done);
    }
    for line in answer["decisions"].as_array().into_iter().flatten() {
        for text in lines_of(line) {
            out::data(&text)?;
        }
    }
    let count = |key: &str| answer["summary"][key].as_u64().unwrap_or_default();
    out::say(&format!(
        "{} requests: {} would be asked otherwise, {} refused, {} out of reach, {} unreadable (erased)",
        count("decisions"),
        count("changed"),
        count("refused"),
        count("out_of_reach"),
        count("unreadable"),
    ));
    Ok(Exit::Done)
}

fn lines_of(line: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| {
        let items = value.as_array().into_iter().flatten();
        items.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
    };
    let mark = if line["changed"] == true { "*" } else { " " };
    let (decision, operation) = (text(&line["decision"]), text(&line["operation"]));
    let mut lines =
        vec![format!("{mark} {decision} {operation}, asked for by {}", text(&line["requester"]))];
    for (when, word) in [("then", "then"), ("now", "now ")] {
        let side = &line[when];
        lines.push(format!("    {word} {}; by {}", list(&side["needed"]), list(&side["who"])));
    }
    let (refused, stuck) = (list(&line["refused_by"]), list(&line["now"]["out_of_reach"]));
    if !refused.is_empty() {
        lines.push(format!("    refused by {refused}"));
    }
    if !stuck.is_empty() {
        lines.push(format!("    nobody could: {stuck}"));
    }
    let standing = list(&line["standing"]);
    if !standing.is_empty() {
        lines.push(format!("    covered by the standing approval {standing}"));
    }
    let notes = line["notes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    lines.extend(notes.map(|note| format!("    {note}")));
    lines
}

/// What the engine says, as JSON.
pub(super) async fn show(target: &Target, path: &str) -> Result<Exit> {
    let link = target.open(Purpose::Read).await?;
    let answer = link.get(path).await;
    link.close().await?;
    out::data(&answer?.to_string())?;
    Ok(Exit::Done)
}

/// An act that needs no more than a path and a body.
pub(super) async fn act(target: &Target, (path, body): (&str, Value)) -> Result<Value> {
    let link = target.open(Purpose::Change).await?;
    let answer = link.post(path, &body).await;
    link.close().await?;
    answer
}
