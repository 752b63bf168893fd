//! For auditors: read every event, verify the log, replay it. Nothing in here changes anything;
//! `verify` is a POST because it reads the whole log.

use super::Answer;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::{Nothing, Params, Place};
use crate::problem::{Problem, with_sources};
use axum::extract::State;
use placet_executor::public::select::{self, Moment, Order, Page, Wanted};
use placet_executor::public::story::{Story, Subject};
use placet_executor::public::{past, render};
use placet_log::ReadView;
use placet_model::{Event, Position, RunId, StreamId};
use placet_projections::Difference;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const PAGE: usize = 100;
const PAGE_MAX: usize = 1000;
/// How long a page without events may be waited for.
const WAIT_MAX: Duration = Duration::from_secs(30);

const FILTERS: &[&str] = &[
    "after",
    "before",
    "order",
    "limit",
    "wait",
    "stream",
    "run",
    "type",
    "actor",
    "since",
    "until",
    "integration",
];

/// `GET /audit/events?after=&limit=&stream=&run=&type=&actor=&since=&until=&integration=&wait=` →
/// `{events, next, head}`, oldest first. `next` is the `after` of the next page; none at the end, and
/// then `head` is where to go on later. `type` takes several with commas between them, `since` and
/// `until` a moment or a length of time back from now, `integration` a name or an id.
///
/// With `order=desc` newest first, and `next` is the `before` of the next page. With `wait`, a page
/// that would be empty at the head is held back that many seconds, or until something fits.
#[utoipa::path(
    get,
    path = "/audit/events",
    operation_id = "audit_events",
    tag = "audit",
    summary = "Read the log",
    params(("after" = Option<u64>, Query, description = "position of the last event one has"), ("before" = Option<u64>, Query, description = "`next` of the page before"), ("order" = Option<String>, Query, description = "`asc` (usual) or `desc`"), ("limit" = Option<u64>, Query, description = "rows of a page"), ("wait" = Option<u64>, Query, description = "seconds to hold the answer back"), ("stream" = Option<String>, Query), ("run" = Option<String>, Query), ("type" = Option<String>, Query, description = "one or several with commas"), ("actor" = Option<String>, Query), ("since" = Option<String>, Query, description = "moment, or a length of time back from now"), ("until" = Option<String>, Query, description = "moment, or a length of time back from now"), ("integration" = Option<String>, Query)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::EventPage), crate::openapi::failures::Failures)
)]
pub(crate) async fn events(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let params = params.only(FILTERS)?;
    let wanted = wanted(&params)?;
    let limit = params.limit(PAGE, PAGE_MAX)?;
    let from = from(&params)?;
    let wait = Duration::from_secs(params.parsed("wait")?.unwrap_or(0)).min(WAIT_MAX);
    caller.demand_reader(&app.handle.world())?;
    if wait.is_zero() {
        return page(&app, wanted, (from, limit)).await.map(|page| axum::Json(to_json(&page)));
    }
    let _permit = app
        .streams
        .try_acquire()
        .map_err(|_full| Problem::new("PL4007", "too many event streams are open"))?;
    let page = waiting(&app, wanted, (from, limit), wait).await?;
    Ok(axum::Json(to_json(&page)))
}

fn to_json(page: &Page) -> serde_json::Value {
    let events: Vec<_> = page.events.iter().map(render).collect();
    json!({ "events": events, "next": page.next, "head": page.head })
}

type From = (Order, Position);

async fn page(
    app: &Arc<App>,
    wanted: Wanted,
    (from, limit): (From, usize),
) -> Result<Page, Problem> {
    reading(app, move |app| {
        let view = app.handle.view()?;
        Ok(wanted.resolve(&view, app.handle.now())?.page(&view, from, limit)?)
    })
    .await
}

/// The first page that holds something, or what there is when the time is over.
async fn waiting(
    app: &Arc<App>,
    wanted: Wanted,
    ((order, mut cursor), limit): (From, usize),
    wait: Duration,
) -> Result<Page, Problem> {
    let (mut heads, mut closing) = (app.heads.clone(), app.closing.clone());
    let until = tokio::time::Instant::now() + wait;
    loop {
        heads.mark_unchanged();
        let page = page(app, wanted.clone(), ((order, cursor), limit)).await?;
        if !page.events.is_empty() || page.next.is_some() || order == Order::NewestFirst {
            return Ok(page);
        }
        if *closing.borrow() {
            return Ok(page);
        }
        cursor = page.head;
        tokio::select! {
            moved = heads.changed() => if moved.is_err() { return Ok(page) },
            _closes = closing.changed() => return Ok(page),
            () = tokio::time::sleep_until(until) => return Ok(page),
        }
    }
}

fn from(params: &Params) -> Result<From, Problem> {
    let order = match params.text("order") {
        None | Some("asc") => Order::OldestFirst,
        Some("desc") => Order::NewestFirst,
        Some(word) => {
            return Err(Problem::malformed(format!("query: order: {word:?} is none of asc, desc")));
        }
    };
    let (cursor, other) = match order {
        Order::OldestFirst => ("after", "before"),
        Order::NewestFirst => ("before", "after"),
    };
    if params.text(other).is_some() {
        let detail = format!("query: {other}: pages in this order go on with {cursor}");
        return Err(Problem::malformed(detail));
    }
    Ok((order, Position::new(params.parsed(cursor)?.unwrap_or(0))))
}

fn wanted(params: &Params) -> Result<Wanted, Problem> {
    let malformed = |name: &'static str| {
        move |error: String| Problem::malformed(format!("query: {name}: {error}"))
    };
    let run: Option<RunId> = params.parsed("run")?;
    let stream: Option<StreamId> = params.parsed("stream")?;
    if run.is_some() && stream.is_some() {
        return Err(Problem::malformed("query: give either a run or a stream"));
    }
    let kinds = params.text("type").into_iter().flat_map(|kinds| kinds.split(','));
    let kinds = kinds.map(select::kind).collect::<Result<_, _>>().map_err(malformed("type"))?;
    let actor = params.text("actor").map(select::actor).transpose();
    Ok(Wanted {
        stream: run.map(StreamId::Run).or(stream),
        kinds,
        actor: actor.map_err(malformed("actor"))?,
        since: params.parsed::<Moment>("since")?,
        until: params.parsed::<Moment>("until")?,
        integration: params.text("integration").map(str::to_owned),
    })
}

/// `GET /audit/story/{run, decision or position}` → `{run, workflow, mode, requester, plan_digest,
/// whole, lines}`: what happened, a sentence for each event.
#[utoipa::path(
    get,
    path = "/audit/story/{subject}",
    operation_id = "audit_story",
    tag = "audit",
    summary = "One run in sentences",
    params(("subject" = String, Path)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Story), crate::openapi::failures::Failures)
)]
pub(crate) async fn story(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(subject): Place<Subject>,
) -> Answer {
    let told = reading(&app, move |app| {
        caller.demand_reader(&app.handle.world())?;
        Ok(Story::of(&app.handle.view()?, subject)?.to_json())
    });
    Ok(axum::Json(told.await?))
}

/// The end of a run's story, as [`story`] tells it: `(lines, how many the whole has)`.
pub(crate) async fn story_end(
    app: &Arc<App>,
    caller: Caller,
    run: RunId,
    (last, also): (usize, fn(&Event) -> bool),
) -> Result<(serde_json::Value, usize), Problem> {
    reading(app, move |app| {
        caller.demand_reader(&app.handle.world())?;
        let (story, count) = Story::end_of(&app.handle.view()?, run, last, also)?;
        Ok((story.to_json()["lines"].take(), count))
    })
    .await
}

/// `POST /audit/verify` → `{ok: true, events, payloads, erased, root}`, or `{ok: false, position, detail}`
/// with the first damage.
#[utoipa::path(
    post,
    path = "/audit/verify",
    operation_id = "audit_verify",
    tag = "audit",
    summary = "Verify the whole log",
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Verified), crate::openapi::failures::Failures)
)]
pub(crate) async fn verify(
    State(app): State<Arc<App>>,
    caller: Caller,
    Nothing: Nothing,
) -> Answer {
    let verifying = Arc::clone(&app.verifying);
    whole_log(&app, caller, move |view| {
        let reading = verifying.begin(view.head().size);
        Ok(match view.verify_telling(&|events| reading.tell(events)) {
            Ok(verified) => json!({
                "ok": true,
                "events": verified.events,
                "payloads": verified.payloads,
                "erased": verified.erased,
                "signatures": verified.signatures,
                "root": verified.root,
            }),
            Err(error) => damage(error)?,
        })
    })
    .await
}

/// `GET /audit/verify` → `{running: [{read, of}]}`: verifications that are under way, and how many events
/// each has read.
#[utoipa::path(
    get,
    path = "/audit/verify",
    operation_id = "audit_verifying",
    tag = "audit",
    summary = "How far verifications have come",
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Verifying), crate::openapi::failures::Failures)
)]
pub(crate) async fn verifying(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    caller.demand_reader(&app.handle.world())?;
    let running = app.verifying.progress().into_iter();
    let running: Vec<_> = running.map(|one| json!({ "read": one.read, "of": one.of })).collect();
    Ok(axum::Json(json!({ "running": running })))
}

/// What was found wrong; an error that says nothing about the log stays one.
fn damage(error: placet_log::Error) -> Result<serde_json::Value, Problem> {
    let position = match &error {
        placet_log::Error::Damaged { position, .. }
        | placet_log::Error::UnknownEvent { position, .. }
        | placet_log::Error::KeyLost { position, .. } => Some(*position),
        placet_log::Error::DamagedIndex { .. } => None,
        _ => return Err(error.into()),
    };
    Ok(
        json!({ "ok": false, "code": "PL1003", "position": position, "detail": with_sources(&error) }),
    )
}

/// `GET /audit/replay` → `{equal, position, difference?}`: whether the live tables are what the
/// whole log gives, byte for byte. With `at=`, the project as it was at that position instead (see
/// [`past::as_of`]).
#[utoipa::path(
    get,
    path = "/audit/replay",
    operation_id = "audit_replay",
    tag = "audit",
    summary = "Replay the log",
    params(("at" = Option<u64>, Query, description = "position")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Replayed), crate::openapi::failures::Failures)
)]
pub(crate) async fn replay(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let at: Option<u64> = params.only(&["at"])?.parsed("at")?;
    whole_log(&app, caller, move |view| {
        if let Some(at) = at {
            return Ok(past::as_of(view, Position::new(at))?);
        }
        let position = view.head().position();
        match placet_projections::compare(view) {
            Ok(()) => Ok(json!({ "equal": true, "position": position })),
            Err(Difference::Unreadable { source }) => Err(source.into()),
            Err(found) => {
                let difference = found.to_string();
                Ok(json!({ "equal": false, "position": position, "difference": difference }))
            }
        }
    })
    .await
}

async fn whole_log(
    app: &Arc<App>,
    caller: Caller,
    read: impl FnOnce(&ReadView) -> Result<serde_json::Value, Problem> + Send + 'static,
) -> Answer {
    caller.demand_reader(&app.handle.world())?;
    let closed = |_closed| Problem::new("PL4006", "the server is closing");
    let _permit = app.audits.acquire().await.map_err(closed)?;
    let found = reading(app, move |app| read(&app.handle.view()?));
    Ok(axum::Json(found.await?))
}
