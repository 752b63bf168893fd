//! The fold of integrations: few events, so rows are written one by one.
//!
//! ```text
//! IntegrationConnected     → active, unless an operator has disabled it; a new default takes the
//!                            place of the provider's old one
//! IntegrationTested        failed → active
//! HealthCheckFailed        active → failed, with the code as the reason
//! IntegrationScoped        where it may be used, as a whole
//! IntegrationDisabled      active, failed → disabled
//! IntegrationEnabled       disabled, failed → active
//! IntegrationDisconnected  → disconnected, no credential, no default; only connecting it brings it back
//! ```
//!
//! An event may come before the connection (a credential is sealed first): it is folded into a row
//! that readers do not see until the integration is connected.

use crate::Error;
use crate::store::Store;
use crate::table::TableName;
use placet_model::IntegrationId;
use placet_model::event::integration::{
    CredentialStored, HealthCheckFailed, IntegrationConnected, IntegrationScoped, IntegrationTested,
};
use placet_model::integration::{Identity, Integration, IntegrationStatus, UseScope};
use serde::{Deserialize, Serialize};

const TABLE: TableName = TableName::Integrations;

/// An integration as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stored {
    name: String,
    provider: String,
    /// The text of the event; none before it is connected.
    settings: Option<String>,
    identity: Identity,
    label: String,
    status: IntegrationStatus,
    reason: Option<String>,
    credential_version: u32,
    is_default: bool,
    scopes: Vec<String>,
    used_in: UseScope,
}

impl Stored {
    fn unconnected() -> Self {
        Self {
            name: String::new(),
            provider: String::new(),
            settings: None,
            identity: Identity { id: String::new(), tenant: String::new() },
            label: String::new(),
            status: IntegrationStatus::Active,
            reason: None,
            credential_version: 0,
            is_default: false,
            scopes: vec![],
            used_in: UseScope::default(),
        }
    }

    /// The integration as readers see it; none before it is connected.
    pub(crate) fn into_integration(self, id: IntegrationId) -> Result<Option<Integration>, Error> {
        let Some(settings) = self.settings else { return Ok(None) };
        let settings = serde_json::from_str(&settings)
            .map_err(|_malformed| TABLE.damaged(&id.to_bytes(), "its settings are no JSON"))?;
        Ok(Some(Integration {
            id,
            name: self.name,
            provider: self.provider,
            settings,
            identity: self.identity,
            label: self.label,
            status: self.status,
            reason: self.reason,
            credential_version: self.credential_version,
            is_default: self.is_default,
            scopes: self.scopes,
            used_in: self.used_in,
        }))
    }

    fn set_status(&mut self, status: IntegrationStatus, reason: Option<String>) {
        self.status = status;
        self.reason = reason;
    }
}

pub(crate) fn connected(store: &mut Store<'_>, body: &IntegrationConnected) -> Result<(), Error> {
    if body.is_default {
        for (key, mut row) in store.all::<Stored>(TABLE)? {
            if row.is_default && row.provider == body.provider {
                row.is_default = false;
                store.put(TABLE, &key, &row)?;
            }
        }
    }
    change(store, body.integration, |row| {
        row.name.clone_from(&body.name);
        row.provider.clone_from(&body.provider);
        row.settings = Some(body.settings.clone());
        row.identity = body.identity.clone();
        row.label.clone_from(&body.label);
        row.is_default = body.is_default;
        if row.status != IntegrationStatus::Disabled {
            row.set_status(IntegrationStatus::Active, None);
        }
    })
}

pub(crate) fn credential_stored(
    store: &mut Store<'_>,
    body: &CredentialStored,
) -> Result<(), Error> {
    change(store, body.integration, |row| row.credential_version = body.version)
}

pub(crate) fn tested(store: &mut Store<'_>, body: &IntegrationTested) -> Result<(), Error> {
    change(store, body.integration, |row| {
        row.identity = body.identity.clone();
        row.label.clone_from(&body.label);
        row.scopes.clone_from(&body.scopes);
        if row.status == IntegrationStatus::Failed {
            row.set_status(IntegrationStatus::Active, None);
        }
    })
}

pub(crate) fn failed(store: &mut Store<'_>, body: &HealthCheckFailed) -> Result<(), Error> {
    change(store, body.integration, |row| match row.status {
        IntegrationStatus::Active | IntegrationStatus::Failed => {
            row.set_status(IntegrationStatus::Failed, Some(body.code.clone()));
        }
        IntegrationStatus::Disabled | IntegrationStatus::Disconnected => {}
    })
}

pub(crate) fn scoped(store: &mut Store<'_>, body: &IntegrationScoped) -> Result<(), Error> {
    change(store, body.integration, |row| row.used_in = body.into())
}

pub(crate) fn disabled(store: &mut Store<'_>, id: IntegrationId) -> Result<(), Error> {
    change(store, id, |row| match row.status {
        IntegrationStatus::Active | IntegrationStatus::Failed => {
            row.set_status(IntegrationStatus::Disabled, None);
        }
        IntegrationStatus::Disabled | IntegrationStatus::Disconnected => {}
    })
}

pub(crate) fn enabled(store: &mut Store<'_>, id: IntegrationId) -> Result<(), Error> {
    change(store, id, |row| match row.status {
        IntegrationStatus::Disabled | IntegrationStatus::Failed => {
            row.set_status(IntegrationStatus::Active, None);
        }
        IntegrationStatus::Active | IntegrationStatus::Disconnected => {}
    })
}

pub(crate) fn disconnected(store: &mut Store<'_>, id: IntegrationId) -> Result<(), Error> {
    change(store, id, |row| {
        row.set_status(IntegrationStatus::Disconnected, None);
        row.credential_version = 0;
        row.is_default = false;
    })
}

fn change(
    store: &mut Store<'_>,
    id: IntegrationId,
    change: impl FnOnce(&mut Stored),
) -> Result<(), Error> {
    let key = id.to_bytes();
    let mut row = store.get(TABLE, &key)?.unwrap_or_else(Stored::unconnected);
    change(&mut row);
    store.put(TABLE, &key, &row)
}
