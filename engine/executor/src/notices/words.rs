//! The words of a notice: fixed, but for counts, names of the project's own people, and the operator's
//! link. Pure.

use super::pending::Part;
use crate::inbox::{has_card_number, has_secret, one_line, visible};
use placet_model::Principal;
use placet_model::event::notice::NoticeAbout;
use placet_model::project::ProjectConfig;
use serde_json::Value;
use std::fmt::Write as _;

/// Items that a notice names, where the policy lets it name any.
pub(super) const NAMED_MAX: usize = 10;
/// Letters of what it says of one.
const NAMED_LETTERS_MAX: usize = 160;

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) link: String,
}

/// What a message is about.
#[derive(Debug, Default)]
pub(super) struct Facts<'f> {
    pub(super) counts: Vec<(NoticeAbout, u32)>,
    pub(super) alarmed: Vec<&'f Principal>,
    /// Names of connections, what of them has failed, and why; none where it is good again.
    pub(super) connections: Vec<(&'f str, Part, Option<&'f str>)>,
    /// Lines about the items, where the policy allows them.
    pub(super) named: Vec<String>,
}

/// Any message, for checks of a channel's form.
pub(super) fn sample(config: &ProjectConfig) -> Words {
    let facts = Facts { counts: vec![(NoticeAbout::Waiting, 1)], ..Facts::default() };
    words(config, &facts)
}

/// The message.
pub(super) fn words(config: &ProjectConfig, facts: &Facts<'_>) -> Words {
    let link = config.notify.url.clone().unwrap_or_default();
    let lines: Vec<String> =
        facts.counts.iter().map(|(about, count)| line(*about, *count, facts)).collect();
    let first = lines.first().cloned().unwrap_or_default();
    let subject = format!("Placet ({}): {first}", config.project);
    let mut text = format!("Placet ({}): {}.", config.project, lines.join("; "));
    for named in &facts.named {
        add(&mut text, format_args!("\n- {named}"));
    }
    if link.is_empty() {
        text.push_str("\nSee `placet inbox list`. This message decides nothing.");
    } else {
        add(&mut text, format_args!("\n{link}\nOpening the link decides nothing."));
    }
    Words { subject, text, link }
}

fn add(text: &mut String, piece: std::fmt::Arguments<'_>) {
    text.write_fmt(piece).expect("a String takes all text");
}

fn line(about: NoticeAbout, count: u32, facts: &Facts<'_>) -> String {
    let noun = if count == 1 { "request" } else { "requests" };
    let verb = |one, many| if count == 1 { one } else { many };
    match about {
        NoticeAbout::Waiting => {
            format!("{count} new {noun} {} for your decision", verb("waits", "wait"))
        }
        NoticeAbout::Reminder => {
            format!("{count} {noun} still {} for a decision", verb("waits", "wait"))
        }
        NoticeAbout::Escalation => {
            let have = verb("has", "have");
            format!("{count} {noun} {have} come to you, because nobody has decided so far")
        }
        NoticeAbout::BreakGlass => {
            let was = verb("was", "were");
            format!("{count} {noun} {was} sent by one person alone, in an emergency: look into it")
        }
        NoticeAbout::Alarm => {
            let names: Vec<&str> = facts.alarmed.iter().map(|who| who.as_str()).collect();
            format!("alarm: {} decides faster than one can read", names.join(", "))
        }
        NoticeAbout::Connection => {
            let words = facts.connections.iter().map(|(name, part, why)| match (part, why) {
                (Part::Credential, Some(why)) => format!(
                    "the connection {name} has failed ({}), and what goes through it waits",
                    named(why)
                ),
                (Part::Credential, None) => format!("the connection {name} is good again"),
                (Part::Subscription, Some(why)) => format!(
                    "the connection {name} hears nothing any more: its subscription has ended and was \
                     not renewed ({})",
                    named(why)
                ),
                (Part::Subscription, None) => format!("the connection {name} hears again"),
            });
            words.collect::<Vec<_>>().join("; ")
        }
    }
}

/// What may be said of an item: one line, hidden letters shown, no link, no mark-up that calls
/// somebody; nothing where it looks like a secret.
pub(super) fn named(text: &str) -> String {
    if has_secret(text) || has_card_number(text) {
        return "(withheld: it looks like a secret)".to_owned();
    }
    let line = one_line(&visible(text));
    let cut: String = line.chars().take(NAMED_LETTERS_MAX).collect();
    let plain = cut.replace("://", ": //").replace('<', "\u{2039}").replace('>', "\u{203a}");
    plain.replace('@', "(at)")
}

/// The channel's `with`, the engine's words in their places.
pub(super) fn filled(with: &Value, words: &Words) -> Value {
    match with {
        Value::String(text) => Value::String(fill(text, words)),
        Value::Array(items) => items.iter().map(|item| filled(item, words)).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), filled(value, words)));
            Value::Object(members.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => with.clone(),
    }
}

/// One pass: what is filled in is never looked at again.
fn fill(text: &str, words: &Words) -> String {
    let places = [("{text}", &words.text), ("{subject}", &words.subject), ("{link}", &words.link)];
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    'text: while !rest.is_empty() {
        for (place, word) in places {
            if let Some(after) = rest.strip_prefix(place) {
                filled.push_str(word);
                rest = after;
                continue 'text;
            }
        }
        let next = rest.char_indices().nth(1).map_or(rest.len(), |(at, _)| at);
        filled.push_str(&rest[..next]);
        rest = &rest[next..];
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(url: Option<&str>) -> ProjectConfig {
        let mut config = ProjectConfig { project: "acme".to_owned(), ..ProjectConfig::default() };
        config.notify.url = url.map(str::to_owned);
        config
    }

    #[test]
    fn a_message_has_the_operators_link_and_no_other() {
        let facts = Facts {
            counts: vec![(NoticeAbout::Waiting, 3), (NoticeAbout::Reminder, 1)],
            named: vec![named("slack.chat.postMessage: see https://evil.example/approve?id=1")],
            ..Facts::default()
        };
        let words = words(&config(Some("https://placet.example/")), &facts);
        assert_eq!(words.text.matches("://").count(), 1, "{}", words.text);
        assert!(
            words.text.contains("3 new requests wait for your decision; 1 request still waits")
        );
        assert_eq!(words.subject, "Placet (acme): 3 new requests wait for your decision");
    }

    #[test]
    fn a_connection_is_told_by_its_name_and_why_it_has_failed() {
        let facts = Facts {
            counts: vec![(NoticeAbout::Connection, 4)],
            connections: vec![
                ("slack", Part::Credential, Some("token_revoked")),
                ("mail", Part::Credential, None),
                ("gmail", Part::Subscription, Some("quota")),
                ("box", Part::Subscription, None),
            ],
            ..Facts::default()
        };
        let words = words(&config(None), &facts);
        let wanted = "Placet (acme): the connection slack has failed (token_revoked), and what goes through \
                      it waits; the connection mail is good again; the connection gmail hears nothing any \
                      more: its subscription has ended and was not renewed (quota); the connection box \
                      hears again.";
        assert!(words.text.starts_with(wanted), "{}", words.text);
    }

    #[test]
    fn what_is_named_cannot_call_hide_or_give_away() {
        assert_eq!(named("<!channel> ping @ana"), "\u{2039}!channel\u{203a} ping (at)ana");
        assert!(!named("a\nb\u{202e}c").contains(['\n', '\u{202e}']));
        assert!(named("key sk_live_abcdefghijklmnopqrstuvwx0123").starts_with("(withheld"));
        assert!(named("card 4111 1111 1111 1111").starts_with("(withheld"));
        assert_eq!(named(&"x".repeat(999)).len(), NAMED_LETTERS_MAX);
    }

    #[test]
    fn words_are_filled_in_once_and_what_they_say_is_never_looked_at_again() {
        let words = Words {
            subject: "{text}".to_owned(),
            text: "{link}{text}".to_owned(),
            link: "L".to_owned(),
        };
        let with = json!({"a": ["{subject} \u{e4} {other}", 1], "{text}": null, "b": "{{text}}"});
        let expected =
            json!({"a": ["{text} \u{e4} {other}", 1], "{text}": null, "b": "{{link}{text}}"});
        assert_eq!(filled(&with, &words), expected);
    }
}
