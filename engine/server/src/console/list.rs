//! Pages of a list: where the next one begins, and the filters that lead there.

use crate::extract::Params;
use url::form_urlencoded::Serializer;

/// How a list is led on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pages {
    /// The address of the page after this one.
    pub(crate) next: Option<String>,
    /// The address of the first page, where this is another one.
    pub(crate) first: Option<String>,
}

impl Pages {
    /// Of a list at `path` with the filters of `params`; `cursor` names the parameter that leads on.
    pub(crate) fn of(
        path: &str,
        (params, filters): (&Params, &[&str]),
        (cursor, next): (&str, Option<&str>),
    ) -> Self {
        let kept = || filters.iter().filter_map(|name| Some((*name, params.text(name)?)));
        Self {
            next: next.map(|next| address(path, kept().chain([(cursor, next)]))),
            first: params.text(cursor).map(|_later| address(path, kept())),
        }
    }
}

/// An address with a query.
pub(crate) fn address<'a>(path: &str, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(pairs);
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A text as it stands in a query.
pub(crate) fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
