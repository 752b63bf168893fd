//! Connecting by OAuth: a link for a person, what they come back with, and the tokens that it buys.

use super::Answer;
use super::connect::{self, ConnectBody, Granting};
use super::integrations;
use crate::app::{App, reading};
use crate::authorizations::{Intent, LIFETIME, Stage};
use crate::caller::Caller;
use crate::extract::{Json, Params, Place};
use crate::problem::Problem;
use axum::extract::State;
use placet_adapters::oauth::{
    AppClient, Asking, CLIENT_ID, CLIENT_SECRET, GrantSpec, KeptGrant, REFRESH_TOKEN, Renews,
    Rotates,
};
use placet_adapters::{Manifest, SecretText};
use placet_executor::world::World;
use placet_model::actor::Role;
use placet_model::integration::Integration;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What `POST /integrations/{provider}/authorize` takes.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthorizeBody {
    name: Option<String>,
    #[serde(default)]
    settings: Value,
    default: Option<bool>,
    /// The operator's own app, `{id, secret}`; that of the connection as it stands if left out.
    #[serde(default)]
    client: Value,
    /// Fields of the credential that no token endpoint gives.
    #[serde(default)]
    credential: Value,
    /// Scope sets of the manifest, or single scopes of them.
    #[serde(default)]
    scopes: Vec<String>,
    /// Which of this engine's names the provider sends people back to.
    host: Option<String>,
}

/// `POST /integrations/{provider}/authorize` → the link, once.
#[utoipa::path(
    post,
    path = "/integrations/{name}/authorize",
    operation_id = "authorize_begin",
    tag = "integrations",
    summary = "Begin a grant in the browser",
    params(("name" = String, Path)),
    request_body = AuthorizeBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Authorizing), crate::openapi::failures::Failures)
)]
pub(crate) async fn begin(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(provider): Place<String>,
    Json(body): Json<AuthorizeBody>,
) -> Answer {
    app.handle.demand(&caller.principal, Role::Operator)?;
    let grant = grant_of(&app, &provider)?;
    if app.vault.is_none() || app.live.is_none() {
        let words = "an engine in sandbox mode asks no provider: start it with --mode live";
        return Err(Problem::new("PL4011", words));
    }
    let manifest = connect::manifest(&app, &provider)?;
    let name = body.name.clone().unwrap_or_else(|| provider.clone());
    let world = app.handle.world();
    connect::check_name(&world, (&name, &provider))?;
    let known = world.by_name(&name).filter(|known| known.credential_version > 0).cloned();
    let settings = match (&body.settings, &known) {
        (Value::Null, Some(known)) => known.settings.clone(),
        (given, _) => manifest.settings(given).map_err(|violations| {
            Problem::malformed(format!("settings of {provider}: {violations}"))
        })?,
    };
    let mut fields = kept_fields(&app, known, &grant).await?;
    fields.extend(connect::texts("credential", &body.credential)?);
    let client = client(&grant, (&provider, &body.client), &mut fields)?;
    let base = base(&app, body.host.as_deref())?;
    let intent = Intent {
        caller,
        scopes: scopes(&manifest, &grant, &body.scopes)?,
        redirect_uri: format!("{base}/integrations/{provider}/callback"),
        state: SecretText::new(crate::Token::random().expose()),
        verifier: SecretText::new(crate::Token::random().expose()),
        name,
        settings,
        default: body.default,
        client,
        fields,
        provider: provider.clone(),
    };
    // what the settings lack is said now, not to the person on the way
    grant
        .authorize_url(&intent.settings, &asking(&intent))
        .map_err(|error| Problem::new("PL5030", error.to_string()))?;
    let redirect_uri = intent.redirect_uri.clone();
    let begun = app.authorizations.begin(intent);
    let ticket = begun.ticket.expose();
    Ok(axum::Json(json!({
        "id": begun.id,
        "url": format!("{base}/integrations/{provider}/start?ticket={ticket}"),
        "redirect_uri": redirect_uri,
        "expires_in_s": LIFETIME.as_secs(),
    })))
}

/// `GET /authorizations/{id}` → `{status: waiting | connected | failed, …}`.
#[utoipa::path(
    get,
    path = "/authorizations/{id}",
    operation_id = "authorize_stage",
    tag = "integrations",
    summary = "How far a grant has come",
    params(("id" = String, Path)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Authorization), crate::openapi::failures::Failures)
)]
pub(super) async fn stage(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(id): Place<String>,
    params: Params,
) -> Answer {
    params.only(&[])?;
    app.handle.demand(&caller.principal, Role::Operator)?;
    let stage = app.authorizations.stage(&id);
    let stage = stage.ok_or_else(|| Problem::new("PL4012", "there is no such authorization"))?;
    Ok(axum::Json(match stage {
        Stage::Waiting => json!({ "status": "waiting" }),
        Stage::Connected(integration) => {
            json!({ "status": "connected", "integration": integration })
        }
        Stage::Failed { code, words } => {
            json!({ "status": "failed", "code": code, "detail": words })
        }
    }))
}

/// How a person gives this provider's grant.
pub(crate) fn grant_of(app: &App, provider: &str) -> Result<Arc<GrantSpec>, Problem> {
    let manifest = connect::manifest(app, provider)?;
    manifest.grant().cloned().ok_or_else(|| {
        let words =
            format!("the manifest of {provider} has no auth.oauth: connect with a credential");
        Problem::new("PL5030", words)
    })
}

/// What came of an exchange.
pub(crate) struct Exchanged {
    integration: Integration,
    /// Asked for and not given.
    missing: Vec<String>,
    /// Who it acted as before, where that is somebody else.
    before: Option<String>,
}

impl Exchanged {
    pub(crate) fn to_json(&self, world: &World) -> Value {
        let mut row = integrations::to_json(world, &self.integration);
        row["missing_scopes"] = json!(self.missing);
        row["acted_as_before"] = json!(self.before);
        row
    }

    pub(crate) fn words(&self) -> String {
        let Integration { name, identity, label, .. } = &self.integration;
        let mut words = format!("{name} acts as {label} ({} of {}).", identity.id, identity.tenant);
        if let Some(before) = &self.before {
            words.push_str(" It acted as ");
            words.push_str(before);
            words.push_str(" before: what was approved for that account is void.");
        }
        if !self.missing.is_empty() {
            words.push_str(" Not granted: ");
            words.push_str(&self.missing.join(", "));
            words.push('.');
        }
        words
    }
}

/// Buys the tokens with the code, keeps them, asks whose they are, and connects.
pub(crate) async fn exchange(
    app: Arc<App>,
    intent: Intent,
    code: SecretText,
) -> Result<Exchanged, Problem> {
    let grant = grant_of(&app, &intent.provider)?;
    let live = app.live.clone().ok_or_else(|| Problem::new("PL4011", "no way out"))?;
    let refused =
        |error: placet_adapters::oauth::GrantError| Problem::new("PL5032", error.to_string());
    let request = grant.exchange(&intent.settings, &code, &asking(&intent)).map_err(refused)?;
    let answer = live.ask(request).await;
    let host = grant.host(&intent.settings);
    let now = app.handle.now();
    let given = grant.granted(&host, &answer, now).map_err(refused)?;
    let missing = given.scopes.as_ref().map(|granted| {
        intent.scopes.iter().filter(|scope| !granted.contains(scope)).cloned().collect()
    });
    let life = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    let kept = KeptGrant {
        generation: 0,
        access_field: grant.access_field().to_owned(),
        access: given.access,
        renews: Renews::by(given.refresh),
        settings: intent.settings.clone(),
        issued_at: now,
        expires_at: given.expires_in.map(|span| now.plus_millis(life(span))),
        asking_since: None,
        over: None,
    };
    let mut names = vec![grant.access_field().to_owned()];
    // a refresh token that is used once must not be used again after a restore
    let once = matches!(grant.rotates(), Rotates::Always | Rotates::OptIn);
    names.extend(kept.refresh().filter(|_| once).map(|_| REFRESH_TOKEN.to_owned()));
    let before = app.handle.world().by_name(&intent.name).map(|known| known.identity.clone());
    let granting = Granting { fields: intent.fields, grant: kept, names };
    let body = ConnectBody::granted((intent.name, intent.provider), intent.settings, granting);
    let body = body.with_default(intent.default);
    let integration = connect::connect_one(&app, &intent.caller, body).await?;
    let before = before
        .filter(|before| *before != integration.identity)
        .map(|before| format!("{} of {}", before.id, before.tenant));
    Ok(Exchanged { integration, missing: missing.unwrap_or_default(), before })
}

fn asking(intent: &Intent) -> Asking<'_> {
    Asking {
        client: &intent.client,
        redirect_uri: &intent.redirect_uri,
        state: &intent.state,
        verifier: &intent.verifier,
        scopes: &intent.scopes,
    }
}

/// The fields of a connection as it stands that no token endpoint gives: its app, and secrets of what
/// comes in.
async fn kept_fields(
    app: &Arc<App>,
    known: Option<Integration>,
    grant: &GrantSpec,
) -> Result<BTreeMap<String, SecretText>, Problem> {
    let (Some(known), Some(vault)) = (known, app.vault.clone()) else { return Ok(BTreeMap::new()) };
    let tokens = [grant.access_field().to_owned(), REFRESH_TOKEN.to_owned()];
    reading(app, move |_app| {
        let (id, version) = (known.id, known.credential_version);
        let names = vault.fields(id, version).map_err(|error| connect::vault_problem(&error))?;
        let names = names.into_iter().filter(|name| !tokens.contains(name));
        let read = |name: String| Ok((name.clone(), vault.secret(id, version, &name)?));
        let fields: Result<_, placet_vault::Error> = names.map(read).collect();
        fields.map_err(|error| connect::vault_problem(&error))
    })
    .await
}

/// The operator's app: as given, or as it was. It is kept with the credential.
fn client(
    grant: &GrantSpec,
    (provider, given): (&str, &Value),
    fields: &mut BTreeMap<String, SecretText>,
) -> Result<AppClient, Problem> {
    let mut given = connect::texts("client", given)?;
    for (name, field) in [("id", CLIENT_ID), ("secret", CLIENT_SECRET)] {
        if let Some(text) = given.remove(name) {
            fields.insert(field.to_owned(), text);
        }
    }
    if let Some(name) = given.keys().next() {
        return Err(Problem::malformed(format!("client: {name:?} is none of id, secret")));
    }
    let lacks = |what: &str| {
        let words = format!("{provider} needs the {what} of your own app there: client.{what}");
        Problem::new("PL5030", words)
    };
    let id = fields.get(CLIENT_ID).ok_or_else(|| lacks("id"))?.expose().to_owned();
    let secret = fields.get(CLIENT_SECRET).cloned();
    if grant.needs_secret() && secret.is_none() {
        return Err(lacks("secret"));
    }
    Ok(AppClient { id, secret })
}

/// Scopes by the names of sets, or single ones that stand in some set.
fn scopes(
    manifest: &Manifest,
    grant: &GrantSpec,
    asked: &[String],
) -> Result<Vec<String>, Problem> {
    if !grant.asks_scopes() {
        return Ok(Vec::new());
    }
    let sets = manifest.scopes();
    let mut scopes: Vec<String> = Vec::new();
    let mut add = |list: &[String]| {
        for scope in list {
            if !scopes.contains(scope) {
                scopes.push(scope.clone());
            }
        }
    };
    for name in asked {
        let single =
            || sets.values().any(|set| set.list.contains(name) || set.any_of.contains(name));
        match sets.get(name) {
            Some(set) => add(&set.list),
            None if single() => add(std::slice::from_ref(name)),
            None => {
                let known: Vec<&str> = sets.keys().map(String::as_str).collect();
                let known = known.join(", ");
                return Err(Problem::malformed(format!("scopes: {name:?} is none of {known}")));
            }
        }
    }
    if asked.is_empty() {
        match (grant.usual_scopes(), sets.get("base")) {
            ([], Some(base)) => add(&base.list),
            (usual, _) => add(usual),
        }
    }
    Ok(scopes)
}

/// The address that a provider sends people back to: one of the names under which this engine is
/// reached, and no other.
pub(super) fn base(app: &App, host: Option<&str>) -> Result<String, Problem> {
    let near = format!("127.0.0.1:{}", app.address.port());
    match host {
        None => Ok(match app.hosts.first() {
            Some(first) => format!("https://{first}"),
            None => format!("http://{near}"),
        }),
        Some(host) if app.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) => {
            Ok(format!("https://{}", host.to_ascii_lowercase()))
        }
        Some(host) if host == near => Ok(format!("http://{near}")),
        Some(host) => Err(Problem::malformed(format!(
            "host: {host:?} is not a name of this engine; see serve.hosts"
        ))),
    }
}
