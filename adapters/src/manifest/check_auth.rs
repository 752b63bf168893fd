//! Checks of what every request of a provider carries (`api_version`, `auth.extra_headers`), and of
//! what a credential says about itself (`auth.mode_from`).

use super::check::Shared;
use super::check_request;
use super::document::{AuthDoc, ManifestDoc, MtlsDoc, OperationDoc, PlacementDoc};
use super::document_auth::{ApiVersionDoc, ModeFromDoc};
use super::operation::{ClientCertificate, Placement, RequestTemplate};
use super::problem::Problems;
use crate::identity::ModeFrom;
use crate::render::is_header_name;
use crate::template::{Name, Template};
use placet_schemas::Schema;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

/// Letters of a version, of a mode and of what a credential begins with.
const WORD_LETTERS_MAX: usize = 64;

/// What of `auth` decides about bytes and about whose they are; a manifest that does not say a newer
/// field keeps the digest that it always had.
pub(super) fn digest_part(auth: &AuthDoc) -> Value {
    let mut part = json!({
        "kind": auth.kind,
        "placement": auth.placement.as_ref().map(|placement| &placement.value),
        "sign": auth.sign.as_ref().map(|sign| &sign.value),
    });
    if let Some(headers) = &auth.extra_headers {
        part["extra_headers"] = json!(headers.value);
    }
    if let Some(mode) = &auth.mode_from {
        part["mode_from"] = json!(mode.value);
    }
    part
}

/// A secret as the value of one parameter of the query.
pub(super) fn in_query(
    name: &str,
    document: &Spanned<PlacementDoc>,
    problems: &mut Problems,
) -> Option<Placement> {
    let value = document.value.value.as_deref().unwrap_or_default();
    let field = whole_secret(value, document, problems);
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if field.is_none() || !is_name || document.value.header.is_some() {
        problems
            .at(document, "in a query the placement is {query: name, value: \"{secret:field}\"}");
    }
    Some(Placement::Query { name: name.to_owned(), field: field? })
}

/// The certificate by which we are known on the connection itself, and its key.
pub(super) fn client_certificate(
    document: &MtlsDoc,
    place: &Spanned<PlacementDoc>,
    problems: &mut Problems,
) -> Option<ClientCertificate> {
    let mut field = |text: &str| whole_secret(text, place, problems);
    let (chain, key) = (field(&document.certificate), field(&document.key));
    if let (Some(chain), Some(key)) = (&chain, &key)
        && chain != key
    {
        return Some(ClientCertificate { chain: chain.clone(), key: key.clone() });
    }
    let words = "mtls is {certificate: \"{secret:field}\", key: \"{secret:field}\"}, two fields";
    problems.at(place, words);
    None
}

/// The credential field of a text that is one secret and nothing else.
pub(super) fn whole_secret<T>(
    text: &str,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<String> {
    let template = check_request::template(text, place, problems)?;
    match template.whole().map(|place| place.names.as_slice()) {
        Some([Name::Secret(field)]) => Some(field.clone()),
        _ => None,
    }
}

/// The headers that every request gets, in the order in which they are written.
pub(super) fn shared_headers(
    document: &ManifestDoc,
    problems: &mut Problems,
) -> Vec<(String, Template)> {
    let mut headers = vec![];
    if let Some(version) = &document.api_version {
        headers.extend(api_version(version, problems));
    }
    let Some(extra) = &document.auth.value.extra_headers else { return headers };
    for (name, value) in &extra.value {
        if !is_header_name(name) {
            problems.at(extra, format!("{name:?} is no header name"));
        }
        if headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            problems.at(extra, format!("api_version says the header {name} already"));
        }
        let Some(value) = check_request::template(value, extra, problems) else { continue };
        if value.names().any(|name| !is_of_connection(name)) {
            let words = "extra_headers name settings and secrets: they are the same for each call";
            problems.at(extra, words);
        }
        headers.push((name.clone(), value));
    }
    headers
}

const fn is_of_connection(name: &Name) -> bool {
    matches!(name, Name::Config(_) | Name::Secret(_))
}

/// Its header, where it stands in one.
fn api_version(
    document: &Spanned<ApiVersionDoc>,
    problems: &mut Problems,
) -> Option<(String, Template)> {
    let shape = &document.value;
    if !is_version(&shape.value) {
        problems.at(document, "api_version.value is 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'");
    }
    match (&shape.header, &shape.path) {
        (Some(header), None) => {
            if !is_header_name(header) {
                problems.at(document, format!("{header:?} is no header name"));
            }
            let value = check_request::template(&shape.value, document, problems)?;
            Some((header.clone(), value))
        }
        (None, Some(segment)) => {
            let template = check_request::template(segment, document, problems);
            let names = template.is_some_and(|template| {
                template.names().collect::<Vec<_>>() == [&Name::ApiVersion]
            });
            if !names || segment.contains('/') {
                problems.at(document, "api_version.path is one segment that names {api_version}");
            }
            None
        }
        _ => {
            problems.at(document, "api_version is {header, value} or {path, value}");
            None
        }
    }
}

fn is_version(text: &str) -> bool {
    (1..=WORD_LETTERS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// How the mode is read from a credential, which must be one that the provider has.
pub(super) fn mode_from(
    document: &Spanned<ModeFromDoc>,
    (auth, credentials): (&AuthDoc, Option<&Schema>),
    problems: &mut Problems,
) -> Option<ModeFrom> {
    let shape = &document.value;
    let known = credentials
        .is_some_and(|schema| schema.document()["properties"].get(&shape.credential).is_some());
    if !known {
        let field = &shape.credential;
        problems.at(document, format!("the credentials have no field {field}"));
    }
    if auth.oauth.is_some() {
        problems.at(document, "a token that is renewed says nothing of its mode by its letters");
    }
    if shape.prefix.is_empty() {
        problems.at(document, "mode_from.prefix is empty: no credential would show its mode");
        return None;
    }
    let word = |mode: &str| {
        (1..=WORD_LETTERS_MAX).contains(&mode.len())
            && mode.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(&byte))
    };
    for (prefix, mode) in &shape.prefix {
        if !word(mode) {
            problems.at(document, format!("the mode {mode:?} is no word of a-z, _ and -"));
        }
        let other = shape.prefix.iter().find(|(other, says)| {
            *other != prefix && other.starts_with(prefix.as_str()) && *says != mode
        });
        if let Some((other, _)) = other {
            problems
                .at(document, format!("{prefix:?} and {other:?} name two modes of one credential"));
        }
    }
    if shape.prefix.keys().any(String::is_empty) {
        problems.at(document, "every credential begins with nothing: name its first letters");
    }
    let by_prefix = shape.prefix.clone().into_iter().collect();
    Some(ModeFrom { credential: shape.credential.clone(), by_prefix })
}

/// A request says nothing that is said for every request, and names the version where its url has to.
pub(super) fn fits(
    template: &RequestTemplate,
    shape: &OperationDoc,
    shared: &Shared,
    problems: &mut Problems,
) {
    let of_credential = match &shared.placement {
        Some(Placement::Header(placement)) => Some(placement.header.as_str()),
        Some(Placement::Basic { .. }) => Some("Authorization"),
        Some(Placement::Query { .. }) | None => None,
    };
    let of_all = shared.headers.iter().map(|(name, _)| name.as_str()).chain(of_credential);
    for name in of_all {
        if template.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
            problems.at(&shape.request, format!("the header {name} is said for every request"));
        }
    }
    let url = shape.request.value.url.as_deref().unwrap_or_default();
    let path = url.split('?').next().unwrap_or_default();
    let said = path.matches("{api_version}").count();
    match &shared.version_segment {
        Some(segment) if said != 1 || !path.split('/').any(|part| part == segment) => {
            problems.at(&shape.request, format!("the url needs the segment {segment} once"));
        }
        None if template.url.names().any(|name| *name == Name::ApiVersion) => {
            problems.at(&shape.request, "a version in a url needs api_version.path");
        }
        Some(_) | None => {}
    }
}
