//! Plausible words: by the name of a property, by a format, or just a sentence. Every address is
//! of a domain reserved for examples (RFC 2606), so that nothing real is ever named.

use crate::seed::Choices;
use placet_model::Timestamp;

const WORDS: [&str; 24] = [
    "river", "copper", "meadow", "lantern", "harbor", "willow", "granite", "orchard", "saffron",
    "winter", "amber", "cedar", "north", "summit", "garden", "marble", "ocean", "paper", "quiet",
    "silver", "thunder", "velvet", "walnut", "yellow",
];
const PEOPLE: [&str; 8] = [
    "Ana Silva",
    "Ben Okoro",
    "Chen Wei",
    "Dana Levi",
    "Emil Novak",
    "Fatima Rahman",
    "Greta Lind",
    "Hugo Marin",
];

pub(super) fn sentence(choices: &mut Choices) -> String {
    let count = 2 + choices.below(3);
    (0..count).map(|_| *choices.pick(&WORDS)).collect::<Vec<_>>().join(" ")
}

/// What APIs usually keep under this name.
pub(super) fn by_name(hint: &str, choices: &mut Choices) -> Option<String> {
    let name = hint.to_ascii_lowercase();
    let ends = |suffixes: &[&str]| {
        suffixes.iter().any(|suffix| name == *suffix || name.ends_with(&format!("_{suffix}")))
    };
    Some(match () {
        () if ends(&["email", "mail"]) => email(choices),
        () if ends(&["url", "uri", "href", "link", "permalink"]) => url(choices),
        () if matches!(
            name.as_str(),
            "user" | "real_name" | "full_name" | "display_name" | "author" | "owner"
        ) =>
        {
            (*choices.pick(&PEOPLE)).to_owned()
        }
        () if ends(&["cursor", "next_cursor"]) => String::new(),
        () if ends(&["name", "slug", "username", "login", "team", "domain"]) => word(choices),
        () if ends(&["id"]) => choices.letters(b"0123456789abcdefghijklmnopqrstuvwxyz", 12),
        () if ends(&["phone"]) => format!("+1555{}", choices.letters(b"0123456789", 7)),
        () if ends(&["currency"]) => "usd".to_owned(),
        () if ends(&["country"]) => "US".to_owned(),
        () if ends(&["timezone", "tz"]) => "Etc/UTC".to_owned(),
        () => return None,
    })
}

/// A text of this format; unknown formats are no rule.
pub(super) fn by_format(
    format: &str,
    hint: &str,
    choices: &mut Choices,
    now: Timestamp,
) -> Option<String> {
    let moment = now.to_string();
    Some(match format {
        "date-time" => moment,
        "date" => moment.split('T').next().unwrap_or_default().to_owned(),
        "time" => moment.split('T').nth(1).unwrap_or_default().to_owned(),
        "duration" => "P1D".to_owned(),
        "email" | "idn-email" => email(choices),
        "hostname" | "idn-hostname" => format!("{}.example.com", word(choices)),
        "ipv4" => format!("192.0.2.{}", choices.below(255)),
        "ipv6" => format!("2001:db8::{:x}", choices.below(65_535)),
        "uri" | "iri" | "url" => url(choices),
        "uri-reference" | "iri-reference" | "json-pointer" => format!("/{}", word(choices)),
        "uri-template" => format!("https://example.com/{}/{{id}}", word(choices)),
        "uuid" => uuid(choices),
        "relative-json-pointer" => "0".to_owned(),
        "regex" => "^[a-z]+$".to_owned(),
        _ => return by_name(hint, choices),
    })
}

pub(crate) fn uuid(choices: &mut Choices) -> String {
    let mut hex = choices.letters(b"0123456789abcdef", 32);
    hex.replace_range(12..13, "4");
    hex.replace_range(16..17, "a");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn word(choices: &mut Choices) -> String {
    (*choices.pick(&WORDS)).to_owned()
}

fn email(choices: &mut Choices) -> String {
    format!("{}.{}@example.com", choices.pick(&WORDS), choices.below(100))
}

fn url(choices: &mut Choices) -> String {
    format!("https://example.com/{}/{}", choices.pick(&WORDS), choices.below(1000))
}
