//! Webhooks at a provider: what stands there, asking for it, and having it taken away.

use super::Answer;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::{Json, Nothing, Params, Place};
use crate::problem::Problem;
use axum::extract::State;
use placet_executor::connections::Wish;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// `GET /integrations/{name}/hooks` → `{hooks}`: what stands at the provider, by this log.
#[utoipa::path(
    get,
    path = "/integrations/{name}/hooks",
    operation_id = "subscriptions_list",
    tag = "integrations",
    summary = "Webhooks at the provider",
    params(("name" = String, Path)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Hooks), crate::openapi::failures::Failures)
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(name): Place<String>,
    params: Params,
) -> Answer {
    params.only(&[])?;
    caller.known(&app.handle.world())?;
    let hooks = reading(&app, move |app| Ok(json!({ "hooks": app.handle.subscriptions(&name)? })));
    Ok(axum::Json(hooks.await?))
}

/// What `POST /integrations/{name}/hooks` takes.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HooksBody {
    /// Whether the provider is to post here.
    on: bool,
    /// Under which address this engine is reached from there; its first listed name without it.
    base: Option<String>,
    /// What is subscribed to, where an account has many.
    resource: Option<String>,
}

/// `POST /integrations/{name}/hooks` → `{hooks}`, when what came of it is recorded.
#[utoipa::path(
    post,
    path = "/integrations/{name}/hooks",
    operation_id = "subscriptions_set",
    tag = "integrations",
    summary = "Ask for webhooks, or have them taken away",
    params(("name" = String, Path)),
    request_body = HooksBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Hooks), crate::openapi::failures::Failures)
)]
pub(super) async fn set(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(name): Place<String>,
    Json(body): Json<HooksBody>,
) -> Answer {
    if body.on {
        let base = base(&app, body.base)?;
        let wish = Wish { base, resource: body.resource.unwrap_or_default() };
        app.handle.subscribe(&caller.principal, &name, wish).await?;
    } else {
        app.handle.unsubscribe(&caller.principal, &name).await?;
    }
    let hooks: Value = json!(app.handle.subscriptions(&name)?);
    Ok(axum::Json(json!({ "hooks": hooks })))
}

/// A provider reaches nothing but an address that is written out.
fn base(app: &App, given: Option<String>) -> Result<String, Problem> {
    let base = match (given, app.hosts.first()) {
        (Some(base), _) => base,
        (None, Some(host)) => format!("https://{host}"),
        (None, None) => {
            let words = "base: under which address do providers reach this engine? As in https://placet.example";
            return Err(Problem::malformed(words));
        }
    };
    let rest = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
    let good = rest.is_some_and(|rest| {
        !rest.is_empty()
            && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\"<>".contains(&byte))
    });
    if good {
        Ok(base)
    } else {
        Err(Problem::malformed("base: an address such as https://placet.example"))
    }
}

/// `POST /integrations/{name}/sync` → how it was read, when what came is in the log.
#[utoipa::path(
    post,
    path = "/integrations/{name}/sync",
    operation_id = "subscriptions_sync",
    tag = "integrations",
    summary = "Read what came since the last time",
    params(("name" = String, Path)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Synced), crate::openapi::failures::Failures)
)]
pub(crate) async fn sync(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(name): Place<String>,
    Nothing: Nothing,
) -> Answer {
    Ok(axum::Json(json!(app.handle.sync(&caller.principal, &name).await?)))
}
