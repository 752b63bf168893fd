//! What a reader's eye would miss in the bytes: hidden characters, look-alikes, secrets.
//!
//! Nothing is ever stripped from the bytes; what is hidden is shown.

use placet_model::request::{Body, PreparedRequest};
use serde_json::{Value, json};
use std::fmt::Write as _;
use unicode_security::MixedScript as _;

/// Text with every invisible or reordering character written out, `‹U+202E›`.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        let joins_emoji = letter == '\u{200d}'
            && before.is_some_and(is_pictograph)
            && rest.peek().copied().is_some_and(is_pictograph);
        if is_hidden(letter) && !joins_emoji {
            let _never_fails = write!(shown, "‹U+{:04X}›", u32::from(letter));
        } else {
            shown.push(letter);
        }
        before = Some(letter);
    }
    shown
}

/// Bidirectional controls, zero-width and tag characters, fillers, variation selectors, and
/// controls other than line feed and tab.
const fn is_hidden(letter: char) -> bool {
    matches!(letter,
        '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

const fn is_pictograph(letter: char) -> bool {
    matches!(letter, '\u{2600}'..='\u{27bf}' | '\u{1f000}'..='\u{1faff}' | '\u{fe0f}')
}

/// Remarks about the bytes: a line per finding.
pub(super) fn remarks(request: &PreparedRequest) -> Vec<Value> {
    let view = request.to_view();
    let mut remarks = vec![];
    texts(&view, &mut String::new(), &mut |place, text| remark(place, text, &mut remarks));
    if let Body::Bytes(bytes) = &request.body
        && std::str::from_utf8(bytes).is_err()
    {
        let detail = format!("{} bytes that are no text", bytes.len());
        remarks.push(json!({"kind": "uninspectable", "at": "/body", "detail": detail}));
    }
    remarks
}

fn texts(value: &Value, place: &mut String, visit: &mut impl FnMut(&str, &str)) {
    let mark = place.len();
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => visit(place, text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                place.push('/');
                place.push_str(&index.to_string());
                texts(item, place, visit);
                place.truncate(mark);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                place.push('/');
                place.push_str(key);
                visit(place, key);
                texts(member, place, visit);
                place.truncate(mark);
            }
        }
    }
}

fn remark(place: &str, text: &str, remarks: &mut Vec<Value>) {
    let mut add = |kind: &str, detail: String| {
        let found = json!({"kind": kind, "at": place, "detail": detail});
        if !remarks.contains(&found) {
            remarks.push(found);
        }
    };
    let shown = visible(text);
    if shown != text {
        add("hidden_characters", shown);
    }
    for word in text.split(|letter: char| letter.is_whitespace() || "/:@.\"'<>()".contains(letter))
    {
        if !word.is_ascii() && !word.is_single_script() {
            add("mixed_scripts", visible(word));
        }
    }
    for word in text.split_whitespace().filter(|word| looks_secret(word)) {
        let head: String = word.chars().take(6).collect();
        add("secret", format!("{head}… looks like a credential"));
    }
    if has_card_number(text) {
        add("card_number", "a number that passes the check of payment cards".to_owned());
    }
}

fn looks_secret(word: &str) -> bool {
    const PREFIXES: [&str; 10] = [
        "xoxb-",
        "xoxp-",
        "xoxe.",
        "sk_live_",
        "rk_live_",
        "ghp_",
        "github_pat_",
        "AKIA",
        "whsec_",
        "-----BEGIN",
    ];
    PREFIXES.iter().any(|prefix| word.starts_with(prefix))
}

/// 13 to 19 digits, spaces and dashes between them allowed, that pass the Luhn check.
fn has_card_number(text: &str) -> bool {
    text.split(|letter: char| !(letter.is_ascii_digit() || letter == ' ' || letter == '-')).any(
        |piece| {
            let digits: Vec<u32> = piece.chars().filter_map(|letter| letter.to_digit(10)).collect();
            (13..=19).contains(&digits.len()) && luhn(&digits)
        },
    )
}

fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => *digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_written_out_and_emoji_stay_whole() {
        for (text, shown) in [
            ("pay\u{202e}lap", "pay‹U+202E›lap"),
            ("a\u{200b}b", "a‹U+200B›b"),
            ("x\u{e0041}", "x‹U+E0041›"),
            ("soft\u{ad}hyphen", "soft‹U+00AD›hyphen"),
            ("bell\u{7}", "bell‹U+0007›"),
            ("plain text\n\ttab", "plain text\n\ttab"),
            ("👩\u{200d}💻", "👩\u{200d}💻"),
            ("a\u{200d}b", "a‹U+200D›b"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn look_alikes_secrets_and_card_numbers_are_remarked() {
        let mut found = vec![];
        remark("/body/text", "see p\u{430}ypal.com", &mut found);
        remark("/body/text", "token xoxb-123-456", &mut found);
        remark("/body/text", "card 4111 1111 1111 1111", &mut found);
        remark("/body/text", "order 4111 1111 1111 1112", &mut found);
        let kinds: Vec<_> = found.iter().map(|f| f["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["mixed_scripts", "secret", "card_number"]);
    }
}
