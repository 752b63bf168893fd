//! Connections: what they are, what they lack, and what is done with them.

use super::super::drift::Drift;
use serde_json::Value;
use utoipa::ToSchema;

/// One connection; it holds no secret.
#[derive(ToSchema)]
pub(crate) struct Integration {
    #[schema(pattern = "^int_")]
    id: String,
    name: String,
    provider: String,
    settings: Option<Value>,
    identity: Identity,
    label: String,
    status: IntegrationStatus,
    reason: Option<String>,
    credential_version: u32,
    is_default: bool,
    scopes: Vec<String>,
    used_in: Value,
    paused: bool,
    /// Of one connection: what its scopes allow.
    features: Option<Vec<Value>>,
    tested_at: Option<String>,
    tested_ok: Option<bool>,
    /// Of one connection: operations whose answers were not as declared.
    drift: Option<Vec<Drift>>,
    /// Of one connection: how its pairing with a conversation stands, where one was offered.
    pairing: Option<Pairing>,
    /// What is chosen after the credential was given, and was not chosen yet.
    pending: Option<Vec<MissingStep>>,
    /// What is to be looked into, though nothing is held for it.
    warnings: Option<Vec<Warning>>,
    /// Of one connection: which of its events may start runs.
    triggers: Option<Vec<Trigger>>,
}

/// Something of a connection that has ended by itself and was not renewed.
#[derive(ToSchema)]
pub(crate) struct Warning {
    /// `subscription_lapsed`: it hears nothing any more.
    code: String,
    /// What was subscribed to; empty where there is one place only.
    resource: String,
    since: String,
    /// Why it was not renewed, in the provider's word.
    reason: Option<String>,
}

/// With whom a connection is paired, or is to be.
#[derive(ToSchema)]
pub(crate) struct Pairing {
    /// `offered`, `paired` or `expired`.
    state: String,
    #[schema(format = DateTime)]
    since: String,
    #[schema(format = DateTime)]
    expires_at: String,
    /// The conversation, in the provider's own words.
    to: Option<String>,
}

/// Something that is chosen after the credential was given.
#[derive(ToSchema)]
pub(crate) struct MissingStep {
    setting: String,
    /// What is chosen, in words.
    title: String,
}

/// What can be chosen, or what was.
#[derive(ToSchema)]
pub(crate) struct Completion {
    name: String,
    /// Without a choice: each step, what it is now, and what it can be.
    steps: Option<Vec<StepChoices>>,
    /// After a choice: of which step.
    setting: Option<String>,
    chosen: Option<Value>,
    /// What is still missing.
    pending: Vec<MissingStep>,
}

#[derive(ToSchema)]
pub(crate) struct StepChoices {
    setting: String,
    title: String,
    chosen: Option<Value>,
    choices: Vec<StepChoice>,
    /// Whether the provider has more than is listed.
    more: bool,
}

#[derive(ToSchema)]
pub(crate) struct StepChoice {
    value: Value,
    /// Its name at the provider.
    label: String,
}

/// A code that pairs a connection, shown once.
#[derive(ToSchema)]
pub(crate) struct PairingOffer {
    name: String,
    /// What is to be sent.
    say: String,
    /// A link that sends it.
    link: Option<String>,
    #[schema(format = DateTime)]
    expires_at: String,
    /// Whether the provider was asked to post here.
    is_posted: bool,
}

/// Whose account it is, as the provider says.
#[derive(ToSchema)]
pub(crate) struct Identity {
    id: String,
    tenant: String,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum IntegrationStatus {
    Active,
    Disabled,
    Failed,
    Disconnected,
}

#[derive(ToSchema)]
pub(crate) struct IntegrationNow {
    id: String,
    name: String,
    status: IntegrationStatus,
    /// Of a disconnect: what became of the credential at the provider.
    credential: Option<String>,
    /// Of a disconnect: what became of what the provider posted here.
    webhook: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct Tested {
    name: String,
    provider: String,
    ok: bool,
    status: IntegrationStatus,
    reason: Option<String>,
    identity: Identity,
    drift: Option<Vec<Drift>>,
}

/// What depends on a connection.
#[derive(ToSchema)]
pub(crate) struct Uses {
    steps: Vec<Value>,
    open: u64,
    decisions: Vec<String>,
    runs: Vec<String>,
    policies: Vec<String>,
}

#[derive(ToSchema)]
pub(crate) struct Rotated {
    name: String,
    credential_version: u32,
    identity: Identity,
    was: Option<Identity>,
    confirmed: bool,
    /// Until when what is posted may be signed with the secret of before.
    #[schema(format = DateTime)]
    old_signatures_until: Option<String>,
}

/// A link for a person's browser; good once.
#[derive(ToSchema)]
pub(crate) struct Authorizing {
    id: String,
    url: String,
    redirect_uri: String,
    expires_in_s: u64,
}

/// `status` is `waiting`, `connected` or `failed`.
#[derive(ToSchema)]
pub(crate) struct Authorization {
    status: String,
    integration: Option<Value>,
    code: Option<String>,
    detail: Option<String>,
}

/// What stands at the provider, by the log.
#[derive(ToSchema)]
pub(crate) struct Hooks {
    hooks: Vec<Value>,
}

/// What may start runs.
#[derive(ToSchema)]
pub(crate) struct Triggers {
    triggers: Vec<Trigger>,
}

/// An event of a connection, and whether it starts what listens for it.
#[derive(ToSchema)]
pub(crate) struct Trigger {
    /// The name of the connection.
    integration: String,
    /// The type of the event.
    event: String,
    state: TriggerState,
    /// `seeded` with the connection, or `written` by somebody; none where nothing is said.
    origin: Option<String>,
    /// Whether there is a connection of that name.
    connected: bool,
    /// Deployed workflows that listen for it, in their latest version.
    starts: Vec<String>,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum TriggerState {
    On,
    Off,
    Removed,
}

/// How a mailbox was read.
#[derive(ToSchema)]
pub(crate) struct Synced {
    name: String,
    /// `baseline`, `changes` or `full`.
    kind: String,
    /// Up to where, in the provider's own words.
    position: String,
    /// Messages that were looked at.
    seen: u32,
    /// Those of them that are new.
    taken: u32,
}
