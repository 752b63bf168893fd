//! Who must agree, and whether they have: requirements are resolved from policy and metadata, and
//! votes are counted with the rights of the moment.

mod electorate;
mod matching;

pub use electorate::{Electorate, Moment, Tally, is_agent};
pub use matching::{Signals, Subject, Truth, covers};

use placet_model::approval::{
    ApprovalMetadata, ReasonRequired, Requirement, SelfApproval, Threshold,
};
use placet_model::decision::Assurance;
use placet_model::policy::{Permission, Policy, Require, Rule};

/// What a policy says of one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// What must be met.
    pub requirement: Requirement,
    /// Rules by which nobody may send it; none: people are asked.
    pub refused_by: Vec<String>,
    /// Rules that are only shown, and rules that apply because nobody can tell whether they do.
    pub notes: Vec<String>,
}

/// The effective requirement: every matching rule and the author's metadata, the strictest of each
/// kind. The metadata can only tighten; so can a rule of which nobody can tell whether it matches
/// (its expression failed, a signal is unknown), which applies.
pub fn resolve(
    policy: &Policy,
    subject: Subject<'_>,
    metadata: Option<&ApprovalMetadata>,
) -> Resolved {
    let set = metadata.and_then(|meta| meta.policy.as_deref());
    let named = |rule: &&Rule| rule.set.is_none() || rule.set.as_deref() == set;
    let (mut certain, mut perhaps, mut notes) = (vec![], vec![], vec![]);
    for rule in policy.rules.iter().filter(named) {
        let truth = matching::matches(policy, &rule.matches, subject);
        match (truth, rule.mode.is_enforced()) {
            (Truth::No, _) => {}
            (Truth::Yes | Truth::Unknown, false) => notes.push(shadow_note(rule)),
            (Truth::Yes, true) => certain.push(rule),
            (Truth::Unknown, true) => {
                notes.push(format!(
                    "rule {:?} applies: nobody can tell that it does not",
                    rule.name
                ));
                perhaps.push(rule);
            }
        }
    }
    let mut requirement = with_rules(&certain, metadata);
    if !perhaps.is_empty() {
        certain.append(&mut perhaps);
        requirement = stricter(&requirement, &with_rules(&certain, metadata));
    }
    let refuses = |rule: &&&Rule| rule.require.permission == Permission::Refused;
    let refused = certain.iter().filter(refuses).map(|rule| rule.name.clone());
    // an author who asks for a set of rules gets them or nothing: taken out, they would not tighten
    let known = |set: &str| policy.rules.iter().any(|rule| rule.set.as_deref() == Some(set));
    let lost = set.filter(|set| !known(set));
    let lost = lost.map(|set| format!("{set} (the policy in force has no such set of rules)"));
    let refused_by = refused.chain(lost).collect();
    Resolved { requirement, refused_by, notes }
}

fn with_rules(rules: &[&Rule], metadata: Option<&ApprovalMetadata>) -> Requirement {
    let default = Requirement::default_for_project();
    let asked = || rules.iter().map(|rule| &rule.require);
    let mut thresholds: Vec<Threshold> = asked().flat_map(thresholds_of).collect();
    if thresholds.is_empty() {
        thresholds = default.thresholds;
    }
    thresholds.extend(metadata.into_iter().flat_map(authors_thresholds));
    thresholds.sort();
    thresholds.dedup();
    let millis = |time: &placet_model::Duration| time.approximate_millis();
    // where no rule says otherwise the default binds the author too
    let allowed = asked()
        .filter_map(|require| require.expires)
        .min_by_key(millis)
        .unwrap_or(default.valid_for);
    let valid_for = std::iter::once(allowed)
        .chain(metadata.and_then(|meta| meta.expires))
        .min_by_key(millis)
        .unwrap_or(allowed);
    let reason_required = asked()
        .filter_map(|require| require.reason_required)
        .max()
        .unwrap_or(default.reason_required)
        .max(metadata.and_then(|meta| meta.reason_required).unwrap_or(ReasonRequired::Never));
    let opinions: Vec<_> = asked().filter_map(|require| require.self_approval).collect();
    let refused = metadata.and_then(|meta| meta.self_approval) == Some(SelfApproval::Refused);
    let allowed = !opinions.is_empty() && opinions.iter().all(|o| *o == SelfApproval::Allowed);
    let names: Vec<String> = rules.iter().map(|rule| rule.name.clone()).collect();
    let assurance = asked().filter_map(|require| require.assurance).max();
    let reminders = asked().filter_map(|require| require.remind);
    Requirement {
        thresholds,
        valid_for,
        reason_required,
        self_approval: if allowed && !refused {
            SelfApproval::Allowed
        } else {
            SelfApproval::Refused
        },
        rules: if names.is_empty() { default.rules } else { sorted(names) },
        assurance: assurance.unwrap_or(Assurance::lowest()),
        remind: reminders.chain(metadata.and_then(|meta| meta.remind)).min_by_key(millis),
    }
}

/// A rule's thresholds. Its escalation widens them, and no threshold of another rule.
fn thresholds_of(require: &Require) -> Vec<Threshold> {
    let escalate = require.escalate.as_ref();
    let widened = |threshold: &Threshold| Threshold {
        escalate: threshold.escalate.clone().or_else(|| escalate.cloned()),
        ..threshold.clone()
    };
    require.thresholds.iter().map(widened).collect()
}

/// The author's thresholds; the author's escalation widens the one of plain names, which is first.
fn authors_thresholds(meta: &ApprovalMetadata) -> Vec<Threshold> {
    let mut thresholds = meta.thresholds.clone();
    if let (Some(first), Some(escalate)) = (thresholds.first_mut(), &meta.escalate) {
        first.escalate = Some(escalate.clone());
    }
    thresholds
}

fn shadow_note(rule: &Rule) -> String {
    let mut asks: Vec<String> = rule
        .require
        .thresholds
        .iter()
        .map(|threshold| electorate::missing_line(threshold, usize::from(threshold.approve)))
        .collect();
    if rule.require.permission == Permission::Refused {
        asks.push("nobody to send it".to_owned());
    }
    asks.extend(rule.require.assurance.map(|least| format!("votes of assurance {least} or more")));
    asks.extend(rule.require.expires.map(|time| format!("an answer within {time}")));
    let asks = if asks.is_empty() { "nothing more".to_owned() } else { asks.join("; ") };
    format!("rule {:?} is in shadow mode and would ask for {asks}", rule.name)
}

/// The stricter of two requirements, kind by kind: a join, so that the order does not matter and
/// saying something twice changes nothing.
pub fn stricter(then: &Requirement, now: &Requirement) -> Requirement {
    let mut thresholds = then.thresholds.clone();
    thresholds.extend(now.thresholds.iter().cloned());
    thresholds.sort();
    thresholds.dedup();
    let rules = then.rules.iter().chain(&now.rules).cloned().collect();
    let shorter = |a: &placet_model::Duration, b: &placet_model::Duration| {
        (a.approximate_millis(), a.months).cmp(&(b.approximate_millis(), b.months))
    };
    Requirement {
        thresholds,
        valid_for: std::cmp::min_by(then.valid_for, now.valid_for, shorter),
        reason_required: then.reason_required.max(now.reason_required),
        self_approval: then.self_approval.min(now.self_approval),
        rules: sorted(rules),
        assurance: then.assurance.max(now.assurance),
        remind: then.remind.into_iter().chain(now.remind).min_by(shorter),
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}
