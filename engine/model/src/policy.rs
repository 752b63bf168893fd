//! Policy as data: principals, groups and the rules that ask for approval.
//!
//! A policy is applied by an admin's act and recorded as an event with its digest; the core
//! resolves requirements from it.

mod standing;

pub use standing::{BreakGlass, Delegation, Standing};

use crate::actor::{PrincipalKind, Role};
use crate::approval::{Escalation, ReasonRequired, SelfApproval, Threshold};
use crate::decision::Assurance;
use crate::event::decision::VoteCast;
use crate::manifest::Effect;
use crate::passkey::SignerKey;
use crate::plan::Expression;
use crate::signed::DecisionDocument;
use crate::wire::wire_enum;
use crate::{Duration, Principal};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A principal and what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrincipalInfo {
    /// What it is.
    pub kind: PrincipalKind,
    /// What it may do.
    pub roles: BTreeSet<Role>,
}

/// The policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Users, agents and services.
    pub principals: BTreeMap<Principal, PrincipalInfo>,
    /// Groups and their members.
    pub groups: BTreeMap<Principal, BTreeSet<Principal>>,
    /// Every rule that matches applies.
    pub rules: Vec<Rule>,
    /// Operations that nobody may run.
    pub blocked: BTreeSet<String>,
    /// Recipients, and domains (`@example.com`), by the name of their list.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub allow_lists: BTreeMap<String, BTreeSet<String>>,
    /// Votes given in advance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standing: Vec<Standing>,
    /// Who votes in whose place, and when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delegations: Vec<Delegation>,
    /// Who may send alone in an emergency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlass>,
    /// What notices outside of the inbox may say.
    #[serde(default, skip_serializing_if = "NoticePayload::is_withheld")]
    pub notice_payload: NoticePayload,
    /// Keys whose votes count no more. Not of the document: the log says so, key by key.
    #[serde(skip)]
    pub revoked: BTreeSet<SignerKey>,
}

wire_enum! {
    /// Whether a notice may say what waits.
    #[derive(Default)]
    NoticePayload {
        /// How much waits, and nothing of it.
        #[default]
        Withhold = 1 "withhold",
        /// Operation, workflow, who caused it, and the author's line.
        Allow = 2 "allow",
    }
}

impl NoticePayload {
    /// Whether nothing is said of it.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    pub const fn is_withheld(&self) -> bool {
        matches!(self, Self::Withhold)
    }
}

impl Policy {
    /// Whether a vote may still count: not one whose key was revoked since, which may have been
    /// somebody else's vote.
    pub fn trusts(&self, vote: &VoteCast) -> bool {
        self.revoked.is_empty()
            || vote.signed.as_ref().is_none_or(|signed| {
                let document = DecisionDocument::from_message(&signed.document);
                document.is_ok_and(|document| !self.revoked.contains(document.key()))
            })
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Name for people, unique in the policy.
    pub name: String,
    /// What it applies to; an empty match applies to every gated call.
    #[serde(rename = "match")]
    pub matches: Match,
    /// What it asks for.
    pub require: Require,
    /// Whether it holds, or is only shown.
    #[serde(default, skip_serializing_if = "RuleMode::is_enforced")]
    pub mode: RuleMode,
    /// It applies only where the author names this set of rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
}

wire_enum! {
    /// Whether a rule holds.
    #[derive(Default)]
    RuleMode {
        /// It holds.
        #[default]
        Enforce = 1 "enforce",
        /// It is evaluated and shown, and changes nothing.
        Shadow = 2 "shadow",
    }
}

impl RuleMode {
    /// Whether the rule holds.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    pub const fn is_enforced(&self) -> bool {
        matches!(self, Self::Enforce)
    }
}

wire_enum! {
    /// How much of an action can be taken back.
    Reversibility {
        /// A record elsewhere changes, and can be changed back.
        Change = 1 "change",
        /// It reaches a person.
        CannotBeUnsent = 2 "cannot-be-unsent",
        /// It deletes, refunds or revokes.
        CannotBeUndone = 3 "cannot-be-undone",
    }
}

impl From<Effect> for Reversibility {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Read | Effect::Write => Self::Change,
            Effect::Send => Self::CannotBeUnsent,
            Effect::Destructive => Self::CannotBeUndone,
        }
    }
}

/// Whether a rule waits for a signal.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Whether it is there or not.
    #[default]
    Either,
    /// Only where it is there, or nobody can tell.
    Present,
}

impl Signal {
    /// Whether the rule does not wait for it.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    pub const fn is_either(&self) -> bool {
        matches!(self, Self::Either)
    }
}

/// What a rule applies to: every given member must match one of its values.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Effects.
    pub effect: Vec<Effect>,
    /// Providers.
    pub provider: Vec<String>,
    /// Operations.
    pub operation: Vec<String>,
    /// Integration names.
    pub integration: Vec<String>,
    /// Workflows, `namespace/name`.
    pub workflow: Vec<String>,
    /// Whom or what it reaches, in the provider's words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<String>,
    /// Gives true for what it applies to, of `{ with, operation, target, ... }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
    /// Nothing was sent to one of the recipients before.
    #[serde(default, skip_serializing_if = "Signal::is_either")]
    pub first_contact: Signal,
    /// A recipient is not in the allow list of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside_allow_list: Option<String>,
    /// Something in the bytes looks like a credential.
    #[serde(default, skip_serializing_if = "Signal::is_either")]
    pub secrets_found: Signal,
    /// A number in the bytes passes the check of payment cards.
    #[serde(default, skip_serializing_if = "Signal::is_either")]
    pub card_numbers_found: Signal,
    /// The body has more bytes than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_over: Option<u64>,
    /// How much of it can be taken back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reversibility: Vec<Reversibility>,
}

/// What a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Require {
    /// Thresholds; plain names with a quorum form one.
    pub thresholds: Vec<Threshold>,
    /// Time to decide.
    pub expires: Option<Duration>,
    /// Who must give a reason.
    pub reason_required: Option<ReasonRequired>,
    /// Whether the requester may vote.
    pub self_approval: Option<SelfApproval>,
    /// How sure it must be who approves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assurance: Option<Assurance>,
    /// Interval of notices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind: Option<Duration>,
    /// Whose votes count as well when nobody has decided for some time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate: Option<Escalation>,
    /// Nobody may send it.
    #[serde(default, skip_serializing_if = "Permission::is_asked")]
    pub permission: Permission,
}

wire_enum! {
    /// Whether people can allow it at all.
    #[derive(Default)]
    Permission {
        /// They are asked.
        #[default]
        Asked = 1 "asked",
        /// They are not: it is refused.
        Refused = 2 "refused",
    }
}

impl Permission {
    /// Whether people are asked.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    pub const fn is_asked(&self) -> bool {
        matches!(self, Self::Asked)
    }
}

impl Policy {
    /// The people behind a list of users and groups; an empty list means everybody with the role
    /// `approver`. Agents are never among them.
    pub fn people(&self, from: &[Principal]) -> BTreeSet<Principal> {
        let named = from.iter().flat_map(|name| match self.groups.get(name) {
            Some(members) => members.iter().cloned().collect::<Vec<_>>(),
            None => vec![name.clone()],
        });
        let candidates: BTreeSet<Principal> = if from.is_empty() {
            self.principals.keys().cloned().collect()
        } else {
            named.collect()
        };
        candidates.into_iter().filter(|name| self.may_approve(name)).collect()
    }

    /// Whether this principal may vote at all.
    pub fn may_approve(&self, name: &Principal) -> bool {
        self.principals.get(name).is_some_and(|info| {
            info.kind != PrincipalKind::Agent && info.roles.contains(&Role::Approver)
        })
    }

    /// Whether this principal holds the role.
    pub fn has_role(&self, name: &Principal, role: Role) -> bool {
        self.principals.get(name).is_some_and(|info| info.roles.contains(&role))
    }
}
