//! Connecting: with a credential that somebody has, or by asking the provider's own page for one.

use super::PATH;
use crate::api;
use crate::app::App;
use crate::console::fields::{self, Field};
use crate::console::form::{Form, see_other};
use crate::console::list;
use crate::console::shell::{Section, Shell, Shown, html};
use crate::console::text::read;
use crate::console::viewer::Viewer;
use crate::extract::{Json, Params, Place};
use crate::problem::Problem;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use placet_adapters::Manifest;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A set of scopes that can be asked for.
#[derive(Debug)]
struct Scopes {
    name: String,
    list: Vec<String>,
    any_of: Vec<String>,
    buys: Vec<String>,
}

/// Whether the provider's own page gives a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    None,
    /// It does, and this engine asks no provider.
    NotHere,
    Here {
        needs_secret: bool,
    },
}

#[derive(Template)]
#[template(path = "integrations/connect.html")]
struct Connect {
    shell: Shell,
    provider: String,
    title: String,
    is_planned: bool,
    settings: Vec<Field>,
    secrets: Vec<Field>,
    scopes: Vec<Scopes>,
    way: Way,
}

/// `GET /connect/{provider}`.
pub(in crate::console) async fn connecting(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Place(provider): Place<String>,
    params: Params,
) -> Shown {
    params.only(&[])?;
    let manifest = api::connect::manifest(&app, &provider)?;
    let title = format!("Connect {}", manifest.title());
    html(&Connect {
        shell: Shell::of(&app, &viewer, (Section::Integrations, title)),
        title: manifest.title().to_owned(),
        is_planned: manifest.is_planned(),
        settings: fields::of(manifest.config_schema().map(|known| known.document())),
        secrets: fields::of(manifest.credential_schema().map(|known| known.document())),
        scopes: scopes(&manifest),
        way: match manifest.grant() {
            None => Way::None,
            Some(_) if app.vault.is_none() || app.live.is_none() => Way::NotHere,
            Some(grant) => Way::Here { needs_secret: grant.needs_secret() },
        },
        provider,
    })
}

fn scopes(manifest: &Manifest) -> Vec<Scopes> {
    let sets = manifest.scopes().iter().map(|(name, set)| Scopes {
        name: name.clone(),
        list: set.list.clone(),
        any_of: set.any_of.clone(),
        buys: set.buys.clone(),
    });
    sets.collect()
}

/// `POST /connect/{provider}` `name= set.FIELD=… credential.FIELD=…`.
pub(in crate::console) async fn connect(
    State(app): State<Arc<App>>,
    Place(provider): Place<String>,
    form: Form,
) -> Result<Response, Problem> {
    let manifest = api::connect::manifest(&app, &provider)?;
    let name = form.demanded("name")?.to_owned();
    let settings = fields::given(
        &form,
        "set",
        &fields::of(manifest.config_schema().map(|known| known.document())),
    )?;
    let secrets = fields::of(manifest.credential_schema().map(|known| known.document()));
    let body = json!({
        "name": name,
        "provider": provider,
        "settings": settings,
        "credential": fields::given(&form, "credential", &secrets)?,
    });
    let (state, caller) = (State(Arc::clone(&app)), form.caller());
    let _connected = api::integrations::connect(state, caller, Json(read(body)?)).await?;
    Ok(see_other(&format!("{PATH}/{}", list::escaped(&name))))
}

/// The link, once.
#[derive(Debug, Deserialize)]
struct Begun {
    url: String,
    redirect_uri: String,
    expires_in_s: u64,
}

#[derive(Template)]
#[template(path = "integrations/authorize.html")]
struct Authorize {
    shell: Shell,
    title: String,
    begun: Begun,
}

/// `POST /connect/{provider}/authorize` `name= set.FIELD=… client.id= client.secret= scopes=…`: the link
/// to the provider's own page. It is a link and no redirect, as a form of ours leads nowhere else.
pub(in crate::console) async fn authorize(
    State(app): State<Arc<App>>,
    Place(provider): Place<String>,
    form: Form,
) -> Shown {
    let manifest = api::connect::manifest(&app, &provider)?;
    let settings = fields::given(
        &form,
        "set",
        &fields::of(manifest.config_schema().map(|known| known.document())),
    )?;
    let mut client = Map::new();
    for name in ["id", "secret"] {
        if let Some(text) = form.text(&format!("client.{name}")) {
            client.insert(name.to_owned(), text.into());
        }
    }
    let client = if client.is_empty() { Value::Null } else { Value::Object(client) };
    let body = json!({
        "name": form.text("name"),
        "settings": settings,
        "client": client,
        "scopes": form.values("scopes").collect::<Vec<_>>(),
    });
    let (state, caller) = (State(Arc::clone(&app)), form.caller());
    let begun = api::authorize::begin(state, caller, Place(provider), Json(read(body)?)).await?;
    // where the switches of the page lead back to
    let viewer = Viewer { here: PATH.to_owned(), ..form.viewer };
    let title = format!("Connect {}", manifest.title());
    html(&Authorize {
        shell: Shell::of(&app, &viewer, (Section::Integrations, title)),
        title: manifest.title().to_owned(),
        begun: read(begun.0)?,
    })
}
