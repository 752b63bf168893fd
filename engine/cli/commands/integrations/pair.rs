//! `placet integrations pair`: prints a code, and waits for it to come back from a conversation at the
//! provider, which the connection then means.

use super::life::{pair, word};
use super::path;
use crate::exit::Exit;
use crate::link::{Link, encoded};
use crate::out::{self, visible};
use anyhow::Result;
use serde_json::{Value, json};
use std::time::Duration;

/// How often the engine is asked whether the code has come back.
const INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(crate) struct Pair {
    name: String,
    /// Print the code and do not wait
    #[arg(long)]
    no_wait: bool,
    #[arg(long)]
    json: bool,
}

impl Pair {
    pub(super) const fn of(name: String, json: bool) -> Self {
        Self { name, no_wait: false, json }
    }
}

/// Exit 1 where nobody has sent the code in its time.
pub(super) async fn run(link: &Link, pair: Pair) -> Result<Exit> {
    let offer = link.post(&path(&pair.name, "pair"), &json!({})).await?;
    say(&offer, &pair)?;
    if pair.no_wait {
        return Ok(Exit::Done);
    }
    let shown = format!("/api/v1/integrations/{}", encoded(&pair.name));
    loop {
        tokio::time::sleep(INTERVAL).await;
        let integration = link.get(&shown).await?;
        let pairing = &integration["pairing"];
        let is_ours = pairing["expires_at"] == offer["expires_at"];
        match pairing["state"].as_str() {
            Some("offered") if is_ours => {}
            Some("paired") if is_ours => {
                paired(&integration, &pair)?;
                return Ok(Exit::Done);
            }
            Some("offered") => {
                out::say("another code was made meanwhile: this one is good for nothing");
                return Ok(Exit::Negative);
            }
            _ => {
                out::say("nobody has sent the code in its ten minutes: it is good for nothing");
                return Ok(Exit::Negative);
            }
        }
    }
}

fn say(offer: &Value, pair: &Pair) -> Result<()> {
    if offer["is_posted"] == false {
        out::say(&format!(
            "its provider was not asked to post here: placet integrations hooks {} on",
            pair.name
        ));
    }
    if pair.json {
        return out::json(offer);
    }
    out::say(&format!(
        "it counts once, until {}; send it from the chat that is meant:",
        word(&offer["expires_at"])
    ));
    if let Some(link) = offer["link"].as_str() {
        out::data(&visible(link))?;
    }
    out::data(&word(&offer["say"]))
}

fn paired(integration: &Value, pair: &Pair) -> Result<()> {
    if pair.json {
        return out::json(integration);
    }
    out::data(&format!("{}: paired with {}", pair.name, word(&integration["pairing"]["to"])))
}

/// With whom a connection is paired.
pub(super) fn row(integration: &Value) -> Option<Vec<String>> {
    let pairing = &integration["pairing"];
    let words = match pairing["state"].as_str()? {
        "paired" => format!("with {} since {}", word(&pairing["to"]), word(&pairing["since"])),
        "offered" => format!("not yet: a code counts until {}", word(&pairing["expires_at"])),
        _ => "not yet: nobody has sent the last code in its time".to_owned(),
    };
    Some(pair("paired", words))
}
