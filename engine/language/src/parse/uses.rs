//! `use`: what tasks may name.

use std::collections::BTreeMap;

use placet_model::approval::ApprovalMetadata;
use placet_model::integration::WorkflowPlace;
use placet_model::plan::{Authentication, DurationSpec, RaiseSpec, RetryPolicy};

use super::names::Place;
use super::reader::Reader;
use crate::codes;
use crate::source::Span;
use crate::syntax::{Entry, Node};

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
    pub(super) timeouts: BTreeMap<String, DurationSpec>,
    pub(super) errors: BTreeMap<String, RaiseSpec>,
    pub(super) authentications: BTreeMap<String, Authentication>,
    pub(super) retries: BTreeMap<String, RetryPolicy>,
    /// Folders of the project, by the catalog's name.
    pub(super) catalogs: BTreeMap<String, String>,
    /// `document.metadata.approval`.
    pub(super) approval: Option<ApprovalMetadata>,
    /// `document.metadata.place`.
    pub(super) place: Option<WorkflowPlace>,
    /// Every entry as `kind/name` with its place.
    declared: BTreeMap<String, Span>,
}

impl Uses {
    /// Whether `use` has this entry, be it right or wrong.
    pub(super) fn is_declared(&self, map: &str, name: &str) -> bool {
        self.declared.contains_key(&format!("{map}/{name}"))
    }

    /// Names of all entries of `use.<map>`, be they right or wrong.
    pub(super) fn declared_in(&self, map: &str) -> impl Iterator<Item = String> {
        let declared = self.declared.iter();
        declared.filter_map(move |(entry, _)| {
            entry.strip_prefix(map)?.strip_prefix('/').map(str::to_owned)
        })
    }
}

impl Reader<'_> {
    pub(super) fn uses(&mut self, node: &Node) {
        if !self.map(node, "`use`", FIELDS) {
            return;
        }
        if node.get("extensions").is_some() {
            self.outside("use.extensions", node.key_span("extensions"));
        }
        // Secrets first: authentications name them.
        if let Some(secrets) = node.get("secrets") {
            self.secrets(secrets);
        }
        let maps = ["timeouts", "errors", "authentications", "retries", "catalogs"];
        for map in maps.into_iter().chain(["functions"]) {
            let Some(map_node) = node.get(map) else { continue };
            if !self.open_map(map_node, &format!("`use.{map}`")) {
                continue;
            }
            for entry in map_node.entries() {
                self.uses.declared.insert(format!("{map}/{}", entry.key), entry.key_span);
            }
        }
        for map in maps {
            for entry in node.get(map).map(Node::entries).unwrap_or_default() {
                self.use_entry(map, entry);
            }
        }
        // Functions last: their tasks name all the others, and each other.
        if let Some(functions) = node.get("functions") {
            self.use_functions(functions);
        }
    }

    fn use_entry(&mut self, map: &str, entry: &Entry) {
        let (name, value) = (entry.key.clone(), &entry.value);
        match map {
            "timeouts" => {
                if let Some(timeout) = self.inline_timeout(value, Place::WorkflowInput) {
                    self.uses.timeouts.insert(name, timeout);
                }
            }
            "retries" => {
                if let Some(policy) = self.retry_policy(value, entry.key_span) {
                    self.uses.retries.insert(name, policy);
                }
            }
            "catalogs" => self.catalog(entry),
            "errors" => {
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
            self.uses.declared.insert(format!("secrets/{name}"), item.span);
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
