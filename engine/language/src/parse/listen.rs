//! `listen`: a wait for events, and what runs for each of them.

use placet_model::plan::{Consume, ForEach, Listen, Until};

use super::names::Place;
use super::reader::{Reader, field};
use super::tasks::At;
use crate::codes;
use crate::syntax::Node;

impl Reader<'_> {
    pub(super) fn listen(&mut self, node: &Node, value: &Node, at: &At<'_>) -> Option<Listen> {
        if !self.map(value, "`listen`", &["to", "read"]) {
            return None;
        }
        let to = self.required(value, "to", "`listen`");
        let to = to.and_then(|to| self.consume(to, "`listen.to`", Place::Task));
        let read = self.event_read(value.get("read"));
        let each = field(node.get("foreach"), |each| self.for_each_event(each, at));
        let to = to?;
        self.never_ends(&to, node, value);
        Some(Listen { to, read: read?, each: each.ok()? })
    }

    fn for_each_event(&mut self, node: &Node, at: &At<'_>) -> Option<ForEach> {
        if !self.map(node, "`foreach`", &["item", "at", "do", "output", "export"]) {
            return None;
        }
        let item = self.event_variable(node, "item", "item");
        let index = self.event_variable(node, "at", "index");
        if item == index {
            let span = node.get("at").map_or(node.span, |at| at.span);
            let message = format!("`item` and `at` are both called `{item}`");
            self.report(codes::CROSS_FIELD, span, message, "give them different names");
        }
        let locals = self.names.local.len();
        self.names.local.extend([item.clone(), index.clone()]);
        let tasks = field(node.get("do"), |body| self.tasks(body, &at.path, "foreach/do"));
        let output = self.output(node.get("output"), "output", Place::Task);
        let export = self.output(node.get("export"), "export", Place::Export);
        self.names.local.truncate(locals);
        Some(ForEach { item, at: index, tasks: tasks.ok()?, output, export })
    }

    fn event_variable(&mut self, node: &Node, key: &str, default: &str) -> String {
        let Some(name) = node.get(key) else { return default.to_owned() };
        let Some(text) = self.text(name, &format!("`foreach.{key}`")) else {
            return default.to_owned();
        };
        self.variable_name(text, key, name.span);
        text.to_owned()
    }

    /// Every event, until what never holds, and no time limit.
    fn never_ends(&mut self, to: &Consume, node: &Node, value: &Node) {
        let Consume::Any { filters, until: Some(Until::Condition(until)) } = to else { return };
        let bounded = node.get("timeout").is_some() || self.has_timeout;
        if !filters.is_empty() || bounded || !Self::never_true(until) {
            return;
        }
        let span = value.get("to").map_or(value.span, |to| to.key_span("until"));
        let message = "this wait can never end: `until` is never true and there is no timeout";
        self.report(codes::FORK_EXPORT, span, message, "add timeout: { after: … } to the task");
    }
}
