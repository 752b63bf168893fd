//! What people say to the requests of a run, and what comes from outside.

use placet_model::{Principal, code};

use super::super::reader::field;
use super::TestReader;
use crate::codes;
use crate::diagnostic::did_you_mean;
use crate::source::Span;
use crate::syntax::{Content, Entry, Node};
use crate::test_file::{
    Says, ScriptedDecision, ScriptedEvent, ScriptedVerdict, ScriptedVote, Spanned, When,
};

const DECISION: &[&str] =
    &["task", "after", "approve", "reject", "respond", "withdraw", "expire", "edit"];
const VERDICTS: &[&str] = &["approve", "reject", "respond", "withdraw", "expire", "edit"];
const EVENT: &[&str] = &["after", "afterTask", "event"];
/// What the tests of other tools call them.
const HABITS: &[(&str, &str)] = &[
    ("approved", "approve"),
    ("accept", "approve"),
    ("rejected", "reject"),
    ("deny", "reject"),
    ("denied", "reject"),
    ("timeout", "expire"),
    ("expired", "expire"),
    ("feedback", "respond"),
    ("cancel", "withdraw"),
];

impl TestReader<'_> {
    /// `approve`, or a map with one verdict.
    pub(super) fn decision(&mut self, node: &Node) -> Option<ScriptedDecision> {
        if let Some(word) = node.as_text() {
            let says = self.verdict_word(node, word)?;
            return Some(ScriptedDecision { task: None, after: None, says });
        }
        if !self.open_map(node, "a decision") {
            return None;
        }
        let unknown = |e: &&Entry| !DECISION.contains(&e.key.as_str());
        for entry in node.entries().iter().filter(unknown) {
            self.unknown_verdict(&entry.key, entry.key_span);
        }
        let task = field(node.get("task"), |task| self.some_text(task, "`task`"));
        let after = field(node.get("after"), |after| self.some_time(after, "`after`"));
        let said: Vec<_> =
            node.entries().iter().filter(|e| VERDICTS.contains(&e.key.as_str())).collect();
        let says = match said.as_slice() {
            [one] => self.says(&one.key, &one.value),
            // what was meant has been told
            [] if node.entries().iter().any(|e| unknown(&e)) => None,
            [] => {
                let message = "a decision says nothing";
                let help = format!("add one of: {}", VERDICTS.join(", "));
                self.report(codes::SHAPE, node.span, message, help);
                None
            }
            [_, second, ..] => {
                let message = format!("a decision says one thing, `{}` is a second", second.key);
                let help = "write a decision of its own for each; the votes of several people \
                            stand under `by`";
                self.report(codes::CROSS_FIELD, second.key_span, message, help);
                None
            }
        };
        Some(ScriptedDecision { task: task.ok()?, after: after.ok()?, says: says? })
    }

    fn unknown_verdict(&mut self, key: &str, span: Span) {
        let habit = HABITS.iter().find(|(habit, _)| *habit == key).map(|(_, meant)| *meant);
        match habit {
            Some(meant) => {
                let message = format!("unknown key `{key}` in a decision");
                self.report(codes::SHAPE, span, message, format!("did you mean `{meant}`?"));
            }
            None => self.unknown_key(span, key, "a decision", DECISION),
        }
    }

    /// A verdict alone, said by whoever may.
    fn verdict_word(&mut self, node: &Node, word: &str) -> Option<Says> {
        let vote =
            |verdict| ScriptedVote { verdict, by: vec![], reason: None, with: None, refused: None };
        match word {
            "approve" => return Some(Says::Vote(vote(ScriptedVerdict::Approve))),
            "reject" => return Some(Says::Vote(vote(ScriptedVerdict::Reject))),
            "withdraw" => return Some(Says::Vote(vote(ScriptedVerdict::Withdraw))),
            "expire" => return Some(Says::Expire),
            _ => {}
        }
        let habit = HABITS.iter().find(|(habit, _)| *habit == word).map(|(_, meant)| *meant);
        let near = habit.or_else(|| did_you_mean(word, VERDICTS.iter().copied()));
        let help = match near {
            Some("respond" | "edit") | None => "write approve, reject, withdraw or expire; \
                 `respond`, `edit` and the names of people stand in a map: { respond: { by: ana, text: … } }"
                .to_owned(),
            Some(near) => format!("did you mean `{near}`?"),
        };
        self.report(codes::SHAPE, node.span, format!("`{word}` is no decision"), help);
        None
    }

    fn says(&mut self, verdict: &str, node: &Node) -> Option<Says> {
        let verdict = match verdict {
            "approve" => ScriptedVerdict::Approve,
            "reject" => ScriptedVerdict::Reject,
            "respond" => ScriptedVerdict::Respond,
            "withdraw" => ScriptedVerdict::Withdraw,
            "expire" => return self.expire(node),
            _ => ScriptedVerdict::Edit,
        };
        self.vote(verdict, node).map(Says::Vote)
    }

    /// Nothing else can be said of an expiry: nobody votes.
    fn expire(&mut self, node: &Node) -> Option<Says> {
        let is_plain = match &node.content {
            Content::Null | Content::Bool(true) => true,
            Content::Map(entries) => entries.is_empty(),
            Content::Bool(false) | Content::Number(_) | Content::Text { .. } | Content::List(_) => {
                false
            }
        };
        if !is_plain {
            let message = "`expire` takes nothing: virtual time passes until the request is over";
            self.report(codes::SHAPE, node.span, message, "write `expire: {}`");
        }
        is_plain.then_some(Says::Expire)
    }

    fn vote(&mut self, verdict: ScriptedVerdict, node: &Node) -> Option<ScriptedVote> {
        let words = if verdict == ScriptedVerdict::Respond { "text" } else { "reason" };
        let edits = verdict == ScriptedVerdict::Edit;
        let empty = ScriptedVote { verdict, by: vec![], reason: None, with: None, refused: None };
        let plain = !edits && verdict != ScriptedVerdict::Respond;
        if matches!(node.content, Content::Null) && plain {
            return Some(empty);
        }
        let known: &[&str] =
            if edits { &["by", words, "with", "refused"] } else { &["by", words, "refused"] };
        if !self.map(node, "a verdict", known) {
            return None;
        }
        let with = if edits { Some(self.new_with(node)?) } else { None };
        let by = node.get("by").map_or(Some(vec![]), |by| self.people(by));
        let reason = match verdict {
            ScriptedVerdict::Respond => field(self.required(node, words, "`respond`"), |text| {
                self.some_text(text, "`text`")
            }),
            ScriptedVerdict::Approve
            | ScriptedVerdict::Reject
            | ScriptedVerdict::Edit
            | ScriptedVerdict::Withdraw => {
                field(node.get(words), |reason| self.some_text(reason, "`reason`"))
            }
        };
        let refused = field(node.get("refused"), |code| self.refusal(code));
        let reason = reason.ok()?.map(|reason| reason.value);
        Some(ScriptedVote { by: by?, reason, with, refused: refused.ok()?, ..empty })
    }

    /// The whole new `with` of an edit, as it stands: no expression is evaluated in it.
    fn new_with(&mut self, node: &Node) -> Option<serde_json::Value> {
        let with = self.required(node, "with", "`edit`")?;
        self.open_map(with, "`with`").then(|| with.to_json())
    }

    /// One name, or a list of them.
    fn people(&mut self, node: &Node) -> Option<Vec<Spanned<Principal>>> {
        if node.as_text().is_some() {
            return self.person(node, "`by`").map(|person| vec![person]);
        }
        let items = self.list(node, "`by`")?;
        if items.is_empty() {
            let message = "`by` names nobody";
            self.report(codes::SHAPE, node.span, message, "name at least one, or remove the key");
            return None;
        }
        let people: Vec<_> = items.iter().map(|item| self.person(item, "a name in `by`")).collect();
        people.into_iter().collect()
    }

    /// The code of a refusal.
    pub(super) fn refusal(&mut self, node: &Node) -> Option<Spanned<String>> {
        let text = self.text(node, "`refused`")?;
        if code::find(text).is_none() {
            let known = code::all().map(|code| code.name);
            let help = match did_you_mean(text, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name the code of the refusal, such as PL3008".to_owned(),
            };
            self.report(codes::SHAPE, node.span, format!("there is no code `{text}`"), help);
            return None;
        }
        Some(Spanned { value: text.to_owned(), span: node.span })
    }

    /// `{ after | afterTask, event }`.
    pub(super) fn event(&mut self, node: &Node) -> Option<ScriptedEvent> {
        if !self.map(node, "an event of a test", EVENT) {
            return None;
        }
        let when = match (node.get("after"), node.get("afterTask")) {
            (Some(after), None) => self.duration(after, "`after`").map(When::After),
            (None, Some(task)) => self.some_text(task, "`afterTask`").map(When::Begun),
            (Some(_), Some(_)) | (None, None) => {
                let message = "an event comes either after a time or after a task";
                let help =
                    "write `after: PT2H`, or `afterTask:` with the task that must have begun";
                self.report(codes::CROSS_FIELD, node.span, message, help);
                None
            }
        };
        let event = self.required(node, "event", "an event of a test");
        let event = event.and_then(|event| self.envelope(event));
        Some(ScriptedEvent { when: when?, event: event? })
    }

    /// A `CloudEvents` envelope: its type is there, the engine fills in what is not.
    fn envelope(&mut self, node: &Node) -> Option<serde_json::Value> {
        if !self.open_map(node, "`event`") {
            return None;
        }
        let kind = self.required(node, "type", "`event`")?;
        self.some_text(kind, "`event.type`")?;
        Some(node.to_json())
    }
}
