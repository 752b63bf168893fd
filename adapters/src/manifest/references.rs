//! What a manifest names must be there: settings, fields of the credentials, places of the input and
//! parts of the target. A name that leads nowhere would be an absent value at the worst moment.

use super::check::Shared;
use super::check_assertion;
use super::document::{ManifestDoc, OperationDoc};
use super::document_oauth::RevokeDoc;
use super::operation::{Delivery, RequestSpec, TargetSpec};
use super::problem::Problems;
use crate::oauth::ASSERTION;
use crate::pointer::Pointer;
use crate::template::{Name, Template, ValueTemplate};
use placet_schemas::Schema;
use serde_json::Value;
use serde_saphyr::Spanned;

/// Whether a schema knows this place; one that says nothing of its fields knows them all.
pub(super) fn is_in(schema: Option<&Schema>, at: &Pointer) -> bool {
    let Some(schema) = schema else { return true };
    let root = schema.document();
    knows(root, root, at.segments())
}

fn knows(root: &Value, schema: &Value, segments: &[String]) -> bool {
    let Some((first, rest)) = segments.split_first() else { return true };
    if let Some(target) = schema["$ref"].as_str() {
        let target = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.is_none_or(|target| knows(root, target, segments));
    }
    let several = ["oneOf", "anyOf", "allOf"]
        .iter()
        .filter_map(|word| schema[*word].as_array())
        .flatten()
        .any(|one| says_fields(one) && knows(root, one, segments));
    if several {
        return true;
    }
    if let Some(items) = schema.get("items") {
        let is_item = first == "*" || first == "-1" || first.parse::<usize>().is_ok();
        return is_item && knows(root, items, rest);
    }
    if let Some(property) = schema["properties"].get(first) {
        return knows(root, property, rest);
    }
    // a map, or a schema that leaves it open
    !says_fields(schema) || schema["additionalProperties"].is_object()
}

/// Whether a schema lists what may stand in its object.
fn says_fields(schema: &Value) -> bool {
    schema["properties"].is_object() || schema["$ref"].is_string() || schema.get("items").is_some()
}

/// What an operation's own templates can name: its target, its input's schema, and what all share.
pub(super) type Known<'a> = (Option<&'a TargetSpec>, Option<&'a Schema>, &'a Shared);

/// Everything that the request, the card and the look-up of an operation name.
pub(super) fn all(
    document: &Spanned<OperationDoc>,
    (request, delivery): (&RequestSpec, &Delivery),
    known: Known<'_>,
    problems: &mut Problems,
) {
    of_request(document, request, known, problems);
    of_card(document, known, problems);
    of_answer(document, known, problems);
    of_delivery(document, delivery, known, problems);
}

/// Everything that a request names.
fn of_request(
    document: &Spanned<OperationDoc>,
    request: &RequestSpec,
    (target, input, shared): Known<'_>,
    problems: &mut Problems,
) {
    let RequestSpec::Template(template) = request else { return };
    let mut templates: Vec<&Template> = vec![&template.url];
    templates.extend(template.headers.iter().map(|(_, value)| value));
    templates.extend(shared.headers.iter().map(|(_, value)| value));
    let bodies = template.body.iter().map(super::operation::BodyTemplate::value);
    let values = template.query.iter().map(|(_, value)| value).chain(bodies);
    templates.extend(values.flat_map(ValueTemplate::templates));
    let place = &document.value.request;
    for name in templates.into_iter().flat_map(Template::names) {
        of_name(name, place, (target, input, shared), problems);
    }
    let (Some(target), Some(place)) = (target, &document.value.target) else { return };
    // what is not said is the input's field of the same name, where there is one
    let said = target.from.iter().filter(|(part, _)| place.value.from.contains_key(*part));
    for name in said.flat_map(|(_, sources)| sources).flat_map(Template::names) {
        of_name(name, place, (None, input, shared), problems);
    }
}

/// What the credential's place names: settings, and fields that the credentials have.
pub(super) fn of_auth(document: &ManifestDoc, shared: &Shared, problems: &mut Problems) {
    let assertion = document.auth.value.assertion.as_ref();
    let for_signed = assertion.and_then(|said| said.value.revoke.as_ref());
    for place in document.revoke.iter().chain(for_signed) {
        of_revoke(place, shared, problems);
    }
    of_oauth(document, shared, problems);
    check_assertion::references(document, shared, problems);
    let Some(place) = &document.auth.value.placement else { return };
    let said = &place.value;
    let basic = said.basic.iter().flat_map(|basic| [&basic.user, &basic.password]);
    let mtls = said.mtls.iter().flat_map(|mtls| [&mtls.certificate, &mtls.key]);
    let texts = said.value.iter().chain(&said.path).chain(basic).chain(mtls);
    for template in texts.filter_map(|text| Template::parse(text).ok()) {
        for name in template.names() {
            of_name(name, place, (None, None, shared), problems);
        }
    }
}

/// What one text names that every call of a connection could fill: settings, fields of the credential, and
/// what was signed with it.
pub(super) fn of_text<T>(text: &str, place: &Spanned<T>, shared: &Shared, problems: &mut Problems) {
    let Ok(template) = Template::parse(text) else { return };
    let is_signed = |name: &Name| matches!(name, Name::Secret(field) if field == ASSERTION);
    for name in template.names().filter(|name| !is_signed(name)) {
        of_name(name, place, (None, None, shared), problems);
    }
}

fn of_revoke(place: &Spanned<RevokeDoc>, shared: &Shared, problems: &mut Problems) {
    let Some(request) = &place.value.request else { return };
    let url = Template::parse(&request.value.url).ok();
    let fields = request.value.body.values().filter_map(|field| ValueTemplate::parse(field).ok());
    let fields: Vec<_> = fields.collect();
    let all = url.iter().chain(fields.iter().flat_map(ValueTemplate::templates));
    for name in all.flat_map(Template::names).filter(|name| !is_of_app(name)) {
        of_name(name, place, (None, None, shared), problems);
    }
}

fn of_oauth(document: &ManifestDoc, shared: &Shared, problems: &mut Problems) {
    let Some(said) = &document.auth.value.oauth else { return };
    for place in [&said.value.authorize, &said.value.token] {
        let Ok(url) = Template::parse(&place.value) else { continue };
        for name in url.names() {
            of_name(name, place, (None, None, shared), problems);
        }
    }
}

/// What an app is known by at the authorization server: kept with the grant, no field of the
/// credentials.
fn is_of_app(name: &Name) -> bool {
    matches!(name, Name::Secret(field) if ["client_id", "client_secret"].contains(&field.as_str()))
}

/// What the title of a card names; what only cards know is checked with the preview.
fn of_card(document: &Spanned<OperationDoc>, known: Known<'_>, problems: &mut Problems) {
    let Some(preview) = &document.value.preview else { return };
    let Ok(title) = Template::parse(&preview.value.title) else { return };
    let of_cards = |name: &Name| matches!(name, Name::Mode | Name::Money | Name::Lookup(_));
    for name in title.names().filter(|name| !of_cards(name)) {
        of_name(name, preview, known, problems);
    }
    let Some(said) = &preview.value.lookup else { return };
    let Ok(with) = ValueTemplate::parse(&Value::Object(said.value.with.clone())) else { return };
    for name in with.templates().into_iter().flat_map(Template::names) {
        of_name(name, said, known, problems);
    }
}

/// What an answer to it would be known by.
fn of_answer(document: &Spanned<OperationDoc>, known: Known<'_>, problems: &mut Problems) {
    let Some(place) = &document.value.answered else { return };
    for template in place.value.values().filter_map(|text| Template::parse(text).ok()) {
        let from_answer = |name: &Name| matches!(name, Name::Response(_) | Name::ResponseHeader(_));
        for name in template.names().filter(|name| !from_answer(name)) {
            of_name(name, place, known, problems);
        }
    }
}

/// What a marker and a look-up name of the call that they are about.
fn of_delivery(
    document: &Spanned<OperationDoc>,
    delivery: &Delivery,
    known: Known<'_>,
    problems: &mut Problems,
) {
    let Some(place) = &document.value.delivery else { return };
    let marker = place.value.marker.as_ref().and_then(|said| Template::parse(&said.value).ok());
    let reconcile = delivery.reconcile();
    let with = reconcile.map(|reconcile| reconcile.with.templates()).unwrap_or_default();
    let wanted = reconcile.into_iter().flat_map(|reconcile| &reconcile.tests);
    let all = marker.iter().chain(with).chain(wanted.map(|test| &test.wanted));
    let of_time = |name: &Name| matches!(name, Name::SentAtMinus(_) | Name::SentAtMinusIso(_));
    for name in all.flat_map(Template::names).filter(|name| !of_time(name)) {
        of_name(name, place, known, problems);
    }
}

/// The names of one template, at this place of the file.
fn of_name<T>(
    name: &Name,
    place: &Spanned<T>,
    (target, input, shared): Known<'_>,
    problems: &mut Problems,
) {
    let missing = match name {
        Name::Config(setting) => {
            let at = Pointer::parse(&format!("/{setting}"));
            let known = at.is_ok_and(|at| is_in(shared.config_schema.as_deref(), &at));
            (!known || shared.config_schema.is_none())
                .then(|| format!("the settings have no {setting}"))
        }
        Name::Secret(field) | Name::SecretUser(field) | Name::SecretPassword(field) => {
            let at = Pointer::parse(&format!("/{field}"));
            let known = at.is_ok_and(|at| is_in(shared.credential_schema.as_deref(), &at));
            let signs = shared.signing.as_ref().is_some_and(|signing| signing.spec.key == *field);
            match (known, signs) {
                (false, _) => Some(format!("the credentials have no field {field}")),
                (true, true) => Some(format!("{field} signs, and is shown to nobody")),
                (true, false) => None,
            }
        }
        Name::Input(at) => (!is_in(input, at)).then(|| format!("the input has no {at}")),
        Name::TargetPart(part) => {
            let known = target.is_some_and(|target| target.from.contains_key(part));
            (!known).then(|| format!("the target has no part {part}"))
        }
        Name::Target => target.is_none().then(|| "there is no target".to_owned()),
        Name::Response(_) | Name::ResponseHeader(_) => {
            Some(format!("{} stands in an answer, and nothing has been asked yet", name.label()))
        }
        Name::SentAtMinus(_) | Name::SentAtMinusIso(_) => {
            Some(format!("{} is known to a look-up only", name.label()))
        }
        Name::Mode | Name::Money | Name::Lookup(_) => {
            Some(format!("{} stands on cards only", name.label()))
        }
        Name::SendId
        | Name::SendUuid
        | Name::SendBase32Hex
        | Name::DraftTime
        | Name::ApiVersion
        | Name::PageCursor
        | Name::AttemptTimestamp
        | Name::AttemptSignature => None,
    };
    if let Some(missing) = missing {
        problems.at(place, missing);
    }
}
