//! What stands in the place of a value: of the same shape, the same for the same value, and drawn from
//! the order in which values are met, never from the value: nobody finds a phone number by trying.

use crate::seed::Choices;
use placet_model::{Digest, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Draws until a pseudonym is found that nothing else has.
const DRAWS_MAX: u64 = 100;
/// The moment from which pseudonyms of moments count.
const FIRST_MOMENT: i64 = 1_767_225_600;

/// What a value was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A token, a password, a key.
    Secret,
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
    /// An id.
    Id,
    /// An address of the web.
    Url,
    /// A moment or a day.
    Moment,
    /// An amount, or another number that is not small.
    Number,
    /// The name of a member that no schema declares.
    Name,
    /// Any other text.
    Text,
}

impl Kind {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Email => "e-mail",
            Self::Phone => "phone",
            Self::Id => "id",
            Self::Url => "url",
            Self::Moment => "moment",
            Self::Number => "number",
            Self::Name => "name",
            Self::Text => "text",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The pseudonyms of one record.
#[derive(Debug, Default)]
pub(super) struct Pseudonyms {
    given: BTreeMap<(Kind, String), String>,
    taken: BTreeSet<String>,
    counts: BTreeMap<Kind, u64>,
}

impl Pseudonyms {
    /// The pseudonym of a value.
    pub(super) fn of(&mut self, kind: Kind, value: &str) -> String {
        if let Some(given) = self.given.get(&(kind, value.to_owned())) {
            return given.clone();
        }
        let count = self.counts.entry(kind).or_insert(0);
        *count += 1;
        let count = *count;
        let pseudonym = (0..DRAWS_MAX)
            .map(|draw| drawn(kind, value, count, draw))
            .find(|drawn| drawn != value && (kind.may_repeat() || !self.taken.contains(drawn)))
            // the shape leaves no room for another one
            .unwrap_or_else(|| drawn(kind, value, count, DRAWS_MAX));
        self.taken.insert(pseudonym.clone());
        self.given.insert((kind, value.to_owned()), pseudonym.clone());
        pseudonym
    }

    /// The pseudonym of the name of a member.
    pub(super) fn name(&mut self, name: &str) -> String {
        let known = self.given.len();
        let given = self.given.entry((Kind::Name, name.to_owned()));
        given.or_insert_with(|| format!("member{known}")).clone()
    }
}

impl Kind {
    /// Texts of one shape may read the same; two ids must stay two.
    const fn may_repeat(self) -> bool {
        matches!(self, Self::Text | Self::Number | Self::Secret)
    }
}

fn drawn(kind: Kind, value: &str, count: u64, draw: u64) -> String {
    let seed =
        Digest::of_parts(&[b"placet record/1", kind.word().as_bytes(), &count.to_be_bytes()]);
    let mut choices = Choices::new(&seed, draw);
    match kind {
        Kind::Email => format!("person{count}@example.com"),
        Kind::Url => format!("https://example.com/{count}"),
        Kind::Phone => phone(value, count),
        Kind::Moment => moment(value, count),
        Kind::Id | Kind::Number => shaped(value, kept_prefix(kind, value), &mut choices),
        Kind::Secret => value.chars().map(|_| 'x').collect(),
        Kind::Text => value.chars().map(masked).collect(),
        Kind::Name => format!("member{count}"),
    }
}

fn masked(letter: char) -> char {
    match letter {
        '0'..='9' => '0',
        'A'..='Z' => 'X',
        _ if letter.is_ascii_punctuation() || letter.is_ascii_whitespace() => letter,
        _ => 'x',
    }
}

/// The bytes of an id that tell its kind: `cus_`, or the first letter of `C0SALES`.
fn kept_prefix(kind: Kind, value: &str) -> usize {
    let is_kind = |part: &str| part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    match value.rsplit_once('_') {
        _ if kind != Kind::Id => 0,
        Some((prefix, rest)) if prefix.len() <= 12 && rest.len() >= 8 && is_kind(prefix) => {
            prefix.len() + 1
        }
        _ => {
            let upper = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
            let starts = value.as_bytes().first().is_some_and(u8::is_ascii_uppercase);
            usize::from(starts && value.len() >= 7 && value.bytes().all(upper))
        }
    }
}

/// Other letters and digits of the same kind, in the same places.
fn shaped(value: &str, kept: usize, choices: &mut Choices) -> String {
    let rest = value.get(kept..).unwrap_or(value);
    let letters = || rest.chars().filter(char::is_ascii_alphabetic);
    let is_hex = letters().all(|letter| letter.is_ascii_hexdigit());
    let mut text = value.get(..kept).unwrap_or_default().to_owned();
    let mut before = None;
    for (place, letter) in rest.chars().enumerate() {
        let is_leading = before.is_none_or(|before: char| !before.is_ascii_digit());
        before = Some(letter);
        let alphabet: &[u8] = match letter {
            // the version and the variant of a UUID stay
            _ if is_hex && rest.len() == 36 && matches!(place, 14 | 19) => {
                text.push(letter);
                continue;
            }
            '0'..='9' if is_leading => b"123456789",
            '0'..='9' => b"0123456789",
            'a'..='z' if is_hex => b"abcdef",
            'A'..='Z' if is_hex => b"ABCDEF",
            'a'..='z' => b"abcdefghijklmnopqrstuvwxyz",
            'A'..='Z' => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            _ => {
                text.push(if letter.is_ascii() { letter } else { 'x' });
                continue;
            }
        };
        text.push(char::from(*choices.pick(alphabet)));
    }
    text
}

/// A number that nobody has (555-01…), written as this one is.
fn phone(value: &str, count: u64) -> String {
    let wanted = value.chars().filter(char::is_ascii_digit).count();
    let count = count.to_string();
    let fill: String =
        "15550100000000000000".chars().take(wanted.saturating_sub(count.len())).collect();
    let mut digits = fill.chars().chain(count.chars());
    let put = |letter: char| match letter {
        '0'..='9' => digits.next().unwrap_or('0'),
        letter if letter.is_ascii() && !letter.is_ascii_alphabetic() => letter,
        _ => 'x',
    };
    value.chars().map(put).collect()
}

/// A moment of the new year 2026, written as this one is.
fn moment(value: &str, count: u64) -> String {
    let seconds = FIRST_MOMENT.saturating_add(i64::try_from(count).unwrap_or(0));
    if value.bytes().all(|b| b.is_ascii_digit()) {
        let digits = format!("{seconds}000000000");
        return digits.chars().take(value.len()).collect();
    }
    let text = Timestamp::from_millis(seconds.saturating_mul(1000)).to_string();
    let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
    let mut next = digits.into_iter();
    let date_and_time = value.find(['Z', '+']).unwrap_or(value.len());
    let mut out: String = String::new();
    for (place, letter) in value.char_indices() {
        let is_zone = place >= date_and_time || (place > 19 && value[19..place].contains('-'));
        let digit = letter.is_ascii_digit() && !is_zone;
        out.push(if digit { next.next().unwrap_or('0') } else { letter });
    }
    out
}
