//! "It has arrived", told by the provider itself: an event that bears the mark of a send in doubt.
//!
//! Only what is in the log counts, and nothing gets there unproven. It settles a doubt once: a person, a
//! look-up and an event take their turns, and whoever comes second finds nothing in doubt. An event may
//! come before the doubt does; then it is looked for when the doubt begins.

use super::{Error, Turn};
use crate::arrivals::{TOLD, mark};
use crate::values::Content;
use placet_core::Command;
use placet_core::decide::Witnessed;
use placet_core::run::{Activity, Attempt, Run};
use placet_model::event::attempt::{AnswerFacts, StoredField};
use placet_model::event::inbound::InboundReceived;
use placet_model::event::lookup::EvidenceArrived;
use placet_model::{Event, PayloadRef, Position, StreamId, Timestamp};
use placet_projections::Views;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Events of one type that are looked at when a doubt begins: the newest since the call.
const LOOKED_BACK_MAX: usize = 10_000;

/// What stands beside an event that bears a mark.
#[derive(Debug, Deserialize)]
struct Told {
    #[serde(rename = "final")]
    is_final: bool,
    result: BTreeMap<String, String>,
}

/// What of a run is in doubt, whether or not its task is still there.
pub(crate) fn doubts(run: &Run) -> impl Iterator<Item = &Attempt> {
    let attached = run.attempts().filter_map(|(branch, known)| {
        matches!(branch.activity, Activity::InDoubt(..)).then_some(known)
    });
    let detached = run.detached.values();
    attached.chain(detached.filter(|known| known.in_doubt).map(|known| &known.attempt))
}

impl Turn<'_> {
    /// An event has come that may tell of something in doubt.
    pub(super) fn witnessed(&mut self, position: Position) -> Result<(), Error> {
        let doubts: Vec<Attempt> = doubts(&self.out.run).cloned().collect();
        for doubt in doubts {
            let _settled = self.tells_of(&doubt, position)?;
        }
        Ok(())
    }

    /// Looks for what has come before the doubt began.
    pub(super) fn look_back(&mut self) -> Result<(), Error> {
        let doubts: Vec<Attempt> = doubts(&self.out.run).cloned().collect();
        for doubt in doubts {
            let Some((provider, _)) = doubt.started.operation.split_once('.') else { continue };
            let Some(manifest) = self.env.adapters.manifest(provider).cloned() else { continue };
            let Some(inbound) = manifest.inbound() else { continue };
            let since = doubt.first_started_at;
            for kind in inbound.evidence_keys() {
                if self.is_told_by(&doubt, (kind, since))? {
                    break;
                }
            }
        }
        Ok(())
    }

    fn is_told_by(
        &mut self,
        doubt: &Attempt,
        (kind, since): (&str, Timestamp),
    ) -> Result<bool, Error> {
        let came = {
            let view = self.env.view()?;
            let views = Views::new(&view).map_err(crate::env::Error::from)?;
            let rows = views.arrivals(Some(kind), (since, Position::START), LOOKED_BACK_MAX);
            rows.map_err(crate::env::Error::from)?
        };
        for row in came {
            if self.tells_of(doubt, row.position)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Settles the doubt if the event at this place shows that it was sent, and how that ended.
    fn tells_of(&mut self, doubt: &Attempt, position: Position) -> Result<bool, Error> {
        let started = &doubt.started;
        let through = started.integration.as_ref().map(|bound| bound.id);
        let (event, told) = {
            let view = self.env.view()?;
            let recorded = view.event(position)?;
            let Event::InboundReceived(event) = recorded.event else { return Ok(false) };
            let ours = mark(&self.env.log, event.integration, &started.send_id);
            if through != Some(event.integration) || !event.correlate.contains(&ours) {
                return Ok(false);
            }
            let place = PayloadRef::new(recorded.revision, TOLD);
            let told = match view.payload(&StreamId::Events, place) {
                Ok(payload) => serde_json::from_slice::<Told>(payload.as_bytes()).ok(),
                Err(placet_log::Error::Erased { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            (event, told)
        };
        let Some(told) = told.filter(|told| told.is_final) else { return Ok(false) };
        self.settle(doubt, (position, event), told)?;
        Ok(true)
    }

    fn settle(
        &mut self,
        doubt: &Attempt,
        (arrival, event): (Position, InboundReceived),
        told: Told,
    ) -> Result<(), Error> {
        let fields = told.result.iter();
        let result = fields.map(|(at, value)| StoredField { at: at.clone(), value: value.clone() });
        let evidence = EvidenceArrived {
            attempt: doubt.started.attempt,
            arrival,
            integration: event.integration,
            kind: event.kind,
            answer: AnswerFacts { result: result.collect(), ..AnswerFacts::default() },
        };
        let output = told.result.into_iter().map(|(at, value)| (at, Value::String(value)));
        let output = Content::of_value(Arc::new(Value::Object(output.collect::<Map<_, _>>())));
        let witnessed = Witnessed { evidence, output: self.out.run.slot(2, 0) };
        let command = Command::Witness(Box::new(witnessed));
        let mut output = Some(vec![output]);
        for (place, event) in
            placet_core::decide(&self.out.run, command, self.context())?.into_iter().enumerate()
        {
            let payloads = if place == 1 { output.take() } else { None };
            self.note(event, payloads.unwrap_or_default())?;
        }
        Ok(())
    }
}
