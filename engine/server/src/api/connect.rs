//! Connecting an integration: the credential is sealed first, then the provider is asked who it
//! belongs to, then the fact is recorded. A crash in between leaves a sealed version that nothing
//! names; the next connection takes the version after it.
//!
//! A credential is taken apart by hand: an error of a parser would repeat what it was given.

use super::identity::{self, Asked};
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::problem::{Problem, with_sources};
use placet_adapters::oauth::KeptGrant;
use placet_adapters::{CallIntegration, Manifest, SecretText};
use placet_executor::govern::Connect;
use placet_executor::world::World;
use placet_model::actor::Role;
use placet_model::draft::Mode;
use placet_model::integration::{Identity, Integration};
use placet_model::{IntegrationId, Principal};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What `POST /integrations` takes.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectBody {
    name: String,
    provider: String,
    #[serde(default)]
    settings: Value,
    /// Field names and secrets.
    #[serde(default)]
    credential: Value,
    /// Whether steps that name no integration use it; when it is left out, the provider's first
    /// one does.
    default: Option<bool>,
    /// What a person has given instead of a credential; never in a body.
    #[serde(skip)]
    #[schema(ignore)]
    granted: Option<Granting>,
}

/// What is sealed together: fields, and a grant with the names of its tokens.
struct Sealing {
    fields: BTreeMap<String, SecretText>,
    grant: Option<(KeptGrant, Vec<String>)>,
}

impl From<Granting> for Sealing {
    fn from(given: Granting) -> Self {
        Self { fields: given.fields, grant: Some((given.grant, given.names)) }
    }
}

/// Tokens of a grant, and what is kept beside them.
pub(super) struct Granting {
    pub(super) fields: BTreeMap<String, SecretText>,
    pub(super) grant: KeptGrant,
    /// Names of the fields in which its tokens stand.
    pub(super) names: Vec<String>,
}

impl ConnectBody {
    pub(super) fn granted(
        (name, provider): (String, String),
        settings: Value,
        granting: Granting,
    ) -> Self {
        let (credential, default) = (Value::Null, None);
        Self { name, provider, settings, credential, default, granted: Some(granting) }
    }

    pub(super) fn with_default(self, default: Option<bool>) -> Self {
        Self { default, ..self }
    }
}

/// Connects, or connects again under the same id.
pub(super) async fn connect_one(
    app: &Arc<App>,
    caller: &Caller,
    mut body: ConnectBody,
) -> Result<Integration, Problem> {
    // one at a time: a name is looked up, then given
    let _turn = app.connecting.lock().await;
    app.handle.demand(&caller.principal, Role::Operator)?;
    let world = app.handle.world();
    let manifest = manifest(app, &body.provider)?;
    check_name(&world, (&body.name, &body.provider))?;
    let settings = manifest.settings(&body.settings).map_err(|violations| {
        Problem::malformed(format!("settings of {}: {violations}", body.provider))
    })?;
    let fields = if let Some(granting) = body.granted.take() {
        Some(Sealing::from(granting))
    } else {
        match credential(Some(&manifest), &body.credential)? {
            Some(fields) => Some(with_token(app, (&manifest, &settings), fields).await?),
            None => None,
        }
    };
    let id = app.handle.integration_id(&body.name);
    let has_one = world.integrations.get(&id).is_some_and(|known| known.credential_version > 0);
    if fields.is_none() && !has_one {
        demand_credential(app, &manifest)?;
    }
    let sealed = match fields {
        Some(fields) => {
            let known = world.integrations.get(&id).map_or(0, |known| known.credential_version);
            Some(seal(app, (id, known), fields).await?)
        }
        None => None,
    };
    let known = world.by_name(&body.name);
    let version = match (&sealed, known) {
        (Some((version, _)), _) => *version,
        (None, Some(known)) => known.credential_version,
        (None, None) => 0,
    };
    let integration = CallIntegration { id, name: body.name.clone(), credential_version: version };
    let asked = Asked { manifest: &manifest, settings: &settings, integration };
    let account = match identity::ask(app, asked).await {
        Ok(account) => account,
        Err(problem) => {
            // a version that was used before stays: others may name it
            if known.is_none() {
                forget(app, id).await;
            }
            return Err(problem);
        }
    };
    let lineage = || Identity { id: id.to_string(), tenant: body.provider.clone() };
    let (identity, label, scopes) = if let Some(account) = account {
        (account.identity, account.label, account.scopes)
    } else {
        let mode = identity::mode(app, &manifest, (id, version)).await?;
        (lineage().in_mode(mode.as_deref()), manifest.title().to_owned(), None)
    };
    let is_default = body.default.unwrap_or_else(|| is_first(&world, id, &body.provider));
    let connect = Connect {
        name: body.name,
        provider: body.provider,
        settings,
        identity,
        label,
        is_default,
        credential: sealed,
        scopes,
    };
    Ok(app.handle.connect(&caller.principal, id, connect).await?)
}

/// A credential that signs for its tokens is sealed with the first of them, any other one as it is.
async fn with_token(
    app: &App,
    about: (&Manifest, &Value),
    fields: BTreeMap<String, SecretText>,
) -> Result<Sealing, Problem> {
    let grant = app.handle.first_token(about, &fields).await?;
    let grant = grant.map(|grant| {
        let names = vec![grant.access_field.clone()];
        (grant, names)
    });
    Ok(Sealing { fields, grant })
}

pub(crate) fn manifest(app: &App, provider: &str) -> Result<Arc<Manifest>, Problem> {
    let manifest = app.handle.adapters().manifest(provider);
    manifest.cloned().ok_or_else(|| {
        let known = app.handle.adapters().manifests().keys();
        let near = known.filter(|known| is_near(known, provider)).cloned().collect::<Vec<_>>();
        let near = match near.as_slice() {
            [] => String::new(),
            near => format!("; there is {}", near.join(", ")),
        };
        Problem::new("PL4065", format!("there is no provider {provider:?}{near}"))
    })
}

/// Whether one name may have been typed for the other: letters of one are left out in the other, or one
/// letter is another.
fn is_near(known: &str, typed: &str) -> bool {
    let typed = typed.to_lowercase();
    let (known_len, typed_len) = (known.chars().count(), typed.chars().count());
    let within = |short: &str, long: &str| {
        let mut rest = long.chars();
        short.chars().all(|letter| rest.any(|other| other == letter))
    };
    let apart = known.chars().zip(typed.chars()).filter(|(left, right)| left != right).count();
    let left_out = known_len.abs_diff(typed_len) <= 2 && typed_len >= 2;
    (left_out && (within(&typed, known) || within(known, &typed)))
        || (known_len == typed_len && apart == 1)
}

/// A connection that could neither send nor hear is none: in live mode the manifest's credential is
/// needed.
fn demand_credential(app: &App, manifest: &Manifest) -> Result<(), Problem> {
    let fields = credential_fields(manifest);
    let required = required(manifest);
    if app.mode == Mode::Sandbox || required.is_empty() {
        return Ok(());
    }
    let provider = manifest.provider();
    let grant = if manifest.grant().is_some() { "; or let a person give it: --oauth" } else { "" };
    let detail = format!(
        "{provider} needs {}; {}{grant}",
        required.join(", or "),
        known_fields(&fields).unwrap_or_default()
    );
    Err(Problem::new("PL4064", detail))
}

/// The fields of a manifest's credential.
fn credential_fields(manifest: &Manifest) -> Vec<&str> {
    let Some(schema) = manifest.credential_schema() else { return vec![] };
    let fields = schema.document()["properties"].as_object();
    fields.into_iter().flat_map(|fields| fields.keys()).map(String::as_str).collect()
}

/// What has to be given, in words: the fields that are required, one line for each kind of credential.
fn required(manifest: &Manifest) -> Vec<String> {
    let Some(schema) = manifest.credential_schema() else { return vec![] };
    let document = schema.document();
    let kinds = document["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    let lists = std::iter::once(document).chain(kinds);
    let words = lists.filter_map(|kind| {
        let names = kind["required"].as_array()?.iter().filter_map(Value::as_str);
        let names: Vec<&str> = names.collect();
        (!names.is_empty()).then(|| names.join(", "))
    });
    words.collect()
}

/// What can be given, in words.
fn known_fields(names: &[&str]) -> Option<String> {
    (!names.is_empty()).then(|| format!("its fields are {}", names.join(", ")))
}

/// A name is written in workflows and on cards; it keeps its provider.
pub(super) fn check_name(world: &World, (name, provider): (&str, &str)) -> Result<(), Problem> {
    name.parse::<Principal>().map_err(|_error| {
        Problem::malformed(
            "name: use 1 to 63 of a-z, 0-9, _ and -, starting with a letter or digit",
        )
    })?;
    match world.by_name(name) {
        Some(known) if known.provider != provider => {
            let detail = format!(
                "the integration {} is of {}; disconnect it first",
                known.name, known.provider
            );
            Err(Problem::malformed(detail))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether steps that name no integration should use this one: it is already so, or there is no
/// other.
fn is_first(world: &World, id: IntegrationId, provider: &str) -> bool {
    world.integration(provider, None).is_none_or(|usual| usual.id == id)
}

/// The fields of a credential, as the manifest wants them where it is given.
pub(super) fn credential(
    manifest: Option<&Manifest>,
    given: &Value,
) -> Result<Option<BTreeMap<String, SecretText>>, Problem> {
    if given.is_null() {
        return Ok(None);
    }
    let secrets = texts("credential", given)?;
    if let Some(manifest) = manifest
        && let Some(schema) = manifest.credential_schema()
    {
        schema.validate(given).map_err(|violations| {
            let fields = known_fields(&credential_fields(manifest)).unwrap_or_default();
            let provider = manifest.provider();
            Problem::malformed(format!("credential of {provider}: {violations}; {fields}"))
        })?;
    }
    Ok(Some(secrets))
}

/// Field names and secrets; nothing is none.
pub(super) fn texts(what: &str, given: &Value) -> Result<BTreeMap<String, SecretText>, Problem> {
    let fields = match given {
        Value::Null => return Ok(BTreeMap::new()),
        Value::Object(fields) => fields,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            let words = format!("{what}: an object of field names and texts is needed");
            return Err(Problem::malformed(words));
        }
    };
    let mut secrets = BTreeMap::new();
    for (name, value) in fields {
        let Value::String(text) = value else {
            return Err(Problem::malformed(format!("{what}: {name} must be a text")));
        };
        secrets.insert(name.clone(), SecretText::new(text.as_str()));
    }
    Ok(secrets)
}

/// Seals the version after every one that the vault has or the log names: a vault that was lost, or
/// came back from a backup, does not know them all. Durable when this returns.
async fn seal(
    app: &Arc<App>,
    (id, known): (IntegrationId, u32),
    Sealing { fields, grant }: Sealing,
) -> Result<(u32, Vec<String>), Problem> {
    let vault = app.vault.clone();
    let vault = vault.ok_or_else(|| {
        let detail = "an engine in sandbox mode keeps no credentials: start it with --mode live, or \
                      leave the credential out";
        Problem::new("PL4011", detail)
    })?;
    reading(app, move |_app| {
        let last = vault.latest_version(id).map_err(|error| vault_problem(&error))?;
        let version = last.unwrap_or(0).max(known) + 1;
        let (stored, names) = match &grant {
            Some((grant, names)) => (vault.store_granted(id, version, (&fields, grant)), names),
            None => (vault.store(id, version, &fields), &Vec::new()),
        };
        stored.map_err(|error| vault_problem(&error))?;
        let names: BTreeSet<String> = fields.into_keys().chain(names.iter().cloned()).collect();
        Ok((version, names.into_iter().collect()))
    })
    .await
}

async fn forget(app: &Arc<App>, id: IntegrationId) {
    let Some(vault) = app.vault.clone() else { return };
    let forgotten = reading(app, move |_app| vault.forget(id).map_err(|e| vault_problem(&e))).await;
    if let Err(problem) = forgotten {
        tracing::warn!(code = problem.code(), integration = %id, "an unused credential stays in the vault");
    }
}

/// No error of the vault holds a secret.
pub(super) fn vault_problem(error: &placet_vault::Error) -> Problem {
    use placet_vault::Error as E;
    match error {
        E::FieldCount { .. } | E::FieldName { .. } | E::FieldSize { .. } => {
            Problem::malformed(format!("credential: {}", with_sources(error)))
        }
        _ => Problem::internal(error),
    }
}
