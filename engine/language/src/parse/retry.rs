//! `catch.retry` and `use.retries`: when a caught fault is tried again, and how often.

use placet_model::plan::{Backoff, Jitter, RetryLimit, RetryPolicy, TaskList};

use super::names::Place;
use super::reader::{Field, Reader, Reported, field};
use crate::codes;
use crate::source::Span;
use crate::syntax::Node;

const FIELDS: &[&str] = &["when", "exceptWhen", "delay", "backoff", "jitter", "limit"];
const BACKOFFS: &[(&str, Backoff)] = &[
    ("constant", Backoff::Constant),
    ("linear", Backoff::Linear),
    ("exponential", Backoff::Exponential),
];

impl Reader<'_> {
    /// `retry` of a `catch`: a policy, or the name of one.
    pub(super) fn catch_retry(
        &mut self,
        catch: &Node,
        tried: Option<&TaskList>,
    ) -> Field<RetryPolicy> {
        let Some(node) = catch.get("retry") else { return Ok(None) };
        let span = catch.key_span("retry");
        if tried.is_some_and(|tasks| self.holds_gated_call(tasks)) {
            let message = "every retry of a call that asks for approval asks again";
            let help = "retry only around calls that read, or name the errors that are worth a new \
                        decision in `errors.with`";
            self.report(codes::RETRY, span, message, help);
        }
        let Some(name) = node.as_text() else {
            return self.retry_policy(node, span).map(Some).ok_or(Reported);
        };
        if let Some(known) = self.uses.retries.get(name).cloned() {
            self.used.insert(format!("retries/{name}"));
            return Ok(Some(known));
        }
        if !self.uses.is_declared("retries", name) {
            let names: Vec<String> = self.uses.declared_in("retries").collect();
            self.unknown_use("retry", name, node.span, &names);
        }
        Err(Reported)
    }

    /// A policy; `span` is where a lint points.
    pub(super) fn retry_policy(&mut self, node: &Node, span: Span) -> Option<RetryPolicy> {
        if !self.map(node, "a retry policy", FIELDS) {
            return None;
        }
        let when = field(node.get("when"), |n| self.expression(n, "`when`", Place::Task));
        let except =
            field(node.get("exceptWhen"), |n| self.expression(n, "`exceptWhen`", Place::Task));
        let delay = field(node.get("delay"), |n| self.duration_spec(n, "`delay`", Place::Task));
        let backoff = field(node.get("backoff"), |n| self.backoff(n));
        let jitter = field(node.get("jitter"), |n| self.jitter(n));
        let limit =
            node.get("limit").map_or_else(|| Some(RetryLimit::default()), |n| self.limit(n));
        let limit = limit?;
        if limit.is_endless() {
            let message = "this retry policy has no limit";
            self.report(codes::RETRY, span, message, "add limit: { attempt: { count: 5 } }");
        }
        Some(RetryPolicy {
            when: when.ok()?,
            except_when: except.ok()?,
            delay: delay.ok()?,
            backoff: backoff.ok()?.unwrap_or_default(),
            jitter: jitter.ok()?,
            limit,
        })
    }

    /// Exactly one of the three, without parameters.
    fn backoff(&mut self, node: &Node) -> Option<Backoff> {
        let words: Vec<&str> = BACKOFFS.iter().map(|(word, _)| *word).collect();
        if !self.map(node, "`backoff`", &words) {
            return None;
        }
        let [entry] = node.entries() else {
            let message = "a backoff is exactly one of constant, linear, exponential";
            self.report(codes::CROSS_FIELD, node.span, message, "write backoff: { linear: {} }");
            return None;
        };
        if !self.map(&entry.value, &format!("`backoff.{}`", entry.key), &[]) {
            return None;
        }
        BACKOFFS.iter().find(|(word, _)| *word == entry.key).map(|(_, backoff)| *backoff)
    }

    fn jitter(&mut self, node: &Node) -> Option<Jitter> {
        if !self.map(node, "`jitter`", &["from", "to"]) {
            return None;
        }
        let bound = |reader: &mut Self, key: &str| {
            let value = reader.required(node, key, "`jitter`")?;
            reader.duration_spec(value, &format!("`jitter.{key}`"), Place::Task)
        };
        let (from, to) = (bound(self, "from"), bound(self, "to"));
        let (from, to) = (from?, to?);
        if let (Some(shortest), Some(longest)) = (fixed(&from), fixed(&to))
            && (shortest.months, shortest.millis) > (longest.months, longest.millis)
        {
            let span = node.key_span("from");
            let message = "`jitter.from` is longer than `jitter.to`";
            self.report(codes::CROSS_FIELD, span, message, "exchange them");
        }
        Some(Jitter { from, to })
    }

    fn limit(&mut self, node: &Node) -> Option<RetryLimit> {
        if !self.map(node, "`limit`", &["attempt", "duration"]) {
            return None;
        }
        let total =
            field(node.get("duration"), |n| self.duration_spec(n, "`limit.duration`", Place::Task));
        let Some(attempt) = node.get("attempt") else {
            return Some(RetryLimit { total: total.ok()?, ..RetryLimit::default() });
        };
        if !self.map(attempt, "`limit.attempt`", &["count", "duration"]) {
            return None;
        }
        let count =
            field(attempt.get("count"), |n| self.whole(n, "`limit.attempt.count`", 1, u16::MAX));
        let each = field(attempt.get("duration"), |n| {
            self.duration_spec(n, "`limit.attempt.duration`", Place::Task)
        });
        Some(RetryLimit { count: count.ok()?, attempt: each.ok()?, total: total.ok()? })
    }
}

fn fixed(spec: &placet_model::plan::DurationSpec) -> Option<placet_model::Duration> {
    match spec {
        placet_model::plan::DurationSpec::Fixed(duration) => Some(*duration),
        placet_model::plan::DurationSpec::Expression(_) => None,
    }
}
