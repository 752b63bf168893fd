//! Arrays: one or two items where nothing else is asked, none deep down.

use super::{Error, OPTIONAL_DEPTH, Walk, count_of};
use serde_json::Value;

/// Tries for an item that differs from its neighbours.
const DISTINCT_TRIES: usize = 20;

impl Walk<'_> {
    pub(super) fn array(&mut self, schema: &Value, hint: &str) -> Result<Value, Error> {
        let count = |keyword: &str| count_of(schema, keyword);
        let max = count("maxItems").unwrap_or(usize::MAX);
        let min = count("minItems").unwrap_or(0);
        let empty = Vec::new();
        let prefix = schema["prefixItems"].as_array().unwrap_or(&empty);
        let items = schema.get("items").cloned().unwrap_or(Value::Bool(true));
        let closed = items == Value::Bool(false);
        let usual = if self.depth() < OPTIONAL_DEPTH && self.attempt % 4 != 3 {
            1 + self.choices.below(2)
        } else {
            0
        };
        let mut length = usual.max(min).max(prefix.len().min(max)).min(max);
        if closed {
            length = length.min(prefix.len());
        }
        let mut wanted: Vec<Value> =
            (0..length).map(|index| prefix.get(index).unwrap_or(&items).clone()).collect();
        require_contained(schema, &mut wanted, prefix.len(), max);
        let distinct = schema["uniqueItems"] == true;
        let mut out: Vec<Value> = Vec::with_capacity(wanted.len());
        for (index, item) in wanted.iter().enumerate() {
            match self.item(item, index, hint, distinct.then_some(&out)) {
                Ok(value) => out.push(value),
                // an optional item that cannot be made is left out
                Err(error) if index < min || index < prefix.len() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(Value::Array(out))
    }

    fn item(
        &mut self,
        schema: &Value,
        index: usize,
        hint: &str,
        others: Option<&Vec<Value>>,
    ) -> Result<Value, Error> {
        let hint = hint.strip_suffix('s').unwrap_or(hint);
        let mut value = self.child(schema, index.to_string(), hint)?;
        for _ in 0..DISTINCT_TRIES {
            if others.is_none_or(|others| !others.contains(&value)) {
                return Ok(value);
            }
            value = self.child(schema, index.to_string(), hint)?;
        }
        Err(self.stuck("no distinct item was found"))
    }
}

/// `contains`: so many items, behind the fixed ones, satisfy it as well.
fn require_contained(schema: &Value, wanted: &mut Vec<Value>, fixed: usize, max: usize) {
    let Some(contains) = schema.get("contains") else { return };
    let least = schema["minContains"].as_u64().unwrap_or(1);
    let least = usize::try_from(least).unwrap_or(1);
    let items = schema.get("items").cloned().unwrap_or(Value::Bool(true));
    for offset in 0..least {
        let both = serde_json::json!({ "allOf": [items.clone(), contains] });
        let room = wanted.len() < max;
        match wanted.get_mut(fixed + offset) {
            Some(place) => *place = both,
            None if room => wanted.push(both),
            None => {}
        }
    }
}
