//! For auditors: what proves the log to somebody who does not believe this engine. Checkpoints,
//! consistency, the records of an export, receipts. Only `POST /audit/checkpoint` appends; signing a
//! head for an export or a receipt is a POST too, as it is remembered beside the keys.

use super::Answer;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::{Nothing, Params, Place};
use crate::problem::Problem;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet_executor::public::render;
use placet_log::checkpoint::Recorded;
use placet_log::export::{Content, Entry};
use placet_log::note::Note;
use placet_log::{proof, receipt};
use placet_model::actor::Role;
use placet_model::{DecisionId, Digest, Position};
use placet_projections::Views;
use serde_json::{Value, json};
use std::sync::Arc;

/// Who reads bodies as they are stored, which hold more than what is shown of them.
const AUDITS: &[Role] = &[Role::Auditor, Role::Operator, Role::Admin];
/// Who reads content.
const READS: &[Role] = &[Role::Auditor, Role::Admin];
const PAGE_MAX: usize = 1000;
/// Bytes after which a page of records ends; one of them may be larger.
const PAGE_BYTES: usize = 4 << 20;

/// `GET /audit/checkpoint` → `{origin, key, checkpoint, size, unsigned}`: the one recorded last, with
/// its witnesses; `checkpoint` is null where there is none, `unsigned` the events that came since.
#[utoipa::path(
    get,
    path = "/audit/checkpoint",
    operation_id = "evidence_checkpoint",
    tag = "audit",
    summary = "The last checkpoint",
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Checkpoint), crate::openapi::failures::Failures)
)]
pub(super) async fn checkpoint(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
) -> Answer {
    params.only(&[])?;
    let told = reading(&app, move |app| {
        caller.demand_reader(&app.handle.world())?;
        let view = app.handle.view()?;
        let last = Recorded::last(&view)?;
        let size = last.as_ref().map_or(0, |last| last.head.size);
        let unsigned = last.as_ref().map_or_else(|| view.head().size, |last| last.unsigned);
        told(app, last.as_ref().map(|last| &last.note), size, unsigned)
    });
    Ok(axum::Json(told.await?))
}

/// `POST /audit/checkpoint`: as above, signed and recorded now unless the last one vouches for all.
#[utoipa::path(
    post,
    path = "/audit/checkpoint",
    operation_id = "evidence_sign",
    tag = "audit",
    summary = "Sign a checkpoint",
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Checkpoint), crate::openapi::failures::Failures)
)]
pub(super) async fn sign(State(app): State<Arc<App>>, caller: Caller, Nothing: Nothing) -> Answer {
    caller.demand_any(&app.handle.world(), AUDITS)?;
    let recorded = app.handle.checkpoint().await?;
    let told = reading(&app, move |app| {
        told(app, Some(&recorded.note), recorded.head.size, recorded.unsigned)
    });
    Ok(axum::Json(told.await?))
}

/// `POST /audit/head`: as above for an export; what is signed now is not recorded.
#[utoipa::path(
    post,
    path = "/audit/head",
    operation_id = "evidence_head",
    tag = "audit",
    summary = "Sign the head for an export",
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Checkpoint), crate::openapi::failures::Failures)
)]
pub(super) async fn head(State(app): State<Arc<App>>, caller: Caller, Nothing: Nothing) -> Answer {
    let told = reading(&app, move |app| {
        caller.demand_any(&app.handle.world(), AUDITS)?;
        let (note, size) = app.handle.log().evidence(&app.handle.view()?)?;
        told(app, Some(&note), size, 0)
    });
    Ok(axum::Json(told.await?))
}

fn told(app: &App, note: Option<&Note>, size: u64, unsigned: u64) -> Result<Value, Problem> {
    let log = app.handle.log();
    let key = log.signer()?.verifier().to_string();
    Ok(json!({
        "origin": log.origin(),
        "key": key,
        "checkpoint": note.map(ToString::to_string),
        "size": size,
        "unsigned": unsigned,
    }))
}

/// `GET /audit/consistency?old=&new=` → `{hashes}`: that the tree of `new` events continues that of `old`.
#[utoipa::path(
    get,
    path = "/audit/consistency",
    operation_id = "evidence_consistency",
    tag = "audit",
    summary = "Prove that the log only grew",
    params(("old" = u64, Query, description = "size"), ("new" = u64, Query, description = "size")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Hashes), crate::openapi::failures::Failures)
)]
pub(super) async fn consistency(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
) -> Answer {
    let params = params.only(&["old", "new"])?;
    let (old, new) = (params.parsed("old")?, params.parsed("new")?);
    let (Some(old), Some(new)) = (old, new) else {
        return Err(Problem::malformed("query: old and new are sizes"));
    };
    let hashes = reading(&app, move |app| {
        caller.demand_reader(&app.handle.world())?;
        let view = app.handle.view()?;
        if old > new || new > view.head().size {
            let detail = format!("the log has {} events", view.head().size);
            return Err(Problem::malformed(detail));
        }
        Ok(proof::consistency(old, new, &mut |level, index| view.node(level, index))?)
    });
    let hashes: Vec<Digest> = hashes.await?;
    Ok(axum::Json(json!({ "hashes": hashes })))
}

/// `GET /audit/records?after=&until=&content=` → `{records, next}`, in order: each `{leaf, body,
/// sealed, plain}` in base64, sealed and plain one item per payload, null where it was erased or not
/// asked for.
#[utoipa::path(
    get,
    path = "/audit/records",
    operation_id = "evidence_records",
    tag = "audit",
    summary = "Records for an export",
    params(("after" = Option<u64>, Query, description = "position of the last event one has"), ("until" = Option<u64>, Query, description = "moment, or a length of time back from now"), ("content" = Option<String>, Query, description = "which content goes along")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Records), crate::openapi::failures::Failures)
)]
pub(super) async fn records(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let params = params.only(&["after", "until", "content"])?;
    let after: u64 = params.parsed("after")?.unwrap_or(0);
    let until: Option<u64> = params.parsed("until")?;
    let content = content(params.text("content"))?;
    let page = reading(&app, move |app| {
        let world = app.handle.world();
        caller.demand_any(&world, AUDITS)?;
        if content == Content::Plain {
            caller.demand_any(&world, READS)?;
        }
        let view = app.handle.view()?;
        let until = until.unwrap_or(u64::MAX).min(view.head().size);
        let (mut page, mut bytes, mut at) = (vec![], 0, after);
        while at < until && page.len() < PAGE_MAX && bytes < PAGE_BYTES {
            at += 1;
            let entry = view.entry(Position::new(at), content)?;
            bytes += size(&entry);
            page.push(record(&entry));
        }
        let next = (at < until).then_some(at);
        Ok(json!({ "records": page, "next": next }))
    });
    Ok(axum::Json(page.await?))
}

fn content(asked: Option<&str>) -> Result<Content, Problem> {
    match asked {
        None | Some("sealed") => Ok(Content::Sealed),
        Some("plain") => Ok(Content::Plain),
        Some(_) => Err(Problem::malformed("query: content is sealed or plain")),
    }
}

fn size(entry: &Entry) -> usize {
    let sealed: usize = entry.sealed.iter().flatten().map(Vec::len).sum();
    let plain = entry.plain.iter().flatten().map(|plain| plain.payload.as_bytes().len());
    entry.leaf.len() + entry.body.len() + sealed + plain.sum::<usize>()
}

fn record(entry: &Entry) -> Value {
    let sealed =
        entry.sealed.iter().map(|sealed| sealed.as_ref().map(|bytes| STANDARD.encode(bytes)));
    let plain = entry.plain.iter().map(|plain| {
        plain.as_ref().map(|plain| {
            let bytes = STANDARD.encode(plain.payload.as_bytes());
            json!({ "salt": STANDARD.encode(plain.salt), "bytes": bytes })
        })
    });
    json!({
        "leaf": STANDARD.encode(&entry.leaf),
        "body": STANDARD.encode(&entry.body),
        "sealed": sealed.collect::<Vec<_>>(),
        "plain": plain.collect::<Vec<_>>(),
    })
}

/// `POST /audit/receipts/{decision}?content=` → the receipt of a decision.
#[utoipa::path(
    post,
    path = "/audit/receipts/{decision}",
    operation_id = "evidence_receipt",
    tag = "audit",
    summary = "The receipt of a decision",
    params(("decision" = String, Path, pattern = "^dec_[0-9a-hjkmnp-tv-z]{26}$"), ("content" = Option<String>, Query, description = "which content goes along")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::DecisionReceipt), crate::openapi::failures::Failures)
)]
pub(crate) async fn receipt(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(decision): Place<DecisionId>,
    params: Params,
) -> Answer {
    let params = params.only(&["content"])?;
    let content = content(params.text("content"))?;
    let receipt = reading(&app, move |app| {
        let world = app.handle.world();
        caller.demand_reader(&world)?;
        if content == Content::Plain {
            caller.demand_any(&world, READS)?;
        }
        let view = app.handle.view()?;
        let row = Views::new(&view)?.decision(decision)?;
        let unknown = || Problem::new("PL3001", format!("there is no decision {decision}"));
        let run = row.map(|row| row.run).ok_or_else(unknown)?;
        let (note, _) = app.handle.log().evidence(&view)?;
        let positions = receipt::of_decision(&view, run, decision)?;
        Ok(receipt::write(&view, (decision, &positions), content, &render, &note)?)
    });
    Ok(axum::Json(receipt.await?))
}
