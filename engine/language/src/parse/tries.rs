//! `try` and `catch`.

use std::collections::BTreeSet;

use placet_model::fault::same_kind;
use placet_model::manifest::Effect;
use placet_model::plan::{Catch, FaultFilter, Task, TaskKind, TaskList, Try};

use super::names::Place;
use super::reader::{Field, Reader, field};
use super::tasks::At;
use crate::codes;
use crate::expr::source as fences;
use crate::syntax::Node;

/// The variable of the error when `as` is absent.
const DEFAULT_VARIABLE: &str = "error";
/// The keys of a filter; `details` is the word of older documents.
const FILTER: &[&str] = &["type", "status", "instance", "title", "detail", "details"];

impl Reader<'_> {
    pub(super) fn try_catch(&mut self, node: &Node, value: &Node, at: &At<'_>) -> Option<Try> {
        let tasks = self.tasks(value, &at.path, "try");
        let catch = self
            .required(node, "catch", "a `try` task")
            .and_then(|catch| self.catch(catch, tasks.as_ref(), at));
        Some(Try { tasks: tasks?, catch: catch? })
    }

    fn catch(&mut self, node: &Node, tried: Option<&TaskList>, at: &At<'_>) -> Option<Catch> {
        let known = ["errors", "as", "when", "exceptWhen", "retry", "do", "then"];
        if !self.map(node, "`catch`", &known) {
            return None;
        }
        let errors = node
            .get("errors")
            .map_or_else(|| Some(FaultFilter::default()), |errors| self.filter(errors));
        self.ambiguous_status(node, errors.as_ref(), tried);
        let variable = match node.get("as") {
            Some(name) => {
                let text = self.text(name, "`catch.as`")?;
                self.variable_name(text, "as", name.span);
                text
            }
            None => DEFAULT_VARIABLE,
        };
        let locals = self.names.local.len();
        self.names.local.push(variable.to_owned());
        let retry = self.catch_retry(node, tried);
        let when = field(node.get("when"), |n| self.expression(n, "`when`", Place::Task));
        let except =
            field(node.get("exceptWhen"), |n| self.expression(n, "`exceptWhen`", Place::Task));
        let tasks = field(node.get("do"), |body| self.tasks(body, &at.path, "catch/do"));
        self.names.local.truncate(locals);
        let then = node.get("then").map(|then| self.directive(then, at.siblings));
        Some(Catch {
            errors: errors?,
            variable: variable.to_owned(),
            when: when.ok()?,
            except_when: except.ok()?,
            tasks: tasks.ok()?,
            then,
            retry: retry.ok()?,
        })
    }

    /// `errors: { with: { … } }`: static, all given keys must be equal.
    fn filter(&mut self, node: &Node) -> Option<FaultFilter> {
        if !self.map(node, "`catch.errors`", &["with"]) {
            return None;
        }
        let Some(with) = node.get("with") else { return Some(FaultFilter::default()) };
        if !self.map(with, "`errors.with`", FILTER) {
            return None;
        }
        let status = field(with.get("status"), |n| self.whole(n, "`status`", 100, 599));
        let detail = if with.get("detail").is_some() { "detail" } else { "details" };
        Some(FaultFilter {
            kind: self.fixed(with, "type").ok()?,
            status: status.ok()?,
            instance: self.fixed(with, "instance").ok()?,
            title: self.fixed(with, "title").ok()?,
            detail: self.fixed(with, detail).ok()?,
        })
    }

    /// An optional literal string.
    fn fixed(&mut self, node: &Node, key: &str) -> Field<String> {
        field(node.get(key), |value| {
            let text = self.text(value, &format!("`{key}`"))?;
            if fences::fenced(text).is_some() {
                let message =
                    "the filter of `errors.with` is static: expressions are not evaluated";
                let help = "use `catch.when`, where `.` is the error";
                self.report(codes::SHAPE, value.span, message, help);
                return None;
            }
            self.literal_text(value, text).then(|| text.to_owned())
        })
    }

    /// `status: 408` catches timeouts and expired approvals alike.
    fn ambiguous_status(
        &mut self,
        node: &Node,
        filter: Option<&FaultFilter>,
        tried: Option<&TaskList>,
    ) {
        let Some(filter) = filter else { return };
        let timeout = filter.kind.as_deref().is_some_and(|kind| {
            same_kind(kind, "https://open-workflow-specification.org/spec/1.0.0/errors/timeout")
        });
        if filter.status != Some(408) || timeout || filter.kind.is_some() {
            return;
        }
        if !tried.is_some_and(|tasks| self.holds_gated_call(tasks)) {
            return;
        }
        let with = node.get("errors").and_then(|errors| errors.get("with"));
        let span = with.and_then(|with| with.get("status")).map_or(node.span, |status| status.span);
        let message = "`status: 408` catches timeouts and expired approvals alike";
        let help = "filter by type: urn:placet:errors:approval-expired, or \
                    https://open-workflow-specification.org/spec/1.0.0/errors/timeout";
        self.report(codes::TIMEOUT_STATUS, span, message, help);
    }

    pub(super) fn holds_gated_call(&self, tasks: &TaskList) -> bool {
        self.any_gated(tasks, &mut BTreeSet::new())
    }

    /// `seen` are the functions that were looked into: they may call themselves.
    fn any_gated<'t>(&'t self, tasks: &'t TaskList, seen: &mut BTreeSet<&'t str>) -> bool {
        tasks.0.iter().any(|task| self.is_gated(task, seen))
    }

    fn is_gated<'t>(&'t self, task: &'t Task, seen: &mut BTreeSet<&'t str>) -> bool {
        match &task.kind {
            TaskKind::Call(call) => self
                .environment
                .catalogue
                .get(&call.operation)
                .is_none_or(|operation| operation.effect != Effect::Read),
            TaskKind::OpenApi(_) => true,
            TaskKind::Function(call) => {
                let function = self.functions.get(&call.function);
                seen.insert(&call.function)
                    && function.is_some_and(|function| self.is_gated(function, seen))
            }
            TaskKind::Do(_)
            | TaskKind::Set(_)
            | TaskKind::Switch(_)
            | TaskKind::Wait(_)
            | TaskKind::Try(_)
            | TaskKind::For(_)
            | TaskKind::Raise(_)
            | TaskKind::Fork(_)
            | TaskKind::Listen(_)
            | TaskKind::Emit(_)
            | TaskKind::Run(_) => {
                task.kind.lists().into_iter().any(|list| self.any_gated(list, seen))
            }
        }
    }
}
