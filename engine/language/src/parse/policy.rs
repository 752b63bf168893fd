//! `policy.yaml`: groups, rules, principals. A proposal; it binds when an admin applies it.

use std::collections::{BTreeMap, BTreeSet};

use placet_model::Principal;
use placet_model::actor::{PrincipalKind, Role};
use placet_model::manifest::{Catalogue, Effect};
use placet_model::policy::{Match, Policy, PrincipalInfo, Require, Rule};
use placet_schemas::Registry;

use super::on_deep_stack;
use super::reader::Reader;
use crate::codes;
use crate::diagnostic::{Diagnostic, Sink, did_you_mean};
use crate::environment::Environment;
use crate::source::{Source, Span};
use crate::syntax::{Content, Node, load};

const ROOT: &[&str] = &["groups", "rules", "principals", "blocked", "standing"];
const MATCH: &[&str] = &["effect", "provider", "operation", "integration", "workflow"];
const REQUIRE: &[&str] = &["approvers", "quorum", "expires", "reasonRequired", "selfApproval"];
/// What a policy will hold one day, and what to do until then.
const NOT_BUILT: &[(&str, &str)] = &[
    ("standing", "every write asks; there are no standing grants yet"),
    ("when", "match by operation, integration or workflow"),
    ("target", "match by operation, integration or workflow"),
    ("signature", "votes over `serve` are signed anyway"),
    ("remind", "watch the inbox with `placet inbox watch`"),
    ("escalate", "name the approvers"),
    ("delegate", "name the approvers"),
];

/// Checks a policy. `principals` are the people and programs that the project has already; those of
/// the file are added to them. With `None` and no `principals` in the file, names are not checked.
///
/// Never panics and does no I/O.
pub fn check_policy(
    source: &Source,
    principals: Option<&BTreeMap<Principal, PrincipalInfo>>,
) -> (Option<Policy>, Vec<Diagnostic>) {
    on_deep_stack(|| read(source, principals)).unwrap_or_else(|| {
        let mut sink = Sink::new(source);
        let help = "this is a bug of Placet: please report the file";
        sink.report(codes::POLICY, Span::default(), "the file could not be checked", help);
        (None, sink.finish())
    })
}

fn read(
    source: &Source,
    principals: Option<&BTreeMap<Principal, PrincipalInfo>>,
) -> (Option<Policy>, Vec<Diagnostic>) {
    let mut sink = Sink::new(source);
    let Some(root) = load::load(&mut sink) else { return (None, sink.finish()) };
    let (catalogue, schemas) = (Catalogue::default(), Registry::new());
    let environment =
        Environment { catalogue: &catalogue, integrations: None, policy: None, schemas: &schemas };
    let mut reader = policy_reader(sink, environment);
    let mut policy =
        Policy { principals: principals.cloned().unwrap_or_default(), ..Policy::default() };
    let is_map = reader.policy_map(&root, "a policy", ROOT);
    if is_map {
        reader.people(&root, &mut policy);
    }
    // Rules name people and groups, so they are read by a reader that knows them.
    let known = (!policy.principals.is_empty()).then(|| policy.clone());
    let environment = Environment { policy: known.as_ref(), ..environment };
    let mut reader = policy_reader(reader.into_sink(), environment);
    if let Some(rules) = root.get("rules").filter(|_| is_map) {
        policy.rules = reader.rules(rules);
    }
    let (diagnostics, has_errors) = reader.finish();
    ((!has_errors).then_some(policy), diagnostics)
}

fn policy_reader<'a>(sink: Sink<'a>, environment: Environment<'a>) -> Reader<'a> {
    let mut reader = Reader::new(sink, environment);
    reader.shape_code = codes::POLICY;
    reader.approval_code = codes::POLICY;
    reader
}

impl Reader<'_> {
    /// Whether the node is a map; keys that are still to come are refused as such.
    fn policy_map(&mut self, node: &Node, what: &str, known: &[&str]) -> bool {
        if !self.open_map(node, what) {
            return false;
        }
        for entry in node.entries() {
            let later = NOT_BUILT.iter().find(|(key, _)| *key == entry.key);
            if let Some((key, help)) = later {
                let message = format!("`{key}` of a policy is not built yet");
                self.report(codes::POLICY, entry.key_span, message, *help);
            } else if !known.contains(&entry.key.as_str()) {
                self.unknown_key(entry.key_span, &entry.key, what, known);
            }
        }
        true
    }

    fn people(&mut self, root: &Node, policy: &mut Policy) {
        if let Some(principals) = root.get("principals")
            && self.open_map(principals, "`principals`")
        {
            for entry in principals.entries() {
                let name = self.name(&entry.key, entry.key_span);
                let info = self.principal_info(&entry.value);
                policy.principals.extend(name.zip(info));
            }
        }
        if let Some(groups) = root.get("groups")
            && self.open_map(groups, "`groups`")
        {
            for entry in groups.entries() {
                self.group(&entry.key, entry.key_span, &entry.value, policy);
            }
        }
        if let Some(blocked) = root.get("blocked") {
            policy.blocked = self.words(blocked, "`blocked`").into_iter().collect();
        }
    }

    fn name(&mut self, text: &str, span: Span) -> Option<Principal> {
        let name = text.parse().ok();
        if name.is_none() {
            let message = format!("`{text}` is no name of a user, agent, service or group");
            let help = "use a-z, 0-9, `-` and `_`; an e-mail address is not a name";
            self.report(codes::POLICY, span, message, help);
        }
        name
    }

    /// `{ kind, roles }`, or a list of roles for a user.
    fn principal_info(&mut self, node: &Node) -> Option<PrincipalInfo> {
        if matches!(node.content, Content::List(_)) {
            return Some(PrincipalInfo { kind: PrincipalKind::User, roles: self.roles(node)? });
        }
        if !self.map(node, "a principal", &["kind", "roles"]) {
            return None;
        }
        let kind = match node.get("kind") {
            Some(kind) => self.word(kind, "`kind`", PrincipalKind::ALL)?,
            None => PrincipalKind::User,
        };
        let roles = match node.get("roles") {
            Some(roles) => self.roles(roles)?,
            None => BTreeSet::new(),
        };
        if kind == PrincipalKind::Agent && roles.contains(&Role::Approver) {
            let message = "an agent can never approve";
            self.report(codes::POLICY, node.span, message, "remove the role `approver`");
            return None;
        }
        Some(PrincipalInfo { kind, roles })
    }

    fn roles(&mut self, node: &Node) -> Option<BTreeSet<Role>> {
        let items = self.list(node, "`roles`")?;
        items.iter().map(|item| self.word(item, "a role", Role::ALL)).collect()
    }

    /// One of the words of a closed list.
    fn word<T: Copy + std::fmt::Display>(
        &mut self,
        node: &Node,
        what: &str,
        all: &[T],
    ) -> Option<T> {
        let text = self.text(node, what)?;
        let words: Vec<String> = all.iter().map(ToString::to_string).collect();
        let found = all.iter().zip(&words).find(|(_, word)| *word == text).map(|(value, _)| *value);
        if found.is_none() {
            let help = match did_you_mean(text, words.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("one of: {}", words.join(", ")),
            };
            self.report(codes::POLICY, node.span, format!("{what} cannot be `{text}`"), help);
        }
        found
    }

    fn group(&mut self, name: &str, span: Span, members: &Node, policy: &mut Policy) {
        let Some(group) = self.name(name, span) else { return };
        if policy.principals.contains_key(&group) {
            let message = format!("`{name}` is a principal and cannot be a group as well");
            self.report(codes::POLICY, span, message, "choose another name for the group");
            return;
        }
        let Some(items) = self.list(members, "a group") else { return };
        let mut people = BTreeSet::new();
        for item in items {
            let Some(text) = self.text(item, "a member of a group") else { continue };
            let Some(member) = self.name(text, item.span) else { continue };
            if !policy.principals.is_empty() && !policy.principals.contains_key(&member) {
                let known = policy.principals.keys().map(Principal::as_str);
                let help = match did_you_mean(text, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "add the person under `principals`; groups do not nest".to_owned(),
                };
                let message = format!("there is no principal named `{text}`");
                self.report(codes::POLICY, item.span, message, help);
            }
            people.insert(member);
        }
        if people.is_empty() {
            let message = format!("the group `{name}` is empty");
            self.report(codes::POLICY, members.span, message, "name its members");
        }
        policy.groups.insert(group, people);
    }

    fn rules(&mut self, node: &Node) -> Vec<Rule> {
        let Some(items) = self.list(node, "`rules`") else { return Vec::new() };
        let mut rules: Vec<Rule> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let Some(rule) = self.rule(item, index) else { continue };
            if rules.iter().any(|other| other.name == rule.name) {
                let span = item.get("name").map_or(item.span, |name| name.span);
                let message = format!("two rules are called `{}`", rule.name);
                self.report(codes::POLICY, span, message, "give them different names");
            }
            rules.push(rule);
        }
        rules
    }

    fn rule(&mut self, node: &Node, index: usize) -> Option<Rule> {
        if !self.policy_map(node, "a rule", &["name", "match", "require"]) {
            return None;
        }
        let name = match node.get("name") {
            Some(name) => self.text(name, "`name`")?.to_owned(),
            None => format!("rule {}", index + 1),
        };
        let matches =
            node.get("match").map_or_else(|| Some(Match::default()), |node| self.matches(node));
        let require = self.required(node, "require", "a rule");
        let require = require.and_then(|require| self.require(require));
        Some(Rule { name, matches: matches?, require: require? })
    }

    fn matches(&mut self, node: &Node) -> Option<Match> {
        if !self.policy_map(node, "`match`", MATCH) {
            return None;
        }
        let effect = node.get("effect").map(|node| self.effects(node)).unwrap_or_default();
        let mut words = |key| node.get(key).map(|node| self.words(node, key)).unwrap_or_default();
        Some(Match {
            effect,
            provider: words("provider"),
            operation: words("operation"),
            integration: words("integration"),
            workflow: words("workflow"),
        })
    }

    fn effects(&mut self, node: &Node) -> Vec<Effect> {
        let items = match &node.content {
            Content::List(items) => items.as_slice(),
            Content::Null
            | Content::Bool(_)
            | Content::Number(_)
            | Content::Text { .. }
            | Content::Map(_) => std::slice::from_ref(node),
        };
        let mut effects = Vec::new();
        for item in items {
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
    fn words(&mut self, node: &Node, what: &str) -> Vec<String> {
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
        if !self.policy_map(node, "`require`", REQUIRE) {
            return None;
        }
        let thresholds = self.thresholds(node);
        let expires = node.get("expires").map(|node| self.some_time(node, "`expires`"));
        let reason = node.get("reasonRequired").map(|node| self.reason_required(node));
        let own = node.get("selfApproval").map(|node| self.self_approval(node));
        Some(Require {
            thresholds: thresholds?,
            expires: expires.flatten(),
            reason_required: reason.flatten(),
            self_approval: own.flatten(),
        })
    }
}
