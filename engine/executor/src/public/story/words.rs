//! What a sentence is made of: who, and the content that it quotes.

use placet_log::ReadView;
use placet_model::event::run::FaultFact;
use placet_model::{
    Digest, IntegrationId, Iteration, PayloadRef, RecordedEvent, TaskPath, Timestamp,
};
use serde_json::Value;

/// Tells what one event says.
pub(super) struct Teller<'a> {
    view: &'a ReadView,
    pub(super) event: &'a RecordedEvent,
}

impl<'a> Teller<'a> {
    pub(super) const fn new(view: &'a ReadView, event: &'a RecordedEvent) -> Self {
        Self { view, event }
    }

    /// Who caused it.
    pub(super) fn who(&self) -> &str {
        self.event.actor.principal().map_or("the engine", |principal| principal.as_str())
    }

    /// Who did something to an integration.
    pub(super) fn did(&self, what: &str, integration: IntegrationId) -> String {
        format!("{} {what} {integration}", self.who())
    }

    /// Content in quotation marks; `[erased]` once it is, and why where it cannot be read.
    fn quoted(&self, content: PayloadRef) -> String {
        match self.content(content) {
            Ok(Value::String(text)) => format!("\u{201c}{text}\u{201d}"),
            Ok(value) => value.to_string(),
            Err(mark) => mark,
        }
    }

    /// `: “…”` behind a sentence, where there is content.
    pub(super) fn because(&self, reason: Option<PayloadRef>) -> String {
        reason.map(|reason| format!(": {}", self.quoted(reason))).unwrap_or_default()
    }

    /// ` ([what] [erased])` where content is not there any more.
    pub(super) fn unless_readable(&self, what: &str, content: PayloadRef) -> String {
        match self.view.payload(&self.event.stream, content) {
            Ok(_) => String::new(),
            Err(error) => format!(" ({what} {})", mark(&error)),
        }
    }

    /// A fault with its title or detail: `approval-rejected, status 403: “not now”`.
    pub(super) fn fault(&self, fact: &FaultFact) -> String {
        format!("{}, status {}{}", last_of(&fact.kind), fact.status, self.fault_words(fact.content))
    }

    /// What a fault says, in quotation marks.
    pub(super) fn fault_words(&self, content: PayloadRef) -> String {
        match self.content(content) {
            Ok(fault) => {
                let words = ["detail", "title"].into_iter().find_map(|key| fault[key].as_str());
                words.map(|words| format!(": \u{201c}{words}\u{201d}")).unwrap_or_default()
            }
            Err(mark) => format!(": {mark}"),
        }
    }

    fn content(&self, content: PayloadRef) -> Result<Value, String> {
        let payload = self.view.payload(&self.event.stream, content).map_err(|e| mark(&e))?;
        let bytes = payload.as_bytes();
        let text = || Value::String(String::from_utf8_lossy(bytes).into_owned());
        Ok(serde_json::from_slice(bytes).unwrap_or_else(|_no_json| text()))
    }
}

fn mark(error: &placet_log::Error) -> String {
    match error {
        placet_log::Error::Erased { .. } => "[erased]".to_owned(),
        other => format!("[cannot be read: {other}]"),
    }
}

/// The name of a task, with the items of the loops around it.
pub(super) fn task(task: &TaskPath, iteration: &Iteration) -> String {
    let name = task.name();
    let name = if name.is_empty() { "the workflow".to_owned() } else { format!("the task {name}") };
    if iteration.is_none() { name } else { format!("{name} ({iteration})") }
}

/// `sha256:` and the first digits; the whole digest stands in the event.
pub(super) fn brief(digest: Digest) -> String {
    format!("sha256:{}\u{2026}", digest.short())
}

/// The last word of a type URI.
fn last_of(uri: &str) -> &str {
    uri.rsplit(['/', ':']).next().unwrap_or(uri)
}

/// `2026-11-29 09:12:03Z`, for a person.
pub(super) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((seconds, _millis)) => format!("{}Z", seconds.replace('T', " ")),
        None => text,
    }
}
