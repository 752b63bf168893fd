//! The parts of `metadata.approval` beside thresholds: `policy`, `escalate` and `remind`, which only
//! tighten; and what is parsed and refused: approvers given by an expression, and `none`.

use placet_model::Duration;
use placet_model::approval::{ApprovalMetadata, ApproversFrom, Escalation, Threshold, Waived};

use super::names::Place;
use super::reader::{Field, Reader, Reported, field};
use crate::codes;
use crate::diagnostic::did_you_mean;
use crate::expr::source as fences;
use crate::syntax::Node;

/// Shortest interval of reminders.
pub(super) const REMIND_MILLIS_MIN: i64 = 5 * 60 * 1_000;
/// Expiry of a request when nobody says otherwise.
const EXPIRY_DEFAULT: Duration = Duration::from_days(placet_model::approval::DEFAULT_EXPIRY_DAYS);

impl Reader<'_> {
    /// `approval: none`.
    pub(super) fn no_approval(&mut self, node: &Node) -> ApprovalMetadata {
        self.later("approval: none", node.span);
        ApprovalMetadata { waived: Some(Waived::ByAuthor), ..ApprovalMetadata::default() }
    }

    /// Approvers as thresholds, or as an expression that gives their names.
    pub(super) fn approvers(
        &mut self,
        node: &Node,
    ) -> Result<(Vec<Threshold>, Option<ApproversFrom>), Reported> {
        let given = node.get("approvers");
        let text = given.and_then(Node::as_text).and_then(fences::fenced);
        let (Some(given), Some((jq, offset))) = (given, text) else {
            return Ok((self.thresholds(node).ok_or(Reported)?, None));
        };
        self.later("an expression for approvers", given.span);
        let approve = node.get("quorum").map_or(Some(1), |n| self.count(n, "`quorum`"));
        let names = self.jq(given, jq, offset, Place::Task).ok_or(Reported)?;
        Ok((Vec::new(), Some(ApproversFrom { names, approve: approve.ok_or(Reported)? })))
    }

    /// The name of rules of the project that apply as well.
    pub(super) fn approval_policy(&mut self, node: &Node) -> Field<String> {
        field(node.get("policy"), |policy| {
            let text = self.text(policy, "`policy`")?;
            let Some(known) = self.environment.policy else { return Some(text.to_owned()) };
            let sets = || known.rules.iter().filter_map(|rule| rule.set.as_deref());
            if sets().any(|set| set == text) {
                return Some(text.to_owned());
            }
            let help = match did_you_mean(text, sets()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "an admin adds rules with `set` in policy.yaml".to_owned(),
            };
            let message = format!("the project has no set of rules named `{text}`");
            self.report(codes::APPROVAL, policy.span, message, help);
            None
        })
    }

    /// `{ after, to }`; needs a plain name, whose threshold the names join.
    pub(super) fn escalation(
        &mut self,
        node: &Node,
        expires: Option<Duration>,
    ) -> Field<Escalation> {
        field(node.get("escalate"), |escalate| {
            let shape = std::mem::replace(&mut self.shape_code, codes::APPROVAL);
            let is_map = self.map(escalate, "`escalate`", &["after", "to"]);
            let after = is_map.then(|| self.required(escalate, "after", "`escalate`")).flatten();
            let to = is_map.then(|| self.required(escalate, "to", "`escalate`")).flatten();
            self.shape_code = shape;
            let after = after.and_then(|n| Some((n.span, self.some_time(n, "`escalate.after`")?)));
            let to = to.and_then(|to| self.short_list(to, "`escalate.to`"));
            let to = to.and_then(|to| to.iter().map(|item| self.principal(item)).collect());
            if !self.has_plain_names(node) {
                let message = "`escalate` needs at least one plain name under `approvers`";
                let span = node.key_span("escalate");
                self.report(codes::APPROVAL, span, message, "add approvers: [NAME]");
            }
            let (span, after) = after?;
            if at_least(after, expires.unwrap_or(EXPIRY_DEFAULT)) {
                let message = "`escalate.after` is not before the request expires";
                self.report(codes::APPROVAL, span, message, "escalate earlier, or expire later");
            }
            Some(Escalation { after, to: to? })
        })
    }

    /// `{ every }`, at least five minutes.
    pub(super) fn reminder(&mut self, node: &Node) -> Field<Duration> {
        field(node.get("remind"), |remind| {
            let shape = std::mem::replace(&mut self.shape_code, codes::APPROVAL);
            let is_map = self.map(remind, "`remind`", &["every"]);
            let every = is_map.then(|| self.required(remind, "every", "`remind`")).flatten();
            self.shape_code = shape;
            let every = every?;
            let interval = self.some_time(every, "`remind.every`")?;
            if !at_least(interval, Duration::from_millis(REMIND_MILLIS_MIN)) {
                let message = "`remind.every` must be at least five minutes";
                self.report(codes::APPROVAL, every.span, message, "write PT5M or more");
                return None;
            }
            Some(interval)
        })
    }

    /// Names of the task, or those of the document where the task leaves them out.
    fn has_plain_names(&self, node: &Node) -> bool {
        let default = self.uses.approval.as_ref().is_some_and(|approval| {
            !approval.thresholds.is_empty() || approval.approvers_from.is_some()
        });
        match node.get("approvers").map(|approvers| &approvers.content) {
            Some(crate::syntax::Content::List(items)) => {
                items.iter().any(|item| item.as_text().is_some())
            }
            Some(_) => true,
            None => default,
        }
    }
}

/// Whether `a` is certainly as long as `b`; a month has 28 to 31 days.
pub(super) fn at_least(a: Duration, b: Duration) -> bool {
    const DAY: i64 = 24 * 60 * 60 * 1_000;
    let (shortest, longest) = (i64::from(a.months) * 28 * DAY, i64::from(b.months) * 31 * DAY);
    if a.months == b.months {
        return a.millis >= b.millis;
    }
    shortest + a.millis >= longest + b.millis
}
