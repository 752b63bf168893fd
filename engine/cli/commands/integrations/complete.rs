//! `placet integrations complete`: what is chosen after the credential was given.

use super::life::{pair, word};
use super::path;
use crate::link::Link;
use crate::out::{self, visible};
use anyhow::Result;
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub(crate) struct Complete {
    name: String,
    /// What is chosen: its id, or its name at the provider; without it the choices are listed
    #[arg(long, value_name = "ID|NAME")]
    choose: Option<String>,
    /// Which setting is chosen, where there are several
    #[arg(long)]
    setting: Option<String>,
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(link: &Link, step: Complete) -> Result<()> {
    let body = json!({ "setting": step.setting, "choose": step.choose });
    let answer = link.post(&path(&step.name, "complete"), &body).await?;
    if step.json {
        return out::json(&answer);
    }
    if answer["setting"].is_string() {
        let setting = word(&answer["setting"]);
        out::data(&format!("{}: {setting} is {}", step.name, text(&answer["chosen"])))?;
        for line in pending(&answer, &step.name) {
            out::say(&line.join(": "));
        }
        return Ok(());
    }
    let mut rows = vec![];
    for of in answer["steps"].as_array().into_iter().flatten() {
        let more = if of["more"] == true { " (the provider has more than these)" } else { "" };
        out::say(&format!("{}, {}:{more}", word(&of["setting"]), word(&of["title"])));
        for choice in of["choices"].as_array().into_iter().flatten() {
            let is_chosen = choice["value"] == of["chosen"];
            let mark = if is_chosen { "chosen" } else { "" };
            rows.push(vec![text(&choice["value"]), word(&choice["label"]), mark.to_owned()]);
        }
    }
    out::table(&["ID", "NAME", ""], &rows)
}

/// What is not chosen yet, a line each.
pub(super) fn pending(integration: &Value, name: &str) -> Vec<Vec<String>> {
    let steps = integration["pending"].as_array().into_iter().flatten();
    let line = |step: &Value| {
        let words = format!("{} (placet integrations complete {name})", word(&step["title"]));
        pair("pending", words)
    };
    steps.map(line).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), visible)
}
