//! The rules of facts/manifest.md §6 that go beyond shapes. Each says what it protects.

use super::Origin;
use super::check::Shared;
use super::document::{ManifestDoc, OperationDoc, PhaseDoc};
use super::operation::{Operation, RequestSpec, RequestTemplate, TargetSpec};
use super::problem::Problems;
use crate::pointer::Pointer;
use crate::preview::PreviewRead;
use crate::template::{Name, Part, Template};
use placet_model::manifest::{DeliveryKind, Effect, Outcome};
use placet_schemas::Schema;
use serde_json::Value;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Errors on demand that every operation but a read offers.
const MOCK_ERRORS: [&str; 5] =
    ["rate_limited", "not_found", "validation", "auth", "timeout_in_doubt"];
/// Words in a pointer behind which providers put secrets (facts/providers/README.md item 12).
const SECRET_WORDS: [&str; 12] = [
    "auth_token",
    "access_token",
    "refresh_token",
    "apitokens",
    "client_secret",
    "secret",
    "signing_secret",
    "verification_token",
    "sessionid",
    "token",
    "password",
    "api_key",
];

/// Whether a pointer names a place that is known to hold secrets.
pub(super) fn names_a_secret(pointer: &Pointer) -> bool {
    pointer
        .segments()
        .iter()
        .any(|segment| SECRET_WORDS.contains(&segment.to_ascii_lowercase().as_str()))
}

/// Rule 1: everything but a read says all of these.
pub(super) fn completeness(document: &Spanned<OperationDoc>, problems: &mut Problems) {
    let shape = &document.value;
    if shape.input_schema.is_none() {
        problems.at(document, "an operation needs input_schema");
    }
    if shape.effect.value == Effect::Read {
        return;
    }
    let missing = [
        ("target", shape.target.is_none()),
        ("preview", shape.preview.is_none()),
        ("text_limits", shape.text_limits.is_none()),
        ("result", shape.result.is_none()),
        ("store", shape.store.is_none()),
        ("delivery", shape.delivery.is_none()),
        ("mock", shape.mock.is_none()),
        ("vendor_dry_run", shape.vendor_dry_run.is_none()),
    ];
    for (field, _) in missing.iter().filter(|(_, missing)| *missing) {
        problems
            .at(document, format!("an operation with effect {} needs {field}", shape.effect.value));
    }
    if let Some(mock) = &shape.mock {
        for error in MOCK_ERRORS.iter().filter(|error| !mock.value.errors.contains_key(**error)) {
            problems.at(mock, format!("mock.errors needs {error}"));
        }
    }
}

/// Names under which an input holds those who get a copy.
const COPY_WORDS: [&str; 6] = ["cc", "bcc", "Cc", "Bcc", "CC", "BCC"];

/// Who gets a copy is part of the target, or named in `recipients`: policies look at everybody whom an action reaches, and
/// nobody may be reached unseen.
pub(super) fn recipients_are_named(
    document: &Spanned<OperationDoc>,
    schema: Option<&Schema>,
    (recipients, target): (&[Pointer], Option<&TargetSpec>),
    problems: &mut Problems,
) {
    let Some(schema) = schema.filter(|_| document.value.effect.value != Effect::Read) else {
        return;
    };
    let mut places = vec![];
    copies_in(schema.document(), "", &mut places);
    let parts = target.into_iter().flat_map(|target| target.from.values().flatten());
    let of_target: Vec<&Pointer> = parts.flat_map(Template::names).filter_map(input).collect();
    let seen = |place: &Pointer| {
        let part = of_target.iter().any(|part| place.covers(part));
        part || recipients.iter().any(|named| named.covers(place))
    };
    for place in places.iter().filter_map(|place| Pointer::parse(place).ok()) {
        if !seen(&place) {
            problems.at_with_help(
                document,
                format!("{place} holds people whom this reaches, and recipients does not name it"),
                "a policy looks at everybody whom an action reaches",
            );
        }
    }
}

const fn input(name: &Name) -> Option<&Pointer> {
    if let Name::Input(place) = name { Some(place) } else { None }
}

/// The places of an input that hold copies, as the schema's own properties say.
fn copies_in(schema: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(items) = schema.get("items") {
        copies_in(items, &format!("{place}/*"), found);
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let place = format!("{place}/{name}");
        if COPY_WORDS.contains(&name.as_str()) {
            found.push(place);
        } else {
            copies_in(property, &place, found);
        }
    }
}

/// The last rule, and only the last, is `else`; for everything but a read it is `in_doubt`.
pub(super) fn last_rule(
    shape: &OperationDoc,
    document: &Spanned<OperationDoc>,
    problems: &mut Problems,
) {
    let Some((last, before)) = shape.classify.split_last() else {
        problems.at(document, "classify needs rules, the last one `else`");
        return;
    };
    if let Some(early) = before.iter().find(|rule| rule.value.otherwise.is_some()) {
        problems.at(early, "rules after `else` are never reached");
    }
    match last.value.otherwise {
        None => problems.at(last, "the last rule is `else`"),
        Some(outcome) if shape.effect.value != Effect::Read && outcome != Outcome::InDoubt => {
            problems.at_with_help(
                last,
                "for everything but a read the last rule is `else: in_doubt`",
                "an answer that nobody knows must never be taken for a refusal",
            );
        }
        Some(_) => {}
    }
    if shape.effect.value != Effect::Read {
        let loose = before.iter().find(|rule| {
            let after = rule.value.when.as_ref().and_then(|when| when.transport);
            after == Some(PhaseDoc::AfterSend) && rule.value.outcome != Some(Outcome::InDoubt)
        });
        if let Some(loose) = loose {
            problems.at(loose, "transport after_send is in_doubt for everything but a read");
        }
    }
}

/// Who says "not yet" is asked again, or tells: otherwise it would stay open for ever.
pub(super) fn final_when(shape: &OperationDoc, problems: &mut Problems) {
    let Some(said) = &shape.final_when else { return };
    if shape.effect.value == Effect::Read {
        problems.at(said, "a read is final when it is answered");
    }
    let looks = shape.delivery.as_ref().is_some_and(|said| said.value.reconcile.is_some());
    if !looks {
        problems.at_with_help(
            said,
            "final_when needs delivery.reconcile",
            "an answer that is not final is looked up until it is",
        );
    }
}

pub(super) fn vendor_dry_run(shape: &OperationDoc, problems: &mut Problems) {
    let Some(dry_run) = &shape.vendor_dry_run else { return };
    let told = |fields: &serde_json::Map<String, Value>, names: [&str; 2]| {
        fields.len() == 2 && names.iter().all(|name| fields.contains_key(*name))
    };
    let known = match &dry_run.value {
        Value::String(word) => word == "none",
        Value::Object(fields) => {
            told(fields, ["input", "is"]) || told(fields, ["credential", "value"])
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
    };
    if !known {
        problems.at(dry_run, "vendor_dry_run is none, {input, is} or {credential, value}");
    }
}

/// Rule 5: a literal host is in `hosts`; a configured one comes from a setting with a pattern.
pub(super) fn hosts(
    template: &RequestTemplate,
    shape: &OperationDoc,
    shared: &Shared,
    problems: &mut Problems,
) {
    match template.url.parts.first() {
        Some(Part::Text(text)) => {
            let host = text
                .strip_prefix("https://")
                .map(|rest| rest.split(['/', '?', ':']).next().unwrap_or(rest));
            match host {
                Some(host) if shared.hosts.iter().any(|known| known == host) => {}
                Some(host) => {
                    problems.at(&shape.request, format!("the host {host} is not in hosts"));
                }
                None => problems.at(&shape.request, "a url starts with https:// or a setting"),
            }
        }
        Some(Part::Place(place)) => match place.names.as_slice() {
            [Name::Config(setting)] if has_pattern(shared, setting) => {}
            [Name::Config(setting)] => {
                problems.at(
                    &shape.request,
                    format!("the setting {setting} decides the host and needs a pattern"),
                );
            }
            _ => problems.at(&shape.request, "a url starts with https:// or a setting"),
        },
        None => problems.at(&shape.request, "the url is empty"),
    }
}

/// A secret stands in a url where `auth.placement.path` says so, as one segment, and nowhere else; or where
/// the call is signed, and the url names what it is signed for.
pub(super) fn secret_in_url(
    template: &RequestTemplate,
    shape: &OperationDoc,
    shared: &Shared,
    problems: &mut Problems,
) {
    let url = shape.request.value.url.as_deref().unwrap_or_default();
    let segments = |segment: &str| url.split(['/', '?']).filter(|part| *part == segment).count();
    match &shared.secret_segment {
        Some(segment) if segments(segment) == 1 && in_query(url) => {}
        Some(segment) => {
            problems.at(&shape.request, format!("the url needs the segment {segment} once"));
        }
        // what the credential signs for stands where the provider wants it
        None if template.url.has_hole() && shape.auth.is_none() => problems.at_with_help(
            &shape.request,
            "a secret in a url needs auth.placement.path",
            "say there which path segment holds it",
        ),
        None => {}
    }
}

/// Whether every secret but the one of the path stands in the query.
fn in_query(url: &str) -> bool {
    url.split('?').next().unwrap_or_default().matches("{secret:").count() == 1
}

fn has_pattern(shared: &Shared, setting: &str) -> bool {
    shared.config_schema.as_ref().is_some_and(|schema| {
        let property = &schema.document()["properties"][setting];
        property["pattern"].is_string() || property["enum"].is_array()
    })
}

pub(super) fn sign_has_key(
    template: &RequestTemplate,
    shape: &OperationDoc,
    shared: &Shared,
    problems: &mut Problems,
) {
    let signs = template
        .headers
        .iter()
        .any(|(_, value)| value.names().any(|name| *name == Name::AttemptSignature));
    if signs && shared.signature.is_none() {
        problems.at(&shape.request, "{attempt.signature} needs auth.sign");
    }
}

/// A project cannot call a POST a read by itself (GATE.md §8).
pub(super) fn read_is_believable(
    template: &RequestTemplate,
    document: &Spanned<OperationDoc>,
    (full_name, origin): (&str, Origin<'_>),
    problems: &mut Problems,
) {
    let Origin::Project { trusted_reads } = origin else { return };
    let harmless = matches!(template.method.as_str(), "GET" | "HEAD" | "OPTIONS");
    if document.value.effect.value == Effect::Read
        && !harmless
        && !trusted_reads.contains(full_name)
    {
        problems.at_with_help(
            &document.value.effect,
            format!("{} is no read in a project's manifest", template.method),
            "declare write or send, or have an admin mark the operation as trusted",
        );
    }
}

/// A key that the provider dedupes on is the send id, in the approved bytes.
pub(super) fn key_is_sent(request: &RequestSpec, shape: &OperationDoc, problems: &mut Problems) {
    let (Some(delivery), RequestSpec::Template(template)) = (&shape.delivery, request) else {
        return;
    };
    if delivery.value.kind != DeliveryKind::KeyHeader {
        return;
    }
    let header = delivery.value.header.as_deref().unwrap_or_default();
    let sent = template.headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case(header) && value.names().any(|name| *name == Name::SendId)
    });
    if !sent {
        problems.at(
            delivery,
            format!("the request does not send {{send_id}} in the header {header:?}"),
        );
    }
}

/// Rules 2 and 3: a look-up names a declared read.
pub(super) fn look_ups(
    document: &ManifestDoc,
    operations: &BTreeMap<String, Arc<Operation>>,
    problems: &mut Problems,
) {
    for operation in document.operations.values() {
        let Some(delivery) = &operation.value.delivery else { continue };
        let Some(request) = delivery.value.looks_with() else { continue };
        let full = format!("{}.{}", document.provider.value, request.op);
        match operations.get(&full) {
            Some(look_up) if look_up.effect == Effect::Read => {
                let pages = look_up.pagination().map(|pages| pages.items().as_str());
                let list = delivery
                    .value
                    .reconcile
                    .as_ref()
                    .and_then(|said| said.matching.list.as_deref());
                if pages.is_some() && list.is_some() && pages != list {
                    let words = format!("match.list is not the list of which {full} reads pages");
                    problems.at(delivery, words);
                }
            }
            Some(_) => problems.at(delivery, format!("{full} is no read")),
            None => problems.at(delivery, format!("there is no operation {full}")),
        }
    }
}

/// What is asked before people are is a declared read, and its answer has what the card shows of it.
pub(super) fn previews(
    document: &ManifestDoc,
    operations: &BTreeMap<String, Arc<Operation>>,
    problems: &mut Problems,
) {
    for (name, operation) in &document.operations {
        let preview = operation.value.preview.as_ref();
        let Some(said) = preview.and_then(|preview| preview.value.lookup.as_ref()) else {
            continue;
        };
        let full = format!("{}.{}", document.provider.value, said.value.op);
        let Some(read) = operations.get(&full) else {
            problems.at(said, format!("there is no operation {full}"));
            continue;
        };
        if read.effect != Effect::Read {
            problems.at(said, format!("{full} is no read"));
        }
        let own = operations.get(&format!("{}.{name}", document.provider.value));
        let shown = own.and_then(|own| own.preview_read()).into_iter();
        for at in shown.flat_map(PreviewRead::shows) {
            if names_a_secret(at) {
                problems.at(said, format!("{at} is a place where providers put secrets"));
            }
            if !super::references::is_in(read.output_schema.as_deref(), at) {
                problems.at(said, format!("the answer of {full} has no {at}"));
            }
        }
    }
}

pub(super) fn is_operation_name(name: &str) -> bool {
    let segment = |segment: &str| {
        segment.starts_with(|first: char| first.is_ascii_alphabetic())
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    name.split('.').count() <= 3 && name.split('.').all(segment)
}
