//! Policy as data: principals, groups and the rules that ask for approval.
//!
//! A policy is applied by an admin's act and recorded as an event with its digest; the core
//! resolves requirements from it.

use crate::actor::{PrincipalKind, Role};
use crate::approval::{ReasonRequired, SelfApproval, Threshold};
use crate::event::decision::VoteCast;
use crate::manifest::Effect;
use crate::nkey::UserKey;
use crate::signed::DecisionDocument;
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
    /// Keys whose votes count no more. Not of the document: the log says so, key by key.
    #[serde(skip)]
    pub revoked: BTreeSet<UserKey>,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Name for people, unique in the policy.
    pub name: String,
    /// What it applies to; an empty match applies to every gated call.
    #[serde(rename = "match")]
    pub matches: Match,
    /// What it asks for.
    pub require: Require,
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
