//! URLs: a template whose first placeholder may be a checked setting, and whose others are one
//! percent-encoded path segment each.

use super::Error;
use crate::json::scalar_text;
use crate::manifest::Operation;
use crate::template::{Name, Part, Scope, Template, ValueTemplate};
use placet_model::request::{Hole, HoleKind, HoledText, Part as HoledPart};
use serde_json::Value;
use std::fmt::Write as _;
use url::Url;

/// Longest URL that is sent.
const URL_BYTES_MAX: usize = 8000;
/// Schemes of what is asked over HTTP.
pub(super) const WEB_SCHEMES: &[&str] = &["https", "http"];
/// Schemes of mail servers: TLS from the first byte, TLS before anything is said, and none, which
/// only a stand-in on this machine gets.
pub(super) const MAIL_SCHEMES: &[&str] = &["smtps", "smtp", "smtp-plain"];

/// What is asked besides, the member and value of a page, and the schemes that may be.
type Asked<'a> = (&'a [(String, ValueTemplate)], Option<(&'a str, &'a str)>, &'a [&'a str]);

/// The address; a secret in its path (a bot's token) stays a hole.
pub(super) fn from_template(
    template: &Template,
    (query, page, schemes): Asked<'_>,
    scope: &Scope<'_>,
) -> Result<HoledText, Error> {
    let mut before: Vec<HoledPart> = Vec::new();
    let mut url = String::new();
    for (index, part) in template.parts.iter().enumerate() {
        match part {
            Part::Text(text) => url.push_str(text),
            Part::Place(place) if place.names.iter().any(Name::is_hole) => {
                let [Name::Secret(field)] = place.names.as_slice() else {
                    return Err(Error::Hole { reason: "only a secret stands in a url" });
                };
                let name = field.clone();
                before.push(HoledPart::Text(std::mem::take(&mut url)));
                before.push(HoledPart::Hole(Hole { hole: HoleKind::Credential, name }));
            }
            Part::Place(place) => {
                let label = place.label();
                let is_base = index == 0 && matches!(place.names.as_slice(), [Name::Config(_)]);
                let text = Template { parts: vec![part.clone()] }.text(scope)?.unwrap_or_default();
                let refuse = || Error::PathParameter { name: label };
                url.push_str(&if is_base { text } else { segment(&text).ok_or_else(refuse)? });
            }
        }
    }
    let mut pairs = Vec::new();
    for (name, value) in query {
        if let Some(value) = value.value(scope)? {
            append(&mut pairs, name, &value)?;
        }
    }
    if let Some((name, cursor)) = page {
        pairs.retain(|(known, _)| known != name);
        pairs.push((name.to_owned(), cursor.to_owned()));
    }
    let asks = before.iter().any(|part| stand_in(part).contains('?'));
    let url = if asks {
        // the text before a secret has begun the query
        pairs
            .iter()
            .fold(url, |url, (name, value)| format!("{url}&{}={}", encode(name), encode(value)))
    } else {
        with_query(url, &pairs)
    };
    if before.is_empty() {
        return Ok(HoledText::plain(checked_with(&url, schemes)?));
    }
    before.push(HoledPart::Text(url));
    // a secret is written as one segment; what stands around it must be a url with any of them
    checked_with(&before.iter().map(stand_in).collect::<String>(), schemes)?;
    Ok(HoledText(before))
}

/// The secret as the last parameter of the query: a hole until the bytes leave.
pub(super) fn with_secret(url: &mut HoledText, name: &str, field: &str) {
    let asks = url.0.iter().any(|part| stand_in(part).contains('?'));
    let text = format!("{}{}=", if asks { '&' } else { '?' }, encode(name));
    match url.0.last_mut() {
        Some(HoledPart::Text(before)) => before.push_str(&text),
        Some(HoledPart::Hole(_)) | None => url.0.push(HoledPart::Text(text)),
    }
    url.0.push(HoledPart::Hole(Hole { hole: HoleKind::Credential, name: field.to_owned() }));
}

const fn stand_in(part: &HoledPart) -> &str {
    match part {
        HoledPart::Text(text) => text.as_str(),
        HoledPart::Hole(_) => "secret",
    }
}

/// One path segment, percent-encoded. What could walk the path is refused, not encoded: a server
/// or a proxy may decode before it routes.
pub(crate) fn segment(text: &str) -> Option<String> {
    let walks = text.is_empty() || text == "." || text.contains("..") || text.contains(['/', '\\']);
    (!walks && !text.chars().any(char::is_control)).then(|| encode(text))
}

/// RFC 3986 unreserved characters stay, everything else is `%XX` of its UTF-8.
pub(crate) fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a string cannot fail");
        }
        out
    })
}

/// A query value: scalar → text, null → left out, list → the key repeated.
pub(crate) fn append(
    pairs: &mut Vec<(String, String)>,
    name: &str,
    value: &Value,
) -> Result<(), Error> {
    match value {
        Value::Null => Ok(()),
        Value::Array(items) => items.iter().try_for_each(|item| append(pairs, name, item)),
        scalar => {
            let text =
                scalar_text(scalar).ok_or(Error::Url { reason: "a query value is an object" })?;
            pairs.push((name.to_owned(), text));
            Ok(())
        }
    }
}

pub(crate) fn with_query(mut url: String, pairs: &[(String, String)]) -> String {
    for (name, value) in pairs {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.extend([&encode(name), "=", &encode(value)]);
    }
    url
}

/// # Errors
/// Anything but an absolute http or https URL without user info and fragment. Which schemes and
/// addresses may be reached is decided again by the transport.
pub(crate) fn checked(text: &str) -> Result<Url, Error> {
    checked_with(text, WEB_SCHEMES)
}

fn checked_with(text: &str, schemes: &[&str]) -> Result<Url, Error> {
    let refuse = |reason| Error::Url { reason };
    if text.len() > URL_BYTES_MAX {
        return Err(refuse("it is longer than 8000 bytes"));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(refuse("it holds white space or a control character"));
    }
    if walks(text) {
        return Err(refuse("its path holds a dot segment or a backslash"));
    }
    let url = Url::parse(text).map_err(|_ignored| refuse("it cannot be parsed"))?;
    if !schemes.contains(&url.scheme()) {
        return Err(refuse("its scheme is neither https nor http, nor that of a mail server"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it holds a user name or a password"));
    }
    if url.fragment().is_some() {
        return Err(refuse("it has a fragment"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(refuse("it names no host"));
    }
    Ok(url)
}

/// Whether the path is another one once it is read: a dot segment, in any spelling that readers of
/// URLs know, or a backslash, which they take for a slash.
fn walks(text: &str) -> bool {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let dots = |segment: &str| {
        matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
    };
    path.contains('\\') || path.split('/').any(dots)
}

/// A literal host is one of `hosts`; a configured one passed the setting's pattern.
pub(super) fn check_host(
    url: &HoledText,
    operation: &Operation,
    template: &Template,
) -> Result<(), Error> {
    if matches!(template.parts.first(), Some(Part::Place(_))) {
        return Ok(());
    }
    let url = checked(&url.0.iter().map(stand_in).collect::<String>())?;
    let host = url.host_str().unwrap_or_default();
    if operation.hosts.iter().any(|known| known == host) {
        return Ok(());
    }
    Err(Error::Host { host: host.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_parameter_is_one_encoded_segment() {
        let one = segment;
        assert_eq!(one("a b?c#d%2e").unwrap(), "a%20b%3Fc%23d%252e");
        assert_eq!(one("ünï").unwrap(), "%C3%BCn%C3%AF");
        for bad in ["", ".", "..", "a/b", "a\\b", "../x", "a..b", "a\nb", "a\0", "\u{202e}/"] {
            assert!(one(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_query_value_cannot_add_a_parameter() {
        let mut pairs = Vec::new();
        append(&mut pairs, "q", &serde_json::json!(["a&b=c", 1.0, true])).unwrap();
        append(&mut pairs, "none", &Value::Null).unwrap();
        let url = with_query("https://example.com/x".into(), &pairs);
        assert_eq!(url, "https://example.com/x?q=a%26b%3Dc&q=1&q=true");
        assert!(append(&mut pairs, "q", &serde_json::json!({"a": 1})).is_err());
    }

    #[test]
    fn a_url_that_is_not_plain_is_refused() {
        for bad in [
            "ftp://example.com",
            "https://user@example.com",
            "https://u:p@example.com",
            "https://example.com/#x",
            "/relative",
            "https://",
            "https://exa mple.com",
            "https://example.com/\r\nx",
            "javascript:alert(1)",
            "https://example.com/a/../b",
            "https://example.com/a/%2E%2e/b",
            "https://example.com/a/.",
            "https://example.com/a\\..\\b",
        ] {
            assert!(checked(bad).is_err(), "{bad}");
        }
        for good in ["https://example.com/a..b/...?x=../y", "https://example.com/.well-known/x"] {
            assert!(checked(good).is_ok(), "{good}");
        }
    }
}
