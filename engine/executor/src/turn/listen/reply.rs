//! Whether something that a provider posted answers what this run has sent.
//!
//! Looked at when the event is read, not when it comes: an answer may be faster than the provider's
//! own answer to the send, and the run knows what it has sent once it listens.

use super::Turn;
use crate::arrivals::sent_key;
use crate::turn::Error;
use placet_log::Log;
use placet_model::event::attempt::{AttemptSucceeded, StoredField};
use placet_model::{Digest, Event, IntegrationId, Revision, StreamId, TaskPath};
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
        let mut under_way = BTreeMap::new();
        let mut found = None;
        for event in view.stream(&self.stream, Revision::START) {
            match event?.event {
                Event::AttemptStarted(started) => {
                    let through = started.integration.map(|bound| bound.id);
                    if through == Some(body.integration) {
                        under_way.insert(started.attempt, started.task);
                    }
                }
                Event::AttemptSucceeded(sent) => {
                    let Some(task) = under_way.remove(&sent.attempt) else { continue };
                    let keys = keys(&self.env.log, body.integration, &sent);
                    if body.correlate.iter().all(|key| keys.contains(key)) {
                        found = Some(task);
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// What was sent, by its names. An answer in a thread names the message that began it, which need
/// not be the one that was sent.
fn keys(log: &Log, integration: IntegrationId, sent: &AttemptSucceeded) -> BTreeSet<Digest> {
    let key = |name: &str, field: &StoredField| sent_key(log, integration, (name, &field.value));
    let mut keys = BTreeSet::new();
    for field in &sent.answer.result {
        keys.insert(key(&field.at, field));
        if field.at == "thread_id" {
            keys.insert(key("message_id", field));
        }
    }
    keys
}
