//! Where expressions are in strings: a string is an expression when it is `${ … }` as a whole.

/// The jq text inside `${ … }` and its byte offset in `text`; `None` when `text` is no expression.
///
/// The rule is that of the specification, `^\s*\$\{.+\}\s*$`; the jq may span lines.
pub(crate) fn fenced(text: &str) -> Option<(&str, usize)> {
    let start = text.len() - text.trim_start().len();
    let inner = text.trim().strip_prefix("${")?.strip_suffix('}')?;
    (!inner.is_empty()).then_some((inner, start + 2))
}

/// The jq text of a field that is always an expression: bare or `${ … }`.
pub(crate) fn bare_or_fenced(text: &str) -> (&str, usize) {
    fenced(text).unwrap_or((text, 0))
}

/// Where `${` stands in a string that is not an expression as a whole.
pub(crate) fn interpolation(text: &str) -> Option<usize> {
    if fenced(text).is_some() { None } else { text.find("${") }
}
