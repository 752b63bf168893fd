//! "Did it go?": the look-up that a manifest declares for a send in doubt. Rendering and reading
//! are pure; who asks, when and what follows is the executor's and the law's.

use crate::classify::Sent;
use crate::manifest::{Absent, Operation, Reconcile};
use crate::target::Target;
use crate::template::{EvalError, Scope, Template};
use crate::transport::{Answer, Response};
use placet_model::Timestamp;
use placet_model::manifest::Outcome;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a look-up found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Exactly one: proof.
    Found { outcome: Outcome, result: BTreeMap<String, String> },
    /// None, and what that is worth.
    Absent(Absent),
    /// More than one: a person looks, nobody picks.
    Several { count: usize },
    /// The look-up itself did not answer.
    Unanswered,
}

impl Reconcile {
    /// The look-up operation's input. Render it with that operation as any other read.
    ///
    /// # Errors
    /// A placeholder that is absent.
    pub fn input(
        &self,
        sent: Sent<'_>,
        target: Option<&Target>,
        sent_at: Timestamp,
    ) -> Result<Value, EvalError> {
        let scope = Scope { target, sent_at: Some(sent_at), ..scope(sent, &Value::Null) };
        Ok(self.with.value(&scope)?.unwrap_or(Value::Null))
    }

    /// What the look-up's answer says about the send with this id.
    pub fn read(
        &self,
        look_up: &Operation,
        answer: &Answer,
        sent: Sent<'_>,
        now: Timestamp,
    ) -> Finding {
        let answered =
            crate::classify::classify(look_up, answer, sent, now).outcome == Outcome::Sent;
        let body = answer.as_ref().ok().and_then(Response::json);
        let (true, Some(body)) = (answered, body) else { return Finding::Unanswered };
        let Some(items) = self.list.get(&body).and_then(Value::as_array) else {
            return Finding::Unanswered;
        };
        let Ok(Some(wanted)) = self.is.value(&scope(sent, &Value::Null)) else {
            return Finding::Unanswered;
        };
        let mut matches: Vec<&Value> =
            items.iter().filter(|item| self.at.get(item) == Some(&wanted)).collect();
        if let Some(at) = &self.one_by {
            let mut seen = Vec::new();
            matches.retain(|item| match at.get(item) {
                Some(value) if seen.contains(&value) => false,
                Some(value) => {
                    seen.push(value);
                    true
                }
                None => true,
            });
        }
        match matches.as_slice() {
            [] => Finding::Absent(self.absent),
            [one] => Finding::Found { outcome: self.found, result: ids(&self.result, one, sent) },
            several => Finding::Several { count: several.len() },
        }
    }
}

fn ids(
    templates: &BTreeMap<String, Template>,
    item: &Value,
    sent: Sent<'_>,
) -> BTreeMap<String, String> {
    let scope = scope(sent, item);
    templates
        .iter()
        .filter_map(|(name, template)| Some((name.clone(), template.text(&scope).ok()??)))
        .collect()
}

fn scope<'a>(sent: Sent<'a>, response: &'a Value) -> Scope<'a> {
    Scope {
        input: sent.input,
        response,
        headers: &[],
        config: sent.settings,
        target: None,
        send_id: sent.send_id,
        draft_time: Timestamp::EPOCH,
        sent_at: None,
    }
}
