//! Giving a credential back to its provider when an integration is disconnected, and what a person is
//! told about it. The disconnection stands already: whatever the provider says, nothing is sent any more.

use super::connect;
use crate::app::{App, reading};
use crate::problem::Problem;
use placet_adapters::SecretText;
use placet_adapters::manifest::{Revoke, Revoked};
use placet_adapters::oauth::REFRESH_TOKEN;
use placet_model::integration::{Integration, IntegrationStatus};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Asks the provider to take the credential back, where there is a call for it, and says how it went.
pub(super) async fn take_back(app: &Arc<App>, integration: &Integration) -> Option<String> {
    let manifest = app.handle.adapters().manifest(&integration.provider).cloned()?;
    let revoke = manifest.revoke()?;
    let siblings = siblings(app, integration, revoke);
    let revoked = asked(app, integration, revoke).await.unwrap_or_else(|problem| {
        // the words of a problem of ours are in the log, not on the page
        Revoked::No { words: format!("it was not asked: {}", problem.detail()) }
    });
    let mut words = revoke.words(&revoked);
    if !siblings.is_empty() && revoked == Revoked::Yes {
        words.push_str("; look at ");
        words.push_str(&siblings.join(", "));
        words.push_str(", which may share it");
    }
    Some(words)
}

async fn asked(
    app: &Arc<App>,
    integration: &Integration,
    revoke: &Revoke,
) -> Result<Revoked, Problem> {
    let (Some(vault), Some(live)) = (app.vault.clone(), app.live.clone()) else {
        return Ok(Revoked::NoCall);
    };
    let (id, version) = (integration.id, integration.credential_version);
    if version == 0 {
        return Ok(Revoked::NoCall);
    }
    let fields = reading(app, move |_app| {
        let read = || -> Result<BTreeMap<String, SecretText>, placet_vault::Error> {
            let mut fields = BTreeMap::new();
            for name in vault.fields(id, version)? {
                fields.insert(name.clone(), vault.secret(id, version, &name)?);
            }
            if let Some(grant) = vault.grant(id, version)? {
                fields.insert(grant.access_field, grant.access);
                fields.extend(grant.refresh.map(|token| (REFRESH_TOKEN.to_owned(), token)));
            }
            Ok(fields)
        };
        read().map_err(|error| connect::vault_problem(&error))
    })
    .await?;
    match revoke.request(&integration.settings, &fields) {
        Some(request) => Ok(revoke.outcome(&live.ask(request).await)),
        None => Ok(Revoked::NoCall),
    }
}

/// Other connections of the same account, which may rest on the same grant.
fn siblings(app: &App, integration: &Integration, revoke: &Revoke) -> Vec<String> {
    if revoke.shared_with.is_none() {
        return Vec::new();
    }
    let world = app.handle.world();
    let mut names: Vec<String> = world
        .integrations
        .values()
        .filter(|other| {
            other.id != integration.id
                && other.status != IntegrationStatus::Disconnected
                && other.identity == integration.identity
        })
        .map(|other| other.name.clone())
        .collect();
    names.sort();
    names
}
