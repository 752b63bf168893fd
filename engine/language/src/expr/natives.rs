//! The functions of jq that know what a value is made of, for [`Value`].

use jaq_core::box_iter::BoxIter;
use jaq_core::native::{Filter, Fun, bome, run, unary, v};
use jaq_core::{DataT, RunPtr, ValR, ValX};
use jaq_json::{Num, Val};
use jaq_std::ValT as _;

use super::budget::spend;
use super::convert::to_jaq;
use super::prelude::Data;
use super::value::{Error, Value, compare};

/// Longest text that is read as JSON, in bytes.
const JSON_BYTES_MAX: usize = super::INPUT_BYTES_MAX;

/// `fromjson`, `tojson`, `length`, `contains`, `has`, `indices`, `bsearch`.
pub(crate) fn functions() -> impl Iterator<Item = Fun<Data>> {
    let list: [Filter<RunPtr<Data>>; 7] = [
        ("fromjson", v(0), |cv| bome(from_json(cv.1))),
        ("tojson", v(0), |cv| bome(Ok(Value::json(&cv.1)))),
        ("length", v(0), |cv| bome(length(cv.1))),
        ("contains", v(1), |cv| {
            one(cv, |value, other| Ok(Value::from(contains(&value.val, &other.val))))
        }),
        ("has", v(1), |cv| one(cv, |value, key| has(value, &key))),
        ("indices", v(1), |cv| one(cv, |value, part| indices(&value, &part))),
        ("bsearch", v(1), |cv| one(cv, |value, wanted| bsearch(value, &wanted))),
    ];
    list.into_iter().map(run::<Data>)
}

fn one<'a>(
    cv: jaq_core::Cv<'a, Data>,
    f: impl Fn(Value, Value) -> ValR<Value> + 'a,
) -> BoxIter<'a, ValX<'a, <Data as DataT>::V<'a>>> {
    unary(cv, f)
}

/// Text of one JSON value. Read by a parser that bounds its depth: the text may come from outside.
fn from_json(value: Value) -> ValR<Value> {
    let text = value.as_utf8_bytes().filter(|text| text.len() <= JSON_BYTES_MAX);
    let Some(text) = text else { return Err(value.typ("string of JSON")) };
    // A value takes at most some 16 times the room of its shortest text.
    spend(text.len().saturating_mul(16));
    match serde_json::from_slice::<serde_json::Value>(text) {
        Ok(json) => Ok(Value::counted(to_jaq(&json))),
        Err(error) => Err(Error::str(format_args!("cannot be parsed as JSON: {error}"))),
    }
}

fn length(value: Value) -> ValR<Value> {
    match &value.val {
        Val::Null => Ok(Value::from(0_usize)),
        Val::Num(Num::Int(number)) if *number != isize::MIN => Ok(Value::from(number.abs())),
        Val::Num(_) if value < Value::from(0_usize) => -value,
        Val::Num(_) => Ok(value),
        Val::TStr(text) => {
            let text = String::from_utf8_lossy(text);
            Ok(Value::from(text.chars().count()))
        }
        Val::BStr(bytes) => Ok(Value::from(bytes.len())),
        Val::Arr(items) => Ok(Value::from(items.len())),
        Val::Obj(map) => Ok(Value::from(map.len())),
        Val::Bool(_) => Err(Error::str("a boolean has no length")),
    }
}

/// As jq: substrings, items that each contain, keys whose values contain, or equality.
fn contains(value: &Val, other: &Val) -> bool {
    spend(0);
    match (value, other) {
        (Val::TStr(left), Val::TStr(right)) | (Val::BStr(left), Val::BStr(right)) => {
            right.is_empty() || find_all(left, right).next().is_some()
        }
        (Val::Arr(left), Val::Arr(right)) => {
            right.iter().all(|wanted| left.iter().any(|item| contains(item, wanted)))
        }
        (Val::Obj(left), Val::Obj(right)) => right
            .iter()
            .all(|(key, wanted)| left.get(key).is_some_and(|item| contains(item, wanted))),
        _ => compare(value, other).is_eq(),
    }
}

fn has(value: Value, key: &Value) -> ValR<Value> {
    match (&value.val, &key.val) {
        (Val::Obj(map), key) => Ok(Value::from(map.contains_key(key))),
        (Val::Arr(items), Val::Num(number)) => {
            let place = number.as_isize().and_then(|place| usize::try_from(place).ok());
            Ok(Value::from(place.is_some_and(|place| place < items.len())))
        }
        (Val::Null, _) => Ok(Value::from(false)),
        _ => Err(Error::index(value, key.clone())),
    }
}

/// Places of a substring (in characters), of a run of items, or of one item.
fn indices(value: &Value, part: &Value) -> ValR<Value> {
    match (&value.val, &part.val) {
        (Val::TStr(text), Val::TStr(part)) => {
            let (text, part) = (String::from_utf8_lossy(text), String::from_utf8_lossy(part));
            let mut characters = text.char_indices().enumerate();
            let places = find_all(text.as_bytes(), part.as_bytes()).filter_map(|byte| {
                let found = characters.by_ref().find(|(_, (at, _))| *at == byte);
                found.map(|(place, _)| Value::from(place))
            });
            Ok(places.collect())
        }
        (Val::Arr(items), Val::Arr(run)) if !run.is_empty() => {
            let windows = items.windows(run.len()).enumerate();
            let same =
                |window: &[Val]| window.iter().zip(run.iter()).all(|(l, r)| compare(l, r).is_eq());
            Ok(windows.filter(|(_, window)| same(window)).map(|(at, _)| Value::from(at)).collect())
        }
        (Val::Arr(_), Val::Arr(_)) => Ok(Value::from_iter([])),
        (Val::Arr(items), wanted) => {
            let found = items.iter().enumerate().filter(|(_, item)| compare(item, wanted).is_eq());
            Ok(found.map(|(at, _)| Value::from(at)).collect())
        }
        (Val::Null, _) => Ok(Value::default()),
        _ => Err(Error::index(value.clone(), part.clone())),
    }
}

/// Byte offsets at which `part` starts in `text`, overlapping ones included; none for an empty part.
fn find_all<'t>(text: &'t [u8], part: &'t [u8]) -> impl Iterator<Item = usize> + 't {
    let last = if part.is_empty() { 0 } else { (text.len() + 1).saturating_sub(part.len()) };
    let first = part.first();
    (0..last).filter(move |at| {
        text.get(*at) == first && {
            spend(0);
            text.get(*at..at + part.len()) == Some(part)
        }
    })
}

fn bsearch(value: Value, wanted: &Value) -> ValR<Value> {
    let Val::Arr(items) = &value.val else { return Err(value.typ("array")) };
    let place = match items.binary_search_by(|item| compare(item, &wanted.val)) {
        Ok(place) => isize::try_from(place).ok(),
        Err(place) => isize::try_from(place).ok().map(|place| -1 - place),
    };
    Ok(place.map_or_else(Value::default, Value::from))
}
