//! Webhooks that stand at a provider: asked for, made again before they end, and taken away.
//!
//! ```text
//! begun ─ the provider is asked ─ made (id, end, secret → vault) ─ removing ─ removed
//!        └ refused: nothing stands there      └ unclear: it is looked for and taken away
//! ```
//!
//! It is an operator's act, like connecting and giving a credential back: no workflow and no agent can
//! ask for it, and nothing that it sends is content of a run.
//!
//! Invariants:
//!
//! * `begun` is on disk before the provider is asked. Whatever a crash leaves behind at the provider, the
//!   next start finds `begun` (or `removing`) without an end, looks for what posts to this very address,
//!   and takes it away: the address holds the integration's id, so it is nobody else's.
//! * What is asked stands in the log by its digest, before it leaves ([`super::own_calls`]).
//! * The secret is the vault's: a hole in the call where we give it, taken out of the answer and sealed
//!   where the provider makes it, before `made` is recorded. It is in no event, log line or answer.
//! * A provider that has one place only (no `find`) is asked to empty it.

use super::Connections;
use super::desk::Desk;
use super::remote::{Came, Remote};
use crate::handle::{Error, Handle};
use placet_adapters::inbound::{LifecycleStep, Subscribed, Subscribing};
use placet_model::actor::Role;
use placet_model::event::hook::{OwnCallPurpose, SubscriptionChanged, SubscriptionStep};
use placet_model::integration::{Integration, IntegrationStatus};
use placet_model::{Actor, Event, IntegrationId, Principal, Revision, StreamId, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;

/// Asked again so long after a renewal that did not come about.
const AGAIN_MS: i64 = 3_600_000;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Under which address this engine is reached: `https://placet.example`.
    pub base: String,
    /// What is subscribed to, where an account has many; empty otherwise.
    pub resource: String,
}

/// A webhook at a provider, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subscription {
    /// What is subscribed to; empty where there is one place only.
    pub resource: String,
    /// How far it has come.
    pub step: SubscriptionStep,
    /// Where it posts to.
    pub url: String,
    /// The provider's own id.
    pub remote: Option<String>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Since when it stands like this.
    pub since: Timestamp,
    /// Why it does not stand.
    pub code: Option<String>,
}

impl Subscription {
    /// Whether the provider may have something that nothing here says it has.
    const fn is_open(&self) -> bool {
        matches!(
            self.step,
            SubscriptionStep::Begun | SubscriptionStep::Unclear | SubscriptionStep::Removing
        )
    }

    pub(super) fn stands(&self) -> bool {
        self.step == SubscriptionStep::Made
    }

    fn changed(&self, id: IntegrationId, step: SubscriptionStep, code: Option<&str>) -> Event {
        SubscriptionChanged {
            integration: id,
            resource: self.resource.clone(),
            step,
            url: self.url.clone(),
            remote: self.remote.clone(),
            expires_at: self.expires_at,
            code: code.map(str::to_owned),
        }
        .into()
    }
}

impl Handle {
    /// Has the provider post to this engine. What is known to stand there already is made anew.
    ///
    /// # Errors
    /// When the actor may not, the provider has no such call, refuses it, or was not heard.
    pub async fn subscribe(
        &self,
        actor: &Principal,
        name: &str,
        wish: Wish,
    ) -> Result<Subscription, Error> {
        self.demand(actor, Role::Operator)?;
        let desk = self.desk(Actor::Principal(actor.clone()));
        let _turn = self.connections.turn.lock().await;
        let integration = self.named(name)?;
        desk.subscribe(&integration, wish).await
    }

    /// Has the provider post here no more.
    ///
    /// # Errors
    /// When the actor may not, or the provider was not heard: then it still stands, or may.
    pub async fn unsubscribe(
        &self,
        actor: &Principal,
        name: &str,
    ) -> Result<Vec<Subscription>, Error> {
        self.demand(actor, Role::Operator)?;
        let desk = self.desk(Actor::Principal(actor.clone()));
        let _turn = self.connections.turn.lock().await;
        let integration = self.named(name)?;
        for (_, subscription) in desk.subscriptions(integration.id)? {
            if subscription.stands() || subscription.is_open() {
                desk.remove(&integration, &subscription, "asked for").await?;
            }
        }
        Ok(desk.subscriptions(integration.id)?.into_values().collect())
    }

    /// What stands at the provider of an integration, by this log.
    ///
    /// # Errors
    /// When it is unknown, or the log cannot be read.
    pub fn subscriptions(&self, name: &str) -> Result<Vec<Subscription>, Error> {
        let integration = self.named(name)?;
        let desk = self.desk(Actor::Engine);
        Ok(desk.subscriptions(integration.id)?.into_values().collect())
    }
}

impl Desk {
    /// The last that is known of each subscription.
    pub(super) fn subscriptions(
        &self,
        id: IntegrationId,
    ) -> Result<BTreeMap<String, Subscription>, Error> {
        let view = self.env.view()?;
        let mut known = BTreeMap::new();
        for event in view.stream(&StreamId::Integration(id), Revision::START) {
            let event = event?;
            let Event::SubscriptionChanged(body) = event.event else { continue };
            let subscription = Subscription {
                resource: body.resource.clone(),
                step: body.step,
                url: body.url,
                remote: body.remote,
                expires_at: body.expires_at,
                since: event.recorded_at,
                code: body.code,
            };
            known.insert(body.resource, subscription);
        }
        Ok(known)
    }

    async fn subscribe(
        &self,
        integration: &Integration,
        wish: Wish,
    ) -> Result<Subscription, Error> {
        let remote = self.remote(integration)?;
        if remote.call(LifecycleStep::Subscribe).is_none() {
            let title = remote.title();
            let detail = format!("{title} is told where to post in its own console, not by a call");
            return Err(refused("PL4071", detail));
        }
        if remote.manifest().inbound().is_some_and(|inbound| inbound.sync().is_some()) {
            // the reading begins before the hints do, so that the first of them is no beginning
            let _synced = self.sync(integration).await?;
        }
        let base = wish.base.trim_end_matches('/');
        let url = format!("{base}/hooks/{}/{}", integration.provider, integration.id);
        let known = self.subscriptions(integration.id)?.remove(&wish.resource);
        if let Some(before) = known.filter(|before| before.stands() || before.is_open()) {
            self.remove(integration, &before, "made anew").await?;
        }
        let begun = Subscription {
            resource: wish.resource,
            step: SubscriptionStep::Begun,
            url,
            remote: None,
            expires_at: None,
            since: self.env.now(),
            code: None,
        };
        let call = remote.call(LifecycleStep::Subscribe);
        let asked = call.map(|call| call.input(about(&begun), &integration.settings));
        if let Some(Err(error)) = asked {
            let detail = format!("{}: say what for (--for): {error}", remote.title());
            return Err(refused("PL4071", detail));
        }
        let used = remote.used(LifecycleStep::Subscribe);
        let facts = vec![begun.changed(integration.id, SubscriptionStep::Begun, None), used];
        self.record(integration.id, facts).await?;
        self.made(&remote, begun, LifecycleStep::Subscribe).await
    }

    /// Asks for it, and records what came of that.
    async fn made(
        &self,
        remote: &Remote<'_>,
        mut subscription: Subscription,
        step: LifecycleStep,
    ) -> Result<Subscription, Error> {
        let id = remote.integration().id;
        let renewing = subscription.stands();
        let about = about(&subscription);
        let purpose = if renewing { OwnCallPurpose::Renew } else { OwnCallPurpose::Subscribe };
        match self.asked(remote, (step, purpose), about).await? {
            Came::Done(response) => {
                let call = remote.call(step);
                let Subscribed { id: own, expires_at, secret } =
                    call.map(|call| call.subscribed(&response)).unwrap_or_default();
                let mut facts = vec![];
                if let Some((field, secret)) = secret {
                    facts.push(self.keep(remote, (field, secret)).await?);
                }
                subscription.remote = own.or(subscription.remote);
                subscription.expires_at = expires_at;
                subscription.step = SubscriptionStep::Made;
                facts.push(subscription.changed(id, SubscriptionStep::Made, None));
                self.record(id, facts).await?;
                Ok(subscription)
            }
            Came::Refused(code) | Came::Unclear(code) if renewing => {
                self.not_renewed(id, &subscription, &code).await?;
                let detail = format!("{} did not go on ({code})", remote.title());
                Err(refused("PL4072", detail))
            }
            Came::Refused(code) => {
                let refused_event =
                    subscription.changed(id, SubscriptionStep::Refused, Some(&code));
                self.record(id, vec![refused_event]).await?;
                let detail =
                    format!("{} refused it ({code}); nothing stands there", remote.title());
                Err(refused("PL4071", detail))
            }
            Came::Unclear(code) => {
                let unclear = subscription.changed(id, SubscriptionStep::Unclear, Some(&code));
                self.record(id, vec![unclear]).await?;
                let cleared = self.remove(remote.integration(), &subscription, &code).await;
                let left = match cleared {
                    Ok(()) => "what it may have made was taken away again; ask once more",
                    Err(_still) => "what it may have made is looked for again by itself",
                };
                Err(refused("PL4072", format!("{} was not heard ({code}): {left}", remote.title())))
            }
        }
    }

    /// It stands as long as it was to; after that it does not.
    async fn not_renewed(
        &self,
        id: IntegrationId,
        subscription: &Subscription,
        code: &str,
    ) -> Result<(), Error> {
        if subscription.expires_at.is_none_or(|end| self.env.now() < end) {
            return Ok(());
        }
        let over = subscription.changed(id, SubscriptionStep::Refused, Some(code));
        self.record(id, vec![over]).await
    }

    /// Has everything that posts to this address taken away, and records it.
    pub(super) async fn remove(
        &self,
        integration: &Integration,
        subscription: &Subscription,
        why: &str,
    ) -> Result<(), Error> {
        let remote = self.remote(integration)?;
        let used = remote.used(LifecycleStep::Unsubscribe);
        let removing = subscription.changed(integration.id, SubscriptionStep::Removing, Some(why));
        self.record(integration.id, vec![removing, used]).await?;
        let mut ids: Vec<Option<String>> = match remote.call(LifecycleStep::Find) {
            Some(find) => match self.asked(&remote, FIND, about(subscription)).await? {
                Came::Done(page) => {
                    find.found(&page, &subscription.url).into_iter().map(Some).collect()
                }
                Came::Refused(code) | Came::Unclear(code) => {
                    return Err(self.stays(&remote, subscription, &code).await?);
                }
            },
            None => vec![None],
        };
        if let Some(known) = &subscription.remote
            && !ids.iter().flatten().any(|id| id == known)
            && remote.call(LifecycleStep::Find).is_none()
        {
            ids = vec![Some(known.clone())];
        }
        for own in ids {
            let about = Subscribing { id: own.as_deref(), ..about(subscription) };
            match self.asked(&remote, UNSUBSCRIBE, about).await? {
                Came::Done(_) => {}
                // it is gone already
                Came::Refused(code) if code == GONE => {}
                Came::Refused(code) | Came::Unclear(code) => {
                    return Err(self.stays(&remote, subscription, &code).await?);
                }
            }
        }
        let removed = subscription.changed(integration.id, SubscriptionStep::Removed, Some(why));
        self.record(integration.id, vec![removed]).await
    }

    async fn stays(
        &self,
        remote: &Remote<'_>,
        subscription: &Subscription,
        code: &str,
    ) -> Result<Error, Error> {
        let id = remote.integration().id;
        let unclear = subscription.changed(id, SubscriptionStep::Unclear, Some(code));
        self.record(id, vec![unclear]).await?;
        let detail = format!(
            "{} was not heard or refused it ({code}): what posts to {} may still stand there",
            remote.title(),
            subscription.url
        );
        Ok(refused("PL4072", detail))
    }

    /// What a crash, or a provider that was not heard, has left open is looked for and taken away.
    pub(super) async fn settle(&self, connections: &Connections) -> Result<(), Error> {
        for integration in self.reachable(connections) {
            let _turn = connections.turn.lock().await;
            for subscription in self.subscriptions(integration.id)?.into_values() {
                if !subscription.is_open() || !self.is_due(&subscription) {
                    continue;
                }
                match self.remove(&integration, &subscription, "interrupted").await {
                    Err(Error::Stopping) => return Err(Error::Stopping),
                    Err(error) => {
                        tracing::warn!(%error, integration = integration.name, "a webhook at a provider is not settled");
                    }
                    Ok(()) => {}
                }
            }
        }
        Ok(())
    }

    /// What an earlier process has left, at once; what a provider did not answer to, an hour later.
    fn is_due(&self, subscription: &Subscription) -> bool {
        let waited = self.env.now().millis_since(subscription.since) >= AGAIN_MS;
        subscription.since <= self.started_at || waited
    }

    /// Subscriptions that end by themselves are made again before that.
    pub(super) async fn renew(&self, connections: &Connections) -> Result<(), Error> {
        for integration in self.reachable(connections) {
            let _turn = connections.turn.lock().await;
            let Ok(remote) = self.remote(&integration) else { continue };
            for subscription in self.subscriptions(integration.id)?.into_values() {
                if !subscription.stands() || !self.is_to_renew(&remote, &subscription) {
                    continue;
                }
                let step = match remote.call(LifecycleStep::Renew) {
                    Some(_) => LifecycleStep::Renew,
                    None => LifecycleStep::Subscribe,
                };
                self.record(integration.id, vec![remote.used(step)]).await?;
                match self.made(&remote, subscription, step).await {
                    Err(Error::Stopping) => return Err(Error::Stopping),
                    Err(error) => {
                        tracing::warn!(%error, integration = integration.name, "a subscription is not renewed");
                    }
                    Ok(_) => {}
                }
            }
        }
        Ok(())
    }

    fn is_to_renew(&self, remote: &Remote<'_>, subscription: &Subscription) -> bool {
        let Some(expires_at) = subscription.expires_at else { return false };
        let every = remote
            .call(LifecycleStep::Subscribe)
            .and_then(placet_adapters::inbound::LifecycleCall::every);
        let every = every.and_then(|every| i64::try_from(every.as_millis()).ok());
        let now = self.env.now();
        let old = every.is_some_and(|every| now.millis_since(subscription.since) >= every);
        old || now.plus_millis(AGAIN_MS) >= expires_at
    }

    fn reachable(&self, connections: &Connections) -> Vec<Integration> {
        let live = connections.live.is_some();
        let world = self.world();
        let usable = |i: &&Integration| {
            live && i.status == IntegrationStatus::Active && i.credential_version > 0
        };
        world.integrations.values().filter(usable).cloned().collect()
    }
}

const FIND: (LifecycleStep, OwnCallPurpose) = (LifecycleStep::Find, OwnCallPurpose::Find);
const UNSUBSCRIBE: (LifecycleStep, OwnCallPurpose) =
    (LifecycleStep::Unsubscribe, OwnCallPurpose::Unsubscribe);

/// What a provider's word for *nothing of this name is here* becomes.
pub(super) const GONE: &str = "gone";

fn about(subscription: &Subscription) -> Subscribing<'_> {
    Subscribing {
        hook_url: &subscription.url,
        resource: &subscription.resource,
        id: subscription.remote.as_deref(),
    }
}

pub(super) fn refused(code: &'static str, detail: String) -> Error {
    Error::Refused { code, detail }
}
