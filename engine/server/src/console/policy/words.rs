//! A rule as a person would say it: what it applies to, and what it asks for.

use placet_model::approval::{SelfApproval, Threshold};
use placet_model::policy::{
    BreakGlass, Delegation, Match, NoticePayload, Permission, Require, Rule, RuleMode, Signal,
    Standing,
};
use placet_model::{Duration, Principal};
use serde::Serialize;
use std::fmt::Display;

/// A rule in words.
#[derive(Debug)]
pub(super) struct RuleWords {
    pub(super) name: String,
    pub(super) set: Option<String>,
    pub(super) is_shadow: bool,
    pub(super) applies: Vec<String>,
    pub(super) asks: Vec<String>,
}

/// A vote given in advance, in words.
#[derive(Debug)]
pub(super) struct StandingWords {
    pub(super) name: String,
    pub(super) applies: Vec<String>,
    pub(super) limits: String,
    pub(super) by: String,
}

impl RuleWords {
    pub(super) fn of(rule: &Rule) -> Self {
        Self {
            name: rule.name.clone(),
            set: rule.set.clone(),
            is_shadow: rule.mode == RuleMode::Shadow,
            applies: applies(&rule.matches),
            asks: asks(&rule.require),
        }
    }
}

impl StandingWords {
    pub(super) fn of(standing: &Standing, by: &[Principal]) -> Self {
        Self {
            name: standing.name.clone(),
            applies: applies(&standing.matches),
            limits: format!("at most {} a day, until {}", standing.max_per_day, standing.until),
            by: if by.is_empty() { "nobody yet".to_owned() } else { listed(by) },
        }
    }
}

/// Texts with commas between them.
pub(super) fn listed(items: impl IntoIterator<Item = impl Display>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// A value by its word on the wire.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}

/// What it applies to: everything that is said must hold.
fn applies(matches: &Match) -> Vec<String> {
    let Match {
        effect,
        provider,
        operation,
        integration,
        workflow,
        target,
        when,
        first_contact,
        outside_allow_list,
        secrets_found,
        card_numbers_found,
        size_over,
        reversibility,
    } = matches;
    let mut lines = vec![];
    let mut one_of = |what: &str, values: Vec<String>| {
        if !values.is_empty() {
            lines.push(format!("{what} {}", values.join(" or ")));
        }
    };
    one_of("its effect is", effect.iter().map(word).collect());
    one_of("the provider is", provider.clone());
    one_of("the operation is", operation.clone());
    one_of("it goes through the integration", integration.clone());
    one_of("the workflow is", workflow.clone());
    one_of("it reaches", target.clone());
    one_of("it", reversibility.iter().map(|how| word(how).replace('-', " ")).collect());
    one_of("of it holds", when.iter().map(|when| when.0.clone()).collect());
    one_of("a recipient is not in the list", outside_allow_list.iter().cloned().collect());
    one_of("it has more bytes than", size_over.iter().map(u64::to_string).collect());
    for (signal, words) in [
        (first_contact, "nothing was sent to one of the recipients before"),
        (secrets_found, "something in it looks like a credential"),
        (card_numbers_found, "a number in it may be that of a payment card"),
    ] {
        if *signal == Signal::Present {
            lines.push(words.to_owned());
        }
    }
    if lines.is_empty() {
        lines.push("every call that waits for a decision".to_owned());
    }
    lines
}

/// What it asks for.
fn asks(require: &Require) -> Vec<String> {
    let Require {
        thresholds,
        expires,
        reason_required,
        self_approval,
        assurance,
        remind,
        escalate,
        permission,
    } = require;
    let mut lines = vec![];
    if *permission == Permission::Refused {
        lines.push("nobody may send it".to_owned());
    }
    lines.extend(thresholds.iter().map(threshold));
    let after = |duration: &Duration| duration.to_string();
    lines.extend(expires.as_ref().map(|time| format!("there are {} to decide", after(time))));
    lines.extend(
        reason_required.as_ref().map(|who| format!("a reason: {}", word(who).replace('-', " "))),
    );
    lines.extend(self_approval.as_ref().map(|may| match may {
        SelfApproval::Refused => "whoever asks does not decide".to_owned(),
        SelfApproval::Allowed => "whoever asks may decide as well".to_owned(),
    }));
    lines
        .extend(assurance.as_ref().map(|how| format!("votes are given by {} or surer", word(how))));
    lines.extend(remind.as_ref().map(|time| format!("a notice every {}", after(time))));
    lines.extend(escalate.as_ref().map(|more| {
        format!("after {} the votes of {} count as well", after(&more.after), listed(&more.to))
    }));
    if lines.is_empty() {
        lines.push("nothing more than any other".to_owned());
    }
    lines
}

fn threshold(threshold: &Threshold) -> String {
    let from = match threshold.from.as_slice() {
        [] => "by any approver".to_owned(),
        from => format!("of {}", listed(from)),
    };
    let many = |count: u16, noun: &str| {
        if count == 1 { format!("{count} {noun}") } else { format!("{count} {noun}s") }
    };
    let (approve, deny) = (many(threshold.approve, "approval"), many(threshold.deny, "rejection"));
    let end = if threshold.deny == 1 { "ends" } else { "end" };
    format!("{approve} {from}; {deny} {end} it")
}

pub(super) fn delegation(given: &Delegation) -> String {
    format!(
        "{} votes in the place of {}, from {} until {}",
        given.to, given.from, given.since, given.until
    )
}

pub(super) fn break_glass(glass: &BreakGlass) -> String {
    format!(
        "{} may send alone, by {} or surer, with a reason; {} must look at it afterwards",
        listed(&glass.who),
        word(&glass.assurance),
        listed(&glass.review)
    )
}

pub(super) const fn notices(payload: NoticePayload) -> &'static str {
    match payload {
        NoticePayload::Withhold => "Notices say how much waits, and nothing of what it is.",
        NoticePayload::Allow => {
            "Notices say what waits: operation, workflow, who caused it, and the author's line."
        }
    }
}
