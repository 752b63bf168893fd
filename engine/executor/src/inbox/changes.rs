//! What an edit has changed, by structure: a number that became a text is a change, an order of
//! members is none. Also how a draft that was replaced before is recognised (trap T10).

use super::inspect::visible;
use crate::handle::{Error, Handle};
use crate::turn::{self, proposal};
use placet_log::ReadView;
use placet_model::event::decision::{DraftOrigin, DraftPrepared};
use placet_model::{DecisionId, Event, Revision, StreamId};
use placet_projections::{DecisionRow, Views};
use serde_json::{Map, Value, json};

/// Changes shown at most; how many more there are is said.
const SHOWN_MAX: usize = 200;

/// Places that differ, as RFC 6901 pointers, with what stood and what stands there.
pub(super) fn changes(old: &Value, new: &Value) -> Vec<Value> {
    let mut found = vec![];
    walk("", Some(old), Some(new), &mut found);
    found
}

fn walk(path: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Value>) {
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let step = key.replace('~', "~0").replace('/', "~1");
                walk(&format!("{path}/{step}"), old.get(key), new.get(key), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            for index in 0..old.len().max(new.len()) {
                walk(&format!("{path}/{index}"), old.get(index), new.get(index), found);
            }
        }
        (Some(old), Some(new)) if old == new => {}
        (old, new) => found.push(change(path, old, new)),
    }
}

fn change(path: &str, old: Option<&Value>, new: Option<&Value>) -> Value {
    let kind = match (old, new) {
        (None, _) => "added",
        (_, None) => "removed",
        (Some(_), Some(_)) => "changed",
    };
    let mut change = Map::new();
    change.insert("path".to_owned(), json!(visible(path)));
    change.insert("change".to_owned(), json!(kind));
    change.extend(old.map(|old| ("old".to_owned(), old.clone())));
    change.extend(new.map(|new| ("new".to_owned(), new.clone())));
    Value::Object(change)
}

/// How a draft differs from the revision before it; null for a first revision.
pub(super) fn since_last(view: &ReadView, row: &DecisionRow) -> Result<Value, Error> {
    let (mut last, mut this, mut superseded) = (None, None, None);
    for event in view.stream(&StreamId::Run(row.run), Revision::START) {
        match event?.event {
            Event::DraftPrepared(body) if is_of(&body, row) => {
                if body.revision + 1 == row.draft_revision {
                    last = Some(body);
                } else if body.revision == row.draft_revision {
                    this = Some(body);
                }
            }
            Event::DraftEdited(body)
                if (&body.task, &body.iteration) == (&row.task, &row.iteration) =>
            {
                superseded = Some(body.decision);
            }
            _ => {}
        }
    }
    let (Some(last), Some(this)) = (last, this) else { return Ok(Value::Null) };
    let with = |draft: &DraftPrepared| super::card::json_payload(view, row, draft.with);
    let mut with = changes(&with(&last)?, &with(&this)?);
    let more = with.len().saturating_sub(SHOWN_MAX);
    with.truncate(SHOWN_MAX);
    let edited = this.origin == DraftOrigin::Edit;
    Ok(json!({
        "revision": last.revision,
        "digest": last.digest,
        "origin": this.origin,
        "editor": row.editor,
        "supersedes": superseded.filter(|_| edited),
        "with": with,
        "more": more,
    }))
}

impl Handle {
    /// The decision whose draft said the same and was replaced by an approver's edit.
    pub(super) fn edited_before(
        &self,
        view: &ReadView,
        row: &DecisionRow,
    ) -> Result<Option<DecisionId>, Error> {
        let with = super::card::json_payload(view, row, row.with)?;
        let said = proposal(&row.operation, row.integration, &with);
        let said = said.map_err(turn::Error::from)?;
        let known = Views::new(view)?.edited(self.env.log.pseudonym(&said))?;
        Ok(known.filter(|known| *known != row.decision))
    }
}

fn is_of(draft: &DraftPrepared, row: &DecisionRow) -> bool {
    (&draft.task, &draft.iteration) == (&row.task, &row.iteration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_type_alone_is_a_change_and_an_order_of_members_is_none() {
        let old = json!({"a": 1, "b": [null, {"c": "x"}], "d/e": true, "f": 1.5});
        let new = json!({"f": 1.5, "a": "1", "b": [null, {"c": "x"}, 2]});
        let expected = vec![
            json!({"path": "/a", "change": "changed", "old": 1, "new": "1"}),
            json!({"path": "/b/2", "change": "added", "new": 2}),
            json!({"path": "/d~1e", "change": "removed", "old": true}),
        ];
        assert_eq!(changes(&old, &new), expected);
        assert!(changes(&new, &new).is_empty());
    }
}
