//! How many results an expression gives, where its form alone says so.
//!
//! Exactly one result is needed everywhere. Most expressions tell only when they run; what a check
//! can say for sure it says.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::path::{Opt, Part};

/// The number of results of `term` on every input on which it does not fail; `None` where that is
/// not certain.
pub(crate) fn count(term: &Term<&str>) -> Option<usize> {
    match term {
        Term::Id | Term::Num(_) | Term::Arr(_) | Term::Var(_) => Some(1),
        Term::Neg(inner) => count(inner),
        Term::Str(_, parts) => parts.iter().try_fold(1, |total, part| match part {
            StrPart::Term(inner) => product(total, count(inner)?),
            StrPart::Str(_) | StrPart::Char(_) => Some(total),
        }),
        Term::Obj(entries) => entries.iter().try_fold(1, |total, (key, value)| {
            let total = product(total, count(key)?)?;
            value.as_ref().map_or(Some(total), |value| product(total, count(value)?))
        }),
        Term::BinOp(left, operator, right) => operation(count(left), operator, count(right)),
        Term::Call(name, arguments) => (*name == "empty" && arguments.is_empty()).then_some(0),
        Term::Path(head, path) => {
            path.0.iter().try_fold(count(head)?, |total, (part, optional)| {
                let index = match (part, optional) {
                    (Part::Index(index), Opt::Essential) => count(index)?,
                    (Part::Index(_), Opt::Optional) | (Part::Range(..), _) => return None,
                };
                product(total, index)
            })
        }
        Term::Recurse
        | Term::Label(..)
        | Term::Break(_)
        | Term::Fold(..)
        | Term::TryCatch(..)
        | Term::IfThenElse(..)
        | Term::Def(..) => None,
    }
}

fn operation(
    left: Option<usize>,
    operator: &BinaryOp<&str>,
    right: Option<usize>,
) -> Option<usize> {
    match operator {
        BinaryOp::Comma => left?.checked_add(right?),
        BinaryOp::Pipe(None) if left == Some(0) => Some(0),
        BinaryOp::Pipe(None) | BinaryOp::Math(_) | BinaryOp::Cmp(_) => product(left?, right?),
        BinaryOp::Pipe(Some(_))
        | BinaryOp::Alt
        | BinaryOp::Or
        | BinaryOp::And
        | BinaryOp::Assign
        | BinaryOp::Update
        | BinaryOp::UpdateMath(_)
        | BinaryOp::UpdateAlt => None,
    }
}

fn product(a: usize, b: usize) -> Option<usize> {
    a.checked_mul(b)
}
