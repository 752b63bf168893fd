//! `GET /events`: what happens, as it happens (server-sent events). Each carries its position as its
//! id, so a client that was cut off goes on where it was. Facts and digests only.

use crate::app::{App, reading};
use crate::caller::{Caller, one};
use crate::extract::Params;
use crate::problem::Problem;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{Stream, unfold};
use placet_executor::public::render;
use placet_model::{Position, RecordedEvent};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Events read in one snapshot.
const PAGE: usize = 256;
/// Where a client says which event it had last, when it comes back.
const LAST_EVENT_ID: &str = "last-event-id";

/// `GET /events?after=`: events after that position; those from now on when none is given.
pub(super) async fn follow(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    params: Params,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    caller.demand_reader(&app.handle.world())?;
    let params = params.only(&["after"])?;
    let after = match one(&headers, LAST_EVENT_ID)? {
        Some(id) => Some(
            id.trim()
                .parse::<u64>()
                .map_err(|error| Problem::malformed(format!("{LAST_EVENT_ID}: {error}")))?,
        ),
        None => params.parsed::<u64>("after")?,
    };
    let permit = Arc::clone(&app.streams).try_acquire_owned();
    let permit =
        permit.map_err(|_full| Problem::new("PL4007", "too many event streams are open"))?;
    let follower = Follower {
        cursor: after.map_or_else(|| app.handle.log().head(), Position::new),
        read: VecDeque::new(),
        heads: app.heads.clone(),
        closing: app.closing.clone(),
        app,
        _permit: permit,
    };
    Ok(Sse::new(unfold(follower, next)).keep_alive(KeepAlive::default()))
}

/// One client and how far it has come.
#[derive(Debug)]
struct Follower {
    app: Arc<App>,
    /// Position of the last event that was read.
    cursor: Position,
    read: VecDeque<RecordedEvent>,
    heads: watch::Receiver<Position>,
    closing: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

/// The next event; ends with the server, or where the log cannot be read.
async fn next(mut follower: Follower) -> Option<(Result<Event, Infallible>, Follower)> {
    loop {
        if *follower.closing.borrow() {
            return None;
        }
        if let Some(event) = follower.read.pop_front() {
            let id = event.position.to_string();
            let shown = Event::default().id(id).data(render(&event).to_string());
            return Some((Ok(shown), follower));
        }
        let head = *follower.heads.borrow_and_update();
        if head > follower.cursor {
            follower.read = page(&follower.app, follower.cursor).await.ok()?;
            follower.cursor = follower.read.back().map_or(follower.cursor, |event| event.position);
        } else {
            tokio::select! {
                moved = follower.heads.changed() => moved.ok()?,
                closing = follower.closing.changed() => closing.ok()?,
            }
        }
    }
}

async fn page(app: &Arc<App>, after: Position) -> Result<VecDeque<RecordedEvent>, Problem> {
    reading(app, move |app| {
        let view = app.handle.view()?;
        let events: Result<_, _> = view.events(after.next()).take(PAGE).collect();
        Ok(events?)
    })
    .await
}
