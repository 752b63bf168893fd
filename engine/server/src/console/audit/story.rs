//! The story of one run, with what bore on it from outside.

use super::Told;
use crate::api::audit as api;
use crate::app::App;
use crate::console::shell::{Section, Shell, Shown, shown};
use crate::console::text::read;
use crate::console::viewer::Viewer;
use crate::extract::{Params, Place};
use askama::Template;
use axum::extract::State;
use placet_executor::public::story::Subject;
use serde::Deserialize;
use std::sync::Arc;

#[derive(Debug, Deserialize)]
struct About {
    run: Option<String>,
    workflow: Option<String>,
    mode: Option<String>,
    requester: Option<String>,
    whole: bool,
}

#[derive(Template)]
#[template(path = "audit/story.html", blocks = ["live"])]
struct Story {
    shell: Shell,
    subject: Subject,
    about: About,
    told: Told,
}

/// `GET /audit/story/{run, decision or position}`.
pub(in crate::console) async fn story(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Place(subject): Place<Subject>,
    params: Params,
) -> Shown {
    params.only(&[])?;
    let (state, caller) = (State(Arc::clone(&app)), viewer.caller.clone());
    let axum::Json(answer) = api::story(state, caller, Place(subject)).await?;
    let page = Story {
        shell: Shell::of(&app, &viewer, (Section::Audit, format!("Story of {subject}"))),
        subject,
        about: read(answer.clone())?,
        told: read(answer)?,
    };
    shown(viewer.part, &page, &page.as_live())
}
