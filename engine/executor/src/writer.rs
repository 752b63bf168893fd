//! The writer loop: the one place where a run's events are put in order.
//!
//! It decides nothing and waits for nothing: turns are worked through on the pool, appends are
//! made durable by the log's writer, calls are made on the runtime, and each comes back as an
//! [`Input`]. What the world sees (answers, calls, notices) happens after the commit only.

mod deliver;
mod due;
mod entry;
mod marks;
mod schedules;

use crate::engine::Pace;
use crate::env::Env;
use crate::handle::{Error, Load, Notice};
use crate::input::{Change, Committed, Input, ReplyTo};
use crate::inputs::Inputs;
use crate::pool::{Done, Outcome, Task, Turns};
use crate::seat;
use crate::submit::Submitter;
use crate::turn::{Job, Turned};
use crate::world::World;
use deliver::Deliveries;
use due::Dues;
use entry::Entry;
use marks::Marks;
use placet_core::effect::{Effect, react};
use placet_core::run::{Activity, Ask, Branch};
use placet_log::{Append, AppendError, AppendResult, Appended, Expected, NewEvent, Novelty};
use placet_model::attempt::RefuseReason;
use placet_model::decision::Settlement;
use placet_model::event::integration::HealthCheckFailed;
use placet_model::{
    Actor, AttemptId, DecisionId, Event, IntegrationId, RecordedEvent, RunId, StreamId, Timestamp,
};
use schedules::Schedules;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, oneshot};

/// Calls that are still under way when the engine stops are waited for this long.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// The loop and all that it owns.
pub(crate) struct Writer {
    pub(crate) env: Arc<Env>,
    pub(crate) inputs: Inputs,
    pub(crate) submitter: Submitter,
    pub(crate) turns: Turns,
    pub(crate) world: Arc<RwLock<Arc<World>>>,
    pub(crate) notices: broadcast::Sender<Notice>,
    pub(crate) state: State,
}

/// What the loop keeps in memory: nothing for runs that are parked.
#[derive(Debug, Default)]
pub(crate) struct State {
    active: BTreeMap<RunId, Entry>,
    /// Runs that have mail, in the order in which it came; a run may stand here more than once.
    mail: VecDeque<RunId>,
    dues: Dues,
    /// What waits for a person: open requests, unspent approvals, attempts in doubt. A virtual
    /// clock stands still for them.
    people: BTreeSet<Awaited>,
    /// Runs with an attempt in doubt that could not be sent again because of a hold.
    held_doubts: BTreeSet<RunId>,
    deliveries: Deliveries,
    /// What is in doubt, by the mark that it bears.
    marks: Marks,
    /// None while schedules start no runs.
    schedules: Option<Schedules>,
    stopping: Option<(oneshot::Sender<()>, Instant)>,
    /// Whether the project could not be read where the loop had to know what follows.
    unreadable: bool,
}

/// Something that waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Awaited {
    Decision(DecisionId),
    Doubt(AttemptId),
}

/// What came of a round of the loop.
#[derive(Debug)]
pub(crate) enum Round {
    /// Nothing is left to do until an input comes, or for this long.
    Idle(Option<Duration>),
    /// The loop is over.
    Ended(Ended),
}

/// Why the loop ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was asked to.
    Stopped,
    /// A commit failed: nothing may go on with this handle of the log.
    CommitFailed,
    /// The project could not be read: what follows from what is recorded is not known here.
    Unreadable,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Writer {
    /// Runs until it is stopped or a commit fails.
    pub(crate) fn run(mut self) -> Ended {
        let inputs = self.inputs.clone();
        if self.submitter.pace == Pace::AtOnce {
            self.recover();
            return seat::sit(self, &inputs);
        }
        inputs.wait(None);
        if let Some(start) = inputs.pop()
            && let Some(ended) = self.handle(start)
        {
            inputs.close();
            return ended;
        }
        self.recover();
        loop {
            match self.round(&inputs) {
                Round::Idle(wait) => inputs.wait(wait),
                Round::Ended(ended) => {
                    inputs.close();
                    return ended;
                }
            }
        }
    }

    /// Handles everything that has come and is due, and what follows from it.
    pub(crate) fn round(&mut self, inputs: &Inputs) -> Round {
        loop {
            self.fire_due();
            self.fire_schedules();
            if self.state.unreadable {
                return Round::Ended(Ended::Unreadable);
            }
            if self.is_done() {
                if let Some((done, _)) = self.state.stopping.take() {
                    let _nobody_waits = done.send(());
                }
                return Round::Ended(Ended::Stopped);
            }
            self.dispatch_all();
            self.settle_deliveries();
            match inputs.pop() {
                Some(input) => {
                    if let Some(ended) = self.handle(input) {
                        return Round::Ended(ended);
                    }
                }
                None if self.pass_time() => {}
                None => return Round::Idle(self.wait()),
            }
        }
    }

    /// Moves a virtual clock to what is due next, when everything else rests.
    fn pass_time(&self) -> bool {
        if !self.env.clock.is_virtual() {
            return false;
        }
        let due =
            if self.state.people.is_empty() { self.due() } else { self.state.dues.next_reminder() };
        let due = due.filter(|due| self.is_idle() && self.env.clock.may_jump_to(*due));
        if let Some(due) = due {
            self.env.clock.advance_to(due);
        }
        due.is_some()
    }

    fn due(&self) -> Option<Timestamp> {
        let scheduled = self.state.schedules.as_ref().and_then(Schedules::next);
        self.state.dues.next().into_iter().chain(scheduled).min()
    }

    /// How long to wait for the next input, when something is due at all.
    fn wait(&self) -> Option<Duration> {
        let now = self.env.now();
        let stop = self.state.stopping.as_ref();
        let stop = stop.map(|(_, until)| until.saturating_duration_since(Instant::now()));
        let due = self.due().filter(|_| !self.env.clock.is_virtual());
        let due = due.map(|due| u64::try_from(due.millis_since(now)).unwrap_or(0));
        due.map(Duration::from_millis).into_iter().chain(stop).min()
    }

    fn handle(&mut self, input: Input) -> Option<Ended> {
        match input {
            Input::Job { run, job, reply } => self.accept(run, job, reply),
            Input::Govern(change) => self.govern(*change),
            Input::Turned(done) => self.turned(*done),
            Input::Committed(committed) => return self.committed(*committed),
            Input::Governed { result, reply, turn, changed } => {
                let ended = self.governed(result, (reply, changed));
                drop(turn);
                return ended;
            }
            Input::Appended { result, reply } => return self.appended(result, reply),
            Input::Arrived(result) => return self.arrived(result),
            Input::Answered { run, plan, ending } => {
                self.entry(run).calls -= 1;
                let answered = crate::turn::Answered { plan: *plan, ending };
                self.accept(run, Job::Answered(Box::new(answered)), None);
            }
            Input::Wake => {}
            Input::RunSchedules => self.run_schedules(),
            Input::Count(reply) => {
                let _nobody_waits = reply.send(self.load());
            }
            Input::Stop(done) => {
                self.change_world(|world| World {
                    stopping: true,
                    version: world.version + 1,
                    ..world.clone()
                });
                self.state.stopping = Some((done, Instant::now() + STOP_GRACE));
            }
        }
        None
    }

    fn load(&self) -> Load {
        let (handed_out, reminders) = self.state.dues.load();
        let active = &self.state.active;
        let calls = active.values().map(|entry| usize::try_from(entry.calls).unwrap_or(0)).sum();
        let worked_on = active.values().filter(|entry| entry.is_worked_on()).count();
        let (runs, awaited) = (active.len(), self.state.people.len());
        Load { runs, worked_on, calls, reminders, handed_out, awaited }
    }

    fn is_idle(&self) -> bool {
        self.state.active.values().all(Entry::is_quiet)
    }

    fn is_done(&self) -> bool {
        let Some((_, until)) = &self.state.stopping else { return false };
        self.is_idle() || Instant::now() >= *until
    }

    fn entry(&mut self, run: RunId) -> &mut Entry {
        self.state.active.entry(run).or_default()
    }

    fn accept(&mut self, run: RunId, job: Job, reply: Option<ReplyTo>) {
        match reply {
            Some(reply) if self.state.stopping.is_some() => {
                let _nobody_waits = reply.send(Err(Error::Stopping));
            }
            reply => self.post(run, job, reply),
        }
    }

    /// Puts something into a run's mailbox.
    fn post(&mut self, run: RunId, job: Job, reply: Option<ReplyTo>) {
        self.entry(run).mailbox.push_back((job, reply));
        self.state.mail.push_back(run);
    }

    /// Hands the mail of every run that no turn has to the pool, one piece each.
    fn dispatch_all(&mut self) {
        if self.state.mail.is_empty() {
            return;
        }
        let world = self.world();
        while let Some(run) = self.state.mail.pop_front() {
            let Some(entry) = self.state.active.get_mut(&run).filter(|entry| !entry.busy) else {
                continue;
            };
            let Some((job, reply)) = entry.mailbox.pop_front() else { continue };
            entry.busy = true;
            let known = entry.state.take();
            self.turns.submit(Task { run, known, job, world: Arc::clone(&world), reply });
        }
    }

    // ---- turns and commits ----------------------------------------------------------------

    fn turned(&mut self, done: Done) {
        let Done { task, outcome } = done;
        let version = self.world().version;
        let entry = self.state.active.entry(task.run).or_default();
        entry.busy = false;
        if !entry.mailbox.is_empty() {
            self.state.mail.push_back(task.run);
        }
        match outcome {
            Outcome::HandedOver(turned) => {
                self.settle(task.run, *turned);
                self.entry(task.run).commits += 1;
                self.quiet(task.run);
            }
            Outcome::Worked(turned) if turned.used_world && task.world.version != version => {
                self.again(task);
            }
            Outcome::Worked(turned) => self.submit(task.run, *turned, task.reply),
            Outcome::Overtaken => self.again(task),
            Outcome::Refused(error) => {
                self.entry(task.run).state = task.known;
                match task.reply {
                    Some(reply) => {
                        self.must_restart(&error);
                        let _nobody_waits = reply.send(Err(Error::Turn(error)));
                    }
                    None => self.cannot_go_on(task.run, &error),
                }
                self.quiet(task.run);
            }
        }
    }

    /// The project has changed while it was worked out: from its beginning.
    fn again(&mut self, task: Task) {
        let entry = self.entry(task.run);
        entry.state = task.known;
        entry.mailbox.push_front((task.job, task.reply));
        self.state.mail.push_back(task.run);
    }

    fn cannot_go_on(&self, run: RunId, error: &crate::turn::Error) {
        self.must_restart(error);
        let words = crate::turn::describe(error);
        tracing::error!(%run, error = %words, "a run cannot go on");
    }

    fn must_restart(&self, error: &crate::turn::Error) {
        if matches!(error, crate::turn::Error::MustRestart) {
            tracing::error!("too many expressions did not end: the engine stops in order");
            let (done, _nobody_waits) = oneshot::channel();
            let _the_loop_is_here = self.inputs.send(Input::Stop(done));
        }
    }

    /// Hands a turn's facts to the log.
    fn submit(&mut self, id: RunId, mut turned: Turned, mut reply: Option<ReplyTo>) {
        let (failed, drifted) = (turned.failed.take(), turned.drifted.take());
        let submission = self.submitter.take(&mut turned, &mut reply);
        self.settle(id, turned);
        let Some(submission) = submission else {
            if let Some(reply) = reply {
                let _nobody_waits = reply.send(Ok(vec![]));
            }
            self.quiet(id);
            return;
        };
        self.entry(id).commits += 1;
        self.submitter.send(id, submission);
        if let Some((integration, code)) = failed {
            self.mark_failed(integration, code);
        }
        if let Some(drifted) = drifted {
            self.of_integration(drifted.integration, *drifted);
        }
    }

    /// Takes the run back from a turn, with what its end means for the loop.
    fn settle(&mut self, id: RunId, turned: Turned) {
        let Turned { run, values, held, wanted, room_at, broken, .. } = turned;
        if let Some(wanted) = wanted {
            self.submitter.caller.make_ready(id, wanted);
        }
        if let Some(at) = room_at {
            self.state.dues.room_at(at, id, self.env.now());
        }
        if let Some(error) = broken {
            self.cannot_go_on(id, &error);
        }
        let in_doubt = |branch: &Branch| matches!(branch.activity, Activity::InDoubt(..));
        if held.is_some() && run.branches().iter().any(in_doubt) {
            self.state.held_doubts.insert(id);
        }
        // who waits for room in a budget waits for time, and for nobody
        if held.is_some() && room_at.is_none() && self.env.clock.is_virtual() {
            // somebody has to lift the hold: a virtual clock does not run out on them
            let put_off = run.attempts().filter_map(|(_, attempt)| attempt.started.decision);
            self.state.people.extend(put_off.map(Awaited::Decision));
        }
        self.state.marks.note(&self.env.log, &run);
        self.entry(id).state = Some((run, values));
    }

    fn committed(&mut self, committed: Committed) -> Option<Ended> {
        let Committed { run, calls, more, reply, result } = committed;
        let events = match result {
            Ok(appended) => self.measured(appended),
            Err(error) => return Some(self.commit_failed(&error, reply)),
        };
        if let Some(last) = events.last() {
            self.env.not_before(last.recorded_at);
        }
        let entry = self.entry(run);
        entry.commits -= 1;
        entry.calls += calls;
        for event in &events {
            self.effects(run, event);
        }
        if more {
            self.post(run, Job::Advance, None);
        }
        if let Some(reply) = reply {
            let _nobody_waits = reply.send(Ok(events));
        }
        self.quiet(run);
        None
    }

    /// What was recorded, counted where it is new.
    fn measured(&self, appended: Appended) -> Vec<RecordedEvent> {
        if appended.novelty == Novelty::Written {
            self.env.measures.note(&self.env, &appended.events);
        }
        appended.events
    }

    fn effects(&mut self, run: RunId, event: &RecordedEvent) {
        self.watch(event);
        if let Event::LookupEnded(body) = &event.event
            && body.next_at.is_none()
            && let Some(decision) = self.decision_of(run, body.attempt)
        {
            // now it is a person who has to say
            self.tell(Notice::Inbox { run, decision });
        }
        for effect in react(&event.event) {
            match effect {
                Effect::Wake { at } => self.state.dues.note(at),
                Effect::LookAhead => self.state.dues.note(event.recorded_at),
                Effect::Notify { decision } => self.tell(Notice::Inbox { run, decision }),
                Effect::Reconcile { attempt } => {
                    self.tell(Notice::InDoubt { run, attempt });
                    if let Some(decision) = self.decision_of(run, attempt) {
                        self.tell(Notice::Inbox { run, decision });
                    }
                    let tries = match &event.event {
                        Event::AttemptInDoubt(body) => body.try_number,
                        _ => 1,
                    };
                    let pause = 1000_i64 << tries.min(6);
                    let at = self.env.now().plus_millis(pause);
                    self.state.dues.later(at, run, Job::Reconcile(attempt));
                }
                Effect::Finished => {
                    self.tell(Notice::Finished { run });
                    self.tell_orderer(run, event.recorded_at);
                }
                Effect::Hear => {
                    self.state.deliveries.note(event.position);
                    self.post(run, Job::Hear, None);
                }
                Effect::Arrived => self.deliver(event),
                Effect::StartChild { child } => {
                    self.state.deliveries.orders = true;
                    self.post(child, Job::StartOrdered, None);
                }
                Effect::CancelChild { child } => self.post(child, Job::Drop, None),
                // it began with the commit; the turn that settled it has claimed it, or found a hold
                Effect::Call { .. }
                | Effect::LookUp { .. }
                | Effect::Preview { .. }
                | Effect::Claim { .. } => {}
            }
        }
    }

    /// The decision that an attempt has consumed; the run is read back when a turn has it.
    fn decision_of(&self, run: RunId, attempt: AttemptId) -> Option<DecisionId> {
        let at_hand = self.state.active.get(&run).and_then(|entry| entry.state.as_ref());
        let known = at_hand.and_then(|(run, _)| run.attempt(attempt)?.started.decision);
        known.or_else(|| crate::turn::load(&self.env, run).ok()?.attempt(attempt)?.started.decision)
    }

    /// The decision that is unspent again because of this attempt, of a run in memory.
    fn unspent_by(&self, stream: &StreamId, attempt: AttemptId) -> Option<DecisionId> {
        let StreamId::Run(run) = stream else { return None };
        let (run, _) = self.state.active.get(run)?.state.as_ref()?;
        let mut asks = run.asks();
        let of_attempt = |ask: &&Ask| ask.prior.is_some_and(|(prior, _)| prior == attempt);
        asks.find(of_attempt).map(|ask| ask.decision)
    }

    /// Whether an attempt of a run in memory is in doubt.
    fn is_in_doubt(&self, stream: &StreamId, attempt: AttemptId) -> bool {
        let StreamId::Run(run) = stream else { return false };
        let known = self.state.active.get(run).and_then(|entry| entry.state.as_ref());
        known.is_some_and(|(run, _)| run.is_in_doubt(attempt))
    }

    /// Keeps count of what waits for people, for a virtual clock.
    fn watch(&mut self, event: &RecordedEvent) {
        if !self.env.clock.is_virtual() {
            return;
        }
        let unspent = match &event.event {
            Event::AttemptRefused(body) => self.unspent_by(&event.stream, body.attempt),
            _ => None,
        };
        let in_doubt = match &event.event {
            Event::LookupEnded(body) => self.is_in_doubt(&event.stream, body.attempt),
            _ => false,
        };
        let people = &mut self.state.people;
        match &event.event {
            Event::DecisionRequested(body) => {
                people.insert(Awaited::Decision(body.decision));
            }
            Event::RequirementRaised(body) => {
                people.insert(Awaited::Decision(body.decision));
            }
            Event::DecisionSettled(body) if body.settlement != Settlement::Approved => {
                people.remove(&Awaited::Decision(body.decision));
            }
            Event::DecisionVoided(body) => {
                people.remove(&Awaited::Decision(body.decision));
            }
            Event::AttemptStarted(body) => {
                people.remove(&Awaited::Doubt(body.attempt));
                if let Some(decision) = body.decision {
                    people.remove(&Awaited::Decision(decision));
                }
            }
            Event::AttemptRefused(body) if body.reason == RefuseReason::Reconnect => {
                people.extend(unspent.map(Awaited::Decision));
            }
            Event::AttemptInDoubt(body) => {
                people.insert(Awaited::Doubt(body.attempt));
            }
            Event::AttemptReconciled(body) => {
                people.remove(&Awaited::Doubt(body.attempt));
            }
            Event::LookupPlanned(body) => {
                people.remove(&Awaited::Doubt(body.attempt));
            }
            // found, it is settled in the same commit
            Event::LookupEnded(body) if body.next_at.is_none() => {
                people.extend(in_doubt.then_some(Awaited::Doubt(body.attempt)));
            }
            _ => {}
        }
    }

    /// Its sends hold from here on.
    fn mark_failed(&mut self, integration: IntegrationId, code: String) {
        self.of_integration(integration, HealthCheckFailed { integration, code });
    }

    /// What a turn has found out about an integration, beside its run.
    fn of_integration(&mut self, integration: IntegrationId, event: impl Into<Event>) {
        let id = self.env.mint.event(self.env.now());
        let new = NewEvent::new(id, Actor::Engine, event);
        let append = Append::new(StreamId::Integration(integration), Expected::Any, vec![new]);
        let (reply, _nobody_waits) = oneshot::channel();
        self.govern(Change { group: vec![append], policy: None, reply, turn: None });
    }

    fn commit_failed(&mut self, error: &AppendError, reply: Option<ReplyTo>) -> Ended {
        tracing::error!(%error, "an append failed; the engine stops, and reads back what was recorded when it starts");
        if let Some(reply) = reply {
            let failed = Error::CommitFailed { reason: error.to_string() };
            #[cfg(placet_mutants)]
            let failed = match placet_mutants::Mutant::CommitErrorMeansRefused {
                mutant if placet_mutants::is_planted(mutant) => {
                    Error::Refused { code: "PL1006", detail: failed.to_string() }
                }
                _ => failed,
            };
            let _nobody_waits = reply.send(Err(failed));
        }
        self.tell(Notice::Failed);
        Ended::CommitFailed
    }

    /// Somebody is to be told, or something is to go on, and what that is cannot be read. Going on
    /// without it would lose it: the loop ends, and the next start finds it in the log again.
    fn unreadable(&mut self, what: &str, error: &dyn std::error::Error) {
        let words = crate::turn::describe(error);
        tracing::error!(
            error = words,
            "{what} cannot be read: the engine stops, and goes on from the log when it starts"
        );
        self.state.unreadable = true;
        self.tell(Notice::Failed);
    }

    /// Forgets a run that is parked or over: it costs nothing until somebody asks for it.
    fn quiet(&mut self, run: RunId) {
        let Some(entry) = self.state.active.get(&run) else { return };
        if !entry.is_quiet() {
            return;
        }
        let over = entry.state.as_ref().is_some_and(|(run, _)| run.is_over());
        self.state.active.remove(&run);
        if !over {
            self.tell(Notice::Parked { run });
        }
    }

    fn tell(&self, notice: Notice) {
        let _nobody_listens = self.notices.send(notice);
    }

    // ---- the project ----------------------------------------------------------------------

    fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change_world(&self, change: impl FnOnce(&World) -> World) {
        let next = Arc::new(change(&self.world()));
        *self.world.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// A change of the project is in force from here on: every claim that is appended later was,
    /// or will be, worked out against it.
    fn govern(&mut self, change: Change) {
        let before = self.world();
        for event in change.events() {
            self.change_world(|world| world.after(event));
        }
        let changed = self.world().standing_otherwise(&before);
        if let Some(policy) = &change.policy {
            self.change_world(|world| world.with_policy(policy));
        }
        let inputs = self.inputs.clone();
        let Change { group, reply, turn, .. } = change;
        self.submitter.append(self.env.now(), group, move |result| {
            let _the_loop_has_ended = inputs.send(Input::Governed { result, reply, turn, changed });
        });
    }

    fn governed(
        &mut self,
        result: AppendResult,
        (reply, changed): (ReplyTo, Vec<IntegrationId>),
    ) -> Option<Ended> {
        match result {
            Ok(appended) => {
                let events = self.measured(appended);
                if let Some(last) = events.last() {
                    self.env.not_before(last.recorded_at);
                }
                for event in &events {
                    self.project_effects(event);
                }
                let _nobody_waits = reply.send(Ok(events));
                for integration in changed {
                    self.tell(Notice::Integration { integration });
                }
                self.look_again();
                None
            }
            Err(error) => Some(self.commit_failed(&error, Some(reply))),
        }
    }

    fn appended(&mut self, result: AppendResult, reply: ReplyTo) -> Option<Ended> {
        let answer = match result {
            Ok(appended) => {
                let events = self.measured(appended);
                if let Some(last) = events.last() {
                    self.env.not_before(last.recorded_at);
                }
                Ok(events)
            }
            Err(error) if error.wrote_nothing() => {
                Err(Error::Refused { code: "PL9001", detail: error.to_string() })
            }
            Err(error) => return Some(self.commit_failed(&error, Some(reply))),
        };
        let _nobody_waits = reply.send(answer);
        None
    }
}
