//! `placet integrations hooks`: what a provider posts here.

use super::path;
use crate::link::{Link, encoded};
use crate::out::{self, visible};
use anyhow::Result;
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub(crate) struct Hooks {
    name: String,
    /// Ask the provider for it, or have it taken away; without either: show what stands there
    #[arg(value_enum)]
    act: Option<Act>,
    /// With on: under which address the provider reaches this engine, as in `https://placet.example`
    #[arg(long, value_name = "URL")]
    at: Option<String>,
    /// With on: what to subscribe to, where an account has many
    #[arg(long = "for", value_name = "RESOURCE")]
    resource: Option<String>,
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Act {
    On,
    Off,
}

impl Hooks {
    pub(super) const fn only_shows(&self) -> bool {
        self.act.is_none()
    }
}

pub(super) async fn run(link: &Link, hooks: Hooks) -> Result<()> {
    let answer = match hooks.act {
        None => link.get(&format!("/api/v1/integrations/{}/hooks", encoded(&hooks.name))).await?,
        Some(act) => {
            let mut body = json!({ "on": act == Act::On });
            if let Some(base) = &hooks.at {
                body["base"] = json!(base);
            }
            if let Some(resource) = &hooks.resource {
                body["resource"] = json!(resource);
            }
            link.post(&path(&hooks.name, "hooks"), &body).await?
        }
    };
    if hooks.json {
        return out::json(&answer);
    }
    let rows: Vec<Vec<String>> =
        answer["hooks"].as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        out::say("its provider was never asked to post here");
    }
    out::table(&["STANDS", "FOR", "POSTS TO", "UNTIL", "WHY"], &rows)
}

fn row(hook: &Value) -> Vec<String> {
    let word = |key: &str| visible(hook[key].as_str().unwrap_or_default());
    vec![word("step"), word("resource"), word("url"), word("expires_at"), word("code")]
}

/// Reads what came, and says how much that was.
pub(super) async fn sync(link: &Link, name: &str, json: bool) -> Result<()> {
    let answer = link.post(&path(name, "sync"), &json!({})).await?;
    if json {
        return out::json(&answer);
    }
    let position = visible(answer["position"].as_str().unwrap_or_default());
    out::data(&match answer["kind"].as_str() {
        Some("baseline") => format!("{name}: read from {position} on"),
        _ => format!(
            "{name}: {} of {} messages are new, read up to {position}",
            answer["taken"], answer["seen"]
        ),
    })
}
