//! One header is one line (RFC 9110 §5): no CR, LF or other control character gets in.

use super::Error;
use placet_model::request::{HoledText, Part};

/// Headers that the transport writes itself; a value of ours could split or re-frame the request.
const RESERVED: [&str; 9] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-authorization",
];

/// A token of RFC 9110.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// An upper-case method that we send.
pub(crate) fn is_method(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "POST" | "PUT" | "PATCH" | "DELETE")
}

/// What a mail server is asked for: to take a mail, or nothing but who we are to it.
pub(crate) fn is_mail_method(method: &str) -> bool {
    matches!(method, "MAIL" | "NOOP")
}

/// HTTP clients add an Accept header of their own where there is none. It is said here, so that it
/// stands in the approved bytes.
pub(crate) fn accept(headers: &mut Vec<(String, HoledText)>, media: &str) {
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept")) {
        headers.push(("Accept".to_owned(), HoledText::plain(media)));
    }
}

/// # Errors
/// A name that is no token or is the transport's own; a value with a control character or with
/// anything but ASCII, which servers read in different ways.
pub(crate) fn check(name: &str, value: &HoledText) -> Result<(), Error> {
    let refuse = |reason| Err(Error::Header { name: name.escape_default().to_string(), reason });
    if !is_name(name) {
        return refuse("the name is no token");
    }
    if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
        return refuse("the transport writes it itself");
    }
    let clean = value.0.iter().all(|part| match part {
        Part::Text(text) => text.bytes().all(|byte| byte == b'\t' || (0x20..0x7f).contains(&byte)),
        Part::Hole(_) => true,
    });
    if clean {
        Ok(())
    } else {
        refuse("the value holds a line break, a control character or non-ASCII text")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, value: &str) -> bool {
        check(name, &HoledText::plain(value)).is_err()
    }

    #[test]
    fn a_line_break_in_a_header_is_refused() {
        for value in ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\u{7f}", "é", "\u{85}"] {
            assert!(refused("X-Note", value), "{value:?}");
        }
        assert!(!refused("X-Note", "plain text, with; signs=\"and\" a\ttab"));
    }

    #[test]
    fn a_name_is_a_token_and_framing_headers_are_the_transports() {
        for name in
            ["", "X Note", "X:Note", "X-Note\r\n", "Host", "content-length", "Transfer-Encoding"]
        {
            assert!(refused(name, "x"), "{name:?}");
        }
    }
}
