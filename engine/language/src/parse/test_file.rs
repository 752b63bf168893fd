//! `*.test.yaml`: what an author claims of a workflow, with the places of all that may turn out
//! wrong. Every mistake is reported at once; what would be ignored is refused.

mod calls;
mod decisions;
mod expect;
mod pattern;
mod references;

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use placet_model::manifest::Catalogue;
use placet_model::{Principal, Timestamp};
use placet_schemas::Registry;

use super::on_deep_stack;
use super::reader::{Reader, field};
use crate::codes;
use crate::diagnostic::{Diagnostic, Sink};
use crate::environment::Environment;
use crate::source::{Source, Span};
use crate::syntax::{Content, Node, load};
use crate::test_file::{Reply, Scenario, ScriptedAnswer, Spanned, TestCase, TestFile};

pub use references::Known;

const ROOT: &[&str] = &["workflow", "integrations", "tests"];
const TEST: &[&str] = &[
    "name",
    "skip",
    "input",
    "seed",
    "startAt",
    "startedBy",
    "answers",
    "calls",
    "decisions",
    "events",
    "expect",
];
const ANSWER: &[&str] = &["operation", "url", "error", "status", "headers", "body"];
const NAME_CHARS_MAX: usize = 200;

/// Checks a file of tests. Names of tasks, people and operations are checked later, by
/// [`TestFile::check_names`], when it is known what there is.
///
/// Never panics and does no I/O.
pub fn check_test(source: &Source) -> (Option<TestFile>, Vec<Diagnostic>) {
    checked(source, tests_of)
}

/// Checks a scenario, as [`check_test`] does tests; its names are checked by
/// [`Scenario::check_names`].
///
/// Never panics and does no I/O.
pub fn check_scenario(source: &Source) -> (Option<Scenario>, Vec<Diagnostic>) {
    checked(source, scenario_of)
}

fn tests_of(reader: &mut TestReader<'_>, root: &Node) -> Option<TestFile> {
    reader.test_file(root)
}

fn scenario_of(reader: &mut TestReader<'_>, root: &Node) -> Option<Scenario> {
    reader.scenario(root)
}

/// What a reader makes of the root of a file.
type Read<T> = fn(&mut TestReader<'_>, &Node) -> Option<T>;

fn checked<T: Send>(source: &Source, what: Read<T>) -> (Option<T>, Vec<Diagnostic>) {
    on_deep_stack(|| read(source, what)).unwrap_or_else(|| {
        let mut sink = Sink::new(source);
        let help = "this is a bug of Placet: please report the file";
        sink.report(codes::SHAPE, Span::default(), "the file could not be checked", help);
        (None, sink.finish())
    })
}

fn read<T>(source: &Source, what: Read<T>) -> (Option<T>, Vec<Diagnostic>) {
    let mut sink = Sink::new(source);
    let Some(root) = load::load(&mut sink) else { return (None, sink.finish()) };
    let (catalogue, schemas) = (Catalogue::default(), Registry::new());
    let environment = Environment {
        catalogue: &catalogue,
        integrations: None,
        scopes: None,
        silent: None,
        policy: None,
        schemas: &schemas,
    };
    let mut reader = TestReader(Reader::new(sink, environment));
    let file = what(&mut reader, &root);
    let (diagnostics, has_errors) = reader.0.finish();
    (file.filter(|_| !has_errors), diagnostics)
}

/// A reader of tests: all that a [`Reader`] can, and what only tests need.
struct TestReader<'a>(Reader<'a>);

impl<'a> Deref for TestReader<'a> {
    type Target = Reader<'a>;

    fn deref(&self) -> &Reader<'a> {
        &self.0
    }
}

impl<'a> DerefMut for TestReader<'a> {
    fn deref_mut(&mut self) -> &mut Reader<'a> {
        &mut self.0
    }
}

impl TestReader<'_> {
    fn test_file(&mut self, root: &Node) -> Option<TestFile> {
        if !self.map(root, "a test file", ROOT) {
            return None;
        }
        let workflow = self.required(root, "workflow", "a test file");
        let workflow = workflow.and_then(|node| self.some_text(node, "`workflow`"));
        let integrations = root.get("integrations").map(|node| self.test_integrations(node));
        let tests = self.required(root, "tests", "a test file");
        let tests = tests.and_then(|node| self.tests(node));
        Some(TestFile {
            workflow: workflow?,
            integrations: integrations.unwrap_or_default(),
            tests: tests?,
        })
    }

    fn test_integrations(&mut self, node: &Node) -> BTreeMap<String, Spanned<String>> {
        let mut known = BTreeMap::new();
        if self.open_map(node, "`integrations`") {
            for entry in node.entries() {
                let provider = self.some_text(&entry.value, "a provider");
                known.extend(provider.map(|provider| (entry.key.clone(), provider)));
            }
        }
        known
    }

    fn tests(&mut self, node: &Node) -> Option<Vec<TestCase>> {
        let items = self.list(node, "`tests`")?;
        if items.is_empty() {
            let help = "add `- name: …` with `expect:`";
            self.report(codes::SHAPE, node.span, "there is no test in this file", help);
        }
        let mut tests: Vec<TestCase> = vec![];
        for test in items.iter().filter_map(|item| self.test_case(item)).collect::<Vec<_>>() {
            if tests.iter().any(|other| other.name.value == test.name.value) {
                let message = format!("two tests are called `{}`", test.name.value);
                let help = "name each for what it claims";
                self.report(codes::CROSS_FIELD, test.name.span, message, help);
            }
            tests.push(test);
        }
        (tests.len() == items.len()).then_some(tests)
    }

    fn test_case(&mut self, node: &Node) -> Option<TestCase> {
        if !self.map(node, "a test", TEST) {
            return None;
        }
        let name = self.required(node, "name", "a test").and_then(|name| self.test_name(name));
        let skip = field(node.get("skip"), |skip| self.some_text(skip, "`skip` (the reason)"));
        let seed = node.get("seed").map_or(Some(0), |seed| self.seed(seed));
        let start_at = field(node.get("startAt"), |at| self.moment(at));
        let started_by = field(node.get("startedBy"), |by| self.person(by, "`startedBy`"));
        let answers = self.items(node, "answers", Self::answer);
        let calls = self.items(node, "calls", Self::call);
        let decisions = self.items(node, "decisions", Self::decision);
        let events = self.items(node, "events", Self::event);
        let expect = self.required(node, "expect", "a test").and_then(|expect| self.expect(expect));
        Some(TestCase {
            name: name?,
            skip: skip.ok()?.map(|reason| reason.value),
            input: node.get("input").map_or(serde_json::Value::Null, Node::to_json),
            seed: seed?,
            start_at: start_at.ok()?,
            started_by: started_by.ok()?,
            answers: answers?,
            calls: calls?,
            decisions: decisions?,
            others_approve: false,
            events: events?,
            expect: expect?,
        })
    }

    /// The items of a list that may be absent, each with its place.
    fn items<T>(
        &mut self,
        node: &Node,
        key: &str,
        read: fn(&mut Self, &Node) -> Option<T>,
    ) -> Option<Vec<Spanned<T>>> {
        let Some(list) = node.get(key) else { return Some(vec![]) };
        let items = self.list(list, &format!("`{key}`"))?;
        let read: Vec<_> = items
            .iter()
            .map(|item| Some(Spanned { value: read(self, item)?, span: item.span }))
            .collect();
        read.into_iter().collect()
    }

    fn test_name(&mut self, node: &Node) -> Option<Spanned<String>> {
        let name = self.some_text(node, "`name`")?;
        let is_line = !name.value.contains(['\n', '\r']);
        if is_line && name.value.chars().count() <= NAME_CHARS_MAX {
            return Some(name);
        }
        let message = format!("`name` must be one line of at most {NAME_CHARS_MAX} characters");
        self.report(codes::SHAPE, node.span, message, "say what the test claims, in short");
        None
    }

    fn some_text(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        let text = self.text(node, what)?;
        if text.trim().is_empty() {
            let message = format!("{what} is empty");
            self.report(codes::SHAPE, node.span, message, "write it out, or remove the key");
            return None;
        }
        Some(Spanned { value: text.to_owned(), span: node.span })
    }

    fn seed(&mut self, node: &Node) -> Option<u64> {
        let seed = match &node.content {
            Content::Number(number) => number.as_u64(),
            Content::Null
            | Content::Bool(_)
            | Content::Text { .. }
            | Content::List(_)
            | Content::Map(_) => None,
        };
        if seed.is_none() {
            let message = "`seed` must be a whole number of at least 0";
            self.report(codes::SHAPE, node.span, message, "write it without quotes");
        }
        seed
    }

    fn moment(&mut self, node: &Node) -> Option<Timestamp> {
        let text = self.text(node, "`startAt`")?;
        let moment = text.parse().ok();
        if moment.is_none() {
            let message = format!("`{text}` is no moment");
            self.report(codes::SHAPE, node.span, message, "write it as 2026-01-01T00:00:00Z");
        }
        moment
    }

    fn person(&mut self, node: &Node, what: &str) -> Option<Spanned<Principal>> {
        let text = self.text(node, what)?;
        let Ok(value) = text.parse() else {
            let message = format!("`{text}` is no name of a user, agent or service");
            let help = "use a-z, 0-9, `-` and `_`; an e-mail address is not a name";
            self.report(codes::SHAPE, node.span, message, help);
            return None;
        };
        Some(Spanned { value, span: node.span })
    }

    fn answer(&mut self, node: &Node) -> Option<ScriptedAnswer> {
        if !self.map(node, "an answer", ANSWER) {
            return None;
        }
        let operation = field(node.get("operation"), |n| self.some_text(n, "`operation`"));
        let url = field(node.get("url"), |n| self.some_text(n, "`url`"));
        if node.get("operation").or_else(|| node.get("url")).is_none() {
            let message = "an answer says neither to which operation nor to which url";
            self.report(codes::SHAPE, node.span, message, "add `operation:` or `url:`");
            return None;
        }
        let reply = match (node.get("error"), node.get("status")) {
            (Some(error), None) => {
                for key in ["headers", "body"] {
                    if node.get(key).is_some() {
                        let message = format!("`error` and `{key}` contradict each other");
                        let help = "an error of the manifest has its own; or write `status`";
                        self.report(codes::CROSS_FIELD, node.key_span(key), message, help);
                    }
                }
                self.some_text(error, "`error`").map(Reply::Error)
            }
            (None, Some(status)) => self.response(node, status),
            (Some(_), Some(_)) | (None, None) => {
                let message = "an answer has either an `error` or a `status`";
                let help = "`error:` names one of the manifest; `status:`, `headers:`, `body:` are your own";
                self.report(codes::CROSS_FIELD, node.span, message, help);
                None
            }
        };
        Some(ScriptedAnswer {
            operation: operation.ok()?,
            url: url.ok()?.map(|url| url.value),
            reply: reply?,
        })
    }

    fn response(&mut self, node: &Node, status: &Node) -> Option<Reply> {
        let status = self.whole(status, "`status`", 100, 599);
        let mut headers = vec![];
        if let Some(map) = node.get("headers")
            && self.open_map(map, "`headers`")
        {
            for entry in map.entries() {
                let text = self.text(&entry.value, "a header")?;
                headers.push((entry.key.to_ascii_lowercase(), text.to_owned()));
            }
        }
        let body = node.get("body").map(Node::to_json);
        Some(Reply::Response { status: status?, headers, body })
    }
}
