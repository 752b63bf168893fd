//! What a rule applies to, and what a standing approval covers.
//!
//! What cannot be known never loosens: a rule applies then, a standing approval does not cover.

use placet_model::manifest::Effect;
use placet_model::policy::{Match, Policy, Reversibility};
use std::collections::{BTreeMap, BTreeSet};

/// What a policy's rules match on.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What the operation does to the world.
    pub effect: Effect,
    /// The provider.
    pub provider: &'a str,
    /// The operation.
    pub operation: &'a str,
    /// The name of the call that was led to it by a channel: a rule may mean either.
    pub via: Option<&'a str>,
    /// Name of the integration, where there is one.
    pub integration: Option<&'a str>,
    /// `namespace/name` of the workflow.
    pub workflow: &'a str,
    /// What was found in the bytes.
    pub signals: &'a Signals,
}

/// What the executor has found in the prepared bytes and in the log; never in an agent's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signals {
    /// Whom or what it reaches, in the provider's words.
    pub target: Option<String>,
    /// Everybody it reaches, each by themselves; empty where that is not known.
    pub recipients: Vec<String>,
    /// Those of them whom it reaches besides its target (copies of a message).
    pub beside: Vec<String>,
    /// Whether nothing was sent to one of them before.
    pub first_contact: Truth,
    /// Whether something in the bytes looks like a credential.
    pub secrets: Truth,
    /// Whether a number in the bytes passes the check of payment cards.
    pub card_numbers: Truth,
    /// Bytes of the body; none where that is not known.
    pub bytes: Option<u64>,
    /// What the expressions of the rules gave. One that is not here has failed.
    pub when: BTreeMap<String, Truth>,
}

/// What is known of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// It is not so.
    No,
    /// Nobody can tell.
    Unknown,
    /// It is so.
    Yes,
}

impl From<bool> for Truth {
    fn from(known: bool) -> Self {
        if known { Self::Yes } else { Self::No }
    }
}

impl Signals {
    /// Nothing was looked at.
    pub const fn unknown() -> Self {
        Self {
            target: None,
            recipients: Vec::new(),
            beside: Vec::new(),
            first_contact: Truth::Unknown,
            secrets: Truth::Unknown,
            card_numbers: Truth::Unknown,
            bytes: None,
            when: BTreeMap::new(),
        }
    }
}

/// Whether a rule's match holds: the least of what each given member says.
pub(super) fn matches(policy: &Policy, wanted: &Match, subject: Subject<'_>) -> Truth {
    let signals = subject.signals;
    let mine = |target: &String| {
        signals.target.as_ref() == Some(target) || signals.recipients.contains(target)
    };
    let target = match wanted.target.is_empty() {
        true => Truth::Yes,
        // of other targets nothing is known
        false if signals.recipients.is_empty() && signals.target.is_none() => Truth::Unknown,
        false => wanted.target.iter().any(mine).into(),
    };
    let outside = match &wanted.outside_allow_list {
        None => Truth::Yes,
        Some(_) if signals.recipients.is_empty() => Truth::Unknown,
        Some(list) => {
            let list = policy.allow_lists.get(list);
            signals.recipients.iter().any(|who| !list.is_some_and(|list| lists(list, who))).into()
        }
    };
    let all = [called(wanted, subject), target, outside, content(wanted, signals)];
    all.into_iter().min().unwrap_or(Truth::Yes)
}

/// Whether a standing approval covers the action: everything that it names is certainly so, and
/// everybody whom the action reaches is among its targets.
pub fn covers(policy: &Policy, wanted: &Match, subject: Subject<'_>) -> bool {
    let signals = subject.signals;
    let named = |people: &[String]| people.iter().all(|who| wanted.target.contains(who));
    let to_the_target =
        signals.target.as_ref().is_some_and(|target| wanted.target.contains(target));
    let reached = wanted.target.is_empty()
        || (to_the_target && named(&signals.beside))
        || (!signals.recipients.is_empty() && named(&signals.recipients));
    reached && matches(policy, wanted, subject) == Truth::Yes
}

/// What the call itself is.
fn called(wanted: &Match, subject: Subject<'_>) -> Truth {
    let text = |list: &[String], value: Option<&str>| {
        list.is_empty() || value.is_some_and(|value| list.iter().any(|item| item == value))
    };
    let effect = wanted.effect.is_empty() || wanted.effect.contains(&subject.effect);
    let class = Reversibility::from(subject.effect);
    let reversibility = wanted.reversibility.is_empty() || wanted.reversibility.contains(&class);
    let all = effect
        && reversibility
        && text(&wanted.provider, Some(subject.provider))
        && (text(&wanted.operation, Some(subject.operation))
            || subject.via.is_some_and(|via| text(&wanted.operation, Some(via))))
        && text(&wanted.integration, subject.integration)
        && text(&wanted.workflow, Some(subject.workflow));
    all.into()
}

/// What was found in the bytes.
fn content(wanted: &Match, signals: &Signals) -> Truth {
    let signal = |either: bool, found: Truth| if either { Truth::Yes } else { found };
    let size = match (wanted.size_over, signals.bytes) {
        (None, _) => Truth::Yes,
        (Some(_), None) => Truth::Unknown,
        (Some(most), Some(bytes)) => (bytes > most).into(),
    };
    let when = wanted.when.as_ref().map_or(Truth::Yes, |expression| {
        signals.when.get(&expression.0).copied().unwrap_or(Truth::Unknown)
    });
    let all = [
        signal(wanted.first_contact.is_either(), signals.first_contact),
        signal(wanted.secrets_found.is_either(), signals.secrets),
        signal(wanted.card_numbers_found.is_either(), signals.card_numbers),
        size,
        when,
    ];
    all.into_iter().min().unwrap_or(Truth::Yes)
}

/// Whether a recipient is in a list, itself or by its domain (`@example.com`).
fn lists(list: &BTreeSet<String>, recipient: &str) -> bool {
    let domain = recipient.rsplit_once('@').map_or(recipient, |(_, domain)| domain);
    let domain = format!("@{}", domain.to_lowercase());
    list.iter().any(|entry| entry == recipient || entry.to_lowercase() == domain)
}
