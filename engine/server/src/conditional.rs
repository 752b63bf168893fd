//! Conditional reads: an answer of the API carries an `ETag`, and whoever names it in `If-None-Match`
//! is told that nothing has changed instead of the answer again. The tag is what the answer says, so it
//! is as right as the answer; a handler that knows a better one gives its own.

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use placet_model::Digest;

/// Larger answers have no tag.
const BYTES_MAX: u64 = 8 << 20;

/// Around the routes of the API.
pub(crate) async fn conditional(request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let known = request.headers().clone();
    let response = next.run(request).await;
    let is_json = response.headers().get(header::CONTENT_TYPE);
    let is_json = is_json.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let bytes = response.body().size_hint().exact();
    if response.status() != StatusCode::OK
        || !is_json
        || bytes.is_none_or(|bytes| bytes > BYTES_MAX)
    {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = head.headers.get(header::ETAG).cloned().unwrap_or_else(|| tag(&Digest::of(&body)));
    if is_named(&known, header::IF_NONE_MATCH.as_str(), &tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    head.headers.insert(header::ETAG, tag);
    Response::from_parts(head, Body::from(body))
}

/// The tag of something with this digest.
pub(crate) fn tag(digest: &Digest) -> HeaderValue {
    let text = format!("\"{}\"", digest.hex());
    HeaderValue::from_str(&text).unwrap_or_else(|_never| HeaderValue::from_static("\"\""))
}

/// Whether the header lists the tag, or any at all (`*`). Weak ones are compared as strong.
pub(crate) fn is_named(headers: &HeaderMap, name: &str, tag: &HeaderValue) -> bool {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|given| given == "*" || given.trim_start_matches("W/").as_bytes() == tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_a_list_and_never_by_a_part_of_it() {
        let tag = HeaderValue::from_static("\"abc\"");
        for (line, found) in [
            ("\"abc\"", true),
            ("W/\"abc\"", true),
            ("\"x\", \"abc\"", true),
            ("*", true),
            ("abc", false),
            ("\"ab\"", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, line.parse().unwrap());
            assert_eq!(is_named(&headers, "if-none-match", &tag), found, "{line}");
        }
        assert!(!is_named(&HeaderMap::new(), "if-none-match", &tag));
    }
}
