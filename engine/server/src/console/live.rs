//! `GET /console/live`: a tick whenever something has happened, at most one a second, so that a page
//! fetches its live part again. It tells nothing but the position; an idle engine sends nothing.

use super::viewer::Viewer;
use crate::app::App;
use crate::problem::Problem;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{Stream, unfold};
use placet_model::Position;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Between two ticks: what happens in between is told by the later one.
const BETWEEN: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Follower {
    heads: watch::Receiver<Position>,
    closing: watch::Receiver<bool>,
    has_ticked: bool,
    _permit: OwnedSemaphorePermit,
}

pub(super) async fn follow(
    State(app): State<Arc<App>>,
    _viewer: Viewer,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let permit = Arc::clone(&app.streams).try_acquire_owned();
    let permit =
        permit.map_err(|_full| Problem::new("PL4007", "too many event streams are open"))?;
    let mut heads = app.heads.clone();
    heads.mark_unchanged();
    let closing = app.closing.clone();
    let follower = Follower { heads, closing, has_ticked: false, _permit: permit };
    Ok(Sse::new(unfold(follower, next)).keep_alive(KeepAlive::default()))
}

/// The next tick; ends with the server.
async fn next(mut follower: Follower) -> Option<(Result<Event, Infallible>, Follower)> {
    if *follower.closing.borrow() {
        return None;
    }
    if follower.has_ticked {
        tokio::select! {
            () = tokio::time::sleep(BETWEEN) => {}
            closing = follower.closing.changed() => return closing.ok().and(None),
        }
    }
    tokio::select! {
        moved = follower.heads.changed() => moved.ok()?,
        closing = follower.closing.changed() => return closing.ok().and(None),
    }
    follower.has_ticked = true;
    let head = *follower.heads.borrow_and_update();
    Some((Ok(Event::default().data(head.to_string())), follower))
}
