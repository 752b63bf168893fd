//! One operation of a document, reduced to what a request needs.

use super::error::near;
use super::reference::follow;
use super::{Error, swagger, three};
use crate::render::{is_header_name, is_method};
use placet_model::plan::{ApiBody, ApiOperation, ApiParameter, ApiPlace};
use serde_json::Value;
use std::collections::BTreeMap;
use url::Url;

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Which of the two families of the specification a document follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Two,
    Three,
}

/// Where an operation stands: the document, its path item, the operation itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'d> {
    pub(super) document: &'d Value,
    pub(super) item: &'d Value,
    pub(super) own: &'d Value,
    /// The document's own URL.
    pub(super) url: &'d str,
}

/// What a version says of an operation beside its method and path.
pub(super) struct Parts {
    /// Where the API is, without a slash at the end.
    pub(super) base: String,
    pub(super) parameters: Vec<ApiParameter>,
    pub(super) body: Option<ApiBody>,
    pub(super) form_media: Vec<String>,
    /// Media types of the good answers.
    pub(super) answers: Vec<String>,
}

/// The operation with this id, ready to be pinned by a plan.
///
/// # Errors
/// No such operation, or more than one; a reference that leads out of the document or in a circle;
/// a parameter that cannot be sent; no server.
pub fn resolve(document: &Value, url: &str, operation_id: &str) -> Result<ApiOperation, Error> {
    version(document)?;
    let mut found = entries(document).filter(|(id, ..)| *id == operation_id);
    match (found.next(), found.next()) {
        (Some((_, method, path, item)), None) => one(document, url, (method, path, item)),
        (Some(_), Some(_)) => Err(Error::Ambiguous { id: operation_id.to_owned() }),
        (None, _) => {
            let near = near(operation_id, entries(document).map(|(id, ..)| id));
            Err(Error::UnknownOperation { id: operation_id.to_owned(), near })
        }
    }
}

/// Every operation that has an id.
pub(super) fn all(
    document: &Value,
    url: &str,
) -> impl Iterator<Item = (String, Result<ApiOperation, Error>)> {
    let mut found: BTreeMap<String, Result<ApiOperation, Error>> = BTreeMap::new();
    for (id, method, path, item) in entries(document) {
        let operation = if found.contains_key(id) {
            Err(Error::Ambiguous { id: id.to_owned() })
        } else {
            one(document, url, (method, path, item))
        };
        found.insert(id.to_owned(), operation);
    }
    found.into_iter()
}

/// # Errors
/// Neither 2.0 nor 3.0 nor 3.1.
pub(super) fn version(document: &Value) -> Result<Version, Error> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        // YAML reads an unquoted 2.0 as a number
        other => other.to_string(),
    };
    let (swagger, openapi) = (document.get("swagger"), document.get("openapi"));
    match (swagger.map(text), openapi.map(text)) {
        (Some(found), _) if found == "2.0" => Ok(Version::Two),
        (_, Some(found)) if found.starts_with("3.0") || found.starts_with("3.1") => {
            Ok(Version::Three)
        }
        (Some(found), _) | (None, Some(found)) => Err(Error::Version { found }),
        (None, None) => Err(Error::NotOpenApi),
    }
}

/// Id, method, path and path item of every operation that has an id.
fn entries(document: &Value) -> impl Iterator<Item = (&str, &'static str, &str, &Value)> {
    every(document).filter_map(|(method, path, item)| {
        Some((item[method]["operationId"].as_str()?, method, path, item))
    })
}

/// Method, path and path item of every operation.
pub(super) fn every(document: &Value) -> impl Iterator<Item = (&'static str, &str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(move |(path, item)| {
        let item = follow(document, item).unwrap_or(item);
        let there = METHODS.into_iter().filter(move |method| item[method].is_object());
        there.map(move |method| (method, path.as_str(), item))
    })
}

pub(super) fn one(
    document: &Value,
    url: &str,
    (method, path, item): (&str, &str, &Value),
) -> Result<ApiOperation, Error> {
    let place = Place { document, item, own: &item[method], url };
    let method = method.to_ascii_uppercase();
    if !is_method(&method) {
        return Err(Error::Method { method });
    }
    let parts = match version(document)? {
        Version::Two => swagger::parts(place)?,
        Version::Three => three::parts(place)?,
    };
    let mut parameters = parts.parameters;
    parameters.retain(|p| p.place != ApiPlace::Path || path.contains(&format!("{{{}}}", p.name)));
    add_undeclared(path, &mut parameters);
    check(&parameters, parts.body.as_ref())?;
    Ok(ApiOperation {
        method,
        url: format!("{}{path}", parts.base.trim_end_matches('/')),
        parameters,
        body: parts.body,
        form_media: parts.form_media,
        accept: parts.answers.into_iter().find(|media| is_json(media)),
    })
}

/// Documents forget parameters that their paths name; they are needed all the same.
fn add_undeclared(path: &str, parameters: &mut Vec<ApiParameter>) {
    let mut rest = path;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { return };
        rest = after;
        let known = |p: &ApiParameter| p.place == ApiPlace::Path && p.name == name;
        if !parameters.iter().any(known) {
            parameters.push(three::plain(name, ApiPlace::Path));
        }
    }
}

fn check(parameters: &[ApiParameter], body: Option<&ApiBody>) -> Result<(), Error> {
    for parameter in parameters {
        let refuse = |reason: &str| {
            let name = parameter.name.escape_default().to_string();
            Err(Error::Parameter { name, reason: reason.to_owned() })
        };
        let is_named = matches!(parameter.place, ApiPlace::Header | ApiPlace::Cookie);
        if is_named && !is_header_name(&parameter.name) {
            return refuse("its name is no token");
        }
        if body.is_some_and(|body| body.name == parameter.name) {
            return refuse("the body has the same name");
        }
    }
    Ok(())
}

/// The parameters of the path and of the operation; an operation's own wins.
///
/// # Errors
/// A reference that cannot be followed.
pub(super) fn listed(place: Place<'_>) -> Result<Vec<&Value>, Error> {
    let key = |parameter: &Value| (parameter["name"].clone(), parameter["in"].clone());
    let mut parameters: Vec<&Value> = Vec::new();
    for list in [&place.item["parameters"], &place.own["parameters"]] {
        for parameter in list.as_array().into_iter().flatten() {
            let parameter = follow(place.document, parameter)?;
            match parameters.iter_mut().find(|known| key(known) == key(parameter)) {
                Some(known) => *known = parameter,
                None => parameters.push(parameter),
            }
        }
    }
    Ok(parameters)
}

/// The document's own URL, where it has one.
pub(super) fn own_url(url: &str) -> Option<Url> {
    Url::parse(url).ok().filter(|url| matches!(url.scheme(), "https" | "http"))
}

/// The media types of the good answers.
pub(super) fn good_answers(
    place: Place<'_>,
    media: impl Fn(&Value) -> Vec<String>,
) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for (status, answer) in place.own["responses"].as_object().into_iter().flatten() {
        if status.starts_with('2') || status == "default" {
            found.extend(media(follow(place.document, answer)?));
        }
    }
    Ok(found)
}

pub(super) fn is_json(media: &str) -> bool {
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/json" || media.ends_with("+json")
}

pub(super) fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
