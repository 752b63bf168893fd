//! Checks of the kinds of `delivery` under which the same bytes may go again: what makes a second time
//! harmless stands in the request itself, always, and not where an input may leave it out.

use super::check_answer::{templates, when};
use super::check_request::template;
use super::document::{ConflictDoc, DeliveryDoc, IdFormatDoc, OperationDoc};
use super::operation::{BodyTemplate, Conflict, Order, RequestSpec, RequestTemplate};
use super::problem::Problems;
use crate::pointer::Pointer;
use crate::predicate::{StatusTest, When};
use crate::template::{Absent, Name, Part, Template, ValueTemplate};
use placet_model::manifest::DeliveryKind;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// Which fields a kind has, and which it cannot do without.
pub(super) fn kind_has_its_fields(document: &Spanned<DeliveryDoc>, problems: &mut Problems) {
    let shape = &document.value;
    let (may, must): (&[&str], &[&str]) = match shape.kind {
        DeliveryKind::KeyHeader => (&[], &["header", "ttl_s"]),
        DeliveryKind::MarkerLookup => (&[], &["marker", "reconcile"]),
        DeliveryKind::ClientId => (&["conflict"], &["field", "format"]),
        DeliveryKind::VersionGuard => (&[], &["field", "moved_on"]),
        DeliveryKind::NaturalKey => (&["conflict", "query"], &["field"]),
        DeliveryKind::None => (&[], &[]),
    };
    let named = [
        ("header", shape.header.is_some()),
        ("ttl_s", shape.ttl_s.is_some()),
        ("marker", shape.marker.is_some()),
        ("reconcile", shape.reconcile.is_some()),
        ("field", shape.field.is_some()),
        ("format", shape.format.is_some()),
        ("conflict", shape.conflict.is_some()),
        ("moved_on", shape.moved_on.is_some()),
        ("query", shape.query.is_some()),
    ];
    let missing = named.iter().filter(|(name, given)| must.contains(name) && !given);
    for (name, _) in missing {
        let words = format!("delivery.kind {} needs {name}", shape.kind);
        match shape.kind {
            DeliveryKind::MarkerLookup => {
                problems.at_with_help(document, words, "without a usable look-up the kind is none");
            }
            DeliveryKind::KeyHeader
            | DeliveryKind::ClientId
            | DeliveryKind::VersionGuard
            | DeliveryKind::NaturalKey
            | DeliveryKind::None => problems.at(document, words),
        }
    }
    let ours = ["field", "format", "conflict", "moved_on", "query"];
    let strange = named.iter().filter(|(name, given)| {
        *given && ours.contains(name) && !may.contains(name) && !must.contains(name)
    });
    for (name, _) in strange {
        problems.at(document, format!("delivery.kind {} has no {name}", shape.kind));
    }
    let looks_first = shape.lookup_first == Some(true);
    if looks_first && shape.reconcile.is_none() {
        problems.at(document, "delivery.lookup_first needs reconcile");
    }
    if shape.kind == DeliveryKind::ClientId && !looks_first && shape.conflict.is_none() {
        problems.at_with_help(
            document,
            "delivery.kind client_id needs conflict, or lookup_first: true",
            "where a second one is not known to be refused, look before it goes again",
        );
    }
}

pub(super) const fn order(document: &DeliveryDoc) -> Order {
    match document.lookup_first {
        Some(true) => Order::LookFirst,
        Some(false) | None => Order::SendFirst,
    }
}

/// What says that it is there already, if anything does (what is wrong with it is noted); where the id is ours, it is known without being told.
pub(super) fn exists(document: &Spanned<DeliveryDoc>, problems: &mut Problems) -> Option<Conflict> {
    let shape = &document.value;
    let mut exists = conflict(shape.conflict.as_ref()?, document, problems)?;
    let id = match shape.format {
        Some(IdFormatDoc::SendId) => "{send_id}",
        Some(IdFormatDoc::Uuid) => "{send_uuid}",
        Some(IdFormatDoc::Base32hex) => "{send_b32hex}",
        None => return Some(exists),
    };
    if exists.result.is_empty() {
        exists.result.insert("external_id".to_owned(), template(id, document, problems)?);
    }
    Some(exists)
}

/// What an answer says to somebody who has sent these bytes before.
pub(super) fn conflict<T>(
    document: &ConflictDoc,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<Conflict> {
    let statuses = |given: &[u16]| When {
        status: Some(given.iter().map(|status| StatusTest::Exactly(*status)).collect()),
        ..When::default()
    };
    let plain = |when: When| Some(Conflict { when, result: BTreeMap::new() });
    match document {
        ConflictDoc::Status(status) => plain(statuses(&[*status])),
        ConflictDoc::Statuses(given) if !given.is_empty() => plain(statuses(given)),
        ConflictDoc::Statuses(_) => {
            problems.at(place, "a list of statuses is not empty");
            None
        }
        ConflictDoc::When(said) => {
            if said.when.transport.is_some() {
                problems.at(place, "only an answer says that something is there already");
            }
            let when = when(&said.when, place, problems)?;
            Some(Conflict { when, result: templates(&said.result, place, problems)? })
        }
    }
}

/// What makes the second time harmless is in the bytes.
pub(super) fn field_is_sent(request: &RequestSpec, shape: &OperationDoc, problems: &mut Problems) {
    let (Some(delivery), RequestSpec::Template(template)) = (&shape.delivery, request) else {
        return;
    };
    let Some(field) = delivery.value.field.as_deref() else { return };
    let Some(held) = held(template, field) else {
        problems.at(delivery, format!("the request has no {field:?}"));
        return;
    };
    let always = |part: &Part| match part {
        Part::Text(_) => true,
        Part::Place(place) => place.absent == Absent::Refuse,
    };
    if !held.parts.iter().all(always) {
        problems.at(delivery, format!("{field:?} may be left out: then nothing guards the write"));
    }
    match delivery.value.kind {
        DeliveryKind::ClientId => id_is_ours((&held, field), &delivery.value, delivery, problems),
        DeliveryKind::VersionGuard | DeliveryKind::NaturalKey => {
            if !held
                .names()
                .any(|name| matches!(name, Name::Input(_) | Name::TargetPart(_) | Name::Target))
            {
                problems.at(delivery, format!("{field:?} says nothing of what is written"));
            }
            let names_it = matches!(template.method.as_str(), "PUT" | "PATCH" | "DELETE");
            if field == "url" && !names_it {
                problems.at(
                    delivery,
                    format!("a {} to the same url makes another one", template.method),
                );
            }
        }
        DeliveryKind::KeyHeader | DeliveryKind::MarkerLookup | DeliveryKind::None => {}
    }
}

fn id_is_ours(
    (held, field): (&Template, &str),
    shape: &DeliveryDoc,
    place: &Spanned<DeliveryDoc>,
    problems: &mut Problems,
) {
    let wanted = match shape.format {
        Some(IdFormatDoc::SendId) => Name::SendId,
        Some(IdFormatDoc::Uuid) => Name::SendUuid,
        Some(IdFormatDoc::Base32hex) => Name::SendBase32Hex,
        None => return,
    };
    let whole = held.whole().is_some_and(|place| place.names == [wanted.clone()]);
    let in_url = field == "url" && held.names().any(|name| *name == wanted);
    if !whole && !in_url {
        problems.at(place, format!("{field:?} is not the send id in the stated format"));
    }
}

/// What stands at this place of the request.
fn held(request: &RequestTemplate, field: &str) -> Option<Template> {
    if field == "url" {
        return Some(request.url.clone());
    }
    if let Some(name) = field.strip_prefix("header:") {
        let header = request.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        return header.map(|(_, value)| value.clone());
    }
    if let Some(name) = field.strip_prefix("query:") {
        let (_, value) = request.query.iter().find(|(key, _)| key == name)?;
        return text(value, &[]);
    }
    let pointer = Pointer::exact(field).ok()?;
    let body = match request.body.as_ref()? {
        BodyTemplate::Json(value)
        | BodyTemplate::Form(value)
        | BodyTemplate::RepeatingForm(value)
        | BodyTemplate::Multipart(value) => value,
        BodyTemplate::Mail(_) => return None,
    };
    text(body, pointer.segments())
}

fn text(value: &ValueTemplate, path: &[String]) -> Option<Template> {
    match (value, path) {
        (ValueTemplate::Text(template), []) => Some(template.clone()),
        (ValueTemplate::Object(fields) | ValueTemplate::Merge(_, fields), [key, rest @ ..]) => {
            text(&fields.iter().find(|(name, _)| name == key)?.1, rest)
        }
        (ValueTemplate::Array(items), [index, rest @ ..]) => {
            text(items.get(index.parse::<usize>().ok()?)?, rest)
        }
        (
            ValueTemplate::Literal(_)
            | ValueTemplate::Text(_)
            | ValueTemplate::Array(_)
            | ValueTemplate::Object(_)
            | ValueTemplate::Merge(..)
            | ValueTemplate::Mime(_)
            // what may be left out guards nothing
            | ValueTemplate::IfPresent(..)
            | ValueTemplate::IfAbsent(..)
            | ValueTemplate::FirstOf(_),
            _,
        ) => None,
    }
}
