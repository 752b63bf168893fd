//! Who must agree, and whether they have: requirements are resolved from policy and metadata, and
//! votes are counted with the rights of the moment.

use placet_model::actor::{PrincipalKind, Role};
use placet_model::approval::{
    ApprovalMetadata, ReasonRequired, Requirement, SelfApproval, Threshold,
};
use placet_model::decision::Verdict;
use placet_model::event::decision::VoteCast;
use placet_model::manifest::Effect;
use placet_model::policy::{Match, Policy};
use placet_model::{Duration, Principal};
use std::collections::BTreeSet;

/// What a policy's rules match on.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What the operation does to the world.
    pub effect: Effect,
    /// The provider.
    pub provider: &'a str,
    /// The operation.
    pub operation: &'a str,
    /// Name of the integration, where there is one.
    pub integration: Option<&'a str>,
    /// `namespace/name` of the workflow.
    pub workflow: &'a str,
}

/// The effective requirement: every matching rule and the author's metadata, the strictest of each
/// kind. The metadata can only tighten.
pub fn resolve(
    policy: &Policy,
    subject: Subject<'_>,
    metadata: Option<&ApprovalMetadata>,
) -> Requirement {
    let matching: Vec<_> =
        policy.rules.iter().filter(|rule| matches(&rule.matches, subject)).collect();
    let default = Requirement::default_for_project();
    let mut thresholds: Vec<Threshold> =
        matching.iter().flat_map(|rule| rule.require.thresholds.iter().cloned()).collect();
    if thresholds.is_empty() {
        thresholds = default.thresholds;
    }
    thresholds.extend(metadata.into_iter().flat_map(|meta| meta.thresholds.iter().cloned()));
    thresholds.sort();
    thresholds.dedup();
    let asked = |pick: fn(&placet_model::policy::Require) -> Option<Duration>| {
        matching.iter().filter_map(move |rule| pick(&rule.require))
    };
    // where no rule says otherwise the default binds the author too
    let allowed = asked(|require| require.expires)
        .min_by_key(|duration| duration.approximate_millis())
        .unwrap_or(default.valid_for);
    let valid_for = std::iter::once(allowed)
        .chain(metadata.and_then(|meta| meta.expires))
        .min_by_key(|duration| duration.approximate_millis())
        .unwrap_or(allowed);
    let reasons = matching.iter().filter_map(|rule| rule.require.reason_required);
    let reason_required = reasons
        .max()
        .unwrap_or(default.reason_required)
        .max(metadata.and_then(|meta| meta.reason_required).unwrap_or(ReasonRequired::Never));
    let opinions: Vec<_> = matching.iter().filter_map(|rule| rule.require.self_approval).collect();
    let refused = metadata.and_then(|meta| meta.self_approval) == Some(SelfApproval::Refused);
    let allowed = !opinions.is_empty() && opinions.iter().all(|o| *o == SelfApproval::Allowed);
    let names: Vec<String> = matching.iter().map(|rule| rule.name.clone()).collect();
    Requirement {
        thresholds,
        valid_for,
        reason_required,
        self_approval: if allowed && !refused {
            SelfApproval::Allowed
        } else {
            SelfApproval::Refused
        },
        rules: if names.is_empty() { default.rules } else { names },
    }
}

fn matches(wanted: &Match, subject: Subject<'_>) -> bool {
    let text = |list: &[String], value: Option<&str>| {
        list.is_empty() || value.is_some_and(|value| list.iter().any(|item| item == value))
    };
    (wanted.effect.is_empty() || wanted.effect.contains(&subject.effect))
        && text(&wanted.provider, Some(subject.provider))
        && text(&wanted.operation, Some(subject.operation))
        && text(&wanted.integration, subject.integration)
        && text(&wanted.workflow, Some(subject.workflow))
}

/// The stricter of two requirements, kind by kind.
pub fn stricter(then: &Requirement, now: &Requirement) -> Requirement {
    let mut thresholds = then.thresholds.clone();
    thresholds.extend(now.thresholds.iter().cloned());
    thresholds.sort();
    thresholds.dedup();
    let mut rules = then.rules.clone();
    rules.extend(now.rules.iter().filter(|rule| !then.rules.contains(rule)).cloned());
    let shorter = now.valid_for.approximate_millis() < then.valid_for.approximate_millis();
    Requirement {
        thresholds,
        valid_for: if shorter { now.valid_for } else { then.valid_for },
        reason_required: then.reason_required.max(now.reason_required),
        self_approval: then.self_approval.min(now.self_approval),
        rules,
    }
}

/// How the votes on one draft stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// What is missing, a line per threshold; empty when every threshold is met.
    pub missing: Vec<String>,
    /// Whether the rejections end it.
    pub denied: bool,
}

/// Whether this principal is an agent, by kind or by role: no other role outweighs that.
pub fn is_agent(policy: &Policy, name: &Principal) -> bool {
    policy
        .principals
        .get(name)
        .is_some_and(|info| info.kind == PrincipalKind::Agent || info.roles.contains(&Role::Agent))
}

/// Whose votes count.
#[derive(Debug, Clone, Copy)]
pub struct Electorate<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// What must be met.
    pub requirement: &'a Requirement,
    /// Who caused the run.
    pub requester: &'a Principal,
    /// Who has written the draft, where that is not the workflow.
    pub editor: Option<&'a Principal>,
    /// Users and groups who are to decide instead; empty where all may who could.
    pub assigned: &'a [Principal],
}

impl Electorate<'_> {
    /// The people whose vote counts for this threshold, with the rights of the moment.
    pub fn entitled(&self, threshold: &Threshold) -> BTreeSet<Principal> {
        let all = self.could(threshold);
        if self.assigned.is_empty() {
            return all;
        }
        let assigned = self.policy.people(self.assigned);
        let fewer: BTreeSet<Principal> = all.intersection(&assigned).cloned().collect();
        // it narrows where enough are left, so that nothing can wait for nobody because of it
        if fewer.len() >= usize::from(threshold.approve.max(1)) { fewer } else { all }
    }

    /// As [`Self::entitled`], before anything was reassigned.
    fn could(&self, threshold: &Threshold) -> BTreeSet<Principal> {
        let mut people = self.policy.people(&threshold.from);
        people.retain(|person| !self.is_agent(person));
        if self.requirement.self_approval == SelfApproval::Refused {
            people.remove(self.requester);
            if let Some(editor) = self.editor {
                people.remove(editor);
            }
        }
        people
    }

    /// Whether it may be left to these users and groups: all of them could decide anyway, and they
    /// are enough for what is asked of them.
    ///
    /// # Errors
    /// What stands in the way, in words.
    pub fn may_be_left_to(&self, to: &[Principal]) -> Result<(), String> {
        let people = self.policy.people(to);
        let unknown = |name: &&Principal| {
            !self.policy.groups.contains_key(*name) && !self.policy.principals.contains_key(*name)
        };
        if let Some(name) = to.iter().find(unknown) {
            return Err(format!("there is neither a principal nor a group {name}"));
        }
        if to.is_empty() || people.is_empty() {
            return Err("nobody is named who could approve anything".to_owned());
        }
        let thresholds = &self.requirement.thresholds;
        let could = |person: &Principal| thresholds.iter().any(|t| self.could(t).contains(person));
        if let Some(person) = people.iter().find(|person| !could(person)) {
            return Err(format!("{person} could not decide this: a reassignment only narrows"));
        }
        let enough = |t: &Threshold| {
            self.could(t).intersection(&people).count() >= usize::from(t.approve.max(1))
        };
        if thresholds.iter().any(enough) {
            return Ok(());
        }
        Err("they are too few for the approvals that it takes".to_owned())
    }

    /// Whether this person's vote counts for any threshold.
    pub fn is_entitled(&self, voter: &Principal) -> bool {
        self.requirement.thresholds.iter().any(|t| self.entitled(t).contains(voter))
    }

    /// Whether this principal is an agent, by kind or by role: agents never vote.
    pub fn is_agent(&self, voter: &Principal) -> bool {
        is_agent(self.policy, voter)
    }

    /// Counts the votes; those of people who have lost the right do not count.
    pub fn tally(&self, votes: &[VoteCast]) -> Tally {
        let mut tally = Tally { missing: vec![], denied: false };
        for threshold in &self.requirement.thresholds {
            let people = self.entitled(threshold);
            let count = |verdict| {
                votes.iter().filter(|v| v.verdict == verdict && people.contains(&v.voter)).count()
            };
            let (approvals, denials) = (count(Verdict::Approve), count(Verdict::Reject));
            tally.denied |= denials >= usize::from(threshold.deny.max(1));
            let needed = usize::from(threshold.approve.max(1));
            if approvals < needed {
                tally.missing.push(missing_line(threshold, needed - approvals));
            }
        }
        tally
    }

    /// The thresholds that nobody but the requester could ever meet, in words: said at once, so
    /// that a request does not wait for nobody.
    pub fn out_of_reach(&self) -> Vec<String> {
        let unreachable = |t: &&Threshold| self.entitled(t).len() < usize::from(t.approve.max(1));
        self.requirement
            .thresholds
            .iter()
            .filter(unreachable)
            .map(|t| {
                format!(
                    "{}, and only {} could give it",
                    missing_line(t, usize::from(t.approve.max(1))),
                    self.entitled(t).len()
                )
            })
            .collect()
    }
}

fn missing_line(threshold: &Threshold, count: usize) -> String {
    let noun = if count == 1 { "approval" } else { "approvals" };
    if threshold.from.is_empty() {
        return format!("{count} {noun} by any approver");
    }
    let names: Vec<_> = threshold.from.iter().map(Principal::as_str).collect();
    format!("{count} {noun} of {}", names.join(", "))
}
