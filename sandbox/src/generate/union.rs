//! `anyOf`, `oneOf`, `if`: one branch is taken, the plain ones first; later attempts take others,
//! and the validator judges whether exactly one holds (R11).

use super::resolve::merged;
use super::{Error, Walk};
use serde_json::{Map, Value};
use std::borrow::Cow;

impl Walk<'_> {
    pub(super) fn branch_taken(&mut self, flat: Value) -> Result<Value, Error> {
        let Value::Object(mut fields) = flat else { return Ok(flat) };
        let mut turned = false;
        for keyword in ["oneOf", "anyOf"] {
            if let Some(Value::Array(branches)) = fields.remove(keyword) {
                fields = self.with_branch(fields, &branches)?;
                turned = true;
            }
        }
        if let Some(condition) = fields.remove("if") {
            fields = self.with_condition(fields, &condition);
            turned = true;
        }
        let flat = Value::Object(fields);
        // a branch may bring references and further unions
        if turned { self.resolved(&flat).map(Cow::into_owned) } else { Ok(flat) }
    }

    fn with_branch(
        &mut self,
        fields: Map<String, Value>,
        branches: &[Value],
    ) -> Result<Map<String, Value>, Error> {
        let mut order: Vec<&Value> = branches.iter().collect();
        order.sort_by_key(|branch| rank(branch));
        let turn = usize::try_from(self.attempt).unwrap_or(0)
            + if self.attempt > 8 { self.choices.below(branches.len()) } else { 0 };
        match order.as_slice() {
            [] => Err(self.stuck("the union has no branch")),
            order => Ok(merged(fields, order[turn % order.len()])),
        }
    }

    /// The condition and its consequence on even attempts, the alternative on odd ones.
    fn with_condition(
        &mut self,
        mut fields: Map<String, Value>,
        condition: &Value,
    ) -> Map<String, Value> {
        let then = fields.remove("then").unwrap_or(Value::Bool(true));
        let otherwise = fields.remove("else").unwrap_or(Value::Bool(true));
        if self.attempt % 2 == 1 {
            return merged(fields, &otherwise);
        }
        merged(merged(fields, condition), &then)
    }
}

/// Null last, references (which may recurse) after plain branches.
fn rank(branch: &Value) -> u8 {
    if branch["type"] == "null" || branch["const"].is_null() && branch.get("const").is_some() {
        2
    } else {
        u8::from(branch.get("$ref").is_some())
    }
}
