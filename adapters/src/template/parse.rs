//! Text → [`Template`]. Every name is known here, so a typing error is a load error.

use super::{Absent, Name, Part, Placeholder, Template};
use crate::pointer::Pointer;

/// A template that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("a brace is not closed in {text:?}")]
    Unclosed { text: String },
    #[error("a closing brace without an opening one in {text:?}")]
    Unopened { text: String },
    #[error("unknown placeholder {{{name}}}")]
    UnknownName { name: String },
    #[error("placeholder {{{name}}} is not built yet")]
    NotBuilt { name: String },
    #[error("{{{name}}} is filled at send time and cannot be optional or have alternatives")]
    HoleWithAlternative { name: String },
}

pub(super) fn template(text: &str) -> Result<Template, Error> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at(open);
        if after.starts_with('}') {
            return Err(Error::Unopened { text: text.to_owned() });
        }
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        let close = after.find('}').ok_or_else(|| Error::Unclosed { text: text.to_owned() })?;
        parts.push(Part::Place(placeholder(&after[1..close])?));
        rest = &after[close + 1..];
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(Template { parts })
}

fn placeholder(inside: &str) -> Result<Placeholder, Error> {
    let (names, absent) = match inside.strip_suffix('?') {
        Some(names) => (names, Absent::Drop),
        None => (inside, Absent::Refuse),
    };
    let names = alternatives(names)?;
    let plain = names.len() == 1 && absent == Absent::Refuse;
    if !plain && names.iter().any(Name::is_hole) {
        return Err(Error::HoleWithAlternative { name: inside.to_owned() });
    }
    Ok(Placeholder { names, absent })
}

/// `payment_intent|charge`, `/message/thread_ts|/ts`.
fn alternatives(text: &str) -> Result<Vec<Name>, Error> {
    text.split('|').map(|one| name(one.trim())).collect()
}

fn name(text: &str) -> Result<Name, Error> {
    let unknown = || Error::UnknownName { name: text.to_owned() };
    let pointer = |pointer: &str| Pointer::exact(pointer).map_err(|_ignored| unknown());
    let word = |word: &str| if is_word(word) { Ok(word.to_owned()) } else { Err(unknown()) };
    if text.starts_with('/') {
        return pointer(text).map(Name::Response);
    }
    if let Some(rest) = text.strip_prefix("input.") {
        return Pointer::parse(rest).map(Name::Input).map_err(|_ignored| unknown());
    }
    if let Some(rest) = text.strip_prefix("lookup.") {
        return pointer(rest).map(Name::Lookup);
    }
    if let Some(rest) = text.strip_prefix("target.") {
        return word(rest).map(Name::TargetPart);
    }
    if let Some(rest) = text.strip_prefix("config.") {
        return word(rest).map(Name::Config);
    }
    if let Some(rest) = text.strip_prefix("header:") {
        let named = crate::render::is_header_name(rest);
        return named.then(|| Name::ResponseHeader(rest.to_owned())).ok_or_else(unknown);
    }
    if let Some(rest) = text.strip_prefix("secret:") {
        return word(rest).map(Name::Secret);
    }
    if let Some(rest) = text.strip_prefix("secret_user:") {
        return word(rest).map(Name::SecretUser);
    }
    if let Some(rest) = text.strip_prefix("secret_password:") {
        return word(rest).map(Name::SecretPassword);
    }
    if let Some(rest) = text.strip_prefix("sent_at_minus:") {
        return rest.parse().map(Name::SentAtMinus).map_err(|_ignored| unknown());
    }
    if let Some(rest) = text.strip_prefix("sent_at_minus_iso:") {
        return rest.parse().map(Name::SentAtMinusIso).map_err(|_ignored| unknown());
    }
    match text {
        "target" => Ok(Name::Target),
        "send_id" => Ok(Name::SendId),
        "send_uuid" => Ok(Name::SendUuid),
        "send_b32hex" => Ok(Name::SendBase32Hex),
        "draft.time" => Ok(Name::DraftTime),
        "attempt.timestamp" => Ok(Name::AttemptTimestamp),
        "attempt.signature" => Ok(Name::AttemptSignature),
        "api_version" => Ok(Name::ApiVersion),
        "mode" => Ok(Name::Mode),
        "money" => Ok(Name::Money),
        "page.cursor" => Ok(Name::PageCursor),
        _ if text.starts_with("connection.") => Err(Error::NotBuilt { name: text.to_owned() }),
        _ => Err(unknown()),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_text_and_placeholders_are_told_apart() {
        let template = template("Bearer {secret:access_token}").unwrap();
        assert_eq!(template.parts.len(), 2);
        assert!(template.has_hole() && template.whole().is_none());
        assert!(Template::parse("plain").unwrap().is_literal());
        assert!(Template::parse("").unwrap().is_literal());
        assert!(Template::parse("{send_id}").unwrap().whole().is_some());
    }

    #[test]
    fn alternatives_keep_their_order() {
        let template = template("{/message/thread_ts|/ts}").unwrap();
        let names: Vec<_> = template.names().collect();
        assert!(matches!(names.as_slice(), [Name::Response(a), Name::Response(b)]
            if a.as_str() == "/message/thread_ts" && b.as_str() == "/ts"));
    }

    #[test]
    fn a_typing_error_is_a_load_error() {
        for bad in [
            "{inputs./x}",
            "{input.x}",
            "{secret:}",
            "{",
            "a}",
            "{}",
            "{config.a.b}",
            "{sent_at_minus:x}",
        ] {
            assert!(template(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_hole_has_no_alternative_and_is_never_optional() {
        for bad in ["{secret:a?}", "{secret:a|send_id}", "{attempt.timestamp?}"] {
            assert!(matches!(template(bad), Err(Error::HoleWithAlternative { .. })), "{bad}");
        }
    }

    #[test]
    fn names_of_later_capabilities_say_so() {
        assert!(matches!(template("{connection.bot_id}"), Err(Error::NotBuilt { .. })));
        for built in ["{page.cursor}", "{lookup./currency}", "{mode}", "{money}", "{api_version}"] {
            assert!(template(built).is_ok(), "{built}");
        }
    }
}
