//! The inbox over HTTP: the same list, card and refusals as at every other door.

use super::Answer;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::{Json, Params, Place};
use crate::problem::Problem;
use axum::extract::State;
use placet_model::Principal;
use placet_model::decision::{Resolution, Verdict};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What narrows a list.
const FILTERS: [&str; 7] =
    ["integration", "operation", "requester", "workflow", "state", "mode", "shape"];

/// `GET /inbox?filter=&integration=&operation=&requester=&workflow=&state=&mode=&shape=&group=&cursor=&limit=`
/// → `{items, next, partial?}`, or with `group=true` `{groups, next, partial?}`.
#[utoipa::path(
    get,
    path = "/inbox",
    operation_id = "inbox_list",
    tag = "inbox",
    summary = "List decision requests",
    params(("filter" = Option<String>, Query, description = "`mine` (usual) or `all`"), ("integration" = Option<String>, Query), ("operation" = Option<String>, Query), ("requester" = Option<String>, Query), ("workflow" = Option<String>, Query), ("state" = Option<String>, Query), ("mode" = Option<String>, Query), ("shape" = Option<String>, Query), ("group" = Option<String>, Query, description = "`true`: groups of one shape"), ("cursor" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u64>, Query, description = "rows of a page")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::InboxPage), crate::openapi::failures::Failures)
)]
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let known = [&["filter", "group", "cursor", "limit"], &FILTERS[..]].concat();
    let params = params.only(&known)?;
    let limit: Option<usize> = params.parsed("limit")?;
    let group: Option<bool> = params.parsed("group")?;
    let narrower = FILTERS.iter().filter_map(|name| Some((*name, params.text(name)?)));
    let mut filter: Map<String, Value> =
        narrower.map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let filter = match params.text("filter") {
        Some("all") => {
            filter.insert("all".to_owned(), json!(true));
            Value::Object(filter)
        }
        None | Some("mine" | "") => Value::Object(filter),
        // told what it is by the list itself
        Some(other) => json!(other),
    };
    let asked = json!({
        "filter": filter, "group": group.unwrap_or(false), "cursor": params.text("cursor"),
        "limit": limit,
    });
    let list = reading(&app, move |app| {
        caller.known(&app.handle.world())?;
        Ok(app.handle.inbox_list(&caller.to_inbox(), &asked)?)
    });
    Ok(axum::Json(list.await?))
}

/// `GET /inbox/stats?since=&until=&user=` → how people have decided: everybody their own figures,
/// admins, auditors and operators those of all.
#[utoipa::path(
    get,
    path = "/inbox/stats",
    operation_id = "inbox_stats",
    tag = "inbox",
    summary = "How people have decided",
    params(("since" = Option<String>, Query, description = "moment, or a length of time back from now"), ("until" = Option<String>, Query, description = "moment, or a length of time back from now"), ("user" = Option<String>, Query)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::InboxStats), crate::openapi::failures::Failures)
)]
pub(super) async fn stats(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let params = params.only(&["since", "until", "user"])?;
    let user: Option<Principal> = params.parsed("user")?;
    let asked =
        json!({ "since": params.text("since"), "until": params.text("until"), "user": user });
    let stats = reading(&app, move |app| {
        caller.known(&app.handle.world())?;
        Ok(app.handle.inbox_stats(&caller.to_inbox(), &asked)?)
    });
    Ok(axum::Json(stats.await?))
}

/// `GET /decisions/{id}` → the whole card.
#[utoipa::path(
    get,
    path = "/decisions/{id}",
    operation_id = "inbox_card",
    tag = "inbox",
    summary = "Show the whole card",
    params(("id" = String, Path, pattern = "^dec_[0-9a-hjkmnp-tv-z]{26}$")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Card), crate::openapi::failures::Failures)
)]
pub(super) async fn card(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(decision): Place<String>,
) -> Answer {
    let asked = json!({ "decision": decision });
    let card = reading(&app, move |app| {
        caller.known(&app.handle.world())?;
        Ok(app.handle.inbox_get(&caller.to_inbox(), &asked)?)
    });
    Ok(axum::Json(card.await?))
}

/// `POST /decisions/{id}/votes` `{verdict, digest?, nonce?, time?, reason?, with?, to?}` →
/// `{position, state, successor?}`.
///
/// A vote names the digest that its voter was shown. Nonce and time protect a vote on its way
/// through other hands; a caller who stands at this door may leave them to it. Only `dev` takes
/// votes that nobody has signed; a signed one is `{document, signature, with?, reason?, reason_salt?}`.
#[utoipa::path(
    post,
    path = "/decisions/{id}/votes",
    operation_id = "inbox_vote",
    tag = "inbox",
    summary = "Decide one",
    params(("id" = String, Path, pattern = "^dec_[0-9a-hjkmnp-tv-z]{26}$")),
    request_body = crate::openapi::shapes::VoteBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Receipt), crate::openapi::failures::Failures)
)]
pub(super) async fn vote(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(decision): Place<String>,
    Json(mut body): Json<Map<String, Value>>,
) -> Answer {
    if let Some(document) = body.get("document") {
        let items = document["items"].as_array().map_or(&[][..], Vec::as_slice);
        if items.len() != 1 || items[0]["decision"] != decision {
            let detail = "document: its one item is the decision in the path; several go to /votes";
            return Err(Problem::malformed(detail));
        }
        return act(&app, &caller, body).await;
    }
    if body.insert("decision".to_owned(), Value::from(decision)).is_some() {
        return Err(Problem::malformed("body: the decision stands in the path"));
    }
    if body.contains_key("items") {
        return Err(Problem::malformed("body: several are decided at /api/v1/decisions/votes"));
    }
    if body.get("verdict").and_then(Value::as_str).is_some_and(is_vote) {
        fill(&app, &mut body);
    }
    act(&app, &caller, body).await
}

/// `POST /decisions/votes` `{items: [{decision, digest}], verdict, nonce?, time?, reason?}` →
/// `{items}`: several of one shape in one act, each with an answer of its own. Signed, it is a
/// document at `POST /votes`.
#[utoipa::path(
    post,
    path = "/decisions/votes",
    operation_id = "inbox_votes",
    tag = "inbox",
    summary = "Decide several of one shape",
    request_body = crate::openapi::shapes::VotesBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Receipt), crate::openapi::failures::Failures)
)]
pub(super) async fn votes(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(mut body): Json<Map<String, Value>>,
) -> Answer {
    if !body.contains_key("items") {
        return Err(Problem::malformed("body: items, each with decision and digest"));
    }
    fill(&app, &mut body);
    act(&app, &caller, body).await
}

/// `POST /votes` `{document, signature, with?, reason?, reason_salt?}`: a signed decision about one
/// or more items → `{position, state}`, or `{items: [{decision, position, state} | {decision, error}]}`.
#[utoipa::path(
    post,
    path = "/votes",
    operation_id = "inbox_signed",
    tag = "inbox",
    summary = "Decide with a signed document",
    request_body = crate::openapi::shapes::SignedBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Receipt), crate::openapi::failures::Failures)
)]
pub(super) async fn signed(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(body): Json<Map<String, Value>>,
) -> Answer {
    if !body.contains_key("document") {
        return Err(Problem::malformed("body: a signed decision document is taken here"));
    }
    act(&app, &caller, body).await
}

async fn act(app: &App, caller: &Caller, body: Map<String, Value>) -> Answer {
    Ok(axum::Json(app.handle.inbox_act(&caller.to_inbox(), &Value::Object(body)).await?))
}

/// Nonce and time, which a caller at this door may leave to it.
fn fill(app: &App, body: &mut Map<String, Value>) {
    body.entry("nonce").or_insert_with(|| json!(app.handle.nonce()));
    body.entry("time").or_insert_with(|| json!(app.handle.now()));
}

fn is_vote(word: &str) -> bool {
    word.parse::<Verdict>().is_ok() || word.parse::<Resolution>().is_ok()
}
