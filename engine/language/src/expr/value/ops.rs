//! Arithmetic and order of values: paid for before it is done.

use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};
use std::sync::Arc;

use jaq_core::ValR;
use jaq_json::{Num, Val};

use super::super::budget::{Stop, spend, stop};
use super::{SLOT, Value};

/// Bits of a number; more are never needed and slow to multiply.
const NUMBER_BITS_MAX: u64 = 64 * 1024;

/// Bytes that a list, string or object brings to a sum.
fn weight(val: &Val) -> usize {
    match val {
        Val::Null | Val::Bool(_) => 0,
        Val::Num(number) => usize::try_from(bits(number) / 8).unwrap_or(usize::MAX),
        Val::BStr(bytes) | Val::TStr(bytes) => bytes.len(),
        Val::Arr(items) => items.len() * SLOT,
        Val::Obj(map) => map.len() * 4 * SLOT,
    }
}

fn bits(number: &Num) -> u64 {
    match number {
        Num::Int(_) | Num::Float(_) | Num::Dec(_) => 64,
        Num::BigInt(integer) => integer.bits(),
    }
}

/// Pays for `left + right`, where a shared left side is copied.
fn pay_for_sum(left: &Val, right: &Val) {
    let shared = match left {
        Val::Arr(items) => Arc::strong_count(items) > 1,
        Val::Obj(map) => Arc::strong_count(map) > 1,
        Val::Null | Val::Bool(_) | Val::Num(_) | Val::BStr(_) | Val::TStr(_) => true,
    };
    spend(weight(right).saturating_add(if shared { weight(left) } else { 0 }));
}

/// Pays for `left * right`: numbers grow, strings are repeated, objects merged.
fn pay_for_product(left: &Val, right: &Val) {
    let times = |number: &Num| match number.as_isize() {
        Some(times) => usize::try_from(times).unwrap_or(0),
        None => 0,
    };
    match (left, right) {
        (Val::Num(left), Val::Num(right))
            if bits(left).saturating_add(bits(right)) > NUMBER_BITS_MAX =>
        {
            stop(Stop::Memory);
        }
        (Val::TStr(text) | Val::BStr(text), Val::Num(number))
        | (Val::Num(number), Val::TStr(text) | Val::BStr(text)) => {
            let huge = matches!(number, Num::BigInt(_));
            spend(if huge { usize::MAX } else { text.len().saturating_mul(times(number)) });
        }
        _ => {}
    }
    pay_for_sum(left, right);
}

macro_rules! operation {
    ($trait:ident, $method:ident, $pay:ident, $operator:tt) => {
        impl $trait for Value {
            type Output = ValR<Self>;
            fn $method(self, other: Self) -> ValR<Self> {
                $pay(&self.val, &other.val);
                let depth = self.depth.max(other.depth).max(1);
                Self::result(self.val $operator other.val, depth)
            }
        }
    };
}

operation!(Add, add, pay_for_sum, +);
operation!(Sub, sub, pay_for_sum, -);
operation!(Mul, mul, pay_for_product, *);
operation!(Div, div, pay_for_sum, /);
operation!(Rem, rem, pay_for_sum, %);

impl Neg for Value {
    type Output = ValR<Self>;
    fn neg(self) -> ValR<Self> {
        spend(0);
        Self::result(-self.val, 0)
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        compare(&self.val, &other.val) == Ordering::Equal
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.val, &other.val)
    }
}

/// The order of jq. Our own, because values share their parts: one of a few bytes may unfold to
/// more than can ever be compared, and then this stops.
pub(crate) fn compare(left: &Val, right: &Val) -> Ordering {
    spend(0);
    match (left, right) {
        (Val::Arr(left), Val::Arr(right)) => {
            let mut pairs = left.iter().zip(right.iter());
            pairs
                .find_map(|(left, right)| Some(compare(left, right)).filter(|order| order.is_ne()))
                .unwrap_or_else(|| left.len().cmp(&right.len()))
        }
        (Val::Obj(left), Val::Obj(right)) => {
            let sorted = |map: &'_ jaq_json::Map| {
                let mut entries: Vec<(Val, Val)> =
                    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
                spend(entries.len() * 2 * SLOT);
                entries.sort_by(|(left, _), (right, _)| compare(left, right));
                let (keys, values): (Vec<Val>, Vec<Val>) = entries.into_iter().unzip();
                (Val::from_iter(keys), Val::from_iter(values))
            };
            let (left, right) = (sorted(left), sorted(right));
            compare(&left.0, &right.0).then_with(|| compare(&left.1, &right.1))
        }
        _ => left.cmp(right),
    }
}
