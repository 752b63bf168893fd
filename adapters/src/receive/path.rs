//! Paths against the URL template of a manifest.

use crate::template::{Name, Part, Template};

/// What the placeholders of a URL template stand for in a path below the provider's base; `None`
/// where the path is another.
pub(super) fn captured(url: &Template, path: &str) -> Option<Vec<(Name, String)>> {
    let template = segments(below_base(&url.parts));
    let path: Vec<&str> = path.trim_start_matches('/').trim_end_matches('/').split('/').collect();
    if template.len() != path.len() {
        return None;
    }
    let mut found = Vec::new();
    for (parts, segment) in template.iter().zip(path) {
        found.extend(matched(parts, &unescaped(segment))?);
    }
    Some(found)
}

/// The template without scheme and host, which somebody else has: a setting for the base, or text.
fn below_base(parts: &[Part]) -> Vec<Part> {
    if let [Part::Place(_), rest @ ..] = parts {
        return rest.to_vec();
    }
    let mut rest = parts.to_vec();
    if let Some(Part::Text(text)) = rest.first_mut() {
        let after = text.split_once("://").map_or(text.as_str(), |(_, after)| after).to_owned();
        *text = after;
    }
    // the host ends at the first slash, in whichever part that stands
    while let Some(first) = rest.first_mut() {
        if let Part::Text(text) = first
            && let Some(at) = text.find('/')
        {
            *text = text[at..].to_owned();
            break;
        }
        rest.remove(0);
    }
    rest
}

/// The parts between slashes.
fn segments(parts: Vec<Part>) -> Vec<Vec<Part>> {
    let mut all: Vec<Vec<Part>> = vec![vec![]];
    for part in parts {
        match part {
            Part::Place(_) => all.last_mut().expect("never empty").push(part),
            Part::Text(text) => {
                for (place, piece) in text.split('/').enumerate() {
                    if place > 0 {
                        all.push(vec![]);
                    }
                    if !piece.is_empty() {
                        let last = all.last_mut().expect("never empty");
                        last.push(Part::Text(piece.to_owned()));
                    }
                }
            }
        }
    }
    let begins_with_slash = all.first().is_some_and(Vec::is_empty) && all.len() > 1;
    all.into_iter().skip(usize::from(begins_with_slash)).collect()
}

/// What the placeholders of one segment stand for; each reaches to the text after it.
pub(super) fn matched(parts: &[Part], mut text: &str) -> Option<Vec<(Name, String)>> {
    let mut found = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        match part {
            Part::Text(literal) => text = text.strip_prefix(literal.as_str())?,
            Part::Place(placeholder) => {
                let end = match parts.get(place + 1) {
                    Some(Part::Text(next)) => text.find(next.as_str())?,
                    Some(Part::Place(_)) | None => text.len(),
                };
                let (value, rest) = text.split_at(end);
                if value.is_empty() {
                    return None;
                }
                let name = placeholder.names.iter().find(|name| super::is_given(name));
                found.extend(name.map(|name| (name.clone(), value.to_owned())));
                text = rest;
            }
        }
    }
    text.is_empty().then_some(found)
}

/// Percent-decoded; what is no escape stays as it is.
pub(super) fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = (*byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        let escaped = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
