//! Functions: tasks under a name, in `use.functions` or in a file of a catalog.

use placet_model::TaskPath;
use placet_model::plan::{FunctionCall, Task, TaskKind, TaskList, Template};
use serde_json::Value;

use super::document::is_semver;
use super::inline::{CALLS_MAX, escaped, too_deep};
use super::names::Place;
use super::reader::Reader;
use super::resources::NamedDocument;
use super::steps::Steps;
use super::tasks::At;
use crate::codes;
use crate::diagnostic::{Sink, did_you_mean};
use crate::source::{Source, Span};
use crate::syntax::{Entry, Node, load};

/// The version by which an alias names an operation. Manifests of form 1 carry none of their own;
/// what a run pins is the operation's digest.
const OPERATION_VERSION: &str = "1.0.0";

impl Reader<'_> {
    /// Reads every entry of `use.functions`.
    pub(super) fn use_functions(&mut self, node: &Node) {
        for entry in node.entries() {
            if entry.key.contains('@') {
                let message = format!("`{}` would be a function of a catalog", entry.key);
                self.report(codes::CROSS_FIELD, entry.key_span, message, "leave out the `@`");
                continue;
            }
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
        let path = TaskPath::new(&format!("/use/functions/{}", escaped(&entry.key)));
        let task = self.task_in_scope(entry, &At { path, siblings: &[] });
        self.names = names;
        self.steps = steps;
        task
    }

    /// A call of a function of this document.
    pub(super) fn function_call(&mut self, node: &Node, name: &str) -> Option<TaskKind> {
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
        // The body comes when all functions have been read.
        let body = TaskList::default();
        let call = FunctionCall { function: function.to_owned(), with, body };
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
        let path = format!("{folder}functions/{name}/{version}/function.yaml");
        self.note_function(&path, span);
        let Some(text) = self.environment.catalogue.functions.get(&path) else {
            if catalog == "default"
                && let Some(operation) = self.alias(name)
            {
                return self.alias_call(node, (&operation, version), span);
            }
            self.unknown_function(call, &path, span);
            return None;
        };
        if !self.functions.contains_key(call) && !self.resolving.iter().any(|other| other == call) {
            let task = self.catalog_function(call, (&path, text), span)?;
            self.functions.insert(call.to_owned(), task);
        }
        self.call_of(node, call)
    }

    /// The operation that `slack-chat-post-message` means.
    fn alias(&self, name: &str) -> Option<String> {
        let mut names = self.environment.catalogue.operations.keys();
        names.find(|operation| kebab(operation) == name).cloned()
    }

    /// A call of an operation under its alias, which says a version.
    fn alias_call(
        &mut self,
        node: &Node,
        (operation, version): (&str, &str),
        span: Span,
    ) -> Option<TaskKind> {
        if version != OPERATION_VERSION {
            let message = format!("there is no version {version} of `{operation}`");
            let help = format!("write {}", alias_of(operation));
            self.report(codes::UNKNOWN_CALL, span, message, help);
            return None;
        }
        self.operation_call(node, operation, span).map(|call| TaskKind::Call(Box::new(call)))
    }

    fn unknown_function(&mut self, call: &str, path: &str, span: Span) {
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
        if self.resolving.len() >= CALLS_MAX {
            let chain: Vec<String> =
                self.resolving.iter().cloned().chain([call.to_owned()]).collect();
            let help = "call fewer functions from functions";
            self.report(codes::CROSS_FIELD, span, too_deep(&chain), help);
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
        let place = self.source().place(span.start);
        for document in std::mem::take(&mut inner.documents) {
            let (line, column) = (place.line, place.column);
            if !self.documents.iter().any(|known| known.at == document.at) {
                self.documents.push(NamedDocument { line, column, ..document });
            }
        }
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

/// The name under which the catalog `default` has an operation.
pub(crate) fn alias_of(operation: &str) -> String {
    format!("{}:{OPERATION_VERSION}@default", kebab(operation))
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
