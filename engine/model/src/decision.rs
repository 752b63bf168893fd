//! Decisions: requests, votes, and how they end (GATE.md §3).

use crate::wire::wire_enum;
use crate::{DecisionId, Digest, Principal, Timestamp};
use serde::{Deserialize, Serialize};

wire_enum! {
    /// What a vote says.
    Verdict {
        /// Send exactly these bytes.
        Approve = 1 "approve",
        /// Do not send.
        Reject = 2 "reject",
        /// Send back with feedback.
        Respond = 3 "respond",
        /// Replace the draft by an edited one.
        Edit = 4 "edit",
        /// Take it back (requester, operator).
        Withdraw = 5 "withdraw",
        /// Name who is to decide instead.
        Reassign = 6 "reassign",
        /// Send exactly these bytes, alone and at once, and be asked afterwards why.
        BreakGlass = 10 "break_glass",
    }
}

wire_enum! {
    /// How a decision request ended.
    Settlement {
        /// Enough votes for it.
        Approved = 1 "approved",
        /// Enough votes against it.
        Rejected = 2 "rejected",
        /// Sent back with feedback.
        Responded = 3 "responded",
        /// Nobody decided in time.
        Expired = 4 "expired",
        /// Taken back.
        Withdrawn = 5 "withdrawn",
        /// A newer draft revision took its place.
        Superseded = 6 "superseded",
    }
}

wire_enum! {
    /// Where a decision stands.
    DecisionState {
        /// Open.
        Requested = 1 "requested",
        /// Approved and not yet claimed.
        Approved = 2 "approved",
        /// Said no.
        Rejected = 3 "rejected",
        /// Sent back with feedback.
        Responded = 4 "responded",
        /// Nobody decided in time.
        Expired = 5 "expired",
        /// Taken back.
        Withdrawn = 6 "withdrawn",
        /// A newer draft revision took its place.
        Superseded = 7 "superseded",
        /// Something that it bound has changed.
        Void = 8 "void",
        /// An attempt has claimed it.
        Consumed = 9 "consumed",
    }
}

impl From<Settlement> for DecisionState {
    fn from(settlement: Settlement) -> Self {
        match settlement {
            Settlement::Approved => Self::Approved,
            Settlement::Rejected => Self::Rejected,
            Settlement::Responded => Self::Responded,
            Settlement::Expired => Self::Expired,
            Settlement::Withdrawn => Self::Withdrawn,
            Settlement::Superseded => Self::Superseded,
        }
    }
}

wire_enum! {
    /// Why a decision can never execute.
    VoidReason {
        /// A bound field differs at the claim.
        FieldChanged = 1 "field_changed",
        /// It expired before it was claimed.
        Expired = 2 "expired",
        /// The run was cancelled.
        RunCancelled = 3 "run_cancelled",
        /// The operation is blocked.
        OperationBlocked = 4 "operation_blocked",
        /// The integration is gone.
        IntegrationGone = 5 "integration_gone",
        /// The project was restored or copied: a new epoch.
        NewEpoch = 6 "new_epoch",
        /// The task, or the run, has taken too long.
        TimedOut = 7 "timed_out",
        /// The run goes on under another version of its workflow, and asks again.
        Migrated = 8 "migrated",
        /// Another branch has decided the fork.
        BranchCancelled = 9 "branch_cancelled",
        /// The policy in force refuses it.
        Forbidden = 20 "forbidden",
        /// The channel of the call leads to another connection, or nowhere.
        RouteChanged = 21 "route_changed",
    }
}

wire_enum! {
    /// How sure we are who voted, from the least on: nobody's word is as good as a signature of one's own.
    Assurance {
        /// A test principal of `run --approve`; never in `serve`.
        Test = 1 "test",
        /// A logged-in session.
        Session = 2 "session",
        /// Permission of the transport (NATS subject, local data directory).
        Transport = 3 "transport",
        /// The NATS server's word on which registered key asked, across an account's import.
        Account = 6 "account",
        /// An Ed25519 signature over the decision document.
        Nkey = 4 "nkey",
        /// A passkey assertion over the decision document.
        Passkey = 5 "passkey",
    }
}

impl Assurance {
    /// What asks for nothing in particular.
    pub const fn lowest() -> Self {
        Self::Test
    }
}

/// One vote as it is cast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ballot {
    /// Which decision.
    pub decision: DecisionId,
    /// The draft digest that the voter was shown.
    pub digest: Digest,
    /// What it says.
    pub verdict: Verdict,
    /// 16 random bytes, base64url without padding; used once per voter.
    pub nonce: String,
    /// When the voter says it was cast.
    pub time: Timestamp,
    /// Why; feedback for `respond`. Content: it goes to the payload store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Who votes, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    /// The principal.
    pub principal: Principal,
    /// How sure we are.
    pub assurance: Assurance,
}

wire_enum! {
    /// What a person says of an attempt in doubt.
    Resolution {
        /// It was sent.
        Sent = 1 "sent",
        /// It was not sent: a new draft revision is asked for.
        NotSent = 2 "not_sent",
        /// Nobody can tell: the task faults.
        GiveUp = 3 "give_up",
    }
}
