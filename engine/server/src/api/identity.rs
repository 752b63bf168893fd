//! Who a credential belongs to: asked of the provider through the live transport, pinned by id and
//! tenant. The call is a read that the manifest names, with an empty input.

use crate::app::App;
use crate::problem::{Problem, with_sources};
use placet_adapters::identity::Account;
use placet_adapters::{
    Call, CallIntegration, Manifest, Occurrence, Redirects, RenderInput, render,
};
use placet_model::IntegrationId;
use serde_json::{Value, json};
use std::sync::Arc;

/// Bytes of the provider's answer.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// What the provider is asked with.
pub(super) struct Asked<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) settings: &'a Value,
    pub(super) integration: CallIntegration,
}

/// The account; none where there is no way to ask (no identity test, no live transport, no
/// credential to ask with), or where the provider accepts the credential and does not say whose it is.
pub(super) async fn ask(app: &App, asked: Asked<'_>) -> Result<Option<Account>, Problem> {
    if asked.integration.credential_version == 0 {
        return Ok(None);
    }
    let credential = (asked.integration.id, asked.integration.credential_version);
    let test = app.handle.identity_test(asked.manifest, credential).await;
    let (Some(test), Some(live)) = (test, &app.live) else { return Ok(None) };
    let operation = Arc::clone(test.operation());
    let (input, now) = (json!({}), app.handle.now());
    let given = RenderInput {
        settings: asked.settings,
        input: &input,
        send_id: "",
        draft_time: now,
        authentication: None,
    };
    let rendered =
        render(&operation, given).map_err(|error| Problem::new("PL6002", with_sources(&error)))?;
    let call = Call {
        attempt: None,
        timeout: operation.timeout(),
        operation,
        integration: Some(asked.integration),
        request: Arc::new(rendered.request),
        input: Arc::new(input),
        occurrence: Occurrence { seen: None, now },
        redirects: Redirects::Never,
        send_id: String::new(),
        response_bytes_max: ANSWER_BYTES_MAX,
    };
    let answer = live.perform(call).await;
    if let Err(failed) = &answer {
        let detail = format!("{} could not be asked: {failed}", asked.manifest.provider());
        return Err(Problem::new("PL6005", detail));
    }
    let mode = mode(app, asked.manifest, credential).await?;
    let account = test.account(&answer, mode.as_deref());
    account.map_err(|error| Problem::new("PL6005", with_sources(&error)))
}

/// The mode that a credential shows, where its provider has more than one.
pub(super) async fn mode(
    app: &App,
    manifest: &Manifest,
    credential: (IntegrationId, u32),
) -> Result<Option<String>, Problem> {
    let mode = app.handle.credential_mode(manifest, credential).await;
    mode.map_err(|why| Problem::malformed(format!("credential of {}: {why}", manifest.provider())))
}
