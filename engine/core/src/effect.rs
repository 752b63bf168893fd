//! Effects: what the world must do about a committed event, as data.
//!
//! | effect | emitted for | performed by |
//! | --- | --- | --- |
//! | `Call` | `AttemptStarted` | executor: the transport, exactly the stored bytes |
//! | `Wake` | `TimerArmed`, `DecisionRequested`, `AttemptDeferred`, `LookupPlanned`, `RunStarted` with a deadline | executor: the due row |
//! | `Notify` | whatever changes an inbox | bus, server: "something changed, fetch" |
//! | `Claim` | `DecisionSettled(approved)` | executor: the claim, or a hold |
//! | `Reconcile` | `AttemptInDoubt` | executor: resend under the provider's key, look it up, or a person |
//! | `LookUp` | `LookupStarted` | executor: the transport, a read |
//! | `Preview` | `PreviewRead(begun)` | executor: the transport, a read |
//! | `Finished` | the end of a run | executor: whoever waits for it |
//! | `Hear` | `WaitStarted`, and what does not end a wait | executor: what has come before, in order |
//! | `Arrived` | `EventEmitted`, `EventReceived`, `InboundReceived` | executor: whoever waits for such an event |
//! | `StartChild`, `CancelChild` | `ChildStarted`, `ChildDropped` | executor: the other run |

use placet_model::approval::Requirement;
use placet_model::decision::Settlement;
use placet_model::event::decision::{DecisionRequested, DecisionSettled, RequirementRaised};
use placet_model::event::preview::{PreviewRead, PreviewStep};
use placet_model::{
    AttemptId, DecisionId, Event, RunId, Timestamp, hook_event, inbound_event, lookup_event,
    people_event, upkeep_event,
};

/// What the core asks of the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send the stored bytes of this try.
    Call {
        /// Which attempt.
        attempt: AttemptId,
        /// Which try.
        try_number: u32,
    },
    /// Look at the run again at this moment.
    Wake {
        /// When.
        at: Timestamp,
    },
    /// Somebody's inbox changed.
    Notify {
        /// By which decision.
        decision: DecisionId,
    },
    /// An approval may be claimed.
    Claim {
        /// Which decision.
        decision: DecisionId,
    },
    /// An attempt is in doubt.
    Reconcile {
        /// Which attempt.
        attempt: AttemptId,
    },
    /// Ask the provider whether it arrived.
    LookUp {
        /// Which attempt.
        attempt: AttemptId,
        /// Which look-up of it.
        number: u32,
    },
    /// Ask the provider what the card of a draft is to show.
    Preview {
        /// Which read.
        read: AttemptId,
    },
    /// The run is over.
    Finished,
    /// The run waits: look for events that have come before.
    Hear,
    /// An event has come: tell whoever waits for it.
    Arrived,
    /// Begin the run that was ordered.
    StartChild {
        /// Which run.
        child: RunId,
    },
    /// Learn anew what is due next: people are to hear again of a request.
    LookAhead,
    /// Cancel the run that is not awaited any more.
    CancelChild {
        /// Which run.
        child: RunId,
    },
}

fn settled(body: &DecisionSettled) -> Vec<Effect> {
    let notify = Effect::Notify { decision: body.decision };
    match body.settlement {
        Settlement::Approved => vec![notify, Effect::Claim { decision: body.decision }],
        Settlement::Rejected
        | Settlement::Responded
        | Settlement::Expired
        | Settlement::Withdrawn
        | Settlement::Superseded => vec![notify],
    }
}

/// Whether people hear again of a request that is made under it.
fn look_ahead(requirement: &Requirement) -> Vec<Effect> {
    let escalates = requirement.thresholds.iter().any(|threshold| threshold.escalate.is_some());
    let again = requirement.remind.is_some() || escalates;
    again.then_some(Effect::LookAhead).into_iter().collect()
}

fn begun(deadline: Option<Timestamp>) -> Vec<Effect> {
    deadline.map(|at| Effect::Wake { at }).into_iter().collect()
}

fn requested(body: &DecisionRequested) -> Vec<Effect> {
    vec![Effect::Wake { at: body.expires_at }, Effect::Notify { decision: body.decision }]
}

fn call(attempt: AttemptId, try_number: u32) -> Vec<Effect> {
    vec![Effect::Call { attempt, try_number }]
}

fn preview(body: &PreviewRead) -> Vec<Effect> {
    match body.step {
        PreviewStep::Begun => vec![Effect::Preview { read: body.read }],
        PreviewStep::Answered | PreviewStep::Unanswered => vec![],
    }
}

fn reminded(decision: DecisionId) -> Vec<Effect> {
    vec![Effect::LookAhead, Effect::Notify { decision }]
}

fn raised(body: &RequirementRaised) -> Vec<Effect> {
    let mut effects = look_ahead(&body.requirement);
    effects.push(Effect::Notify { decision: body.decision });
    effects
}

/// A wait looks for what has come: while it was recorded, that was told to a wait that was not there.
fn hear(event: &Event) -> Vec<Effect> {
    let over = matches!(event, Event::EventMatched(body) if body.ends)
        || matches!(event, Event::EventHandled(body) if body.ends);
    if over { vec![] } else { vec![Effect::Hear] }
}

/// A provider posted something; the sum of what was refused tells nobody.
fn came(event: &Event) -> Vec<Effect> {
    if matches!(event, Event::InboundReceived(_)) { vec![Effect::Arrived] } else { vec![] }
}

fn beside(event: &Event) -> Vec<Effect> {
    of_lookup(event).into_iter().chain(came(event)).collect()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest are no events of look-ups")]
fn of_lookup(event: &Event) -> Option<Effect> {
    match event {
        Event::LookupPlanned(body) => Some(Effect::Wake { at: body.due_at }),
        Event::LookupStarted(body) => {
            Some(Effect::LookUp { attempt: body.attempt, number: body.number })
        }
        Event::LookupEnded(body) => body.next_at.map(|at| Effect::Wake { at }),
        _ => None,
    }
}

fn over() -> Vec<Effect> {
    vec![Effect::Finished]
}

/// The effects of a committed event. Live and replay run the same code; only a live engine
/// performs them.
#[expect(clippy::unnested_or_patterns, reason = "a macro stands for several events")]
pub fn react(event: &Event) -> Vec<Effect> {
    match event {
        Event::RunStarted(body) => begun(body.deadline),
        Event::TimerArmed(body) => vec![Effect::Wake { at: body.due_at }],
        Event::AttemptDeferred(body) => vec![Effect::Wake { at: body.until }],
        inbound_event!() | lookup_event!() => beside(event),
        Event::DecisionRequested(body) => requested(body),
        Event::VoteCast(body) => vec![Effect::Notify { decision: body.decision }],
        Event::DecisionReassigned(body) => vec![Effect::Notify { decision: body.decision }],
        Event::ApproversReminded(body) => reminded(body.decision),
        Event::DraftPrepared(body) => look_ahead(&body.requirement),
        Event::BreakGlassReviewed(body) => vec![Effect::Notify { decision: body.decision }],
        Event::RequirementRaised(body) => raised(body),
        Event::DecisionVoided(body) => vec![Effect::Notify { decision: body.decision }],
        Event::DecisionSettled(body) => settled(body),
        Event::AttemptStarted(body) => call(body.attempt, body.try_number),
        Event::PreviewRead(body) => preview(body),
        Event::RetryScheduled(body) => vec![Effect::Wake { at: body.due_at }],
        Event::WaitStarted(_) | Event::EventMatched(_) | Event::EventHandled(_) => hear(event),
        Event::EventEmitted(_) | Event::EventReceived(_) => vec![Effect::Arrived],
        Event::ChildStarted(body) => vec![Effect::StartChild { child: body.child }],
        Event::ChildDropped(body) => vec![Effect::CancelChild { child: body.child }],
        Event::AttemptInDoubt(body) => vec![Effect::Reconcile { attempt: body.attempt }],
        Event::RunCompleted(_) | Event::RunFaulted(_) | Event::RunCancelled(_) => over(),
        Event::TaskStarted(_)
        | Event::IterationStarted(_)
        | Event::TaskCompleted(_)
        | Event::TaskSkipped(_)
        | Event::TaskFaulted(_)
        | Event::FaultCaught(_)
        | Event::TimerFired(_)
        | Event::SendRouted(_)
        | Event::DraftEdited(_)
        | Event::ActionRequested(_)
        | Event::AttemptSucceeded(_)
        | Event::AttemptRefused(_)
        | Event::AttemptReconciled(_)
        | Event::IntegrationConnected(_)
        | Event::CredentialStored(_)
        | Event::CredentialUsed(_)
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
        | Event::OperationRegistered(_)
        | upkeep_event!()
        | Event::BranchFaulted(_)
        | Event::RunMigrated(_)
        | Event::ChildEnded(_)
        | Event::EventsDelivered(_)
        | Event::ScheduleFired(_)
        | Event::ScheduleMatched(_)
        | Event::CheckpointSigned(_)
        | Event::CheckpointCosigned(_)
        | Event::PayloadErased(_)
        | Event::EpochStarted(_)
        | Event::StandingEndorsed(_)
        | Event::StandingUsed(_)
        | Event::ResolutionCast(_)
        | Event::VoteDelegated(_)
        | people_event!()
        | hook_event!()
        | Event::ResponseDrifted(_) => vec![],
    }
}
