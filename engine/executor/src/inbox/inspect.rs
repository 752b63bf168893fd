//! What a reader's eye would miss in the bytes: hidden characters, look-alikes, secrets.
//!
//! Nothing is ever stripped from the bytes; what is hidden is shown.

use placet_model::request::{Body, Part, PreparedRequest};
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

/// As [`visible`], and on one line: what stands in a list begins no line of its own.
pub fn one_line(text: &str) -> String {
    visible(text).replace('\n', "‹U+000A›").replace('\t', "‹U+0009›")
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
    unshown(request, &view, &mut remarks);
    remarks
}

/// What the decoded view of a request does not tell apart: so that unequal requests never look
/// equal, even to somebody who does not compare digests.
fn unshown(request: &PreparedRequest, view: &Value, remarks: &mut Vec<Value>) {
    let mut add = |kind: &str, at: String, detail: String| {
        remarks.push(json!({"kind": kind, "at": at, "detail": detail}));
    };
    for (place, (name, _)) in request.headers.iter().enumerate() {
        let same = |(known, _): &&(String, _)| known.eq_ignore_ascii_case(name);
        if request.headers[..place].iter().any(|known| same(&known)) {
            let every = request.headers.iter().map(|(n, value)| format!("{n}: {value}"));
            let detail = visible(&every.collect::<Vec<_>>().join(" | "));
            add("repeated_header", format!("/headers/{name}"), detail);
        }
    }
    let mut texts = vec![("/url".to_owned(), &request.url)];
    let headers = request.headers.iter().enumerate();
    texts.extend(headers.map(|(place, (name, value))| (format!("/headers/{place}/{name}"), value)));
    if let Body::Text(text) = &request.body {
        texts.push(("/body".to_owned(), text));
    }
    for (at, text) in texts {
        for (place, part) in text.0.iter().enumerate() {
            if let Part::Text(plain) = part
                && plain.contains(['‹', '›'])
            {
                let detail = format!("part {place} is plain text, no hole: {}", visible(plain));
                add("looks_like_a_hole", at.clone(), detail);
            }
        }
    }
    if let Body::Bytes(bytes) = &request.body
        && let Ok(text) = std::str::from_utf8(bytes)
        && !says_the_same(&view["body"], text)
    {
        add("as_sent", "/body".to_owned(), visible(text));
    }
}

/// Whether the decoded body is all that there is to see of this text: no member twice, no number
/// that is rounded, no text that only looks like JSON.
fn says_the_same(shown: &Value, text: &str) -> bool {
    match shown {
        Value::Null => false,
        Value::String(plain) => plain == text,
        shown => serde_json::to_string(shown).is_ok_and(|again| again == text),
    }
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

/// Whether something in a text looks like a credential.
pub(crate) fn has_secret(text: &str) -> bool {
    let words = text.split(|letter: char| letter.is_whitespace() || "\"'<>(),:=".contains(letter));
    words.into_iter().any(looks_secret)
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
pub(crate) fn has_card_number(text: &str) -> bool {
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
    use placet_model::request::{Hole, HoleKind, HoledText};

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

    /// Numbers from a seed (splitmix64).
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
        }

        fn text(&mut self) -> HoledText {
            let hole = Hole { hole: HoleKind::Credential, name: "token".into() };
            let parts = (0..=self.below(2)).map(|_| match self.below(4) {
                0 => Part::Hole(hole.clone()),
                1 => Part::Text("‹credential:token›".into()),
                2 => Part::Text("a".into()),
                _ => Part::Text("b".into()),
            });
            HoledText(parts.collect())
        }

        fn request(&mut self) -> PreparedRequest {
            const BODIES: [&[u8]; 12] = [
                br#"{"a":1}"#,
                br#"{"a":1,"a":2}"#,
                br#"{"a":2}"#,
                br#"{"a":2,"a":2}"#,
                br#"{"a":2.0}"#,
                br#"{ "a":2 }"#,
                b"null",
                b"",
                br#""x""#,
                b"x",
                b"\xff",
                b"/w==",
            ];
            let names = ["X", "x", "Content-Type"];
            let headers = (0..self.below(3)).map(|_| match self.below(3) {
                2 => ("Content-Type".to_owned(), HoledText::plain("application/json")),
                other => (names[other].to_owned(), self.text()),
            });
            let headers = headers.collect();
            let body = match self.below(3) {
                0 => Body::Empty,
                1 => Body::Bytes(BODIES[self.below(BODIES.len())].to_vec()),
                _ => Body::Bytes(BODIES[self.below(6)].to_vec()),
            };
            let method = ["POST", "PUT"][self.below(2)].to_owned();
            PreparedRequest { method, url: self.text(), headers, body }
        }
    }

    /// The same on the wire: adjacent texts are one text, and no bytes are no body.
    fn wire(request: &PreparedRequest) -> String {
        let text = |text: &HoledText| {
            let mut parts: Vec<Part> = vec![];
            for part in &text.0 {
                match (parts.last_mut(), part) {
                    (Some(Part::Text(before)), Part::Text(more)) => before.push_str(more),
                    (_, part) => parts.push(part.clone()),
                }
            }
            format!("{parts:?}")
        };
        let headers: Vec<_> = request.headers.iter().map(|(n, v)| (n, text(v))).collect();
        let body = match &request.body {
            Body::Bytes(bytes) => bytes.clone(),
            Body::Empty | Body::Text(_) => vec![],
        };
        format!("{} {} {headers:?} {body:?}", request.method, text(&request.url))
    }

    #[test]
    fn unequal_requests_never_look_equal() {
        let mut dice = Dice(1);
        let mut shown = std::collections::BTreeMap::new();
        for _ in 0..20_000 {
            let request = dice.request();
            // as a person sees it, digests aside
            let card = json!([request.to_view(), remarks(&request)]).to_string();
            let wire = wire(&request);
            let before = shown.entry(card.clone()).or_insert_with(|| wire.clone());
            assert_eq!(*before, wire, "{card}");
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
