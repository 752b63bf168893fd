//! `decide`: a command against a run's state gives events, or a lawful no.
//!
//! Commands about people (votes, resolutions, cancelling) are checked against the policy in force;
//! commands about control flow and attempts only against the state: their facts come from the
//! executor, which is the only caller. What `decide` returns always applies: it folds its own
//! events before it hands them out.

mod advance;
mod edit;
mod lookup;
mod outcome;
mod resolve;
mod stop;
mod vote;

use crate::claim::{self, Circumstances};
use crate::evolve::Illegal;
use crate::refusal::Refusal;
use crate::run::Run;
use placet_model::decision::{Ballot, Resolution, Settlement, Voter};
use placet_model::event::attempt::AttemptStarted;
use placet_model::event::decision::{DecisionRequested, DraftPrepared, SignedVote};
use placet_model::event::lookup::{LookupPlanned, LookupStarted};
use placet_model::policy::Policy;
use placet_model::{
    AttemptId, DecisionId, Digest, Event, Fault, PayloadRef, Principal, Timestamp, Uptime,
};

pub use lookup::{Found, LookedUp, Witnessed};
pub use outcome::{Answer, Verdict as OutcomeVerdict};

/// What somebody, or the executor, wants of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// A fact of control flow that the executor has worked out from [`crate::Next`].
    Progress(Box<Event>),
    /// Put a draft into the inbox.
    Propose {
        /// The draft.
        draft: Box<DraftPrepared>,
        /// The id of the request.
        decision: DecisionId,
    },
    /// Begin an ungated read.
    Read(Box<AttemptStarted>),
    /// A person votes.
    Vote(Box<VoteCommand>),
    /// A person replaces the draft: it is superseded, and the next revision is to be proposed.
    Edit {
        /// The vote with the verdict `edit`.
        vote: Box<VoteCommand>,
        /// What was proposed, as a pseudonym.
        original: Digest,
    },
    /// A person names who is to decide instead.
    Reassign {
        /// The vote with the verdict `reassign`.
        vote: Box<VoteCommand>,
        /// Users and groups.
        to: Vec<Principal>,
    },
    /// Votes that were given in advance.
    Stand(Box<AdvanceVotes>),
    /// People may have to hear of an open request again.
    Remind(DecisionId),
    /// An open request, or an unspent approval, may have expired.
    Expire(DecisionId),
    /// A try of this attempt has ended.
    Answered(Box<Answer>),
    /// The engine has restarted: a try that was under way is in doubt, never unsent.
    Recover {
        /// Content of the evidence.
        detail: Option<PayloadRef>,
    },
    /// Send the same bytes again under the provider's own key.
    Resend {
        /// Which attempt.
        attempt: AttemptId,
    },
    /// An attempt in doubt is to be looked up; its number is given here.
    PlanLookup(Box<LookupPlanned>),
    /// A look-up that is due begins.
    LookUp(Box<LookupStarted>),
    /// A look-up has ended.
    LookedUp(Box<LookedUp>),
    /// The provider has told us of an attempt in doubt by itself.
    Witness(Box<Witnessed>),
    /// A person settles an attempt in doubt.
    Resolve {
        /// What the person says.
        said: Box<ResolveCommand>,
        /// The raw output, for `sent`: of the second event.
        output: Option<PayloadRef>,
    },
    /// Somebody stops the run.
    Cancel {
        /// Who.
        by: Principal,
        /// Why.
        reason: Option<PayloadRef>,
    },
    /// The branches inside a container are left: whatever is open in them is taken back.
    Abandon {
        /// The container; the root path for the run.
        inside: placet_model::TaskPath,
    },
    /// A waiting run goes on under another version of its workflow, and asks again.
    Migrate(Box<placet_model::event::run::RunMigrated>),
    /// The data were restored or copied: what is open or unspent is void and is asked again, a try
    /// without a result is in doubt.
    NewEpoch,
    /// A task or the run has taken too long.
    TimeOut {
        /// The fault's content, already placed.
        fault: Fault,
        /// Which task; the root path for the run.
        task: placet_model::TaskPath,
        /// Which execution of it.
        iteration: placet_model::Iteration,
    },
}

/// A vote as it reaches the engine.
#[derive(Debug, Clone, PartialEq)]
pub struct VoteCommand {
    /// What the person says.
    pub ballot: Ballot,
    /// Who, and how that is known.
    pub voter: Voter,
    /// The client's request id.
    pub request_id: Option<String>,
    /// The signed form.
    pub signed: Option<SignedVote>,
}

/// What somebody says of an attempt in doubt, as it reaches the engine.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolveCommand {
    /// The decision that led to it.
    pub decision: DecisionId,
    /// The draft digest that was shown.
    pub digest: Digest,
    /// What the person says.
    pub resolution: Resolution,
    /// Used once per person.
    pub nonce: String,
    /// When the person says it was said.
    pub time: Timestamp,
    /// Why.
    pub reason: Option<String>,
    /// Who, and how that is known.
    pub by: Voter,
    /// The client's request id.
    pub request_id: Option<String>,
    /// The signed form.
    pub signed: Option<SignedVote>,
}

/// Votes that were given in advance, under a standing approval that covers the draft.
#[derive(Debug, Clone, PartialEq)]
pub struct AdvanceVotes {
    /// Which decision.
    pub decision: DecisionId,
    /// Name of the standing approval.
    pub standing: String,
    /// What was given.
    pub digest: Digest,
    /// Who has given theirs, how sure that is, and a nonce for each.
    pub votes: Vec<(Principal, placet_model::decision::Assurance, String)>,
    /// The day (UTC), as days since 1970.
    pub day: i64,
    /// Which use of that day it is, from 1.
    pub count: u32,
}

/// What holds besides the run's own state.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Log time.
    pub now: Timestamp,
    /// The same moment by the clock that nobody can set; none where the machine has none.
    pub uptime: Option<Uptime>,
    /// The policy in force.
    pub policy: &'a Policy,
}

/// Why no event came of a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A lawful no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The executor asked for what cannot follow: a bug.
    #[error("the command does not fit the run")]
    Illegal(#[from] Illegal),
}

/// Decides. The events apply to the run in order.
///
/// # Errors
/// [`Error::Refused`] where the law says no; [`Error::Illegal`] where the executor has a bug.
pub fn decide(run: &Run, command: Command, context: Context<'_>) -> Result<Vec<Event>, Error> {
    let events = match command {
        Command::Progress(event) if grants(&event) => return Err(run.illegal(&event).into()),
        Command::Progress(event) => vec![*event],
        Command::Propose { draft, decision } => propose(*draft, decision, context)?,
        Command::Read(started) if started.decision.is_some() => {
            return Err(run.illegal(&Event::from(*started)).into());
        }
        Command::Read(started) => vec![Event::from(*started)],
        Command::Vote(vote) => vote::cast(run, *vote, context)?,
        Command::Edit { vote, original } => edit::edit(run, *vote, original, context)?,
        Command::Reassign { vote, to } => edit::reassign(run, *vote, to, context)?,
        Command::Stand(given) => advance::stand(run, *given, context)?,
        Command::Remind(decision) => advance::remind(run, decision, context.now),
        Command::Expire(decision) => stop::expire(run, decision, context.now),
        Command::Answered(answer) => outcome::record(run, *answer)?,
        Command::Recover { detail } => outcome::recover(run, detail, context.now),
        Command::Resend { attempt } => outcome::resend(run, attempt, context.now)?,
        Command::PlanLookup(planned) => lookup::plan(run, *planned)?,
        Command::LookUp(started) => lookup::begin(run, *started, context.now)?,
        Command::LookedUp(looked_up) => lookup::end(run, *looked_up)?,
        Command::Witness(witnessed) => lookup::witness(run, *witnessed)?,
        Command::Resolve { said, output } => resolve::resolve(run, *said, output, context)?,
        Command::Cancel { by, reason } => stop::cancel(run, &by, reason, context.policy)?,
        Command::Abandon { inside } => stop::abandon(run, &inside),
        Command::Migrate(migrated) => stop::migrate(run, *migrated)?,
        Command::NewEpoch => stop::new_epoch(run, context.now),
        Command::TimeOut { fault, task, iteration } => stop::time_out(run, &fault, task, iteration),
    };
    let mut after = run.clone();
    for event in &events {
        after.apply(event, context.now)?;
    }
    Ok(events)
}

/// Permission to send comes of votes and of the claim, never of mere progress; a run changes its
/// version by a command of its own.
fn grants(event: &Event) -> bool {
    let approved =
        matches!(event, Event::DecisionSettled(body) if body.settlement == Settlement::Approved);
    approved
        || matches!(
            event,
            Event::VoteCast(_)
                | Event::ResolutionCast(_)
                | Event::StandingUsed(_)
                | Event::VoteDelegated(_)
                | Event::RequirementRaised(_)
                | Event::DraftEdited(_)
                | Event::DecisionReassigned(_)
                | Event::AttemptStarted(_)
                | Event::LookupStarted(_)
                | Event::RunMigrated(_)
        )
}

fn propose(
    draft: DraftPrepared,
    decision: DecisionId,
    context: Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    let expires_at =
        context.now.checked_add(draft.requirement.valid_for).ok_or(Refusal::Expired)?;
    let requested = DecisionRequested {
        decision,
        task: draft.task.clone(),
        iteration: draft.iteration.clone(),
        digest: draft.digest,
        expires_at,
        uptime: context.uptime,
    };
    Ok(vec![draft.into(), requested.into()])
}

/// Claims an approval, or says why not: see [`claim::claim`].
///
/// # Errors
/// [`Error::Illegal`] where there is nothing to claim.
pub fn claim(
    run: &Run,
    (decision, attempt): (DecisionId, AttemptId),
    circumstances: &Circumstances<'_>,
) -> Result<claim::Claim, Error> {
    let claim = claim::claim(run, (decision, attempt), circumstances);
    if let claim::Claim::Decided(events) = &claim {
        let mut after = run.clone();
        for event in events {
            after.apply(event, circumstances.now)?;
        }
    }
    Ok(claim)
}

/// How a run's request stands, for a late vote.
fn closed(run: &Run, decision: DecisionId) -> Refusal {
    if let crate::run::Phase::Cancelled(_) = run.phase {
        return Refusal::RunCancelled;
    }
    match run.closed.get(&decision) {
        None => Refusal::UnknownDecision { decision },
        Some(placet_model::decision::DecisionState::Expired) => Refusal::Expired,
        Some(state) => Refusal::Closed { state: *state },
    }
}

/// The request that is open, if it is this one.
fn open_ask(run: &Run, decision: DecisionId) -> Option<&crate::run::Ask> {
    let mut asked = run.branches().iter().filter_map(|branch| branch.activity.asked());
    asked.find(|ask| ask.decision == decision)
}
