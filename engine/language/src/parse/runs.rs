//! `run`: another workflow. Containers, scripts and shells are outside the profile.

use placet_model::plan::RunWorkflow;

use super::document::{is_label, is_semver};
use super::names::Place;
use super::reader::{Reader, field};
use crate::codes;
use crate::syntax::{Content, Node};

const WHAT: &str = "`run.workflow`";

impl Reader<'_> {
    pub(super) fn run(&mut self, node: &Node, value: &Node) -> Option<RunWorkflow> {
        let span = node.key_span("run");
        for (kind, construct) in
            [("container", "run.container"), ("script", "run.script"), ("shell", "run.shell")]
        {
            if value.get(kind).is_some() {
                self.outside(construct, span);
                return None;
            }
        }
        if !self.map(value, "`run`", &["workflow", "await", "return"]) {
            return None;
        }
        let waits = value.get("await").map_or(Some(true), |n| self.boolean(n, "`run.await`"));
        if let Some(returned) = value.get("return")
            && self.text(returned, "`run.return`").is_some_and(|text| text != "stdout")
        {
            let message = "`run.return` has no meaning for a workflow: its output is returned";
            self.report(codes::CROSS_FIELD, returned.span, message, "remove it");
        }
        let child = self.required(value, "workflow", "`run`")?;
        if !self.map(child, WHAT, &["namespace", "name", "version", "input"]) {
            return None;
        }
        let namespace = self.child_label(child, "namespace");
        let name = self.child_label(child, "name");
        let version = self.child_version(child);
        let input = field(child.get("input"), |input| {
            if matches!(input.content, Content::Map(_)) {
                return self.template(input, Place::Task);
            }
            let message = format!("`input` of {WHAT} must be a map, this is {}", input.kind());
            let help = "write input: { key: '${ … }' }; the whole may not be an expression";
            self.report(codes::SHAPE, input.span, message, help);
            None
        });
        Some(RunWorkflow {
            namespace: namespace?,
            name: name?,
            version: version?,
            input: input.ok()?,
            waits: waits?,
        })
    }

    fn child_label(&mut self, node: &Node, key: &str) -> Option<String> {
        let value = self.required(node, key, WHAT)?;
        let text = self.text(value, &format!("`{key}`"))?;
        if !is_label(text) {
            let message = format!("`{key}` of {WHAT} is no name of a workflow");
            let help = "1 to 63 letters, digits and `-`, no dots, no `-` at either end";
            self.report(codes::SHAPE, value.span, message, help);
            return None;
        }
        Some(text.to_owned())
    }

    fn child_version(&mut self, node: &Node) -> Option<String> {
        let value = self.required(node, "version", WHAT)?;
        let text = self.text(value, "`version`")?;
        if text != "latest" && !is_semver(text) {
            let message = format!("`version: {text}` is no semantic version");
            self.report(codes::SHAPE, value.span, message, "write version: '1.0.0', or latest");
            return None;
        }
        Some(text.to_owned())
    }
}
