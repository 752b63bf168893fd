//! The document itself: header, `evaluate`, and what holds it together.

use placet_model::TaskPath;
use placet_model::canonical::Error;
use placet_model::plan::{PLAN_VERSION, Plan, WorkflowName};

use super::names::Place;
use super::reader::{Reader, field};
use super::steps::Steps;
use super::tasks::split;
use super::with::find;
use crate::codes;
use crate::diagnostic::did_you_mean;
use crate::syntax::Node;

const ROOT: &[&str] =
    &["document", "do", "input", "output", "use", "timeout", "schedule", "evaluate"];
const HEADER: &[&str] =
    &["dsl", "namespace", "name", "version", "title", "summary", "tags", "metadata"];
/// Versions of the language that are read.
const DSL: &[&str] = &["1.0.0", "1.0.1", "1.0.2", "1.0.3"];

/// The plan of the document at `root`; `None` when a part of it is wrong.
pub(super) fn read(reader: &mut Reader<'_>, root: &Node) -> Option<Plan> {
    if !reader.map(root, "the document", ROOT) {
        return None;
    }
    reader.has_timeout = root.get("timeout").is_some();
    let schedule = reader.schedule(root);
    if let Some(tasks) = root.get("do") {
        reader.steps = Steps::outline(tasks);
    }
    if let Some(uses) = root.get("use") {
        reader.uses(uses);
    }
    let workflow = reader.required(root, "document", "the document");
    let workflow = workflow.and_then(|header| reader.header(header));
    if let Some(evaluate) = root.get("evaluate") {
        reader.evaluate(evaluate);
    }
    let input = reader.input(root.get("input"), Place::WorkflowInput);
    let tasks = reader.required(root, "do", "the document");
    let mut tasks = tasks.and_then(|tasks| reader.tasks(tasks, &TaskPath::root(), "do"));
    if let Some(tasks) = &mut tasks {
        reader.inline(tasks, root);
    }
    let output = reader.output(root.get("output"), "output", Place::WorkflowOutput);
    let timeout = field(root.get("timeout"), |n| reader.timeout(n, Place::WorkflowInput));
    reader.unused();
    reader.dropped_context();
    let (timeout, timeout_from) = split(timeout.unwrap_or_default());
    let plan = Plan {
        v: PLAN_VERSION,
        workflow: workflow?,
        definition: root.to_json(),
        input,
        output,
        timeout,
        timeout_from,
        tasks: tasks?,
        secrets: reader.uses.secrets.clone(),
        operations: reader.operations.clone(),
        schedule,
        place: reader.uses.place.take(),
    };
    reader.has_digest(&plan, root).then_some(plan)
}

impl Reader<'_> {
    fn header(&mut self, node: &Node) -> Option<WorkflowName> {
        if !self.map(node, "`document`", HEADER) {
            return None;
        }
        self.dsl(node);
        for key in ["title", "summary"] {
            if let Some(value) = node.get(key) {
                self.text(value, &format!("`document.{key}`"));
            }
        }
        if let Some(tags) = node.get("tags")
            && self.open_map(tags, "`document.tags`")
        {
            for entry in tags.entries() {
                self.text(&entry.value, &format!("the tag `{}`", entry.key));
            }
        }
        if let Some(metadata) = node.get("metadata")
            && self.open_map(metadata, "`document.metadata`")
        {
            self.approval_typo(metadata);
            if let Some(approval) = metadata.get("approval") {
                self.uses.approval = self.approval(approval).unwrap_or_default();
            }
            if let Some(place) = metadata.get("place") {
                self.uses.place = self.place(place);
            }
        }
        let namespace = self.label(node, "namespace");
        let name = self.label(node, "name");
        let version = self.version(node);
        Some(WorkflowName { namespace: namespace?, name: name?, version: version? })
    }

    fn dsl(&mut self, node: &Node) {
        let Some(dsl) = self.required(node, "dsl", "`document`") else { return };
        let Some(text) = self.text(dsl, "`document.dsl`") else { return };
        if !DSL.contains(&text) {
            let message = format!("version `{text}` of the language is not supported");
            self.report(codes::DSL_VERSION, dsl.span, message, "write dsl: '1.0.3'");
        }
    }

    /// A DNS label without dots.
    fn label(&mut self, node: &Node, key: &str) -> Option<String> {
        let value = self.required(node, key, "`document`")?;
        let text = self.text(value, &format!("`document.{key}`"))?;
        if !is_label(text) {
            let message = format!("`document.{key}` must be a name such as `my-workflow`");
            let help = "1 to 63 letters, digits and `-`, no dots, no `-` at either end";
            self.report(codes::SHAPE, value.span, message, help);
            return None;
        }
        Some(text.to_owned())
    }

    fn version(&mut self, node: &Node) -> Option<String> {
        let value = self.required(node, "version", "`document`")?;
        let text = self.text(value, "`document.version`")?;
        if !is_semver(text) {
            let message = format!("`document.version: {text}` is no semantic version");
            self.report(codes::SHAPE, value.span, message, "write version: '1.0.0'");
            return None;
        }
        Some(text.to_owned())
    }

    fn evaluate(&mut self, node: &Node) {
        if !self.map(node, "`evaluate`", &["language", "mode"]) {
            return;
        }
        for (key, only) in [("language", "jq"), ("mode", "strict")] {
            let Some(value) = node.get(key) else { continue };
            let Some(text) = self.text(value, &format!("`evaluate.{key}`")) else { continue };
            if text != only {
                let message = format!("`evaluate.{key}: {text}` is not supported");
                let near = did_you_mean(text, [only]).is_some();
                let help =
                    if near { format!("did you mean `{only}`?") } else { format!("only {only}") };
                self.report(codes::EVALUATE, value.span, message, help);
            }
        }
    }

    /// A plan without a digest cannot be pinned: some number has no canonical form.
    fn has_digest(&mut self, plan: &Plan, root: &Node) -> bool {
        let (span, message) = match plan.digest() {
            Ok(_digest) => return true,
            Err(Error::InexactInteger { pointer, number }) => {
                let node = pointer.strip_prefix("/definition").and_then(|rest| find(root, rest));
                let message = format!("the number {number} is beyond ±(2^53 − 1)");
                (node.map_or(root.span, |node| node.span), message)
            }
            Err(error @ Error::NotJson { .. }) => (root.span, error.to_string()),
        };
        self.report(codes::SHAPE, span, message, "write large numbers as strings");
        false
    }
}

/// A DNS label: 1 to 63 letters, digits and `-`, no `-` at either end.
pub(super) fn is_label(text: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let inner = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    text.len() <= 63 && inner && edge(text.bytes().next()) && edge(text.bytes().last())
}

/// Semantic version 2.0: three numbers, then optional pre-release and build identifiers.
pub(super) fn is_semver(text: &str) -> bool {
    let (rest, build) = match text.split_once('+') {
        Some((rest, build)) => (rest, Some(build)),
        None => (text, None),
    };
    let (core, pre) = match rest.split_once('-') {
        Some((core, pre)) => (core, Some(pre)),
        None => (rest, None),
    };
    let number = |part: &str| {
        let leading_zero = part.len() > 1 && part.starts_with('0');
        !part.is_empty() && !leading_zero && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let identifiers = |part: &str| {
        part.split('.').all(|id| {
            !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
    };
    let numbers: Vec<&str> = core.split('.').collect();
    numbers.len() == 3
        && numbers.into_iter().all(number)
        && pre.is_none_or(identifiers)
        && build.is_none_or(identifiers)
}
