//! The small kinds of tasks: `set`, `switch`, `wait`, `raise`, `for`.

use placet_model::plan::{Case, Directive, DurationSpec, For, RaiseSpec, TaskKind, Template};

use super::names::Place;
use super::reader::{Field, Reader, field};
use super::tasks::At;
use crate::codes;
use crate::expr::source as fences;
use crate::source::Span;
use crate::syntax::{Content, Entry, Node};

impl Reader<'_> {
    /// A map with at least one key, or one expression.
    pub(super) fn set(&mut self, node: &Node) -> Option<TaskKind> {
        let is_expression = node.as_text().is_some_and(|text| fences::fenced(text).is_some());
        let is_map = !node.entries().is_empty();
        if is_expression || is_map {
            return self.template(node, Place::Task).map(TaskKind::Set);
        }
        if node.as_text().is_some_and(|text| fences::interpolation(text).is_some()) {
            self.template(node, Place::Task);
            return None;
        }
        let message = format!(
            "`set` takes a map with at least one key, or one expression, not {}",
            node.kind()
        );
        let help = node.as_text().map_or_else(
            || "write set: { key: value }".to_owned(),
            |text| format!("write set: '${{ {text} }}' or set: {{ key: value }}"),
        );
        self.report(codes::SHAPE, node.span, message, help);
        None
    }

    pub(super) fn wait(&mut self, node: &Node) -> Option<DurationSpec> {
        if let Some(text) = node.as_text()
            && let Some((jq, offset)) = fences::fenced(text)
        {
            return self.jq(node, jq, offset, Place::Task).map(DurationSpec::Expression);
        }
        self.duration(node, "`wait`").map(DurationSpec::Fixed)
    }

    pub(super) fn switch(&mut self, node: &Node, at: &At<'_>) -> Option<Vec<Case>> {
        let items = self.list(node, "`switch`")?;
        let mut cases: Vec<Case> = Vec::new();
        let mut default: Option<Span> = None;
        let mut whole = true;
        if items.is_empty() {
            let help = "write `- name: { when: …, then: … }`";
            self.report(codes::SHAPE, node.span, "a switch needs at least one case", help);
            return None;
        }
        for item in items {
            let Some(entry) = self.named_case(item) else {
                whole = false;
                continue;
            };
            let Some(case) = self.case(entry, at) else {
                whole = false;
                continue;
            };
            if cases.iter().any(|other| other.name == case.name) {
                let message = format!("the case `{}` stands twice in this switch", case.name);
                self.report(codes::DUPLICATE_TASK, entry.key_span, message, "rename one of them");
            }
            if case.when.is_none() && default.replace(entry.key_span).is_some() {
                let message = "a switch has at most one case without `when`";
                self.report(
                    codes::CROSS_FIELD,
                    entry.key_span,
                    message,
                    "add `when` to one of them",
                );
            }
            cases.push(case);
        }
        whole.then_some(cases)
    }

    fn named_case<'n>(&mut self, item: &'n Node) -> Option<&'n Entry> {
        if let [entry] = item.entries() {
            return Some(entry);
        }
        let help = "write `- name: { when: …, then: … }`";
        self.report(
            codes::SHAPE,
            item.span,
            "an item of a switch is one case under its name",
            help,
        );
        None
    }

    fn case(&mut self, entry: &Entry, at: &At<'_>) -> Option<Case> {
        let node = &entry.value;
        if !self.map(node, "a case", &["when", "then"]) {
            return None;
        }
        let when = field(node.get("when"), |when| self.expression(when, "`when`", Place::Task));
        let then = self.required(node, "then", "a case")?;
        let then: Directive = self.directive(then, at.siblings);
        Some(Case { name: entry.key.clone(), when: when.ok()?, then })
    }

    pub(super) fn for_each(&mut self, node: &Node, value: &Node, at: &At<'_>) -> Option<For> {
        if !self.map(value, "`for`", &["each", "in", "at"]) {
            return None;
        }
        let each = self.loop_variable(value, "each", "item");
        let index = self.loop_variable(value, "at", "index");
        if each == index {
            let span = value.get("at").map_or(value.span, |at| at.span);
            let message = format!("`each` and `at` are both called `{each}`");
            self.report(codes::CROSS_FIELD, span, message, "give them different names");
        }
        let items = self.required(value, "in", "`for`").and_then(|items| self.items(items));
        let locals = self.names.local.len();
        self.names.local.extend([each.clone(), index.clone()]);
        let condition = field(node.get("while"), |n| self.expression(n, "`while`", Place::Task));
        let tasks = self
            .required(node, "do", "a `for` task")
            .and_then(|body| self.tasks(body, &at.path, "do"));
        self.names.local.truncate(locals);
        Some(For { each, at: index, items: items?, condition: condition.ok()?, tasks: tasks? })
    }

    fn loop_variable(&mut self, node: &Node, key: &str, default: &str) -> String {
        let Some(name) = node.get(key) else { return default.to_owned() };
        let Some(text) = self.text(name, &format!("`for.{key}`")) else {
            return default.to_owned();
        };
        self.variable_name(text, key, name.span);
        text.to_owned()
    }

    fn items(&mut self, node: &Node) -> Option<Template> {
        match &node.content {
            Content::Text { .. } => {
                self.expression(node, "`for.in`", Place::Task).map(Template::Expression)
            }
            Content::List(_) => self.template(node, Place::Task),
            Content::Null | Content::Bool(_) | Content::Number(_) | Content::Map(_) => {
                let message =
                    format!("`for.in` must be an expression or a list, this is {}", node.kind());
                self.report(
                    codes::SHAPE,
                    node.span,
                    message,
                    "write an expression such as '.items'",
                );
                None
            }
        }
    }

    pub(super) fn raise(&mut self, node: &Node) -> Option<RaiseSpec> {
        if !self.map(node, "`raise`", &["error"]) {
            return None;
        }
        let error = self.required(node, "error", "`raise`")?;
        let Some(name) = error.as_text() else { return self.error(error, Place::Task) };
        if let Some(known) = self.uses.errors.get(name).cloned() {
            self.used.insert(format!("errors/{name}"));
            return Some(known);
        }
        if fences::fenced(name).is_some() {
            let message = "`raise.error` with a string means the name of an entry of use.errors";
            let help = "write the error out: error: { type: …, status: …, detail: '${ … }' }";
            self.report(codes::UNKNOWN_USE, error.span, message, help);
            return None;
        }
        let names: Vec<String> = self.uses.errors.keys().cloned().collect();
        self.unknown_use("error", name, error.span, &names);
        None
    }

    /// `{ type, status, title, detail }`.
    pub(super) fn error(&mut self, node: &Node, place: Place) -> Option<RaiseSpec> {
        if !self.map(node, "an error", &["type", "status", "title", "detail", "instance"]) {
            return None;
        }
        if node.get("instance").is_some() {
            let span = node.key_span("instance");
            let message = "`instance` is set by the engine, to the task that raises";
            self.report(codes::SHAPE, span, message, "remove it");
        }
        let kind = self.required(node, "type", "an error").and_then(|kind| {
            self.text(kind, "`type`")?;
            self.template(kind, place)
        });
        let status = self.required(node, "status", "an error");
        let status = status.and_then(|status| self.whole(status, "`status`", 100, 599));
        let title = self.optional_text(node, "title", place);
        let detail = self.optional_text(node, "detail", place);
        Some(RaiseSpec { kind: kind?, status: status?, title: title.ok()?, detail: detail.ok()? })
    }

    /// An optional string that may be an expression.
    fn optional_text(&mut self, node: &Node, key: &str, place: Place) -> Field<Template> {
        field(node.get(key), |value| {
            self.text(value, &format!("`{key}`"))?;
            self.template(value, place)
        })
    }
}
