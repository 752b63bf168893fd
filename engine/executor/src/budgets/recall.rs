//! What was taken before the engine started, from the attempts of the log: a restart gives nobody a
//! second helping.

use super::{Budgets, window_ms};
use crate::env::{Env, Error};
use crate::world::World;
use placet_adapters::limits::Charge;
use placet_log::ReadView;
use placet_model::attempt::DeferReason;
use placet_model::draft::Mode;
use placet_model::event::attempt::{AttemptDeferred, AttemptStarted};
use placet_model::{AttemptId, Event, Position, RecordedEvent, StreamId, Timestamp};
use std::collections::BTreeMap;
use std::sync::PoisonError;

/// Waits that providers have asked for are looked for at least this far back.
const PERIOD_MS_MIN: i64 = 15 * 60 * 1000;
/// So many events are looked at, at most: of a log that writes more than that within an hour, the
/// budgets of an hour are known in part, and the provider's own answers have the last word.
const EVENTS_MAX: u64 = 32_768;

/// Calls whose end was not seen yet.
type UnderWay = BTreeMap<AttemptId, Vec<Charge>>;

impl Budgets {
    /// Reads back what calls of an earlier process have taken. One whose end is not recorded counts
    /// as ended now.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(crate) fn recall(&self, env: &Env, world: &World) -> Result<(), Error> {
        if !world.modes.live || world.integrations.is_empty() {
            return Ok(());
        }
        let (view, now) = (env.view()?, env.now());
        let from = first_of_interest(&view, env, now)?;
        let mut under_way = UnderWay::new();
        for event in view.events(from) {
            let event = event?;
            self.recall_event((env, world, &view), &event, &mut under_way, now);
        }
        for charges in under_way.into_values() {
            self.recall_ended(&charges, 0);
        }
        Ok(())
    }

    fn recall_event(
        &self,
        (env, world, view): (&Env, &World, &ReadView),
        event: &RecordedEvent,
        under_way: &mut UnderWay,
        now: Timestamp,
    ) {
        let attempt = match &event.event {
            Event::AttemptStarted(body) => {
                let charges = charges_of((env, world, view), &event.stream, body);
                under_way.extend(charges.map(|charges| (body.attempt, charges)));
                return;
            }
            Event::AttemptSucceeded(body) => body.attempt,
            Event::AttemptRefused(body) => body.attempt,
            Event::AttemptDeferred(body) => body.attempt,
            Event::AttemptInDoubt(body) => body.attempt,
            _ => return,
        };
        let Some(charges) = under_way.remove(&attempt) else { return };
        self.recall_ended(&charges, now.millis_since(event.recorded_at).max(0));
        if let Event::AttemptDeferred(body) = &event.event {
            self.recall_wait(&charges, body, now);
        }
    }

    fn recall_wait(&self, charges: &[Charge], body: &AttemptDeferred, now: Timestamp) {
        let said_so = matches!(body.reason, DeferReason::RateLimited | DeferReason::NotProcessed);
        let wait = body.until.millis_since(now);
        if said_so && wait > 0 {
            self.hold(charges, wait);
        }
    }

    fn recall_ended(&self, charges: &[Charge], ago_ms: i64) {
        let now = self.ticks();
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        for charge in charges {
            let free_at = now + window_ms(charge) - ago_ms;
            if free_at > now {
                all.buckets.entry(charge.key.clone()).or_default().recall(charge, free_at);
            }
        }
    }
}

/// What a recorded try counts in; none where it did not leave, or its connection is gone.
fn charges_of(
    (env, world, view): (&Env, &World, &ReadView),
    stream: &StreamId,
    started: &AttemptStarted,
) -> Option<Vec<Charge>> {
    let bound = started.integration.as_ref().filter(|_| started.mode == Mode::Live)?;
    let integration = world.integrations.get(&bound.id)?;
    let operation = env.adapters.operation(&started.operation)?;
    let with = operation.limits_by_target().then(|| {
        let payload = view.payload(stream, started.with).ok()?;
        serde_json::from_slice(payload.as_bytes()).ok()
    });
    Some(env.charges(operation, integration, with.flatten().as_ref()))
}

/// Log time never goes back, so halving finds it.
fn first_of_interest(view: &ReadView, env: &Env, now: Timestamp) -> Result<Position, Error> {
    let operations = env.adapters.manifests().values().flat_map(|m| m.operations().values());
    let limits = operations.flat_map(|operation| operation.limits());
    let longest = limits.map(|limit| i64::try_from(limit.window().as_millis()).unwrap_or(0)).max();
    let since = now.plus_millis(-longest.unwrap_or(0).max(PERIOD_MS_MIN));
    let head = view.head().size;
    let (mut low, mut high) = (head.saturating_sub(EVENTS_MAX) + 1, head + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if view.event(Position::new(middle))?.recorded_at < since {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(Position::new(low))
}
