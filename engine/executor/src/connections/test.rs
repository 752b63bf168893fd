//! Testing a connection: who the provider says we are, recorded, and a changed account said loudly.

use super::ask::{CannotAsk, Said};
use super::drift::Drift;
use super::features::{Feature, features};
use crate::handle::{Error, Handle};
use placet_adapters::Manifest;
use placet_model::actor::Role;
use placet_model::event::integration::{CredentialUsed, HealthCheckFailed, IntegrationTested};
use placet_model::integration::{Identity, Integration, IntegrationStatus};
use placet_model::{Actor, Event, IntegrationId, Principal, Revision, StreamId, Timestamp};
use serde::Serialize;

/// Why the engine holds an integration whose account has changed without anybody asking.
pub const UNATTENDED: &str = "identity_changed";

/// What a test has come to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tested {
    /// Its name.
    pub name: String,
    /// Its provider.
    pub provider: String,
    /// Whether the credential is good.
    pub ok: bool,
    /// How it stands now.
    pub status: IntegrationStatus,
    /// Why it is not active.
    pub reason: Option<String>,
    /// Who it acts as.
    pub identity: Identity,
    /// A line for people.
    pub label: String,
    /// Who it acted as before, where that is another account.
    pub was: Option<Identity>,
    /// Granted scopes; none where the provider does not tell them.
    pub scopes: Option<Vec<String>>,
    /// What they enable.
    pub features: Vec<Feature>,
    /// Operations whose answers were not as declared.
    pub drift: Vec<Drift>,
}

impl Handle {
    /// Asks the provider who an integration is, and records what it says.
    ///
    /// # Errors
    /// When the actor may not, nobody can be asked, or the provider was not reached: then nothing
    /// about the integration changes.
    pub async fn test_integration(&self, actor: &Principal, name: &str) -> Result<Tested, Error> {
        self.demand(actor, Role::Operator)?;
        let _turn = self.connections.turn.lock().await;
        self.tested_by(&Actor::Principal(actor.clone()), name).await
    }

    /// When its provider last said something about an integration, and whether that was good.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn heard_of(&self, id: IntegrationId) -> Result<(Option<Timestamp>, bool), Error> {
        let view = self.view()?;
        let (mut heard, mut good) = (None, false);
        for event in view.stream(&StreamId::Integration(id), Revision::START) {
            let event = event?;
            let (is_news, is_good) = match event.event {
                Event::IntegrationTested(_) => (true, true),
                Event::HealthCheckFailed(_) => (true, false),
                _ => (false, false),
            };
            if is_news {
                (heard, good) = (Some(event.recorded_at), is_good);
            }
        }
        Ok((heard, good))
    }

    async fn tested_by(&self, actor: &Actor, name: &str) -> Result<Tested, Error> {
        let integration = self.named(name)?;
        let manifest = self.manifest(&integration.provider)?;
        let version = integration.credential_version;
        let credential = (integration.id, version);
        let operation = self.connections.asked_with(&manifest, credential).await;
        let operation = operation.map_err(cannot(name))?;
        let used = used(&integration, version, operation);
        self.record(actor, &integration, vec![used]).await?;
        let said = self.connections.ask(&manifest, (&integration, version), self.now()).await;
        if let Said::Nothing(why) = &said {
            let detail = format!("{} was not heard: {why}", manifest.title());
            return Err(Error::Refused { code: "PL4061", detail });
        }
        let facts = told(&integration, &said);
        self.record(actor, &integration, facts).await?;
        let now = self.world().integrations.get(&integration.id).cloned();
        let drift = self.drift_of(integration.id)?;
        let now = now.as_ref().unwrap_or(&integration);
        Ok(Tested { drift, ..report(&manifest, &integration, now, &said) })
    }

    pub(super) async fn record(
        &self,
        actor: &Actor,
        integration: &Integration,
        events: Vec<Event>,
    ) -> Result<(), Error> {
        let turn = self.act_turn().await;
        let stream = StreamId::Integration(integration.id);
        let facts = events.into_iter().map(|event| (stream.clone(), event, vec![])).collect();
        self.govern(actor, facts, None, turn).await.map(|_| ())
    }
}

pub(super) fn cannot(name: &str) -> impl Fn(CannotAsk) -> Error {
    move |why| {
        let detail = format!("{name} cannot be tested: {}", why.words());
        Error::Refused { code: "PL4060", detail }
    }
}

/// That a credential is about to be used outside of an attempt.
pub(super) fn used(integration: &Integration, version: u32, operation: &str) -> Event {
    let operation = operation.to_owned();
    CredentialUsed { integration: integration.id, version, operation }.into()
}

/// What follows from what the provider has said to somebody who asked.
pub(super) fn told(integration: &Integration, said: &Said) -> Vec<Event> {
    let id = integration.id;
    let tested = |identity: &Identity, label: &str, scopes: Option<&Vec<String>>| {
        let (identity, label) = (identity.clone(), label.to_owned());
        let scopes = scopes.cloned().unwrap_or_default();
        vec![IntegrationTested { integration: id, identity, label, scopes }.into()]
    };
    match said {
        Said::Account(account) => {
            tested(&account.identity, &account.label, account.scopes.as_ref())
        }
        Said::Good(scopes) => tested(&integration.identity, &integration.label, scopes.as_ref()),
        Said::Refused(code) => {
            vec![HealthCheckFailed { integration: id, code: code.clone() }.into()]
        }
        Said::Nothing(_) => vec![],
    }
}

/// What follows where nobody has asked: another account is held until a person has looked.
pub(super) fn told_unattended(integration: &Integration, said: &Said) -> Vec<Event> {
    match said {
        Said::Account(account) if !is_the_same(&account.identity, &integration.identity) => {
            let code = UNATTENDED.to_owned();
            vec![HealthCheckFailed { integration: integration.id, code }.into()]
        }
        Said::Account(_) | Said::Good(_) | Said::Refused(_) | Said::Nothing(_) => {
            told(integration, said)
        }
    }
}

/// The same account; what was recorded before its mode was told gets it now.
fn is_the_same(told: &Identity, known: &Identity) -> bool {
    told == known || *told == known.clone().in_mode(told.mode())
}

fn report(manifest: &Manifest, before: &Integration, now: &Integration, said: &Said) -> Tested {
    let scopes = match said {
        Said::Account(account) => account.scopes.clone(),
        Said::Good(scopes) => scopes.clone(),
        Said::Refused(_) | Said::Nothing(_) => None,
    };
    let changed = before.identity != now.identity;
    Tested {
        name: now.name.clone(),
        provider: now.provider.clone(),
        ok: !matches!(said, Said::Refused(_)),
        status: now.status,
        reason: now.reason.clone(),
        identity: now.identity.clone(),
        label: crate::inbox::visible(&now.label),
        was: changed.then(|| before.identity.clone()),
        features: features(manifest, scopes.as_deref()),
        scopes,
        drift: vec![],
    }
}
