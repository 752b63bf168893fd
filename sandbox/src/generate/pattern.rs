//! A text for a regular expression: its syntax tree is walked, anchors are dropped, and what the
//! walk gets wrong (look-around, word boundaries) the validator finds.

use crate::seed::Choices;
use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Longest text that a pattern yields.
const LENGTH_MAX: usize = 10_000;
/// Patterns that stay compiled; schemas are few and their patterns come back with every answer.
const COMPILED_MAX: usize = 4096;

/// A pattern, both ways: what judges a text, and what one is made from. Neither where it is of
/// another dialect.
#[derive(Debug)]
struct Pattern {
    regex: Option<Regex>,
    pieces: Option<Piece>,
}

/// Read once: reading costs more than all that follows from it.
fn compiled(pattern: &str) -> Arc<Pattern> {
    static COMPILED: RwLock<BTreeMap<String, Arc<Pattern>>> = RwLock::new(BTreeMap::new());
    if let Some(known) = COMPILED.read().unwrap_or_else(PoisonError::into_inner).get(pattern) {
        return Arc::clone(known);
    }
    let read = Pattern {
        regex: Regex::new(pattern).ok(),
        pieces: regex_syntax::parse(pattern).ok().as_ref().and_then(pieces),
    };
    let read = Arc::new(read);
    let mut compiled = COMPILED.write().unwrap_or_else(PoisonError::into_inner);
    if compiled.len() < COMPILED_MAX {
        compiled.insert(pattern.to_owned(), Arc::clone(&read));
    }
    read
}

/// Whether `text` matches; `None` if the pattern is of another dialect, which the validator knows.
pub(super) fn matches(pattern: &str, text: &str) -> Option<bool> {
    compiled(pattern).regex.as_ref().map(|regex| regex.is_match(text))
}

/// `None` if the pattern cannot be read. `width` is how much an open repetition adds at most.
pub(super) fn text_for(pattern: &str, choices: &mut Choices, width: u32) -> Option<String> {
    let pattern = compiled(pattern);
    let mut text = String::new();
    write(pattern.pieces.as_ref()?, choices, width, &mut text)?;
    Some(text)
}

/// A pattern as what a text is put together from.
#[derive(Debug)]
enum Piece {
    /// Nothing, as anchors are: what they ask for the validator finds.
    Nothing,
    Text(String),
    /// One of these.
    Character(Vec<char>),
    All(Vec<Self>),
    One(Vec<Self>),
    Repeated {
        piece: Box<Self>,
        min: u32,
        max: u32,
    },
}

/// `None` where it cannot be put together.
fn pieces(hir: &Hir) -> Option<Piece> {
    Some(match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Piece::Nothing,
        HirKind::Literal(literal) => Piece::Text(std::str::from_utf8(&literal.0).ok()?.to_owned()),
        HirKind::Class(class) => Piece::Character(characters(class)?),
        HirKind::Capture(capture) => pieces(&capture.sub)?,
        HirKind::Concat(parts) => Piece::All(parts.iter().map(pieces).collect::<Option<_>>()?),
        HirKind::Alternation(parts) => Piece::One(parts.iter().map(pieces).collect::<Option<_>>()?),
        HirKind::Repetition(repetition) => Piece::Repeated {
            piece: Box::new(pieces(&repetition.sub)?),
            min: repetition.min,
            max: repetition.max.unwrap_or(u32::MAX),
        },
    })
}

fn write(piece: &Piece, choices: &mut Choices, width: u32, out: &mut String) -> Option<()> {
    if out.len() > LENGTH_MAX {
        return None;
    }
    match piece {
        Piece::Nothing => {}
        Piece::Text(text) => out.push_str(text),
        Piece::Character(these) => out.push(*choices.pick(these)),
        Piece::All(parts) => {
            parts.iter().try_for_each(|part| write(part, choices, width, out))?;
        }
        Piece::One(parts) => write(choices.pick(parts), choices, width, out)?,
        Piece::Repeated { piece, min, max } => {
            let most = (*max).min(min.saturating_add(width));
            let spread = usize::try_from(most - min).ok()?;
            let extra = choices.below(spread + 1);
            for _ in 0..usize::try_from(*min).ok()? + extra {
                write(piece, choices, width, out)?;
            }
        }
    }
    Some(())
}

/// Plain characters of the class: letters and digits, else other printable ASCII, else the first
/// that it has.
fn characters(class: &Class) -> Option<Vec<char>> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class
            .ranges()
            .iter()
            .map(|range| (u32::from(range.start()), u32::from(range.end())))
            .collect(),
        Class::Bytes(class) => class
            .ranges()
            .iter()
            .map(|range| (u32::from(range.start()), u32::from(range.end())))
            .collect(),
    };
    let has = |character: &char| {
        ranges.iter().any(|(start, end)| (*start..=*end).contains(&u32::from(*character)))
    };
    let plain: Vec<char> = ('!'..='~').filter(char::is_ascii_alphanumeric).filter(has).collect();
    if !plain.is_empty() {
        return Some(plain);
    }
    let printable: Vec<char> = (' '..='~').filter(has).collect();
    if !printable.is_empty() {
        return Some(printable);
    }
    let firsts =
        ranges.iter().filter_map(|(start, end)| (*start..=*end).take(64).find_map(char::from_u32));
    let firsts: Vec<char> = firsts.collect();
    (!firsts.is_empty()).then_some(firsts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use placet_model::Digest;

    #[test]
    fn the_text_matches_its_pattern() {
        for pattern in [
            "^[CGDU][A-Z0-9]+$",
            r"^\d{1,16}\.\d{6}$",
            "^(sk|rk)_(test|live)_[A-Za-z0-9]{24}$",
            "a|b|c",
            "^$",
            r"^\p{L}+$",
            "^(?i:get|post)$",
            r"^[^a-z]{3}$",
        ] {
            let regex = Regex::new(pattern).unwrap();
            for seed in 0..50_u64 {
                let mut choices = Choices::new(&Digest::of(&seed.to_be_bytes()), 0);
                let text = text_for(pattern, &mut choices, 8).unwrap();
                assert!(regex.is_match(&text), "{pattern}: {text:?}");
            }
        }
    }

    #[test]
    fn a_pattern_of_another_dialect_is_given_up() {
        let mut choices = Choices::new(&Digest::of(b""), 0);
        assert_eq!(text_for("(?=x)y", &mut choices, 3), None);
    }
}
