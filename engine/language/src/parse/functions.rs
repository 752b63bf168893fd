//! Functions: tasks under a name, in `use.functions` or in a file of a catalog.

use std::collections::BTreeMap;

use placet_model::TaskPath;
use placet_model::plan::{FunctionCall, Task, TaskKind, Template};
use serde_json::Value;

use super::document::is_semver;
use super::names::Place;
use super::reader::Reader;
use super::steps::Steps;
use super::tasks::At;
use crate::codes;
use crate::diagnostic::{Sink, did_you_mean};
use crate::source::{Source, Span};
use crate::syntax::{Entry, Node, load};

/// Deepest chain of functions that call functions of catalogs.
const DEPTH_MAX: usize = 16;

impl Reader<'_> {
    /// Reads every entry of `use.functions`.
    pub(super) fn use_functions(&mut self, node: &Node) {
        for entry in node.entries() {
            if self.environment.catalogue.get(&entry.key).is_some() {
                let message = format!("the function `{}` hides the operation", entry.key);
                self.warn(codes::CROSS_FIELD, entry.key_span, message, "choose another name");
            }
            if let Some(task) = self.function(entry) {
                self.functions.insert(entry.key.clone(), task);
            }
        }
    }

    /// One function: a task with steps and loops of its own.
    fn function(&mut self, entry: &Entry) -> Option<Task> {
        let steps = std::mem::replace(&mut self.steps, Steps::of_task(entry));
        let names = std::mem::take(&mut self.names);
        let key = entry.key.replace('~', "~0").replace('/', "~1");
        let path = TaskPath::new(&format!("/use/functions/{key}"));
        let task = self.task_in_scope(entry, &At { path, siblings: &[] });
        self.names = names;
        self.steps = steps;
        task
    }

    /// The functions that something calls: the others change nothing.
    pub(super) fn called_functions(&self) -> BTreeMap<String, Task> {
        let is_called = |name: &str| {
            let declared = self.uses.is_declared("functions", name);
            !declared || self.used.contains(&format!("functions/{name}"))
        };
        let called = self.functions.iter().filter(|(name, _)| is_called(name));
        called.map(|(name, task)| (name.clone(), task.clone())).collect()
    }

    /// A call of a function of this document.
    pub(super) fn function_call(
        &mut self,
        node: &Node,
        name: &str,
        span: Span,
    ) -> Option<TaskKind> {
        self.later("a function of `use.functions`", span);
        self.used.insert(format!("functions/{name}"));
        self.call_of(node, name)
    }

    fn call_of(&mut self, node: &Node, function: &str) -> Option<TaskKind> {
        if let Some(approval) = node.get("metadata").and_then(|metadata| metadata.get("approval")) {
            let message = "the calls inside a function ask for approval, the call of it does not";
            let help = "put `metadata.approval` on the call inside";
            self.warn(codes::APPROVAL, approval.span, message, help);
            self.approval(approval).unwrap_or_default();
        }
        let with = match node.get("with") {
            None => Template::Literal(Value::Object(serde_json::Map::new())),
            Some(with) => {
                if !self.open_map(with, "`with`") {
                    return None;
                }
                self.template(with, Place::Task)?
            }
        };
        let call = FunctionCall { function: function.to_owned(), with };
        Some(TaskKind::Function(Box::new(call)))
    }

    /// `use.catalogs`: folders of the project.
    pub(super) fn catalog(&mut self, entry: &Entry) {
        if !self.map(&entry.value, "a catalog", &["endpoint"]) {
            return;
        }
        let Some(endpoint) = self.required(&entry.value, "endpoint", "a catalog") else { return };
        let uri = if endpoint.as_text().is_none() && endpoint.get("uri").is_some() {
            self.map(endpoint, "`endpoint`", &["uri"]);
            endpoint.get("uri").unwrap_or(endpoint)
        } else {
            endpoint
        };
        let Some(text) = self.text(uri, "`endpoint` of a catalog") else { return };
        let folder = text.strip_prefix("file:").unwrap_or(text);
        let folder = folder.strip_prefix("./").unwrap_or(folder).trim_end_matches('/');
        if folder.contains("://") {
            self.outside("a remote catalog", uri.span);
            return;
        }
        if folder.starts_with('/') || folder.split('/').any(|part| matches!(part, "" | "..")) {
            let message = format!("the catalog `{text}` is not a folder of the project");
            self.report(codes::SHAPE, uri.span, message, "write endpoint: 'file:catalog'");
            return;
        }
        self.uses.catalogs.insert(entry.key.clone(), folder.to_owned());
    }

    /// `name:version@catalog`.
    pub(super) fn catalog_call(&mut self, node: &Node, call: &str, span: Span) -> Option<TaskKind> {
        let (function, catalog) = call.rsplit_once('@')?;
        let parts = function.split_once(':');
        let fits = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let Some((name, version)) = parts.filter(|(name, v)| fits(name) && is_semver(v)) else {
            let message = format!("`{call}` is no name of a function in a catalog");
            self.report(codes::UNKNOWN_CALL, span, message, "write name:1.0.0@catalog");
            return None;
        };
        let folder = match self.uses.catalogs.get(catalog) {
            Some(folder) => format!("{folder}/"),
            None if catalog == "default" => String::new(),
            None if self.uses.is_declared("catalogs", catalog) => return None,
            None => {
                let names: Vec<String> = self.uses.catalogs.keys().cloned().collect();
                self.unknown_use("catalog", catalog, span, &names);
                return None;
            }
        };
        self.used.insert(format!("catalogs/{catalog}"));
        self.later("a call of a catalog", span);
        let path = format!("{folder}functions/{name}/{version}/function.yaml");
        let Some(text) = self.environment.catalogue.functions.get(&path) else {
            self.unknown_function(call, &path, span);
            return None;
        };
        if !self.functions.contains_key(call) && !self.resolving.iter().any(|other| other == call) {
            let task = self.catalog_function(call, (&path, text), span)?;
            self.functions.insert(call.to_owned(), task);
        }
        self.call_of(node, call)
    }

    fn unknown_function(&mut self, call: &str, path: &str, span: Span) {
        let mut operations = self.environment.catalogue.operations.values();
        let name = call.split(':').next().unwrap_or(call);
        let alias = operations.find(|operation| kebab(&operation.name) == name);
        if let Some(operation) = alias.filter(|_| call.ends_with("@default")) {
            let message = "the alias of an operation is not built yet";
            let help = format!("write call: {}", operation.name);
            self.report(codes::OUTSIDE, span, message, help);
            return;
        }
        let known = self.environment.catalogue.functions.keys().map(String::as_str);
        let help = match did_you_mean(path, known) {
            Some(near) => format!("there is {near}"),
            None => "add the file to the project".to_owned(),
        };
        let message = format!("`{call}` would be in {path}, which does not exist");
        self.report(codes::UNKNOWN_CALL, span, message, help);
    }

    /// The function of another file; what is wrong with it is said at the call, with its place.
    fn catalog_function(
        &mut self,
        call: &str,
        (path, text): (&str, &str),
        span: Span,
    ) -> Option<Task> {
        if self.resolving.len() >= DEPTH_MAX {
            let message = format!("functions of catalogs call each other deeper than {DEPTH_MAX}");
            self.report(codes::CROSS_FIELD, span, message, "call fewer functions from functions");
            return None;
        }
        let source = Source::new(path, text);
        let mut sink = Sink::new(&source);
        let root = load::load(&mut sink);
        let mut inner = Reader::new(sink, self.environment);
        inner.uses.catalogs.clone_from(&self.uses.catalogs);
        inner.functions = std::mem::take(&mut self.functions);
        inner.resolving.clone_from(&self.resolving);
        inner.resolving.push(call.to_owned());
        let task = root.and_then(|value| {
            let entry = Entry { key: call.to_owned(), key_span: value.span, value };
            inner.function(&entry)
        });
        self.functions = std::mem::take(&mut inner.functions);
        self.operations.append(&mut inner.operations);
        self.used.extend(inner.used.iter().filter(|entry| entry.starts_with("catalogs/")).cloned());
        for (construct, _) in std::mem::take(&mut inner.pending) {
            self.later(construct, span);
        }
        let (findings, has_errors) = inner.finish();
        for finding in findings {
            let place = format!("{}:{}:{}", finding.file, finding.line, finding.column);
            self.report(finding.code, span, format!("{place}: {}", finding.message), finding.help);
        }
        task.filter(|_| !has_errors)
    }
}

/// `slack.chat.postMessage` as `slack-chat-post-message`.
fn kebab(operation: &str) -> String {
    let mut out = String::new();
    for c in operation.chars() {
        match c {
            '.' | '_' => out.push('-'),
            c if c.is_ascii_uppercase() => out.extend(['-', c.to_ascii_lowercase()]),
            c => out.push(c),
        }
    }
    out
}
