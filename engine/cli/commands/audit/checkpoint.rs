//! `placet audit checkpoint`: the newest signed head of the log, and the key that it is signed with.

use crate::compose::{self, Place};
use crate::exit::{Exit, invalid, refused};
use crate::link::Found;
use crate::out;
use anyhow::{Context, Result};
use placet_executor::{Clock, checkpoint_of};
use placet_log::checkpoint::Checkpoint;
use placet_log::note::Note;
use placet_log::proof::consistency;
use placet_log::witness::Request;
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    only: OnlyKey,
    /// What a witness that has signed so many events is asked with: the proof and the checkpoint
    #[arg(long, value_name = "SIZE", conflicts_with_all = ["key", "new_key", "json"])]
    since: Option<u64>,
    #[arg(long)]
    json: bool,
}

/// The key alone, and no checkpoint.
#[derive(Debug, clap::Args)]
struct OnlyKey {
    /// Only print the key that verifies the log's checkpoints
    #[arg(long)]
    key: bool,
    /// Put a new signing key in the place of one that is lost; whoever verifies the log needs it
    #[arg(long, conflicts_with = "key")]
    new_key: bool,
}

impl OnlyKey {
    const fn is_asked(&self) -> bool {
        self.key || self.new_key
    }
}

pub(super) async fn run(found: &Found, args: &Args) -> Result<Exit> {
    let told = match found {
        Found::Engine(_) if args.only.new_key => {
            return Err(invalid(
                "stop the engine first: --new-key works on data that nobody has open",
            ));
        }
        Found::Engine(link) if args.only.key => link.get("/api/v1/audit/checkpoint").await?,
        Found::Engine(link) => link.post("/api/v1/audit/checkpoint", &json!({})).await?,
        Found::Data(data, project) => {
            // what is signed of a copy, its original does not have, and could sign nothing any more
            let place = if args.only.key { Place::to_read(data) } else { Place::of(data) };
            let log = compose::open_log_of(project, &place)?;
            let signer = if args.only.new_key { log.new_signing_key()? } else { log.signer()? };
            let checkpoint = if args.only.is_asked() {
                None
            } else {
                let now = if compose::is_virtual(data) {
                    log.read()?.head().recorded_at
                } else {
                    Clock::System.now()
                };
                Some(checkpoint_of(&log, now).map_err(|error| refused(&error))?)
            };
            if let Some(recorded) = &checkpoint {
                let file = data.join(compose::CHECKPOINT_FILE);
                placet_log::replace_file(&file, recorded.note.to_string().as_bytes())?;
            }
            json!({
                "origin": log.origin(),
                "key": signer.verifier().to_string(),
                "checkpoint": checkpoint.map(|recorded| recorded.note.to_string()),
            })
        }
    };
    match args.since {
        None => say(&told, args)?,
        Some(old) => request(found, &told, old).await?,
    }
    Ok(Exit::Done)
}

/// The request to a witness, for `placet witness sign`.
async fn request(found: &Found, told: &Value, old: u64) -> Result<()> {
    let note: Note = told["checkpoint"].as_str().unwrap_or_default().parse()?;
    let size = note.text().parse::<Checkpoint>()?.size;
    if old > size {
        return Err(invalid(format!("--since {old}: the checkpoint is of {size} events")));
    }
    let proof = match found {
        Found::Engine(link) => {
            let path = format!("/api/v1/audit/consistency?old={old}&new={size}");
            serde_json::from_value(link.get(&path).await?["hashes"].clone())?
        }
        Found::Data(data, project) => {
            let view = compose::open_log_of(project, &Place::to_read(data))?.read()?;
            consistency(old, size, &mut |level, index| view.node(level, index))?
        }
    };
    out::data(Request { old, proof, note }.to_string().trim_end())
}

fn say(told: &Value, args: &Args) -> Result<()> {
    if args.json {
        return out::json(told);
    }
    let text = |name: &str| told[name].as_str().map(str::trim_end);
    if args.only.is_asked() {
        return out::data(text("key").context("the engine names no key")?);
    }
    out::data(text("checkpoint").context("the engine gave no checkpoint")?)
}
