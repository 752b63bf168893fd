//! `use`: what tasks may name.

use std::collections::BTreeMap;

use placet_model::Duration;
use placet_model::approval::ApprovalMetadata;
use placet_model::plan::{Authentication, RaiseSpec};

use super::names::Place;
use super::reader::Reader;
use crate::codes;
use crate::source::Span;
use crate::syntax::Node;

const FIELDS: &[&str] = &[
    "authentications",
    "catalogs",
    "errors",
    "extensions",
    "functions",
    "retries",
    "secrets",
    "timeouts",
];

/// What the document declares for its tasks.
#[derive(Clone, Debug, Default)]
pub(super) struct Uses {
    pub(super) secrets: Vec<String>,
    pub(super) timeouts: BTreeMap<String, Duration>,
    pub(super) errors: BTreeMap<String, RaiseSpec>,
    pub(super) authentications: BTreeMap<String, Authentication>,
    /// `document.metadata.approval`.
    pub(super) approval: Option<ApprovalMetadata>,
    /// Every entry as `kind/name` with its place.
    declared: Vec<(String, Span)>,
}

impl Reader<'_> {
    pub(super) fn uses(&mut self, node: &Node) {
        if !self.map(node, "`use`", FIELDS) {
            return;
        }
        for entry in node.entries() {
            match entry.key.as_str() {
                "catalogs" => self.outside("use.catalogs", entry.key_span),
                "extensions" => self.outside("use.extensions", entry.key_span),
                "functions" => self.outside("use.functions", entry.key_span),
                "retries" => self.outside("use.retries", entry.key_span),
                _ => {}
            }
        }
        // Secrets first: authentications name them.
        if let Some(secrets) = node.get("secrets") {
            self.secrets(secrets);
        }
        for (map, key) in
            [("timeouts", "timeout"), ("errors", "error"), ("authentications", "authentication")]
        {
            let Some(map_node) = node.get(map) else { continue };
            if !self.open_map(map_node, &format!("`use.{map}`")) {
                continue;
            }
            for entry in map_node.entries() {
                self.uses.declared.push((format!("{map}/{}", entry.key), entry.key_span));
                self.use_entry(key, &entry.key, &entry.value);
            }
        }
    }

    fn use_entry(&mut self, kind: &str, name: &str, value: &Node) {
        let name = name.to_owned();
        match kind {
            "timeout" => {
                if let Some(timeout) = self.inline_timeout(value) {
                    self.uses.timeouts.insert(name, timeout);
                }
            }
            "error" => {
                if let Some(error) = self.error(value, Place::Task) {
                    self.uses.errors.insert(name, error);
                }
            }
            _ => {
                if let Some(authentication) = self.authentication_kind(value) {
                    self.uses.authentications.insert(name, authentication);
                }
            }
        }
    }

    fn secrets(&mut self, node: &Node) {
        let Some(items) = self.list(node, "`use.secrets`") else { return };
        for item in items {
            let Some(name) = self.text(item, "a name of `use.secrets`") else { continue };
            let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            if name.is_empty() || !name.bytes().all(word) {
                let message = format!("`{name}` is no name of a secret");
                let help = "use letters, digits, `_` and `-`; the value stands in placet.toml's environment";
                self.report(codes::SHAPE, item.span, message, help);
                continue;
            }
            if self.uses.secrets.iter().any(|other| other == name) {
                let message = format!("the secret `{name}` is listed twice");
                self.report(codes::CROSS_FIELD, item.span, message, "remove one of them");
                continue;
            }
            self.uses.secrets.push(name.to_owned());
            self.uses.declared.push((format!("secrets/{name}"), item.span));
        }
    }

    /// Hints at entries that nothing names.
    pub(super) fn unused(&mut self) {
        if self.has_errors() {
            return; // a mistyped name is an error already, and not two findings
        }
        let declared = std::mem::take(&mut self.uses.declared);
        for (entry, span) in declared {
            if !self.used.contains(&entry) {
                let message = format!("nothing uses `use.{}`", entry.replacen('/', ".", 1));
                self.report(codes::UNUSED, span, message, "remove it");
            }
        }
    }
}
