//! Where a call goes, in the provider's own words: parsed by a grammar, formatted back the same.

use regex::Regex;
use std::collections::BTreeMap;
use std::fmt;

/// A checked target: it parses, and it formats back to the same text.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    text: String,
    parts: BTreeMap<String, String>,
}

impl Target {
    /// The canonical text, `C123:1700000000.000100`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// One named part, if it is present.
    pub fn part(&self, name: &str) -> Option<&str> {
        self.parts.get(name).map(String::as_str)
    }

    pub fn parts(&self) -> &BTreeMap<String, String> {
        &self.parts
    }
}

impl fmt::Debug for Target {
    /// A target can be a person's address: only its parts' names are printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("parts", &self.parts.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// A text or a set of parts that is no target. It may name a person: the text stays out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the target does not match {grammar}")]
    NoMatch { grammar: String },
    #[error("the target has none of the parts of {format}")]
    NoParts { format: String },
    #[error("the target does not come back as it was: {format} loses a part of it")]
    NoRoundTrip { format: String },
    #[error("the format {format:?} cannot be read")]
    BadFormat { format: String },
    #[error("the format names the part {part:?}, which the grammar does not have")]
    UnknownPart { part: String },
}

/// A provider's grammar and the format that is its inverse.
#[derive(Clone, Debug)]
pub struct Grammar {
    regex: Regex,
    format: Vec<Piece>,
    format_text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// `{a|b}`: the first part that is present.
    Part(Vec<String>),
    /// `[:{thread_ts}]`: dropped as a whole when a part in it is absent.
    Optional(Vec<Self>),
}

impl Grammar {
    /// # Errors
    /// A format that cannot be read or names a part that the grammar has not.
    pub fn new(regex: Regex, format: &str) -> Result<Self, Error> {
        let mut rest = format;
        let pieces = pieces(&mut rest, None)
            .ok_or_else(|| Error::BadFormat { format: format.to_owned() })?;
        let grammar = Self { regex, format: pieces, format_text: format.to_owned() };
        let known: Vec<&str> = grammar.part_names().collect();
        match named(&grammar.format).into_iter().find(|part| !known.contains(&part.as_str())) {
            Some(part) => Err(Error::UnknownPart { part }),
            None => Ok(grammar),
        }
    }

    /// The names of the parts, in the grammar's order.
    pub fn part_names(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().flatten()
    }

    /// The part that the format names first: where a target goes, before what in it.
    pub fn first_part(&self) -> Option<&str> {
        let first = named(&self.format).into_iter().next()?;
        self.part_names().find(|name| *name == first)
    }

    /// # Errors
    /// A text that the grammar does not match, or that would not come back the same.
    pub fn parse(&self, text: &str) -> Result<Target, Error> {
        let captures = self
            .regex
            .captures(text)
            .ok_or_else(|| Error::NoMatch { grammar: self.regex.to_string() })?;
        let parts: BTreeMap<String, String> = self
            .part_names()
            .filter_map(|name| Some((name.to_owned(), captures.name(name)?.as_str().to_owned())))
            .collect();
        if self.write(&parts).as_deref() != Some(text) {
            return Err(Error::NoRoundTrip { format: self.format_text.clone() });
        }
        Ok(Target { text: text.to_owned(), parts })
    }

    /// The target made of these parts, checked by parsing it again.
    ///
    /// # Errors
    /// As [`Grammar::parse`]; parts that change on the way (a `:` inside one, say) are refused.
    pub fn compose(&self, parts: &BTreeMap<String, String>) -> Result<Target, Error> {
        let text =
            self.write(parts).ok_or_else(|| Error::NoParts { format: self.format_text.clone() })?;
        let target = self.parse(&text)?;
        if target.parts != *parts {
            return Err(Error::NoRoundTrip { format: self.format_text.clone() });
        }
        Ok(target)
    }

    fn write(&self, parts: &BTreeMap<String, String>) -> Option<String> {
        write(&self.format, parts)
    }
}

fn write(pieces: &[Piece], parts: &BTreeMap<String, String>) -> Option<String> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(stretch) => text.push_str(stretch),
            Piece::Part(names) => text.push_str(names.iter().find_map(|name| parts.get(name))?),
            Piece::Optional(inner) => text.push_str(&write(inner, parts).unwrap_or_default()),
        }
    }
    Some(text)
}

fn named(pieces: &[Piece]) -> Vec<String> {
    pieces
        .iter()
        .flat_map(|piece| match piece {
            Piece::Text(_) => Vec::new(),
            Piece::Part(names) => names.clone(),
            Piece::Optional(inner) => named(inner),
        })
        .collect()
}

/// Reads pieces up to `until` (the closing bracket of an optional stretch) or the end.
fn pieces(rest: &mut &str, until: Option<char>) -> Option<Vec<Piece>> {
    let mut out = Vec::new();
    loop {
        let stop = rest.find(['{', '[', ']', '}']).unwrap_or(rest.len());
        let (text, after) = rest.split_at(stop);
        if !text.is_empty() {
            out.push(Piece::Text(text.to_owned()));
        }
        *rest = after;
        let Some(sign) = after.chars().next() else {
            return until.is_none().then_some(out);
        };
        *rest = &after[1..];
        match sign {
            '{' => {
                let close = rest.find('}')?;
                out.push(Piece::Part(rest[..close].split('|').map(str::to_owned).collect()));
                *rest = &rest[close + 1..];
            }
            '[' if until.is_none() => out.push(Piece::Optional(pieces(rest, Some(']'))?)),
            ']' if until == Some(']') => return Some(out),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slack() -> Grammar {
        let regex =
            Regex::new(r"^(?<channel>[CGDU][A-Z0-9]+)(:(?<thread_ts>\d+\.\d{6}))?$").unwrap();
        Grammar::new(regex, "{channel}[:{thread_ts}]").unwrap()
    }

    fn parts(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_target_parses_and_formats_back_to_itself() {
        for text in ["C123", "D123", "C123:1700000000.000100"] {
            let target = slack().parse(text).unwrap();
            assert_eq!(target.text(), text);
            assert_eq!(slack().compose(target.parts()).unwrap(), target);
        }
    }

    #[test]
    fn parts_that_would_change_on_the_way_are_refused() {
        assert!(slack().compose(&parts(&[("channel", "C123:1700000000.000100")])).is_err());
        assert!(slack().compose(&parts(&[("channel", "c123")])).is_err());
        assert!(slack().compose(&parts(&[("thread_ts", "1.000000")])).is_err());
    }

    #[test]
    fn alternatives_take_the_part_that_is_present() {
        let regex = Regex::new("^(?<pi>pi_[a-z0-9]+)$|^(?<ch>ch_[a-z0-9]+)$").unwrap();
        let grammar = Grammar::new(regex, "{pi|ch}").unwrap();
        assert_eq!(grammar.parse("ch_1").unwrap().part("ch"), Some("ch_1"));
        assert_eq!(grammar.compose(&parts(&[("pi", "pi_1")])).unwrap().text(), "pi_1");
        assert!(grammar.compose(&parts(&[("pi", "pi_1"), ("ch", "ch_1")])).is_err());
    }

    #[test]
    fn a_format_that_names_no_part_or_is_broken_is_refused() {
        let regex = || Regex::new("^(?<a>x)$").unwrap();
        for bad in ["{b}", "{a", "a]", "[{a}", "[[{a}]]", "}"] {
            assert!(Grammar::new(regex(), bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_target_is_not_printed() {
        let target = slack().parse("C123").unwrap();
        assert!(!format!("{target:?}").contains("C123"));
    }
}
