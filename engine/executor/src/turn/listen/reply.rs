//! Whether something that a provider posted answers what this run has sent.
//!
//! Looked at when the event is read, not when it comes: an answer may be faster than the provider's
//! own answer to the send, and the run knows what it has sent once it listens.

use super::Turn;
use crate::arrivals::{mark, sent_key};
use crate::turn::Error;
use placet_log::Log;
use placet_model::decision::Resolution;
use placet_model::event::attempt::StoredField;
use placet_model::event::lookup::LookupFinding;
use placet_model::{AttemptId, Digest, Event, IntegrationId, Revision, StreamId, TaskPath};
use placet_projections::ArrivalRow;
use std::collections::{BTreeMap, BTreeSet};

/// The attribute that names the task of this run whose message the event answers.
pub(super) const REPLY_TO: &str = "replyto";

impl Turn<'_> {
    /// The task whose message this answers; the latest, where there are more.
    pub(super) fn replied(&self, arrival: &ArrivalRow) -> Result<Option<TaskPath>, Error> {
        if arrival.envelope.stream != StreamId::Events {
            return Ok(None);
        }
        let view = self.env.view()?;
        let Event::InboundReceived(body) = view.event(arrival.position)?.event else {
            return Ok(None);
        };
        if body.correlate.is_empty() {
            return Ok(None);
        }
        let mut sent = Sends::new(&self.env.log, body.integration);
        let mut found = None;
        for event in view.stream(&self.stream, Revision::START) {
            let Some((task, keys)) = sent.see(&event?.event) else { continue };
            if body.correlate.iter().all(|key| keys.contains(key)) {
                found = Some(task);
            }
        }
        Ok(found)
    }
}

/// What this run has sent through an integration, as its events tell it.
struct Sends<'l> {
    log: &'l Log,
    integration: IntegrationId,
    /// Not known to have arrived.
    under_way: BTreeMap<AttemptId, (TaskPath, String)>,
    /// What a look-up, or the provider by itself, told of one in doubt, which its settling follows.
    shown: BTreeMap<AttemptId, Vec<StoredField>>,
}

impl<'l> Sends<'l> {
    const fn new(log: &'l Log, integration: IntegrationId) -> Self {
        Self { log, integration, under_way: BTreeMap::new(), shown: BTreeMap::new() }
    }

    /// Looks at the next event of the run: the task and the names of what has arrived with it.
    fn see(&mut self, event: &Event) -> Option<(TaskPath, BTreeSet<Digest>)> {
        match event {
            Event::AttemptStarted(started) => {
                let through = started.integration.as_ref().map(|bound| bound.id);
                if through == Some(self.integration) {
                    let sent = (started.task.clone(), started.send_id.clone());
                    self.under_way.insert(started.attempt, sent);
                }
                None
            }
            Event::AttemptSucceeded(sent) => self.arrived(sent.attempt, &sent.answer.result),
            Event::LookupEnded(body) if body.finding == LookupFinding::Found => {
                self.shown.insert(body.attempt, body.answer.result.clone());
                None
            }
            Event::EvidenceArrived(body) => {
                self.shown.insert(body.attempt, body.answer.result.clone());
                None
            }
            Event::AttemptReconciled(body) if body.resolution == Resolution::Sent => {
                let shown = self.shown.remove(&body.attempt).unwrap_or_default();
                self.arrived(body.attempt, &shown)
            }
            _ => None,
        }
    }

    fn arrived(
        &mut self,
        attempt: AttemptId,
        result: &[StoredField],
    ) -> Option<(TaskPath, BTreeSet<Digest>)> {
        let (task, send_id) = self.under_way.remove(&attempt)?;
        let mut keys = keys((self.log, self.integration), result);
        keys.insert(mark(self.log, self.integration, &send_id));
        Some((task, keys))
    }
}

/// What was sent, by its names. An answer in a thread names the message that began it, which need
/// not be the one that was sent.
fn keys((log, integration): (&Log, IntegrationId), result: &[StoredField]) -> BTreeSet<Digest> {
    let key = |name: &str, field: &StoredField| sent_key(log, integration, (name, &field.value));
    let mut keys = BTreeSet::new();
    for field in result {
        keys.insert(key(&field.at, field));
        if field.at == "thread_id" {
            keys.insert(key("message_id", field));
        }
    }
    keys
}
