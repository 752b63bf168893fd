//! What a form brings: its fields, and the proof that it is one of this session's.
//!
//! The guard has looked at the Origin already; the token in the form is bound to the session and to
//! whom it acts as, so a form that was shown to one cannot be sent as another.

use super::viewer::Viewer;
use crate::app::App;
use crate::caller::Caller;
use crate::extract::body;
use crate::problem::Problem;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use url::form_urlencoded;

/// The field of the token.
const TOKEN: &str = "form_token";
/// The field of the request id, where a form must count once however often it is sent.
const REQUEST_ID: &str = "request_id";
/// Fields of a form at most.
const FIELDS_MAX: usize = 2_000;

/// A form of ours.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) viewer: Viewer,
    fields: Vec<(String, String)>,
}

impl Form {
    /// The value of a field; an empty one counts as absent.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values(name).next().filter(|value| !value.is_empty())
    }

    /// Every value of a field.
    pub(crate) fn values<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        let named = self.fields.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.as_str())
    }

    /// A field without which the form says nothing.
    pub(crate) fn demanded(&self, name: &str) -> Result<&str, Problem> {
        self.text(name).ok_or_else(|| Problem::malformed(format!("form: {name} is missing")))
    }

    /// Who sends it, with the request id that the form was made with.
    pub(crate) fn caller(&self) -> Caller {
        let request_id = self.text(REQUEST_ID).map(|id| format!("console-{id}"));
        Caller { request_id, ..self.viewer.caller.clone() }
    }

    /// Where the form says to go on, else `otherwise`: a place of this server in any case.
    pub(crate) fn back<'f>(&'f self, otherwise: &'f str) -> &'f str {
        self.text("back").filter(|path| is_local(path)).unwrap_or(otherwise)
    }
}

impl FromRequest<Arc<App>> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (mut parts, rest) = request.into_parts();
        let viewer = Viewer::from_request_parts(&mut parts, app).await?;
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
        if !kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let detail = "a form must be application/x-www-form-urlencoded";
            return Err(Problem::new("PL4017", detail));
        }
        let bytes = body(Request::from_parts(parts, rest)).await?;
        let pairs = form_urlencoded::parse(&bytes).into_owned();
        let fields: Vec<(String, String)> = pairs.take(FIELDS_MAX + 1).collect();
        if fields.len() > FIELDS_MAX {
            return Err(Problem::malformed(format!("form: more than {FIELDS_MAX} fields")));
        }
        let form = Self { viewer, fields };
        let given = form.text(TOKEN).unwrap_or_default();
        if !app.sessions.is_form_token(given, &form.viewer.form_token) {
            let detail = "the form was shown to another session or to another user";
            return Err(Problem::new("PL4068", detail));
        }
        Ok(form)
    }
}

/// Whether it is a path on this server and cannot be taken for anything else.
pub(crate) fn is_local(path: &str) -> bool {
    let bytes = path.as_bytes();
    let begins = bytes.first() == Some(&b'/') && !matches!(bytes.get(1), Some(b'/' | b'\\'));
    begins && bytes.iter().all(u8::is_ascii_graphic)
}

/// Leads a browser on after a form.
pub(crate) fn see_other(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path.to_owned())]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_to_no_other_server() {
        for ours in ["/", "/inbox?filter=all", "/runs/run_1"] {
            assert!(is_local(ours), "{ours}");
        }
        for foreign in
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "inbox", "/a\r\nb"]
        {
            assert!(!is_local(foreign), "{foreign:?}");
        }
    }
}
