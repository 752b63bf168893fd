//! `placet vault`: which key seals the credentials, and a new one in its place, while the engine runs or
//! on data that nobody has open.

use crate::compose::{self, Place};
use crate::exit::{Exit, invalid, refused};
use crate::link::{Found, Target};
use crate::people::{self, AUTHOR};
use crate::project::Project;
use crate::{out, vault_key};
use anyhow::{Context as _, Result};
use clap::Subcommand;
use placet_executor::backup::VAULT_FILE;
use placet_executor::{Clock, rotations};
use placet_log::Log;
use placet_model::{Actor, Principal};
use placet_vault::{Rotated, Sealing, Step, Vault, VaultOptions};
use serde_json::{Value, json};
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Which key seals how many records
    Status {
        #[arg(long)]
        json: bool,
    },
    /// Seal every record by a new key; or go on where that was cut short
    Rotate {
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let found = args.target.find().await?;
    match args.command {
        Command::Status { json } => {
            let answer = match found {
                Found::Engine(link) => link.get("/api/v1/vault").await?,
                Found::Data(data, project) => {
                    aside(data, *project, |opened| Ok(status(&opened.vault.sealing()?))).await?
                }
            };
            show_status(&answer, json)
        }
        Command::Rotate { json } => {
            let answer = match found {
                Found::Engine(link) => {
                    let nothing = json!({});
                    let work = link.post("/api/v1/vault/rotate", &nothing);
                    out::with_progress("the engine seals its vault anew", work).await?
                }
                Found::Data(data, project) => {
                    let acting = args.target.acting.clone();
                    aside(data, *project, |opened| rotate(opened, acting)).await?
                }
            };
            show_rotated(&answer, json)
        }
    }
}

/// A vault that nobody else has open, and the log that tells of it.
struct Opened {
    log: Log,
    vault: Vault,
    place: Place,
}

/// Seals by a new key, and puts that on record before anything is said of it.
fn rotate(opened: &Opened, acting: Option<Principal>) -> Result<Value> {
    let Opened { log, vault, place } = opened;
    let by = operator(log, place, acting)?;
    let now = if compose::is_virtual(&place.data) {
        log.read()?.head().recorded_at
    } else {
        Clock::System.now()
    };
    let through = vault.rotate(&by, &mut tell)?;
    rotations::record((log, now), (vault, &through), by)?;
    Ok(rotated(through))
}

/// Who rotates: in data of `dev`, whoever is named, else its author. In data of `serve` a token says who somebody
/// is, and nobody has shown one here: what is done is recorded under no name.
fn operator(log: &Log, place: &Place, acting: Option<Principal>) -> Result<Actor> {
    if compose::is_served(place, log) {
        return match acting {
            None => Ok(Actor::Engine),
            Some(_) => Err(invalid(
                "--as is for data of `placet dev`: here a token says who somebody is; go through the engine, \
                 or leave it away, and the rotation is recorded under no name",
            )),
        };
    }
    let by = acting.unwrap_or_else(|| people::principal(AUTHOR));
    rotations::demand(log, &by).map_err(|error| refused(&error))?;
    Ok(Actor::Principal(by))
}

/// Does something with a vault that nobody has open.
async fn aside(
    data: std::path::PathBuf,
    project: Project,
    act: impl FnOnce(&Opened) -> Result<Value> + Send + 'static,
) -> Result<Value> {
    let work = move || {
        let place = Place::of(&data);
        let log = compose::open_log_of(&project, &place)?;
        let vault = open(&data, &log, &place)?;
        act(&Opened { log, vault, place })
    };
    tokio::task::spawn_blocking(work).await?
}

fn open(data: &Path, log: &Log, place: &Place) -> Result<Vault> {
    let file = data.join(VAULT_FILE);
    if !file.exists() {
        let words = format!("{} holds no vault: it comes with `--mode live`", data.display());
        return Err(invalid(words));
    }
    let dir = place.keys.directory(&log.install_id())?;
    let dir = dir.context("the vault needs a directory for its key")?;
    let key = vault_key::source(dir)?;
    Ok(Vault::open(VaultOptions { file, key, project: log.project().to_owned() })?)
}

/// Says how far a rotation has come; the same at the start of an engine.
pub(crate) fn tell(step: Step) {
    out::say(&match step {
        Step::Turned(key) => format!("the key {key} seals now"),
        Step::Moved { done, of } => format!("{done} of {of} records sealed anew"),
        Step::Packed => "the file is packed".to_owned(),
    });
}

fn status(sealing: &Sealing) -> Value {
    let records = sealing.records.iter().map(|(key, count)| {
        json!({ "key": key.to_string(), "records": count,
                "out_of_reach": sealing.out_of_reach.contains(key) })
    });
    json!({
        "key": sealing.key.to_string(),
        "records": records.collect::<Vec<_>>(),
        "rotating": sealing.is_under_way(),
    })
}

fn rotated(rotated: Rotated) -> Value {
    let Rotated { key, moved, stuck, .. } = rotated;
    json!({ "key": key.to_string(), "moved": moved, "stuck": stuck })
}

fn show_status(answer: &Value, json: bool) -> Result<Exit> {
    if json {
        out::json(answer)?;
        return Ok(Exit::Done);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    out::data(&format!("the key {} seals", text(&answer["key"])))?;
    for row in answer["records"].as_array().into_iter().flatten() {
        let reach = if row["out_of_reach"] == true { ", and that key is not here" } else { "" };
        out::data(&format!("{} records by {}{reach}", row["records"], text(&row["key"])))?;
    }
    if answer["rotating"] == true {
        out::say(
            "a rotation is under way, or was cut short: `placet vault rotate` goes on with it",
        );
    }
    Ok(Exit::Done)
}

fn show_rotated(answer: &Value, json: bool) -> Result<Exit> {
    let stuck = answer["stuck"].as_array().map(Vec::as_slice).unwrap_or_default();
    if json {
        out::json(answer)?;
    } else {
        let key = answer["key"].as_str().unwrap_or_default();
        out::data(&format!("{} records sealed anew, by {key}", answer["moved"]))?;
        out::say("keep the old key as long as you keep backups from before");
    }
    for row in stuck {
        out::say(&format!("left as it is: {}", row.as_str().unwrap_or_default()));
    }
    Ok(if stuck.is_empty() { Exit::Done } else { Exit::Negative })
}
