//! One's own page: who one is here, one's passkeys, and, for an admin, those of others that wait.

use super::form::{Form, see_other};
use super::shell::{Section, Shell, Shown, html, shown};
use super::viewer::Viewer;
use crate::api::passkeys as api;
use crate::app::App;
use crate::extract::{Nothing, Params, Place};
use crate::pages;
use crate::problem::Problem;
use crate::session::Shown as Session;
use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use placet_executor::world::World;
use placet_model::Principal;
use placet_model::actor::Role;
use placet_model::passkey::{KnownPasskey, PasskeyId};
use std::sync::Arc;

const PATH: &str = "/you";

/// A passkey as a line of the page.
#[derive(Debug)]
struct Line {
    id: String,
    of: String,
    algorithm: &'static str,
    host: String,
    state: &'static str,
    is_good: bool,
    waits: bool,
}

impl Line {
    fn of((id, known): (&PasskeyId, &KnownPasskey)) -> Self {
        let state = match (known.revoked, known.confirmed) {
            (true, _) => "revoked",
            (false, true) => "in force",
            (false, false) => "waits for an admin",
        };
        Self {
            id: id.to_string(),
            of: known.principal.to_string(),
            algorithm: known.algorithm.word(),
            host: known.rp_id.clone(),
            state,
            is_good: known.is_good(),
            waits: !known.revoked && !known.confirmed,
        }
    }
}

#[derive(Template)]
#[template(path = "you.html", blocks = ["live"])]
struct Page {
    shell: Shell,
    roles: String,
    groups: String,
    passkeys: Vec<Line>,
    /// Those of others that an admin may confirm.
    waiting: Vec<Line>,
    /// Why none can be made at this address.
    unnamed: Option<String>,
    is_dev: bool,
    /// Where people log in: theirs, the newest first.
    sessions: Vec<Session>,
}

#[derive(Template)]
#[template(path = "you/named.html")]
struct Named {
    shell: Shell,
    link: String,
}

/// `GET /you`.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    headers: HeaderMap,
    params: Params,
) -> Shown {
    params.only(&[])?;
    let (me, world) = (&viewer.caller.principal, app.handle.world());
    let (passkeys, others): (Vec<_>, Vec<_>) =
        world.passkeys.iter().partition(|(_, known)| known.principal == *me);
    let is_admin = world.policy.has_role(me, Role::Admin);
    let waiting = others.into_iter().map(Line::of).filter(|line| is_admin && line.waits);
    let unnamed = api::host(&headers).err().map(|problem| problem.detail().to_owned());
    let page = Page {
        shell: Shell::of(&app, &viewer, (Section::You, "You".to_owned())),
        roles: roles(&world, me),
        groups: groups(&world, me),
        passkeys: passkeys.into_iter().map(Line::of).collect(),
        waiting: waiting.collect(),
        unnamed,
        is_dev: app.access.is_dev(),
        sessions: app.sessions.of(me, &headers),
    };
    shown(viewer.part, &page, &page.as_live())
}

fn roles(world: &World, me: &Principal) -> String {
    let info = world.policy.principals.get(me);
    let roles = info.into_iter().flat_map(|info| info.roles.iter()).map(|role| role.word());
    roles.collect::<Vec<_>>().join(", ")
}

fn groups(world: &World, me: &Principal) -> String {
    let groups = world.policy.groups.iter().filter(|(_, members)| members.contains(me));
    groups.map(|(name, _)| name.to_string()).collect::<Vec<_>>().join(", ")
}

/// `POST /you/passkeys/{id}/confirm`: an admin says that it is this person's.
pub(super) async fn confirm(
    State(app): State<Arc<App>>,
    Place(id): Place<PasskeyId>,
    form: Form,
) -> Result<Response, Problem> {
    let _answer = api::confirm(State(app), form.caller(), Place(id), Nothing).await?;
    Ok(see_other(PATH))
}

/// `POST /you/passkeys/{id}/revoke`.
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Place(id): Place<PasskeyId>,
    form: Form,
) -> Result<Response, Problem> {
    let _answer = api::revoke(State(app), form.caller(), Place(id), Nothing).await?;
    Ok(see_other(PATH))
}

/// `POST /you/named`: in `dev`, a login link under a name, since passkeys are made for names and the first
/// link had a number.
pub(super) async fn named(State(app): State<Arc<App>>, form: Form) -> Shown {
    if !app.access.is_dev() {
        return Err(Problem::new("PL4005", "only `placet dev` has login links"));
    }
    let token = app.sessions.new_link();
    let link = format!("http://localhost:{}/login?token={}", app.address.port(), token.expose());
    let shell = Shell::of(&app, &form.viewer, (Section::You, "Under a name".to_owned()));
    html(&Named { shell, link })
}

/// `POST /you/logout`: ends this session.
pub(super) async fn log_out(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    _form: Form,
) -> Response {
    let cookie = app.sessions.end(&headers);
    ([(header::SET_COOKIE, cookie)], logged_out(&app)).into_response()
}

/// `POST /you/logout-everywhere`: ends every session of this person.
pub(super) async fn log_out_everywhere(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    form: Form,
) -> Response {
    app.sessions.end_all(&form.viewer.caller.principal);
    let cookie = app.sessions.end(&headers);
    ([(header::SET_COOKIE, cookie)], logged_out(&app)).into_response()
}

fn logged_out(app: &App) -> axum::response::Html<String> {
    let again = match &app.login {
        Some(_) => "<p><a href=\"/login\">Log in again</a></p>",
        None => "<p>Start <code>placet dev</code> again for a new link.</p>",
    };
    pages::page("Logged out", again)
}
