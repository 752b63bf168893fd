//! Refusals: lawful answers of no. Nothing is recorded and nothing is lost; each has a code.

use placet_model::decision::{Assurance, DecisionState};
use placet_model::{DecisionId, Digest, Principal};

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run has no such decision.
    #[error("there is no decision {decision}")]
    UnknownDecision {
        /// The decision that was named.
        decision: DecisionId,
    },
    /// The vote is for other bytes.
    #[error("the vote names the digest {given}, the draft's is {actual}")]
    WrongDigest {
        /// The digest in the vote.
        given: Digest,
        /// The draft's digest.
        actual: Digest,
    },
    /// The requester's own vote never counts here.
    #[error("{voter} caused this run, and the requirement does not allow self-approval")]
    OwnRequest {
        /// Who voted.
        voter: Principal,
    },
    /// Nobody by that name.
    #[error("the policy knows no principal {name}")]
    UnknownPrincipal {
        /// The name.
        name: Principal,
    },
    /// Voted before on this draft revision.
    #[error("{voter} has already voted on this draft")]
    AlreadyVoted {
        /// Who voted.
        voter: Principal,
    },
    /// Too late.
    #[error("the request expired; the answer is no")]
    Expired,
    /// It has ended.
    #[error("the request is closed: {state}")]
    Closed {
        /// How it ended.
        state: DecisionState,
    },
    /// No threshold counts this person.
    #[error("{voter} is not among those who may decide this")]
    NotEntitled {
        /// Who voted.
        voter: Principal,
    },
    /// The requirement asks for a reason.
    #[error("this verdict needs a reason here")]
    ReasonRequired,
    /// The vote's own time is outside the window.
    #[error(
        "the vote says it was cast at another time: more than 15 minutes ago, or in the future"
    )]
    VoteTime,
    /// Each vote has a nonce of its own.
    #[error("the nonce was used before")]
    NonceReused,
    /// Agents draft, people decide.
    #[error("{voter} is an agent; agents never vote")]
    Agent {
        /// Who voted.
        voter: Principal,
    },
    /// Not in this state.
    #[error("{what} does not fit: {state}")]
    DoesNotFit {
        /// What was asked.
        what: String,
        /// Where things stand.
        state: String,
    },
    /// The run was cancelled.
    #[error("the run was cancelled")]
    RunCancelled,
    /// What an editor has written, somebody else approves.
    #[error("{voter} has edited this draft, and the requirement does not allow self-approval")]
    OwnEdit {
        /// Who voted.
        voter: Principal,
    },
    /// Not to these.
    #[error("it cannot be left to them: {why}")]
    Reassignment {
        /// What stands in the way.
        why: String,
    },
    /// No attempt of it is in doubt.
    #[error("no attempt of {decision} is in doubt")]
    NotInDoubt {
        /// Which decision.
        decision: DecisionId,
    },
    /// The same request id, for something else.
    #[error("the request id was used for another act")]
    RequestIdReused,
    /// The run is over.
    #[error("the run is over: {phase}")]
    RunOver {
        /// How it ended.
        phase: &'static str,
    },
    /// It is not sure enough who votes.
    #[error("this approval takes an assurance of {needed} or more, and yours is {given}")]
    AssuranceTooLow {
        /// How sure it is.
        given: Assurance,
        /// How sure it must be.
        needed: Assurance,
    },
    /// The policy does not name this person for emergencies.
    #[error("{voter} is not among those whom the policy lets send alone in an emergency")]
    NoBreakGlass {
        /// Who tried.
        voter: Principal,
    },
    /// The votes given in advance do not settle it.
    #[error("the standing approval {standing:?} does not settle it: {why}")]
    StandingInsufficient {
        /// Name of the standing approval.
        standing: String,
        /// What it lacks.
        why: String,
    },
    /// A right is missing.
    #[error("{principal} lacks the role {role}")]
    NotPermitted {
        /// Who asked.
        principal: Principal,
        /// What it takes.
        role: &'static str,
    },
}

impl Refusal {
    /// The code of the reference page.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownDecision { .. } => "PL3001",
            Self::WrongDigest { .. } => "PL3002",
            Self::OwnRequest { .. } => "PL3003",
            Self::UnknownPrincipal { .. } => "PL3004",
            Self::AlreadyVoted { .. } => "PL3005",
            Self::Expired => "PL3006",
            Self::Closed { .. } => "PL3007",
            Self::NotEntitled { .. } => "PL3008",
            Self::ReasonRequired => "PL3009",
            Self::VoteTime => "PL3010",
            Self::NonceReused => "PL3011",
            Self::Agent { .. } => "PL3012",
            Self::DoesNotFit { .. } => "PL3013",
            Self::RunCancelled => "PL3014",
            Self::NotInDoubt { .. } => "PL3016",
            Self::RequestIdReused => "PL3018",
            Self::OwnEdit { .. } => "PL3050",
            Self::Reassignment { .. } => "PL3052",
            Self::AssuranceTooLow { .. } => "PL3030",
            Self::NoBreakGlass { .. } => "PL3031",
            Self::StandingInsufficient { .. } => "PL3032",
            Self::RunOver { .. } => "PL4008",
            Self::NotPermitted { .. } => "PL4005",
        }
    }
}
