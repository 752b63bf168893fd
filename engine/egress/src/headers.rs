//! Headers in and out: ours as approved, theirs within bounds.

use placet_adapters::{Cause, Failed, FilledRequest, Stage};
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};

/// Header lines of a response.
pub(crate) const RESPONSE_HEADERS_MAX: usize = 100;
/// Bytes of all header lines of a response.
pub(crate) const RESPONSE_BYTES_MAX: usize = 64 << 10;
/// The same where HTTP/2 carries them.
pub(crate) const HEADER_LIST_BYTES_MAX: u32 = 64 << 10;

/// The approved headers. Besides them the client writes only what frames the request: host,
/// content length, connection.
pub(crate) fn outgoing(filled: &FilledRequest) -> Result<HeaderMap, Failed> {
    let mut map = HeaderMap::with_capacity(filled.headers.len() + 1);
    for (name, value) in &filled.headers {
        let refuse =
            |what: &str| Failed::before(Cause::Refused, format!("the header {name} has {what}"));
        let key =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_ignored| refuse("no valid name"))?;
        let mut value = HeaderValue::from_str(value.expose())
            .map_err(|_ignored| refuse("a value that is no header line"))?;
        value.set_sensitive(true);
        map.append(key, value);
    }
    let takes_body = matches!(filled.method.as_str(), "POST" | "PUT" | "PATCH");
    if takes_body && filled.body.is_empty() {
        map.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(map)
}

/// Names in lower case, bytes that are no UTF-8 replaced.
pub(crate) fn incoming(map: &HeaderMap) -> Result<Vec<(String, String)>, Failed> {
    let headers: Vec<(String, String)> = map
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    if bytes > RESPONSE_BYTES_MAX {
        return Err(Failed::after(
            Cause::TooLarge,
            format!("the headers of the answer have {bytes} bytes"),
        )
        .at(Stage::FirstByte));
    }
    Ok(headers)
}

/// A body beyond its bound.
pub(crate) fn too_large(bytes_max: usize) -> Failed {
    let words = format!("the answer is larger than {bytes_max} bytes");
    Failed::after(Cause::TooLarge, words).at(Stage::Body)
}
