//! What a connection lacks after its credential: the choices, and making one.

use super::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::extract::{Json, Place};
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// What `POST /integrations/{name}/complete` takes.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompleteBody {
    /// Which step, where there are several.
    setting: Option<String>,
    /// What is chosen: its id, or its name at the provider. The choices are told where it is left out.
    choose: Option<Value>,
}

/// `POST /integrations/{name}/complete` → the steps with what the provider lists; after a choice, what is
/// still missing. The provider is asked with the connection's credential in either case.
#[utoipa::path(
    post,
    path = "/integrations/{name}/complete",
    operation_id = "connections_complete",
    tag = "integrations",
    summary = "Choose what connecting still lacks",
    params(("name" = String, Path)),
    request_body = CompleteBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Completion), crate::openapi::failures::Failures)
)]
pub(crate) async fn complete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(name): Place<String>,
    Json(body): Json<CompleteBody>,
) -> Answer {
    let (handle, who) = (&app.handle, &caller.principal);
    let setting = match body.setting {
        Some(setting) => Some(setting),
        // the first that is missing; without one, the only step there is
        None => handle.missing(&handle.named(&name)?).into_iter().next().map(|step| step.setting),
    };
    let Some(chosen) = body.choose else {
        let steps = handle.choices(who, &name, setting.as_deref()).await?;
        let pending = handle.missing(&handle.named(&name)?);
        return Ok(axum::Json(json!({ "name": name, "steps": steps, "pending": pending })));
    };
    let setting = if let Some(setting) = setting {
        setting
    } else {
        handle.choices(who, &name, None).await?.swap_remove(0).setting
    };
    let integration = handle.choose(who, &name, (&setting, &chosen)).await?;
    let chosen = &integration.settings[&setting];
    let pending = handle.missing(&integration);
    Ok(axum::Json(
        json!({ "name": name, "setting": setting, "chosen": chosen, "pending": pending }),
    ))
}
