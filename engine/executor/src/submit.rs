//! From a turn to the log: the thread that worked a turn through hands its facts over at once, and
//! the commit itself begins the calls. The loop hears of all three, in whatever order.

use crate::engine::Pace;
use crate::env::Env;
use crate::input::{Committed, Input, ReplyTo};
use crate::perform::Caller;
use crate::turn::{CallPlan, Fact, Turned};
use crate::values::Content;
use crate::world::World;
use placet_core::effect::{Effect, react};
use placet_log::{Append, AppendResult, Expected, NewEvent, SUBJECTS_MAX};
use placet_model::{Digest, EventId, RecordedEvent, Revision, RunId, StreamId, Timestamp};
use std::collections::BTreeSet;
use std::sync::mpsc::Sender;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

/// What it takes to append what a turn has recorded.
#[derive(Debug, Clone)]
pub(crate) struct Submitter {
    pub(crate) env: Arc<Env>,
    pub(crate) inputs: Sender<Input>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) world: Arc<RwLock<Arc<World>>>,
    pub(crate) pace: Pace,
}

/// Facts and calls of a turn, on their way to the log.
#[derive(Debug)]
pub(crate) struct Submission {
    append: Append,
    at: Timestamp,
    calls: Vec<CallPlan>,
    more: bool,
    reply: Option<ReplyTo>,
}

impl Submission {
    /// Whoever waits for it.
    pub(crate) fn into_reply(self) -> Option<ReplyTo> {
        self.reply
    }
}

impl Submitter {
    /// Takes facts and calls out of a turn; none when it has recorded nothing. The reply goes with
    /// them: it is answered after the commit.
    pub(crate) fn take(
        &self,
        turned: &mut Turned,
        reply: &mut Option<ReplyTo>,
    ) -> Option<Submission> {
        let facts = std::mem::take(&mut turned.facts);
        if facts.is_empty() {
            return None;
        }
        let (run, calls) = (&turned.run, std::mem::take(&mut turned.calls));
        let before = Revision::new(run.revision.get() - facts.len() as u64);
        let expected = match before {
            Revision::START => Expected::NoStream,
            before => Expected::Exact(before),
        };
        let append = Append {
            stream: StreamId::Run(run.id),
            expected,
            events: self.new_events(run.id, before, facts),
            key: run.facts().map(|facts| facts.started.key),
            subjects: self.pseudonyms(&turned.subjects),
            erases: vec![],
        };
        let (at, more) = (turned.at, turned.more);
        Some(Submission { append, at, calls, more, reply: reply.take() })
    }

    /// Whom the facts are about, as the index knows them.
    fn pseudonyms(&self, subjects: &BTreeSet<String>) -> Vec<Digest> {
        subjects.iter().take(SUBJECTS_MAX).map(|who| self.env.log.pseudonym(who)).collect()
    }

    /// Runs `hand_over` while the project is as it was at `version`, so that no change of it comes
    /// in between; gives it back unused otherwise.
    pub(crate) fn while_at<T>(
        &self,
        version: u64,
        given: T,
        hand_over: impl FnOnce(T),
    ) -> Result<(), T> {
        let world = self.world.read().unwrap_or_else(PoisonError::into_inner);
        if world.version != version {
            return Err(given);
        }
        hand_over(given);
        Ok(())
    }

    /// Hands it to the log. Once it is on disk its calls begin, and the loop hears of it.
    pub(crate) fn send(&self, run: RunId, submission: Submission) {
        let Submission { append, at, calls, more, reply } = submission;
        // an append that waits in the log must not keep the log open
        let (inputs, caller) = (self.inputs.clone(), Arc::downgrade(&self.caller));
        let submitted = Instant::now();
        #[cfg(placet_mutants)]
        let (calls, early) = self.call_early(run, calls);
        #[cfg(not(placet_mutants))]
        let early = 0;
        self.append(at, vec![append], move |result| {
            let mut begun = early;
            if let (Ok(done), Some(caller)) = (&result, caller.upgrade()) {
                for call in due_calls(&done.events, calls) {
                    caller.call(run, call, submitted);
                    begun += 1;
                }
            }
            let committed = Committed { run, calls: begun, more, reply, result };
            let _the_loop_has_ended = inputs.send(Input::Committed(Box::new(committed)));
        });
    }

    /// Hands an append to the log; `done` gets what comes of it.
    pub(crate) fn append(
        &self,
        at: Timestamp,
        group: Vec<Append>,
        done: impl FnOnce(AppendResult) + Send + 'static,
    ) {
        match self.pace {
            Pace::AtOnce => self.env.log.append_group_with(at, group, done),
            Pace::Stepwise => done(self.env.log.append_group(at, group).wait()),
        }
    }

    #[cfg(placet_mutants)]
    fn call_early(&self, run: RunId, calls: Vec<CallPlan>) -> (Vec<CallPlan>, i64) {
        if !placet_mutants::is_planted(placet_mutants::Mutant::CallBeforeRecord) {
            return (calls, 0);
        }
        let count = i64::try_from(calls.len()).unwrap_or(i64::MAX);
        for call in calls {
            self.caller.call(run, call, Instant::now());
        }
        (vec![], count)
    }

    /// The events of a run carry the run's id as correlation, and their predecessor in the same
    /// turn as causation. The first event's id *is* the run's, so a repeated start is idempotent.
    fn new_events(&self, run: RunId, before: Revision, facts: Vec<Fact>) -> Vec<NewEvent> {
        let story = EventId::from_bytes(run.to_bytes());
        let now = self.env.now();
        let mut cause = None;
        facts
            .into_iter()
            .enumerate()
            .map(|(place, fact)| {
                let first = before == Revision::START && place == 0;
                let event_id = if first { story } else { self.env.mint.event(now) };
                let causation = cause.replace(event_id);
                let payloads = fact.payloads.iter().map(Content::to_payload);
                NewEvent {
                    event_id,
                    actor: fact.actor,
                    causation,
                    correlation: Some(story),
                    event: fact.event,
                    payloads: payloads.collect(),
                }
            })
            .collect()
    }
}

/// The calls whose attempts are on disk now.
fn due_calls(events: &[RecordedEvent], mut calls: Vec<CallPlan>) -> Vec<CallPlan> {
    let effects = events.iter().flat_map(|event| react(&event.event));
    let due = effects.filter_map(|effect| {
        let Effect::Call { attempt, try_number } = effect else { return None };
        let wanted = |plan: &CallPlan| (plan.attempt, plan.try_number) == (attempt, try_number);
        calls.iter().position(wanted).map(|place| calls.swap_remove(place))
    });
    due.collect()
}
