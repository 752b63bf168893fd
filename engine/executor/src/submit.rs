//! From a turn to the log: the thread that worked a turn through hands its facts over at once, and
//! the commit itself begins the calls. The loop hears of all three, in whatever order.

use crate::engine::Pace;
use crate::env::Env;
use crate::input::{Committed, Input, ReplyTo};
use crate::inputs::Inputs;
use crate::perform::Caller;
use crate::turn::{CallPlan, Fact, Turned};
use crate::values::Content;
use crate::world::World;
use placet_core::effect::{Effect, react};
use placet_log::{Append, AppendResult, Expected, NewEvent, SUBJECTS_MAX};
use placet_model::{
    AttemptId, Digest, EventId, RecordedEvent, Revision, RunId, StreamId, Timestamp,
};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::ThreadId;

/// What it takes to append what a turn has recorded.
#[derive(Debug, Clone)]
pub(crate) struct Submitter {
    pub(crate) env: Arc<Env>,
    pub(crate) inputs: Inputs,
    pub(crate) caller: Arc<Caller>,
    pub(crate) world: Arc<RwLock<Arc<World>>>,
    pub(crate) pace: Pace,
}

/// Facts and calls of a turn, on their way to the log.
#[derive(Debug)]
pub(crate) struct Submission {
    group: Vec<Append>,
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
        let group = std::iter::once(append).chain(turned.beside.take()).collect();
        Some(Submission { group, at, calls, more, reply: reply.take() })
    }

    /// Whom the facts are about, as the index knows them.
    fn pseudonyms(&self, subjects: &BTreeSet<String>) -> Vec<Digest> {
        subjects.iter().take(SUBJECTS_MAX).map(|who| self.env.log.pseudonym(who)).collect()
    }

    /// Runs `hand_over` while the project is as it was at `version`, so that no change of it comes
    /// in between; gives it back unused otherwise.
    pub(crate) fn while_at<T, R>(
        &self,
        version: u64,
        given: T,
        hand_over: impl FnOnce(T) -> R,
    ) -> Result<R, T> {
        let world = self.world.read().unwrap_or_else(PoisonError::into_inner);
        if world.version != version {
            return Err(given);
        }
        Ok(hand_over(given))
    }

    /// Hands it to the log. Once it is on disk its calls begin, and the loop hears of it.
    pub(crate) fn send(&self, run: RunId, submission: Submission) {
        let (at, facts, done) = self.completion(run, submission, &Arc::default());
        self.append(at, facts, done);
    }

    /// As [`Submitter::send`], from a thread of the pool, which may wait: the commit is made on it
    /// when the log has nothing else to do. The call that begins with it is left to the caller then.
    #[must_use]
    pub(crate) fn send_here(&self, run: RunId, submission: Submission) -> Begun {
        let mine = Arc::new(Mine::of_this_thread());
        let (at, facts, done) = self.completion(run, submission, &mine);
        match self.pace {
            Pace::AtOnce => self.env.log.append_group_here(at, facts, done),
            Pace::Stepwise => self.append(at, facts, done),
        }
        let call = mine.call.lock().unwrap_or_else(PoisonError::into_inner).take();
        Begun(call.map(|(caller, call)| (caller, Box::new(call))))
    }

    /// What is appended, and what is done when it is on disk.
    fn completion(
        &self,
        run: RunId,
        submission: Submission,
        mine: &Arc<Mine>,
    ) -> (Timestamp, Vec<Append>, impl FnOnce(AppendResult) + Send + use<>) {
        let Submission { group, at, calls, more, reply } = submission;
        // an append that waits in the log must not keep the log open
        let (inputs, caller) = (self.inputs.clone(), Arc::downgrade(&self.caller));
        #[cfg(placet_mutants)]
        let (calls, early) = self.call_early(run, calls);
        #[cfg(not(placet_mutants))]
        let early = 0;
        let mine = Arc::clone(mine);
        let done = move |result: AppendResult| {
            let mut begun = early;
            if let (Ok(done), Some(caller)) = (&result, caller.upgrade()) {
                let mut due = due_calls(&done.events, calls);
                begun += i64::try_from(due.len()).unwrap_or(i64::MAX);
                if due.len() == 1 && mine.is_here() {
                    let mut place = mine.call.lock().unwrap_or_else(PoisonError::into_inner);
                    *place = due.pop().map(|call| (caller, call));
                } else {
                    for call in due {
                        caller.call(run, call);
                    }
                }
            }
            let committed = Committed { run, calls: begun, more, reply, result };
            let _the_loop_has_ended = inputs.send(Input::Committed(Box::new(committed)));
        };
        (at, group, done)
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
            self.caller.call(run, call);
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

/// Where the only call of a commit is put, if that is made on the thread that handed it in.
#[derive(Debug, Default)]
struct Mine {
    thread: Option<ThreadId>,
    call: Mutex<Option<(Arc<Caller>, CallPlan)>>,
}

impl Mine {
    fn of_this_thread() -> Self {
        Self { thread: Some(std::thread::current().id()), call: Mutex::default() }
    }

    fn is_here(&self) -> bool {
        self.thread == Some(std::thread::current().id())
    }
}

/// What has begun with a commit that was made on this thread.
#[derive(Debug)]
pub(crate) struct Begun(Option<(Arc<Caller>, Box<CallPlan>)>);

impl Begun {
    /// Makes the call as far as it goes without waiting; the runtime does the rest.
    pub(crate) fn go_on(self, run: RunId) {
        if let Some((caller, call)) = self.0 {
            caller.call_here(run, *call);
        }
    }
}

/// The calls whose attempts are on disk now.
fn due_calls(events: &[RecordedEvent], mut calls: Vec<CallPlan>) -> Vec<CallPlan> {
    let effects = events.iter().flat_map(|event| {
        react(&event.event).into_iter().map(|effect| (event.recorded_at, effect))
    });
    let due = effects.filter_map(|(begun_at, effect)| {
        let wanted = wanted(&effect)?;
        let wanted =
            |plan: &CallPlan| (plan.attempt, plan.try_number, plan.sought.is_some()) == wanted;
        let place = calls.iter().position(wanted)?;
        Some(CallPlan { begun_at, ..calls.swap_remove(place) })
    });
    due.collect()
}

/// Which attempt or read, which try or look-up of it, and which of the two.
#[expect(clippy::wildcard_enum_match_arm, reason = "three effects are calls")]
fn wanted(effect: &Effect) -> Option<(AttemptId, u32, bool)> {
    match effect {
        Effect::Call { attempt, try_number } => Some((*attempt, *try_number, false)),
        Effect::Preview { read } => Some((*read, 1, false)),
        Effect::LookUp { attempt, number } => Some((*attempt, *number, true)),
        _ => None,
    }
}
