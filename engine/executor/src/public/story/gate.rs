//! Sentences about drafts, decisions and attempts.

use super::words::{Teller, brief, moment, task};
use placet_model::Principal;
use placet_model::attempt::{DeferReason, Evidence, RefuseReason};
use placet_model::decision::{Resolution, Settlement, Verdict, VoidReason};
use placet_model::draft::{BoundIntegration, Mode};
use placet_model::event::attempt::{
    AnswerFacts, AttemptDeferred, AttemptInDoubt, AttemptReconciled, AttemptRefused,
    AttemptStarted, AttemptSucceeded, ReconciledBy,
};
use placet_model::event::decision::{
    ActionRequested, ApproversReminded, DecisionReassigned, DecisionRequested, DecisionSettled,
    DecisionVoided, DraftEdited, DraftOrigin, DraftPrepared, NoticeKind, RequirementRaised,
    ResolutionCast, StandingUsed, VoteCast, VoteDelegated,
};
use placet_model::event::governance::{BreakGlassReviewed, Review, StandingEndorsed};
use placet_model::event::route::SendRouted;

/// Whose account: ` as U1 of T1 (int_…)`.
pub(super) fn account(integration: Option<&BoundIntegration>) -> String {
    let words = |bound: &BoundIntegration| {
        format!(" as {} of {} ({})", bound.identity.id, bound.identity.tenant, bound.id)
    };
    integration.map(words).unwrap_or_default()
}

pub(super) fn send_routed(body: &SendRouted) -> String {
    let SendRouted { operation, channel, to, integration, .. } = body;
    format!("{operation} by the channel {channel} goes as {to} through {integration}")
}

pub(super) fn draft_prepared(teller: &Teller<'_>, body: &DraftPrepared) -> String {
    let why = match body.origin {
        DraftOrigin::Task => "",
        DraftOrigin::Edit => ", in the place of the one that was edited",
        DraftOrigin::Resend => ", as the one before was not sent",
    };
    format!(
        "the engine drafted {} ({}) for {}{}, revision {}{why}: the bytes are {}, the draft is {}{}",
        body.operation,
        body.effect,
        task(&body.task, &body.iteration),
        account(body.integration.as_ref()),
        body.revision,
        brief(body.request_digest),
        brief(body.digest),
        teller.unless_readable("the bytes themselves are", body.request),
    )
}

pub(super) fn decision_requested(teller: &Teller<'_>, body: &DecisionRequested) -> String {
    format!(
        "{} asked for the decision {} on exactly the draft {}, to be answered by {}",
        teller.who(),
        body.decision,
        brief(body.digest),
        moment(body.expires_at),
    )
}

pub(super) fn vote_cast(teller: &Teller<'_>, body: &VoteCast) -> String {
    let (voter, decision, digest) = (&body.voter, body.decision, brief(body.digest));
    let how = body.assurance;
    let reason = teller.because(body.reason);
    let did = match body.verdict {
        Verdict::Approve => {
            format!("approved the request {decision} for exactly the draft {digest}")
        }
        Verdict::Reject => format!("rejected the request {decision} of the draft {digest}"),
        Verdict::Respond => {
            format!(
                "sent the request {decision} of the draft {digest} back with words for the workflow"
            )
        }
        Verdict::BreakGlass => {
            format!("broke the glass: approved the request {decision} of the draft {digest} alone")
        }
        Verdict::Edit => {
            format!("edited what the request {decision} was about, the draft {digest}")
        }
        Verdict::Withdraw => format!("took the request {decision} of the draft {digest} back"),
        Verdict::Reassign => {
            format!("named who is to decide the request {decision} of the draft {digest} instead")
        }
    };
    format!("{voter} {did} ({how}){reason}")
}

pub(super) fn decision_settled(body: &DecisionSettled) -> String {
    let (decision, digest) = (body.decision, brief(body.digest));
    match body.settlement {
        Settlement::Approved => {
            format!("with that the request {decision} is approved, for exactly the draft {digest}")
        }
        Settlement::Rejected => {
            format!("with that the request {decision} is rejected: nothing is sent")
        }
        Settlement::Responded => {
            format!("with that the request {decision} is sent back: nothing is sent")
        }
        Settlement::Expired => {
            format!("the request {decision} expired, as nobody decided in time: nothing is sent")
        }
        Settlement::Withdrawn => format!("the request {decision} was taken back: nothing is sent"),
        Settlement::Superseded => {
            format!("the request {decision} gave way to a newer revision of the draft")
        }
    }
}

pub(super) fn draft_edited(body: &DraftEdited) -> String {
    format!(
        "{} has edited the draft {} of {}: what follows is a revision of its own, which others approve",
        body.editor,
        brief(body.digest),
        task(&body.task, &body.iteration),
    )
}

pub(super) fn decision_reassigned(body: &DecisionReassigned) -> String {
    let to: Vec<&str> = body.to.iter().map(Principal::as_str).collect();
    format!("the request {} is left to {}", body.decision, to.join(", "))
}

pub(super) fn action_requested(teller: &Teller<'_>, body: &ActionRequested) -> String {
    format!("{} asked for one action, under the key {}", teller.who(), brief(body.key))
}

pub(super) fn requirement_raised(body: &RequirementRaised) -> String {
    let missing = body.missing.join("; ");
    format!(
        "the policy in force now asks for more on {}: back to the inbox, missing: {missing}",
        body.decision
    )
}

pub(super) fn standing_used(body: &StandingUsed) -> String {
    format!(
        "the standing approval {:?} covers {}, use {} of the day: the votes of {} were given in advance",
        body.standing,
        body.decision,
        body.count,
        names(&body.voters)
    )
}

pub(super) fn standing_endorsed(body: &StandingEndorsed) -> String {
    format!("{} gave their vote in advance, under {:?} ({})", body.by, body.standing, body.digest)
}

pub(super) fn vote_delegated(body: &VoteDelegated) -> String {
    format!("{} voted on {} in the place of {}", body.voter, body.decision, names(&body.instead_of))
}

pub(super) fn approvers_reminded(body: &ApproversReminded) -> String {
    match body.kind {
        NoticeKind::Reminder => format!("{} still waits: people are reminded", body.decision),
        NoticeKind::Escalation => {
            format!("nobody has decided {} in time: {} may as well", body.decision, names(&body.to))
        }
    }
}

pub(super) fn break_glass_reviewed(body: &BreakGlassReviewed) -> String {
    let says = match body.review {
        Review::Justified => "found it justified",
        Review::Objected => "objected",
    };
    format!("{} looked at {}, sent in an emergency, and {says}", body.reviewer, body.decision)
}

fn names(people: &[Principal]) -> String {
    let names: Vec<_> = people.iter().map(Principal::as_str).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

pub(super) fn decision_voided(body: &DecisionVoided) -> String {
    let why = match body.reason {
        VoidReason::FieldChanged => "something that the approval bound has changed",
        VoidReason::Expired => "it expired before it was used",
        VoidReason::RunCancelled => "the run was cancelled",
        VoidReason::OperationBlocked => "the operation is blocked",
        VoidReason::IntegrationGone => "the integration is gone",
        VoidReason::NewEpoch => "the project was restored or copied",
        VoidReason::TimedOut => "the task or the run took too long",
        VoidReason::Migrated => "the run goes on under another version, and asks again",
        VoidReason::BranchCancelled => "another branch has decided the race",
        VoidReason::Forbidden => "the policy in force refuses it",
        VoidReason::RouteChanged => "its channel leads elsewhere by now",
    };
    let field = body.field.map(|field| format!(" ({field})")).unwrap_or_default();
    format!("the decision {} is void and can never send anything: {why}{field}", body.decision)
}

pub(super) fn attempt_started(teller: &Teller<'_>, body: &AttemptStarted) -> String {
    let (attempt, number) = (body.attempt, body.try_number);
    let account = account(body.integration.as_ref());
    let gone = teller.unless_readable("the bytes themselves are", body.request);
    let Some(decision) = body.decision else {
        return format!(
            "the engine began to read: {}{account}, attempt {attempt}, try {number}{gone}",
            body.operation
        );
    };
    let consumed = if number == 1 { "used up the approval" } else { "under the approval" };
    let way = match body.mode {
        Mode::Live => "to the provider",
        Mode::Sandbox => "to the sandbox, where nothing leaves",
    };
    let draft = body.digest.map(|digest| format!(" of the draft {}", brief(digest)));
    format!(
        "the engine {consumed} {decision} and began to send exactly the bytes {}{} {way}: {}{account}, \
         attempt {attempt}, try {number}{gone}",
        brief(body.request_digest),
        draft.unwrap_or_default(),
        body.operation,
    )
}

pub(super) fn answered(answer: &AnswerFacts) -> String {
    if answer.status == 0 { String::new() } else { format!(" (the answer was {})", answer.status) }
}

pub(super) fn attempt_succeeded(teller: &Teller<'_>, body: &AttemptSucceeded) -> String {
    let (attempt, number) = (body.attempt, body.try_number);
    let (answer, gone) =
        (answered(&body.answer), teller.unless_readable("the answer itself is", body.output));
    if body.would_have_sent.is_some() {
        return format!(
            "try {number} of {attempt} succeeded in the sandbox{answer}: it would have been sent, and nothing left{gone}"
        );
    }
    format!("try {number} of {attempt} succeeded{answer}{gone}")
}

pub(super) fn attempt_refused(teller: &Teller<'_>, body: &AttemptRefused) -> String {
    let why = match body.reason {
        RefuseReason::Permanent => "the provider refuses these bytes",
        RefuseReason::Quota => "a quota is used up",
        RefuseReason::Reconnect => "the credential was refused",
        RefuseReason::Exhausted => "it was put off until the approval ended",
        RefuseReason::Unreadable => "the answer is not what the operation promises",
    };
    let code = body.code.as_ref().map(|code| format!(", {code}")).unwrap_or_default();
    format!(
        "try {} of {} was refused for good: {why}{code}{}{}",
        body.try_number,
        body.attempt,
        answered(&body.answer),
        teller.because(body.detail),
    )
}

pub(super) fn attempt_deferred(body: &AttemptDeferred) -> String {
    let why = match body.reason {
        DeferReason::RateLimited => "the provider said to wait",
        DeferReason::Connect => "no connection came up",
        DeferReason::BeforeSend => "it failed before the first byte",
        DeferReason::NotProcessed => "the provider says that it did nothing",
        DeferReason::Restart => "the engine stopped while it was reading",
        DeferReason::Resolve => "the host's address could not be had",
        DeferReason::Tls => "the TLS handshake came to nothing",
        DeferReason::Queue => "other calls to this host took all of its time",
    };
    let (number, attempt, until) = (body.try_number, body.attempt, moment(body.until));
    format!(
        "try {number} of {attempt} came to nothing ({why}); the same bytes again from {until} on"
    )
}

pub(super) fn attempt_in_doubt(teller: &Teller<'_>, body: &AttemptInDoubt) -> String {
    let why = match body.evidence {
        Evidence::Restart => "the engine stopped before a result was recorded",
        Evidence::Timeout => "no answer came in time",
        Evidence::Reset => "the connection broke",
        Evidence::Answer => "the provider failed or said something unknown",
        Evidence::LeaseExpired => "the call would have started too late",
        Evidence::CommitUnknown => "the result could not be recorded",
        Evidence::MovedOn => "what it changes has moved on, and nobody knows by whom",
        Evidence::NotFinal => "the provider has it, and has not said how it ends",
    };
    format!(
        "nobody knows whether try {} of {} arrived: {why}{}{}",
        body.try_number,
        body.attempt,
        answered(&body.answer),
        teller.because(body.detail),
    )
}

pub(super) fn resolution_cast(teller: &Teller<'_>, body: &ResolutionCast) -> String {
    let what = match body.resolution {
        Resolution::Sent => "it was sent",
        Resolution::NotSent => "it was not sent",
        Resolution::GiveUp => "nobody will know, it is given up",
    };
    format!(
        "{} ({}) said of the draft {}, asked for by {}: {what}{}",
        body.by,
        body.assurance,
        brief(body.digest),
        body.decision,
        teller.because(body.reason)
    )
}

pub(super) fn attempt_reconciled(teller: &Teller<'_>, body: &AttemptReconciled) -> String {
    let who = teller.who();
    let who = match body.by {
        ReconciledBy::Person => format!("{who} said"),
        ReconciledBy::Resend => {
            "sending the same bytes again under the provider's key showed".to_owned()
        }
        ReconciledBy::Lookup => "a look-up at the provider showed".to_owned(),
        ReconciledBy::Arrival => "the provider told by itself".to_owned(),
    };
    let what = match body.resolution {
        Resolution::Sent => "was sent",
        Resolution::NotSent => "was not sent",
        Resolution::GiveUp => "cannot be known to be sent or not: it is given up",
    };
    format!("{who} that {} {what}", body.attempt)
}
