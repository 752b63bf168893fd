//! "Did it go?": the look-up that a manifest declares for a send in doubt. Rendering and reading
//! are pure; who asks, when and what follows is the executor's and the law's.

use crate::classify::Sent;
use crate::manifest::{Absent, MatchHow, MatchTest, Operation, Reconcile, Shown};
use crate::pointer::Pointer;
use crate::predicate::Observed;
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
    /// Exactly one, and the provider has not said yet how it ends.
    NotFinal,
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

    /// What the look-up's answer says about the send with this id. Where only the moment tells ours
    /// from older ones of the same words ([`Self::needs_moment`]), nothing.
    pub fn read(
        &self,
        look_up: &Operation,
        answer: &Answer,
        sent: Sent<'_>,
        now: Timestamp,
    ) -> Finding {
        self.judge(look_up, answer, (sent, None), now)
    }

    /// As [`Self::read`], of a send whose attempt began then.
    pub fn read_since(
        &self,
        look_up: &Operation,
        answer: &Answer,
        (sent, sent_at): (Sent<'_>, Timestamp),
        now: Timestamp,
    ) -> Finding {
        self.judge(look_up, answer, (sent, Some(sent_at)), now)
    }

    /// Whether the moment of the attempt is part of what is looked for.
    pub const fn needs_moment(&self) -> bool {
        self.since.is_some()
    }

    fn judge(
        &self,
        look_up: &Operation,
        answer: &Answer,
        (sent, sent_at): (Sent<'_>, Option<Timestamp>),
        now: Timestamp,
    ) -> Finding {
        if self.since.is_some() && sent_at.is_none() {
            return Finding::Unanswered;
        }
        if self.absent_when.as_ref().is_some_and(|when| when.holds(&Observed::new(answer))) {
            return Finding::Absent(self.absent);
        }
        let answered =
            crate::classify::classify(look_up, answer, sent, now).outcome == Outcome::Sent;
        let body = answer.as_ref().ok().and_then(Response::json);
        let (true, Some(body)) = (answered, body) else { return Finding::Unanswered };
        let Some(items) = self.items(&body) else { return Finding::Unanswered };
        let mut wanted = Vec::new();
        for test in &self.tests {
            match test.wanted.value(&scope(sent, &Value::Null)) {
                Ok(Some(value)) => wanted.push((test, value)),
                Ok(None) | Err(_) => return Finding::Unanswered,
            }
        }
        let mut matches: Vec<&Value> = items
            .iter()
            .filter(|item| wanted.iter().all(|(test, value)| test.holds(item, value)))
            .filter(|item| sent_at.is_none_or(|at| self.is_young(item, at)))
            .collect();
        if let Some(at) = &self.one_by {
            one_of_each(&mut matches, at);
        }
        match matches.as_slice() {
            [] => Finding::Absent(self.absent),
            [one] if !self.is_final(one) => Finding::NotFinal,
            [one] => Finding::Found { outcome: self.found, result: ids(&self.result, one, sent) },
            several => Finding::Several { count: several.len() },
        }
    }
}

impl Reconcile {
    /// What there is to be looked at; none where the answer is not such a thing.
    fn items<'b>(&self, body: &'b Value) -> Option<&'b [Value]> {
        match &self.shown {
            Shown::List(at) => at.get(body)?.as_array().map(Vec::as_slice),
            Shown::Item(at) => {
                let item = at.get(body).filter(|item| item.is_object())?;
                // an error in the place of the thing has none of what is asked of it
                let whole = self.tests.iter().all(|test| test.at.get(item).is_some());
                whole.then(|| std::slice::from_ref(item))
            }
        }
    }

    fn is_final(&self, item: &Value) -> bool {
        self.final_when.as_ref().is_none_or(|said| said.test.holds(said.at.get(item)))
    }

    fn is_young(&self, item: &Value, sent_at: Timestamp) -> bool {
        let Some(since) = &self.since else { return true };
        let made = since.at.get(item).and_then(crate::json::scalar_text);
        let earliest = sent_at.as_millis() - i64::from(since.minus_s) * 1000;
        made.and_then(|text| since.unit.moment(text.trim())).is_some_and(|at| at >= earliest)
    }
}

/// Of items that agree at this place, the first.
fn one_of_each(matches: &mut Vec<&Value>, at: &Pointer) {
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

impl MatchTest {
    fn holds(&self, item: &Value, wanted: &Value) -> bool {
        let Some(value) = self.at.get(item) else { return false };
        let texts = || Some((value.as_str()?, wanted.as_str()?));
        match self.how {
            MatchHow::Is => {
                let wanted = crate::json::scalar_text(wanted);
                wanted.is_some() && crate::json::scalar_text(value) == wanted
            }
            MatchHow::Contains => texts().is_some_and(|(text, wanted)| text.contains(wanted)),
            MatchHow::Html => {
                texts().is_some_and(|(text, wanted)| match (as_read(text), as_read(wanted)) {
                    (_, wanted_read) if wanted_read.is_empty() => text == wanted,
                    (read, wanted_read) => read == wanted_read,
                })
            }
        }
    }
}

/// A text without tags, with the entities that providers write, and single spaces.
fn as_read(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        let is_tag = after.starts_with(|c: char| c.is_ascii_alphabetic() || "/!".contains(c));
        match after.split_once('>') {
            Some((_, after)) if is_tag => {
                text.push(' ');
                rest = after;
            }
            _ => {
                text.push('<');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    for (entity, letter) in [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, letter);
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
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

pub(crate) fn scope<'a>(sent: Sent<'a>, response: &'a Value) -> Scope<'a> {
    Scope {
        input: sent.input,
        response,
        config: sent.settings,
        send_id: sent.send_id,
        ..Scope::NOTHING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_compared_as_people_read_it_and_a_sign_is_no_tag() {
        assert_eq!(as_read("<p>a &amp;\n <b>b</b></p>"), as_read("a & b"));
        assert_eq!(as_read("1 < 2 &lt; 3"), "1 < 2 < 3");
        assert_ne!(as_read("a <b"), as_read("a <c"), "what is not closed is text");
        assert_eq!(as_read("<img src=x>"), "");
    }
}
