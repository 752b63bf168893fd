//! The card of a decision (GATE.md §6) as a page, and deciding on it. What stands on it is the card
//! that every other door shows; the forms name the digest that was shown, so what has changed
//! meanwhile is refused and shown again.

pub(super) mod content;
mod mail;
mod mime;
mod signing;
mod slack;
pub(super) mod view;

use super::form::{Form, see_other};
use super::shell::{Section, Shell, Shown, html, shown};
use super::text::{Block, Line, read};
use super::times::{self, Moment};
use super::viewer::{Part, Viewer};
use crate::api::inbox;
use crate::app::App;
use crate::caller::Caller;
use crate::extract::{Json, Params, Place};
use crate::guard::Dress;
use crate::problem::Problem;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use content::Content;
use placet_model::code;
use serde_json::{Map, Value, json};
use signing::Signing;
use slack::Span;
use std::sync::Arc;
use view::Card;

#[derive(Template)]
#[template(path = "card.html", blocks = ["live"])]
struct Page {
    shell: Shell,
    card: Card,
    content: Content,
    asked: Moment,
    left: Moment,
    says: Vec<(&'static str, Block)>,
    seat: Seat,
    signing: Signing,
    /// Whether they may let it be sent alone.
    breaks: bool,
    /// So that a form counts once, however often it is sent.
    request_id: String,
    notice: Option<Notice>,
    /// What was written into the form that was refused.
    reason: String,
}

/// What the one who looks may do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seat {
    /// It is decided, or closed.
    Nothing,
    /// They have asked for it: others decide, they may take it back.
    Requester,
    /// They are no approver.
    Onlooker,
    Approver,
    /// An attempt is in doubt: they say what became of it.
    Witness,
}

/// Why the last form came to nothing.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) code: &'static str,
    pub(super) title: &'static str,
    pub(super) detail: Line,
}

impl Notice {
    pub(super) fn of(problem: &Problem) -> Self {
        let title = code::find(problem.code()).map_or("", |code| code.title);
        Self { code: problem.code(), title, detail: Line::new(problem.detail()) }
    }
}

/// The card as every door shows it.
pub(super) async fn card_of(app: &Arc<App>, caller: Caller, id: &str) -> Result<Value, Problem> {
    let answer = inbox::card(State(Arc::clone(app)), caller, Place(id.to_owned())).await?;
    Ok(answer.0)
}

/// `GET /inbox/{id}`.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Place(id): Place<String>,
    params: Params,
) -> Shown {
    params.only(&[])?;
    let card = card_of(&app, viewer.caller.clone(), &id).await?;
    let page = Page::of(&app, &viewer, card)?;
    shown(viewer.part, &page, &page.as_live())
}

/// `POST /inbox/{id}` `verdict=&digest=&reason=&to=`: decides, and leads to what became of it. What is
/// refused is shown with the card as it stands now.
pub(super) async fn decide(
    State(app): State<Arc<App>>,
    Place(id): Place<String>,
    form: Form,
) -> Shown {
    let vote = inbox::vote(
        State(Arc::clone(&app)),
        form.caller(),
        Place(id.clone()),
        Json(ballot(&form)?),
    );
    match vote.await {
        Ok(_receipt) => Ok(see_other(&format!("/inbox/{id}"))),
        Err(problem) => shown_again(&app, (&form, &id), problem).await,
    }
}

/// The card as it stands now, with why the form came to nothing and what was written into it.
pub(super) async fn shown_again(
    app: &Arc<App>,
    (form, id): (&Form, &str),
    problem: Problem,
) -> Shown {
    let Ok(card) = card_of(app, form.viewer.caller.clone(), id).await else {
        return Err(problem);
    };
    let viewer = Viewer { here: format!("/inbox/{id}"), part: Part::Whole, ..form.viewer.clone() };
    let mut page = Page::of(app, &viewer, card)?;
    page.notice = Some(Notice::of(&problem));
    form.text("reason").unwrap_or_default().clone_into(&mut page.reason);
    Ok((problem.status(), html(&page)?).into_response())
}

/// What the form says, as the API takes it.
fn ballot(form: &Form) -> Result<Map<String, Value>, Problem> {
    let mut body = Map::new();
    for name in ["verdict", "digest"] {
        body.insert(name.to_owned(), json!(form.demanded(name)?));
    }
    if let Some(reason) = form.text("reason") {
        body.insert("reason".to_owned(), json!(reason.replace("\r\n", "\n")));
    }
    let to: Vec<&str> = form.text("to").into_iter().flat_map(str::split_whitespace).collect();
    if !to.is_empty() {
        body.insert("to".to_owned(), json!(to));
    }
    Ok(body)
}

/// `GET /inbox/{id}/raw`: the request as it would leave, as text.
pub(super) async fn raw(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Place(id): Place<String>,
) -> Result<Response, Problem> {
    let card = card_of(&app, viewer.caller, &id).await?;
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((kind, content::raw(&card["request"])).into_response())
}

/// `GET /inbox/{id}/part/{number}`: a piece of HTML in the request, to be shown in a frame that runs,
/// sends and loads nothing.
pub(super) async fn part(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path((id, number)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let card = card_of(&app, viewer.caller, &id).await?;
    let parts = content::html_parts(&card["request"]);
    let part = number.parse().ok().and_then(|number: usize| parts.into_iter().nth(number));
    let part = part.ok_or_else(|| Problem::new("PL4012", "the request has no such part"))?;
    Ok((Extension(Dress::Frame), Html(part.html)).into_response())
}

impl Page {
    fn of(app: &App, viewer: &Viewer, card: Value) -> Result<Self, Problem> {
        let content = Content::of(&card);
        let says = ["author", "agent"].into_iter().filter_map(|who| {
            let said = card[format!("{who}_says_unverified")].clone();
            (!said.is_null()).then(|| (who, Block::of(&said)))
        });
        let says = says.collect();
        let card: Card = read(card)?;
        let now = app.handle.now();
        Ok(Self {
            shell: Shell::of(app, viewer, (Section::Inbox, card.summary.to_string())),
            content,
            asked: times::ago(card.requested_at, now),
            left: times::left(card.expires_at, now),
            says,
            seat: seat(app, viewer, &card),
            signing: Signing::of(app, viewer, &card),
            breaks: may_break(app, viewer, &card),
            request_id: app.handle.nonce(),
            notice: None,
            reason: String::new(),
            card,
        })
    }
}

/// Whether somebody is offered to let it be sent alone, in an emergency: whom the policy names for that,
/// and never who has asked for it.
fn may_break(app: &App, viewer: &Viewer, card: &Card) -> bool {
    let (me, world) = (&viewer.caller.principal, app.handle.world());
    let named = world.policy.break_glass.as_ref();
    let is_named = named.is_some_and(|glass| world.policy.people(&glass.who).contains(me));
    let is_open = card.state == "requested" && !card.sign.required;
    is_named && is_open && card.requester != me.as_str()
}

/// Only what is offered: whether a vote counts is the engine's to say.
pub(super) fn seat(app: &App, viewer: &Viewer, card: &Card) -> Seat {
    let (me, world) = (&viewer.caller.principal, app.handle.world());
    let is_open = matches!(card.state.as_str(), "requested" | "in_doubt");
    let is_mine = card.requester == me.as_str() && card.policy.self_approval != "allowed";
    match card.state.as_str() {
        _ if !is_open => Seat::Nothing,
        "in_doubt" => Seat::Witness,
        _ if is_mine => Seat::Requester,
        _ if world.policy.may_approve(me) => Seat::Approver,
        _ => Seat::Onlooker,
    }
}
