//! `policy.yaml`: groups, rules, principals. A proposal; it binds when an admin applies it.

mod advance;
mod rules;
pub(crate) mod shape;

use std::collections::{BTreeMap, BTreeSet};

use placet_model::Principal;
use placet_model::actor::{PrincipalKind, Role};
use placet_model::manifest::Catalogue;
use placet_model::policy::{Policy, PrincipalInfo};
use placet_schemas::Registry;

use super::on_deep_stack;
use super::reader::Reader;
use crate::codes;
use crate::diagnostic::{Diagnostic, Sink, did_you_mean};
use crate::environment::Environment;
use crate::source::{Source, Span};
use crate::syntax::{Content, Node, load};

/// The members of a policy.
pub(crate) const ROOT: &[&str] = &[
    "groups",
    "rules",
    "principals",
    "blocked",
    "allowLists",
    "standing",
    "delegations",
    "breakGlass",
    "notify",
];

/// The members of `notify`.
pub(crate) const NOTIFY: &[&str] = &["payload"];

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
    let environment = Environment {
        catalogue: &catalogue,
        integrations: None,
        scopes: None,
        silent: None,
        policy: None,
        schemas: &schemas,
    };
    let mut reader = policy_reader(sink, environment);
    let mut policy =
        Policy { principals: principals.cloned().unwrap_or_default(), ..Policy::default() };
    let is_map = reader.map(&root, "a policy", ROOT);
    if is_map {
        reader.people(&root, &mut policy);
    }
    // Rules name people and groups, so they are read by a reader that knows them.
    let known = (!policy.principals.is_empty()).then(|| policy.clone());
    let environment = Environment { policy: known.as_ref(), ..environment };
    let mut reader = policy_reader(reader.into_sink(), environment);
    if is_map {
        reader.allow_lists(&root, &mut policy);
        if let Some(rules) = root.get("rules") {
            policy.rules = reader.rules(rules, &policy);
        }
        reader.in_advance(&root, &mut policy);
        reader.notify(&root, &mut policy);
        reader.only_the_requester(&root, &policy);
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
    /// What notices outside of the inbox may say.
    fn notify(&mut self, root: &Node, policy: &mut Policy) {
        let Some(node) = root.get("notify") else { return };
        if !self.map(node, "`notify`", NOTIFY) {
            return;
        }
        let Some(payload) = node.get("payload") else { return };
        let Some(word) = self.text(payload, "`payload`") else { return };
        match word.parse() {
            Ok(allowed) => policy.notice_payload = allowed,
            Err(_unknown) => {
                let message = format!("`payload` cannot be `{word}`");
                self.report(codes::POLICY, payload.span, message, "write allow or withhold");
            }
        }
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
}
