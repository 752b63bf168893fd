//! The fold of one decision: everything that the inbox shows, except content.
//!
//! A row is made when the request is, and is kept for ever. It names the run's facts by the run's
//! id alone: they are joined when a row is read.

use crate::inbox::{place_of, shape_of};
use crate::key::Mark;
use crate::nonce::Said;
use crate::run::{Facts, State};
use crate::{DecisionRow, Due, DueRow, Error};
use placet_model::approval::Requirement;
use placet_model::attempt::RefuseReason;
use placet_model::decision::{DecisionState, Verdict, VoidReason};
use placet_model::draft::{BoundField, Mode};
use placet_model::event::attempt::{
    AttemptDeferred, AttemptReconciled, AttemptRefused, AttemptSucceeded,
};
use placet_model::event::decision::{
    ApproversReminded, DecisionReassigned, DecisionRequested, DecisionSettled, DecisionVoided,
    DraftPrepared, NoticeKind, RequirementRaised, ResolutionCast, StandingUsed, VoteCast,
    VoteDelegated,
};
use placet_model::manifest::Effect;
use placet_model::{
    AttemptId, DecisionId, Digest, Event, IntegrationId, Iteration, PayloadRef, Principal,
    RecordedEvent, Revision, RunId, TaskPath, Timestamp, attempt_event, beside_event, lookup_event,
    upkeep_event,
};
use serde::{Deserialize, Serialize};

/// A decision as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Decision {
    pub(crate) run: RunId,
    pub(crate) requester: Principal,
    /// `namespace/name` of the workflow that asked.
    pub(crate) workflow: String,
    pub(crate) mode: Mode,
    pub(crate) task: TaskPath,
    iteration: Iteration,
    pub(crate) operation: String,
    pub(crate) effect: Effect,
    pub(crate) integration: Option<IntegrationId>,
    draft_revision: u32,
    digest: Digest,
    pub(crate) requirement: Requirement,
    requested_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) state: DecisionState,
    pub(crate) in_doubt: Option<(AttemptId, Timestamp)>,
    pub(crate) votes: Vec<(Principal, Verdict, Timestamp)>,
    missing: Vec<String>,
    void: Option<(VoidReason, Option<BoundField>)>,
    with: PayloadRef,
    request: PayloadRef,
    document: PayloadRef,
    summary: Option<PayloadRef>,
    attempt: Option<AttemptId>,
    /// Who has written the draft, where that is not the workflow.
    pub(crate) editor: Option<Principal>,
    /// Users and groups who are to decide instead.
    pub(crate) assigned: Vec<Principal>,
    revision: Revision,
    notes: Vec<String>,
    notices: Vec<(Timestamp, NoticeKind)>,
    pub(crate) standing: Option<StandingUsed>,
    delegated: Vec<(Principal, Vec<Principal>)>,
    /// Since when it lies in the inbox: the request, or what has put it back.
    pub(crate) asked_at: Timestamp,
    /// Whose votes of a standing approval are still to come.
    pub(crate) in_advance: Vec<Principal>,
}

/// What an event means for a decision.
#[derive(Debug)]
pub(crate) enum Change<'e> {
    Requested(&'e DecisionRequested),
    Voted(&'e VoteCast),
    /// Somebody says what became of its attempt.
    Resolved(&'e ResolutionCast),
    Settled(&'e DecisionSettled),
    Raised(&'e RequirementRaised),
    Reassigned(&'e DecisionReassigned),
    Voided(&'e DecisionVoided),
    Standing(&'e StandingUsed),
    Delegated(&'e VoteDelegated),
    Reminded(&'e ApproversReminded),
    /// A try has claimed it.
    Claimed(AttemptId),
    /// The try proved that nothing was sent, and the approval may be spent again.
    Unspent,
    /// Sent, and nobody knows whether it arrived.
    InDoubt(AttemptId),
    /// It is known now.
    DoubtOver,
}

impl<'e> Change<'e> {
    /// What the event means, given the run before it. Most events mean nothing for a decision,
    /// and then its row is not even read.
    #[expect(clippy::unnested_or_patterns, reason = "a macro stands for several events")]
    pub(crate) fn of(state: &State, event: &'e Event) -> Option<(DecisionId, Self)> {
        match event {
            Event::DecisionRequested(body) => Some((body.decision, Self::Requested(body))),
            Event::VoteCast(body) => Some((body.decision, Self::Voted(body))),
            Event::ResolutionCast(body) => Some((body.decision, Self::Resolved(body))),
            Event::DecisionSettled(body) => Some((body.decision, Self::Settled(body))),
            Event::RequirementRaised(body) => Some((body.decision, Self::Raised(body))),
            Event::DecisionReassigned(body) => Some((body.decision, Self::Reassigned(body))),
            Event::DecisionVoided(body) => Some((body.decision, Self::Voided(body))),
            Event::StandingUsed(body) => Some((body.decision, Self::Standing(body))),
            Event::VoteDelegated(body) => Some((body.decision, Self::Delegated(body))),
            Event::ApproversReminded(body) => Some((body.decision, Self::Reminded(body))),
            attempt_event!() => Self::of_attempt(state, event),
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
            | Event::SendRouted(_)
            | Event::PreviewRead(_)
            | Event::DraftPrepared(_)
            | Event::DraftEdited(_)
            | Event::ActionRequested(_)
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
            | Event::EventReceived(_)
            | Event::EventsDelivered(_)
            | Event::ScheduleFired(_)
            | Event::ScheduleMatched(_)
            | Event::CheckpointSigned(_)
            | Event::CheckpointCosigned(_)
            | Event::PayloadErased(_)
            | Event::EpochStarted(_)
            | Event::StandingEndorsed(_)
            | Event::BreakGlassReviewed(_)
            | lookup_event!()
            | beside_event!() => None,
        }
    }
}

impl<'e> Change<'e> {
    fn of_attempt(state: &State, event: &'e Event) -> Option<(DecisionId, Self)> {
        if let Event::AttemptStarted(body) = event {
            return Some((body.decision?, Self::Claimed(body.attempt)));
        }
        if let Event::AttemptRefused(body) = event {
            return refused(state, body);
        }
        if let Event::AttemptInDoubt(body) = event {
            return in_doubt(state, body.attempt);
        }
        let (Event::AttemptSucceeded(AttemptSucceeded { attempt, .. })
        | Event::AttemptDeferred(AttemptDeferred { attempt, .. })
        | Event::AttemptReconciled(AttemptReconciled { attempt, .. })) = event
        else {
            return None;
        };
        doubt_over(state, *attempt)
    }
}

impl Change<'_> {
    /// What a person said, under a nonce and perhaps a request id of theirs.
    pub(crate) fn said(&self) -> Option<Said<'_>> {
        match self {
            Self::Voted(vote) => Some(Said {
                by: &vote.voter,
                nonce: &vote.nonce,
                request_id: vote.request_id.as_ref(),
                signed: vote.signed.as_ref(),
            }),
            Self::Resolved(said) => Some(Said {
                by: &said.by,
                nonce: &said.nonce,
                request_id: said.request_id.as_ref(),
                signed: said.signed.as_ref(),
            }),
            Self::Requested(_)
            | Self::Settled(_)
            | Self::Raised(_)
            | Self::Reassigned(_)
            | Self::Voided(_)
            | Self::Standing(_)
            | Self::Delegated(_)
            | Self::Reminded(_)
            | Self::Claimed(_)
            | Self::Unspent
            | Self::InDoubt(_)
            | Self::DoubtOver => None,
        }
    }
}

fn in_doubt<'e>(state: &State, attempt: AttemptId) -> Option<(DecisionId, Change<'e>)> {
    Some((state.known(attempt)?.decision?, Change::InDoubt(attempt)))
}

fn refused<'e>(state: &State, body: &AttemptRefused) -> Option<(DecisionId, Change<'e>)> {
    let known = state.known(body.attempt)?;
    match known.spendable.filter(|_| body.reason == RefuseReason::Reconnect) {
        Some(decision) => Some((decision, Change::Unspent)),
        None => doubt_over(state, body.attempt),
    }
}

fn doubt_over<'e>(state: &State, attempt: AttemptId) -> Option<(DecisionId, Change<'e>)> {
    let known = state.known(attempt).filter(|known| known.in_doubt)?;
    Some((known.decision?, Change::DoubtOver))
}

impl Decision {
    pub(crate) fn requested(
        (run, facts): (RunId, Facts),
        (draft, editor): (&DraftPrepared, Option<Principal>),
        body: &DecisionRequested,
        event: &RecordedEvent,
    ) -> Self {
        Self {
            run,
            workflow: facts.workflow.family(),
            mode: facts.mode,
            requester: facts.requester,
            task: draft.task.clone(),
            iteration: draft.iteration.clone(),
            operation: draft.operation.clone(),
            effect: draft.effect,
            integration: draft.integration.as_ref().map(|bound| bound.id),
            draft_revision: draft.revision,
            digest: draft.digest,
            requirement: draft.requirement.clone(),
            requested_at: event.recorded_at,
            expires_at: body.expires_at,
            state: DecisionState::Requested,
            in_doubt: None,
            votes: Vec::new(),
            missing: Vec::new(),
            void: None,
            with: draft.with,
            request: draft.request,
            document: draft.document,
            summary: draft.summary,
            attempt: None,
            editor,
            assigned: Vec::new(),
            revision: event.revision,
            notes: draft.notes.clone(),
            notices: Vec::new(),
            standing: None,
            delegated: Vec::new(),
            asked_at: event.recorded_at,
            in_advance: Vec::new(),
        }
    }

    pub(crate) fn apply(&mut self, change: &Change<'_>, event: &RecordedEvent) {
        self.revision = event.revision;
        match change {
            Change::Requested(body) => self.expires_at = body.expires_at,
            Change::Voted(vote) => {
                self.in_advance.retain(|voter| *voter != vote.voter);
                self.votes.push((vote.voter.clone(), vote.verdict, event.recorded_at));
            }
            Change::Settled(body) => {
                self.state = body.settlement.into();
                self.missing.clear();
            }
            Change::Raised(body) => {
                self.state = DecisionState::Requested;
                self.requirement = body.requirement.clone();
                self.asked_at = event.recorded_at;
                self.missing.clone_from(&body.missing);
            }
            Change::Reassigned(body) => {
                let said =
                    self.votes.iter().filter(|v| matches!(v.1, Verdict::Approve | Verdict::Reject));
                let said = said.map(|(voter, ..)| voter.clone());
                self.assigned = body.to.iter().cloned().chain(said).collect();
            }
            Change::Voided(body) => {
                self.state = DecisionState::Void;
                self.void = Some((body.reason, body.field));
                self.missing.clear();
            }
            Change::Standing(body) => {
                self.standing = Some((*body).clone());
                self.in_advance.clone_from(&body.voters);
            }
            Change::Delegated(body) => {
                self.delegated.push((body.voter.clone(), body.instead_of.clone()));
            }
            Change::Reminded(body) => self.notices.push((body.due_at, body.kind)),
            Change::Claimed(attempt) => {
                self.state = DecisionState::Consumed;
                self.attempt = Some(*attempt);
                self.in_doubt = None;
            }
            Change::Unspent => {
                self.state = DecisionState::Approved;
                self.in_doubt = None;
            }
            Change::InDoubt(attempt) => self.in_doubt = Some((*attempt, event.recorded_at)),
            Change::DoubtOver => self.in_doubt = None,
            Change::Resolved(_) => {}
        }
    }

    /// The marks of the decision.
    pub(crate) fn marks(&self, decision: DecisionId) -> Vec<Mark> {
        let approved = self.state == DecisionState::Approved;
        let requested = self.state == DecisionState::Requested;
        let mut marks = Vec::new();
        if requested || approved || self.in_doubt.is_some() {
            marks.push(Mark::Open(decision));
        }
        if approved {
            marks.push(Mark::Approved(decision));
        }
        if self.votes.iter().any(|(_, verdict, _)| *verdict == Verdict::BreakGlass) {
            marks.push(Mark::Broken(decision));
        }
        marks
    }

    /// When people hear of it again, while it is open.
    pub(crate) fn due(&self, decision: DecisionId) -> Option<DueRow> {
        let open = self.state == DecisionState::Requested;
        let due = self.requirement.notices_due(self.requested_at, &self.notices);
        let (at, ..) = due.into_iter().next().filter(|(at, ..)| open && *at < self.expires_at)?;
        Some(DueRow { at, run: self.run, due: Due::Notice(decision) })
    }

    /// The row as readers see it.
    pub(crate) fn into_row(self, decision: DecisionId, run: Facts) -> Result<DecisionRow, Error> {
        Ok(DecisionRow {
            decision,
            shape: shape_of(&self)?,
            place: place_of(decision, &self),
            run: self.run,
            workflow: run.workflow,
            requester: self.requester,
            mode: run.mode,
            task: self.task,
            iteration: self.iteration,
            operation: self.operation,
            effect: self.effect,
            integration: self.integration,
            draft_revision: self.draft_revision,
            digest: self.digest,
            requirement: self.requirement,
            requested_at: self.requested_at,
            expires_at: self.expires_at,
            state: self.state,
            in_doubt: self.in_doubt,
            votes: self.votes,
            missing: self.missing,
            void: self.void,
            with: self.with,
            request: self.request,
            document: self.document,
            summary: self.summary,
            attempt: self.attempt,
            editor: self.editor,
            assigned: self.assigned,
            revision: self.revision,
            notes: self.notes,
            standing: self.standing,
            delegated: self.delegated,
        })
    }
}

/// The error for an event that does not fit what the tables hold.
pub(crate) fn misplaced(event: &RecordedEvent, what: &'static str) -> Error {
    Error::Misplaced { position: event.position, event: event.event.type_name(), what }
}
