//! Events between a draft and the permission to send it.

use crate::approval::Requirement;
use crate::decision::{Assurance, Resolution, Settlement, Verdict, VoidReason};
use crate::draft::{BoundField, BoundIntegration};
use crate::manifest::Effect;
use crate::wire::wire_enum;
use crate::{DecisionId, Digest, Iteration, PayloadRef, Principal, TaskPath, Timestamp, Uptime};
use serde::{Deserialize, Serialize};

wire_enum! {
    /// Why a draft revision exists.
    DraftOrigin {
        /// The workflow reached the task.
        Task = 1 "task",
        /// An approver edited the last revision.
        Edit = 2 "edit",
        /// A person said that the last revision was not sent.
        Resend = 3 "resend",
    }
}

/// A draft revision was rendered. Holds every field of the draft document that the run itself
/// does not know; never the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftPrepared {
    /// Which task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// Draft revision of the action, from 1.
    pub revision: u32,
    /// Why it exists.
    pub origin: DraftOrigin,
    /// Part of the bytes.
    pub send_id: String,
    /// Operation name.
    pub operation: String,
    /// Semantic part of the operation.
    pub operation_digest: Digest,
    /// What it does to the world.
    pub effect: Effect,
    /// Integration, settings, identity.
    pub integration: Option<BoundIntegration>,
    /// The evaluated `with`.
    pub with: PayloadRef,
    /// The prepared request.
    pub request: PayloadRef,
    /// Its digest.
    pub request_digest: Digest,
    /// The rules in force.
    pub requirement: Requirement,
    /// 128 random bits, lower-case hex.
    pub nonce: String,
    /// The draft document, canonical JSON.
    pub document: PayloadRef,
    /// Its digest: what an approval binds.
    pub digest: Digest,
    /// The author's line for the card.
    pub summary: Option<PayloadRef>,
    /// What the policy says besides: rules that are only shown, and rules that apply because their
    /// expression failed. Names of rules and people, never content.
    pub notes: Vec<String>,
}

/// The draft lies in the approvers' inbox from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRequested {
    /// Which decision.
    pub decision: DecisionId,
    /// Which task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// The draft.
    pub digest: Digest,
    /// Fixed at this commit.
    pub expires_at: Timestamp,
    /// When it was asked for, by the clock that nobody can set: the approval is good for no longer
    /// by that one either. None where the machine has no such clock, and in version 1.
    pub uptime: Option<Uptime>,
}

/// The signed form of a vote, kept so that anybody can verify it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedVote {
    /// The canonical decision document.
    pub document: String,
    /// The signature over it, base64url without padding.
    pub signature: String,
}

/// Somebody voted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteCast {
    /// Which decision.
    pub decision: DecisionId,
    /// The draft digest that the voter was shown.
    pub digest: Digest,
    /// What it says.
    pub verdict: Verdict,
    /// Who.
    pub voter: Principal,
    /// How sure we are who.
    pub assurance: Assurance,
    /// When the voter says it was cast.
    pub voted_at: Timestamp,
    /// Used once per voter.
    pub nonce: String,
    /// Why, in the voter's words.
    pub reason: Option<PayloadRef>,
    /// The client's request id: asked again, it gets the same answer.
    pub request_id: Option<String>,
    /// The signed form, where the vote was signed.
    pub signed: Option<SignedVote>,
}

/// Somebody says what became of an attempt in doubt. What it settles follows at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolutionCast {
    /// Which decision led to the attempt.
    pub decision: DecisionId,
    /// The draft digest that was shown.
    pub digest: Digest,
    /// What is said.
    pub resolution: Resolution,
    /// Who.
    pub by: Principal,
    /// How sure we are who.
    pub assurance: Assurance,
    /// When they say it was said.
    pub said_at: Timestamp,
    /// Used once per person.
    pub nonce: String,
    /// Why, in their words.
    pub reason: Option<PayloadRef>,
    /// The client's request id: asked again, it gets the same answer.
    pub request_id: Option<String>,
    /// The signed form, where it was signed.
    pub signed: Option<SignedVote>,
}

/// The request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionSettled {
    /// Which decision.
    pub decision: DecisionId,
    /// The draft.
    pub digest: Digest,
    /// How.
    pub settlement: Settlement,
    /// Why, in the words of the vote that ended it.
    pub reason: Option<PayloadRef>,
}

/// The policy in force at the claim asks for more than the votes give: back to the inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequirementRaised {
    /// Which decision.
    pub decision: DecisionId,
    /// What must be met now.
    pub requirement: Requirement,
    /// What is missing, in words.
    pub missing: Vec<String>,
}

/// The decision can never execute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionVoided {
    /// Which decision.
    pub decision: DecisionId,
    /// Why.
    pub reason: VoidReason,
    /// Which bound field differed, with [`VoidReason::FieldChanged`].
    pub field: Option<BoundField>,
}

/// An approver has replaced the draft: the next revision, which follows at once, is theirs. The vote
/// with the verdict `edit` before it says why, and who signed what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftEdited {
    /// The decision that it supersedes.
    pub decision: DecisionId,
    /// The draft that it replaces.
    pub digest: Digest,
    /// Which task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// Who has edited: their own vote does not count for what they have written.
    pub editor: Principal,
    /// What was proposed and is not to be sent (operation, integration and `with`), as a pseudonym
    /// under the project's key: the same draft proposed again is recognised by it.
    pub original: Digest,
}

/// Others are to decide instead. It only narrows: nobody gains a right by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionReassigned {
    /// Which decision.
    pub decision: DecisionId,
    /// Users and groups; their members' rights are those of the moment of each vote.
    pub to: Vec<Principal>,
}

/// An agent has asked for this run: one action, under a key of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionRequested {
    /// Agent and idempotency key, as a pseudonym under the project's key.
    pub key: Digest,
    /// What was asked for (operation, integration, `with`, reason), as a pseudonym.
    pub content: Digest,
}

/// The votes that follow were given in advance, under this standing approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingUsed {
    /// Which decision.
    pub decision: DecisionId,
    /// Name of the standing approval.
    pub standing: String,
    /// What was given.
    pub digest: Digest,
    /// Whose votes they are.
    pub voters: Vec<Principal>,
    /// The day (UTC), as days since 1970.
    pub day: i64,
    /// Which use of that day it is, from 1.
    pub count: u32,
}

/// The vote before it was given in the place of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteDelegated {
    /// Which decision.
    pub decision: DecisionId,
    /// Who votes.
    pub voter: Principal,
    /// In whose place.
    pub instead_of: Vec<Principal>,
}

wire_enum! {
    /// Why people hear of a request again.
    NoticeKind {
        /// Nobody has decided yet.
        Reminder = 1 "reminder",
        /// More people may decide now.
        Escalation = 2 "escalation",
    }
}

/// People hear of an open request again. It decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproversReminded {
    /// Which decision.
    pub decision: DecisionId,
    /// Why.
    pub kind: NoticeKind,
    /// Users and groups who may decide from here on, with an escalation.
    pub to: Vec<Principal>,
    /// The moment for which it was due.
    pub due_at: Timestamp,
}
