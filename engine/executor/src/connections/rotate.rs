//! A new credential for a connection that stays what it is: sealed, tested, and only then in force.
//! Runs pick it up at their next attempt, since a claim takes the version that is in force. The old
//! one is forgotten when no call that began with it is under way.

use super::ask::{CannotAsk, Said};
use super::assertion;
use super::test::used;
use crate::env::Env;
use crate::handle::{Error, Handle, Notice};
use placet_adapters::inbound::Inbound;
use placet_adapters::oauth::{KeptGrant, Renews};
use placet_adapters::{Manifest, SecretText};
use placet_model::actor::Role;
use placet_model::event::integration::{CredentialStored, IntegrationTested};
use placet_model::integration::{Identity, Integration};
use placet_model::{Actor, Event, IntegrationId, Principal, RunId, Timestamp};
use placet_projections::Views;
use placet_vault::Vault;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// What the operator says about whose the new credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Account {
    /// Nothing: the provider says, and another account is refused.
    #[default]
    Unsaid,
    /// The same account as before.
    Same,
    /// Another one is meant: approvals that are bound to the one before are void.
    New,
}

/// A credential that is to take the place of the one in force.
#[derive(Debug)]
pub struct Rotate {
    /// Its fields; what is left out stays as it is.
    pub fields: BTreeMap<String, SecretText>,
    /// Whose it is.
    pub account: Account,
    /// How long what comes in may still be signed with the secret of before, where that changes.
    pub grace: Duration,
}

/// What a provider signed before it knew of a new secret arrives within a day.
pub const GRACE: Duration = Duration::from_hours(24);
/// A week: who needs longer has another problem.
pub const GRACE_MAX: Duration = Duration::from_hours(7 * 24);
/// Between two looks at what has ended.
const SWEEP: Duration = Duration::from_mins(10);

/// What a rotation has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// Its name.
    pub name: String,
    /// The version in force now.
    pub credential_version: u32,
    /// Who it acts as.
    pub identity: Identity,
    /// Who it acted as before, where that is another account: approvals bound to it are void.
    pub was: Option<Identity>,
    /// Whether the provider has said whose it is.
    pub confirmed: bool,
    /// Until when what comes in may be signed with the secret of before; none where that did not change.
    pub old_signatures_until: Option<Timestamp>,
}

impl Handle {
    /// Gives a connection a new credential. One that its provider refuses, or that belongs to another
    /// account than is meant, never counts.
    ///
    /// # Errors
    /// When the actor may not, the credential does not fit, or it is not what is meant.
    pub async fn rotate(
        &self,
        actor: &Principal,
        name: &str,
        rotate: Rotate,
    ) -> Result<Rotated, Error> {
        self.demand(actor, Role::Operator)?;
        let _turn = self.connections.turn.lock().await;
        let integration = self.named(name)?;
        let manifest = self.manifest(&integration.provider)?;
        let vault = self.connections.vault().ok_or_else(no_vault)?;
        let grace = rotate.grace.min(GRACE_MAX);
        let next = next(&vault, &manifest, &integration, rotate.fields).await?;
        let next = self.with_token(actor, (&manifest, &integration), next).await?;
        let (version, fields) = seal(&vault, integration.id, next).await?;
        let tried = self.tried(actor, (&manifest, &integration), version, rotate.account).await;
        let (identity, label, scopes, confirmed) = match tried {
            Ok(tried) => tried,
            Err(error) => {
                let id = integration.id;
                blocking(move || Ok(vault.forget_version(id, version)?)).await?;
                return Err(error);
            }
        };
        let was = (identity != integration.identity).then(|| integration.identity.clone());
        let id = integration.id;
        // as connecting has it: an account that a credential stands for is named by its lineage
        let lineage = if confirmed { id.to_string() } else { identity.id.clone() };
        let facts: Vec<Event> = vec![
            CredentialStored { integration: id, version, lineage, fields }.into(),
            IntegrationTested { integration: id, identity: identity.clone(), label, scopes }.into(),
        ];
        let replaced = (id, integration.credential_version, version);
        let old_signatures_until = self.retire(&vault, &manifest, replaced, grace).await?;
        self.record(&Actor::Principal(actor.clone()), &integration, facts).await?;
        self.forget_when_unused(id, version, &vault)?;
        let name = integration.name;
        let credential_version = version;
        Ok(Rotated { name, credential_version, identity, was, confirmed, old_signatures_until })
    }

    /// A credential that signs for its tokens is sealed with the first of them: one whose key is refused
    /// never gets a version.
    async fn with_token(
        &self,
        actor: &Principal,
        (manifest, integration): (&Manifest, &Integration),
        next: Next,
    ) -> Result<Next, Error> {
        if assertion::signs(manifest, &next.fields).is_none() {
            return Ok(Next { grant: None, ..next });
        }
        let used = used(integration, next.version, assertion::TOKEN);
        self.record(&Actor::Principal(actor.clone()), integration, vec![used]).await?;
        let about = (manifest, &integration.settings);
        let grant = self.connections.first_token(about, &next.fields, self.now()).await?;
        Ok(Next { grant, ..next })
    }

    /// Keeps the secrets that prove who posts to us for a while, where this rotation replaces them.
    async fn retire(
        &self,
        vault: &Arc<Vault>,
        manifest: &Manifest,
        (id, old, new): (IntegrationId, u32, u32),
        grace: Duration,
    ) -> Result<Option<Timestamp>, Error> {
        let fields = manifest.inbound().map(Inbound::key_fields).unwrap_or_default();
        let now = self.now();
        let until = now.plus_millis(i64::try_from(grace.as_millis()).unwrap_or(i64::MAX));
        if grace.is_zero() || old == 0 {
            return Ok(None);
        }
        let vault = Arc::clone(vault);
        blocking(move || {
            let read = |version, field: &str| match vault.secret(id, version, field) {
                Err(
                    placet_vault::Error::NoSuchField { .. }
                    | placet_vault::Error::NoSuchVersion { .. },
                ) => Ok(None),
                secret => secret.map(Some),
            };
            let mut replaced = vec![];
            for field in fields {
                let was = read(old, &field)?;
                if was.is_some() && was != read(new, &field)? {
                    replaced.push(field);
                }
            }
            if replaced.is_empty() {
                return Ok(None);
            }
            vault.retire((id, old), &replaced, until)?;
            Ok(Some(until))
        })
        .await
    }

    /// Whose the new credential is, in the provider's words or the operator's.
    async fn tried(
        &self,
        actor: &Principal,
        (manifest, integration): (&Manifest, &Integration),
        version: u32,
        account: Account,
    ) -> Result<(Identity, String, Vec<String>, bool), Error> {
        let refused = |code, detail| Err(Error::Refused { code, detail });
        let title = manifest.title();
        let asked = self.connections.asked_with(manifest, (integration.id, version)).await;
        let operation = match asked {
            Ok(operation) => operation,
            Err(CannotAsk::InSandbox) => return Err(no_vault()),
            Err(CannotAsk::Unanswerable | CannotAsk::WithoutCredential) => {
                let mode = self.mode_of(manifest, (integration, version)).await?;
                return lineage((integration, mode), (version, vec![]), account);
            }
        };
        let by = Actor::Principal(actor.clone());
        self.record(&by, integration, vec![used(integration, version, operation)]).await?;
        match self.connections.ask(manifest, (integration, version), self.now()).await {
            Said::Account(told) => {
                if told.identity != integration.identity && account != Account::New {
                    let (now, was) = (&told.identity, &integration.identity);
                    let detail = format!(
                        "this credential is of {} ({} of {}), and {} acts as {} of {}: if another \
                         account is meant, say so with --new-identity; approvals for the old one are void then",
                        told.label, now.id, now.tenant, integration.name, was.id, was.tenant
                    );
                    return refused("PL4062", detail);
                }
                Ok((told.identity, told.label, told.scopes.unwrap_or_default(), true))
            }
            Said::Good(scopes) => {
                let mode = self.mode_of(manifest, (integration, version)).await?;
                lineage((integration, mode), (version, scopes.unwrap_or_default()), account)
            }
            Said::Refused(code) => {
                let detail = format!(
                    "{title} refuses this credential ({code}); version {} stays in force",
                    integration.credential_version
                );
                refused("PL6005", detail)
            }
            Said::Nothing(why) => refused("PL4061", format!("{title} was not heard: {why}")),
        }
    }

    async fn mode_of(
        &self,
        manifest: &Manifest,
        (integration, version): (&Integration, u32),
    ) -> Result<Option<String>, Error> {
        let mode = self.credential_mode(manifest, (integration.id, version)).await;
        mode.map_err(|why| Error::Refused { code: "PL4003", detail: why.to_string() })
    }

    /// Takes the vault of a live engine, and forgets versions that nothing can name any more: what
    /// was under way when an engine ends is never sent again with the credential of then.
    ///
    /// # Errors
    /// What the vault says.
    pub fn keep_credentials(&self, vault: &Arc<Vault>) -> Result<(), Error> {
        self.connections.keep(Arc::clone(vault));
        for integration in self.world().integrations.values() {
            if integration.credential_version > 0 {
                vault.forget_before(integration.id, integration.credential_version)?;
            }
        }
        vault.forget_ended(self.now())?;
        let (env, vault) = (Arc::downgrade(&self.env), Arc::downgrade(vault));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                let Some((env, vault)) = env.upgrade().zip(vault.upgrade()) else { return };
                let now = env.now();
                drop(env);
                if let Err(error) = blocking(move || Ok(vault.forget_ended(now)?)).await {
                    tracing::warn!(%error, "a secret that has ended stays in the vault");
                }
            }
        });
        Ok(())
    }

    /// Every later claim takes the new version, so only calls that are under way now can hold an old
    /// one.
    fn forget_when_unused(
        &self,
        id: IntegrationId,
        version: u32,
        vault: &Arc<Vault>,
    ) -> Result<(), Error> {
        // heard before it is looked: what ends in between is not missed
        let mut notices = self.notices();
        let mut under_way: BTreeSet<RunId> = {
            let view = self.view()?;
            Views::new(&view)?.in_flight()?.into_iter().collect()
        };
        let (env, vault) = (Arc::downgrade(&self.env), Arc::downgrade(vault));
        tokio::spawn(async move {
            while let Some(left) = still_under_way(&env, &under_way) {
                under_way = left;
                if under_way.is_empty() {
                    let Some(vault) = vault.upgrade() else { return };
                    let forgotten = blocking(move || Ok(vault.forget_before(id, version)?)).await;
                    if let Err(error) = forgotten {
                        // the next start forgets it
                        tracing::warn!(%error, integration = %id, "an old credential stays in the vault");
                    }
                    return;
                }
                if !moved(&mut notices, &under_way).await {
                    return;
                }
            }
        });
        Ok(())
    }
}

/// Waits until one of these runs has got further; false when the engine has ended.
async fn moved(notices: &mut Receiver<Notice>, runs: &BTreeSet<RunId>) -> bool {
    loop {
        let run = match notices.recv().await {
            Ok(Notice::Parked { run } | Notice::Finished { run } | Notice::InDoubt { run, .. }) => {
                run
            }
            Ok(_) => continue,
            // some were missed
            Err(RecvError::Lagged(_)) => return true,
            Err(RecvError::Closed) => return false,
        };
        if runs.contains(&run) {
            return true;
        }
    }
}

/// Which of these runs still have a call under way; none when the engine has ended.
fn still_under_way(env: &Weak<Env>, runs: &BTreeSet<RunId>) -> Option<BTreeSet<RunId>> {
    let env = env.upgrade()?;
    let view = env.view().ok()?;
    let now: BTreeSet<RunId> = Views::new(&view).ok()?.in_flight().ok()?.into_iter().collect();
    Some(runs.intersection(&now).copied().collect())
}

/// Where nobody but the operator can say whose a credential is.
fn lineage(
    (integration, mode): (&Integration, Option<String>),
    (version, scopes): (u32, Vec<String>),
    account: Account,
) -> Result<(Identity, String, Vec<String>, bool), Error> {
    let label = integration.label.clone();
    let was = integration.identity.mode().map(str::to_owned);
    match account {
        Account::Same if mode.is_some() && mode != was => {
            let detail = format!(
                "the new credential of {} is a {} key, which is another account than before: say \
                 --new-identity, and approvals for the one before are void",
                integration.name,
                mode.unwrap_or_default()
            );
            Err(Error::Refused { code: "PL4062", detail })
        }
        Account::Same => Ok((integration.identity.clone(), label, scopes, false)),
        Account::New => {
            let id = format!("{}.v{version}", integration.id);
            let identity = match mode {
                Some(mode) => {
                    Identity { id, tenant: integration.provider.clone() }.in_mode(Some(&mode))
                }
                None => Identity { id, tenant: integration.identity.tenant.clone() },
            };
            Ok((identity, label, scopes, false))
        }
        Account::Unsaid => {
            let detail = format!(
                "{} does not say whose a credential is: say --same-account, or --new-identity, and \
                 approvals for the account before are void",
                integration.provider
            );
            Err(Error::Refused { code: "PL4062", detail })
        }
    }
}

/// A credential that is to be sealed.
#[derive(Debug)]
pub(super) struct Next {
    version: u32,
    fields: BTreeMap<String, SecretText>,
    /// The token in hand, where it signs for its tokens.
    grant: Option<KeptGrant>,
}

/// What is given in the place of what there is, as the version after every one that the vault has or the
/// log names. Nothing is sealed yet.
pub(super) async fn next(
    vault: &Arc<Vault>,
    manifest: &Arc<Manifest>,
    integration: &Integration,
    given: BTreeMap<String, SecretText>,
) -> Result<Next, Error> {
    let (vault, manifest) = (Arc::clone(vault), Arc::clone(manifest));
    let (id, known) = (integration.id, integration.credential_version);
    let name = integration.name.clone();
    blocking(move || {
        let grant = vault.grant(id, known)?;
        if grant.as_ref().is_some_and(|grant| grant.renews != Renews::BySigning) {
            let detail = format!(
                "{name} was connected by OAuth: its tokens are renewed by themselves, and a new grant \
                 is given by connecting it again with --oauth, which keeps its name and all that uses it"
            );
            return Err(Error::Refused { code: "PL4003", detail });
        }
        let mut fields = vault.credential(id, known)?;
        fields.extend(given);
        if let Some(schema) = manifest.credential_schema() {
            let whole = fields.iter().map(|(name, text)| (name.clone(), text.expose().into()));
            let whole = Value::Object(whole.collect::<Map<_, _>>());
            schema.validate(&whole).map_err(|violations| Error::Refused {
                code: "PL4003",
                detail: format!("credential of {}: {violations}", manifest.provider()),
            })?;
        }
        let version = vault.latest_version(id)?.unwrap_or(0).max(known) + 1;
        // as a row of its own it counts from the start
        let grant = grant.map(|grant| KeptGrant { generation: 0, ..grant });
        Ok(Next { version, fields, grant })
    })
    .await
}

/// Seals a version; durable when it returns. The names of its fields, and of those that a token fills.
pub(super) async fn seal(
    vault: &Arc<Vault>,
    id: IntegrationId,
    Next { version, fields, grant }: Next,
) -> Result<(u32, Vec<String>), Error> {
    let vault = Arc::clone(vault);
    blocking(move || {
        match &grant {
            Some(grant) => vault.store_granted(id, version, (&fields, grant))?,
            None => vault.store(id, version, &fields)?,
        }
        let mut names: BTreeSet<String> = fields.into_keys().collect();
        names.extend(grant.map(|grant| grant.access_field));
        Ok((version, names.into_iter().collect()))
    })
    .await
}

pub(super) fn no_vault() -> Error {
    let detail = "an engine in sandbox mode keeps no credentials: start it with --mode live";
    Error::Refused { code: "PL4011", detail: detail.to_owned() }
}

/// The vault blocks on the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Refused { code: "PL9001", detail: error.to_string() })?
}
