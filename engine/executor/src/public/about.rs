//! What an event names: which task, decision, attempt, draft, integration. Every type of event
//! stands here, so that a new one is not overlooked by whoever looks for something.

use placet_model::event::Event;
use placet_model::event::attempt::AttemptStarted;
use placet_model::event::decision::DraftPrepared;
use placet_model::{
    AttemptId, DecisionId, Digest, IntegrationId, aside_event, attempt_event, hook_event,
    inbound_event, lookup_event, people_event, upkeep_event,
};

/// What an event names itself; what follows from earlier events of its stream is not in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct About {
    /// The decision that it is about.
    pub(super) decision: Option<DecisionId>,
    /// The attempt that it is about.
    pub(super) attempt: Option<AttemptId>,
    /// The draft that it binds.
    pub(super) digest: Option<Digest>,
    /// The integration that it is about, or that it went through.
    pub(super) integration: Option<IntegrationId>,
}

impl About {
    fn started(body: &AttemptStarted) -> Self {
        Self {
            decision: body.decision,
            attempt: Some(body.attempt),
            digest: body.digest,
            integration: body.integration.as_ref().map(|bound| bound.id),
        }
    }

    fn beside(event: &Event) -> Self {
        match event {
            Event::AttemptStarted(body) => Self::started(body),
            Event::AttemptSucceeded(body) => Self::attempt(body.attempt),
            Event::AttemptRefused(body) => Self::attempt(body.attempt),
            Event::AttemptDeferred(body) => Self::attempt(body.attempt),
            Event::AttemptInDoubt(body) => Self::attempt(body.attempt),
            Event::AttemptReconciled(body) => Self::attempt(body.attempt),
            Event::LookupPlanned(body) => Self::attempt(body.attempt),
            Event::LookupStarted(body) => {
                let integration = body.integration.as_ref().map(|bound| bound.id);
                Self { attempt: Some(body.attempt), ..Self::integration(integration) }
            }
            Event::LookupEnded(body) => Self::attempt(body.attempt),
            Event::ResponseDrifted(body) => {
                Self { attempt: Some(body.attempt), ..Self::integration(Some(body.integration)) }
            }
            Event::EvidenceArrived(body) => {
                Self { attempt: Some(body.attempt), ..Self::integration(Some(body.integration)) }
            }
            Event::SendRouted(body) => Self::integration(Some(body.integration)),
            Event::PreviewRead(body) => {
                Self::integration(body.integration.as_ref().map(|bound| bound.id))
            }
            Event::SubscriptionChanged(body) => Self::integration(Some(body.integration)),
            Event::SyncCompleted(body) => Self::integration(Some(body.integration)),
            Event::PairingChanged(body) => Self::integration(Some(body.integration)),
            Event::TriggerSet(body) => Self::integration(Some(body.integration)),
            Event::TriggerRemoved(body) => Self::integration(Some(body.integration)),
            Event::OwnCallStarted(body) => Self::integration(Some(body.integration)),
            Event::OwnCallEnded(body) => Self::integration(Some(body.integration)),
            _ => Self::posted(event),
        }
    }

    fn draft(body: &DraftPrepared) -> Self {
        let integration = body.integration.as_ref().map(|bound| bound.id);
        Self { digest: Some(body.digest), ..Self::integration(integration) }
    }

    /// What this event names.
    #[expect(clippy::unnested_or_patterns, reason = "a macro stands for several events")]
    pub(super) fn of(event: &Event) -> Self {
        match event {
            Event::DraftPrepared(body) => Self::draft(body),
            Event::DecisionRequested(body) => Self::decision(body.decision, Some(body.digest)),
            Event::VoteCast(body) => Self::decision(body.decision, Some(body.digest)),
            Event::ResolutionCast(body) => Self::decision(body.decision, Some(body.digest)),
            Event::DecisionSettled(body) => Self::decision(body.decision, Some(body.digest)),
            Event::DraftEdited(body) => Self::decision(body.decision, Some(body.digest)),
            Event::DecisionReassigned(body) => Self::decision(body.decision, None),
            Event::RequirementRaised(body) => Self::decision(body.decision, None),
            Event::DecisionVoided(body) => Self::decision(body.decision, None),
            Event::StandingUsed(body) => Self::decision(body.decision, None),
            Event::VoteDelegated(body) => Self::decision(body.decision, None),
            Event::ApproversReminded(body) => Self::decision(body.decision, None),
            Event::BreakGlassReviewed(body) => Self::decision(body.decision, None),
            inbound_event!()
            | lookup_event!()
            | hook_event!()
            | attempt_event!()
            | aside_event!()
            | Event::ResponseDrifted(_) => Self::beside(event),
            Event::IntegrationScoped(body) => Self::integration(Some(body.integration)),
            Event::IntegrationConnected(body) => Self::integration(Some(body.integration)),
            Event::CredentialStored(body) => Self::integration(Some(body.integration)),
            Event::CredentialUsed(body) => Self::integration(Some(body.integration)),
            Event::IntegrationTested(body) => Self::integration(Some(body.integration)),
            Event::HealthCheckFailed(body) => Self::integration(Some(body.integration)),
            Event::IntegrationDisabled(body) => Self::integration(Some(body.integration)),
            Event::IntegrationEnabled(body) => Self::integration(Some(body.integration)),
            Event::IntegrationDisconnected(body) => Self::integration(Some(body.integration)),
            Event::OutboundPaused(body) => Self::integration(body.integration),
            Event::OutboundResumed(body) => Self::integration(body.integration),
            Event::NoticeQueued(b) if b.integration.is_some() => Self::integration(b.integration),
            Event::RunStarted(_)
            | Event::TaskStarted(_)
            | Event::IterationStarted(_)
            | Event::TaskCompleted(_)
            | Event::TaskSkipped(_)
            | Event::TaskFaulted(_)
            | Event::FaultCaught(_)
            | Event::TimerArmed(_)
            | Event::TimerFired(_)
            | Event::RunCompleted(_)
            | Event::RunFaulted(_)
            | Event::RunCancelled(_)
            | Event::RetryScheduled(_)
            | Event::BranchFaulted(_)
            | Event::WaitStarted(_)
            | Event::EventMatched(_)
            | Event::EventHandled(_)
            | Event::EventEmitted(_)
            | Event::RunMigrated(_)
            | Event::ChildStarted(_)
            | Event::ChildEnded(_)
            | Event::ChildDropped(_)
            | Event::PolicyChanged(_)
            | Event::WorkflowDeployed(_)
            | Event::OperationRegistered(_)
            | upkeep_event!()
            | Event::EventReceived(_)
            | Event::EventsDelivered(_)
            | Event::ScheduleFired(_)
            | Event::ScheduleMatched(_)
            | Event::CheckpointSigned(_)
            | Event::CheckpointCosigned(_)
            | Event::PayloadErased(_)
            | Event::EpochStarted(_)
            | Event::StandingEndorsed(_)
            | people_event!() => Self::default(),
        }
    }

    /// What a provider posted, or what was refused of it.
    fn posted(event: &Event) -> Self {
        match event {
            Event::InboundReceived(body) => Self::integration(Some(body.integration)),
            Event::InboundRejected(body) => Self::integration(Some(body.integration)),
            _ => Self::default(),
        }
    }

    const fn decision(decision: DecisionId, digest: Option<Digest>) -> Self {
        Self { decision: Some(decision), attempt: None, digest, integration: None }
    }

    const fn attempt(attempt: AttemptId) -> Self {
        Self { decision: None, attempt: Some(attempt), digest: None, integration: None }
    }

    const fn integration(integration: Option<IntegrationId>) -> Self {
        Self { decision: None, attempt: None, digest: None, integration }
    }
}
