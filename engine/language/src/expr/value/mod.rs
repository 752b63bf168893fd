//! The values that filters run on: jaq's own, but every operation pays and no value gets deeper
//! than [`DEPTH_MAX`].
//!
//! jaq's values may nest without end, and jaq works on them by recursion, so an expression of one
//! line could overflow the stack and end the process. Here each value knows an upper bound of its
//! depth: a child's is one less than its parent's, a new list's one more than its deepest item's.
//! When the bound reaches the limit, the depth is counted; so the bound costs nothing and never
//! refuses what would have fitted.

mod ops;

use std::fmt;
use std::sync::Arc;

use jaq_core::box_iter::BoxIter;
use jaq_core::path::Opt;
use jaq_core::val::Range;
use jaq_core::{Exn, ValR, ValT, ValX};
use jaq_json::Val;

use super::budget::{Stop, spend, stop};
pub(crate) use ops::compare;

/// Deepest nesting of a value while evaluating; results have a limit of their own.
pub(crate) const DEPTH_MAX: u16 = 256;
/// Bytes of one value inside of a list.
const SLOT: usize = size_of::<Val>();
/// Characters of an error message of jaq's that are kept.
const MESSAGE_CHARS_MAX: usize = 300;

pub(crate) type Error = jaq_core::Error<Value>;

/// A value with an upper bound of its depth.
#[derive(Clone, Debug, Default)]
pub(crate) struct Value {
    pub(crate) val: Val,
    /// Levels of lists and objects, at most; 0 for anything else.
    depth: u16,
}

impl Value {
    /// A value of unknown depth.
    pub(crate) fn counted(val: Val) -> Self {
        let depth = count(&val, 0);
        Self { val, depth }
    }

    /// A value that is at most so deep.
    fn at_most(val: Val, depth: u16) -> Self {
        match &val {
            Val::Arr(_) | Val::Obj(_) if depth > DEPTH_MAX => Self::counted(val),
            Val::Arr(_) | Val::Obj(_) => Self { val, depth },
            Val::Null | Val::Bool(_) | Val::Num(_) | Val::BStr(_) | Val::TStr(_) => {
                Self { val, depth: 0 }
            }
        }
    }

    /// A child of this value.
    fn child(depth: u16, val: Val) -> Self {
        Self::at_most(val, depth.saturating_sub(1))
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        spend(text.len());
        Self { val: Val::from(text), depth: 0 }
    }

    /// The result of an operation of jaq's on values no deeper than `depth`.
    fn result(result: Result<Val, jaq_json::Error>, depth: u16) -> ValR<Self> {
        match result {
            Ok(val) => Ok(Self::at_most(val, depth)),
            Err(error) => Err(Error::str(brief(&error))),
        }
    }

    /// The text of a value as JSON.
    pub(crate) fn json(value: &Self) -> Self {
        Self { val: Val::from(value.to_string()), depth: 0 }
    }

    pub(crate) fn typ(self, wanted: &'static str) -> Error {
        Error::typ(self, wanted)
    }
}

/// The depth of a value. It is at most one level over the limit: nothing deeper was ever made.
fn count(val: &Val, depth: u16) -> u16 {
    if depth > DEPTH_MAX {
        stop(Stop::Depth);
    }
    match val {
        Val::Null | Val::Bool(_) | Val::Num(_) | Val::BStr(_) | Val::TStr(_) => 0,
        Val::Arr(items) => {
            spend(0);
            1 + items.iter().map(|item| count(item, depth + 1)).max().unwrap_or(0)
        }
        Val::Obj(map) => {
            spend(0);
            let values =
                map.iter().map(|(key, item)| count(item, depth + 1).max(count(key, depth + 1)));
            1 + values.max().unwrap_or(0)
        }
    }
}

impl ValT for Value {
    fn from_num(number: &str) -> ValR<Self> {
        Self::result(Val::from_num(number), 0)
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(entries: I) -> ValR<Self> {
        let mut depth = 0;
        let map = entries.into_iter().map(|(key, value)| {
            spend(4 * SLOT);
            depth = depth.max(value.depth).max(key.depth);
            (key.val, value.val)
        });
        let map = Val::obj(map.collect());
        Ok(Self::at_most(map, depth + 1))
    }

    fn key_values(self) -> BoxIter<'static, ValR<(Self, Self), Self>> {
        let depth = self.depth;
        Box::new(self.val.key_values().map(move |entry| {
            spend(0);
            match entry {
                Ok((key, value)) => Ok((Self::child(depth, key), Self::child(depth, value))),
                Err(error) => Err(Error::str(brief(&error))),
            }
        }))
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR<Self>>> {
        let depth = self.depth;
        Box::new(self.val.values().map(move |value| {
            spend(0);
            Self::result(value, depth.saturating_sub(1))
        }))
    }

    fn index(self, index: &Self) -> ValR<Self> {
        spend(SLOT);
        // An index may give positions in a list, or the value itself for an empty range.
        let depth = self.depth.max(1);
        Self::result(self.val.index(&index.val), depth)
    }

    fn range(self, range: Range<&Self>) -> ValR<Self> {
        spend(SLOT);
        let depth = self.depth;
        let range = range.start.map(|bound| &bound.val)..range.end.map(|bound| &bound.val);
        if let Val::Arr(items) = &self.val {
            spend(items.len() * SLOT);
        }
        Self::result(self.val.range(range), depth)
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        let depth = self.depth;
        match self.val {
            Val::Arr(items) => {
                let items = Arc::unwrap_or_clone(items).into_iter();
                items.flat_map(|item| f(Self::child(depth, item))).collect()
            }
            Val::Obj(map) => {
                let entries = Arc::unwrap_or_clone(map).into_iter().filter_map(|(key, item)| {
                    let value = f(Self::child(depth, item)).next()?;
                    Some(value.map(|value| (Self::child(depth, key), value)))
                });
                let entries = entries.collect::<Result<Vec<_>, _>>()?;
                Self::from_map(entries).map_err(Exn::from)
            }
            Val::Null | Val::Bool(_) | Val::Num(_) | Val::BStr(_) | Val::TStr(_) => {
                opt.fail(self, |value| Exn::from(value.typ("iterable (array or object)")))
            }
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        mut self,
        index: &Self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        spend(SLOT);
        let depth = self.depth;
        match (&mut self.val, &index.val) {
            (Val::Arr(_), Val::Obj(range)) => {
                let bound = |key: &str| range.get(&Val::from(key.to_owned())).cloned();
                let (start, end) =
                    (bound("start").map(Self::counted), bound("end").map(Self::counted));
                self.map_range(start.as_ref()..end.as_ref(), opt, f)
            }
            (Val::Obj(map), key) => {
                let old = map.get(key).cloned().unwrap_or_default();
                let new = f(Self::child(depth, old)).next().transpose()?;
                let made = new.as_ref().map_or(0, |new| new.depth + 1).max(index.depth + 1);
                pay_for_copy(map, map.len() * 4);
                let map = Arc::make_mut(map);
                match new {
                    Some(new) => {
                        map.insert(key.clone(), new.val);
                    }
                    None => {
                        map.shift_remove(key);
                    }
                }
                Ok(Self::at_most(self.val, depth.max(made)))
            }
            (Val::Arr(items), key) => {
                let place = position(key, items.len()).filter(|place| *place < items.len());
                let Some(place) = place else {
                    let error = Error::str(format_args!("index {key} out of bounds"));
                    return opt.fail(self, |_| Exn::from(error));
                };
                let old = items.get(place).cloned().unwrap_or_default();
                let new = f(Self::child(depth, old)).next().transpose()?;
                let made = new.as_ref().map_or(0, |new| new.depth + 1);
                pay_for_copy(items, items.len());
                let items = Arc::make_mut(items);
                match (new, items.get_mut(place)) {
                    (Some(new), Some(slot)) => *slot = new.val,
                    (_, _) => {
                        items.remove(place);
                    }
                }
                Ok(Self::at_most(self.val, depth.max(made)))
            }
            (Val::Null | Val::Bool(_) | Val::Num(_) | Val::BStr(_) | Val::TStr(_), _) => {
                opt.fail(self, |value| Exn::from(value.typ("iterable (array or object)")))
            }
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        mut self,
        range: Range<&Self>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        let depth = self.depth;
        let Val::Arr(items) = &mut self.val else {
            return opt.fail(self, |value| Exn::from(value.typ("array")));
        };
        let length = items.len();
        let bound = |bound: Option<&Self>, default: usize| match bound.map(|bound| &bound.val) {
            None | Some(Val::Null) => Some(default),
            Some(Val::Num(number)) if number.as_isize().is_some() => {
                bound.map(|bound| position(&bound.val, length).unwrap_or(0).min(length))
            }
            Some(_) => None,
        };
        let (Some(start), Some(end)) = (bound(range.start, 0), bound(range.end, length)) else {
            return opt.fail(self, |value| Exn::from(value.typ("array with a range of integers")));
        };
        let end = end.max(start);
        spend((end - start) * SLOT);
        let part: Val = items.iter().skip(start).take(end - start).cloned().collect();
        let new = f(Self::at_most(part, depth)).next().transpose()?.unwrap_or_default();
        let replacement = match new.val {
            Val::Arr(replacement) => replacement,
            Val::Null => Arc::default(),
            other @ (Val::Bool(_) | Val::Num(_) | Val::BStr(_) | Val::TStr(_) | Val::Obj(_)) => {
                return Err(Exn::from(Self::at_most(other, new.depth).typ("array")));
            }
        };
        spend(replacement.len() * SLOT);
        pay_for_copy(items, length);
        Arc::make_mut(items).splice(start..end, replacement.iter().cloned());
        Ok(Self::at_most(self.val, depth.max(new.depth)))
    }

    fn as_bool(&self) -> bool {
        self.val.as_bool()
    }

    fn into_string(self) -> Self {
        match self.val {
            Val::TStr(bytes) | Val::BStr(bytes) => Self { val: Val::TStr(bytes), depth: 0 },
            Val::Null | Val::Bool(_) | Val::Num(_) | Val::Arr(_) | Val::Obj(_) => {
                Self { val: Val::from(self.to_string()), depth: 0 }
            }
        }
    }
}

/// An error of jaq's in words; the values that it quotes may be large.
pub(crate) fn brief(error: &dyn fmt::Display) -> String {
    let mut message = Bounded { text: String::new(), left: MESSAGE_CHARS_MAX };
    if fmt::write(&mut message, format_args!("{error}")).is_err() {
        message.text.push('…');
    }
    message.text
}

/// Text that stops growing.
struct Bounded {
    text: String,
    left: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        for character in more.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(character);
        }
        Ok(())
    }
}

/// Changing a shared list or object copies it: `slots` values.
fn pay_for_copy<T>(shared: &Arc<T>, slots: usize) {
    if Arc::strong_count(shared) > 1 {
        spend(slots * SLOT);
    }
}

/// An integer as a place from the start; negative ones count from the end. `None` for others, and
/// for places before the start.
fn position(value: &Val, length: usize) -> Option<usize> {
    let Val::Num(number) = value else { return None };
    let place = number.as_isize()?;
    match usize::try_from(place) {
        Ok(place) => Some(place),
        Err(_negative) => length.checked_sub(place.unsigned_abs()),
    }
}

impl jaq_std::ValT for Value {
    fn into_seq<S: FromIterator<Self>>(self) -> Result<S, Self> {
        let depth = self.depth;
        match self.val {
            Val::Arr(items) => {
                spend(items.len() * SLOT);
                let items = Arc::unwrap_or_clone(items).into_iter();
                Ok(items.map(|item| Self::child(depth, item)).collect())
            }
            Val::Null | Val::Bool(_) | Val::Num(_) | Val::BStr(_) | Val::TStr(_) | Val::Obj(_) => {
                Err(self)
            }
        }
    }

    fn is_int(&self) -> bool {
        self.val.is_int()
    }

    fn as_isize(&self) -> Option<isize> {
        self.val.as_isize()
    }

    fn as_f64(&self) -> Option<f64> {
        self.val.as_f64()
    }

    fn is_utf8_str(&self) -> bool {
        self.val.is_utf8_str()
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        self.val.as_bytes()
    }

    fn as_sub_str(&self, sub: &[u8]) -> Self {
        spend(SLOT);
        Self { val: self.val.as_sub_str(sub), depth: 0 }
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        spend(bytes.as_ref().len());
        Self { val: Val::from_utf8_bytes(bytes), depth: 0 }
    }
}

impl FromIterator<Self> for Value {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        let mut depth = 0;
        let list: Val = items
            .into_iter()
            .map(|item| {
                spend(SLOT);
                depth = depth.max(item.depth);
                item.val
            })
            .collect();
        Self::at_most(list, depth + 1)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        spend(0);
        Self { val: Val::Bool(value), depth: 0 }
    }
}

impl From<isize> for Value {
    fn from(value: isize) -> Self {
        spend(0);
        Self { val: Val::from(value), depth: 0 }
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self { val: Val::from(value), depth: 0 }
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self { val: Val::from(value), depth: 0 }
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::text(value)
    }
}

impl From<Range<Self>> for Value {
    fn from(range: Range<Self>) -> Self {
        let depth = [&range.start, &range.end].into_iter().flatten().map(|bound| bound.depth).max();
        let val = Val::from(range.start.map(|bound| bound.val)..range.end.map(|bound| bound.val));
        Self::at_most(val, depth.unwrap_or(0) + 1)
    }
}

impl fmt::Display for Value {
    /// JSON; pays for every piece, as a small value may unfold to a text without end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::write(&mut Paying { f }, format_args!("{}", self.val))
    }
}

struct Paying<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
}

impl fmt::Write for Paying<'_, '_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        spend(piece.len());
        self.f.write_str(piece)
    }
}
