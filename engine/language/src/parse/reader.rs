//! The state of one check, and the ways to take typed things out of the tree.

use std::collections::{BTreeMap, BTreeSet};

use placet_model::Digest;
use placet_model::plan::Task;

use super::names::Names;
use super::resources::NamedDocument;
use super::steps::Steps;
use super::uses::Uses;
use crate::codes;
use crate::diagnostic::{Code, Diagnostic, Severity, Sink, did_you_mean};
use crate::environment::Environment;
use crate::source::{Source, Span};
use crate::syntax::{Content, Node};

/// A mistake that is already among the findings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported;

/// A key that may be absent: its value, nothing, or a mistake.
pub(super) type Field<T> = Result<Option<T>, Reported>;

/// The value of a key that may be absent.
pub(super) fn field<'n, T>(
    node: Option<&'n Node>,
    read: impl FnOnce(&'n Node) -> Option<T>,
) -> Field<T> {
    node.map(|node| read(node).ok_or(Reported)).transpose()
}

/// One check in progress.
pub(super) struct Reader<'a> {
    sink: Sink<'a>,
    /// The code for what has the wrong shape, by the kind of file.
    pub(super) shape_code: Code,
    /// The code for approvers and the like, by the kind of file.
    pub(super) approval_code: Code,
    pub(super) environment: Environment<'a>,
    pub(super) uses: Uses,
    /// Entries of `use` that something names, as `kind/name`.
    pub(super) used: BTreeSet<String>,
    /// Operations that calls name, with their digests.
    pub(super) operations: BTreeMap<String, Digest>,
    pub(super) steps: Steps,
    pub(super) names: Names,
    /// Bytes at which expressions read `$context`.
    pub(super) context_reads: Vec<usize>,
    /// Every `export.as`, in the order of the document.
    pub(super) exports: Vec<Span>,
    /// Functions that have been read.
    pub(super) functions: BTreeMap<String, Task>,
    /// Calls of catalog functions around the one that is being read.
    pub(super) resolving: Vec<String>,
    /// Constructs that are parsed and may not be built yet, with their places.
    pub(super) pending: Vec<(&'static str, Span)>,
    /// Documents that the workflow names.
    pub(super) documents: Vec<NamedDocument>,
    /// Whether the document bounds the whole run.
    pub(super) has_timeout: bool,
    /// Whether the run's input is the `data` of events.
    pub(super) reads_event_data: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(sink: Sink<'a>, environment: Environment<'a>) -> Self {
        Self {
            sink,
            shape_code: codes::SHAPE,
            approval_code: codes::APPROVAL,
            environment,
            uses: Uses::default(),
            used: BTreeSet::new(),
            operations: BTreeMap::new(),
            steps: Steps::default(),
            names: Names::default(),
            context_reads: Vec::new(),
            exports: Vec::new(),
            functions: BTreeMap::new(),
            resolving: Vec::new(),
            pending: Vec::new(),
            documents: Vec::new(),
            has_timeout: false,
            reads_event_data: false,
        }
    }

    /// The sink, for another reader of the same file.
    pub(super) fn into_sink(self) -> Sink<'a> {
        self.sink
    }

    pub(super) fn finish(self) -> (Vec<Diagnostic>, bool) {
        let has_errors = self.sink.has_errors();
        (self.sink.finish(), has_errors)
    }

    pub(super) fn has_errors(&self) -> bool {
        self.sink.has_errors()
    }

    pub(super) fn source(&self) -> &'a Source {
        self.sink.source()
    }

    pub(super) fn report(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.sink.report(code, span, message, help);
    }

    /// Reports with less weight than the code usually has.
    pub(super) fn warn(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.sink.report(Code { severity: Severity::Warning, ..code }, span, message, help);
    }

    fn shape(&mut self, node: &Node, what: &str, wanted: &str) {
        let message = format!("{what} must be {wanted}, this is {}", node.kind());
        self.report(self.shape_code, node.span, message, format!("write {wanted} here"));
    }

    /// Whether the node is a map; unknown keys are reported.
    pub(super) fn map(&mut self, node: &Node, what: &str, known: &[&str]) -> bool {
        if !self.open_map(node, what) {
            return false;
        }
        for entry in node.entries() {
            if !known.contains(&entry.key.as_str()) {
                self.unknown_key(entry.key_span, &entry.key, what, known);
            }
        }
        true
    }

    /// Whether the node is a map, whatever its keys.
    pub(super) fn open_map(&mut self, node: &Node, what: &str) -> bool {
        let is_map = matches!(node.content, Content::Map(_));
        if !is_map {
            self.shape(node, what, "a map");
        }
        is_map
    }

    pub(super) fn unknown_key(&mut self, span: Span, key: &str, what: &str, known: &[&str]) {
        let habit = HABITS.iter().find(|(habit, _)| *habit == key).map(|(_, meant)| *meant);
        let near = habit
            .filter(|meant| known.contains(meant))
            .or_else(|| did_you_mean(key, known.iter().copied()));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "remove it".to_owned(),
            None => format!("known here: {}", known.join(", ")),
        };
        self.report(self.shape_code, span, format!("unknown key `{key}` in {what}"), help);
    }

    /// A required key; reported at the map when it is missing.
    pub(super) fn required<'n>(
        &mut self,
        map: &'n Node,
        key: &str,
        what: &str,
    ) -> Option<&'n Node> {
        let found = map.get(key);
        if found.is_none() {
            let first = map.entries().first().map_or(map.span, |entry| entry.key_span);
            let message = format!("{what} lacks the key `{key}`");
            self.report(self.shape_code, first, message, format!("add `{key}:`"));
        }
        found
    }

    pub(super) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = node.as_text();
        if text.is_none() {
            self.shape(node, what, "a string");
        }
        text
    }

    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        if let Content::List(items) = &node.content {
            return Some(items);
        }
        self.shape(node, what, "a list");
        None
    }

    pub(super) fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        if let Content::Bool(value) = node.content {
            return Some(value);
        }
        self.shape(node, what, "true or false");
        None
    }

    /// A whole number from `min` to `max`.
    pub(super) fn whole(&mut self, node: &Node, what: &str, min: u16, max: u16) -> Option<u16> {
        let number = match &node.content {
            Content::Number(number) => {
                number.as_u64().and_then(|number| u16::try_from(number).ok())
            }
            Content::Null
            | Content::Bool(_)
            | Content::Text { .. }
            | Content::List(_)
            | Content::Map(_) => None,
        };
        let number = number.filter(|number| (min..=max).contains(number));
        if number.is_none() {
            let message = format!("{what} must be a whole number from {min} to {max}");
            self.report(self.shape_code, node.span, message, "write it without quotes");
        }
        number
    }
}

/// Words of other runtimes and what they are called here.
pub(super) const HABITS: &[(&str, &str)] = &[
    ("url", "endpoint"),
    ("details", "detail"),
    ("condition", "if"),
    ("next", "then"),
    ("next", "do"),
    ("steps", "do"),
    ("tasks", "do"),
    ("actions", "do"),
    ("args", "with"),
    ("arguments", "with"),
    ("params", "with"),
    ("inputs", "with"),
    ("onErrors", "catch"),
    ("sleep", "wait"),
    ("delay", "wait"),
    ("foreach", "for"),
    ("throw", "raise"),
    ("error", "raise"),
    ("group", "approvers"),
    ("timeoutAfter", "timeout"),
];
