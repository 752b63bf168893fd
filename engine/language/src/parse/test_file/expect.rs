//! What must have come of a run. A test that claims nothing is an error.

use super::super::reader::field;
use super::TestReader;
use crate::codes;
use crate::diagnostic::did_you_mean;
use crate::source::Span;
use crate::syntax::{Content, Entry, Node};
use crate::test_file::{
    DurationRange, EndStatus, Expect, Expected, Others, Pattern, Spanned, TaskEnds, TaskRef,
};

const EXPECT: &[&str] = &["status", "output", "error", "sent", "tasks", "duration", "refused"];
const ERROR: &[&str] = &["type", "status", "title", "detail", "instance"];
const SENT: &[&str] = &[
    "task",
    "iteration",
    "operation",
    "integration",
    "method",
    "url",
    "headers",
    "body",
    "body_base64",
    "digest",
];
const TASK_ENDS: &[&str] = &["completed", "skipped", "faulted", "cancelled", "waiting"];

impl TestReader<'_> {
    pub(super) fn expect(&mut self, node: &Node) -> Option<Expect> {
        if !self.map(node, "`expect`", EXPECT) {
            return None;
        }
        if node.entries().is_empty() {
            let help = format!("add at least one of: {}", EXPECT.join(", "));
            self.report(codes::SHAPE, node.span, "this test claims nothing", help);
            return None;
        }
        let status = field(node.get("status"), |status| self.end_status(status));
        let output = field(node.get("output"), |n| self.pattern(n, Others::Refused));
        let error = field(node.get("error"), |n| self.named_members(n, "`error`", ERROR));
        let sent = field(node.get("sent"), |n| self.sent(n));
        let tasks = node.get("tasks").map_or(Some(vec![]), |n| self.task_ends(n));
        let duration = field(node.get("duration"), |n| self.duration_range(n));
        let refused = field(node.get("refused"), |n| self.refusal(n));
        self.nothing_beside_a_refusal(node);
        let status = self.consistent(node, status.ok()?);
        let at = |key: &str| node.key_span(key);
        let placed = |key: &str, found: Option<Expected>| {
            found.map(|expected| Expected { span: at(key), ..expected })
        };
        Some(Expect {
            span: node.span,
            status: status?,
            output: placed("output", output.ok()?),
            error: placed("error", error.ok()?),
            sent: sent.ok()?.map(|value| Spanned { value, span: at("sent") }),
            tasks: tasks?,
            duration: duration.ok()?.map(|value| Spanned { value, span: at("duration") }),
            refused: refused.ok()?.map(|code| Spanned { span: at("refused"), ..code }),
        })
    }

    /// A run that is refused never was: nothing else can be said of it.
    fn nothing_beside_a_refusal(&mut self, node: &Node) {
        if node.get("refused").is_none() {
            return;
        }
        for entry in node.entries().iter().filter(|entry| entry.key != "refused") {
            let message = format!("a run that is refused has no `{}`", entry.key);
            let help = "`refused` is about the start, such as an input that the schema refuses";
            self.report(codes::CROSS_FIELD, entry.key_span, message, help);
        }
    }

    fn end_status(&mut self, node: &Node) -> Option<EndStatus> {
        let text = self.text(node, "`status`")?;
        let found = EndStatus::ALL.iter().find(|(_, word)| *word == text);
        if found.is_none() {
            let words = EndStatus::ALL.map(|(_, word)| word);
            self.not_a_word(node.span, text, "a run's status", &words);
        }
        found.map(|(status, _)| *status)
    }

    fn not_a_word(&mut self, span: Span, text: &str, what: &str, words: &[&str]) {
        let help = match did_you_mean(text, words.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of: {}", words.join(", ")),
        };
        self.report(codes::SHAPE, span, format!("`{text}` is not {what}"), help);
    }

    /// The status that is given, or follows: with an `error` a run has faulted, else it completes.
    fn consistent(&mut self, node: &Node, status: Option<EndStatus>) -> Option<Spanned<EndStatus>> {
        let follows =
            if node.get("error").is_some() { EndStatus::Faulted } else { EndStatus::Completed };
        let span = if node.get("status").is_some() { node.key_span("status") } else { node.span };
        let value = status.unwrap_or(follows);
        let contradicted = match value {
            EndStatus::Faulted => node.get("output").map(|_| "output"),
            EndStatus::Completed => node.get("error").map(|_| "error"),
            EndStatus::Cancelled | EndStatus::Waiting => {
                ["output", "error"].into_iter().find(|key| node.get(key).is_some())
            }
        };
        if let Some(key) = contradicted {
            let message = format!("a run that is {} has no `{key}`", value.word());
            let help = format!("remove `{key}:`, or expect another status");
            self.report(codes::CROSS_FIELD, node.key_span(key), message, help);
            return None;
        }
        Some(Spanned { value, span })
    }

    /// A map of which the members that are named must be so, and no other names exist.
    fn named_members(&mut self, node: &Node, what: &str, known: &[&str]) -> Option<Expected> {
        if let Content::Map(entries) = &node.content
            && !entries.iter().any(|entry| entry.key.starts_with('$'))
        {
            self.map(node, what, known);
        }
        self.pattern(node, Others::Allowed)
    }

    fn sent(&mut self, node: &Node) -> Option<Vec<Expected>> {
        let items = self.list(node, "`sent`")?;
        let all: Vec<_> = items.iter().map(|item| self.one_sent(item)).collect();
        all.into_iter().collect()
    }

    fn one_sent(&mut self, node: &Node) -> Option<Expected> {
        if !self.open_map(node, "an entry of `sent`") {
            return None;
        }
        let mut expected = self.named_members(node, "an entry of `sent`", SENT)?;
        // header names are the same in whatever case
        if let Pattern::Map { members, .. } = &mut expected.pattern {
            for (_, headers) in members.iter_mut().filter(|(key, _)| key == "headers") {
                if let Pattern::Map { members, .. } = &mut headers.pattern {
                    for (name, _) in members {
                        *name = name.to_ascii_lowercase();
                    }
                }
            }
        }
        Some(expected)
    }

    fn task_ends(&mut self, node: &Node) -> Option<Vec<(TaskRef, Spanned<TaskEnds>)>> {
        if !self.open_map(node, "`tasks`") {
            return None;
        }
        let all: Vec<_> = node.entries().iter().map(|entry| self.one_task(entry)).collect();
        all.into_iter().collect()
    }

    fn one_task(&mut self, entry: &Entry) -> Option<(TaskRef, Spanned<TaskEnds>)> {
        let task = Spanned { value: entry.key.clone(), span: entry.key_span };
        let ends = match &entry.value.content {
            Content::List(items) => {
                let each: Vec<_> = items.iter().map(|item| self.task_end(item)).collect();
                TaskEnds::Each(each.into_iter().collect::<Option<_>>()?)
            }
            Content::Text { text, .. } if text == "never" => TaskEnds::Never,
            Content::Null
            | Content::Bool(_)
            | Content::Number(_)
            | Content::Text { .. }
            | Content::Map(_) => TaskEnds::All(self.task_end(&entry.value)?),
        };
        Some((task, Spanned { value: ends, span: entry.key_span }))
    }

    fn task_end(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node, "a task's status")?;
        if !TASK_ENDS.contains(&text) {
            let words: Vec<&str> = TASK_ENDS.iter().copied().chain(["never"]).collect();
            self.not_a_word(node.span, text, "a task's status", &words);
            return None;
        }
        Some(text.to_owned())
    }

    /// A duration, or `{ atLeast, atMost }`.
    fn duration_range(&mut self, node: &Node) -> Option<DurationRange> {
        let bounds = ["atLeast", "atMost"];
        if !node.entries().iter().any(|entry| bounds.contains(&entry.key.as_str())) {
            let exact = self.duration(node, "`duration`")?;
            return Some(DurationRange { least: Some(exact), most: Some(exact) });
        }
        self.map(node, "`duration`", &bounds);
        let mut bound =
            |key: &str| field(node.get(key), |n| self.duration(n, &format!("`duration.{key}`")));
        let (least, most) = (bound("atLeast"), bound("atMost"));
        Some(DurationRange { least: least.ok()?, most: most.ok()? })
    }
}
