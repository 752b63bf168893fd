//! Ids and events with as little in them as a test needs.

use crate::support::at;
use placet_model::approval::Requirement;
use placet_model::attempt::{DeferReason, Evidence, RefuseReason};
use placet_model::decision::{Assurance, Resolution, Settlement, Verdict};
use placet_model::draft::{BoundIntegration, Mode};
use placet_model::event::attempt::{
    AnswerFacts, AttemptDeferred, AttemptInDoubt, AttemptReconciled, AttemptRefused,
    AttemptStarted, AttemptSucceeded, ReconciledBy,
};
use placet_model::event::child::ChildStarted;
use placet_model::event::decision::{
    DecisionRequested, DecisionSettled, DraftEdited, DraftOrigin, DraftPrepared, ResolutionCast,
    VoteCast,
};
use placet_model::event::inbound::InboundReceived;
use placet_model::event::lookup::{
    AbsenceWorth, LookupEnded, LookupFinding, LookupPlanned, LookupStarted,
};
use placet_model::event::notice::{NoticeAbout, NoticeQueued, NoticeSent};
use placet_model::event::run::{
    FaultCaught, FaultFact, RunCancelled, RunCompleted, RunFaulted, RunStarted, TaskCompleted,
    TaskFaulted, TaskShape, TaskStarted, Then, TimerArmed, TimerFired, TimerKind,
};
use placet_model::event::wait::{EventHandled, EventMatched, EventReceived, Taken, WaitStarted};
use placet_model::integration::Identity;
use placet_model::manifest::Effect;
use placet_model::plan::WorkflowName;
use placet_model::{
    AttemptId, DataKeyId, DecisionId, Digest, Event, EventId, IntegrationId, Iteration, PayloadRef,
    Position, Principal, Revision, RunId, TaskPath, TimerId, Timestamp,
};

pub(crate) fn run(n: u128) -> RunId {
    RunId::from_bytes(n.to_be_bytes())
}

pub(crate) fn decision(n: u128) -> DecisionId {
    DecisionId::from_bytes(n.to_be_bytes())
}

pub(crate) fn attempt(n: u128) -> AttemptId {
    AttemptId::from_bytes(n.to_be_bytes())
}

pub(crate) fn timer(n: u128) -> TimerId {
    TimerId::from_bytes(n.to_be_bytes())
}

pub(crate) fn integration(n: u128) -> IntegrationId {
    IntegrationId::from_bytes(n.to_be_bytes())
}

pub(crate) fn who(name: &str) -> Principal {
    name.parse().unwrap()
}

pub(crate) fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

pub(crate) const fn content(revision: u64) -> PayloadRef {
    PayloadRef::new(Revision::new(revision), 0)
}

pub(crate) fn workflow(name: &str) -> WorkflowName {
    WorkflowName { namespace: "sales".into(), name: name.into(), version: "1.0.0".into() }
}

/// The task `name` of the workflow's own list.
pub(crate) fn task(name: &str) -> TaskPath {
    TaskPath::root().child("do", 0, name)
}

pub(crate) fn started() -> Event {
    started_with("follow-up", None)
}

pub(crate) fn started_with(name: &str, deadline: Option<Timestamp>) -> Event {
    RunStarted {
        workflow: workflow(name),
        plan_digest: digest(name),
        mode: Mode::Sandbox,
        requester: who("agent"),
        key: DataKeyId(1),
        input: content(1),
        first: content(1),
        seed: 7,
        deadline,
    }
    .into()
}

pub(crate) fn begun(task: &TaskPath) -> Event {
    shaped(task, TaskShape::Leaf, 0)
}

/// The task began, in this shape, with so many branches.
pub(crate) fn shaped(task: &TaskPath, shape: TaskShape, count: u32) -> Event {
    TaskStarted {
        task: task.clone(),
        iteration: Iteration::none(),
        shape,
        input: content(1),
        items: None,
        count,
    }
    .into()
}

/// The `listen` waits for events of this type.
pub(crate) fn listening(task: &TaskPath, kind: &str) -> Event {
    let (task, iteration) = (task.clone(), Iteration::none());
    WaitStarted { task, iteration, since: at(0), types: vec![kind.to_owned()] }.into()
}

/// The `listen` took the event at this place, and is over with it or not.
pub(crate) fn matched(task: &TaskPath, arrival: u64, ends: bool) -> Event {
    EventMatched {
        task: task.clone(),
        iteration: Iteration::none(),
        arrival: Position::new(arrival),
        taken: Taken::Consumed,
        filter: 0,
        value: content(1),
        expected: None,
        ends,
    }
    .into()
}

/// What ran for an event of a `listen` has ended.
pub(crate) fn handled(task: &TaskPath, index: u32, ends: bool) -> Event {
    let (task, iteration) = (task.clone(), Iteration::none());
    EventHandled { task, iteration, index, element: content(1), context: None, ends }.into()
}

/// The task ordered this run.
pub(crate) fn ordered(task: &TaskPath, child: RunId, awaited: bool) -> Event {
    ChildStarted {
        task: task.clone(),
        iteration: Iteration::none(),
        child,
        workflow: workflow("child"),
        plan_digest: digest("child"),
        input: content(2),
        awaited,
    }
    .into()
}

/// An event came from outside.
pub(crate) fn received(kind: &str, id: &str) -> Event {
    let (kind, identity) = (kind.to_owned(), digest(id));
    EventReceived { kind, identity, envelope: content(1), to: None }.into()
}

/// A provider posted an event.
pub(crate) fn posted(kind: &str, identity: Digest) -> Event {
    let (kind, event_key) = (kind.to_owned(), "communication.message.received".to_owned());
    let integration = IntegrationId::from_bytes([3; 16]);
    let correlate = vec![digest("thread")];
    InboundReceived { integration, credential_version: 1, kind, event_key, identity, correlate }
        .into()
}

pub(crate) fn completed(task: &TaskPath) -> Event {
    TaskCompleted {
        task: task.clone(),
        iteration: Iteration::none(),
        output: content(1),
        context: None,
        then: Then::Continue,
        goto: None,
    }
    .into()
}

pub(crate) fn fault() -> FaultFact {
    FaultFact { kind: "urn:example:fault".into(), status: 500, content: content(3) }
}

pub(crate) fn faulted(task: &TaskPath) -> Event {
    TaskFaulted { task: task.clone(), iteration: Iteration::none(), fault: fault() }.into()
}

pub(crate) fn caught(task: &TaskPath) -> Event {
    FaultCaught { task: task.clone(), iteration: Iteration::none(), fault: content(3) }.into()
}

pub(crate) fn armed(id: TimerId, task: &TaskPath, kind: TimerKind, due_at: Timestamp) -> Event {
    let iteration = Iteration::none();
    TimerArmed { timer: id, task: task.clone(), iteration, kind, due_at }.into()
}

pub(crate) fn fired(timer: TimerId) -> Event {
    TimerFired { timer }.into()
}

pub(crate) fn run_completed() -> Event {
    RunCompleted { output: content(9) }.into()
}

pub(crate) fn run_faulted() -> Event {
    RunFaulted { fault: fault() }.into()
}

pub(crate) fn cancelled() -> Event {
    RunCancelled { reason: None }.into()
}

pub(crate) fn draft(task: &TaskPath, revision: u32) -> DraftPrepared {
    DraftPrepared {
        task: task.clone(),
        iteration: Iteration::none(),
        revision,
        origin: DraftOrigin::Task,
        send_id: "send".into(),
        operation: "slack.chat.postMessage".into(),
        operation_digest: digest("operation"),
        effect: Effect::Send,
        integration: Some(BoundIntegration {
            id: integration(1),
            settings_digest: digest("settings"),
            identity: Identity { id: "U1".into(), tenant: "T1".into() },
        }),
        with: content(4),
        request: PayloadRef::new(Revision::new(4), 1),
        request_digest: digest("request"),
        requirement: Requirement::default_for_project(),
        nonce: "00".into(),
        document: PayloadRef::new(Revision::new(4), 2),
        digest: digest("draft"),
        summary: None,
        notes: vec![],
    }
}

pub(crate) fn requested(id: DecisionId, task: &TaskPath, expires_at: Timestamp) -> Event {
    DecisionRequested {
        decision: id,
        task: task.clone(),
        iteration: Iteration::none(),
        digest: digest("draft"),
        expires_at,
        uptime: None,
    }
    .into()
}

/// A run of one task whose draft lies in the inbox until `at(100)`.
pub(crate) fn asking(id: DecisionId) -> Vec<Event> {
    let send = task("send");
    vec![started(), begun(&send), draft(&send, 1).into(), requested(id, &send, at(100))]
}

/// The key of the state of a run that is not over.
pub(crate) fn live(run: RunId) -> Vec<u8> {
    [&[16][..], &run.to_bytes()].concat()
}

pub(crate) fn vote(id: DecisionId, name: &str, verdict: Verdict, request: Option<&str>) -> Event {
    VoteCast {
        decision: id,
        digest: digest("draft"),
        verdict,
        voter: who(name),
        assurance: Assurance::Session,
        voted_at: at(0),
        nonce: name.into(),
        reason: None,
        request_id: request.map(str::to_owned),
        signed: None,
    }
    .into()
}

/// What `name` says of the attempt in doubt to which this decision led.
pub(crate) fn said(
    id: DecisionId,
    name: &str,
    resolution: Resolution,
    request: Option<&str>,
) -> ResolutionCast {
    ResolutionCast {
        decision: id,
        digest: digest("draft"),
        resolution,
        by: who(name),
        assurance: Assurance::Session,
        said_at: at(0),
        nonce: format!("{name} says"),
        reason: None,
        request_id: request.map(str::to_owned),
        signed: None,
    }
}

/// A notice about a request, and that it was sent; its id is that of the first event.
pub(crate) fn notice(to: &str, channel: &str, id: EventId) -> [Event; 2] {
    let queued = NoticeQueued {
        to: who(to),
        channel: channel.to_owned(),
        operation: "slack.chat.postMessage".into(),
        integration: Some(integration(1)),
        credential_version: 1,
        mode: Mode::Live,
        about: vec![(NoticeAbout::Waiting, 2)],
        up_to: Position::new(3),
        resume_after: Position::new(2),
        request_digest: digest("request"),
    };
    let sent = NoticeSent {
        notice: id,
        to: who(to),
        channel: channel.to_owned(),
        try_number: 1,
        would_have_sent: false,
    };
    [queued.into(), sent.into()]
}

pub(crate) fn settled(id: DecisionId, settlement: Settlement) -> Event {
    DecisionSettled { decision: id, digest: digest("draft"), settlement, reason: None }.into()
}

/// An edit of what the first decision is about, and the request that follows.
pub(crate) fn edited(old: DecisionId, new: DecisionId) -> Vec<Event> {
    let (task, iteration) = (task("send"), Iteration::none());
    let next = DraftPrepared { origin: DraftOrigin::Edit, ..draft(&task, 2) };
    let request = requested(new, &task, at(100));
    vec![
        vote(old, "ana", Verdict::Edit, None),
        settled(old, Settlement::Superseded),
        DraftEdited {
            decision: old,
            digest: digest("draft"),
            task,
            iteration,
            editor: who("ana"),
            original: digest("original"),
        }
        .into(),
        next.into(),
        request,
    ]
}

pub(crate) fn tried(id: AttemptId, try_number: u32, decision: Option<DecisionId>) -> Event {
    let draft = draft(&task("send"), 1);
    AttemptStarted {
        attempt: id,
        try_number,
        task: draft.task,
        iteration: draft.iteration,
        decision,
        digest: decision.map(|_| draft.digest),
        send_id: draft.send_id,
        operation: draft.operation,
        operation_digest: draft.operation_digest,
        effect: if decision.is_some() { Effect::Send } else { Effect::Read },
        mode: Mode::Sandbox,
        integration: draft.integration,
        credential_version: 1,
        with: draft.with,
        request: draft.request,
        request_digest: draft.request_digest,
        not_after: at(100),
        uptime: None,
    }
    .into()
}

pub(crate) fn succeeded(id: AttemptId, try_number: u32) -> Event {
    let (answer, output) = (AnswerFacts::default(), content(5));
    AttemptSucceeded { attempt: id, try_number, answer, output, would_have_sent: None }.into()
}

pub(crate) fn refused(id: AttemptId, try_number: u32, reason: RefuseReason) -> Event {
    let answer = AnswerFacts::default();
    AttemptRefused { attempt: id, try_number, reason, answer, code: None, detail: None }.into()
}

pub(crate) fn deferred(id: AttemptId, try_number: u32, until: Timestamp) -> Event {
    AttemptDeferred { attempt: id, try_number, until, reason: DeferReason::RateLimited }.into()
}

pub(crate) fn in_doubt(id: AttemptId, try_number: u32) -> Event {
    let (evidence, answer) = (Evidence::Timeout, AnswerFacts::default());
    AttemptInDoubt { attempt: id, try_number, evidence, answer, detail: None }.into()
}

pub(crate) fn reconciled(id: AttemptId, resolution: Resolution) -> Event {
    let output = (resolution == Resolution::Sent).then_some(content(6));
    AttemptReconciled { attempt: id, resolution, by: ReconciledBy::Person, output }.into()
}

pub(crate) fn planned(attempt: AttemptId, number: u32, due_at: Timestamp) -> Event {
    LookupPlanned { attempt, number, operation: "slack.conversations.history".into(), due_at }
        .into()
}

pub(crate) fn looking(attempt: AttemptId, number: u32) -> Event {
    LookupStarted {
        attempt,
        number,
        operation: "slack.conversations.history".into(),
        operation_digest: digest("look-up"),
        mode: Mode::Sandbox,
        integration: None,
        credential_version: 0,
        with: content(1),
        request: content(2),
        request_digest: digest("request"),
    }
    .into()
}

pub(crate) fn looked_up(
    (attempt, number): (AttemptId, u32),
    (finding, worth): (LookupFinding, Option<AbsenceWorth>),
    next_at: Option<Timestamp>,
) -> Event {
    let answer = AnswerFacts::default();
    LookupEnded { attempt, number, finding, worth, count: 0, answer, detail: None, next_at }.into()
}
