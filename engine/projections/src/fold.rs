//! One commit: its events are folded in memory, then each row that they touch is written once.
//!
//! What is written depends on the events alone and never on how they were cut into commits, so that
//! tables made again are equal byte for byte.

use crate::action;
use crate::arrival::{self, Came};
use crate::decision::{Change, Decision, misplaced};
use crate::inbox::{self, Listed};
use crate::key::{self, DUE_LEN, MARK_LEN, Mark};
use crate::nonce::{self, Said, Spent};
use crate::order::{self, Became};
use crate::project::Outbound;
use crate::run::{Facts, State};
use crate::store::Store;
use crate::table::TableName;
use crate::{DueRow, Error};
use crate::{integrations, project, tally};
use placet_model::event::decision::StandingUsed;
use placet_model::event::governance::BreakGlassReviewed;
use placet_model::event::inbound::{ENVELOPE, InboundReceived};
use placet_model::event::run::{RunMigrated, RunStarted};
use placet_model::event::wait::EventReceived;
use placet_model::{
    DecisionId, Event, PayloadRef, Position, RecordedEvent, Revision, RunId, StreamId,
    attempt_event, hook_event, inbound_event, lookup_event, people_event, upkeep_event,
};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Folds events that follow the cursor, and moves it.
pub(crate) fn apply(store: &mut Store<'_>, events: &[RecordedEvent]) -> Result<(), Error> {
    let cursor = store.cursor()?.unwrap_or(Position::START);
    let mut commit = Commit::default();
    let mut last = cursor;
    for event in events {
        let (found, expected) = (event.position, last.next());
        if found != expected {
            return Err(Error::Gap { found, expected });
        }
        commit.event(store, event)?;
        last = found;
    }
    commit.write(store)?;
    store.set_cursor(last)
}

/// The runs and decisions that a commit touches.
#[derive(Debug, Default)]
struct Commit {
    runs: BTreeMap<RunId, TouchedRun>,
    decisions: BTreeMap<DecisionId, TouchedDecision>,
    requests: BTreeMap<Vec<u8>, DecisionId>,
    nonces: BTreeMap<Vec<u8>, Spent>,
    tally: tally::Rows,
}

#[derive(Debug)]
struct TouchedRun {
    /// Where the state was read; none for a run that begins.
    place: Option<Place>,
    /// To be written when the run begins.
    facts: Option<Facts>,
    /// Keys that stood there before.
    marks: Vec<Mark>,
    due: Vec<[u8; DUE_LEN]>,
    listens: BTreeMap<String, Position>,
    state: State,
}

#[derive(Debug)]
struct TouchedDecision {
    marks: Vec<Mark>,
    due: Vec<[u8; DUE_LEN]>,
    listed: Option<Listed>,
    decision: Decision,
}

/// Rows that are all key: `true` is to be there, `false` not any more.
type Keys<const N: usize> = BTreeMap<[u8; N], bool>;

impl Commit {
    #[expect(clippy::unnested_or_patterns, reason = "a macro stands for several events")]
    fn event(&mut self, store: &mut Store<'_>, event: &RecordedEvent) -> Result<(), Error> {
        match &event.event {
            Event::RunStarted(body) => self.run_started(store, event, body),
            Event::RunCompleted(_) | Event::RunFaulted(_) | Event::RunCancelled(_) => {
                self.run_over(store, event)
            }
            Event::ChildStarted(_)
            | Event::ChildEnded(_)
            | Event::ChildDropped(_)
            | Event::EventEmitted(_)
            | Event::DraftEdited(_)
            | Event::ActionRequested(_) => self.beside_run(store, event),
            Event::EventReceived(body) => event_received(store, event, body),
            inbound_event!() => inbound(store, event),
            Event::EventsDelivered(body) => arrival::delivered(store, body.up_to),
            Event::ScheduleFired(body) => order::schedule_fired(store, event, body),
            Event::TaskStarted(_)
            | Event::IterationStarted(_)
            | Event::TaskCompleted(_)
            | Event::TaskSkipped(_)
            | Event::TaskFaulted(_)
            | Event::FaultCaught(_)
            | Event::TimerArmed(_)
            | Event::TimerFired(_)
            | Event::RetryScheduled(_)
            | Event::BranchFaulted(_)
            | Event::WaitStarted(_)
            | Event::EventMatched(_)
            | Event::EventHandled(_)
            | Event::SendRouted(_)
            | Event::PreviewRead(_)
            | Event::DraftPrepared(_)
            | Event::DecisionRequested(_)
            | Event::DecisionReassigned(_)
            | Event::VoteCast(_)
            | Event::ResolutionCast(_)
            | Event::DecisionSettled(_)
            | Event::RequirementRaised(_)
            | Event::DecisionVoided(_)
            | Event::VoteDelegated(_)
            | Event::ApproversReminded(_)
            | attempt_event!()
            | lookup_event!() => self.run_event(store, event),
            Event::StandingUsed(body) => self.standing_used(store, event, body),
            Event::RunMigrated(body) => self.run_migrated(store, event, body),
            Event::IntegrationConnected(_)
            | Event::CredentialStored(_)
            | Event::IntegrationTested(_)
            | Event::HealthCheckFailed(_)
            | Event::IntegrationDisabled(_)
            | Event::IntegrationEnabled(_)
            | Event::IntegrationDisconnected(_)
            | Event::IntegrationScoped(_)
            | Event::PolicyChanged(_)
            | Event::OutboundPaused(_)
            | Event::OutboundResumed(_)
            | Event::WorkflowDeployed(_)
            | Event::OperationRegistered(_) => of_project(store, event),
            Event::CredentialUsed(_)
            | upkeep_event!()
            | Event::ScheduleMatched(_)
            | Event::CheckpointSigned(_)
            | Event::CheckpointCosigned(_)
            | Event::PayloadErased(_)
            | Event::EpochStarted(_)
            | Event::StandingEndorsed(_)
            | hook_event!()
            | Event::ResponseDrifted(_) => Ok(()),
            Event::BreakGlassReviewed(body) => self.reviewed(store, event, body),
            people_event!() => of_people(store, event),
        }
    }

    fn beside_run(&mut self, store: &mut Store<'_>, event: &RecordedEvent) -> Result<(), Error> {
        self.run_event(store, event)?;
        beside_run(store, event)
    }

    fn run_over(&mut self, store: &mut Store<'_>, event: &RecordedEvent) -> Result<(), Error> {
        self.run_event(store, event)?;
        order::became(store, run_of(event)?, Became::Over)
    }

    fn standing_used(
        &mut self,
        store: &mut Store<'_>,
        event: &RecordedEvent,
        body: &StandingUsed,
    ) -> Result<(), Error> {
        project::standing_used(store, body)?;
        self.run_event(store, event)
    }

    /// What was sent in an emergency was looked at; of a decision that nobody knows nothing is said.
    fn reviewed(
        &mut self,
        store: &mut Store<'_>,
        event: &RecordedEvent,
        body: &BreakGlassReviewed,
    ) -> Result<(), Error> {
        let key = body.decision.to_bytes();
        if let Some(touched) = self.decisions.get(&body.decision) {
            self.tally.extend(tally::reviewed(&touched.decision, body, event));
        } else if let Some(decision) = store.get::<Decision>(TableName::Decisions, &key)? {
            self.tally.extend(tally::reviewed(&decision, body, event));
        }
        Ok(())
    }

    fn run_started(
        &mut self,
        store: &mut Store<'_>,
        event: &RecordedEvent,
        body: &RunStarted,
    ) -> Result<(), Error> {
        let run = run_of(event)?;
        if event.revision != Revision::START.next() {
            return Err(misplaced(event, "the run has begun already"));
        }
        let mut state = State::started(body, event.recorded_at);
        state.revision = event.revision;
        let facts = Some(Facts::of(body, event.recorded_at));
        let nothing = BTreeMap::new();
        let begun =
            TouchedRun { place: None, facts, marks: vec![], due: vec![], listens: nothing, state };
        self.runs.insert(run, begun);
        order::became(store, run, Became::Begun)
    }

    fn run_event(&mut self, store: &mut Store<'_>, event: &RecordedEvent) -> Result<(), Error> {
        let run = run_of(event)?;
        let touched = match self.runs.entry(run) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(read_run(store, run, event)?),
        };
        if let Some((decision, change)) = Change::of(&touched.state, &event.event) {
            let (decisions, requests) = (&mut self.decisions, &mut self.requests);
            if let Some(said) = change.said() {
                nonce::spend(store, &mut self.nonces, decision, said)?;
                if said.signed.is_some() {
                    project::passkey_used(store, event)?;
                }
            }
            if let Change::Requested(body) = &change {
                let draft = touched.state.draft(&body.task);
                let draft = draft.ok_or_else(|| misplaced(event, "the run has no draft"))?;
                let editor = touched.state.editor(&body.task);
                let facts = match &touched.facts {
                    Some(facts) => facts.clone(),
                    None => facts_of(store, run, event)?,
                };
                let decision = Decision::requested((run, facts), (draft, editor), body, event);
                let (marks, due, listed) = (vec![], vec![], None);
                let touched = TouchedDecision { marks, due, listed, decision };
                decisions.insert(body.decision, touched);
            } else {
                if let Some(Said { by, request_id: Some(request), .. }) = change.said() {
                    requests.insert(request_key(by.as_str(), request), decision);
                }
                let touched = match decisions.entry(decision) {
                    Entry::Occupied(entry) => entry.into_mut(),
                    Entry::Vacant(entry) => entry.insert(read_decision(store, decision, event)?),
                };
                let before = (decision, &touched.decision);
                self.tally.extend(tally::of_change(before, &change, event));
                touched.decision.apply(&change, event);
            }
        }
        touched.state.apply(&event.event, event.position).map_err(|what| misplaced(event, what))?;
        touched.state.revision = event.revision;
        touched.state.updated_at = event.recorded_at;
        Ok(())
    }

    /// The facts are written again: the run goes on under another plan.
    fn run_migrated(
        &mut self,
        store: &mut Store<'_>,
        event: &RecordedEvent,
        body: &RunMigrated,
    ) -> Result<(), Error> {
        self.run_event(store, event)?;
        let run = run_of(event)?;
        let touched = self.runs.get_mut(&run).ok_or_else(|| misplaced(event, "no such run"))?;
        let mut facts = match touched.facts.take() {
            Some(facts) => facts,
            None => facts_of(store, run, event)?,
        };
        facts.workflow = body.workflow.clone();
        facts.plan_digest = body.plan_digest;
        touched.facts = Some(facts);
        Ok(())
    }

    fn write(self, store: &mut Store<'_>) -> Result<(), Error> {
        let mut marks = Keys::new();
        let mut due = Keys::new();
        for (run, touched) in self.runs {
            difference(&mut marks, &touched.marks, &touched.state.marks(run), Mark::key);
            let now = due_keys(&touched.state, run);
            difference(&mut due, &touched.due, &now, |key| key);
            write_listens(store, run, (&touched.listens, &touched.state.listens()))?;
            write_run(store, run, touched.place, &touched.state)?;
            if let Some(facts) = touched.facts {
                store.put(TableName::Runs, &run.to_bytes(), &facts)?;
            }
        }
        let mut inbox = inbox::Changes::default();
        for (id, touched) in self.decisions {
            let decision = touched.decision;
            difference(&mut marks, &touched.marks, &decision.marks(id), Mark::key);
            difference(&mut due, &touched.due, &notice_keys(&decision, id), |key| key);
            inbox.moved(touched.listed.as_ref(), Listed::of(id, &decision)?.as_ref());
            store.put(TableName::Decisions, &id.to_bytes(), &decision)?;
        }
        inbox.write(store)?;
        for (key, decision) in self.requests {
            store.put(TableName::Requests, &key, &decision)?;
        }
        for (key, stored) in self.tally {
            store.put(TableName::Tally, &key, &stored)?;
        }
        for (key, spent) in self.nonces {
            store.put(TableName::Nonces, &key, &spent)?;
        }
        write_keys(store, TableName::Hot, marks)?;
        write_keys(store, TableName::Due, due)
    }
}

fn event_received(
    store: &mut Store<'_>,
    event: &RecordedEvent,
    body: &EventReceived,
) -> Result<(), Error> {
    let came = Came::of(&body.kind, &body.identity, (body.envelope, body.to));
    arrival::came(store, event, &came)
}

/// What was refused of what a provider posted has no row.
fn inbound(store: &mut Store<'_>, event: &RecordedEvent) -> Result<(), Error> {
    let Event::InboundReceived(body) = &event.event else { return Ok(()) };
    inbound_received(store, event, body)
}

fn inbound_received(
    store: &mut Store<'_>,
    event: &RecordedEvent,
    body: &InboundReceived,
) -> Result<(), Error> {
    let envelope = PayloadRef::new(event.revision, ENVELOPE);
    arrival::came(store, event, &Came::of(&body.kind, &body.identity, (envelope, None)))
}

/// What an event about people means.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is matched by the commit")]
fn of_people(store: &mut Store<'_>, event: &RecordedEvent) -> Result<(), Error> {
    match &event.event {
        Event::KeyRegistered(_) | Event::KeyRevoked(_) => project::keys_changed(store, event),
        Event::PasskeyEnrolled(_) | Event::PasskeyConfirmed(_) | Event::PasskeyRevoked(_) => {
            project::passkeys_changed(store, event)
        }
        Event::RequestSigned(body) => nonce::taken(store, body),
        Event::NoticeQueued(body) => tally::queued(store, body, event),
        Event::NoticeSent(body) => tally::sent(store, body, event),
        Event::NoticeFailed(body) => tally::failed(store, body),
        Event::ApproverAlarmRaised(body) => tally::alarmed(store, body, event),
        _ => Err(misplaced(event, "it is no event about people")),
    }
}

/// What an event of the project means; rows are written one by one.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is matched by the commit")]
fn of_project(store: &mut Store<'_>, event: &RecordedEvent) -> Result<(), Error> {
    match &event.event {
        Event::IntegrationConnected(body) => integrations::connected(store, body),
        Event::CredentialStored(body) => integrations::credential_stored(store, body),
        Event::IntegrationTested(body) => integrations::tested(store, body),
        Event::HealthCheckFailed(body) => integrations::failed(store, body),
        Event::IntegrationDisabled(body) => integrations::disabled(store, body.integration),
        Event::IntegrationEnabled(body) => integrations::enabled(store, body.integration),
        Event::IntegrationDisconnected(body) => integrations::disconnected(store, body.integration),
        Event::IntegrationScoped(body) => integrations::scoped(store, body),
        Event::PolicyChanged(body) => project::policy_changed(store, event, body),
        Event::OutboundPaused(body) => project::outbound(store, body.integration, Outbound::Paused),
        Event::OutboundResumed(body) => {
            project::outbound(store, body.integration, Outbound::Resumed)
        }
        Event::WorkflowDeployed(body) => project::deployed(store, event, body),
        Event::OperationRegistered(body) => project::operation_registered(store, event, body),
        _ => Err(misplaced(event, "it is no event of the project")),
    }
}

/// What an event of a run means for what is kept beside it: runs that it has ordered, events that
/// came, actions and edits by what they say.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is matched by the commit")]
fn beside_run(store: &mut Store<'_>, event: &RecordedEvent) -> Result<(), Error> {
    match &event.event {
        Event::ChildStarted(body) => order::child_started(store, (event, run_of(event)?), body),
        Event::ChildEnded(body) => order::became(store, body.child, Became::Told),
        Event::ChildDropped(body) => order::became(store, body.child, Became::Dropped),
        Event::EventEmitted(body) => {
            let came = Came::of(&body.kind, &body.identity, (body.envelope, None));
            arrival::came(store, event, &came)
        }
        Event::DraftEdited(body) => action::edited(store, body),
        Event::ActionRequested(body) => action::requested(store, run_of(event)?, body),
        _ => Err(misplaced(event, "it means nothing beside its run")),
    }
}

fn run_of(event: &RecordedEvent) -> Result<RunId, Error> {
    match event.stream {
        StreamId::Run(run) => Ok(run),
        StreamId::Integration(_)
        | StreamId::Policy
        | StreamId::Project
        | StreamId::Workflow(_)
        | StreamId::Adapter(_)
        | StreamId::Events
        | StreamId::Checkpoints
        | StreamId::Notices => Err(misplaced(event, "its stream is no run")),
    }
}

/// The key of a vote's request id; no principal's name holds a zero.
pub(crate) fn request_key(principal: &str, request: &str) -> Vec<u8> {
    [principal.as_bytes(), &[0], request.as_bytes()].concat()
}

fn read_run(store: &mut Store<'_>, run: RunId, event: &RecordedEvent) -> Result<TouchedRun, Error> {
    for place in [Place::Live, Place::Ended] {
        if let Some(state) = place.read(store, run)? {
            let due = due_keys(&state, run);
            let (marks, listens) = (state.marks(run), state.listens());
            return Ok(TouchedRun { place: Some(place), facts: None, marks, due, listens, state });
        }
    }
    Err(misplaced(event, "its run has not begun"))
}

fn facts_of(store: &mut Store<'_>, run: RunId, event: &RecordedEvent) -> Result<Facts, Error> {
    let facts: Option<Facts> = store.get(TableName::Runs, &run.to_bytes())?;
    facts.ok_or_else(|| misplaced(event, "its run has not begun"))
}

fn notice_keys(decision: &Decision, id: DecisionId) -> Vec<[u8; DUE_LEN]> {
    decision.due(id).iter().map(DueRow::key).collect()
}

fn due_keys(state: &State, run: RunId) -> Vec<[u8; DUE_LEN]> {
    state.due(run).iter().map(DueRow::key).collect()
}

fn read_decision(
    store: &mut Store<'_>,
    id: DecisionId,
    event: &RecordedEvent,
) -> Result<TouchedDecision, Error> {
    let decision: Option<Decision> = store.get(TableName::Decisions, &id.to_bytes())?;
    let decision = decision.ok_or_else(|| misplaced(event, "its decision was never requested"))?;
    let due = notice_keys(&decision, id);
    let (marks, listed) = (decision.marks(id), Listed::of(id, &decision)?);
    Ok(TouchedDecision { marks, due, listed, decision })
}

/// A run that is over leaves the small table of live ones.
fn write_run(
    store: &mut Store<'_>,
    run: RunId,
    place: Option<Place>,
    state: &State,
) -> Result<(), Error> {
    let target = if state.is_settled() { Place::Ended } else { Place::Live };
    if let Some(place) = place.filter(|place| *place != target) {
        let (table, key) = place.row(run);
        store.remove(table, &key)?;
    }
    let (table, key) = target.row(run);
    store.put(table, &key, state)
}

/// Where the state of a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Among what is hot: it may still get events.
    Live,
    /// Among the runs that are over.
    Ended,
}

impl Place {
    fn row(self, run: RunId) -> (TableName, Vec<u8>) {
        match self {
            Self::Live => (TableName::Hot, key::live(run.to_bytes()).to_vec()),
            Self::Ended => (TableName::Ended, run.to_bytes().to_vec()),
        }
    }

    fn read(self, store: &mut Store<'_>, run: RunId) -> Result<Option<State>, Error> {
        let (table, key) = self.row(run);
        store.get(table, &key)
    }
}

/// What the run waits for: rows by type, each with the place where the wait began.
fn write_listens(
    store: &mut Store<'_>,
    run: RunId,
    (before, after): (&BTreeMap<String, Position>, &BTreeMap<String, Position>),
) -> Result<(), Error> {
    let key = |kind: &str| arrival::key(kind, &run.to_bytes());
    for kind in before.keys().filter(|kind| !after.contains_key(*kind)) {
        store.remove(TableName::Listeners, &key(kind))?;
    }
    for (kind, at) in after.iter().filter(|(kind, at)| before.get(*kind) != Some(*at)) {
        store.put(TableName::Listeners, &key(kind), at)?;
    }
    Ok(())
}

fn difference<K: PartialEq + Copy, const N: usize>(
    keys: &mut Keys<N>,
    before: &[K],
    after: &[K],
    key: impl Fn(K) -> [u8; N],
) {
    keys.extend(before.iter().filter(|k| !after.contains(k)).map(|k| (key(*k), false)));
    keys.extend(after.iter().filter(|k| !before.contains(k)).map(|k| (key(*k), true)));
}

fn write_keys<const N: usize>(
    store: &mut Store<'_>,
    table: TableName,
    keys: Keys<N>,
) -> Result<(), Error> {
    keys.into_iter().try_for_each(|(key, there)| {
        if there { store.put(table, &key, &()) } else { store.remove(table, &key) }
    })
}

const _: () = assert!(MARK_LEN < DUE_LEN, "the two kinds of key cannot be taken for each other");
