//! Reading a mail (RFC 5322, 2045 to 2047) as much as a card needs: headers with their words decoded,
//! parts with their texts. What cannot be read is shown as it stands; the bytes are one click away.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// Multiparts within one another at most.
const DEPTH_MAX: usize = 8;

/// A mail.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// In their order.
    pub(super) headers: Vec<(String, String)>,
    pub(super) parts: Vec<PartOf>,
}

/// One part that holds no others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PartOf {
    pub(super) media: String,
    /// The name of an attachment.
    pub(super) name: Option<String>,
    pub(super) text: String,
    pub(super) bytes: usize,
}

/// The mail in a request: its body, or base64url in the member `raw`.
pub(super) fn message_of(request: &Value) -> Option<Message> {
    let text = match &request["body"] {
        Value::String(text) => text.clone(),
        body => {
            let bytes = URL_SAFE_NO_PAD.decode(body["raw"].as_str()?).ok()?;
            String::from_utf8(bytes).ok()?
        }
    };
    let (head, body) = text.split_once("\r\n\r\n")?;
    let headers = headers(head)?;
    find(&headers, "mime-version")?;
    let mut message = Message { headers, parts: vec![] };
    let fields = message.headers.clone();
    parts(&fields, body, 0, &mut message.parts);
    Some(message)
}

/// Headers, unfolded and decoded; none where a line is no header.
fn headers(head: &str) -> Option<Vec<(String, String)>> {
    let mut found: Vec<(String, String)> = vec![];
    for line in head.split("\r\n") {
        if line.starts_with([' ', '\t']) {
            found.last_mut()?.1.push_str(line);
        } else {
            let (name, value) = line.split_once(':')?;
            found.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    for (_, value) in &mut found {
        *value = words(value);
    }
    Some(found)
}

fn find<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// A parameter of a header, quoted or as RFC 2231 writes it.
fn parameter(value: &str, name: &str) -> Option<String> {
    for piece in value.split(';').skip(1) {
        let Some((key, text)) = piece.trim().split_once('=') else { continue };
        if key.eq_ignore_ascii_case(name) {
            return Some(text.trim().trim_matches('"').to_owned());
        }
        if key.strip_suffix('*').is_some_and(|key| key.eq_ignore_ascii_case(name)) {
            let encoded = text.rsplit('\'').next().unwrap_or_default();
            return Some(String::from_utf8_lossy(&percent_decoded(encoded)).into_owned());
        }
    }
    None
}

fn parts(headers: &[(String, String)], body: &str, depth: usize, found: &mut Vec<PartOf>) {
    let kind = find(headers, "content-type").unwrap_or("text/plain");
    let media = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let boundary = parameter(kind, "boundary").filter(|_| media.starts_with("multipart/"));
    if let Some(boundary) = boundary.filter(|_| depth < DEPTH_MAX) {
        let line = format!("--{boundary}");
        // before the first boundary stands nothing that a reader of mail shows
        for piece in body.split(&line).skip(1) {
            if piece.starts_with("--") {
                break;
            }
            let piece = piece.strip_prefix("\r\n").unwrap_or(piece);
            let piece = piece.strip_suffix("\r\n").unwrap_or(piece);
            let (head, body) = piece.split_once("\r\n\r\n").unwrap_or(("", piece));
            parts(&self::headers(head).unwrap_or_default(), body, depth + 1, found);
        }
        return;
    }
    let encoding = find(headers, "content-transfer-encoding").unwrap_or_default();
    let bytes = match encoding.to_ascii_lowercase().as_str() {
        "quoted-printable" => quoted_printable(body, Quoted::Body),
        "base64" => {
            let letters: String = body.split_ascii_whitespace().collect();
            STANDARD.decode(&letters).unwrap_or_else(|_no_base64| body.as_bytes().to_vec())
        }
        _ => body.as_bytes().to_vec(),
    };
    let disposition = find(headers, "content-disposition").unwrap_or_default();
    let name = parameter(disposition, "filename").or_else(|| parameter(kind, "name"));
    let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
    found.push(PartOf { media, name, text, bytes: bytes.len() });
}

/// Which of the two forms of quoted-printable: that of headers writes a space as `_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoted {
    Body,
    Word,
}

fn quoted_printable(text: &str, form: Quoted) -> Vec<u8> {
    let (mut out, mut rest) = (vec![], text.as_bytes());
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'=' if after.starts_with(b"\r\n") => rest = &after[2..],
            b'=' => match after.get(..2).and_then(hex) {
                Some(byte) => {
                    out.push(byte);
                    rest = &after[2..];
                }
                None => out.push(b'='),
            },
            b'_' if form == Quoted::Word => out.push(b' '),
            byte => out.push(byte),
        }
    }
    out
}

fn hex(two: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (vec![], text.as_bytes());
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match after.get(..2).and_then(hex).filter(|_| byte == b'%') {
            Some(decoded) => {
                out.push(decoded);
                rest = &after[2..];
            }
            None => out.push(byte),
        }
    }
    out
}

/// Encoded words (RFC 2047) decoded; the space between two of them is no space of the text.
fn words(value: &str) -> String {
    let mut out = String::new();
    let (mut rest, mut bytes): (&str, Vec<u8>) = (value, vec![]);
    while let Some(at) = rest.find("=?") {
        let Some((decoded, after)) = word(&rest[at..]) else { break };
        let between = &rest[..at];
        if bytes.is_empty() || !between.trim().is_empty() {
            out.push_str(&String::from_utf8_lossy(&std::mem::take(&mut bytes)));
            out.push_str(between);
        }
        bytes.extend(decoded);
        rest = after;
    }
    out.push_str(&String::from_utf8_lossy(&bytes));
    out.push_str(rest);
    out
}

/// The bytes of the encoded word that a text begins with, and what follows.
fn word(text: &str) -> Option<(Vec<u8>, &str)> {
    let inner = text.strip_prefix("=?")?;
    let (charset, inner) = inner.split_once('?')?;
    let (encoding, inner) = inner.split_once('?')?;
    let (content, after) = inner.split_once("?=")?;
    if !charset.eq_ignore_ascii_case("utf-8") || content.contains(char::is_whitespace) {
        return None;
    }
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(content).ok()?,
        "Q" | "q" => quoted_printable(content, Quoted::Word),
        _ => return None,
    };
    Some((bytes, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MAIL: &str = "From: a@b.example\r\nTo: c@d.example,\r\n e@f.example\r\n\
        Subject: =?utf-8?B?R3LDvMOfZQ==?= =?utf-8?Q?_aus_K=C3=B6ln?=\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed;\r\n boundary=\"m\"\r\n\r\n--m\r\n\
        Content-Type: multipart/alternative;\r\n boundary=\"t\"\r\n\r\n--t\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        long=\r\n er =3D\r\n--t\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<b>x</b>\r\n--t--\r\n\r\n--m\r\n\
        Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\
        Content-Disposition: attachment;\r\n filename*=utf-8''r%C3%A9port.pdf\r\n\r\nAAEC\r\n--m--\r\n";

    #[test]
    fn a_mail_is_read_with_its_words_its_texts_and_its_attachments() {
        let message = message_of(&json!({"body": MAIL})).expect("a mail");
        let header = |name: &str| find(&message.headers, name).unwrap().to_owned();
        assert_eq!(header("Subject"), "Grüße aus Köln");
        assert_eq!(header("To"), "c@d.example, e@f.example");
        let told: Vec<_> =
            message.parts.iter().map(|p| (p.media.as_str(), p.text.as_str())).collect();
        assert_eq!(told[..2], [("text/plain", "long er ="), ("text/html", "<b>x</b>")]);
        let file = &message.parts[2];
        assert_eq!((file.name.as_deref(), file.bytes), (Some("réport.pdf"), 3));
    }

    #[test]
    fn the_mail_in_a_member_is_the_same_and_what_is_none_is_none() {
        let raw = URL_SAFE_NO_PAD.encode(MAIL);
        assert_eq!(message_of(&json!({"body": {"raw": raw}})), message_of(&json!({"body": MAIL})));
        for none in [json!(null), json!("text"), json!({"raw": "no mail"}), json!("A: b\r\n\r\nc")]
        {
            assert_eq!(message_of(&json!({"body": none})), None);
        }
    }
}
