//! Whom content is about: the values that identify a person, in one form each, and finding them in
//! content. Pure text; making a pseudonym of one is the log's.
//!
//! | value | form |
//! | --- | --- |
//! | e-mail address | trimmed, lower case |
//! | phone number: `+` and 7 to 15 digits, with spaces, `-`, `.`, `/` and brackets between, also `00` for `+`, or digits alone | `+` and the digits (E.164) |
//! | anything else (a user id of a provider) | trimmed |

use std::collections::BTreeSet;

/// At most this many are taken from one piece of content.
pub const FOUND_MAX: usize = 100;
/// An address is at most this long (RFC 5321).
const EMAIL_BYTES_MAX: usize = 254;
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// The one form of a value that identifies a person.
pub fn normalise(value: &str) -> String {
    let value = value.trim();
    if value.contains('@') {
        return value.to_lowercase();
    }
    phone(value).unwrap_or_else(|| value.to_owned())
}

/// `+` and the digits, when the whole value is a phone number.
fn phone(value: &str) -> Option<String> {
    let rest = value.strip_prefix('+').or_else(|| value.strip_prefix("00")).unwrap_or(value);
    let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
    let fits = rest.chars().all(|c| c.is_ascii_digit() || is_separator(c));
    (fits && PHONE_DIGITS.contains(&digits.len())).then(|| format!("+{digits}"))
}

const fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '-' | '.' | '/' | '(' | ')')
}

/// E-mail addresses, and phone numbers that begin with `+`, anywhere in content, in their one form;
/// the first [`FOUND_MAX`]. Content without `@` and `+` costs one look at its bytes.
pub fn find(content: &[u8], found: &mut BTreeSet<String>) {
    let mut count = 0;
    for (at, byte) in content.iter().enumerate() {
        let value = match byte {
            b'@' => email_at(content, at),
            b'+' => phone_at(content, at),
            _ => continue,
        };
        if let Some(value) = value {
            count += 1;
            found.insert(value);
        }
        if count == FOUND_MAX {
            return;
        }
    }
}

/// The address around an `@`.
fn email_at(content: &[u8], at: usize) -> Option<String> {
    let local = content[..at].iter().rev().take_while(|byte| is_local(**byte)).count();
    let domain = content[at + 1..].iter().take_while(|byte| is_domain(**byte)).count();
    let text = std::str::from_utf8(&content[at - local..=at + domain]).ok()?;
    let text = text.trim_matches(|c| matches!(c, '.' | '-' | '\''));
    let (local, domain) = text.split_once('@')?;
    let whole = !local.is_empty() && domain.contains('.') && text.len() <= EMAIL_BYTES_MAX;
    whole.then(|| normalise(text))
}

const fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte >= 0x80
        || matches!(
            byte,
            b'.' | b'_'
                | b'%'
                | b'+'
                | b'-'
                | b'\''
                | b'&'
                | b'='
                | b'~'
                | b'!'
                | b'#'
                | b'$'
                | b'*'
        )
}

const fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'.' | b'-')
}

/// The number after a `+`, up to what ends it.
fn phone_at(content: &[u8], at: usize) -> Option<String> {
    let in_word = at > 0 && (content[at - 1].is_ascii_alphanumeric() || content[at - 1] == b'+');
    let rest = content.get(at + 1..)?;
    if in_word || !rest.first()?.is_ascii_digit() {
        return None;
    }
    let number = rest.iter().take_while(|b| b.is_ascii_digit() || is_separator(char::from(**b)));
    let digits: String = number.filter(|b| b.is_ascii_digit()).map(|b| char::from(*b)).collect();
    PHONE_DIGITS.contains(&digits.len()).then(|| format!("+{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_one_form_however_it_is_written() {
        for (given, form) in [
            (" Ana@Example.COM ", "ana@example.com"),
            ("+49 (176) 123-45 67", "+491761234567"),
            ("0049 176 1234567", "+491761234567"),
            ("491761234567", "+491761234567"),
            ("U024BE7LH", "U024BE7LH"),
            ("12345", "12345"),
            ("+49 176 x", "+49 176 x"),
        ] {
            assert_eq!(normalise(given), form, "{given:?}");
        }
    }

    #[test]
    fn addresses_and_numbers_are_found_in_whatever_stands_around_them() {
        for (content, forms) in [
            (
                r#"{"to":"Ana <Ana@Example.com>","cc":["b.c+x@mail.example.org"]}"#,
                vec!["ana@example.com", "b.c+x@mail.example.org"],
            ),
            (r#"{"phone":"+49 176 1234567"}"#, vec!["+491761234567"]),
            ("write to zoë@exämple.de.", vec!["zoë@exämple.de"]),
            ("mailto:ana@example.com?subject=x", vec!["ana@example.com"]),
            (
                "a@b, @here, user@localhost, 1+1234567, 2026-01-01T00:00:00+02:00, ++12345678",
                vec![],
            ),
            ("no such thing", vec![]),
            ("@", vec![]),
            ("+", vec![]),
        ] {
            let mut found = BTreeSet::new();
            find(content.as_bytes(), &mut found);
            let mut forms: Vec<&str> = forms;
            forms.sort_unstable();
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), forms, "{content}");
        }
    }

    #[test]
    fn what_is_found_has_the_form_under_which_it_is_asked_for() {
        for text in ["Ana@Example.com", "+1 (415) 555-0100"] {
            let mut found = BTreeSet::new();
            find(format!("\"{text}\"").as_bytes(), &mut found);
            assert_eq!(found.into_iter().collect::<Vec<_>>(), [normalise(text)]);
        }
    }

    #[test]
    fn no_more_is_taken_than_the_bound() {
        let many: Vec<String> = (0..500).map(|n| format!("user{n}@example.com")).collect();
        let many = many.join(" ");
        let mut found = BTreeSet::new();
        find(many.as_bytes(), &mut found);
        assert_eq!(found.len(), FOUND_MAX);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        for bytes in [&[0xff, b'@', 0xff][..], &[b'+', 0xff], b"@@@@", b".@.", "é@é.é".as_bytes()]
        {
            find(bytes, &mut BTreeSet::new());
        }
    }
}
