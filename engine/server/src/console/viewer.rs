//! Who looks at a page, and how much of it is asked for.

use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::sync::Arc;

/// What the script calls the part of a page that it fetches again.
const LIVE: &str = "live";

/// Somebody in front of a browser.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    pub(crate) caller: Caller,
    /// What every form of this session carries.
    pub(crate) form_token: String,
    /// Path and query of this page.
    pub(crate) here: String,
    pub(crate) part: Part,
}

/// How much of a page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    /// Its block `live` alone.
    Live,
}

impl FromRequestParts<Arc<App>> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, app).await?;
        caller.known(&app.handle.world())?;
        let form_token = app.sessions.form_token(&parts.headers, &caller.principal);
        let here = parts.uri.path_and_query().map_or("/", |here| here.as_str()).to_owned();
        let says = |name: &str, wanted: &str| {
            parts.headers.get(name).is_some_and(|value| value.as_bytes() == wanted.as_bytes())
        };
        let is_live = says("hx-request", "true") && says("hx-target", LIVE);
        let part = if is_live { Part::Live } else { Part::Whole };
        Ok(Self { caller, form_token, here, part })
    }
}
