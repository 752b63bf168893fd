//! The rules of a policy: what each applies to, and what it asks for.

use std::collections::BTreeSet;

use placet_model::Duration;
use placet_model::approval::{DEFAULT_EXPIRY_DAYS, Escalation};
use placet_model::decision::Assurance;
use placet_model::manifest::Effect;
use placet_model::plan::Expression;
use placet_model::policy::{
    Match, Permission, Policy, Require, Reversibility, Rule, RuleMode, Signal,
};

use super::super::asks::{REMIND_MILLIS_MIN, at_least};
use super::super::names::Place;
use super::super::reader::Reader;
use crate::codes;
use crate::diagnostic::did_you_mean;
use crate::expr::source as fences;
use crate::syntax::{Content, Node};

/// The members of a rule.
pub(crate) const RULE: &[&str] = &["name", "set", "mode", "match", "require"];
/// The members of a match.
pub(crate) const MATCH: &[&str] = &[
    "effect",
    "provider",
    "operation",
    "integration",
    "workflow",
    "target",
    "when",
    "firstContact",
    "outsideAllowList",
    "secretsFound",
    "cardNumbersFound",
    "sizeOver",
    "reversibility",
];
/// The members of what a rule asks for.
pub(crate) const REQUIRE: &[&str] = &[
    "approvers",
    "quorum",
    "expires",
    "reasonRequired",
    "selfApproval",
    "signature",
    "remind",
    "escalate",
    "deny",
];
/// Levels of assurance that a policy can ask for.
pub(crate) const SIGNATURE: &[Assurance] =
    &[Assurance::Session, Assurance::Transport, Assurance::Nkey, Assurance::Passkey];
/// Largest body of which a policy can speak, in bytes.
const SIZE_MAX: u64 = 1 << 40;

impl Reader<'_> {
    /// Recipients and domains, by the name of their list.
    pub(super) fn allow_lists(&mut self, root: &Node, policy: &mut Policy) {
        let Some(lists) = root.get("allowLists") else { return };
        if !self.open_map(lists, "`allowLists`") {
            return;
        }
        for entry in lists.entries() {
            let items = self.words(&entry.value, "an allow list");
            policy.allow_lists.insert(entry.key.clone(), items.into_iter().collect());
        }
    }

    pub(super) fn rules(&mut self, node: &Node, policy: &Policy) -> Vec<Rule> {
        let Some(items) = self.list(node, "`rules`") else { return Vec::new() };
        let mut rules: Vec<Rule> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let Some(rule) = self.rule(item, (index, policy)) else { continue };
            if rules.iter().any(|other| other.name == rule.name) {
                let span = item.get("name").map_or(item.span, |name| name.span);
                let message = format!("two rules are called `{}`", rule.name);
                self.report(codes::POLICY, span, message, "give them different names");
            }
            rules.push(rule);
        }
        rules
    }

    fn rule(&mut self, node: &Node, (index, policy): (usize, &Policy)) -> Option<Rule> {
        if !self.map(node, "a rule", RULE) {
            return None;
        }
        let name = match node.get("name") {
            Some(name) => self.text(name, "`name`")?.to_owned(),
            None => format!("rule {}", index + 1),
        };
        let set = match node.get("set") {
            Some(set) => Some(self.text(set, "`set`")?.to_owned()),
            None => None,
        };
        let mode = match node.get("mode") {
            Some(mode) => self.word(mode, "`mode`", RuleMode::ALL)?,
            None => RuleMode::default(),
        };
        let matches = match node.get("match") {
            Some(node) => self.matches(node, policy),
            None => Some(Match::default()),
        };
        let require = self.required(node, "require", "a rule");
        let require = require.and_then(|require| self.require(require));
        Some(Rule { name, matches: matches?, require: require?, mode, set })
    }

    pub(super) fn matches(&mut self, node: &Node, policy: &Policy) -> Option<Match> {
        if !self.map(node, "`match`", MATCH) {
            return None;
        }
        let effect = node.get("effect").map(|node| self.effects(node)).unwrap_or_default();
        let mut words = |key| node.get(key).map(|node| self.words(node, key)).unwrap_or_default();
        let (provider, operation, integration) =
            (words("provider"), words("operation"), words("integration"));
        let (workflow, target) = (words("workflow"), words("target"));
        Some(Match {
            effect,
            provider,
            operation,
            integration,
            workflow,
            target,
            when: node.get("when").and_then(|node| self.when(node)),
            first_contact: self.signal(node, "firstContact"),
            outside_allow_list: self.outside_list(node, policy),
            secrets_found: self.signal(node, "secretsFound"),
            card_numbers_found: self.signal(node, "cardNumbersFound"),
            size_over: node.get("sizeOver").and_then(|node| self.size(node)),
            reversibility: self.reversibility(node),
        })
    }

    /// jq, with or without its fence, on `{ with, operation, target, recipients, workflow }`.
    fn when(&mut self, node: &Node) -> Option<Expression> {
        let text = self.text(node, "`when`")?;
        let (jq, offset) = fences::fenced(text).unwrap_or((text, 0));
        self.jq(node, jq, offset, Place::Policy)
    }

    /// `true` waits for the signal; `false` would match what is harmless only, and a rule that says
    /// so is a mistake: rules tighten.
    fn signal(&mut self, map: &Node, key: &str) -> Signal {
        let Some(node) = map.get(key) else { return Signal::Either };
        match self.boolean(node, key) {
            Some(true) => Signal::Present,
            Some(false) => {
                let message = format!("`{key}: false` matches nothing in particular");
                self.report(codes::POLICY, node.span, message, "remove it, or write true");
                Signal::Either
            }
            None => Signal::Either,
        }
    }

    fn outside_list(&mut self, map: &Node, policy: &Policy) -> Option<String> {
        let node = map.get("outsideAllowList")?;
        let name = self.text(node, "`outsideAllowList`")?;
        if !policy.allow_lists.contains_key(name) {
            let help = match did_you_mean(name, policy.allow_lists.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "add it under `allowLists`".to_owned(),
            };
            let message = format!("there is no allow list named `{name}`");
            self.report(codes::POLICY, node.span, message, help);
        }
        Some(name.to_owned())
    }

    fn size(&mut self, node: &Node) -> Option<u64> {
        let size = node.to_json().as_u64().filter(|size| *size <= SIZE_MAX);
        if size.is_none() {
            let message = "`sizeOver` is a number of bytes, from 0";
            self.report(codes::POLICY, node.span, message, "write it without quotes");
        }
        size
    }

    fn reversibility(&mut self, map: &Node) -> Vec<Reversibility> {
        let Some(node) = map.get("reversibility") else { return vec![] };
        let mut classes = vec![];
        for item in one_or_more(node) {
            classes.extend(self.word(item, "`reversibility`", Reversibility::ALL));
        }
        classes
    }

    fn effects(&mut self, node: &Node) -> Vec<Effect> {
        let mut effects = Vec::new();
        for item in one_or_more(node) {
            let effect = self.word(item, "an effect", Effect::ALL);
            if effect == Some(Effect::Read) {
                let message = "reads ask for no approval, so this matches nothing";
                self.warn(codes::POLICY, item.span, message, "write, send or destructive");
            }
            effects.extend(effect);
        }
        effects
    }

    /// One string, or a list of them; never empty.
    pub(super) fn words(&mut self, node: &Node, what: &str) -> Vec<String> {
        if let Some(text) = node.as_text() {
            return vec![text.to_owned()];
        }
        let Some(items) = self.list(node, what) else { return Vec::new() };
        if items.is_empty() {
            // An empty list would match everything where the author wrote "none of them".
            let message = format!("{what} is an empty list");
            self.report(codes::POLICY, node.span, message, "name at least one, or remove the key");
        }
        items.iter().filter_map(|item| self.text(item, what)).map(str::to_owned).collect()
    }

    fn require(&mut self, node: &Node) -> Option<Require> {
        if !self.map(node, "`require`", REQUIRE) {
            return None;
        }
        let thresholds = self.thresholds(node);
        let expires = node.get("expires").map(|node| self.some_time(node, "`expires`"));
        let expires = expires.flatten();
        let reason = node.get("reasonRequired").map(|node| self.reason_required(node));
        let own = node.get("selfApproval").map(|node| self.self_approval(node));
        let assurance = node.get("signature").map(|node| self.assurance(node));
        let thresholds = thresholds?;
        let escalate = node.get("escalate").and_then(|escalate| {
            if thresholds.is_empty() {
                let message = "`escalate` widens the approvers of its rule, and it names none";
                let span = node.key_span("escalate");
                self.report(codes::POLICY, span, message, "add approvers, or a quorum");
            }
            self.rule_escalation(escalate, expires)
        });
        Some(Require {
            thresholds,
            expires,
            reason_required: reason.flatten(),
            self_approval: own.flatten(),
            assurance: assurance.flatten(),
            remind: node.get("remind").and_then(|node| self.rule_reminder(node)),
            escalate,
            permission: self.permission(node),
        })
    }

    /// The least assurance; `required` is a signature.
    pub(super) fn assurance(&mut self, node: &Node) -> Option<Assurance> {
        if node.as_text() == Some("required") {
            return Some(Assurance::Nkey);
        }
        self.word(node, "`signature`", SIGNATURE)
    }

    fn permission(&mut self, map: &Node) -> Permission {
        let Some(node) = map.get("deny") else { return Permission::Asked };
        if self.boolean(node, "`deny`") != Some(true) {
            let message = "`deny` is true: nobody may send what the rule matches";
            self.report(codes::POLICY, node.span, message, "write true, or remove it");
            return Permission::Asked;
        }
        let others = map.entries().iter().find(|entry| entry.key != "deny");
        if let Some(other) = others {
            let message = format!("`{}` beside `deny: true` asks nobody", other.key);
            self.warn(codes::POLICY, other.key_span, message, "remove it");
        }
        Permission::Refused
    }

    fn rule_reminder(&mut self, node: &Node) -> Option<Duration> {
        if !self.map(node, "`remind`", &["every"]) {
            return None;
        }
        let every = self.required(node, "every", "`remind`")?;
        let interval = self.some_time(every, "`remind.every`")?;
        if !at_least(interval, Duration::from_millis(REMIND_MILLIS_MIN)) {
            let message = "`remind.every` must be at least five minutes";
            self.report(codes::POLICY, every.span, message, "write PT5M or more");
        }
        Some(interval)
    }

    fn rule_escalation(&mut self, node: &Node, expires: Option<Duration>) -> Option<Escalation> {
        if !self.map(node, "`escalate`", &["after", "to"]) {
            return None;
        }
        let after = self.required(node, "after", "`escalate`")?;
        let to = self.required(node, "to", "`escalate`")?;
        let span = after.span;
        let after = self.some_time(after, "`escalate.after`")?;
        let items = self.short_list(to, "`escalate.to`")?;
        let to = items.iter().map(|item| self.principal(item)).collect::<Option<_>>()?;
        if at_least(after, expires.unwrap_or(Duration::from_days(DEFAULT_EXPIRY_DAYS))) {
            let message = "`escalate.after` is not before the request expires";
            self.report(codes::POLICY, span, message, "escalate earlier, or expire later");
        }
        Some(Escalation { after, to })
    }

    /// Warns of a rule that nobody could meet for what one of its own approvers has caused: there
    /// the requester alone is left.
    pub(super) fn only_the_requester(&mut self, root: &Node, policy: &Policy) {
        if policy.principals.is_empty() {
            return;
        }
        for (index, rule) in policy.rules.iter().enumerate() {
            let item = root.get("rules").and_then(|rules| match &rules.content {
                Content::List(items) => items.get(index),
                Content::Null
                | Content::Bool(_)
                | Content::Number(_)
                | Content::Text { .. }
                | Content::Map(_) => None,
            });
            let own =
                rule.require.self_approval == Some(placet_model::approval::SelfApproval::Allowed);
            let Some(span) = item.and_then(|item| item.get("require")).map(|node| node.span) else {
                continue;
            };
            for threshold in rule.require.thresholds.iter().filter(|_| !own) {
                let mut people: BTreeSet<_> = policy.people(&threshold.from);
                let more = rule.require.escalate.iter().chain(&threshold.escalate);
                people.extend(more.flat_map(|more| policy.people(&more.to)));
                let needed = usize::from(threshold.approve.max(1));
                if people.len() == needed {
                    let names: Vec<_> = people.iter().map(ToString::to_string).collect();
                    let message = format!(
                        "nobody could approve what one of these has caused: {}",
                        names.join(", ")
                    );
                    let help = "name one person more than must approve; nobody approves their own";
                    self.warn(codes::POLICY, span, message, help);
                }
            }
        }
    }
}

/// A list's items, or the one item in its place.
fn one_or_more(node: &Node) -> &[Node] {
    match &node.content {
        Content::List(items) => items.as_slice(),
        Content::Null
        | Content::Bool(_)
        | Content::Number(_)
        | Content::Text { .. }
        | Content::Map(_) => std::slice::from_ref(node),
    }
}
