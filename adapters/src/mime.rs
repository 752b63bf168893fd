//! A mail as bytes (RFC 5322, 2045 to 2047), for providers that take it raw. Written here because
//! the bytes are approved: nothing in them may depend on a clock, a random boundary or the order of a
//! map. Text is quoted-printable, so that whoever approves can read it.

use crate::json::scalar_text;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use placet_model::Timestamp;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Bytes of text in one encoded word: 52 letters of base64, so that a header's name fits before it.
const WORD_BYTES: usize = 39;
/// Longest plain header value that stands on one line.
const LINE_MAX: usize = 900;

/// The message of `{mime: {from, to, cc, bcc, reply_to, subject, message_id, in_reply_to, references,
/// headers, text, html, attachments}}`.
///
/// # Errors
/// What cannot be written as a header, an address that is not ASCII, an attachment that is no base64.
pub(crate) fn message(
    fields: &Value,
    send_id: &str,
    draft_time: Timestamp,
) -> Result<Vec<u8>, &'static str> {
    let fields = fields.as_object().ok_or("a mail is an object")?;
    let mut out = String::new();
    line(&mut out, "Date", &date(draft_time));
    for (name, key) in
        [("From", "from"), ("To", "to"), ("Cc", "cc"), ("Bcc", "bcc"), ("Reply-To", "reply_to")]
    {
        let people = list(fields.get(key))?;
        if !people.is_empty() {
            let written: Vec<String> =
                people.iter().map(|one| address(one)).collect::<Result<_, _>>()?;
            line(&mut out, name, &written.join(",\r\n "));
        }
    }
    for (name, key) in
        [("Subject", "subject"), ("Message-ID", "message_id"), ("In-Reply-To", "in_reply_to")]
    {
        if let Some(text) = text_of(fields, key)? {
            line(&mut out, name, &words(&text)?);
        }
    }
    if let Some(text) = text_of(fields, "references")? {
        line(&mut out, "References", &words(&text)?.replace(' ', "\r\n "));
    }
    for (name, value) in fields.get("headers").and_then(Value::as_object).into_iter().flatten() {
        if !crate::render::is_header_name(name) {
            return Err("the name of a header is no token");
        }
        let value = scalar_text(value).ok_or("the value of a header is no text")?;
        line(&mut out, name, &words(&value)?);
    }
    line(&mut out, "Placet-Send", send_id);
    line(&mut out, "MIME-Version", "1.0");
    out.push_str(&content(fields, send_id)?);
    Ok(out.into_bytes())
}

/// The same, as the text that a JSON field takes.
pub(crate) fn base64url(message: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(message)
}

/// The content with its own headers: one text, two that say the same, or a mix with attachments.
fn content(fields: &Map<String, Value>, send_id: &str) -> Result<String, &'static str> {
    let mut texts = Vec::new();
    for (key, media) in [("text", "text/plain"), ("html", "text/html")] {
        if let Some(text) = text_of(fields, key)? {
            let head = format!("Content-Type: {media}; charset=utf-8\r\n");
            let encoding = "Content-Transfer-Encoding: quoted-printable\r\n\r\n";
            texts.push(format!("{head}{encoding}{}", quoted_printable(&text)));
        }
    }
    let body = match texts.as_slice() {
        [] => return Err("a mail has a text"),
        [one] => one.clone(),
        several => multipart("alternative", several, &format!("placet-{send_id}-text")),
    };
    let files = match fields.get("attachments") {
        None | Some(Value::Null) => return Ok(body),
        Some(files) => files.as_array().ok_or("attachments are a list")?,
    };
    let mut parts = vec![body];
    for file in files {
        parts.push(attachment(file)?);
    }
    Ok(multipart("mixed", &parts, &format!("placet-{send_id}-mix")))
}

/// No text can hold the boundary: a dash that starts a line of it is encoded.
fn multipart(kind: &str, parts: &[String], boundary: &str) -> String {
    let line = format!("--{boundary}");
    let mut out = format!("Content-Type: multipart/{kind};\r\n boundary=\"{boundary}\"\r\n\r\n");
    for part in parts {
        write!(out, "{line}\r\n{part}\r\n").expect("writing to a string cannot fail");
    }
    write!(out, "{line}--\r\n").expect("writing to a string cannot fail");
    out
}

fn attachment(file: &Value) -> Result<String, &'static str> {
    let file = file.as_object().ok_or("an attachment is an object")?;
    let name = text_of(file, "filename")?.ok_or("an attachment needs a filename")?;
    let media = text_of(file, "content_type")?;
    let media = media.unwrap_or_else(|| "application/octet-stream".to_owned());
    let content = text_of(file, "content")?.ok_or("an attachment needs content")?;
    let bytes = BASE64.decode(content).map_err(|_no_base64| "an attachment is no base64")?;
    if !media.bytes().all(|byte| byte.is_ascii_graphic()) || name.chars().any(char::is_control) {
        return Err("an attachment's name or type holds a control character");
    }
    // RFC 2231: a name of any letters
    let name = crate::render::encode(&name);
    let mut out = format!(
        "Content-Type: {media}\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment;\r\n filename*=utf-8''{name}\r\n\r\n"
    );
    let encoded = BASE64.encode(bytes);
    let lines: Vec<&str> = encoded
        .as_bytes()
        .chunks(76)
        .map(|chunk| std::str::from_utf8(chunk).expect("base64 is ASCII"))
        .collect();
    out.push_str(&lines.join("\r\n"));
    Ok(out)
}

fn line(out: &mut String, name: &str, value: &str) {
    write!(out, "{name}: {value}\r\n").expect("writing to a string cannot fail");
}

fn text_of(fields: &Map<String, Value>, key: &str) -> Result<Option<String>, &'static str> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => scalar_text(value).map(Some).ok_or("a field of a mail is no text"),
    }
}

pub(crate) fn list(value: Option<&Value>) -> Result<Vec<String>, &'static str> {
    let text = |value: &Value| scalar_text(value).ok_or("an address is no text");
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(text).collect(),
        Some(single) => Ok(vec![text(single)?]),
    }
}

/// The address alone, of `a@b` or `Name <a@b>`, as it goes over the wire.
pub(crate) fn bare_address(text: &str) -> Result<String, &'static str> {
    split_address(text).map(|(_name, address)| address)
}

/// Name and address; the name is empty where there is none. A domain in letters of other scripts is written
/// as DNS has it (`xn--…`); a mailbox in such letters would need SMTPUTF8 all the way, which is not spoken.
fn split_address(text: &str) -> Result<(&str, String), &'static str> {
    let (name, address) = match text.split_once('<') {
        Some((name, rest)) => {
            (name.trim(), rest.strip_suffix('>').ok_or("an address is not closed")?)
        }
        None => ("", text.trim()),
    };
    let (mailbox, domain) = address.split_once('@').ok_or("an address has no @")?;
    if !mailbox.is_ascii() {
        return Err("the mailbox of an address is not ASCII: mail to it would need SMTPUTF8");
    }
    let domain = if domain.is_ascii() {
        domain.to_owned()
    } else {
        match url::Host::parse(domain) {
            Ok(url::Host::Domain(known)) => known,
            Ok(_) | Err(_) => return Err("the domain of an address is none"),
        }
    };
    let address = format!("{mailbox}@{domain}");
    let plain = address.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>,;\"".contains(&byte));
    if !plain || address.split('@').count() != 2 || name.chars().any(char::is_control) {
        return Err("an address is not one ASCII address");
    }
    Ok((name, address))
}

/// `a@b`, or `Name <a@b>` with the name written so that nothing in it is taken for an address.
fn address(text: &str) -> Result<String, &'static str> {
    let (name, address) = split_address(text)?;
    Ok(match name {
        "" => address,
        name if !name.is_ascii() => format!("{} <{address}>", words(name)?),
        name => {
            let name = name.trim_matches('"').replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{name}\" <{address}>")
        }
    })
}

/// A header's value: plain ASCII, or encoded words (RFC 2047) that each hold whole characters.
fn words(text: &str) -> Result<String, &'static str> {
    if text.chars().any(char::is_control) {
        return Err("a header holds a line break or a control character");
    }
    if text.is_ascii() && text.len() <= LINE_MAX && !text.contains("=?") {
        return Ok(text.to_owned());
    }
    let mut chunks = vec![String::new()];
    for letter in text.chars() {
        let last = chunks.last_mut().expect("there is always one");
        if last.len() + letter.len_utf8() > WORD_BYTES {
            chunks.push(letter.to_string());
        } else {
            last.push(letter);
        }
    }
    let words: Vec<String> =
        chunks.iter().map(|chunk| format!("=?utf-8?B?{}?=", BASE64.encode(chunk))).collect();
    Ok(words.join("\r\n "))
}

/// RFC 2045 §6.7: lines of at most 76, no white space before a line's end.
fn quoted_printable(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<String> = text.split('\n').map(quoted_line).collect();
    lines.join("\r\n")
}

fn quoted_line(line: &str) -> String {
    let (mut out, mut width) = (String::new(), 0);
    let last = line.len().saturating_sub(1);
    for (index, byte) in line.bytes().enumerate() {
        let space_at_end = matches!(byte, b' ' | b'\t') && index == last;
        // a dash or a dot at a line's start could be a boundary's or a mail server's
        let risky = index == 0 && matches!(byte, b'-' | b'.');
        let plain = matches!(byte, b' ' | b'\t' | 0x21..=0x7e) && byte != b'=';
        let token = if plain && !space_at_end && !risky {
            char::from(byte).to_string()
        } else {
            format!("={byte:02X}")
        };
        if width + token.len() > 75 {
            out.push_str("=\r\n");
            width = 0;
        }
        width += token.len();
        out.push_str(&token);
    }
    out
}

/// RFC 5322 §3.3, in UTC.
fn date(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = at.to_string();
    let number = |range: std::ops::Range<usize>| text[range].parse::<usize>().unwrap_or(1);
    let weekday = usize::try_from(at.as_secs().div_euclid(86_400).rem_euclid(7)).unwrap_or(0);
    let month = MONTHS[(number(5..7) - 1) % 12];
    format!(
        "{}, {:02} {month} {} {} +0000",
        DAYS[weekday],
        number(8..10),
        &text[..4],
        &text[11..19]
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ID: &str = "abcdefghijklmnopqrstuvwxyz234567abcdefgh";

    fn written(fields: &Value) -> Result<String, &'static str> {
        let bytes = message(fields, ID, "2026-01-01T00:00:09Z".parse().unwrap())?;
        Ok(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_mail_has_its_date_from_the_draft_and_its_marker() {
        let text =
            written(&json!({"to": "ana@example.com", "subject": "Hi", "text": "a=b"})).unwrap();
        assert_eq!(
            text,
            format!(
                "Date: Thu, 01 Jan 2026 00:00:09 +0000\r\nTo: ana@example.com\r\nSubject: Hi\r\n\
                 Placet-Send: {ID}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                 Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db"
            )
        );
    }

    #[test]
    fn nothing_that_an_author_writes_starts_a_header_or_another_address() {
        for bad in [
            json!({"to": "a@example.com\r\nBcc: evil@example.com", "text": "x"}),
            json!({"to": "a@example.com, b@example.com", "text": "x"}),
            json!({"to": "Ana\nB <a@example.com>", "text": "x"}),
            json!({"to": "a@example.com", "subject": "x\r\ny", "text": "x"}),
            json!({"to": "a@example.com", "text": "x", "headers": {"X-A": "1\n2"}}),
            json!({"to": "a@example.com", "text": "x", "headers": {"X A": "1"}}),
            json!({"to": "bücher@example.com", "text": "x"}),
            json!({"to": "a@example.com"}),
        ] {
            assert!(written(&bad).is_err(), "{bad}");
        }
        let named = written(&json!({"to": "A, \"B\" <a@example.com>", "text": "x"})).unwrap();
        assert!(named.contains("To: \"A, \\\"B\" <a@example.com>"), "{named}");
    }

    #[test]
    fn a_subject_of_any_letters_is_encoded_words_of_whole_letters() {
        let subject = "Grüße ☕ ".repeat(20);
        let text =
            written(&json!({"to": "a@example.com", "subject": subject, "text": "x"})).unwrap();
        let head = text.split("\r\nPlacet-Send").next().unwrap();
        let mut read = String::new();
        for word in head.split("=?utf-8?B?").skip(1) {
            let bytes = BASE64.decode(word.split("?=").next().unwrap()).unwrap();
            read.push_str(std::str::from_utf8(&bytes).unwrap());
        }
        assert_eq!(read, subject);
        assert!(text.split("\r\n").all(|line| line.len() <= 78), "{text}");
    }

    #[test]
    fn lines_are_short_and_a_text_can_neither_end_a_part_nor_the_mail() {
        let body = format!(".\r\n--placet-{ID}-text--\n{}\n trailing ", "ü".repeat(100));
        let mail = json!({"to": "a@example.com", "text": body, "html": "<p>x</p>",
            "attachments": [{"filename": "ä.txt", "content": BASE64.encode([7; 100])}]});
        let text = written(&mail).unwrap();
        assert!(text.split("\r\n").all(|line| line.len() <= 76 && line != "."), "{text}");
        assert_eq!(text.matches(&format!("\r\n--placet-{ID}-text--")).count(), 1);
        assert!(text.contains("filename*=utf-8''%C3%A4.txt") && text.contains("trailing=20"));
        assert!(text.ends_with(&format!("--placet-{ID}-mix--\r\n")));
    }
}
