//! The readable line of an event, and what ties it to its leaf: the line holds the body, the leaf
//! holds the body's digest, and the line is made again from leaf and body to be compared.

use crate::check::sha256;
use crate::envelope::Envelope;
use crate::{Error, record};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet_model::RecordedEvent;
use serde_json::{Value, json};

/// How an event is shown: the members of one JSON object.
pub type Render<'r> = &'r dyn Fn(&RecordedEvent) -> Value;

/// Which rendering the lines have; it grows whenever the same event would be shown otherwise, so
/// that an old export is not taken for a forged one.
pub const RENDERING: u32 = 2;

/// The line of the event with this leaf and body, without its line end, and the event.
///
/// # Errors
/// [`Error::Damaged`] when the body is not the leaf's, [`Error::UnknownEvent`].
pub fn line(
    envelope: &Envelope<'_>,
    body: &[u8],
    render: Render<'_>,
) -> Result<(String, RecordedEvent), Error> {
    let event = event(envelope, body)?;
    let mut line = render(&event);
    if let Value::Object(members) = &mut line {
        let payloads = envelope
            .payloads
            .iter()
            .map(|payload| json!({ "ct_hash": payload.ct_hash, "pt_commit": payload.pt_commit }));
        members.insert("payloads".to_owned(), Value::Array(payloads.collect()));
        members.insert("rendering".to_owned(), Value::from(RENDERING));
        members.insert("body_bytes".to_owned(), Value::from(STANDARD.encode(body)));
    }
    Ok((line.to_string(), event))
}

/// The event that a leaf and a body make together.
pub(crate) fn event(envelope: &Envelope<'_>, body: &[u8]) -> Result<RecordedEvent, Error> {
    let position = envelope.position;
    if sha256(&[body]) != *envelope.body_digest.as_bytes() {
        let what = "the body does not fit its digest".to_owned();
        return Err(Error::Damaged { position, what });
    }
    record::recorded(envelope, body)
}

/// What a line says of itself: its rendering and its body, which stand at its end. Everything before
/// them is compared as it is, so it need not be read as JSON.
pub(crate) fn parts(line: &[u8]) -> Result<(u64, Vec<u8>), &'static str> {
    const NO_BODY: &str = "its line does not end with its body_bytes";
    let quoted = line.strip_suffix(b"\"}").ok_or(NO_BODY)?;
    let start = quoted.iter().rposition(|byte| *byte == b'"').ok_or(NO_BODY)? + 1;
    let (head, body) = quoted.split_at(start);
    let head = head.strip_suffix(b",\"body_bytes\":\"").ok_or(NO_BODY)?;
    let digits = head.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (head, number) = head.split_at(head.len() - digits);
    let number = std::str::from_utf8(number).ok().and_then(|text| text.parse().ok());
    let rendering = number.filter(|_| head.ends_with(b",\"rendering\":"));
    let rendering = rendering.ok_or("its line does not say its rendering")?;
    let body = STANDARD.decode(body).map_err(|_malformed| "its body_bytes are no base64")?;
    Ok((rendering, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_its_rendering_and_its_body() {
        let good = r#"{"a":"b","rendering":1,"body_bytes":"AAEC"}"#;
        assert_eq!(parts(good.as_bytes()), Ok((1, vec![0, 1, 2])));
        for (bad, says) in [
            ("", "does not end"),
            (r#"{"rendering":1}"#, "does not end"),
            (r#"{"a":1,"body_bytes":"AAEC"}"#, "does not say"),
            (r#"{"a":1,"rendering":x,"body_bytes":"AAEC"}"#, "does not say"),
            (r#"{"a":1,"rendering":1,"body_bytes":"AAE"}"#, "no base64"),
            (r#"{"a":1,"rendering":1,"body_bytes":"AAEC","b":"c"}"#, "does not end"),
        ] {
            assert!(parts(bad.as_bytes()).unwrap_err().contains(says), "{bad}");
        }
    }
}
