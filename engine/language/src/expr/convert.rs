//! Values in and out of jaq, with limits checked on the way.
//!
//! Going in, size and depth are checked before anything is copied. Coming out, they are checked
//! while the result is built, so that an oversized result is never built in full.

use jaq_json::{Num, Val};
use serde_json::{Map, Number, Value};

use super::{Error, INPUT_BYTES_MAX, VALUE_DEPTH_MAX};

/// What is left of a limit.
struct Budget {
    bytes: usize,
    bytes_max: usize,
}

impl Budget {
    fn new(bytes_max: usize) -> Self {
        Self { bytes: bytes_max, bytes_max }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), String> {
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.ok_or_else(|| format!("at most {} bytes", self.bytes_max))?;
        Ok(())
    }
}

fn deeper(depth: usize) -> Result<usize, String> {
    if depth < VALUE_DEPTH_MAX {
        Ok(depth + 1)
    } else {
        Err(format!("at most {VALUE_DEPTH_MAX} levels"))
    }
}

/// Whether a value may be handed to an expression as `name`.
pub(crate) fn check_input(name: &str, value: &Value) -> Result<(), Error> {
    measure(value, 0, &mut Budget::new(INPUT_BYTES_MAX))
        .map_err(|limit| Error::InputLimit { name: name.to_owned(), limit })
}

/// A copy of a value as a result, numbers in their one form.
pub(crate) fn copy_result(value: &Value, bytes_max: usize) -> Result<Value, Error> {
    measure(value, 0, &mut Budget::new(bytes_max)).map_err(|limit| Error::ResultLimit { limit })?;
    Ok(with_plain_numbers(value))
}

fn measure(value: &Value, depth: usize, budget: &mut Budget) -> Result<(), String> {
    match value {
        Value::Null | Value::Bool(_) => budget.spend(4),
        Value::Number(_) => budget.spend(8),
        Value::String(text) => budget.spend(text.len() + 2),
        Value::Array(items) => {
            let depth = deeper(depth)?;
            budget.spend(2 + items.len())?;
            items.iter().try_for_each(|item| measure(item, depth, budget))
        }
        Value::Object(map) => {
            let depth = deeper(depth)?;
            budget.spend(2)?;
            map.iter().try_for_each(|(key, item)| {
                budget.spend(key.len() + 4)?;
                measure(item, depth, budget)
            })
        }
    }
}

fn with_plain_numbers(value: &Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => plain_float(float).unwrap_or(Value::Null),
            Some(_) | None => value.clone(),
        },
        Value::Array(items) => items.iter().map(with_plain_numbers).collect(),
        Value::Object(map) => Value::Object(
            map.iter().map(|(key, item)| (key.clone(), with_plain_numbers(item))).collect(),
        ),
    }
}

/// The one form of a float: an integer when it is one that a double holds exactly (`1.0`, `1e2`
/// and `1`, `100` are the same number, and must not be different bytes). `None` if not finite.
fn plain_float(float: f64) -> Option<Value> {
    const EXACT_MAX: f64 = 9_007_199_254_740_991.0;
    if float.fract() == 0.0 && float.abs() <= EXACT_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "an integer within ±(2^53 − 1)")]
        return Some(Value::from(float as i64));
    }
    Number::from_f64(float).map(Value::Number)
}

/// A value as jaq holds it. The caller has checked its limits.
pub(crate) fn to_jaq(value: &Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(value) => Val::Bool(*value),
        Value::Number(number) => Val::Num(to_num(number)),
        Value::String(text) => Val::from(text.clone()),
        Value::Array(items) => items.iter().map(to_jaq).collect(),
        Value::Object(map) => {
            Val::obj(map.iter().map(|(key, item)| (Val::from(key.clone()), to_jaq(item))).collect())
        }
    }
}

fn to_num(number: &Number) -> Num {
    if let Some(integer) = number.as_i64() {
        Num::from_integral(integer)
    } else if let Some(integer) = number.as_u64() {
        Num::from_integral(integer)
    } else {
        Num::Float(number.as_f64().unwrap_or(f64::NAN))
    }
}

/// A result as JSON.
pub(crate) fn from_jaq(value: &Val, bytes_max: usize) -> Result<Value, Error> {
    build(value, 0, &mut Budget::new(bytes_max))
}

fn build(value: &Val, depth: usize, budget: &mut Budget) -> Result<Value, Error> {
    let limit = |limit| Error::ResultLimit { limit };
    match value {
        Val::Null => budget.spend(4).map_err(limit).map(|()| Value::Null),
        Val::Bool(value) => budget.spend(4).map_err(limit).map(|()| Value::Bool(*value)),
        Val::Num(number) => {
            budget.spend(8).map_err(limit)?;
            from_num(number)
        }
        Val::TStr(bytes) => {
            budget.spend(bytes.len() + 2).map_err(limit)?;
            text(bytes).map(|text| Value::String(text.to_owned()))
        }
        Val::BStr(_) => Err(Error::NotJson { reason: "it holds bytes; encode them with @base64" }),
        Val::Arr(items) => {
            let depth = deeper(depth).map_err(limit)?;
            budget.spend(2 + items.len()).map_err(limit)?;
            items.iter().map(|item| build(item, depth, budget)).collect()
        }
        Val::Obj(map) => {
            let depth = deeper(depth).map_err(limit)?;
            budget.spend(2).map_err(limit)?;
            let mut built = Map::new();
            for (key, item) in map.iter() {
                let Val::TStr(key) = key else {
                    return Err(Error::NotJson { reason: "an object has a key that is no string" });
                };
                budget.spend(key.len() + 4).map_err(limit)?;
                built.insert(text(key)?.to_owned(), build(item, depth, budget)?);
            }
            Ok(Value::Object(built))
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes)
        .map_err(|_broken| Error::NotJson { reason: "a string is not valid UTF-8" })
}

fn from_num(number: &Num) -> Result<Value, Error> {
    let not_finite = Error::NotJson { reason: "a number is not finite" };
    match number {
        Num::Int(integer) => Ok(Value::from(*integer)),
        Num::BigInt(integer) => {
            integer.to_string().parse::<u64>().map(Value::from).map_err(|_too_large| {
                Error::NotJson { reason: "an integer does not fit 64 bits; write it as a string" }
            })
        }
        Num::Float(float) => plain_float(*float).ok_or(not_finite),
        Num::Dec(text) => text.parse::<f64>().ok().and_then(plain_float).ok_or(not_finite),
    }
}
