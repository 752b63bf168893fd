//! Requirements: who must agree before something may leave.
//!
//! A requirement is resolved from the project's policy and the author's metadata when a draft is
//! made, frozen into the draft's digest, and resolved again at the claim (GATE.md §4).

use crate::plan::{Expression, Template};
use crate::wire::wire_enum;
use crate::{Duration, Principal};
use serde::{Deserialize, Serialize};

/// Days after which an undecided request expires when nobody says otherwise.
pub const DEFAULT_EXPIRY_DAYS: i64 = 7;

wire_enum! {
    /// Who must give a reason. Later variants are stricter.
    ReasonRequired {
        /// Nobody.
        Never = 1 "never",
        /// Who rejects.
        OnReject = 2 "on-reject",
        /// Everybody.
        Always = 3 "always",
    }
}

/// One threshold: distinct people of `from` who approve, or whose rejections end it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Users and groups; empty means everybody with the role `approver`.
    pub from: Vec<Principal>,
    /// Approvals needed.
    pub approve: u16,
    /// Rejections that end it.
    pub deny: u16,
}

/// What must be met before a draft may leave; every threshold applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Every one of them must be met.
    pub thresholds: Vec<Threshold>,
    /// How long the request stays open.
    pub valid_for: Duration,
    /// Who must give a reason.
    pub reason_required: ReasonRequired,
    /// Whether the requester's own vote may count.
    pub self_approval: SelfApproval,
    /// Names of the policy rules that asked for it, for people.
    pub rules: Vec<String>,
}

wire_enum! {
    /// Whether the requester's own vote may count.
    SelfApproval {
        /// It never counts.
        Refused = 1 "refused",
        /// It counts like any other.
        Allowed = 2 "allowed",
    }
}

impl Requirement {
    /// What holds without any policy: one approver who is not the requester, seven days.
    pub fn default_for_project() -> Self {
        Self {
            thresholds: vec![Threshold { from: vec![], approve: 1, deny: 1 }],
            valid_for: Duration::from_days(DEFAULT_EXPIRY_DAYS),
            reason_required: ReasonRequired::OnReject,
            self_approval: SelfApproval::Refused,
            rules: vec!["default".to_owned()],
        }
    }
}

/// `metadata.approval` of a task or document, checked (language.md §8). It can only tighten.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalMetadata {
    /// Thresholds named by the author; plain names form one threshold.
    pub thresholds: Vec<Threshold>,
    /// Shorter time to decide.
    pub expires: Option<Duration>,
    /// Stricter demand for reasons.
    pub reason_required: Option<ReasonRequired>,
    /// Only `refused` has an effect.
    pub self_approval: Option<SelfApproval>,
    /// The author's line for the card; not in the digest.
    pub summary: Option<Template>,
    /// Gives the approvers, where they are not written out: names that form one threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvers_from: Option<ApproversFrom>,
    /// A rule set of the project that applies as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Who becomes eligible when nobody has decided for some time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate: Option<Escalation>,
    /// Interval of notifications until it is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind: Option<Duration>,
    /// `approval: none`: no gate is wanted; void without a standing grant that covers the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<Waived>,
}

/// Approvers that an expression gives when the draft is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproversFrom {
    /// Gives a list of names.
    pub names: Expression,
    /// How many of them must approve.
    pub approve: u16,
}

/// Names that are notified, and become eligible for the plain-name threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// This long after the request; less than its time to decide.
    pub after: Duration,
    /// Users and groups.
    pub to: Vec<Principal>,
}

/// The author asks for no gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waived {
    /// `approval: none`.
    ByAuthor,
}
