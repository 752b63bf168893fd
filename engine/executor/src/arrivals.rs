//! What providers post to us, from a proven sender to the log.
//!
//! Whoever takes the request (the server, or a simulation that stands in for a provider) has looked
//! at it before: here it is an event that is believed. It is recorded beside the loop, many at once:
//! the id of its event follows from the provider's own id, so that the append itself says whether it
//! was there before, and the answer waits for nothing but the commit. Runs are told afterwards.
//!
//! What is not taken is counted in memory and recorded as a sum, seldom: anybody can post, and a
//! row for each request would let anybody fill the disk.

use crate::env::Env;
use crate::events::{self, Defaults, Envelope};
use crate::handle::{Error, Handle};
use crate::input::{Change, Input};
use crate::inputs::Inputs;
use placet_adapters::inbound;
use placet_log::{Append, AppendResult, Expected, NewEvent, Novelty, SUBJECTS_MAX};
use placet_model::event::inbound::{InboundReceived, InboundRejected, Refusals, Refused};
use placet_model::{Actor, Digest, EventId, IntegrationId, Position, StreamId, Timestamp, subject};
use serde_json::{Map, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Which payload of an [`InboundReceived`] holds what it tells of one of our sends, where it does.
pub(crate) const TOLD: u16 = 1;

/// What the sources of such events begin with; nobody else sends events under it.
pub const SOURCE: &str = "placet:integration:";

/// How long the first refusal waits for others before they are recorded.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// Between one sum of refusals and the next; doubled while they go on coming.
const PAUSE: Duration = Duration::from_mins(1);
const PAUSE_MAX: Duration = Duration::from_hours(1);

/// Something that a provider has told us, as proven.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Whose webhook it came to.
    pub integration: IntegrationId,
    /// Version of the credential that has proven the sender; 0 where it needs no proof (a
    /// simulation).
    pub credential_version: u32,
    /// What it says.
    pub event: inbound::Event,
}

/// What became of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landed {
    /// It is in the log now, at this place.
    Stored(Position),
    /// It was in the log before, at this place.
    Duplicate(Position),
}

impl Handle {
    /// Records something that came from a provider; answers when it is on disk. The same event of the
    /// same integration again is a duplicate, also while the first is still on its way. It wakes runs
    /// and schedules like any event: a simulation that plays a provider calls this in its place.
    ///
    /// # Errors
    /// When the engine is stopping, or the event could not be recorded: the provider shall come again.
    pub async fn arrival(&self, arrival: Arrival) -> Result<Landed, Error> {
        if self.world().stopping {
            return Err(Error::Stopping);
        }
        if let Some(claim) = &arrival.event.claim
            && let Some(landed) = self.claim(&arrival, claim).await?
        {
            return Ok(landed);
        }
        if arrival.event.refetch.is_none() || !self.connections.reads_objects() {
            return land(&self.env, &self.inputs, arrival).await;
        }
        // the provider hears that it has arrived; what it is about is read then
        let landed = land_as(&self.env, &self.inputs, (arrival, Told::Heard)).await;
        self.connections.has_heard();
        landed
    }

    /// Counts an arrival that was not taken; the sum is recorded later.
    pub fn arrival_refused(
        &self,
        integration: IntegrationId,
        credential_version: u32,
        reason: Refused,
    ) {
        let Some(wait) = self.refusing.count(integration, credential_version, (reason, self.now()))
        else {
            return;
        };
        let this = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            this.record_refused(integration).await;
        });
    }

    /// Records what was counted and not recorded yet: the engine ends in order.
    pub(crate) async fn tell_refused(&self) {
        for integration in self.refusing.counted() {
            self.record_refused(integration).await;
        }
    }

    async fn record_refused(&self, integration: IntegrationId) {
        let Some(rejected) = self.refusing.take(integration) else { return };
        let id = self.env.mint.event(self.now());
        let new = NewEvent::new(id, Actor::Engine, rejected);
        let append = Append::new(StreamId::Integration(integration), Expected::Any, vec![new]);
        let (reply, answer) = oneshot::channel();
        let change = Change { group: vec![append], policy: None, reply, turn: None };
        if self.inputs.send(Input::Govern(Box::new(change))).is_ok() {
            let _the_loop_has_ended = answer.await;
        }
    }
}

/// How an arrival is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// As the provider has posted it.
    Whole,
    /// It only names an object, which is read next: nobody is told before.
    Heard,
    /// The object of a notice was read.
    Read { notice: EventId },
}

/// Records an arrival; the same one again is a duplicate.
pub(crate) async fn land(
    env: &Arc<Env>,
    inputs: &Inputs,
    arrival: Arrival,
) -> Result<Landed, Error> {
    land_as(env, inputs, (arrival, Told::Whole)).await
}

/// As [`land`], told in this way.
pub(crate) async fn land_as(
    env: &Arc<Env>,
    inputs: &Inputs,
    (mut arrival, told): (Arrival, Told),
) -> Result<Landed, Error> {
    if told == Told::Heard {
        arrival.event.key.push_str(inbound::NOTICE);
    }
    let (reply, answer) = oneshot::channel();
    let (env, inputs) = (Arc::clone(env), inputs.clone());
    // keys and seals are made away from the runtime's own threads
    let handed =
        tokio::task::spawn_blocking(move || hand_over((&env, &inputs), (&arrival, told), reply));
    handed.await.map_err(|_panicked| Error::Stopping)??;
    answer.await.map_err(|_ended| Error::Stopping)?
}

fn hand_over(
    (env, inputs): (&Env, &Inputs),
    arrival: (&Arrival, Told),
    reply: oneshot::Sender<Result<Landed, Error>>,
) -> Result<(), Error> {
    let append = append_of(env, arrival)?;
    let inputs = inputs.clone();
    env.log.append_group_with(env.now(), vec![append], move |result| {
        // the provider hears of it before anybody is woken
        let _gone = reply.send(landed(&result));
        let _found_at_the_next_start = inputs.send(Input::Arrived(result));
    });
    Ok(())
}

fn append_of(env: &Env, (arrival, how): (&Arrival, Told)) -> Result<Append, Error> {
    let Arrival { integration, credential_version, event } = arrival;
    let identity = env.log.pseudonym(&format!("inbound {integration} {}", event.dedupe));
    let envelope = envelope(*integration, event, env.now())?;
    let correlate = event.match_on.iter().filter_map(|name| {
        let value = event.correlate.get(name)?;
        Some(sent_key(&env.log, *integration, (name, value)))
    });
    let mut correlate: Vec<Digest> = correlate.collect();
    if let Some(told) = &event.told {
        let mark = mark(&env.log, *integration, &told.send_id);
        correlate.extend((!correlate.contains(&mark)).then_some(mark));
    }
    let received = InboundReceived {
        integration: *integration,
        credential_version: *credential_version,
        kind: envelope.kind,
        event_key: event.event_key.clone(),
        identity,
        correlate,
    };
    let content = envelope.value.to_string().into_bytes();
    let mut subjects = BTreeSet::new();
    subject::find(&content, &mut subjects);
    let about = subjects.iter().take(SUBJECTS_MAX).map(|who| env.log.pseudonym(who)).collect();
    let mut new = NewEvent::new(event_id(&identity), Actor::Engine, received).with_payload(content);
    if let Told::Read { notice } = how {
        new.causation = Some(notice);
    }
    if let Some(told) = &event.told {
        let told = json!({ "final": told.is_final, "result": told.result });
        new = new.with_payload(told.to_string().into_bytes());
    }
    let append = Append::new(StreamId::Events, Expected::Any, vec![new]);
    Ok(append.about(about).with_key(env.log.new_data_key()?))
}

/// The pseudonym of the mark that something sent through an integration bears.
pub(crate) fn mark(log: &placet_log::Log, integration: IntegrationId, send_id: &str) -> Digest {
    sent_key(log, integration, (inbound::MARK, send_id))
}

/// A pseudonym of one named value of what was sent through an integration, or of what answers it.
pub(crate) fn sent_key(
    log: &placet_log::Log,
    integration: IntegrationId,
    (name, value): (&str, &str),
) -> Digest {
    log.pseudonym(&format!("sent {integration} {name}={value}"))
}

fn landed(result: &AppendResult) -> Result<Landed, Error> {
    match result {
        Ok(appended) => {
            let place = appended.first_position();
            Ok(match appended.novelty {
                Novelty::Written => Landed::Stored(place),
                Novelty::Repeated => Landed::Duplicate(place),
            })
        }
        Err(error) => Err(Error::CommitFailed { reason: error.to_string() }),
    }
}

/// The same for every repetition, so that the append of a second one is a repetition too.
fn event_id(identity: &Digest) -> EventId {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&identity.as_bytes()[..16]);
    EventId::from_bytes(bytes)
}

/// What the provider said as an event (language, section 10).
fn envelope(
    integration: IntegrationId,
    event: &inbound::Event,
    now: Timestamp,
) -> Result<Envelope, Error> {
    let source = format!("{SOURCE}{integration}");
    let id = if events::is_text(&event.dedupe) {
        event.dedupe.clone()
    } else {
        Digest::of(event.dedupe.as_bytes()).to_string()
    };
    let mut given = Map::new();
    given.insert("type".to_owned(), json!(event.key));
    given.insert("eventKey".to_owned(), json!(event.event_key));
    given.insert("data".to_owned(), event.data.clone());
    let defaults = Defaults { id, source, time: now };
    events::envelope(given, defaults).map_err(|problem| {
        let detail = format!("what came for {integration} is no event: {problem}");
        Error::Refused { code: "PL9001", detail }
    })
}

/// Arrivals that were not taken. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusing(Arc<Mutex<BTreeMap<IntegrationId, Counted>>>);

/// What was counted for an integration.
#[derive(Debug)]
struct Counted {
    counts: BTreeMap<Refused, u64>,
    since: Timestamp,
    version: u32,
    /// Whether somebody will record it.
    awaited: bool,
    pause: Duration,
    recorded: Option<Instant>,
}

impl Refusing {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<IntegrationId, Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one; how long to wait before recording, where nobody waits yet.
    fn count(
        &self,
        integration: IntegrationId,
        version: u32,
        (reason, at): (Refused, Timestamp),
    ) -> Option<Duration> {
        let mut all = self.lock();
        let counted = all.entry(integration).or_insert_with(|| Counted {
            counts: BTreeMap::new(),
            since: at,
            version,
            awaited: false,
            pause: PAUSE,
            recorded: None,
        });
        if counted.counts.is_empty() {
            counted.since = at;
        }
        counted.version = version;
        *counted.counts.entry(reason).or_insert(0) += 1;
        if std::mem::replace(&mut counted.awaited, true) {
            return None;
        }
        let calm = |since: Instant| since.elapsed() > counted.pause * 2;
        if counted.recorded.is_none_or(calm) {
            counted.pause = PAUSE;
            return Some(FIRST_PAUSE);
        }
        let wait = counted.pause;
        counted.pause = (wait * 2).min(PAUSE_MAX);
        Some(wait)
    }

    fn take(&self, integration: IntegrationId) -> Option<InboundRejected> {
        let mut all = self.lock();
        let counted = all.get_mut(&integration)?;
        counted.awaited = false;
        let counts = std::mem::take(&mut counted.counts);
        if counts.is_empty() {
            return None;
        }
        counted.recorded = Some(Instant::now());
        let refused = counts.into_iter().map(|(reason, count)| Refusals { reason, count });
        Some(InboundRejected {
            integration,
            credential_version: counted.version,
            since: counted.since,
            refused: refused.collect(),
        })
    }

    fn counted(&self) -> Vec<IntegrationId> {
        self.lock().keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTEGRATION: IntegrationId = IntegrationId::from_bytes([7; 16]);

    #[test]
    fn a_flood_of_refusals_is_one_sum_and_the_next_one_waits_longer() {
        let refusing = Refusing::default();
        let one =
            |at| refusing.count(INTEGRATION, 3, (Refused::Mismatch, Timestamp::from_millis(at)));
        let waits: Vec<_> = (5..1005).map(one).collect();
        assert_eq!(waits[0], Some(FIRST_PAUSE));
        assert!(waits[1..].iter().all(Option::is_none), "one waits for all of them");
        refusing.count(INTEGRATION, 3, (Refused::Stale, Timestamp::from_millis(2000)));
        let expected = InboundRejected {
            integration: INTEGRATION,
            credential_version: 3,
            since: Timestamp::from_millis(5),
            refused: vec![
                Refusals { reason: Refused::Mismatch, count: 1000 },
                Refusals { reason: Refused::Stale, count: 1 },
            ],
        };
        assert_eq!(refusing.take(INTEGRATION), Some(expected));
        assert_eq!(refusing.take(INTEGRATION), None, "nothing is told twice");
        let mut pauses = vec![];
        for _ in 0..8 {
            pauses.extend(one(3000));
            refusing.take(INTEGRATION).expect("it was counted");
        }
        let minutes: Vec<u64> = pauses.iter().map(|pause| pause.as_secs() / 60).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
