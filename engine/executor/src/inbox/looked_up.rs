//! What a provider was asked before people were: what stands behind the ids of a draft, in its words and
//! as of a moment. It stands apart on the card, because it is no part of what is approved.

use super::card::json_payload;
use super::inspect::visible;
use super::{Error, Handle};
use placet_log::ReadView;
use placet_model::draft::Mode;
use placet_model::event::preview::{PreviewRead, PreviewStep};
use placet_model::{Event, Revision, StreamId, Timestamp};
use placet_projections::DecisionRow;
use serde_json::{Value, json};

impl Handle {
    /// `{operation, at, words, fields}`, or `{operation, at, words, unanswered}`; null where nobody was
    /// to be asked.
    pub(super) fn looked_up(&self, view: &ReadView, row: &DecisionRow) -> Result<Value, Error> {
        let last = last(view, row)?;
        let Some((at, body)) = last else { return Ok(self.not_looked_up(row)) };
        let title = self.title_of(row);
        let shown = match body.shown {
            Some(reference) => json_payload(view, row, reference)?,
            None => Value::Null,
        };
        Ok(match body.step {
            PreviewStep::Answered => json!({
                "operation": body.operation,
                "at": at,
                "words": format!("as {title} said at {at}; no part of what is approved"),
                "fields": fields(&shown),
            }),
            PreviewStep::Begun | PreviewStep::Unanswered => json!({
                "operation": body.operation,
                "at": at,
                "words": format!("{title} was asked at {at} and did not say"),
                "unanswered": shown.as_str().map(visible),
            }),
        })
    }

    /// A draft that a person has written has not been asked about.
    fn not_looked_up(&self, row: &DecisionRow) -> Value {
        let operation = self.adapters().operation(&row.operation);
        let asked = operation.and_then(|operation| operation.preview_read());
        match asked {
            Some(asked) if row.mode == Mode::Live && row.editor.is_some() => json!({
                "operation": format!("{}.{}", provider(row), asked.operation()),
                "words": format!("{} was not asked about the draft as it was edited", self.title_of(row)),
                "unanswered": "the draft was edited after the provider was asked",
            }),
            _ => Value::Null,
        }
    }

    fn title_of(&self, row: &DecisionRow) -> String {
        let provider = provider(row);
        let manifest = self.adapters().manifest(provider);
        manifest.map_or_else(|| provider.to_owned(), |manifest| manifest.title().to_owned())
    }
}

fn provider(row: &DecisionRow) -> &str {
    row.operation.split('.').next().unwrap_or_default()
}

/// The last that is told of it, of this very draft.
fn last(view: &ReadView, row: &DecisionRow) -> Result<Option<(Timestamp, PreviewRead)>, Error> {
    let mut last = None;
    for event in view.stream(&StreamId::Run(row.run), Revision::START) {
        let event = event?;
        let Event::PreviewRead(body) = event.event else { continue };
        let of_draft = (&body.task, &body.iteration) == (&row.task, &row.iteration)
            && body.revision == row.draft_revision
            && body.integration.as_ref().map(|bound| bound.id) == row.integration;
        if of_draft {
            last = Some((event.recorded_at, body));
        }
    }
    Ok(last)
}

/// Names and values, hidden characters made visible.
fn fields(shown: &Value) -> Value {
    let Some(all) = shown.as_array() else { return json!(shown.as_str().map(visible)) };
    let seen = |value: &Value| match value {
        Value::String(text) => json!(visible(text)),
        plain => plain.clone(),
    };
    all.iter().map(|one| json!({ "name": one["name"], "value": seen(&one["value"]) })).collect()
}
