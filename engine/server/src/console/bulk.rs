//! Several of one shape in one act: each is bound by the digest that was shown, and each has an
//! answer of its own.

use super::form::Form;
use super::shell::{Section, Shell, Shown, html};
use super::text::{Line, read};
use crate::api::inbox;
use crate::app::App;
use crate::extract::Json;
use crate::problem::Problem;
use askama::Template;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, json};
use std::sync::Arc;

#[derive(Debug, Deserialize)]
struct Answer {
    items: Vec<Said>,
}

#[derive(Debug, Deserialize)]
struct Said {
    decision: String,
    #[serde(default)]
    state: Option<Line>,
    #[serde(default)]
    error: Option<Refused>,
}

#[derive(Debug, Deserialize)]
struct Refused {
    code: Line,
    detail: Line,
}

#[derive(Template)]
#[template(path = "bulk.html")]
struct Bulk {
    shell: Shell,
    answer: Answer,
}

/// `POST /inbox/bulk` `verdict=&item=DECISION DIGEST…&reason=`.
pub(super) async fn decide(State(app): State<Arc<App>>, form: Form) -> Shown {
    let item = |text: &str| {
        let bound = text.split_once(' ');
        let bound = bound.map(|(decision, digest)| json!({"decision": decision, "digest": digest}));
        bound.ok_or_else(|| Problem::malformed("form: item: a decision and its digest"))
    };
    let items: Result<Vec<_>, Problem> = form.values("item").map(item).collect();
    let mut body = Map::new();
    body.insert("items".to_owned(), json!(items?));
    body.insert("verdict".to_owned(), json!(form.demanded("verdict")?));
    if let Some(reason) = form.text("reason") {
        body.insert("reason".to_owned(), json!(reason.replace("\r\n", "\n")));
    }
    let voted = inbox::votes(State(Arc::clone(&app)), form.caller(), Json(body)).await?;
    let title = (Section::Inbox, "Decided together".to_owned());
    html(&Bulk { shell: Shell::of(&app, &form.viewer, title), answer: read(voted.0)? })
}
