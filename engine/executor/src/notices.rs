//! Telling people outside of the inbox: by the channels that the operator has configured, in fixed
//! words, beside the loop. And the alarms about how fast somebody approves.
//!
//! ```text
//! log ─watch→ who hears of it ─pending→ one message per person, channel and interval
//!     → NoticeQueued (durable) → the transport of the mode → NoticeSent | NoticeFailed
//! ```
//!
//! Invariants:
//!
//! * A notice is no way around the gate. Its operation must have the effect `send`, its destination
//!   and form stand in `placet.toml`, and the engine puts in its own words and nothing else
//!   (`words`): counts, the project's name, the one configured link. What waits is named only where
//!   the policy in force says `notify: { payload: allow }`, cleaned, and never a thing that looks like
//!   a secret.
//! * It decides nothing: the link is the operator's page, with no id, token or query in it.
//! * No byte before `NoticeQueued` is on disk. A try is repeated only where it is proven that nothing
//!   was sent, and never more than `notify.tries_max` times. What may have arrived is left alone, what
//!   a stop has cut short too: a doubled notice would be harmless, and a lost one is made good by the
//!   next reminder, but nobody should learn to expect doubles.
//! * A pause holds notices as it holds everything else; they wait, and are told together then.
//! * The loop is never waited for and never waits: this reads the log by position, like the outbox,
//!   and a channel that is dead costs its own task alone.
//! * A run in sandbox mode is told of through the sandbox: the event says *would have been sent*.
//!
//! After a stop it reads on from where the last notice says that nothing was left untold.

mod alarms;
mod pending;
mod send;
mod watch;
mod words;

use crate::engine::Engine;
use crate::env::Env;
use crate::handle::{Error, Handle};
use crate::input::Input;
use crate::inputs::Inputs;
use crate::perform::Transports;
use crate::world::World;
use pending::{Line, Pending};
use placet_log::{Append, Expected, NewEvent};
use placet_model::draft::Mode;
use placet_model::event::notice::{NoticeFailed, NoticeFailure};
use placet_model::manifest::Effect;
use placet_model::{Actor, Duration as Period, Event, RecordedEvent, StreamId, Timestamp};
use placet_projections::Views;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot, watch as head_watch};
use tokio::task::JoinSet;

/// Events that are looked at in one go.
const CHUNK: usize = 512;
/// Between two looks at a log that goes on growing: what comes at once is told at once.
const GATHER: Duration = Duration::from_millis(500);
/// Messages under way at once.
const SENDS_MAX: usize = 16;
/// Until something that holds a notice is looked at again.
const HELD: Duration = Duration::from_secs(15);

/// Messages under way are waited for this long when the engine stops.
const STOP: Duration = Duration::from_secs(2);

/// Tells people; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Keeper {
    stop: head_watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Keeper {
    /// Ends it, in order: nothing of it holds the log then.
    pub(crate) async fn stop(mut self) {
        let _running = self.stop.send_replace(true);
        let _ended = (&mut self.task).await;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the telling rests on. Holds no [`Handle`]: it keeps no engine alive.
#[derive(Debug, Clone)]
pub(crate) struct Herald {
    env: Arc<Env>,
    inputs: Inputs,
    world: Arc<RwLock<Arc<World>>>,
    transports: Transports,
    sends: Arc<Semaphore>,
}

/// What was left when the engine stopped.
#[derive(Debug)]
struct Left {
    pending: Pending,
    /// Messages that it was at.
    cut_short: Vec<Event>,
}

impl Engine {
    /// Tells people from now on, as the configuration says, and raises alarms.
    ///
    /// What comes from now on is told, however late its task gets to run.
    ///
    /// # Errors
    /// A channel that could never be used; what people were told cannot be read.
    pub fn tell_people(&mut self, transports: Transports) -> Result<(), Error> {
        let handle: &Handle = self.handle();
        let herald = Herald {
            env: Arc::clone(&handle.env),
            inputs: handle.inputs.clone(),
            world: Arc::clone(&handle.world),
            transports,
            sends: Arc::new(Semaphore::new(SENDS_MAX)),
        };
        herald.check()?;
        let left = herald.left_over()?;
        let (stop, stopped) = head_watch::channel(false);
        let task = tokio::spawn(herald.run(left, stopped));
        self.keep_telling(Keeper { stop, task });
        Ok(())
    }
}

impl Herald {
    /// Every channel has an operation that sends, and its message fits it.
    fn check(&self) -> Result<(), Error> {
        for (name, channel) in &self.env.config.channels {
            let refused = |detail: String| Error::Refused { code: "PL3061", detail };
            let operation = self.env.adapters.operation(&channel.operation).ok_or_else(|| {
                refused(format!("channel {name}: there is no operation {}", channel.operation))
            })?;
            if operation.effect() != Effect::Send {
                let (operation, effect) = (&channel.operation, operation.effect());
                let detail = format!(
                    "channel {name}: {operation} has the effect {effect}: a notice only sends"
                );
                return Err(refused(detail));
            }
            let with = words::filled(&channel.with, &words::sample(&self.env.config));
            if let Some(schema) = operation.input_schema() {
                schema.validate(&with).map_err(|violations| {
                    refused(format!("channel {name}: `with`: {violations}"))
                })?;
            }
        }
        Ok(())
    }

    async fn run(self, left: Left, mut stopped: head_watch::Receiver<bool>) {
        let (moved, mut head) = head_watch::channel(self.env.log.head());
        let _subscription = self.env.log.subscribe(move |head| {
            let _earlier = moved.send_replace(head);
        });
        let Left { mut pending, cut_short } = left;
        if !cut_short.is_empty()
            && let Err(error) = self.append(cut_short).await
        {
            tracing::error!(%error, "messages that were cut short cannot be given up: nobody is told anything");
            return;
        }
        let (mut busy, mut sends) = (BTreeSet::new(), JoinSet::new());
        loop {
            if let Err(error) = self.look(&mut pending).await {
                if matches!(error, Error::Stopping) {
                    return;
                }
                tracing::error!(%error, "people are not told");
            }
            self.tell_due(&mut pending, &mut busy, &mut sends).await;
            let wait = self.wait(&pending, &busy);
            let has_read_all = pending.read_up_to >= *head.borrow();
            tokio::select! {
                biased;
                _ = stopped.changed() => break,
                ended = sends.join_next(), if !sends.is_empty() => {
                    if let Some(Ok(line)) = ended {
                        busy.remove(&line);
                    }
                }
                () = std::future::ready(()), if !has_read_all => {}
                changed = head.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    tokio::time::sleep(GATHER).await;
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
        let all = async { while sends.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP, all).await.is_err() {
            sends.shutdown().await;
        }
    }

    /// What was left when the engine stopped: notices that were cut short are given up, and what was
    /// not told yet is read again. Where nobody was told anything yet, what is open counts as new.
    fn left_over(&self) -> Result<Left, Error> {
        let mut cut_short = vec![];
        let view = self.env.view()?;
        let views = Views::new(&view)?;
        let after = views.tell_after()?;
        let mut pending = Pending::new(after.unwrap_or_else(|| view.head().position()));
        for (name, channel) in &self.env.config.channels {
            for to in &channel.to {
                for mode in Mode::ALL {
                    let Some(told) = views.told(to, name, *mode)? else { continue };
                    let line = Line::new(to, name, *mode);
                    pending.was_told(line, told.up_to, told.queued_at);
                    if let Some((notice, tries)) = told.under_way {
                        cut_short.push(Event::from(NoticeFailed {
                            notice,
                            to: to.clone(),
                            channel: name.clone(),
                            try_number: tries + 1,
                            failure: NoticeFailure::Interrupted,
                            cause: "the engine stopped".to_owned(),
                            retry_at: None,
                        }));
                    }
                }
            }
        }
        if after.is_none() {
            self.watch_open(&views, &mut pending)?;
        }
        Ok(Left { pending, cut_short })
    }

    /// Reads what has come, and raises the alarms that follow from it.
    async fn look(&self, pending: &mut Pending) -> Result<(), Error> {
        let alarms = {
            let view = self.env.view()?;
            let views = Views::new(&view)?;
            let mut voters = BTreeSet::new();
            for event in view.events(pending.read_up_to.next()).take(CHUNK) {
                let event = event?;
                self.watch(&views, &event, pending)?;
                voters.extend(alarms::voter(&event));
                pending.read_up_to = event.position;
            }
            let (config, now) = (&self.env.config.alarms, self.env.now());
            let mut raised = vec![];
            for who in &voters {
                raised.extend(alarms::of(&views, who, config, now)?);
            }
            raised
        };
        if !alarms.is_empty() {
            self.append(alarms.into_iter().map(Event::from).collect()).await?;
        }
        Ok(())
    }

    /// Begins a message on every line that has something to tell and is not at it already.
    async fn tell_due(
        &self,
        pending: &mut Pending,
        busy: &mut BTreeSet<Line>,
        sends: &mut JoinSet<Line>,
    ) {
        for line in pending.due(self.env.now(), self.interval_ms()) {
            if busy.contains(&line) {
                continue;
            }
            match self.begin(&line, pending).await {
                Ok(Some(sending)) => {
                    busy.insert(line.clone());
                    let this = self.clone();
                    sends.spawn(async move {
                        this.send(sending).await;
                        line
                    });
                }
                Ok(None) => {}
                Err(Error::Stopping) => return,
                Err(error) => {
                    tracing::error!(%error, to = %line.to, channel = line.channel, "a notice is not begun");
                    pending.put_off(&line, self.later(HELD));
                }
            }
        }
    }

    fn interval_ms(&self) -> i64 {
        self.env.config.notify.interval.map_or(0, Period::approximate_millis)
    }

    fn later(&self, by: Duration) -> Timestamp {
        self.env.now().plus_millis(i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
    }

    /// How long nothing is due.
    fn wait(&self, pending: &Pending, busy: &BTreeSet<Line>) -> Duration {
        let next = pending.next_due(self.interval_ms(), busy);
        let millis = next.map_or(3_600_000, |at| at.millis_since(self.env.now()).max(10));
        Duration::from_millis(u64::try_from(millis).unwrap_or(10).min(3_600_000))
    }

    fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Records something beside the loop; answered after the commit.
    async fn append(&self, events: Vec<Event>) -> Result<Vec<RecordedEvent>, Error> {
        let now = self.env.now();
        let events = events.into_iter();
        let events =
            events.map(|event| NewEvent::new(self.env.mint.event(now), Actor::Engine, event));
        let append = Append::new(StreamId::Notices, Expected::Any, events.collect());
        let (reply, answer) = oneshot::channel();
        let inputs = self.inputs.clone();
        // an engine that only reads has no loop, and appends nothing
        inputs.send(Input::Wake).map_err(|_ended| Error::Stopping)?;
        self.env.log.append_with(now, append, move |result| {
            let _the_loop_has_ended = inputs.send(Input::Appended { result, reply });
        });
        answer.await.map_err(|_ended| Error::Stopping)?
    }
}
