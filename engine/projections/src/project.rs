//! The fold of the project: deployments, operations, policy, pauses. Few events, so rows are
//! written one by one.

use crate::store::Store;
use crate::table::TableName;
use crate::{Error, Located, Pauses, WorkflowRow};
use placet_model::event::decision::StandingUsed;
use placet_model::event::governance::{OperationRegistered, PolicyChanged, WorkflowDeployed};
use placet_model::keys::Keys;
use placet_model::passkey::{Counters, Passkeys};
use placet_model::{
    Digest, IntegrationId, PayloadRef, Position, RecordedEvent, StreamId, Timestamp,
};
use serde::{Deserialize, Serialize};

/// Key of the policy in [`TableName::Project`].
pub(crate) const POLICY: &[u8] = b"policy";
/// Key of people's keys in [`TableName::Project`].
pub(crate) const KEYS: &[u8] = b"keys";
/// Written with the first passkey.
pub(crate) const PASSKEYS: &[u8] = b"passkeys";
/// Written with the first use of a passkey whose authenticator counts.
pub(crate) const COUNTERS: &[u8] = b"counters";
/// Key of the pauses in [`TableName::Project`].
pub(crate) const PAUSES: &[u8] = b"pauses";

/// What a row of [`TableName::Located`] locates: the first byte of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Plan = 1,
    /// By the digest of the plan.
    Source = 2,
    Operation = 3,
}

/// Where content stands, as stored: the stream by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    stream: String,
    payload: PayloadRef,
}

/// A deployment, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deployed {
    version: String,
    plan_digest: Digest,
    at: Timestamp,
}

impl Place {
    pub(crate) fn new(stream: &StreamId, payload: PayloadRef) -> Self {
        Self { stream: stream.to_string(), payload }
    }

    /// The place as readers see it; none when its stream has no name of ours.
    pub(crate) fn into_located(self) -> Option<Located> {
        Some(Located { stream: self.stream.parse().ok()?, payload: self.payload })
    }
}

/// The key of content by its digest.
pub(crate) fn key(kind: Kind, digest: &Digest) -> [u8; 33] {
    let mut key = [kind as u8; 33];
    key[1..].copy_from_slice(digest.as_bytes());
    key
}

fn deployment_key(family: &str, position: Position) -> Vec<u8> {
    let mut key = family.as_bytes().to_vec();
    key.push(0);
    key.extend_from_slice(&position.get().to_be_bytes());
    key
}

/// The key of the uses of a standing approval on a day.
pub(crate) fn standing_key(name: &str, day: i64) -> Vec<u8> {
    [name.as_bytes(), &[0], &day.to_be_bytes()].concat()
}

/// One more use: counted from the events, so that nothing but an event can take one back.
pub(crate) fn standing_used(store: &mut Store<'_>, body: &StandingUsed) -> Result<(), Error> {
    let key = standing_key(&body.standing, body.day);
    let before: u32 = store.get(TableName::Standing, &key)?.unwrap_or_default();
    store.put(TableName::Standing, &key, &before.saturating_add(1))
}

/// The family in the key of a deployment.
pub(crate) fn family(key: &[u8]) -> Option<&str> {
    let (family, _position) = key.split_last_chunk::<8>()?;
    std::str::from_utf8(family.strip_suffix(&[0])?).ok()
}

impl Deployed {
    /// The row as readers see it.
    pub(crate) fn into_row(self, family: String) -> WorkflowRow {
        WorkflowRow {
            family,
            version: self.version,
            plan_digest: self.plan_digest,
            deployed_at: self.at,
        }
    }
}

pub(crate) fn deployed(
    store: &mut Store<'_>,
    event: &RecordedEvent,
    body: &WorkflowDeployed,
) -> Result<(), Error> {
    let row = Deployed {
        version: body.workflow.version.clone(),
        plan_digest: body.plan_digest,
        at: event.recorded_at,
    };
    let at = deployment_key(&body.workflow.family(), event.position);
    store.put(TableName::Workflows, &at, &row)?;
    for (kind, payload) in [(Kind::Plan, body.plan), (Kind::Source, body.source)] {
        locate(store, key(kind, &body.plan_digest), &Place::new(&event.stream, payload))?;
    }
    Ok(())
}

pub(crate) fn operation_registered(
    store: &mut Store<'_>,
    event: &RecordedEvent,
    body: &OperationRegistered,
) -> Result<(), Error> {
    let place = Place::new(&event.stream, body.document);
    locate(store, key(Kind::Operation, &body.digest), &place)
}

/// Content with the same digest is the same content: the first place stays.
fn locate(store: &mut Store<'_>, key: [u8; 33], place: &Place) -> Result<(), Error> {
    if store.get::<Place>(TableName::Located, &key)?.is_some() {
        return Ok(());
    }
    store.put(TableName::Located, &key, place)
}

pub(crate) fn policy_changed(
    store: &mut Store<'_>,
    event: &RecordedEvent,
    body: &PolicyChanged,
) -> Result<(), Error> {
    let place = Place::new(&event.stream, body.policy);
    store.put(TableName::Project, POLICY, &(body.digest, place))
}

/// A key was registered or revoked: people have few, so they are one row.
pub(crate) fn keys_changed(store: &mut Store<'_>, event: &RecordedEvent) -> Result<(), Error> {
    let mut keys: Keys = store.get(TableName::Project, KEYS)?.unwrap_or_default();
    keys.apply(&event.event);
    store.put(TableName::Project, KEYS, &keys)
}

/// A passkey was enrolled, confirmed or revoked; one row, as the keys are.
pub(crate) fn passkeys_changed(store: &mut Store<'_>, event: &RecordedEvent) -> Result<(), Error> {
    let mut passkeys: Passkeys = store.get(TableName::Project, PASSKEYS)?.unwrap_or_default();
    passkeys.apply(&event.event);
    store.put(TableName::Project, PASSKEYS, &passkeys)
}

/// A passkey was used, whose authenticator may count.
pub(crate) fn passkey_used(store: &mut Store<'_>, event: &RecordedEvent) -> Result<(), Error> {
    let mut counters: Counters = store.get(TableName::Project, COUNTERS)?.unwrap_or_default();
    if counters.apply(&event.event) {
        store.put(TableName::Project, COUNTERS, &counters)?;
    }
    Ok(())
}

/// Whether something begins or ends to be paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outbound {
    Paused,
    Resumed,
}

/// Pausing the project and pausing an integration are apart: resuming one leaves the other.
pub(crate) fn outbound(
    store: &mut Store<'_>,
    integration: Option<IntegrationId>,
    outbound: Outbound,
) -> Result<(), Error> {
    let mut pauses: Pauses = store.get(TableName::Project, PAUSES)?.unwrap_or_default();
    match (integration, outbound) {
        (None, Outbound::Paused) => pauses.project = true,
        (None, Outbound::Resumed) => pauses.project = false,
        (Some(id), Outbound::Paused) => drop(pauses.integrations.insert(id)),
        (Some(id), Outbound::Resumed) => drop(pauses.integrations.remove(&id)),
    }
    store.put(TableName::Project, PAUSES, &pauses)
}
