//! For auditors: read every event, verify the log, replay it. Nothing in here changes anything;
//! `verify` is a POST because it reads the whole log.

use super::Answer;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::{Nothing, Params};
use crate::problem::{Problem, with_sources};
use axum::extract::State;
use placet_executor::public::render;
use placet_log::ReadView;
use placet_model::{Position, RecordedEvent, Revision, StreamId, for_each_event};
use placet_projections::Difference;
use serde_json::json;
use std::sync::Arc;

const PAGE: usize = 100;
const PAGE_MAX: usize = 1000;
/// Events that are looked at for one page; a page of rare ones ends early, with where to go on.
const SCAN_MAX: usize = 20_000;

macro_rules! names {
    ($($name:ident = $id:literal,)+) => {
        &[$(stringify!($name)),+]
    };
}

/// Every type of event.
const TYPES: &[&str] = for_each_event!(names);

/// `GET /audit/events?after=&limit=&stream=&type=` → `{events, next}`, oldest first. `next` is the
/// `after` of the next page; none at the head.
pub(super) async fn events(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let params = params.only(&["after", "limit", "stream", "type"])?;
    let asked = Asked {
        after: Position::new(params.parsed("after")?.unwrap_or(0)),
        limit: params.limit(PAGE, PAGE_MAX)?,
        kind: params.text("type").map(str::to_owned),
    };
    let stream: Option<StreamId> = params.parsed("stream")?;
    if let Some(kind) = asked.kind.as_deref().filter(|kind| !TYPES.contains(kind)) {
        return Err(Problem::malformed(format!("query: type: there is no event {kind}")));
    }
    let page = reading(&app, move |app| {
        caller.demand_reader(&app.handle.world())?;
        let view = app.handle.view()?;
        match stream {
            None => asked.page(view.events(asked.after.next())),
            Some(stream) => asked.page(view.stream(&stream, Revision::START)),
        }
    });
    Ok(axum::Json(page.await?))
}

struct Asked {
    after: Position,
    limit: usize,
    kind: Option<String>,
}

impl Asked {
    fn page(
        &self,
        events: impl Iterator<Item = Result<RecordedEvent, placet_log::Error>>,
    ) -> Result<serde_json::Value, Problem> {
        let (mut page, mut last, mut seen) = (vec![], self.after, 0);
        for event in events {
            let event = event?;
            if event.position <= self.after {
                continue;
            }
            if page.len() == self.limit || seen == SCAN_MAX {
                return Ok(json!({ "events": page, "next": last }));
            }
            (last, seen) = (event.position, seen + 1);
            if self.kind.as_deref().is_none_or(|kind| kind == event.event.type_name()) {
                page.push(render(&event));
            }
        }
        Ok(json!({ "events": page, "next": null }))
    }
}

/// `POST /audit/verify` → `{ok: true, events, payloads, erased, root}`, or `{ok: false, position, detail}`
/// with the first damage.
pub(super) async fn verify(
    State(app): State<Arc<App>>,
    caller: Caller,
    Nothing: Nothing,
) -> Answer {
    whole_log(&app, caller, |view| {
        Ok(match view.verify() {
            Ok(verified) => json!({
                "ok": true,
                "events": verified.events,
                "payloads": verified.payloads,
                "erased": verified.erased,
                "root": verified.root,
            }),
            Err(error) => damage(error)?,
        })
    })
    .await
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
/// whole log gives, byte for byte.
pub(super) async fn replay(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    params.only(&[])?;
    whole_log(&app, caller, |view| {
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
