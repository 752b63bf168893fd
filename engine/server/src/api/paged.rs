//! Pages of a list that is whole in memory: what follows the row whose key the cursor names, by order
//! of the keys. A row that is gone meanwhile takes nothing with it.

use crate::extract::Params;
use crate::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The parameters of every such list.
pub(super) const PARAMS: &[&str] = &["cursor", "limit"];
/// Rows of a page; who asks for no page is given all: these lists are short.
const USUAL: usize = 500;
const MOST: usize = 1000;

/// A page of the rows, under `name`, with the cursor of the next one.
pub(super) fn paged(
    params: &Params,
    name: &str,
    rows: impl IntoIterator<Item = (String, Value)>,
) -> Result<Value, Problem> {
    let after = params.text("cursor").map(read).transpose()?;
    let limit = match (&after, params.text("limit")) {
        (None, None) => usize::MAX,
        _ => params.limit(USUAL, MOST)?,
    };
    let mut rows: Vec<(String, Value)> = rows.into_iter().collect();
    rows.sort_by(|(left, _), (right, _)| left.cmp(right));
    rows.retain(|(key, _)| after.as_ref().is_none_or(|after| key > after));
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(|(key, _)| URL_SAFE_NO_PAD.encode(key));
    let rows: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
    Ok(json!({ name: rows, "next": next }))
}

fn read(cursor: &str) -> Result<String, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    key.ok_or_else(|| Problem::malformed("query: cursor: it is the `next` of the page before"))
}
