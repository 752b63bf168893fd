//! A sentence for every type of event: a new type has none until it gets one here.

use super::words::Teller;
use super::{flow, gate, lookup, notice, project};
use placet_model::{Event, IntegrationId, attempt_event, beside_event, lookup_event, upkeep_event};

impl Teller<'_> {
    /// What the event says.
    #[expect(clippy::unnested_or_patterns, reason = "a macro stands for several events")]
    pub(super) fn sentence(&self) -> String {
        match &self.event.event {
            Event::RunStarted(body) => flow::run_started(self, body),
            Event::TaskStarted(body) => flow::task_started(body),
            Event::IterationStarted(body) => flow::iteration_started(body),
            Event::TaskCompleted(body) => flow::task_completed(self, body),
            Event::TaskSkipped(body) => flow::task_skipped(body),
            Event::TaskFaulted(body) => flow::task_faulted(self, body),
            Event::FaultCaught(body) => flow::fault_caught(self, body),
            Event::TimerArmed(body) => flow::timer_armed(body),
            Event::TimerFired(_) => "the timer came due".to_owned(),
            Event::RunCompleted(body) => flow::run_completed(self, body),
            Event::RunFaulted(body) => flow::run_faulted(self, body),
            Event::RunCancelled(body) => flow::run_cancelled(self, body),
            Event::RetryScheduled(body) => flow::retry_scheduled(self, body),
            Event::BranchFaulted(body) => flow::branch_faulted(self, body),
            Event::WaitStarted(body) => flow::wait_started(body),
            Event::EventMatched(body) => flow::event_matched(body),
            Event::EventHandled(body) => flow::event_handled(body),
            Event::EventEmitted(body) => flow::event_emitted(body),
            Event::RunMigrated(body) => flow::run_migrated(self, body),
            Event::ChildStarted(body) => flow::child_started(body),
            Event::ChildEnded(body) => flow::child_ended(body),
            Event::ChildDropped(body) => flow::child_dropped(body),
            Event::SendRouted(body) => gate::send_routed(body),
            Event::PreviewRead(body) => lookup::preview(self, body),
            Event::DraftPrepared(body) => gate::draft_prepared(self, body),
            Event::DecisionRequested(body) => gate::decision_requested(self, body),
            Event::VoteCast(body) => gate::vote_cast(self, body),
            Event::ResolutionCast(body) => gate::resolution_cast(self, body),
            Event::DecisionSettled(body) => gate::decision_settled(body),
            Event::DraftEdited(body) => gate::draft_edited(body),
            Event::DecisionReassigned(body) => gate::decision_reassigned(body),
            Event::ActionRequested(body) => gate::action_requested(self, body),
            Event::RequirementRaised(body) => gate::requirement_raised(body),
            Event::DecisionVoided(body) => gate::decision_voided(body),
            Event::StandingUsed(body) => gate::standing_used(body),
            Event::VoteDelegated(body) => gate::vote_delegated(body),
            Event::ApproversReminded(body) => gate::approvers_reminded(body),
            Event::BreakGlassReviewed(body) => gate::break_glass_reviewed(body),
            Event::StandingEndorsed(body) => gate::standing_endorsed(body),
            attempt_event!() => self.of_attempt(),
            lookup_event!() => lookup::sentence(self),
            Event::IntegrationConnected(body) => project::connected(self, body),
            Event::CredentialStored(body) => project::credential_stored(self, body),
            Event::CredentialUsed(body) => project::credential_used(self, body),
            Event::IntegrationTested(body) => project::tested(body),
            Event::HealthCheckFailed(body) => project::failed(body),
            Event::IntegrationDisabled(body) => self.switched("off", body.integration),
            Event::IntegrationEnabled(body) => self.switched("on", body.integration),
            Event::IntegrationDisconnected(body) => project::disconnected(self, body),
            Event::IntegrationScoped(body) => project::scoped(self, body),
            Event::PolicyChanged(body) => project::policy_changed(self, body),
            Event::OutboundPaused(body) => project::paused(self, body),
            Event::OutboundResumed(body) => project::resumed(self, body),
            Event::WorkflowDeployed(body) => project::deployed(self, body),
            Event::OperationRegistered(body) => project::operation_registered(body),
            upkeep_event!() => self.of_upkeep(),
            Event::EventReceived(body) => project::event_received(self, body),
            Event::EventsDelivered(body) => project::events_delivered(body),
            Event::ScheduleFired(body) => project::schedule_fired(body),
            Event::ScheduleMatched(body) => project::schedule_matched(body),
            Event::CheckpointSigned(body) => project::checkpoint_signed(body),
            Event::CheckpointCosigned(body) => project::checkpoint_cosigned(body),
            Event::PayloadErased(body) => project::erased(self, body),
            Event::EpochStarted(body) => project::epoch_started(self, body),
            beside_event!() => self.of_beside(),
        }
    }

    /// What was done to keep the project.
    fn of_upkeep(&self) -> String {
        match &self.event.event {
            Event::EngineStarted(body) => project::engine_started(body),
            Event::VaultRotated(body) => project::vault_rotated(self, body),
            other => other.type_name().to_owned(),
        }
    }

    /// How a try of a call began or ended.
    fn of_attempt(&self) -> String {
        match &self.event.event {
            Event::AttemptStarted(body) => gate::attempt_started(self, body),
            Event::AttemptSucceeded(body) => gate::attempt_succeeded(self, body),
            Event::AttemptRefused(body) => gate::attempt_refused(self, body),
            Event::AttemptDeferred(body) => gate::attempt_deferred(body),
            Event::AttemptInDoubt(body) => gate::attempt_in_doubt(self, body),
            Event::AttemptReconciled(body) => gate::attempt_reconciled(self, body),
            other => other.type_name().to_owned(),
        }
    }

    /// What a provider posted, or what was refused of it.
    fn of_inbound(&self) -> String {
        match &self.event.event {
            Event::SubscriptionChanged(body) => project::subscription_changed(self, body),
            Event::SyncCompleted(body) => project::synced(body),
            Event::PairingChanged(body) => project::pairing(self, body),
            Event::TriggerSet(body) => project::trigger_set(self, body),
            Event::TriggerRemoved(body) => project::trigger_removed(self, body),
            Event::OwnCallStarted(body) => project::own_call_started(self, body),
            Event::OwnCallEnded(body) => project::own_call_ended(body),
            Event::InboundReceived(body) => project::inbound_received(self, body),
            Event::InboundRejected(body) => project::inbound_rejected(body),
            other => other.type_name().to_owned(),
        }
    }

    /// What an event about people says, or about what a provider posted.
    fn of_beside(&self) -> String {
        match &self.event.event {
            Event::KeyRegistered(body) => project::key_registered(self, body),
            Event::KeyRevoked(body) => project::key_revoked(self, body),
            Event::PasskeyEnrolled(body) => project::passkey_enrolled(body),
            Event::PasskeyConfirmed(body) => project::passkey_confirmed(self, body),
            Event::PasskeyRevoked(body) => project::passkey_revoked(self, body),
            Event::RequestSigned(body) => project::request_signed(body),
            Event::NoticeQueued(body) => notice::queued(body),
            Event::NoticeSent(body) => notice::sent(body),
            Event::NoticeFailed(body) => notice::failed(body),
            Event::ApproverAlarmRaised(body) => notice::alarm(body),
            Event::ResponseDrifted(body) => project::drifted(body),
            _ => self.of_inbound(),
        }
    }

    fn switched(&self, how: &str, integration: IntegrationId) -> String {
        self.did(&format!("switched {how} the integration"), integration)
    }
}
