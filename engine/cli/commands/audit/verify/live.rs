//! The log of a running engine, and data that nobody has open. The data are opened without keys and
//! without projections: what the log itself holds can be verified even when these are lost.

use super::asked::signed;
use crate::link::{Found, Link};
use crate::project::Project;
use anyhow::{Context, Result};
use placet_log::checkpoint::{Checkpoint, Recorded};
use placet_log::export::Asked;
use placet_log::note::Note;
use placet_log::proof::{check_consistency, consistency};
use placet_log::{Error, KeyPlace, Log, OpenOptions, ReadView, Storage};
use placet_model::Digest;
use serde_json::{Value, json};
use std::path::Path;

pub(super) async fn verify(found: &Found, asked: &Asked) -> Result<Value> {
    match found {
        Found::Data(data, project) => of_data((data, Standing::Own), project, asked),
        Found::Engine(link) => of_engine(link, asked).await,
    }
}

/// Whether data may be repaired when they are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// They are the project's own.
    Own,
    /// They were named: a backup, a copy, evidence. One byte more and they are not as they were.
    Given,
}

pub(super) fn of_data(data: (&Path, Standing), project: &Project, asked: &Asked) -> Result<Value> {
    let verified = open(data, project).and_then(|log| {
        let view = log.read()?;
        let verified = view.verify()?;
        let answer = json!({
            "ok": true,
            "events": verified.events,
            "payloads": verified.payloads,
            "erased": verified.erased,
                "signatures": verified.signatures,
            "root": verified.root,
        });
        let last = Recorded::last(&view)?.map(|last| last.note);
        Ok((answer, last, log.origin(), view))
    });
    match verified {
        Ok((answer, note, origin, view)) => {
            let mut questions = vec![];
            let answer = with_evidence(answer, (note, &origin), asked, |older, new| {
                questions.push((older, new));
            })?;
            let answers =
                questions.into_iter().map(|(old, new)| Ok((old, hashes(&view, old, new)?)));
            concluded(answer, answers.collect::<Result<_>>()?)
        }
        Err(error) => damage(error),
    }
}

fn hashes(view: &ReadView, old: Old, new: u64) -> Result<Vec<Digest>> {
    Ok(consistency(old.0, new, &mut |level, index| view.node(level, index))?)
}

async fn of_engine(link: &Link, asked: &Asked) -> Result<Value> {
    let answer = link.post("/api/v1/audit/verify", &json!({})).await?;
    if answer["ok"] != true || (asked.older.is_none() && !demands(asked)) {
        return Ok(answer);
    }
    let told = link.get("/api/v1/audit/checkpoint").await?;
    let note = told["checkpoint"].as_str().map(str::parse::<Note>).transpose()?;
    let origin = told["origin"].as_str().unwrap_or_default().to_owned();
    let mut questions = vec![];
    let answer =
        with_evidence(answer, (note, &origin), asked, |old, new| questions.push((old, new)))?;
    let mut answers = vec![];
    for (old, new) in questions {
        let path = format!("/api/v1/audit/consistency?old={}&new={new}", old.0);
        let said = link.get(&path).await?;
        let hashes: Vec<Digest> = serde_json::from_value(said["hashes"].clone())
            .context("the engine's proof cannot be read")?;
        answers.push((old, hashes));
    }
    concluded(answer, answers)
}

/// A tree that the log must continue: its size, its root, and what it is.
type Old = (u64, Digest, &'static str);

fn demands(asked: &Asked) -> bool {
    asked.trust.key.is_some() || !asked.trust.witnesses.is_empty()
}

/// Checks the recorded checkpoint as far as the reader can, and asks for what must be proven.
fn with_evidence(
    mut answer: Value,
    (note, origin): (Option<Note>, &str),
    asked: &Asked,
    mut ask: impl FnMut(Old, u64),
) -> Result<Value> {
    let size = answer["events"].as_u64().context("the answer does not say how many events")?;
    let no =
        |what: String| json!({ "ok": false, "code": "PL1203", "position": null, "detail": what });
    if demands(asked) {
        let Some(note) = note else {
            return Ok(no(
                "the log has no checkpoint: `placet audit checkpoint` signs one".to_owned()
            ));
        };
        let attested = match asked.trust.check(&note) {
            Ok(attested) => attested,
            Err(error) => return Ok(no(error.to_string())),
        };
        answer["notes"] = json!(signed(&attested));
        let Checkpoint { size: signed, root, .. } = attested.checkpoint;
        if signed > size {
            return Ok(no(format!("{signed} events were signed, the log ends at {size}")));
        }
        ask((signed, root, "the log is not the one of its checkpoint"), size);
    }
    if let Some(older) = &asked.older {
        if older.origin != origin {
            return Ok(no(format!(
                "the checkpoint given is of {}, the log is {origin}",
                older.origin
            )));
        }
        if older.size > size {
            let what = format!(
                "the log ends at {size} events, the checkpoint given at {}: its end was cut off, or it is an older copy",
                older.size
            );
            return Ok(no(what));
        }
        ask((older.size, older.root, "the log does not continue the checkpoint given"), size);
    }
    Ok(answer)
}

fn concluded(answer: Value, proofs: Vec<(Old, Vec<Digest>)>) -> Result<Value> {
    if answer["ok"] != true {
        return Ok(answer);
    }
    let size = answer["events"].as_u64().unwrap_or_default();
    let root: Digest = answer["root"].as_str().unwrap_or_default().parse()?;
    for ((old, old_root, what), hashes) in proofs {
        if check_consistency((old, &old_root), (size, &root), &hashes).is_err() {
            let detail = format!("{what}: its first {old} events differ");
            return Ok(
                json!({ "ok": false, "code": "PL1203", "position": 1, "last": old, "detail": detail }),
            );
        }
    }
    Ok(answer)
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

fn open((data, standing): (&Path, Standing), project: &Project) -> Result<Log> {
    let open = |name: &str| {
        let data = data.to_owned();
        let storage = match standing {
            Standing::Own => Storage::Directory(data),
            Standing::Given => Storage::Frozen(data),
        };
        Log::open(OpenOptions::with_storage(storage, name).keys(KeyPlace::Without))
    };
    let opened = match open(&project.config.project) {
        Err(Error::OtherProject { found, .. }) if project.dir.is_none() => open(&found),
        opened => opened,
    };
    Ok(opened?)
}
