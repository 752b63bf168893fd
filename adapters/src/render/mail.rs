//! A mail for a mail server (RFC 5321): the message is the body, and the envelope stands beside it
//! as headers, because it is the envelope that says who gets the mail. Both are approved.
//!
//! Nobody but the envelope knows the blind copies: they are not in the message.

use super::Error;
use crate::mime;
use placet_model::Timestamp;
use placet_model::request::HoledText;
use serde_json::{Map, Value, json};

/// The envelope's sender.
pub const MAIL_FROM: &str = "Mail-From";
/// The envelope's recipients, with commas, in the order to, cc, bcc, each once.
pub const RCPT_TO: &str = "Rcpt-To";
/// Media type of the body of a mail.
pub(super) const MEDIA_TYPE: &str = "message/rfc822";
/// What every server takes in one mail (RFC 5321 §4.5.3.1.8).
const RECIPIENTS_MAX: usize = 100;
/// Bytes of a line without its end (RFC 5322 §2.1.1).
const LINE_MAX: usize = 998;
/// Bytes of an address (RFC 5321 §4.5.3.1.3, without the brackets).
const ADDRESS_MAX: usize = 254;

/// A mail, ready to be handed over.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) envelope: [(String, HoledText); 2],
    pub(super) message: Vec<u8>,
}

/// The mail of the fields that `mime` knows; the Message-ID is ours where the fields name none.
pub(super) fn mail(fields: &Value, send_id: &str, draft_time: Timestamp) -> Result<Mail, Error> {
    let refuse = |reason| Error::Body { reason };
    let fields = fields.as_object().ok_or_else(|| refuse("a mail is an object"))?;
    let from = addresses(fields, &["from"])?;
    let [from] = from.as_slice() else { return Err(refuse("a mail has one sender")) };
    let recipients = addresses(fields, &["to", "cc", "bcc"])?;
    if recipients.is_empty() || recipients.len() > RECIPIENTS_MAX {
        return Err(refuse("a mail has 1 to 100 recipients"));
    }
    let mut fields = fields.clone();
    fields.shift_remove("bcc");
    if fields.get("message_id").is_none_or(Value::is_null) {
        let domain = from.rsplit('@').next().unwrap_or_default();
        fields.insert("message_id".to_owned(), json!(format!("<{send_id}@{domain}>")));
    }
    let message = mime::message(&Value::Object(fields), send_id, draft_time).map_err(refuse)?;
    check_lines(&message).map_err(refuse)?;
    let line = |name: &str, text: String| (name.to_owned(), HoledText::plain(text));
    let envelope = [line(MAIL_FROM, from.clone()), line(RCPT_TO, recipients.join(","))];
    Ok(Mail { envelope, message })
}

/// The bare addresses of these fields, each once.
fn addresses(fields: &Map<String, Value>, names: &[&str]) -> Result<Vec<String>, Error> {
    let mut found: Vec<String> = Vec::new();
    for name in names {
        for text in mime::list(fields.get(*name)).map_err(|reason| Error::Body { reason })? {
            let bare = mime::bare_address(&text).map_err(|reason| Error::Body { reason })?;
            if bare.len() > ADDRESS_MAX {
                return Err(Error::Body { reason: "an address is longer than 254 bytes" });
            }
            if !found.iter().any(|known: &String| known.eq_ignore_ascii_case(&bare)) {
                found.push(bare);
            }
        }
    }
    Ok(found)
}

/// What servers read in different ways, which is how one mail becomes two (SMTP smuggling).
fn check_lines(message: &[u8]) -> Result<(), &'static str> {
    let text = std::str::from_utf8(message).map_err(|_no_text| "a mail is no text")?;
    for line in text.split("\r\n") {
        if line.len() > LINE_MAX {
            return Err("a line of the mail is longer than 998 bytes");
        }
        if !line.bytes().all(|byte| byte == b'\t' || (0x20..0x7f).contains(&byte)) {
            return Err("a line of the mail holds a control character or no ASCII");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "abcdefghijklmnopqrstuvwxyz234567abcdefgh";

    fn written(fields: &Value) -> Result<Mail, Error> {
        mail(fields, ID, "2026-01-01T00:00:09Z".parse().unwrap())
    }

    #[test]
    fn the_envelope_holds_everybody_once_and_the_message_no_blind_copy() {
        let mail = written(&json!({
            "from": "Ana <ana@example.com>", "to": ["Ben <ben@example.org>", "c@example.org"],
            "cc": "BEN@example.org", "bcc": "d@example.org", "subject": "Hi", "text": "x",
        }))
        .unwrap();
        let [from, to] = mail.envelope.map(|(_, value)| value.to_string());
        assert_eq!(
            (from.as_str(), to.as_str()),
            ("ana@example.com", "ben@example.org,c@example.org,d@example.org")
        );
        let message = String::from_utf8(mail.message).unwrap();
        assert!(!message.contains("d@example.org"), "{message}");
        assert!(message.contains(&format!("Message-ID: <{ID}@example.com>\r\n")), "{message}");
        assert!(message.contains("Cc: BEN@example.org\r\n"), "{message}");
    }

    #[test]
    fn a_domain_of_another_script_goes_as_dns_has_it_and_a_mailbox_of_one_does_not_go() {
        let to = |to: &str| {
            written(&json!({"from": "a@example.com", "to": to, "text": "x"}))
                .map(|mail| (mail.envelope[1].1.to_string(), mail.message))
        };
        let (envelope, message) = to("Jürgen <ana@bücher.example>").unwrap();
        assert_eq!(envelope, "ana@xn--bcher-kva.example");
        let message = String::from_utf8(message).unwrap();
        assert!(message.contains("<ana@xn--bcher-kva.example>") && message.is_ascii(), "{message}");
        for (address, says) in [
            ("jürgen@example.org", "SMTPUTF8"),
            ("Jürgen <用户@例子.example>", "SMTPUTF8"),
            ("ana@bü cher.example", "is none"),
            ("ana", "no @"),
        ] {
            let told = to(address).unwrap_err().to_string();
            assert!(told.contains(says), "{address}: {told}");
            assert!(!told.contains("rgen"), "an error never repeats the input: {told}");
        }
    }

    #[test]
    fn a_mail_that_servers_could_read_in_two_ways_is_not_made() {
        let with = |name: &str, value: Value| {
            let mut fields = json!({"from": "a@example.com", "to": "b@example.com", "text": "x"});
            fields[name] = value;
            written(&fields).map(|_mail| ()).map_err(|error| error.to_string())
        };
        assert_eq!(with("subject", json!("plain")), Ok(()));
        for (name, value) in [
            ("from", json!(["a@example.com", "b@example.com"])),
            ("from", json!("a@example.com>\r\nRCPT TO:<evil@example.com")),
            ("to", json!("b@example.com,evil@example.com")),
            ("to", json!([])),
            ("to", json!((0..101).map(|n| format!("{n}@example.com")).collect::<Vec<_>>())),
            ("bcc", json!(format!("{}@example.com", "x".repeat(250)))),
            ("subject", json!("x\ny")),
            ("attachments", json!([{"filename": "ä".repeat(255), "content": ""}])),
        ] {
            assert!(with(name, value.clone()).is_err(), "{name}: {value}");
        }
    }
}
