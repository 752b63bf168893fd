//! Whether something that a provider posted answers what this run has sent.
//!
//! Looked at when the event is read, not when it comes: an answer may be faster than the provider's
//! own answer to the send, and the run knows what it has sent once it listens.

use super::Turn;
use crate::arrivals::{mark, sent_key};
use crate::turn::Error;
use placet_adapters::Sent;
use placet_log::Log;
use placet_model::decision::Resolution;
use placet_model::event::attempt::{AttemptStarted, StoredField};
use placet_model::event::inbound::InboundReceived;
use placet_model::event::lookup::LookupFinding;
use placet_model::{
    AttemptId, Digest, Event, IntegrationId, PayloadRef, Revision, StreamId, TaskPath,
};
use placet_projections::ArrivalRow;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The attribute that names the task of this run whose message the event answers.
pub(super) const REPLY_TO: &str = "replyto";

impl Turn<'_> {
    /// The task whose message this answers; the latest, where there are more.
    pub(super) fn replied(&mut self, arrival: &ArrivalRow) -> Result<Option<TaskPath>, Error> {
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
        let sends = {
            let mut sends = Sends::new(&self.env.log, body.integration);
            let mut arrived = vec![];
            for event in view.stream(&self.stream, Revision::START) {
                arrived.extend(sends.see(&event?.event));
            }
            arrived
        };
        let mut found = None;
        for sent in sends {
            if self.is_answered(&sent, &body)? {
                found = Some(sent.started.task);
            }
        }
        Ok(found)
    }

    /// Whether everything that the event names is of what was sent.
    fn is_answered(&mut self, sent: &Arrived, body: &InboundReceived) -> Result<bool, Error> {
        let open: Vec<&Digest> =
            body.correlate.iter().filter(|key| !sent.keys.contains(key)).collect();
        if open.is_empty() {
            return Ok(true);
        }
        let started = &sent.started;
        let operation = self.env.operation(&started.operation, started.operation_digest);
        let Some(operation) = operation else { return Ok(false) };
        let with = self.value(started.with)?;
        let output = self.value_or_null(sent.output)?;
        let world = self.world;
        let nothing = Value::Null;
        let integration = world.integrations.get(&body.integration);
        let settings = integration.map_or(&nothing, |integration| &integration.settings);
        let given = Sent { input: &with, settings, send_id: &started.send_id };
        let names = placet_adapters::answered(&operation, given, &output);
        let keys: BTreeSet<Digest> = names
            .iter()
            .map(|(name, value)| sent_key(&self.env.log, body.integration, (name, value)))
            .collect();
        Ok(open.into_iter().all(|key| keys.contains(key)))
    }
}

/// Something that was sent and has arrived.
struct Arrived {
    started: AttemptStarted,
    keys: BTreeSet<Digest>,
    output: Option<PayloadRef>,
}

/// What this run has sent through an integration, as its events tell it.
struct Sends<'l> {
    log: &'l Log,
    integration: IntegrationId,
    /// Not known to have arrived.
    under_way: BTreeMap<AttemptId, AttemptStarted>,
    /// What a look-up, or the provider by itself, told of one in doubt, which its settling follows.
    shown: BTreeMap<AttemptId, Vec<StoredField>>,
}

impl<'l> Sends<'l> {
    const fn new(log: &'l Log, integration: IntegrationId) -> Self {
        Self { log, integration, under_way: BTreeMap::new(), shown: BTreeMap::new() }
    }

    /// Looks at the next event of the run: what has arrived with it.
    fn see(&mut self, event: &Event) -> Option<Arrived> {
        match event {
            Event::AttemptStarted(started) => {
                let through = started.integration.as_ref().map(|bound| bound.id);
                if through == Some(self.integration) {
                    self.under_way.insert(started.attempt, started.clone());
                }
                None
            }
            Event::AttemptSucceeded(sent) => {
                self.arrived(sent.attempt, &sent.answer.result, Some(sent.output))
            }
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
                self.arrived(body.attempt, &shown, body.output)
            }
            _ => None,
        }
    }

    fn arrived(
        &mut self,
        attempt: AttemptId,
        result: &[StoredField],
        output: Option<PayloadRef>,
    ) -> Option<Arrived> {
        let started = self.under_way.remove(&attempt)?;
        let mut keys = keys((self.log, self.integration), result);
        keys.insert(mark(self.log, self.integration, &started.send_id));
        Some(Arrived { started, keys, output })
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
