//! Editing a draft: a form made from the operation's JSON Schema, filled with what the draft says.
//! What stays as it was keeps its type; what is wrong is told at its field before anything is recorded.
//! An edit is a vote of its own that makes a new draft, which asks again.

mod fields;

use super::card::{self, Notice, view::Card};
use super::form::{Form, see_other};
use super::shell::{Section, Shell, Shown, html};
use super::text::{Line, read};
use super::viewer::Viewer;
use crate::api::inbox;
use crate::app::{App, reading};
use crate::extract::{Json, Place};
use crate::problem::Problem;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use fields::{Fields, Kind};
use placet_executor::erasure::unless_erased;
use placet_model::{DecisionId, StreamId};
use placet_projections::Views;
use placet_schemas::Schema;
use serde_json::{Map, Value, json};
use std::sync::Arc;

#[derive(Template)]
#[template(path = "edit.html")]
struct Page {
    shell: Shell,
    id: String,
    digest: String,
    operation: Line,
    fields: Fields,
    reason: String,
    request_id: String,
    notice: Option<Notice>,
}

#[derive(Template)]
#[template(path = "problems.html")]
struct Problems {
    fields: Fields,
}

/// A draft that can be edited.
struct Draft {
    card: Card,
    schema: Option<Arc<Schema>>,
    with: Value,
}

/// `GET /inbox/{id}/edit`.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Place(id): Place<String>,
) -> Shown {
    let draft = draft_of(&app, &viewer, &id).await?;
    let fields = Fields::of(draft.schema.as_deref(), &draft.with);
    html(&Page::of(&app, &viewer, (draft, fields)))
}

/// `POST /inbox/{id}/check`: what is wrong with what is written so far. Records nothing.
pub(super) async fn check(
    State(app): State<Arc<App>>,
    Place(id): Place<String>,
    form: Form,
) -> Shown {
    let draft = draft_of(&app, &form.viewer, &id).await?;
    let mut fields = Fields::of(draft.schema.as_deref(), &draft.with);
    drop(fields.read(&form, draft.schema.as_deref()));
    html(&Problems { fields })
}

/// `POST /inbox/{id}/edit`.
pub(super) async fn save(
    State(app): State<Arc<App>>,
    Place(id): Place<String>,
    form: Form,
) -> Shown {
    let draft = draft_of(&app, &form.viewer, &id).await?;
    let mut fields = Fields::of(draft.schema.as_deref(), &draft.with);
    let viewer = Viewer { here: format!("/inbox/{id}/edit"), ..form.viewer.clone() };
    let reason = form.text("reason").unwrap_or_default().replace("\r\n", "\n");
    let Some(with) = fields.read(&form, draft.schema.as_deref()) else {
        let mut page = Page::of(&app, &viewer, (draft, fields));
        page.reason = reason;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, html(&page)?).into_response());
    };
    let digest = form.demanded("digest")?;
    let mut body = Map::from_iter([
        ("verdict".to_owned(), json!("edit")),
        ("digest".to_owned(), json!(digest)),
        ("with".to_owned(), with),
    ]);
    if !reason.is_empty() {
        body.insert("reason".to_owned(), json!(reason));
    }
    let vote = inbox::vote(State(Arc::clone(&app)), form.caller(), Place(id.clone()), Json(body));
    let problem = match vote.await {
        Ok(axum::Json(receipt)) => {
            let next = receipt["successor"].as_str().unwrap_or(&id);
            return Ok(see_other(&format!("/inbox/{next}")));
        }
        Err(problem) => problem,
    };
    if draft.card.digest != digest || draft.card.state != "requested" {
        return card::shown_again(&app, (&form, &id), problem).await;
    }
    let mut page = Page::of(&app, &viewer, (draft, fields));
    page.reason = reason;
    page.notice = Some(Notice::of(&problem));
    Ok((problem.status(), html(&page)?).into_response())
}

/// The draft behind a card that the viewer may see.
async fn draft_of(app: &Arc<App>, viewer: &Viewer, id: &str) -> Result<Draft, Problem> {
    let card = card::card_of(app, viewer.caller.clone(), id).await?;
    let operation = card["operation"].as_str().unwrap_or_default().to_owned();
    let decision: DecisionId =
        id.parse().map_err(|error| Problem::malformed(format!("path: {error}")))?;
    let card: Card = read(card)?;
    let with = reading(app, move |app| {
        let view = app.handle.view()?;
        let row = Views::new(&view)?.decision(decision)?;
        let row = row.ok_or_else(|| Problem::new("PL3001", "there is no such decision"))?;
        let with = unless_erased(view.payload(&StreamId::Run(row.run), row.with))?;
        let with = with.ok_or_else(|| Problem::new("PL4012", "the content was erased"))?;
        serde_json::from_slice(with.as_bytes()).map_err(|error| Problem::internal(&error))
    });
    let with = with.await?;
    let schema = app.handle.adapters().operation(&operation);
    let schema = schema.and_then(|known| known.input_schema().cloned());
    Ok(Draft { card, schema, with })
}

impl Page {
    fn of(app: &App, viewer: &Viewer, (draft, fields): (Draft, Fields)) -> Self {
        let title = format!("Edit: {}", draft.card.summary);
        Self {
            shell: Shell::of(app, viewer, (Section::Inbox, title)),
            id: draft.card.id,
            digest: draft.card.digest,
            operation: draft.card.operation,
            fields,
            reason: String::new(),
            request_id: app.handle.nonce(),
            notice: None,
        }
    }
}
