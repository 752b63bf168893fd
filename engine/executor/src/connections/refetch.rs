//! A provider that posts an id and no more: after the answer to it, the object is read, and the event is
//! told with what the object says.
//!
//! What was posted stands in the log under a type that nobody waits for ([`NOTICE`]); the event that
//! follows has an id that follows from that one's, so that a second reading of the same object is a
//! repetition. Nothing is kept in memory that a restart would need: a notice without its event is found
//! in the log again, because telling never counts as done beyond it. A provider that cannot be read for a
//! day, or that says that there is no such object, leaves the event with what was posted: it is told, and
//! answers nothing.

use super::desk::Desk;
use super::hooks::GONE;
use super::remote::Came;
use crate::arrivals::{Arrival, Told, land_as};
use crate::env::Env;
use crate::handle::Error;
use placet_adapters::Response;
use placet_adapters::inbound::{Heard, NOTICE, Refetch};
use placet_model::integration::{Integration, IntegrationStatus};
use placet_model::{Event, EventId, IntegrationId, Position, Timestamp};
use placet_projections::Views;
use serde_json::Value;
use std::collections::BTreeMap;

/// After this time the event is told without the object.
const GIVEN_UP_MS: i64 = 24 * 3_600_000;
/// Between two tries: as long as it has waited so far, within these.
const PAUSE_LEAST_MS: i64 = 5_000;
const PAUSE_MOST_MS: i64 = 3_600_000;

/// Something that was heard of, and whose object was not read yet.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) id: EventId,
    pub(crate) position: Position,
    pub(crate) at: Timestamp,
    integration: IntegrationId,
    /// The type that the event will have.
    key: String,
    event_key: String,
    data: Value,
}

/// Notices after a place in the log whose event has not come, the oldest first.
pub(crate) fn notices(env: &Env, after: Position) -> Result<Vec<Notice>, crate::env::Error> {
    let view = env.view()?;
    let views = Views::new(&view)?;
    let since = (Timestamp::from_millis(i64::MIN), after);
    let rows = views.arrivals(None, since, usize::MAX)?;
    let mut open: BTreeMap<EventId, Notice> = BTreeMap::new();
    for row in rows {
        let awaited = open.values().any(|notice| notice.key == row.kind);
        let key = row.kind.strip_suffix(NOTICE);
        if key.is_none() && !awaited {
            continue;
        }
        let event = view.event(row.position)?;
        let Event::InboundReceived(body) = &event.event else { continue };
        let Some(key) = key else {
            event.causation.map(|cause| open.remove(&cause));
            continue;
        };
        let payload = match view.payload(&row.envelope.stream, row.envelope.payload) {
            Ok(payload) => payload,
            // what was erased is nobody's news
            Err(placet_log::Error::Erased { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let envelope: Value = serde_json::from_slice(payload.as_bytes()).unwrap_or_default();
        let notice = Notice {
            id: event.event_id,
            position: row.position,
            at: row.at,
            integration: body.integration,
            key: key.to_owned(),
            event_key: body.event_key.clone(),
            data: envelope["data"].clone(),
        };
        open.insert(notice.id, notice);
    }
    let mut all: Vec<Notice> = open.into_values().collect();
    all.sort_by_key(|notice| notice.position);
    Ok(all)
}

impl Desk {
    /// Reads what was heard of and is due; gives the moment of the next try.
    pub(super) async fn refetch(&self) -> Result<Option<Timestamp>, Error> {
        let _turn = self.connections.fetching.lock().await;
        let delivered = {
            let view = self.env.view()?;
            let views = Views::new(&view).map_err(crate::env::Error::from)?;
            views.delivered().map_err(crate::env::Error::from)?
        };
        let mut next: Option<Timestamp> = None;
        for notice in notices(&self.env, delivered)? {
            let now = self.env.now();
            let due = self.connections.not_before(notice.id).filter(|due| *due > now);
            let again = match due {
                Some(due) => Some(due),
                None => self.refetch_one(&notice).await?,
            };
            match again {
                Some(again) => next = Some(next.map_or(again, |sooner| sooner.min(again))),
                None => self.connections.fetched(notice.id),
            }
        }
        Ok(next)
    }

    /// Reads one object and tells of it; the moment of the next try where that came to nothing.
    async fn refetch_one(&self, notice: &Notice) -> Result<Option<Timestamp>, Error> {
        let world = self.world();
        let integration = world.integrations.get(&notice.integration);
        let manifest = integration.and_then(|known| self.env.adapters.manifest(&known.provider));
        let refetch = manifest.and_then(|manifest| manifest.inbound()?.refetch(&notice.key));
        let (Some(integration), Some(refetch)) = (integration, refetch) else {
            tracing::warn!(kind = notice.key, "nobody can read what was heard of any more");
            return self.told(notice, &Refetch::none(), None).await;
        };
        let now = self.env.now();
        let came = match integration.status {
            IntegrationStatus::Active => self.read_object(notice, (integration, refetch)).await?,
            IntegrationStatus::Disconnected => Came::Refused(GONE.to_owned()),
            IntegrationStatus::Disabled | IntegrationStatus::Failed => {
                Came::Unclear("its connection is not in use".to_owned())
            }
        };
        let waited = now.millis_since(notice.at);
        match came {
            Came::Done(response) => self.told(notice, refetch, Some(&response)).await,
            Came::Refused(code) if code == GONE => self.told(notice, refetch, None).await,
            Came::Refused(code) | Came::Unclear(code) if waited >= GIVEN_UP_MS => {
                tracing::warn!(kind = notice.key, %code, "an object could not be read for a day");
                self.told(notice, refetch, None).await
            }
            Came::Refused(code) | Came::Unclear(code) => {
                tracing::info!(kind = notice.key, %code, "an object cannot be read yet");
                let pause = waited.clamp(PAUSE_LEAST_MS, PAUSE_MOST_MS);
                let again = now.plus_millis(pause);
                self.connections.fetch_at(notice.id, again);
                Ok(Some(again))
            }
        }
    }

    async fn read_object(
        &self,
        notice: &Notice,
        (integration, refetch): (&Integration, &Refetch),
    ) -> Result<Came, Error> {
        let remote = self.remote(integration)?;
        let input = match refetch.input(&notice.data, &integration.settings) {
            Ok(input) => input,
            Err(error) => {
                tracing::warn!(kind = notice.key, %error, "what was heard names no object");
                return Ok(Came::Refused(GONE.to_owned()));
            }
        };
        self.record(integration.id, vec![remote.used_for(refetch.operation())]).await?;
        Ok(remote.perform(refetch.operation(), input).await)
    }

    /// Tells of it; the same again is a repetition.
    async fn told(
        &self,
        notice: &Notice,
        refetch: &Refetch,
        answer: Option<&Response>,
    ) -> Result<Option<Timestamp>, Error> {
        let world = self.world();
        let version = world.integrations.get(&notice.integration);
        let dedupe = notice.id.to_string();
        let heard = Heard {
            key: &notice.key,
            event_key: &notice.event_key,
            data: &notice.data,
            dedupe: &dedupe,
        };
        let arrival = Arrival {
            integration: notice.integration,
            credential_version: version.map_or(0, |known| known.credential_version),
            event: refetch.event(heard, answer),
        };
        let told = Told::Read { notice: notice.id };
        land_as(&self.env, &self.inputs, (arrival, told)).await.map(|_landed| None)
    }
}
