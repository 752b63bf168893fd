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
use placet_model::{Position, RecordedEvent, Revision, RunId, StreamId};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Events read in one snapshot.
const PAGE: usize = 256;
/// Where a client says which event it had last, when it comes back.
const LAST_EVENT_ID: &str = "last-event-id";

/// `GET /events?after=&run=`: events after that position; those from now on when none is given. With
/// `run`, those of that run alone, from its first one on when no position is given; whoever caused
/// the run may follow it.
#[utoipa::path(
    get,
    path = "/events",
    operation_id = "events_follow",
    tag = "audit",
    summary = "Follow what happens",
    params(("after" = Option<u64>, Query, description = "position of the last event one has"), ("run" = Option<String>, Query)),
    responses((status = 200, description = "One event each, its position as its id", content_type = "text/event-stream", body = String), crate::openapi::failures::Failures)
)]
pub(super) async fn follow(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    params: Params,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let params = params.only(&["after", "run"])?;
    let run = params.parsed::<RunId>("run")?;
    may_follow(&app, &caller, run)?;
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
        cursor: match (after, run) {
            (Some(after), _) => Position::new(after),
            (None, Some(_)) => Position::START,
            (None, None) => app.handle.log().head(),
        },
        run: run.map(|run| (run, Revision::START)),
        read: VecDeque::new(),
        heads: app.heads.clone(),
        closing: app.closing.clone(),
        app,
        _permit: permit,
    };
    Ok(Sse::new(unfold(follower, next)).keep_alive(KeepAlive::default()))
}

fn may_follow(app: &App, caller: &Caller, run: Option<RunId>) -> Result<(), Problem> {
    let world = app.handle.world();
    let Some(run) = run else { return caller.demand_reader(&world) };
    caller.known(&world)?;
    let row = app.handle.run_row(run)?;
    let row = row.filter(|row| caller.reads(&world) || row.requester == caller.principal);
    row.map(drop).ok_or_else(|| Problem::new("PL4001", format!("there is no run {run}")))
}

/// One client and how far it has come.
#[derive(Debug)]
struct Follower {
    app: Arc<App>,
    /// Position of the last event that was read.
    cursor: Position,
    /// The one run that is followed, and the revision that was read last of it.
    run: Option<(RunId, Revision)>,
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
            follower.look(head).await.ok()?;
        } else {
            tokio::select! {
                moved = follower.heads.changed() => moved.ok()?,
                closing = follower.closing.changed() => closing.ok()?,
            }
        }
    }
}

impl Follower {
    /// Reads what has come since the cursor, at least up to `head` or a page of it.
    async fn look(&mut self, head: Position) -> Result<(), Problem> {
        match &mut self.run {
            None => {
                self.read = page(&self.app, self.cursor).await?;
                self.cursor = self.read.back().map_or(self.cursor, |event| event.position);
            }
            Some((run, revision)) => {
                let events = page_of(&self.app, *run, *revision).await?;
                let (after, full) = (self.cursor, events.len() == PAGE);
                if let Some(last) = events.back() {
                    *revision = last.revision;
                    self.cursor = last.position.max(self.cursor);
                }
                self.read = events.into_iter().filter(|event| event.position > after).collect();
                if !full {
                    // what else came was of others
                    self.cursor = head.max(self.cursor);
                }
            }
        }
        Ok(())
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

async fn page_of(
    app: &Arc<App>,
    run: RunId,
    after: Revision,
) -> Result<VecDeque<RecordedEvent>, Problem> {
    reading(app, move |app| {
        let view = app.handle.view()?;
        let events: Result<_, _> = view.stream(&StreamId::Run(run), after).take(PAGE).collect();
        Ok(events?)
    })
    .await
}
