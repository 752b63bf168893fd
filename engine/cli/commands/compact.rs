//! `placet compact`: the files are written anew without what was erased, while the engine runs or on
//! data that nobody has open.

use crate::compose::{self, Place};
use crate::exit::Exit;
use crate::link::{Found, Target};
use crate::out;
use anyhow::Result;
use placet_log::{Compacted, Step};
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Compacts, and says what it came to.
pub(crate) async fn run(args: Args) -> Result<Exit> {
    let answer = match args.target.find().await? {
        Found::Engine(link) => {
            let nothing = json!({});
            let work = link.post("/api/v1/compactions", &nothing);
            out::with_progress("the engine writes its files anew", work).await?
        }
        Found::Data(data, project) => {
            let log = compose::open_log_of(&project, &Place::of(&data))?;
            let compacted = tokio::task::spawn_blocking(move || log.compact(tell)).await??;
            let vault = data.join("vault.redb");
            if vault.exists() {
                out::say("packing the vault");
                placet_vault::compact(&vault)?;
            }
            to_json(compacted)
        }
    };
    if args.json {
        out::json(&answer)?;
    } else {
        let (before, after) = (&answer["before"], &answer["after"]);
        let paused = &answer["paused_ms"];
        out::data(&format!("{before} bytes before, {after} after; appends waited {paused} ms"))?;
    }
    Ok(Exit::Done)
}

fn to_json(compacted: Compacted) -> Value {
    let Compacted { before, after, paused } = compacted;
    json!({ "before": before, "after": after, "paused_ms": paused.as_millis() })
}

fn tell(step: Step) {
    out::say(&match step {
        Step::Keys => "writing the data keys anew".to_owned(),
        Step::Payloads(count) => format!("{count} payloads written anew"),
        Step::Packing => "packing the log".to_owned(),
        Step::Clearing(pages) => format!("writing over {pages} free pages"),
    });
}
