//! What a policy settles beforehand: standing approvals, delegations, who may break the glass.

use placet_model::policy::{BreakGlass, Delegation, Policy, Standing};
use placet_model::{Principal, Timestamp};

use super::super::reader::Reader;
use crate::codes;
use crate::syntax::Node;

/// The members of a standing approval. `grantedBy` is read over: who gives it is who applies it.
pub(crate) const STANDING: &[&str] = &["name", "match", "until", "maxPerDay", "grantedBy"];
/// The members of a delegation.
pub(crate) const DELEGATION: &[&str] = &["from", "to", "since", "until"];
/// The members of the emergency's rules.
pub(crate) const BREAK_GLASS: &[&str] = &["who", "signature", "review"];
/// Most uses of a standing approval on one day.
const USES_MAX: u16 = 10_000;

impl Reader<'_> {
    pub(super) fn in_advance(&mut self, root: &Node, policy: &mut Policy) {
        if let Some(node) = root.get("standing") {
            policy.standing = self.standing(node, policy);
        }
        if let Some(node) = root.get("delegations") {
            let items = self.list(node, "`delegations`").unwrap_or_default();
            policy.delegations = items.iter().filter_map(|item| self.delegation(item)).collect();
        }
        if let Some(node) = root.get("breakGlass") {
            policy.break_glass = self.break_glass(node, policy);
        }
    }

    fn standing(&mut self, node: &Node, policy: &Policy) -> Vec<Standing> {
        let Some(items) = self.list(node, "`standing`") else { return vec![] };
        let mut all: Vec<Standing> = vec![];
        for (index, item) in items.iter().enumerate() {
            let Some(standing) = self.standing_approval(item, (index, policy)) else { continue };
            if all.iter().any(|other| other.name == standing.name) {
                let message = format!("two standing approvals are called `{}`", standing.name);
                self.report(codes::POLICY, item.span, message, "give them different names");
            }
            all.push(standing);
        }
        all
    }

    fn standing_approval(
        &mut self,
        node: &Node,
        (index, policy): (usize, &Policy),
    ) -> Option<Standing> {
        if !self.map(node, "a standing approval", STANDING) {
            return None;
        }
        if node.get("grantedBy").is_some() {
            let span = node.key_span("grantedBy");
            let message = "`grantedBy` is not read: a vote is given by who applies the policy";
            self.warn(codes::POLICY, span, message, "remove it");
        }
        let name = match node.get("name") {
            Some(name) => self.text(name, "`name`")?.to_owned(),
            None => format!("standing {}", index + 1),
        };
        let what = "a standing approval";
        let matches = self.required(node, "match", what)?;
        let span = matches.span;
        let matches = self.matches(matches, policy);
        let until = self.required(node, "until", what).and_then(|until| self.moment(until));
        let uses = self.required(node, "maxPerDay", what);
        let uses = uses.and_then(|uses| self.whole(uses, "`maxPerDay`", 1, USES_MAX));
        let matches = matches?;
        let narrow = !matches.target.is_empty() || !matches.workflow.is_empty();
        if matches.operation.is_empty() || !narrow {
            let message = "a standing approval is too wide: it names an operation, and a target or a workflow";
            self.report(codes::POLICY, span, message, "narrow its match");
        }
        Some(Standing { name, matches, until: until?, max_per_day: u32::from(uses?) })
    }

    fn delegation(&mut self, node: &Node) -> Option<Delegation> {
        if !self.map(node, "a delegation", DELEGATION) {
            return None;
        }
        let what = "a delegation";
        let from = self.required(node, "from", what).and_then(|from| self.person(from));
        let to = self.required(node, "to", what).and_then(|to| self.person(to));
        let since = self.required(node, "since", what).and_then(|since| self.moment(since));
        let until = self.required(node, "until", what).and_then(|until| self.moment(until));
        let delegation = Delegation { from: from?, to: to?, since: since?, until: until? };
        if delegation.from == delegation.to {
            let message = "nobody stands in for themselves";
            self.report(codes::POLICY, node.span, message, "name somebody else under `to`");
        }
        if delegation.until <= delegation.since {
            let message = "the delegation ends before it begins";
            self.report(
                codes::POLICY,
                node.key_span("until"),
                message,
                "put `until` after `since`",
            );
        }
        Some(delegation)
    }

    fn break_glass(&mut self, node: &Node, policy: &Policy) -> Option<BreakGlass> {
        if !self.map(node, "`breakGlass`", BREAK_GLASS) {
            return None;
        }
        let mut people = |key| {
            let list = self.required(node, key, "`breakGlass`")?;
            let items = self.short_list(list, key)?;
            let names: Option<Vec<Principal>> =
                items.iter().map(|item| self.principal(item)).collect();
            Some((list.span, names?))
        };
        let (who, review) = (people("who"), people("review"));
        let assurance = node.get("signature").map(|node| self.assurance(node));
        let ((_, who), (span, review)) = (who?, review?);
        let (acting, looking) = (policy.people(&who), policy.people(&review));
        if !policy.principals.is_empty()
            && acting.iter().any(|person| looking.iter().all(|other| other == person))
        {
            let message = "somebody could break the glass whom nobody else could review";
            self.report(codes::POLICY, span, message, "name more reviewers");
        }
        let assurance = match assurance {
            Some(assurance) => assurance?,
            None => placet_model::decision::Assurance::lowest(),
        };
        Some(BreakGlass { who, assurance, review })
    }

    /// The name of a person; groups do not stand in for anybody.
    fn person(&mut self, node: &Node) -> Option<Principal> {
        let name = self.principal(node)?;
        let group = self.environment.policy.is_some_and(|known| known.groups.contains_key(&name));
        if group {
            let message = format!("`{name}` is a group");
            self.report(codes::POLICY, node.span, message, "name a person");
            return None;
        }
        Some(name)
    }

    fn moment(&mut self, node: &Node) -> Option<Timestamp> {
        let moment = node.as_text().and_then(|text| text.parse().ok());
        if moment.is_none() {
            let message = "this is no moment";
            self.report(codes::POLICY, node.span, message, "write 2027-01-01T00:00:00Z");
        }
        moment
    }
}
