//! What a request says: its body, its query, the id in its path. Every misfit is a problem of ours.

use crate::app::App;
use crate::problem::Problem;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use placet_executor::telemetry::TraceParent;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Names the span of whoever asks (W3C Trace Context).
const TRACE_PARENT: &str = "traceparent";
/// Bytes of a request body.
pub(crate) const BODY_BYTES_MAX: usize = 4 << 20;
/// For a body to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

pub(crate) fn too_large() -> Problem {
    Problem::new("PL4014", format!("a body has at most {BODY_BYTES_MAX} bytes"))
}

/// The whole body.
pub(crate) async fn body(request: Request) -> Result<Bytes, Problem> {
    let reading = tokio::time::timeout(BODY_TIME, Bytes::from_request(request, &()));
    match reading.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejected)) if rejected.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
        Ok(Err(_broken)) => Err(Problem::malformed("the body could not be read")),
        Err(_elapsed) => Err(Problem::malformed("the body did not arrive in time")),
    }
}

/// A JSON body; none is read as `{}`.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _app: &Arc<App>) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = body(request).await?;
        if bytes.is_empty() {
            return read(b"{}").map(Self);
        }
        if !is_json {
            return Err(Problem::new("PL4017", "a body must be application/json"));
        }
        read(&bytes).map(Self)
    }
}

/// No body, or `{}`: all is said by the path.
#[derive(Debug)]
pub(crate) struct Nothing;

impl FromRequest<Arc<App>> for Nothing {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let Json(body) = Json::<Map<String, Value>>::from_request(request, app).await?;
        match body.keys().next() {
            None => Ok(Self),
            Some(name) => Err(Problem::malformed(format!("body: unknown field `{name}`"))),
        }
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::malformed(format!("body: {error}")))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// The query, as text; an empty value counts as absent.
#[derive(Debug, Default, Clone)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    /// Nothing but these names may stand in it: a typo must not widen an answer.
    pub(crate) fn only(self, known: &[&str]) -> Result<Self, Problem> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(self),
            Some(name) => {
                let known = known.join(", ");
                Err(Problem::malformed(format!("query: {name:?} is none of {known}")))
            }
        }
    }

    /// Without this name, which the asker has taken.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// With another value of a parameter; an empty one takes it out.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.remove(name);
        if !value.is_empty() {
            self.0.insert(name.to_owned(), value.to_owned());
        }
        self
    }

    pub(crate) fn parsed<T>(&self, name: &str) -> Result<Option<T>, Problem>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        let parse = |text: &str| {
            text.parse().map_err(|error| Problem::malformed(format!("query: {name}: {error}")))
        };
        self.text(name).map(parse).transpose()
    }

    /// Rows of a page.
    pub(crate) fn limit(&self, usual: usize, most: usize) -> Result<usize, Problem> {
        Ok(self.parsed::<usize>("limit")?.unwrap_or(usual).clamp(1, most))
    }
}

impl FromRequestParts<Arc<App>> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, Problem> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(pairs) = query.map_err(|_bad| Problem::malformed("the query cannot be read"))?;
        let mut params = BTreeMap::new();
        for (name, value) in pairs {
            if params.insert(name.clone(), value).is_some() {
                return Err(Problem::malformed(format!("query: {name:?} stands twice")));
            }
        }
        Ok(Self(params))
    }
}

/// The span of the caller, where a `traceparent` names one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CalledBy(pub(crate) Option<TraceParent>);

impl<S: Send + Sync> FromRequestParts<S> for CalledBy {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let given = parts.headers.get(TRACE_PARENT).and_then(|given| given.to_str().ok());
        Ok(Self(given.and_then(TraceParent::read)))
    }
}

/// The one variable part of a path, parsed.
#[derive(Debug)]
pub(crate) struct Place<T>(pub(crate) T);

impl<T> FromRequestParts<Arc<App>> for Place<T>
where
    T: FromStr<Err: std::fmt::Display> + Send,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, app).await;
        let Path(text) = path.map_err(|_bad| Problem::malformed("the path cannot be read"))?;
        text.parse().map(Self).map_err(|error| Problem::malformed(format!("path: {error}")))
    }
}
