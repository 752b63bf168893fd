//! Changing the settings of a connection. It is connected again under its own id, with the credential
//! that it has: the provider is asked whose that is, and what was approved under the settings of before
//! is asked for again.

use super::{Connection, PATH, connection};
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
use placet_model::integration::{Integration, IntegrationStatus};
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Template)]
#[template(path = "integrations/settings.html")]
struct Page {
    shell: Shell,
    connection: Connection,
    settings: Vec<Field>,
}

/// `GET /integrations/{name}/settings`.
pub(in crate::console) async fn editing(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Place(name): Place<String>,
    params: Params,
) -> Shown {
    params.only(&[])?;
    let connection = connection(&app, &viewer, name.clone()).await?;
    let integration = standing(&app, &name)?;
    let mut settings = fields_of(&app, &integration);
    for field in &mut settings {
        field.usual = match &integration.settings[&field.name] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
    }
    let title = format!("Settings of {name}");
    html(&Page {
        shell: Shell::of(&app, &viewer, (Section::Integrations, title)),
        connection,
        settings,
    })
}

/// `POST /integrations/{name}/settings` `set.FIELD=… default=on?`. What has no field stays as it is.
pub(in crate::console) async fn edit(
    State(app): State<Arc<App>>,
    Place(name): Place<String>,
    form: Form,
) -> Result<Response, Problem> {
    let integration = standing(&app, &name)?;
    let fields = fields_of(&app, &integration);
    let mut settings = integration.settings.as_object().cloned().unwrap_or_default();
    settings.retain(|name, _| !fields.iter().any(|field| field.name == *name));
    if let Value::Object(given) = fields::given(&form, "set", &fields)? {
        settings.extend(given);
    }
    let body = json!({
        "name": name,
        "provider": integration.provider,
        "settings": settings,
        "default": form.text("default").is_some(),
    });
    let (state, caller) = (State(Arc::clone(&app)), form.caller());
    let _connected = api::integrations::connect(state, caller, Json(read(body)?)).await?;
    Ok(see_other(&format!("{PATH}/{}", list::escaped(&name))))
}

/// A connection that stands: one that is disconnected has no credential with which it could go on.
fn standing(app: &App, name: &str) -> Result<Integration, Problem> {
    let integration = app.handle.named(name)?;
    if integration.status == IntegrationStatus::Disconnected {
        let words = format!("{name} is disconnected: connect it again, with a credential");
        return Err(Problem::new("PL4064", words));
    }
    Ok(integration)
}

fn fields_of(app: &App, integration: &Integration) -> Vec<Field> {
    let manifest = app.handle.adapters().manifest(&integration.provider);
    fields::of(manifest.and_then(|known| known.config_schema()).map(|known| known.document()))
}
