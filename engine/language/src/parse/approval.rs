//! `metadata.approval`: what an author asks of the approval. It can only tighten (language.md §8).

use placet_model::Principal;
use placet_model::approval::{ApprovalMetadata, ReasonRequired, SelfApproval, Threshold};
use placet_model::plan::Template;

use super::names::Place;
use super::reader::{Field, Reader, Reported, field};
use crate::codes;
use crate::diagnostic::did_you_mean;
use crate::expr::source as fences;
use crate::source::Span;
use crate::syntax::{Content, Node};

const FIELDS: &[&str] = &[
    "approvers",
    "quorum",
    "expires",
    "reasonRequired",
    "selfApproval",
    "summary",
    "policy",
    "escalate",
    "remind",
];
/// Most names and rules in one list, and the largest quorum.
const LIST_MAX: u16 = 16;
const SUMMARY_CHARS_MAX: usize = 500;

impl Reader<'_> {
    /// What a task's or document's `metadata` says; only `approval` is ours, other keys are kept.
    pub(super) fn metadata(&mut self, node: &Node, keyword: &str) {
        let Some(metadata) = node.get("metadata") else { return };
        if !self.open_map(metadata, "`metadata`") {
            return;
        }
        self.approval_typo(metadata);
        if let Some(approval) = metadata.get("approval").filter(|_| keyword != "call") {
            let span = metadata.key_span("approval");
            let message = format!("a `{keyword}` task asks for no approval");
            self.warn(codes::APPROVAL, span, message, "put it on the `call` task");
            self.approval(approval).unwrap_or_default();
        }
    }

    pub(super) fn approval_typo(&mut self, metadata: &Node) {
        for entry in metadata.entries().iter().filter(|entry| entry.key != "approval") {
            if did_you_mean(&entry.key, ["approval", "approvals"]).is_some() {
                let message = format!("`metadata.{}` is not read", entry.key);
                self.warn(codes::APPROVAL, entry.key_span, message, "did you mean `approval`?");
            }
        }
    }

    /// The grammar of section 8.1. `None` asks for nothing.
    pub(super) fn approval(&mut self, node: &Node) -> Field<ApprovalMetadata> {
        match node.as_text() {
            Some("inherit") => return Ok(None),
            Some("none") => return Ok(Some(self.no_approval(node))),
            Some(_) | None => {}
        }
        if node.entries().is_empty() {
            let message =
                format!("`metadata.approval` must be a map or `inherit`, this is {}", node.kind());
            self.report(
                self.approval_code,
                node.span,
                message,
                format!("known: {}", FIELDS.join(", ")),
            );
            return Err(Reported);
        }
        for entry in node.entries() {
            if !FIELDS.contains(&entry.key.as_str()) {
                self.unknown_approval_key(&entry.key, entry.key_span);
            }
        }
        let approvers = self.approvers(node);
        let expires = field(node.get("expires"), |n| self.some_time(n, "`expires`"));
        let reason = field(node.get("reasonRequired"), |n| self.reason_required(n));
        let own = field(node.get("selfApproval"), |n| self.self_approval(n));
        let summary = field(node.get("summary"), |n| self.summary(n));
        let policy = self.approval_policy(node);
        let escalate = self.escalation(node, expires.unwrap_or_default());
        let remind = self.reminder(node);
        let (thresholds, approvers_from) = approvers?;
        Ok(Some(ApprovalMetadata {
            thresholds,
            expires: expires?,
            reason_required: reason?,
            self_approval: own?,
            summary: summary?,
            approvers_from,
            policy: policy?,
            escalate: escalate?,
            remind: remind?,
            waived: None,
        }))
    }

    fn unknown_approval_key(&mut self, key: &str, span: Span) {
        let help = match did_you_mean(key, FIELDS.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known: {}", FIELDS.join(", ")),
        };
        let message = format!("unknown key `{key}` in `metadata.approval`");
        self.report(self.approval_code, span, message, help);
    }

    /// The document's default for every field that the task leaves out.
    pub(super) fn with_default_approval(
        &self,
        own: Option<ApprovalMetadata>,
    ) -> Option<ApprovalMetadata> {
        let Some(default) = self.uses.approval.clone() else { return own };
        let Some(own) = own else { return Some(default) };
        let (thresholds, approvers_from) =
            if own.thresholds.is_empty() && own.approvers_from.is_none() {
                (default.thresholds, default.approvers_from)
            } else {
                (own.thresholds, own.approvers_from)
            };
        Some(ApprovalMetadata {
            thresholds,
            approvers_from,
            expires: own.expires.or(default.expires),
            reason_required: own.reason_required.or(default.reason_required),
            self_approval: own.self_approval.or(default.self_approval),
            summary: own.summary.or(default.summary),
            policy: own.policy.or(default.policy),
            escalate: own.escalate.or(default.escalate),
            remind: own.remind.or(default.remind),
            waived: own.waived,
        })
    }

    /// `approvers` and `quorum`: plain names together are one threshold, each rule is another.
    pub(super) fn thresholds(&mut self, node: &Node) -> Option<Vec<Threshold>> {
        let quorum = match node.get("quorum") {
            Some(quorum) => Some(self.count(quorum, "`quorum`")?),
            None => None,
        };
        let quorum_span = node.get("quorum").map(|quorum| quorum.span);
        let Some(approvers) = node.get("approvers") else {
            if let (Some(approve), Some(span)) = (quorum, quorum_span)
                && self.approval_code == codes::POLICY
            {
                // In a policy a bare quorum counts everybody with the role `approver`.
                self.check_reachable(&[], approve, span);
                return Some(vec![Threshold::of(Vec::new(), approve)]);
            }
            if let Some(span) = quorum_span {
                let message = "a quorum needs at least one name under `approvers`";
                self.report(self.approval_code, span, message, "add approvers: [NAME]");
                return None;
            }
            return Some(Vec::new());
        };
        if approvers.as_text().is_some_and(|text| fences::fenced(text).is_some()) {
            let message = "approvers in a policy are names, an expression is not evaluated";
            self.report(self.approval_code, approvers.span, message, "write [NAME, NAME]");
            return None;
        }
        let mut names = Vec::new();
        let mut rules = Vec::new();
        for item in self.short_list(approvers, "`approvers`")? {
            if matches!(item.content, Content::Map(_)) {
                rules.push(self.threshold(item)?);
            } else {
                names.push(self.principal(item)?);
            }
        }
        if names.is_empty() {
            if let Some(span) = quorum_span {
                let message = "a quorum counts the plain names under `approvers`: there are none";
                self.report(self.approval_code, span, message, "use `approve` in the rule instead");
                return None;
            }
        } else {
            let approve = quorum.unwrap_or(1);
            self.check_reachable(&names, approve, quorum_span.unwrap_or(approvers.span));
            rules.insert(0, Threshold::of(names, approve));
        }
        Some(rules)
    }

    fn threshold(&mut self, node: &Node) -> Option<Threshold> {
        for entry in node.entries() {
            if !["from", "approve", "deny"].contains(&entry.key.as_str()) {
                self.unknown_approval_key(&entry.key, entry.key_span);
                return None;
            }
        }
        let Some(from) = node.get("from") else {
            let message = "a rule of `approvers` lacks `from`";
            self.report(self.approval_code, node.span, message, "add from: [NAME]");
            return None;
        };
        let items = self.short_list(from, "`from`")?;
        let from: Vec<Principal> =
            items.iter().map(|item| self.principal(item)).collect::<Option<_>>()?;
        let approve = node.get("approve").map_or(Some(1), |n| self.count(n, "`approve`"))?;
        let deny = node.get("deny").map_or(Some(1), |n| self.count(n, "`deny`"))?;
        let span = node.get("approve").map_or(node.span, |n| n.span);
        self.check_reachable(&from, approve, span);
        Some(Threshold { from, approve, deny, escalate: None })
    }

    pub(super) fn short_list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        match &node.content {
            Content::List(items) if (1..=usize::from(LIST_MAX)).contains(&items.len()) => {
                Some(items)
            }
            Content::Null
            | Content::Bool(_)
            | Content::Number(_)
            | Content::Text { .. }
            | Content::List(_)
            | Content::Map(_) => {
                let message = format!("{what} must be a list of 1 to {LIST_MAX} items");
                self.report(self.approval_code, node.span, message, "write [NAME, NAME]");
                None
            }
        }
    }

    pub(super) fn count(&mut self, node: &Node, what: &str) -> Option<u16> {
        let count = node.to_json().as_u64().and_then(|count| u16::try_from(count).ok());
        let count = count.filter(|count| (1..=LIST_MAX).contains(count));
        if count.is_none() {
            let message = format!("{what} must be a whole number from 1 to {LIST_MAX}");
            self.report(self.approval_code, node.span, message, "write it without quotes");
        }
        count
    }

    /// The name of a user or group, known to the project where that is known.
    pub(super) fn principal(&mut self, node: &Node) -> Option<Principal> {
        let Some(text) = node.as_text() else {
            let message = format!("an approver is a name or a rule, this is {}", node.kind());
            self.report(self.approval_code, node.span, message, "write NAME or { from: [NAME] }");
            return None;
        };
        let name: Principal = match text.parse() {
            Ok(name) => name,
            Err(_no_name) => {
                let message = format!("`{text}` is no name of a user or group");
                let help = "use a-z, 0-9, `-` and `_`; an e-mail address is not a name";
                self.report(self.approval_code, node.span, message, help);
                return None;
            }
        };
        let Some(policy) = self.environment.policy else { return Some(name) };
        if policy.principals.contains_key(&name) || policy.groups.contains_key(&name) {
            return Some(name);
        }
        let known = policy.principals.keys().chain(policy.groups.keys()).map(Principal::as_str);
        let help = match did_you_mean(text, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "an admin adds people and groups in policy.yaml".to_owned(),
        };
        let message = format!("the project has no user or group named `{text}`");
        self.report(self.approval_code, node.span, message, help);
        None
    }

    fn check_reachable(&mut self, from: &[Principal], approve: u16, span: Span) {
        let Some(policy) = self.environment.policy else { return };
        let people = policy.people(from).len();
        if people < usize::from(approve) {
            let message = format!("{approve} must approve, but only {people} of them may");
            self.report(self.approval_code, span, message, "ask for fewer, or name more people");
        }
    }

    pub(super) fn reason_required(&mut self, node: &Node) -> Option<ReasonRequired> {
        match (&node.content, node.as_text()) {
            (Content::Bool(true), _) | (_, Some("always")) => Some(ReasonRequired::Always),
            (Content::Bool(false), _) | (_, Some("never")) => Some(ReasonRequired::Never),
            (_, Some("on-reject")) => Some(ReasonRequired::OnReject),
            _ => {
                let message = "`reasonRequired` is never, on-reject, always, true or false";
                self.report(self.approval_code, node.span, message, "write on-reject");
                None
            }
        }
    }

    pub(super) fn self_approval(&mut self, node: &Node) -> Option<SelfApproval> {
        let Content::Bool(allowed) = node.content else {
            let message = "`selfApproval` is true or false";
            self.report(self.approval_code, node.span, message, "write false");
            return None;
        };
        let is_policy = self.approval_code == codes::POLICY;
        let could = is_policy
            || self.environment.policy.is_none_or(|policy| {
                policy
                    .rules
                    .iter()
                    .any(|rule| rule.require.self_approval == Some(SelfApproval::Allowed))
            });
        if allowed && !could {
            let message = "`selfApproval: true` would loosen the project's policy";
            self.report(
                self.approval_code,
                node.span,
                message,
                "remove it; metadata can only tighten",
            );
        }
        Some(if allowed { SelfApproval::Allowed } else { SelfApproval::Refused })
    }

    fn summary(&mut self, node: &Node) -> Option<Template> {
        let fits = |text: &str| (1..=SUMMARY_CHARS_MAX).contains(&text.chars().count());
        if !node.as_text().is_some_and(fits) {
            let message = format!("`summary` is a text of 1 to {SUMMARY_CHARS_MAX} characters");
            self.report(self.approval_code, node.span, message, "write one line for the approver");
            return None;
        }
        self.template(node, Place::Task)
    }
}
