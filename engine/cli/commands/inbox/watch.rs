//! `placet inbox watch`: new items as they come, until it is interrupted. What is told is a hint to
//! look again, so nothing is missed and nothing is shown twice.

use super::desk::{self, Desk};
use super::row;
use crate::exit::invalid;
use crate::out;
use anyhow::Result;
use futures_util::StreamExt;
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) async fn run(desk: &Desk, json: bool) -> Result<()> {
    let mut seen = BTreeSet::new();
    match desk {
        Desk::Engine(link) => {
            if !link.is_remote() {
                return Err(invalid("there is no engine to watch: start `placet dev`"));
            }
            // the stream is open before the first look: what comes in between is not missed
            let mut lines = link.lines("/api/v1/events").await?;
            look(desk, json, &mut seen).await?;
            while let Some(line) = lines.next().await? {
                if line.starts_with("data:") {
                    look(desk, json, &mut seen).await?;
                }
            }
        }
        Desk::Nats(client) => {
            let mut notices = Box::pin(client.notices().await.map_err(desk::failed)?);
            look(desk, json, &mut seen).await?;
            while notices.next().await.is_some() {
                look(desk, json, &mut seen).await?;
            }
        }
    }
    Ok(())
}

/// Shows what was not there at the last look; an item that asks anew is shown anew.
async fn look(desk: &Desk, json: bool, seen: &mut BTreeSet<String>) -> Result<()> {
    let mut open = BTreeSet::new();
    let mut cursor = Value::Null;
    loop {
        let page = desk.page(cursor.as_str()).await?;
        for item in page["items"].as_array().into_iter().flatten() {
            let mark = format!("{} {}", item["id"], item["state"]);
            if !seen.contains(&mark) {
                if json {
                    out::json(item)?;
                } else {
                    out::data(&row(item).join("  "))?;
                }
            }
            open.insert(mark);
        }
        cursor = page["next"].clone();
        if cursor.is_null() {
            break;
        }
    }
    *seen = open;
    Ok(())
}
