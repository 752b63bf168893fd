//! Requirements: who must agree before something may leave.
//!
//! A requirement is resolved from the project's policy and the author's metadata when a draft is
//! made, frozen into the draft's digest, and resolved again at the claim (GATE.md §4).

use crate::decision::Assurance;
use crate::event::decision::NoticeKind;
use crate::plan::{Expression, Template};
use crate::wire::wire_enum;
use crate::{Duration, Principal, Timestamp};
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

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
///
/// In readable forms `escalate` is left out where there is none, so that documents which were
/// approved before there were escalations keep their digest; binary forms always hold it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Users and groups; empty means everybody with the role `approver`.
    pub from: Vec<Principal>,
    /// Approvals needed.
    pub approve: u16,
    /// Rejections that end it.
    pub deny: u16,
    /// Whose votes count as well when nobody has decided for some time.
    #[serde(default)]
    pub escalate: Option<Escalation>,
}

impl Serialize for Threshold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let told = !serializer.is_human_readable() || self.escalate.is_some();
        let mut fields = serializer.serialize_struct("Threshold", 3 + usize::from(told))?;
        fields.serialize_field("from", &self.from)?;
        fields.serialize_field("approve", &self.approve)?;
        fields.serialize_field("deny", &self.deny)?;
        if told {
            fields.serialize_field("escalate", &self.escalate)?;
        }
        fields.end()
    }
}

/// What must be met before a draft may leave; every threshold applies.
///
/// What has been added since the first release is left out of readable forms where it asks for
/// nothing: see [`Threshold`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
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
    /// An approval counts only where it is at least this sure who gave it.
    #[serde(default = "Assurance::lowest")]
    pub assurance: Assurance,
    /// Interval of notices until it is settled.
    #[serde(default)]
    pub remind: Option<Duration>,
}

impl Serialize for Requirement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let binary = !serializer.is_human_readable();
        let (assured, reminds) =
            (binary || self.assurance != Assurance::lowest(), binary || self.remind.is_some());
        let count = 5 + usize::from(assured) + usize::from(reminds);
        let mut fields = serializer.serialize_struct("Requirement", count)?;
        fields.serialize_field("thresholds", &self.thresholds)?;
        fields.serialize_field("valid_for", &self.valid_for)?;
        fields.serialize_field("reason_required", &self.reason_required)?;
        fields.serialize_field("self_approval", &self.self_approval)?;
        fields.serialize_field("rules", &self.rules)?;
        if assured {
            fields.serialize_field("assurance", &self.assurance)?;
        }
        if reminds {
            fields.serialize_field("remind", &self.remind)?;
        }
        fields.end()
    }
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

impl Threshold {
    /// So many approvals of these, or one rejection.
    pub const fn of(from: Vec<Principal>, approve: u16) -> Self {
        Self { from, approve, deny: 1, escalate: None }
    }
}

impl Requirement {
    /// Escalations and the next reminder that people have not had yet, in order of time.
    pub fn notices_due(
        &self,
        requested_at: Timestamp,
        had: &[(Timestamp, NoticeKind)],
    ) -> Vec<(Timestamp, NoticeKind, Vec<Principal>)> {
        let thresholds = self.thresholds.iter();
        let mut due: Vec<_> = thresholds
            .filter_map(|threshold| threshold.escalate.as_ref())
            .filter_map(|more| Some((requested_at.checked_add(more.after)?, more.to.clone())))
            .filter(|(at, _)| !had.contains(&(*at, NoticeKind::Escalation)))
            .map(|(at, to)| (at, NoticeKind::Escalation, to))
            .collect();
        let reminders = had.iter().filter(|(_, kind)| *kind == NoticeKind::Reminder);
        let since = reminders.map(|(at, _)| *at).max().unwrap_or(requested_at);
        let next = self.remind.and_then(|every| since.checked_add(every));
        due.extend(next.filter(|at| *at > since).map(|at| (at, NoticeKind::Reminder, vec![])));
        due.sort();
        due
    }

    /// What holds without any policy: one approver who is not the requester, seven days.
    pub fn default_for_project() -> Self {
        Self {
            thresholds: vec![Threshold::of(vec![], 1)],
            valid_for: Duration::from_days(DEFAULT_EXPIRY_DAYS),
            reason_required: ReasonRequired::OnReject,
            self_approval: SelfApproval::Refused,
            rules: vec!["default".to_owned()],
            assurance: Assurance::lowest(),
            remind: None,
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
