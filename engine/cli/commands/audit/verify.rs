//! `placet audit verify`: every record, index and payload against its digest.

use super::{open_bare, told};
use crate::exit::Exit;
use crate::link::Found;
use crate::out::{self, visible};
use anyhow::Result;
use placet_log::Error;
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(found: &Found, args: &Args) -> Result<Exit> {
    let answer = out::with_progress("verifying the log", verify(found)).await?;
    told(&answer, "ok", args.json, || verify_words(&answer))
}

async fn verify(found: &Found) -> Result<Value> {
    match found {
        Found::Engine(link) => link.post("/api/v1/audit/verify", &json!({})).await,
        Found::Data(data, project) => match open_bare(data, project).and_then(|log| {
            let verified = log.read()?.verify()?;
            Ok(json!({
                "ok": true,
                "events": verified.events,
                "payloads": verified.payloads,
                "erased": verified.erased,
                "root": verified.root,
            }))
        }) {
            Ok(answer) => Ok(answer),
            Err(error) => damage(error),
        },
    }
}

/// The first damage as an answer; an error that says nothing about the log stays one.
fn damage(error: anyhow::Error) -> Result<Value> {
    let position = match error.downcast_ref::<Error>() {
        Some(
            Error::Damaged { position, .. }
            | Error::UnknownEvent { position, .. }
            | Error::KeyLost { position, .. },
        ) => Some(*position),
        Some(Error::DamagedIndex { .. }) => None,
        _ => return Err(error),
    };
    let detail = format!("{error:#}");
    Ok(json!({ "ok": false, "code": "PL1003", "position": position, "detail": detail }))
}

fn verify_words(answer: &Value) -> String {
    if answer["ok"] == true {
        let count = |key: &str| answer[key].to_string();
        let root = answer["root"].as_str().unwrap_or_default();
        return format!(
            "whole: {} events, {} payloads, {} erased; root {root}",
            count("events"),
            count("payloads"),
            count("erased"),
        );
    }
    let detail = visible(answer["detail"].as_str().unwrap_or_default());
    match answer["position"].as_u64() {
        Some(position) => format!("damaged at position {position}: {detail}"),
        None => format!("damaged: {detail}"),
    }
}
