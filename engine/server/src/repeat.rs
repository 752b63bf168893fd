//! The same request id gives the same answer, for every change over HTTP: the first answer is kept
//! and given again. Votes are not kept here: the log itself remembers their request ids.
//!
//! Kept in this process only, and only so many: a client that repeats after a restart is answered
//! by what the engine itself notices (a deployed plan, an applied policy, a vote).

use crate::app::App;
use crate::caller::Caller;
use crate::extract::body;
use crate::problem::Problem;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use placet_model::Digest;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Answers that are kept.
const KEPT_MAX: usize = 4096;
/// Bytes of an answer that is kept.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Answers by caller and request id.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    inner: Mutex<Inner>,
}

type Key = (String, String);
type Slot = Arc<tokio::sync::Mutex<Option<Kept>>>;

#[derive(Debug, Default)]
struct Inner {
    slots: BTreeMap<Key, Slot>,
    order: VecDeque<Key>,
}

/// What was asked, and the answer to it.
#[derive(Debug, Clone)]
struct Kept {
    asked: Digest,
    status: StatusCode,
    body: Bytes,
}

impl Repeats {
    /// The place of an answer; whoever holds its lock is the one who works on it.
    fn slot(&self, key: &Key) -> Slot {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = inner.slots.get(key) {
            return Arc::clone(slot);
        }
        if inner.order.len() == KEPT_MAX
            && let Some(oldest) = inner.order.pop_front()
        {
            inner.slots.remove(&oldest);
        }
        let slot = Slot::default();
        inner.slots.insert(key.clone(), Arc::clone(&slot));
        inner.order.push_back(key.clone());
        slot
    }
}

/// Answers a repeated request from what is kept. Passes through what changes nothing, what has no
/// request id, votes, and new tokens.
pub(crate) async fn repeat(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_vote = path.starts_with("/api/v1/decisions/") && path.ends_with("/votes");
    // a token is shown once and kept nowhere, not even here
    let is_token = path == "/api/v1/tokens";
    if is_vote || is_token || request.method() != Method::POST {
        return next.run(request).await;
    }
    // on a task of its own: a client that hangs up must find the answer when it asks again
    match tokio::spawn(once(app, request, next)).await {
        Ok(Ok(response)) => response,
        Ok(Err(problem)) => problem.into_response(),
        Err(error) => Problem::internal(&error).into_response(),
    }
}

async fn once(app: Arc<App>, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, rest) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, &app).await?;
    let Some(id) = caller.request_id else {
        return Ok(next.run(Request::from_parts(parts, rest)).await);
    };
    let path = parts.uri.path().to_owned();
    let bytes = body(Request::from_parts(parts.clone(), rest)).await?;
    let asked = Digest::of(&[path.as_bytes(), b"\0", &bytes].concat());
    let slot = app.repeats.slot(&(caller.principal.to_string(), id));
    let mut kept = slot.lock().await;
    if let Some(kept) = &*kept {
        if kept.asked != asked {
            return Err(Problem::new("PL3018", "the request id was used for another request"));
        }
        return Ok(kept.to_response());
    }
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    if !response.status().is_success() {
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await;
    let body = body.map_err(|error| Problem::internal(&error))?;
    let answer = Kept { asked, status: head.status, body };
    let response = answer.to_response();
    *kept = Some(answer);
    Ok(response)
}

/// The answer that is kept under a caller's request id, or what `act` answers, which is then kept.
pub(crate) async fn kept(
    app: &App,
    caller: &Caller,
    asked: Digest,
    act: impl Future<Output = Result<Value, Problem>>,
) -> Result<Value, Problem> {
    let Some(id) = &caller.request_id else { return act.await };
    let slot = app.repeats.slot(&(caller.principal.to_string(), id.clone()));
    let mut kept = slot.lock().await;
    if let Some(kept) = &*kept {
        if kept.asked != asked {
            return Err(Problem::new("PL3018", "the request id was used for another request"));
        }
        return serde_json::from_slice(&kept.body).map_err(|error| Problem::internal(&error));
    }
    let answer = act.await?;
    let body = Bytes::from(answer.to_string());
    if body.len() <= ANSWER_BYTES_MAX {
        *kept = Some(Kept { asked, status: StatusCode::OK, body });
    }
    Ok(answer)
}

impl Kept {
    fn to_response(&self) -> Response {
        let kind = [(header::CONTENT_TYPE, "application/json")];
        (self.status, kind, self.body.clone()).into_response()
    }
}
