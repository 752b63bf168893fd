//! What pages load: style, scripts, the icon. Each is in the binary, and its address holds the digest
//! of its bytes, so that a browser may keep it for ever.

use crate::guard::Dress;
use crate::problem::Problem;
use axum::Extension;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use placet_model::Digest;
use std::sync::LazyLock;

/// Hexadecimal digits of the digest in an address.
const MARK_LEN: usize = 16;

const SCRIPT: &str = "text/javascript; charset=utf-8";

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    /// Of the bytes.
    mark: String,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    [
        ("console.css", "text/css; charset=utf-8", &include_bytes!("../../assets/console.css")[..]),
        ("console.js", SCRIPT, &include_bytes!("../../assets/console.js")[..]),
        ("htmx.min.js", SCRIPT, &include_bytes!("../../assets/htmx.min.js")[..]),
        ("passkey.js", SCRIPT, &include_bytes!("../../assets/passkey.js")[..]),
        ("icon.svg", "image/svg+xml", &include_bytes!("../../assets/icon.svg")[..]),
    ]
    .map(|(name, kind, bytes)| {
        let mut mark = Digest::of(bytes).hex();
        mark.truncate(MARK_LEN);
        Asset { name, kind, bytes, mark }
    })
    .into()
});

/// The address of an asset.
///
/// # Panics
/// When there is none of that name: every caller names one that ships.
pub(crate) fn path(name: &str) -> String {
    let asset = ASSETS.iter().find(|asset| asset.name == name).expect("it ships");
    format!("/assets/{}/{name}", asset.mark)
}

/// `GET /assets/{mark}/{name}`.
pub(crate) async fn asset(
    Path((mark, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asset = ASSETS.iter().find(|asset| asset.name == name && asset.mark == mark);
    let asset = asset.ok_or_else(|| Problem::new("PL4012", "there is no such asset"))?;
    let tag = format!("\"{mark}\"");
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag));
    let head = (Extension(Dress::Asset), [(header::ETAG, tag)]);
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, head).into_response());
    }
    Ok((head, [(header::CONTENT_TYPE, asset.kind)], asset.bytes).into_response())
}
