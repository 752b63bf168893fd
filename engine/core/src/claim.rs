//! The claim (GATE.md §4): hold, re-evaluate, refuse, and only then consume the approval.
//!
//! The events that it returns are appended in one transaction; no byte leaves before that append
//! is acknowledged.

use crate::policy::{self, Electorate};
use crate::run::{Activity, Ask, Attempt, Branch, LookupStage, Run};
use placet_model::approval::Requirement;
use placet_model::decision::{Settlement, Verdict, VoidReason};
use placet_model::draft::{BoundField, DraftDocument};
use placet_model::event::attempt::AttemptStarted;
use placet_model::event::decision::{DecisionSettled, DecisionVoided, RequirementRaised};
use placet_model::integration::{Integration, IntegrationStatus};
use placet_model::policy::Policy;
use placet_model::{AttemptId, DecisionId, Digest, Event, Timestamp, Uptime};
#[cfg(placet_mutants)]
use placet_mutants::Mutant;

/// Everything outside the run that the claim looks at.
#[derive(Debug, Clone)]
pub struct Circumstances<'a> {
    /// Log time.
    pub now: Timestamp,
    /// The same moment by the clock that nobody can set; none where the machine has none.
    pub uptime: Option<Uptime>,
    /// The project's name.
    pub project: &'a str,
    /// The policy in force.
    pub policy: &'a Policy,
    /// What the policy in force asks for this action.
    pub requirement: Requirement,
    /// Whether the policy in force refuses this action, whoever approves.
    pub forbidden: bool,
    /// Whether the channel by which the action was asked for leads elsewhere by now.
    pub rerouted: bool,
    /// The integration as it is now; none where the call uses none or it is gone.
    pub integration: Option<&'a Integration>,
    /// Digest of its settings as they are now.
    pub settings_digest: Option<Digest>,
    /// The document that was approved, read back from the payload store.
    pub approved: &'a DraftDocument,
    /// Digest of the stored request, computed from the stored bytes just now.
    pub request_digest: Digest,
    /// Digest of the operation as stored with the draft.
    pub operation_digest: Digest,
    /// A temporary condition in force.
    pub hold: Option<Hold>,
}

/// A temporary condition: the approval stays unspent and waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    /// The project is paused.
    Paused,
    /// The integration is paused.
    IntegrationPaused,
    /// An operator has switched the integration off.
    IntegrationDisabled,
    /// The integration's credential was refused.
    IntegrationFailed,
    /// This engine cannot send in the run's mode.
    ModeUnavailable,
    /// A rate or budget is used up, or the provider said to wait.
    RateLimited,
    /// The token of the integration is being renewed.
    TokenRenewed,
    /// The engine is stopping.
    Stopping,
}

impl Hold {
    /// The words shown in the inbox.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Paused => "outbound traffic of the project is paused",
            Self::IntegrationPaused => "outbound traffic of the integration is paused",
            Self::IntegrationDisabled => "the integration is disabled",
            Self::IntegrationFailed => {
                "the integration has failed: it must be tested, given a new credential, or connected again"
            }
            Self::ModeUnavailable => "this engine does not send in the run's mode",
            Self::RateLimited => "a rate limit or budget is used up",
            Self::TokenRenewed => "the token of the integration is being renewed",
            Self::Stopping => "the engine is stopping",
        }
    }
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// There is nothing to claim.
    Nothing,
    /// It stays approved and waits.
    Hold(Hold),
    /// Events to append: `AttemptStarted`, `DecisionVoided`, or `RequirementRaised` (with
    /// `DecisionSettled(rejected)` where a rejection is enough under the stricter rules).
    Decided(Vec<Event>),
}

/// Claims an unspent approval.
pub fn claim(
    run: &Run,
    (decision, attempt): (DecisionId, AttemptId),
    circumstances: &Circumstances<'_>,
) -> Claim {
    let unsettled = run.unsettled(decision);
    let unspent = unsettled.and_then(|(branch, _)| unspent(branch));
    let Some(Unspent { branch, ask, prior }) = unspent else { return Claim::Nothing };
    if let Some(hold) = hold(branch, circumstances) {
        return Claim::Hold(hold);
    }
    if let Some(events) = raised(run, ask, circumstances) {
        return Claim::Decided(events);
    }
    let decided = refused((run, branch), ask, circumstances).unwrap_or_else(|| {
        let (attempt, tries) = prior.unwrap_or((attempt, 0));
        started(run, ask, (attempt, tries + 1), circumstances)
    });
    Claim::Decided(vec![decided])
}

/// The next try of an attempt in doubt, whose provider deduplicates on our key, or has been asked and
/// does not have it: the same bytes, and
/// the same rules as for a claim. Where these say no the attempt stays in doubt, and
/// [`Claim::Nothing`] leaves it to a person: it can be neither void nor asked again, since it may
/// have been sent. The caller has checked that the key is still young enough.
pub fn again(run: &Run, attempt: AttemptId, circumstances: &Circumstances<'_>) -> Claim {
    let mine = |(_, known): &(&Branch, &Attempt)| known.started.attempt == attempt;
    let Some((branch, _)) = run.attempts().find(mine) else { return Claim::Nothing };
    let Activity::InDoubt(_, last) = &branch.activity else { return Claim::Nothing };
    let Some(ask) = &last.ask else { return Claim::Nothing };
    match run.lookup_stage(attempt) {
        None | Some(LookupStage::Absent | LookupStage::Outdated | LookupStage::Over) => {}
        // first what became of the last try
        Some(LookupStage::Due(_) | LookupStage::UnderWay) => return Claim::Nothing,
    }
    if let Some(hold) = hold(branch, circumstances) {
        return Claim::Hold(hold);
    }
    let refused = refused((run, branch), ask, circumstances);
    if raised(run, ask, circumstances).is_some() || refused.is_some() {
        return Claim::Nothing;
    }
    let next = (last.started.attempt, last.started.try_number + 1);
    Claim::Decided(vec![started(run, ask, next, circumstances)])
}

/// An approval that may be claimed, and the attempt that has proved that nothing was sent.
struct Unspent<'r> {
    branch: &'r Branch,
    ask: &'r Ask,
    prior: Option<(AttemptId, u32)>,
}

fn unspent(branch: &Branch) -> Option<Unspent<'_>> {
    if let Activity::Approved(_, ask) = &branch.activity {
        return Some(Unspent { branch, ask, prior: ask.prior });
    }
    let Activity::Deferred(_, last, _) = &branch.activity else { return None };
    let prior = Some((last.started.attempt, last.started.try_number));
    Some(Unspent { branch, ask: last.ask.as_ref()?, prior })
}

fn hold(branch: &Branch, circumstances: &Circumstances<'_>) -> Option<Hold> {
    let status = || match circumstances.integration?.status {
        IntegrationStatus::Disabled => Some(Hold::IntegrationDisabled),
        IntegrationStatus::Failed => Some(Hold::IntegrationFailed),
        IntegrationStatus::Active | IntegrationStatus::Disconnected => None,
    };
    circumstances.hold.or_else(status).or_else(|| back_off(branch, circumstances))
}

/// The provider said to wait, and the time is not over.
fn back_off(branch: &Branch, circumstances: &Circumstances<'_>) -> Option<Hold> {
    let Activity::Deferred(_, _, until) = &branch.activity else { return None };
    (circumstances.now < *until).then_some(Hold::RateLimited)
}

/// The stricter of then and now, with the rights of now. Votes that are not enough are asked for;
/// a rejection that is enough now ends it.
fn raised(run: &Run, ask: &Ask, circumstances: &Circumstances<'_>) -> Option<Vec<Event>> {
    let requester = &run.facts()?.started.requester;
    let requirement = policy::stricter(&ask.requirement, &circumstances.requirement);
    #[cfg(placet_mutants)]
    let requirement = if placet_mutants::is_planted(Mutant::PolicyOnlyWhenAsked) {
        ask.requirement.clone()
    } else {
        requirement
    };
    let electorate = Electorate {
        requirement: &requirement,
        ..ask.electorate(circumstances.policy, requester, circumstances.now)
    };
    let votes = ask.counted(circumstances.policy, circumstances.now);
    let mut tally = electorate.tally(&votes);
    if tally.missing.is_empty() && !tally.denied {
        return None;
    }
    let (decision, digest) = (ask.decision, ask.draft.digest);
    let rejected = tally.denied.then(|| {
        tally.missing.push("a rejection is enough to end it now".to_owned());
        let last = votes.iter().rfind(|vote| vote.verdict == Verdict::Reject);
        let (settlement, reason) = (Settlement::Rejected, last.and_then(|vote| vote.reason));
        Event::from(DecisionSettled { decision, digest, settlement, reason })
    });
    let raised = RequirementRaised { decision, requirement, missing: tally.missing };
    Some(std::iter::once(Event::from(raised)).chain(rejected).collect())
}

fn refused(
    (run, branch): (&Run, &Branch),
    ask: &Ask,
    circumstances: &Circumstances<'_>,
) -> Option<Event> {
    let void =
        |reason, field| Some(DecisionVoided { decision: ask.decision, reason, field }.into());
    let changed = |field| void(VoidReason::FieldChanged, Some(field));
    let expired = ask.is_expired(circumstances.now, circumstances.uptime);
    #[cfg(placet_mutants)]
    let expired = expired && !placet_mutants::is_planted(Mutant::ExpiredIsClaimed);
    if expired {
        return void(VoidReason::Expired, None);
    }
    if circumstances.forbidden {
        return void(VoidReason::Forbidden, None);
    }
    if circumstances.policy.blocked.contains(&ask.draft.operation) {
        return void(VoidReason::OperationBlocked, None);
    }
    let gone =
        circumstances.integration.is_none_or(|i| i.status == IntegrationStatus::Disconnected);
    if ask.draft.integration.is_some() && gone {
        return void(VoidReason::IntegrationGone, None);
    }
    if circumstances.rerouted {
        return void(VoidReason::RouteChanged, None);
    }
    let then = run.document(circumstances.project, &ask.draft);
    let (Some(then), Some(now)) = (then, document_now((run, branch), ask, circumstances)) else {
        return changed(BoundField::Run);
    };
    let approved = circumstances.approved;
    // what the event says was drafted, and what the world says now
    if let Some(field) = approved.difference(&then).or_else(|| approved.difference(&now)) {
        return changed(field);
    }
    if ask.draft.integration.is_some() && circumstances.settings_digest.is_none() {
        return changed(BoundField::SettingsDigest);
    }
    let voted = ask.votes.iter().all(|vote| vote.digest == ask.draft.digest);
    if approved.digest() != ask.draft.digest || !voted {
        return changed(BoundField::Version);
    }
    // fixed when it was decided, which is never after it was recorded
    let latest = ask.requested_at.checked_add(approved.valid_for);
    if latest.is_none_or(|latest| ask.expires_at > latest) {
        return changed(BoundField::ValidFor);
    }
    None
}

/// The document as it would be made now, from the run as it is, the stored bytes and the world.
fn document_now(
    (run, branch): (&Run, &Branch),
    ask: &Ask,
    circumstances: &Circumstances<'_>,
) -> Option<DraftDocument> {
    let mut now = run.document(circumstances.project, &ask.draft)?;
    now.request_digest = circumstances.request_digest;
    now.operation_digest = circumstances.operation_digest;
    now.integration = now.integration.map(|mut bound| {
        if let Some(integration) = circumstances.integration {
            bound.id = integration.id;
            bound.identity = integration.identity.clone();
        }
        bound.settings_digest = circumstances.settings_digest.unwrap_or(bound.settings_digest);
        bound
    });
    let leaf = branch.activity.leaf()?;
    now.task = leaf.task.clone();
    now.iteration = leaf.iteration.clone();
    Some(now)
}

fn started(
    run: &Run,
    ask: &Ask,
    (attempt, try_number): (AttemptId, u32),
    circumstances: &Circumstances<'_>,
) -> Event {
    let mode = run.facts().map_or(placet_model::draft::Mode::Sandbox, |facts| facts.started.mode);
    AttemptStarted {
        attempt,
        try_number,
        task: ask.draft.task.clone(),
        iteration: ask.draft.iteration.clone(),
        decision: Some(ask.decision),
        digest: Some(ask.draft.digest),
        send_id: ask.draft.send_id.clone(),
        operation: ask.draft.operation.clone(),
        operation_digest: ask.draft.operation_digest,
        effect: ask.draft.effect,
        mode,
        integration: ask.draft.integration.clone(),
        credential_version: circumstances.integration.map_or(0, |i| i.credential_version),
        with: ask.draft.with,
        request: ask.draft.request,
        request_digest: ask.draft.request_digest,
        not_after: ask.expires_at,
        uptime: circumstances.uptime,
    }
    .into()
}
