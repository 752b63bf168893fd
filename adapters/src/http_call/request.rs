//! The caller's words → the bytes.

use super::body::body;
use super::holes::{Holes, below};
use super::{authorization, endpoint, method};
use crate::json::scalar_text;
use crate::render::{Error, accept_header, append, check_header, checked_url, encode, with_query};
use placet_model::plan::Authentication;
use placet_model::request::{Body, HoledText, Part, PreparedRequest};
use serde_json::Value;

/// The bytes of a `call: http`.
pub(crate) fn request(
    input: &Value,
    authentication: Option<&Authentication>,
) -> Result<PreparedRequest, Error> {
    let holes = Holes::read(input, authentication)?;
    let method = method(input)?;
    let url = url(input, &holes)?;
    let mut headers = headers(input, &holes)?;
    let body = match input.get("body") {
        None | Some(Value::Null) => Body::Empty,
        Some(value) => body(value, &holes, &mut headers)?,
    };
    if let Some(authentication) = authentication {
        refuse_double_authorization(&headers)?;
        headers.push(("Authorization".to_owned(), authorization::header(authentication)));
    }
    accept_header(&mut headers, "*/*");
    for (name, value) in &headers {
        check_header(name, value)?;
    }
    let request = PreparedRequest { method, url, headers, body };
    let open = holes.len() + usize::from(authentication.is_some());
    if request.holes().len() == open {
        Ok(request)
    } else {
        Err(Error::Hole { reason: "a mark stands where nothing is written" })
    }
}

/// The endpoint with the query. Parameters that are holes come last: the checked URL stands before
/// them, and nothing that is filled in can change where it points.
fn url(input: &Value, holes: &Holes) -> Result<HoledText, Error> {
    let (mut pairs, mut open) = (Vec::new(), Vec::new());
    for (name, value) in input["query"].as_object().into_iter().flatten() {
        match holes.at(&below("/query", name)) {
            None => append(&mut pairs, name, value)?,
            Some(hole) => open.push((name, hole.clone())),
        }
    }
    let url: String = checked_url(&with_query(endpoint(input)?, &pairs))?.into();
    let mut mark = if url.contains('?') { '&' } else { '?' };
    let mut text = HoledText::plain(url);
    for (name, hole) in open {
        text.0.push(Part::Text(format!("{mark}{}=", encode(name))));
        text.0.push(Part::Hole(hole));
        mark = '&';
    }
    Ok(joined(text))
}

/// The same text, with texts beside each other made one.
pub(crate) fn joined(text: HoledText) -> HoledText {
    let mut parts: Vec<Part> = Vec::with_capacity(text.0.len());
    for part in text.0 {
        match (part, parts.last_mut()) {
            (Part::Text(text), Some(Part::Text(before))) => before.push_str(&text),
            (part, _) => parts.push(part),
        }
    }
    HoledText(parts)
}

fn headers(input: &Value, holes: &Holes) -> Result<Vec<(String, HoledText)>, Error> {
    let mut headers: Vec<(String, HoledText)> = Vec::new();
    for (name, value) in input["headers"].as_object().into_iter().flatten() {
        if value.is_null() {
            continue;
        }
        let refuse = |reason| Error::Header { name: name.escape_default().to_string(), reason };
        if headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Err(refuse("it is given twice"));
        }
        let value = if let Some(hole) = holes.at(&below("/headers", name)) {
            HoledText(vec![Part::Hole(hole.clone())])
        } else {
            HoledText::plain(scalar_text(value).ok_or_else(|| refuse("the value is no text"))?)
        };
        headers.push((name.clone(), value));
    }
    Ok(headers)
}

fn refuse_double_authorization(headers: &[(String, HoledText)]) -> Result<(), Error> {
    if headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
        return Err(Error::Header {
            name: "Authorization".to_owned(),
            reason: "the endpoint's authentication writes it",
        });
    }
    Ok(())
}
