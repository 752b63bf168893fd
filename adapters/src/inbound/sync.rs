//! What a provider only hints at is read: from where on, page by page, item by item. Which operations do
//! that and where their answers say what is data of the manifest; when a position is too old, all that is
//! listed is read, back to the time of the last reading.

use super::{Inbound, Received, empty_scope};
use crate::pointer::Pointer;
use crate::predicate::Observed;
use crate::template::{Scope, ValueTemplate};
use crate::transport::{Answer, Response};
use crate::wait::Unit;
use placet_model::Timestamp;
use placet_model::integration::Identity;
use serde_json::{Value, json};

/// How a provider is read.
#[derive(Debug)]
pub struct Sync {
    /// Where to begin, before anything was read.
    pub start: SyncCall,
    /// What came since a position.
    pub changes: SyncCall,
    /// Everything that is listed, the newest first.
    pub all: SyncCall,
    /// One item.
    pub item: SyncCall,
    /// When an item came.
    pub(crate) came: (Pointer, Unit),
    /// What makes an item our own: a word in one of its lists.
    pub(crate) own: Option<(Pointer, String)>,
}

/// One of its operations.
#[derive(Debug)]
pub struct SyncCall {
    pub(crate) operation: String,
    pub(crate) with: ValueTemplate,
    pub(crate) ids: Option<Pointer>,
    pub(crate) position: Option<Pointer>,
    pub(crate) next: Option<Pointer>,
}

/// A page of what came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Items, in the order of the answer.
    pub ids: Vec<String>,
    /// Up to where it goes.
    pub position: Option<String>,
    /// The page after it.
    pub next: Option<String>,
}

impl SyncCall {
    /// The operation's name without its provider.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// The operation's input: `{input./position}`, `{input./page?}`, `{input./id}`.
    ///
    /// # Errors
    /// A placeholder that is absent.
    pub fn input(&self, given: &Value, config: &Value) -> Result<Value, crate::EvalError> {
        let scope = Scope { input: given, config, ..empty_scope() };
        Ok(self.with.value(&scope)?.unwrap_or_else(|| json!({})))
    }

    /// What an answer says.
    pub fn page(&self, response: &Response) -> Page {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let one = |at: &Option<Pointer>| crate::json::scalar_text(at.as_ref()?.get(&body)?);
        let ids = self.ids.as_ref().map(|at| at.all(&body)).unwrap_or_default();
        let mut seen = std::collections::BTreeSet::new();
        let ids = ids.into_iter().filter_map(crate::json::scalar_text);
        Page {
            ids: ids.filter(|id| seen.insert(id.clone())).collect(),
            position: one(&self.position),
            next: one(&self.next).filter(|next| !next.is_empty()),
        }
    }
}

impl Sync {
    /// When an item came, by the provider's clock.
    pub fn came(&self, response: &Response) -> Option<Timestamp> {
        let body: Value = serde_json::from_slice(&response.body).ok()?;
        let number: i64 = crate::json::scalar_text(self.came.0.get(&body)?)?.parse().ok()?;
        let millis =
            if self.came.1 == Unit::EpochSeconds { number.checked_mul(1000)? } else { number };
        Some(Timestamp::from_millis(millis))
    }
}

impl Inbound {
    /// How the provider is read; none where what it posts is the thing itself.
    pub const fn sync(&self) -> Option<&Sync> {
        self.sync.as_ref()
    }

    /// What an item that was read is, as if it had been posted.
    pub fn read(&self, response: &Response, own: Option<&Identity>) -> Received {
        let answer: Answer = Ok(response.clone());
        let body: Option<Value> = serde_json::from_slice(&response.body).ok();
        if let (Some((at, word)), Some(body)) =
            (self.sync.as_ref().and_then(|sync| sync.own.as_ref()), &body)
            && at
                .get(body)
                .and_then(Value::as_array)
                .is_some_and(|list| list.iter().any(|item| item.as_str() == Some(word.as_str())))
        {
            return Received::Own { key: "own".to_owned() };
        }
        self.one(&Observed { answer: &answer, body }, own)
    }
}

/// Which of two positions is the later one: numbers of any length, as providers write them.
pub fn later(one: &str, other: &str) -> bool {
    let digits = |text: &str| text.trim_start_matches('0').to_owned();
    let (one, other) = (digits(one), digits(other));
    (one.len(), &one) > (other.len(), &other)
}

#[cfg(test)]
mod tests {
    use super::later;

    #[test]
    fn a_position_is_a_number_however_long_it_is() {
        for (one, other, expected) in [
            ("10", "9", true),
            ("9", "10", false),
            ("010", "9", true),
            ("7", "7", false),
            ("18446744073709551616", "18446744073709551615", true),
        ] {
            assert_eq!(later(one, other), expected, "{one} {other}");
        }
    }
}
