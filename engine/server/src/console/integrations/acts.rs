//! What is done with a connection. Each act is one of the API.

use super::show::{Uses, uses};
use super::{Connection, PATH, connection};
use crate::api;
use crate::app::App;
use crate::console::fields;
use crate::console::form::{Form, see_other};
use crate::console::list;
use crate::console::shell::{Section, Shell, Shown, html};
use crate::console::text::{Line, read};
use crate::console::viewer::Viewer;
use crate::extract::{Json, Nothing, Params, Place};
use crate::problem::Problem;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

fn page_of(name: &str) -> String {
    format!("{PATH}/{}", list::escaped(name))
}

/// `POST /integrations/{name}/test`.
pub(in crate::console) async fn test(
    State(app): State<Arc<App>>,
    Place(name): Place<String>,
    form: Form,
) -> Result<Response, Problem> {
    let place = page_of(&name);
    let _tested = api::connections::test(State(app), form.caller(), Place(name), Nothing).await?;
    Ok(see_other(form.back(&place)))
}

/// `POST /integrations/{name}/sync`: reads what came to it since the last time.
pub(in crate::console) async fn sync(
    State(app): State<Arc<App>>,
    Place(name): Place<String>,
    form: Form,
) -> Result<Response, Problem> {
    let place = page_of(&name);
    let _read = api::subscriptions::sync(State(app), form.caller(), Place(name), Nothing).await?;
    Ok(see_other(form.back(&place)))
}

/// `POST /integrations/{name}/switch` `to=on|off`.
pub(in crate::console) async fn switch(
    State(app): State<Arc<App>>,
    Place(name): Place<String>,
    form: Form,
) -> Result<Response, Problem> {
    let (place, name, caller) = (page_of(&name), Place(name), form.caller());
    let _set = match form.demanded("to")? {
        "on" => api::integrations::enable(State(app), caller, name, Nothing).await?,
        "off" => api::integrations::disable(State(app), caller, name, Nothing).await?,
        other => {
            return Err(Problem::malformed(format!("form: to: {other:?} is neither on nor off")));
        }
    };
    Ok(see_other(form.back(&place)))
}

/// `POST /integrations/{name}/rotate` `credential.FIELD=… account=? grace_hours=?`.
pub(in crate::console) async fn rotate(
    State(app): State<Arc<App>>,
    Place(name): Place<String>,
    form: Form,
) -> Result<Response, Problem> {
    let provider = app.handle.named(&name)?.provider;
    let manifest = app.handle.adapters().manifest(&provider);
    let known = fields::of(
        manifest.and_then(|known| known.credential_schema()).map(|known| known.document()),
    );
    let credential = fields::given(&form, "credential", &known)?;
    let body = json!({ "credential": credential, "account": form.text("account") });
    let place = page_of(&name);
    let (state, caller) = (State(Arc::clone(&app)), form.caller());
    let _rotated = api::connections::rotate(state, caller, Place(name), Json(read(body)?)).await?;
    Ok(see_other(&place))
}

#[derive(Template)]
#[template(path = "integrations/disconnect.html")]
struct Confirm {
    shell: Shell,
    connection: Connection,
    uses: Option<Uses>,
}

/// `GET /integrations/{name}/disconnect`: what would miss it, before it is done.
pub(in crate::console) async fn disconnecting(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Place(name): Place<String>,
    params: Params,
) -> Shown {
    params.only(&[])?;
    let title = format!("Disconnect {name}");
    html(&Confirm {
        shell: Shell::of(&app, &viewer, (Section::Integrations, title)),
        connection: connection(&app, &viewer, name.clone()).await?,
        uses: uses(&app, &viewer, name).await?,
    })
}

/// What came of it.
#[derive(Debug, Deserialize)]
struct Gone {
    name: String,
    #[serde(default)]
    credential: Option<Line>,
    #[serde(default)]
    webhook: Option<Line>,
}

#[derive(Template)]
#[template(path = "integrations/gone.html")]
struct Over {
    shell: Shell,
    gone: Gone,
}

/// `POST /integrations/{name}/disconnect` `name=`: the name is written again by whoever means it.
pub(in crate::console) async fn disconnect(
    State(app): State<Arc<App>>,
    Place(name): Place<String>,
    form: Form,
) -> Shown {
    if form.text("name") != Some(name.as_str()) {
        let words = format!("form: name: write {name} to disconnect it");
        return Err(Problem::malformed(words));
    }
    let (state, caller) = (State(Arc::clone(&app)), form.caller());
    let gone = api::integrations::disconnect(state, caller, Place(name), Nothing).await?;
    // where the switches of the page lead back to
    let viewer = Viewer { here: PATH.to_owned(), ..form.viewer };
    let shell = Shell::of(&app, &viewer, (Section::Integrations, "Disconnected".to_owned()));
    html(&Over { shell, gone: read(gone.0)? })
}
