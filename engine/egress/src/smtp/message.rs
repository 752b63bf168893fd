//! The envelope and the message, read back from the approved bytes and checked once more: what
//! servers read in different ways never leaves, wherever it came from.

use placet_adapters::render::{BODY_BYTES_MAX, MAIL_FROM, RCPT_TO};
use placet_adapters::{Cause, Failed, FilledRequest};

/// Bytes of a line without its end.
const LINE_MAX: usize = 998;

/// A mail that may be handed over.
pub(super) struct Mail {
    pub(super) from: String,
    pub(super) recipients: Vec<String>,
    /// Dots stuffed, the last line ended, the lone dot not yet there.
    pub(super) stuffed: Vec<u8>,
    /// Bytes of the message itself.
    pub(super) size: usize,
    pub(super) message_id: String,
}

pub(super) fn read(filled: &FilledRequest) -> Result<Mail, Failed> {
    let refuse = |words: &str| Failed::before(Cause::Refused, words);
    let header = |wanted: &str| {
        let found = filled.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.expose().to_owned())
    };
    let from = header(MAIL_FROM).ok_or_else(|| refuse("the envelope has no sender"))?;
    let to = header(RCPT_TO).ok_or_else(|| refuse("the envelope has no recipients"))?;
    let recipients: Vec<String> = to.split(',').map(str::to_owned).collect();
    if !recipients.iter().chain([&from]).all(|address| is_address(address)) {
        return Err(refuse("the envelope holds what is no address"));
    }
    if filled.body.len() > BODY_BYTES_MAX {
        return Err(refuse("the message is too large"));
    }
    let (stuffed, message_id) = stuff(&filled.body).map_err(refuse)?;
    Ok(Mail { from, recipients, stuffed, size: filled.body.len(), message_id })
}

fn is_address(text: &str) -> bool {
    text.split('@').count() == 2
        && text.len() <= 254
        && !text.starts_with('@')
        && !text.ends_with('@')
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>,;\"\\".contains(&byte))
}

/// RFC 5321 §4.5.2, and the Message-ID on the way.
fn stuff(message: &[u8]) -> Result<(Vec<u8>, String), &'static str> {
    let text = std::str::from_utf8(message).map_err(|_no_text| "the message is no ASCII")?;
    let mut stuffed = Vec::with_capacity(message.len() + 64);
    let (mut id, mut in_head) = (String::new(), true);
    for line in text.strip_suffix("\r\n").unwrap_or(text).split("\r\n") {
        let plain = line.bytes().all(|byte| byte == b'\t' || (0x20..0x7f).contains(&byte));
        if line.len() > LINE_MAX || !plain {
            return Err(
                "a line of the message is too long, or holds what servers read differently",
            );
        }
        in_head &= !line.is_empty();
        if in_head && let Some(value) = line.strip_prefix("Message-ID: ") {
            value.clone_into(&mut id);
        }
        if line.starts_with('.') {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line.as_bytes());
        stuffed.extend_from_slice(b"\r\n");
    }
    Ok((stuffed, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_is_doubled_and_the_last_line_is_ended() {
        let (stuffed, id) = stuff(b"Message-ID: <1@x>\r\n\r\n.\r\n..a\r\nb").unwrap();
        assert_eq!(stuffed, b"Message-ID: <1@x>\r\n\r\n..\r\n...a\r\nb\r\n");
        assert_eq!(id, "<1@x>");
    }

    #[test]
    fn what_servers_read_differently_never_leaves() {
        let long = "x".repeat(999);
        for bad in ["a\n.\nb", "a\r.\rb", "a\r\n.\n", "a\0", "ü", long.as_str()] {
            assert!(stuff(bad.as_bytes()).is_err(), "{bad:?}");
        }
        for bad in ["a", "a@", "@b", "a@b@c", "<a@b>", "a b@c", "a@b\r\nRCPT TO:<c@d>", "a@b,c"] {
            assert!(!is_address(bad), "{bad:?}");
        }
        assert!(is_address("a.b+c@example.org"));
    }
}
