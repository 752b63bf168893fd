//! A problem, in words, for whoever asks for HTML. The status stays what it is; programs get the JSON.

use super::list::address;
use super::text::Line;
use crate::app::App;
use crate::guard::Dress;
use crate::problem::Problem;
use askama::Template;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use placet_model::code;
use std::sync::Arc;

/// What the API answers stays JSON, even to a browser.
const API: &str = "/api/";
/// Nobody is logged in.
const STRANGER: &str = "PL4004";

#[derive(Template)]
#[template(path = "fault.html")]
struct Fault {
    code: &'static str,
    title: &'static str,
    detail: Line,
    help: &'static str,
    findings: Vec<Line>,
    is_stranger: bool,
    is_dev: bool,
    /// Where one may log in: the server's name, and the way there and back.
    login: Option<(String, String)>,
}

/// Says a problem in words, where it is a page that was asked for.
pub(crate) async fn worded(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let wants_page = wants_page(&request);
    let here = request.uri().path_and_query().filter(|_| request.method() == Method::GET);
    let here = here.map_or("/", |here| here.as_str()).to_owned();
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Arc<Problem>>().filter(|_| wants_page) else {
        return response;
    };
    let known = code::find(problem.code());
    let fault = Fault {
        code: problem.code(),
        title: known.map_or("", |code| code.title),
        detail: Line::new(problem.detail()),
        help: known.map_or("", |code| code.help),
        findings: problem.findings_in_words().iter().map(|line| Line::new(line)).collect(),
        is_stranger: problem.code() == STRANGER,
        is_dev: app.access.is_dev(),
        login: app.login.as_ref().map(|login| {
            let way = address("/login/oidc", [("next", here.as_str())].into_iter());
            (login.oidc.host().to_owned(), way)
        }),
    };
    match fault.render() {
        Ok(text) => (response.status(), Extension(Dress::Page), Html(text)).into_response(),
        Err(error) => Problem::internal(&error).into_response(),
    }
}

/// Whether a browser shows the answer to a person.
fn wants_page(request: &Request) -> bool {
    let headers = request.headers();
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let wants = accept.is_some_and(|kinds| kinds.contains("text/html"));
    (wants || headers.contains_key("hx-request")) && !request.uri().path().starts_with(API)
}
