//! `input`, `output` and `export`: transforms and schemas; and durations.

use placet_model::Duration;
use placet_model::manifest::Document;
use placet_model::plan::{DurationSpec, InputSpec, OutputSpec};
use placet_schemas::Error;
use serde_json::Value;

use super::names::Place;
use super::reader::Reader;
use super::with::find;
use crate::codes;
use crate::duration;
use crate::expr::source as fences;
use crate::syntax::{Entry, Node};

impl Reader<'_> {
    /// `input: { schema, from }`.
    pub(super) fn input(&mut self, node: Option<&Node>, place: Place) -> InputSpec {
        let Some(node) = node else { return InputSpec::default() };
        if !self.map(node, "`input`", &["schema", "from"]) {
            return InputSpec::default();
        }
        InputSpec {
            schema: node.get("schema").and_then(|schema| self.schema(schema)),
            from: node.get("from").and_then(|from| self.transform(from, "`input.from`", place)),
        }
    }

    /// `output` or `export`: `{ as, schema }`.
    pub(super) fn output(&mut self, node: Option<&Node>, what: &str, place: Place) -> OutputSpec {
        let Some(node) = node else { return OutputSpec::default() };
        if !self.map(node, &format!("`{what}`"), &["as", "schema"]) {
            return OutputSpec::default();
        }
        let transform = node.get("as");
        if what == "export" {
            self.exports.extend(transform.map(|transform| transform.span));
            self.export_in_fork(node);
        }
        OutputSpec {
            transform: transform.and_then(|t| self.transform(t, &format!("`{what}.as`"), place)),
            schema: node.get("schema").and_then(|schema| self.schema(schema)),
        }
    }

    fn export_in_fork(&mut self, node: &Node) {
        if self.names.forks > 0 {
            let message = "an export inside a fork is seen by its branch only, until the join";
            let help = "later branches win there; use the fork's output instead";
            self.report(codes::FORK_EXPORT, node.span, message, help);
        }
    }

    /// Warns of an `export.as` that leaves out what an earlier one has put into the context, while
    /// the context is read later.
    pub(super) fn dropped_context(&mut self) {
        for (index, export) in std::mem::take(&mut self.exports).into_iter().enumerate() {
            let keeps = self.context_reads.iter().any(|at| (export.start..export.end).contains(at));
            let read_later = self.context_reads.iter().any(|at| *at >= export.end);
            if index > 0 && !keeps && read_later {
                let message = "this `export` drops what the context held before";
                let help = "start from it: '$context + { … }'";
                self.report(codes::EXPORT_DROPS, export, message, help);
            }
        }
    }

    /// `{ format, document }`: an inline JSON Schema that compiles.
    fn schema(&mut self, node: &Node) -> Option<Value> {
        if !self.map(node, "`schema`", &["format", "document", "resource"]) {
            return None;
        }
        if let Some(format) = node.get("format") {
            let text = self.text(format, "`schema.format`")?;
            if text != "json" && !text.starts_with("json:") {
                let message = format!("the schema format `{text}` is not supported");
                self.report(codes::SHAPE, format.span, message, "use JSON Schema: `format: json`");
            }
        }
        if let Some(resource) = node.entries().iter().find(|entry| entry.key == "resource") {
            if let Some(both) = node.entries().iter().find(|entry| entry.key == "document") {
                let message = "a schema has a `document` or a `resource`, not both";
                self.report(codes::SHAPE, both.key_span, message, "remove one of them");
            }
            return self.schema_resource(resource);
        }
        let document = self.required(node, "document", "`schema`")?;
        self.compiles(document.to_json(), document)
    }

    /// A schema in a document of its own, which the plan then holds.
    fn schema_resource(&mut self, entry: &Entry) -> Option<Value> {
        let name = self.resource(&entry.value, "`resource`")?;
        match self.fetched(&name, entry.value.span).cloned() {
            Some(Document::Json(schema)) => self.compiles(schema, &entry.value),
            Some(Document::Api(_)) => {
                let message = format!("{name} describes an API and is no JSON Schema");
                self.report(codes::SHAPE, entry.value.span, message, "name the schema's own file");
                None
            }
            // nothing fits a schema that is not known
            None => Some(Value::Bool(false)),
        }
    }

    /// The schema, if it can be used; `node` is what is wrong otherwise.
    fn compiles(&mut self, schema: Value, node: &Node) -> Option<Value> {
        if !schema.is_object() && !schema.is_boolean() {
            let message = format!("a JSON Schema is a map, this is {}", node.kind());
            self.report(codes::SHAPE, node.span, message, "write the schema as a map");
            return None;
        }
        if let Err(error) = self.environment.schemas.register(&schema) {
            let help = "write JSON Schema 2020-12; `$ref` only within the document";
            let (span, message) = match &error {
                Error::Uncompilable { pointer, message } => {
                    let node = find(node, pointer).unwrap_or(node);
                    (node.span, format!("the JSON Schema cannot be used: {message}"))
                }
                other @ (Error::TooDeep | Error::Unknown { .. } | Error::NotJson { .. }) => {
                    (node.span, other.to_string())
                }
            };
            self.report(codes::SHAPE, span, message, help);
            return None;
        }
        Some(schema)
    }

    /// A duration that is written out.
    pub(super) fn duration(&mut self, node: &Node, what: &str) -> Option<Duration> {
        if node.as_text().is_some_and(|text| fences::fenced(text).is_some()) {
            let message = format!("{what} must be written out, an expression cannot stand here");
            self.report(codes::DURATION, node.span, message, "write PT30M, P2D or { minutes: 30 }");
            return None;
        }
        if !node.entries().is_empty() {
            self.map(node, what, duration::KEYS);
        }
        match duration::from_value(&node.to_json()) {
            Ok(duration) => Some(duration),
            Err(error) => {
                let unknown_key = node
                    .entries()
                    .iter()
                    .any(|entry| !duration::KEYS.contains(&entry.key.as_str()));
                if !unknown_key {
                    let habit = node.as_text().and_then(duration::iso_of_habit);
                    let help = habit.or_else(|| duration::iso_of_fraction(&node.to_json()));
                    let help = help.map_or_else(
                        || "write PT30M, P2D or { minutes: 30 }".to_owned(),
                        |iso| format!("write {iso}"),
                    );
                    self.report(codes::DURATION, node.span, error.to_string(), help);
                }
                None
            }
        }
    }

    /// A duration that must be longer than nothing.
    pub(super) fn some_time(&mut self, node: &Node, what: &str) -> Option<Duration> {
        let duration = self.duration(node, what)?;
        if duration.is_zero() {
            let message = format!("{what} must be longer than nothing");
            self.report(codes::DURATION, node.span, message, "write at least PT0.001S");
            return None;
        }
        Some(duration)
    }

    /// A duration that is longer than nothing, or an expression that gives one.
    pub(super) fn duration_spec(
        &mut self,
        node: &Node,
        what: &str,
        place: Place,
    ) -> Option<DurationSpec> {
        if let Some((jq, offset)) = node.as_text().and_then(fences::fenced) {
            return self.jq(node, jq, offset, place).map(DurationSpec::Expression);
        }
        self.duration(node, what).map(DurationSpec::Fixed)
    }

    /// `timeout: { after }`, or the name of an entry of `use.timeouts`.
    pub(super) fn timeout(&mut self, node: &Node, place: Place) -> Option<DurationSpec> {
        let Some(name) = node.as_text() else {
            return self.inline_timeout(node, place);
        };
        let known = self.uses.timeouts.get(name).cloned();
        if known.is_some() {
            self.used.insert(format!("timeouts/{name}"));
            return known;
        }
        let looks = duration::from_text(name).map(|_| name.to_owned()).ok();
        if let Some(iso) = looks.or_else(|| duration::iso_of_habit(name)) {
            let message = format!("`timeout: {name}` means the timeout named `{name}`");
            let help = format!("write timeout: {{ after: {iso} }}");
            self.report(codes::TIMEOUT_NAME, node.span, message, help);
            return None;
        }
        let names: Vec<String> = self.uses.timeouts.keys().cloned().collect();
        self.unknown_use("timeout", name, node.span, &names);
        None
    }

    pub(super) fn inline_timeout(&mut self, node: &Node, place: Place) -> Option<DurationSpec> {
        if !self.map(node, "`timeout`", &["after"]) {
            return None;
        }
        let after = self.required(node, "after", "`timeout`")?;
        if after.as_text().is_some_and(|text| fences::fenced(text).is_some()) {
            return self.duration_spec(after, "`timeout.after`", place);
        }
        self.some_time(after, "`timeout.after`").map(DurationSpec::Fixed)
    }
}
