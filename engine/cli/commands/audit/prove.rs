//! `placet audit prove`: the receipt of one decision, a file that needs nothing beside it. Appends
//! nothing.

use crate::compose::{self, Place};
use crate::exit::{Exit, invalid};
use crate::link::Found;
use crate::out;
use anyhow::{Context, Result};
use placet_executor::public::render;
use placet_log::export::Content;
use placet_log::receipt;
use placet_model::DecisionId;
use placet_projections::Views;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The decision, as `placet inbox list` names it
    decision: DecisionId,
    /// Where to write it
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What was shown and sent goes along, in the clear
    #[arg(long)]
    plain: bool,
}

pub(super) async fn run(found: &Found, args: &Args) -> Result<Exit> {
    let decision = args.decision;
    let receipt: Value = match found {
        Found::Engine(link) => {
            let word = if args.plain { "plain" } else { "sealed" };
            let path = format!("/api/v1/audit/receipts/{decision}?content={word}");
            link.post(&path, &json!({})).await?
        }
        Found::Data(data, project) => {
            let content = if args.plain { Content::Plain } else { Content::Sealed };
            let log = compose::open_log_of(project, &Place::to_read(data))?;
            let view = log.read()?;
            let row = Views::new(&view)?.decision(decision)?;
            let run = row.with_context(|| format!("there is no decision {decision}"))?.run;
            let (note, _) = log.evidence(&view)?;
            let positions = receipt::of_decision(&view, run, decision)?;
            receipt::write(&view, (decision, &positions), content, &render, &note)?
        }
    };
    let file =
        args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{decision}.receipt.json")));
    let text = format!("{receipt:#}\n");
    std::fs::write(&file, text)
        .map_err(|error| invalid(format!("{} cannot be written: {error}", file.display())))?;
    out::data(&file.display().to_string())?;
    out::say(
        "check it with `placet audit verify FILE --key KEY` (KEY: `placet audit checkpoint --key`)",
    );
    Ok(Exit::Done)
}
