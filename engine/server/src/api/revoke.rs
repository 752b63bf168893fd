//! Giving a credential back to its provider when an integration is disconnected, and what a person is
//! told about it. The disconnection stands already: whatever the provider says, nothing is sent any more.

use super::connect;
use crate::app::{App, reading};
use crate::problem::Problem;
use placet_adapters::manifest::{Revoke, Revoked, Way, own_filled};
use placet_adapters::oauth::{CLIENT_ID, REFRESH_TOKEN, Renews};
use placet_adapters::{Answer, SecretText};
use placet_executor::connections::OwnCall;
use placet_model::Principal;
use placet_model::event::hook::OwnCallPurpose;
use placet_model::integration::{Integration, IntegrationStatus};
use placet_model::request::PreparedRequest;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the credential is used for, in the record.
const REVOKING: &str = "revoke";

/// What a person is told when the vault could not be read: the words of a problem of ours are in the log.
type Fields = Result<BTreeMap<String, SecretText>, String>;

/// Asks the provider to take the credential back, where there is a call for it, and says how it went;
/// then looks at what may have ended with it.
pub(super) async fn take_back(
    app: &Arc<App>,
    by: &Principal,
    integration: &Integration,
) -> Option<String> {
    let manifest = app.handle.adapters().manifest(&integration.provider).cloned()?;
    let fields = fields(app, integration).await.map_err(|problem| problem.detail().to_owned());
    let own = fields.as_ref().map_or(Way::Shown, |fields| manifest.way(fields.keys()));
    let revoke = manifest.revoke_of(own)?;
    if integration.credential_version > 0 && app.live.is_some() {
        // on record before anything is asked with it
        let used = (integration.id, integration.credential_version);
        if let Err(error) = app.handle.credential_used(used, REVOKING.to_owned()).await {
            return Some(format!("forgotten here; the provider was not asked: {error}"));
        }
    }
    let siblings = siblings(app, integration, (revoke, &fields)).await;
    let provider = &integration.provider;
    // what else ends comes first: ending it may take the credential
    let mut also = vec![];
    for one in revoke.also() {
        let request = |fields: &_| one.request(&integration.settings, fields);
        let what = format!("{provider}.{REVOKING} ({})", one.ends());
        let call = Asking { by, integration, what, fields: &fields };
        let went = asked(app, call, request, |answer| one.outcome(answer)).await;
        also.push(one.words(&went));
    }
    let request = |fields: &_| revoke.request(&integration.settings, fields);
    let what = format!("{provider}.{REVOKING}");
    let call = Asking { by, integration, what, fields: &fields };
    let revoked = if has_ended(app, integration).await {
        Revoked::Ended
    } else {
        asked(app, call, request, |answer| revoke.outcome(answer)).await
    };
    let mut words = vec![revoke.words(&revoked)];
    words.extend(also);
    if revoked == Revoked::Yes {
        for name in siblings {
            words.push(looked_at(app, by, &name).await);
        }
    }
    Some(words.join("; "))
}

/// Who asks whom, for what, with which credential.
struct Asking<'a> {
    by: &'a Principal,
    integration: &'a Integration,
    what: String,
    fields: &'a Fields,
}

/// Asks once, with what the credential holds: on record before it leaves, its secrets as named holes.
async fn asked(
    app: &App,
    asking: Asking<'_>,
    request: impl Fn(&BTreeMap<String, SecretText>) -> Option<PreparedRequest>,
    outcome: impl Fn(&Answer) -> Revoked,
) -> Revoked {
    let Asking { by, integration, what, fields } = asking;
    let unasked = |words: &str| Revoked::No { words: format!("it was not asked: {words}") };
    let fields = match fields {
        Ok(fields) => fields,
        Err(words) => return unasked(words),
    };
    let request = request(fields).filter(|_| !fields.is_empty());
    let (Some(live), Some(request)) = (&app.live, request) else { return Revoked::NoCall };
    let Some(filled) = own_filled(&request, fields) else {
        return unasked("something in the credential can stand in no request");
    };
    let purpose = OwnCallPurpose::Revoke;
    let call = OwnCall { integration, purpose, operation: what, request: &request };
    let begun = match app.handle.begin_own_call(by, &call).await {
        Ok(begun) => begun,
        Err(error) => return unasked(&error.to_string()),
    };
    let answer = live.ask(filled).await;
    let revoked = outcome(&answer);
    let is_done = revoked == Revoked::Yes;
    if let Err(error) = app.handle.end_own_call(begun, (&answer, is_done)).await {
        tracing::error!(%error, "what came of taking a credential back is not on record");
    }
    revoked
}

/// What there is of a credential and its grant; nothing where there is none.
async fn fields(
    app: &Arc<App>,
    integration: &Integration,
) -> Result<BTreeMap<String, SecretText>, Problem> {
    let (id, version) = (integration.id, integration.credential_version);
    let Some(vault) = app.vault.clone().filter(|_| version > 0) else {
        return Ok(BTreeMap::new());
    };
    let read = move |_app: &App| {
        let read = || -> Result<BTreeMap<String, SecretText>, placet_vault::Error> {
            let mut fields = vault.credential(id, version)?;
            if let Some(grant) = vault.grant(id, version)? {
                let refresh = grant.refresh().cloned();
                fields.insert(grant.access_field, grant.access);
                fields.extend(refresh.map(|token| (REFRESH_TOKEN.to_owned(), token)));
            }
            Ok(fields)
        };
        read().map_err(|error| connect::vault_problem(&error))
    };
    reading(app, read).await
}

/// Whether the last token of a credential that signs for them has ended: nothing is left to take back.
async fn has_ended(app: &Arc<App>, integration: &Integration) -> bool {
    let (id, version) = (integration.id, integration.credential_version);
    let Some(vault) = app.vault.clone().filter(|_| version > 0) else { return false };
    let read = move |_app: &App| vault.grant(id, version).map_err(|e| connect::vault_problem(&e));
    let grant = reading(app, read).await.ok().flatten();
    let grant = grant.filter(|grant| grant.renews == Renews::BySigning);
    let now = app.handle.now();
    grant.and_then(|grant| grant.expires_at).is_some_and(|end| end <= now)
}

/// A connection that may rest on the same grant is asked at once whether it still works: then it is on
/// hold before something is sent through it, or a person knows that it is not.
async fn looked_at(app: &App, by: &Principal, name: &str) -> String {
    match app.handle.test_integration(by, name).await {
        Ok(tested) if tested.ok => format!("{name} of the same account still works"),
        Ok(_) => format!("{name} of the same account ended with it: connect it again"),
        Err(error) => format!("look at {name}, which may have ended with it ({error})"),
    }
}

/// Other connections of the same account, which may rest on the same grant: made with the same app, as
/// far as is known.
async fn siblings(
    app: &Arc<App>,
    integration: &Integration,
    (revoke, own): (&Revoke, &Fields),
) -> Vec<String> {
    if revoke.shared_with.is_none() {
        return Vec::new();
    }
    let world = app.handle.world();
    let may = |other: &&Integration| {
        other.id != integration.id
            && other.status != IntegrationStatus::Disconnected
            && other.identity == integration.identity
    };
    let others: Vec<Integration> = world.integrations.values().filter(may).cloned().collect();
    let app_of = |fields: &Fields| fields.as_ref().ok().and_then(|all| all.get(CLIENT_ID).cloned());
    let mut names = vec![];
    for other in others {
        let theirs = fields(app, &other).await.map_err(|problem| problem.detail().to_owned());
        let differ = app_of(own).zip(app_of(&theirs)).is_some_and(|(own, other)| own != other);
        if !differ {
            names.push(other.name);
        }
    }
    names.sort();
    names
}
