//! Reading a mailbox: what came since the last reading becomes arrivals, each exactly once.
//!
//! A push is a hint, and no more: what it says is not believed beyond *look*. Where the reading stands is
//! a fact (`SyncCompleted`), recorded after the arrivals that belong to it are on disk; a crash in between
//! reads them again, and their ids make the second time a repetition. A position that the provider does
//! not know any more leads to a reading of all that it lists, back to a day before the last one.

use super::desk::Desk;
use super::hooks::{GONE, refused};
use super::remote::{Came, Remote};
use crate::arrivals::{Arrival, Landed, land};
use crate::handle::{Error, Handle};
use placet_adapters::Response;
use placet_adapters::inbound::{Page, Received, Sync, SyncCall, later};
use placet_model::actor::Role;
use placet_model::event::hook::{SyncCompleted, SyncKind};
use placet_model::integration::{Integration, IntegrationStatus};
use placet_model::{Actor, Event, IntegrationId, Principal, Revision, StreamId, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

/// Pages of one reading; a provider that goes on after that does not end.
const PAGES_MAX: usize = 10_000;
/// How far before the last reading a whole one goes back.
const OVERLAP_MS: i64 = 24 * 3_600_000;

/// What a reading has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Synced {
    /// Its name.
    pub name: String,
    /// How it was read.
    pub kind: SyncKind,
    /// Up to where.
    pub position: String,
    /// Messages that were looked at.
    pub seen: u32,
    /// Those of them that are new.
    pub taken: u32,
}

/// Where the last reading ended, and when.
#[derive(Debug, Clone)]
struct Stand {
    position: String,
    at: Timestamp,
}

/// What was found so far.
#[derive(Debug, Default)]
struct Found {
    seen: u32,
    taken: u32,
}

impl Handle {
    /// Reads what came to a connection since the last time.
    ///
    /// # Errors
    /// When the actor may not, its provider is not read, or was not heard: then nothing is lost, and the
    /// next reading begins where this one did.
    pub async fn sync(&self, actor: &Principal, name: &str) -> Result<Synced, Error> {
        self.demand(actor, Role::Operator)?;
        let integration = self.named(name)?;
        self.desk(Actor::Principal(actor.clone())).sync(&integration).await
    }

    /// As [`Handle::sync`], because the provider has hinted at something.
    ///
    /// # Errors
    /// As [`Handle::sync`].
    pub async fn sync_hinted(&self, id: IntegrationId) -> Result<Synced, Error> {
        let integration = self.world().integrations.get(&id).cloned();
        let gone = || refused("PL4009", "the integration is gone".to_owned());
        self.desk(Actor::Engine).sync(&integration.ok_or_else(gone)?).await
    }

    /// Connections whose provider is read: what came while no engine ran is read at the start.
    pub fn synced_connections(&self) -> Vec<IntegrationId> {
        let world = self.world();
        let usable = world.integrations.values().filter(|integration| {
            let manifest = self.env.adapters.manifest(&integration.provider);
            let is_read = manifest
                .and_then(|manifest| manifest.inbound())
                .is_some_and(|inbound| inbound.sync().is_some());
            is_read
                && integration.status == IntegrationStatus::Active
                && integration.credential_version > 0
        });
        let stands = |id: &IntegrationId| {
            self.desk(Actor::Engine).stand(*id).is_ok_and(|stand| stand.is_some())
        };
        usable.map(|integration| integration.id).filter(stands).collect()
    }
}

impl Desk {
    pub(super) async fn sync(&self, integration: &Integration) -> Result<Synced, Error> {
        let remote = self.remote(integration)?;
        let Some(sync) = remote.manifest().inbound().and_then(|inbound| inbound.sync()) else {
            let detail = format!("{} is not read: it posts what it has to say", remote.title());
            return Err(refused("PL4073", detail));
        };
        // one at a time: two readings from one position would do the same work twice
        let _turn = self.connections.reading.lock().await;
        let stand = self.stand(integration.id)?;
        self.record(integration.id, vec![remote.used_for(sync.changes.operation())]).await?;
        let Some(stand) = stand else { return self.baseline(&remote, sync).await };
        let mut found = Found::default();
        let position = self.changes(&remote, sync, &stand.position, &mut found).await?;
        let reach = if let Some(position) = position {
            (SyncKind::Changes, position)
        } else {
            let position = self.position(&remote, sync).await?;
            let since = stand.at.plus_millis(-OVERLAP_MS);
            self.all(&remote, sync, since, &mut found).await?;
            (SyncKind::Full, position)
        };
        self.completed(&remote, Some(&stand), reach, found).await
    }

    /// The reading begins here: what was there before is nobody's news.
    async fn baseline(&self, remote: &Remote<'_>, sync: &Sync) -> Result<Synced, Error> {
        let position = self.position(remote, sync).await?;
        self.completed(remote, None, (SyncKind::Baseline, position), Found::default()).await
    }

    async fn position(&self, remote: &Remote<'_>, sync: &Sync) -> Result<String, Error> {
        let page = self.page(remote, &sync.start, &json!({})).await?;
        let found = page.and_then(|page| page.position);
        found.ok_or_else(|| unheard(remote, "it tells no position"))
    }

    /// What came since; none where the provider does not know the position any more.
    async fn changes(
        &self,
        remote: &Remote<'_>,
        sync: &Sync,
        from: &str,
        found: &mut Found,
    ) -> Result<Option<String>, Error> {
        let (mut reach, mut next) = (from.to_owned(), None);
        for _ in 0..PAGES_MAX {
            let given = json!({ "position": from, "page": next });
            let Some(page) = self.page(remote, &sync.changes, &given).await? else {
                return Ok(None);
            };
            for id in &page.ids {
                self.item(remote, sync, id, found).await?;
            }
            // the order of pages says nothing: the latest position counts, and it never goes back
            if let Some(position) = page.position.filter(|position| later(position, &reach)) {
                reach = position;
            }
            match page.next {
                Some(more) => next = Some(more),
                None => return Ok(Some(reach)),
            }
        }
        Err(unheard(remote, "it goes on without an end"))
    }

    /// Everything that is listed, newest first, back to a moment.
    async fn all(
        &self,
        remote: &Remote<'_>,
        sync: &Sync,
        since: Timestamp,
        found: &mut Found,
    ) -> Result<(), Error> {
        let mut next = None;
        for _ in 0..PAGES_MAX {
            let page = self.page(remote, &sync.all, &json!({ "page": next })).await?;
            let Some(page) = page else { return Ok(()) };
            for id in &page.ids {
                let came = self.item(remote, sync, id, found).await?;
                if came.is_some_and(|came| came < since) {
                    return Ok(());
                }
            }
            match page.next {
                Some(more) => next = Some(more),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Reads one item and takes it; when it came. One that is gone meanwhile is nobody's.
    async fn item(
        &self,
        remote: &Remote<'_>,
        sync: &Sync,
        id: &str,
        found: &mut Found,
    ) -> Result<Option<Timestamp>, Error> {
        let answer = self.answer(remote, &sync.item, &json!({ "id": id })).await?;
        let Some(answer) = answer else { return Ok(None) };
        found.seen = found.seen.saturating_add(1);
        let integration = remote.integration();
        let came = sync.came(&answer);
        let inbound = remote.manifest().inbound();
        let read = inbound.map(|inbound| inbound.read(&answer, Some(&integration.identity)));
        if let Some(Received::Event(event)) = read {
            let arrival = Arrival {
                integration: integration.id,
                credential_version: integration.credential_version,
                event: *event,
            };
            if matches!(land(&self.env, &self.inputs, arrival).await?, Landed::Stored(_)) {
                found.taken = found.taken.saturating_add(1);
            }
        }
        Ok(came)
    }

    async fn page(
        &self,
        remote: &Remote<'_>,
        call: &SyncCall,
        given: &Value,
    ) -> Result<Option<Page>, Error> {
        Ok(self.answer(remote, call, given).await?.map(|answer| call.page(&answer)))
    }

    /// The provider's answer; none where it says that there is no such thing.
    async fn answer(
        &self,
        remote: &Remote<'_>,
        call: &SyncCall,
        given: &Value,
    ) -> Result<Option<Response>, Error> {
        let input = call.input(given, &remote.integration().settings);
        let input = input.map_err(|error| unheard(remote, &error.to_string()))?;
        match remote.perform(call.operation(), input).await {
            Came::Done(response) => Ok(Some(response)),
            Came::Refused(code) if code == GONE => Ok(None),
            Came::Refused(code) | Came::Unclear(code) => Err(unheard(remote, &code)),
        }
    }

    async fn completed(
        &self,
        remote: &Remote<'_>,
        stand: Option<&Stand>,
        (kind, position): (SyncKind, String),
        Found { seen, taken }: Found,
    ) -> Result<Synced, Error> {
        let integration = remote.integration();
        let from = stand.map(|stand| stand.position.clone());
        if from.as_ref() != Some(&position) || taken > 0 {
            let completed = SyncCompleted {
                integration: integration.id,
                kind,
                from,
                position: position.clone(),
                seen,
                taken,
            };
            self.record(integration.id, vec![completed.into()]).await?;
        }
        Ok(Synced { name: integration.name.clone(), kind, position, seen, taken })
    }

    /// Where the last reading ended.
    fn stand(&self, id: IntegrationId) -> Result<Option<Stand>, Error> {
        let view = self.env.view()?;
        let mut stand = None;
        for event in view.stream(&StreamId::Integration(id), Revision::START) {
            let event = event?;
            if let Event::SyncCompleted(body) = event.event {
                stand = Some(Stand { position: body.position, at: event.recorded_at });
            }
        }
        Ok(stand)
    }
}

fn unheard(remote: &Remote<'_>, why: &str) -> Error {
    refused("PL4061", format!("{} was not heard: {why}", remote.title()))
}
