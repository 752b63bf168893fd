//! Lists of tasks, and which kind each task is.

use std::collections::BTreeMap;

use placet_model::TaskPath;
use placet_model::plan::{Directive, DurationSpec, Task, TaskKind, TaskList};

use super::common::COMMON;
use super::names::Place;
use super::reader::{HABITS, Reader, field};
use crate::codes;
use crate::diagnostic::did_you_mean;
use crate::source::Span;
use crate::syntax::{Content, Entry, Node};

/// The words that make a task what it is. `for` stands before `do`, which belongs to it then.
const KEYWORDS: &[&str] = &[
    "call", "set", "switch", "wait", "try", "for", "raise", "do", "fork", "emit", "listen", "run",
];

/// The task at one place of a list.
pub(super) struct At<'l> {
    pub(super) path: TaskPath,
    /// Names of all tasks of its list.
    pub(super) siblings: &'l [String],
}

impl Reader<'_> {
    /// A list of single-key maps; `list` is its part of the paths inside (`do`, `try`, `catch/do`).
    pub(super) fn tasks(&mut self, node: &Node, parent: &TaskPath, list: &str) -> Option<TaskList> {
        let items = self.list(node, &format!("`{list}`"))?;
        let named: Vec<Option<&Entry>> = items.iter().map(|item| self.named_task(item)).collect();
        let siblings: Vec<String> = named
            .iter()
            .map(|entry| entry.map_or_else(String::new, |entry| entry.key.clone()))
            .collect();
        self.duplicates(&named);
        let mut tasks = Vec::new();
        let mut whole = true;
        for (index, entry) in named.iter().enumerate() {
            let Some(entry) = entry else {
                whole = false;
                continue;
            };
            let at = At { path: parent.child(list, index, &entry.key), siblings: &siblings };
            let task = self.task_in_scope(entry, &at);
            whole &= task.is_some();
            tasks.extend(task);
        }
        if !whole {
            return None;
        }
        let spans: Vec<Span> = named.iter().flatten().map(|entry| entry.key_span).collect();
        self.unreachable(&tasks, &spans);
        Some(TaskList(tasks))
    }

    /// A task, with itself as the place from which steps are named.
    pub(super) fn task_in_scope(&mut self, entry: &Entry, at: &At<'_>) -> Option<Task> {
        let before = self.steps.enter(entry.value.span.start);
        let task = self.task(entry, at);
        self.steps.leave(before);
        task
    }

    /// The one entry of an item of a task list.
    pub(super) fn named_task<'n>(&mut self, item: &'n Node) -> Option<&'n Entry> {
        let help = "write `- name: { … }`, one task for each item";
        match (&item.content, item.entries()) {
            (_, [entry]) => Some(entry),
            (Content::Map(_), []) => {
                self.report(codes::SHAPE, item.span, "this item holds no task", help);
                None
            }
            (Content::Map(_), [first, second, ..]) => {
                let known = KEYWORDS.contains(&second.key.as_str())
                    || COMMON.contains(&second.key.as_str())
                    || KEYWORDS.contains(&first.key.as_str());
                let help = if known { "indent the task's keys under its name" } else { help };
                let message = "an item of a task list holds one task under its name";
                self.report(codes::SHAPE, second.key_span, message, help);
                None
            }
            _ => {
                let message = format!("a task is a map under its name, this is {}", item.kind());
                self.report(codes::SHAPE, item.span, message, help);
                None
            }
        }
    }

    pub(super) fn duplicates(&mut self, named: &[Option<&Entry>]) {
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        for entry in named.iter().flatten() {
            if let Some(first) = seen.get(entry.key.as_str()) {
                let line = self.source().place(first.start).line;
                let message = format!("the task name `{}` stands twice in this list", entry.key);
                let help = format!("the first is on line {line}; rename one of them");
                self.report(codes::DUPLICATE_TASK, entry.key_span, message, help);
            } else {
                seen.insert(&entry.key, entry.key_span);
            }
        }
    }

    fn task(&mut self, entry: &Entry, at: &At<'_>) -> Option<Task> {
        let node = &entry.value;
        if !matches!(node.content, Content::Map(_)) {
            let message =
                format!("the task `{}` must be a map, this is {}", entry.key, node.kind());
            let span =
                if matches!(node.content, Content::Null) { entry.key_span } else { node.span };
            self.report(
                codes::SHAPE,
                span,
                message,
                format!("give it one of: {}", KEYWORDS.join(", ")),
            );
            return None;
        }
        let keyword = self.keyword(entry)?;
        let condition = field(node.get("if"), |n| self.expression(n, "`if`", Place::TaskInput));
        let input = self.input(node.get("input"), Place::TaskInput);
        let kind = self.kind(keyword, node, at);
        let outside = self.steps.on_output(true);
        let output = self.output(node.get("output"), "output", Place::Task);
        let export = self.output(node.get("export"), "export", Place::Export);
        self.steps.on_output(outside);
        let timeout = field(node.get("timeout"), |timeout| self.timeout(timeout, Place::TaskInput));
        let then =
            node.get("then").map_or(Directive::Continue, |then| self.directive(then, at.siblings));
        self.metadata(node, keyword);
        let (timeout, timeout_from) = split(timeout.ok()?);
        Some(Task {
            name: entry.key.clone(),
            path: at.path.clone(),
            definition: node.to_json(),
            condition: condition.ok()?,
            input,
            output,
            export,
            timeout,
            timeout_from,
            then,
            kind: kind?,
        })
    }

    /// The task's keyword; keys that are neither it nor of every task are reported.
    fn keyword(&mut self, entry: &Entry) -> Option<&'static str> {
        let node = &entry.value;
        let found: Vec<&'static str> =
            KEYWORDS.iter().filter(|word| node.get(word).is_some()).copied().collect();
        let (keyword, rest) = match found.as_slice() {
            [] => {
                self.no_keyword(entry);
                return None;
            }
            [keyword, rest @ ..] => (*keyword, rest),
        };
        let own: &[&str] = match keyword {
            "call" => &["call", "with"],
            "try" => &["try", "catch"],
            "for" => &["for", "while", "do"],
            "listen" => &["listen", "foreach"],
            other => &[other],
        };
        if let Some(second) = rest.iter().find(|word| !own.contains(word)) {
            let span = node.key_span(second);
            let message = format!("a task has one keyword, this has `{keyword}` and `{second}`");
            self.report(codes::SHAPE, span, message, "make two tasks of it");
            return None;
        }
        let known: Vec<&str> = own.iter().chain(COMMON).copied().collect();
        for key in node.entries() {
            if !known.contains(&key.key.as_str()) {
                self.unknown_key(key.key_span, &key.key, &format!("a `{keyword}` task"), &known);
            }
        }
        Some(keyword)
    }

    fn no_keyword(&mut self, entry: &Entry) {
        let meant = |key: &str| {
            let habit =
                HABITS.iter().find(|(word, meant)| *word == key && KEYWORDS.contains(meant));
            habit.map(|(_, meant)| *meant).or_else(|| did_you_mean(key, KEYWORDS.iter().copied()))
        };
        let mut keys = entry.value.entries().iter();
        let near = keys.find_map(|key| Some((key, meant(&key.key)?)));
        if let Some((key, near)) = near {
            let message = format!("unknown task keyword `{}`", key.key);
            self.report(codes::SHAPE, key.key_span, message, format!("did you mean `{near}`?"));
        } else {
            let message = format!("the task `{}` says nothing about what it does", entry.key);
            let help = format!("give it one of: {}", KEYWORDS.join(", "));
            self.report(codes::SHAPE, entry.key_span, message, help);
        }
    }

    fn kind(&mut self, keyword: &str, node: &Node, at: &At<'_>) -> Option<TaskKind> {
        let value = node.get(keyword)?;
        match keyword {
            "do" => self.tasks(value, &at.path, "do").map(TaskKind::Do),
            "set" => self.set(value),
            "call" => self.call(node, value),
            "switch" => self.switch(value, at).map(TaskKind::Switch),
            "wait" => self.wait(value).map(TaskKind::Wait),
            "try" => self.try_catch(node, value, at).map(|inner| TaskKind::Try(Box::new(inner))),
            "for" => self.for_each(node, value, at).map(|inner| TaskKind::For(Box::new(inner))),
            "raise" => self.raise(value).map(TaskKind::Raise),
            "fork" => self.fork(value, at).map(|inner| TaskKind::Fork(Box::new(inner))),
            "listen" => self.listen(node, value, at).map(|inner| TaskKind::Listen(Box::new(inner))),
            "emit" => self.emit(value).map(|inner| TaskKind::Emit(Box::new(inner))),
            "run" => self.run(node, value).map(|inner| TaskKind::Run(Box::new(inner))),
            _ => None,
        }
    }
}

/// A duration that is written out, and one that is not.
pub(super) fn split(
    spec: Option<DurationSpec>,
) -> (Option<placet_model::Duration>, Option<placet_model::plan::Expression>) {
    match spec {
        None => (None, None),
        Some(DurationSpec::Fixed(duration)) => (Some(duration), None),
        Some(DurationSpec::Expression(expression)) => (None, Some(expression)),
    }
}
