//! Checks of `inbound`: who may speak, what counts as an event, what is answered.

use super::check_answer::{self, body_test, status_tests, templates, when};
use super::check_lifecycle::lifecycle;
use super::check_request::{pointer, template};
use super::document::BodyTestDoc;
use super::document_inbound::{
    AckDoc, AfterDoc, EventDoc, HandshakeDoc, InboundDoc, IntegrityDoc, PlacesDoc,
};
use super::problem::Problems;
use super::{Operation, check_pairing, check_refetch, check_triggers, check_verify};
use crate::inbound::{
    Acks, Correlate, ECHO, EventSpec, EvidenceSpec, Handshake, Inbound, Integrity, OwnTest,
    OwnValue, Source,
};
use crate::pointer::Pointer;
use crate::predicate::StatusTest;
use crate::template::ValueTemplate;
use serde_json::Value;
use serde_saphyr::Spanned;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Operations of the same manifest, by full name.
pub(super) type Operations = BTreeMap<String, Arc<Operation>>;

pub(super) fn inbound(
    document: &Spanned<InboundDoc>,
    provider: &str,
    operations: &Operations,
    problems: &mut Problems,
) -> Option<Inbound> {
    let shape = &document.value;
    let verify = check_verify::verify(&shape.verify, problems);
    if shape.events.is_empty() {
        problems.at(document, "inbound.events is empty");
    }
    if shape.deadline_ms.value == 0 {
        problems.at(&shape.deadline_ms, "a deadline is at least one millisecond");
    }
    let mut events = Vec::new();
    let mut keys = BTreeSet::new();
    for event in &shape.events {
        if !keys.insert(event.value.key.as_str()) {
            problems.at(event, format!("the event {} stands here twice", event.value.key));
        }
        check_refetch::fits(event, (provider, operations), problems);
        events.extend(self::event(event, provider, problems));
    }
    let triggers = check_triggers::triggers(shape, problems);
    let lifecycle = lifecycle(shape, provider, operations, problems);
    let sync = match &shape.sync {
        Some(sync) => Some(super::check_sync::sync(sync, (provider, operations), problems)?),
        None => None,
    };
    let pairing = match &shape.pairing {
        Some(pairing) => Some(check_pairing::pairing(pairing, problems)?),
        None => None,
    };
    let by_form = match &shape.by_form {
        Some(form) if form.value.by_form.is_none() => {
            check_triggers::none_in_form(form, problems);
            Some(Box::new(inbound(form, provider, operations, problems)?))
        }
        Some(form) => {
            problems.at(form, "by_form stands in no by_form");
            None
        }
        None => None,
    };
    let each = match &shape.each {
        Some(at) => Some(pointer(at, document, problems)?),
        None => None,
    };
    let handshake = match &shape.handshake {
        Some(handshake) => Some(self::handshake(handshake, problems)?),
        None => None,
    };
    Some(Inbound {
        verify: verify?,
        integrity: match shape.verify.value.integrity {
            IntegrityDoc::BodySigned => Integrity::BodySigned,
            IntegrityDoc::MetadataSigned => Integrity::MetadataSigned,
            IntegrityDoc::SharedSecret => Integrity::SharedSecret,
        },
        handshake,
        each,
        events,
        acks: acks(&shape.ack, &shape.never_return, problems)?,
        by_form,
        carries_content: shape.carries_content,
        deadline: Duration::from_millis(u64::from(shape.deadline_ms.value)),
        body_max: body_max(shape, problems),
        lifecycle,
        sync,
        pairing,
        triggers,
    })
}

/// Of most providers a message is small; a larger one is mail with what is attached.
fn body_max(document: &InboundDoc, problems: &mut Problems) -> usize {
    const USUAL: usize = 1 << 20;
    const MOST: usize = 40 << 20;
    let Some(given) = &document.body_max else { return USUAL };
    match usize::try_from(given.value) {
        Ok(bytes) if (1024..=MOST).contains(&bytes) => bytes,
        _ => {
            problems.at(given, format!("inbound.body_max is 1024 to {MOST} bytes"));
            USUAL
        }
    }
}

fn handshake(document: &Spanned<HandshakeDoc>, problems: &mut Problems) -> Option<Handshake> {
    let AfterDoc::Verify = document.value.after;
    let body = match &document.value.reply.body {
        Some(body) => Some(value(body, document, problems)?),
        None => None,
    };
    Some(Handshake {
        when: when(&document.value.when, document, problems)?,
        status: document.value.reply.status,
        body,
    })
}

pub(super) fn value<T>(
    text: &Value,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<ValueTemplate> {
    match ValueTemplate::parse(text) {
        Ok(value) => Some(value),
        Err(error) => {
            problems.at(place, error.to_string());
            None
        }
    }
}

fn event(
    document: &Spanned<EventDoc>,
    provider: &str,
    problems: &mut Problems,
) -> Option<EventSpec> {
    let shape = &document.value;
    let prefix = format!("{provider}.");
    if !shape.key.starts_with(&prefix) || shape.event_key.split('.').count() < 2 {
        problems.at(document, format!("a key starts with {prefix}, an event_key has two words"));
    }
    let store = check_answer::store(&shape.store, problems);
    let correlate = correlate(document, problems)?;
    let mut data = BTreeMap::new();
    for (name, text) in &shape.data {
        data.insert(name.clone(), source(text, document, problems)?);
    }
    data_is_what_is_stored(document, problems);
    let mut dedupe = vec![places(&shape.dedupe, document, problems)?];
    if let Some(otherwise) = &shape.dedupe_else {
        dedupe.push(places(otherwise, document, problems)?);
    }
    let own = |test: &BodyTestDoc, problems: &mut Problems| own_test(test, document, problems);
    let mut ignore_own = Vec::new();
    for test in &shape.ignore_own {
        ignore_own.push(own(test, problems)?);
    }
    Some(EventSpec {
        when: when(&shape.when, document, problems)?,
        key: shape.key.clone(),
        event_key: shape.event_key.clone(),
        dedupe,
        ignore_own,
        correlate,
        store,
        data,
        refetch: match &shape.refetch {
            Some(said) => Some(check_refetch::refetch(said, problems)?),
            None => None,
        },
        evidence: evidence(document, problems),
    })
}

/// Where it bears the mark of what we have sent, if it does (what is wrong with that is noted). What is
/// about our own sends alone tells of them, or of nothing.
fn evidence(document: &Spanned<EventDoc>, problems: &mut Problems) -> Option<EvidenceSpec> {
    let Some(said) = &document.value.evidence else {
        if document.value.key.ends_with(ECHO) {
            problems.at(document, format!("a key that ends in {ECHO} needs evidence"));
        }
        return None;
    };
    let final_when = match &said.final_when {
        Some(test) => Some(body_test(test, document, problems)?),
        None => None,
    };
    let result = templates(&said.result, document, problems)?;
    Some(EvidenceSpec { send_id: source(&said.send_id, document, problems)?, final_when, result })
}

/// Rule 7: an event's data are the places of `store` and `correlate`, all of them and no others.
fn data_is_what_is_stored(document: &Spanned<EventDoc>, problems: &mut Problems) {
    let shape = &document.value;
    let places = |text: &str| text.split('|').map(|one| one.trim().to_owned()).collect::<Vec<_>>();
    let mut allowed: BTreeSet<String> = shape.store.iter().map(|text| text.value.clone()).collect();
    allowed.extend(shape.correlate.values().flat_map(|text| places(text)));
    let named: BTreeSet<String> = shape.data.values().flat_map(|text| places(text)).collect();
    for stranger in named.difference(&allowed) {
        problems.at(document, format!("data names {stranger}, which is not in store or correlate"));
    }
    for missing in allowed.difference(&named) {
        problems.at(document, format!("data does not name {missing}"));
    }
}

fn correlate(document: &Spanned<EventDoc>, problems: &mut Problems) -> Option<Correlate> {
    let shape = &document.value;
    let mut by = BTreeMap::new();
    for (name, text) in &shape.correlate {
        by.insert(name.clone(), source(text, document, problems)?);
    }
    let loose = match &shape.correlate_alone {
        Some(alone) => {
            if alone.by.is_empty() || alone.by.iter().any(|name| !by.contains_key(name)) {
                problems.at(document, "correlate_alone.by names what correlate has");
            }
            Some((body_test(&alone.when, document, problems)?, alone.by.clone()))
        }
        None => None,
    };
    Some(Correlate { by, loose })
}

fn places<T>(
    document: &PlacesDoc,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<Vec<Source>> {
    let texts = match document {
        PlacesDoc::One(text) => std::slice::from_ref(text),
        PlacesDoc::Several(texts) => texts.as_slice(),
    };
    if texts.is_empty() {
        problems.at(place, "dedupe names at least one place");
        return None;
    }
    texts.iter().map(|text| source(text, place, problems)).collect()
}

/// `/ptr`, `/a|/b`, `header:Name`, `mail:Name:/ptr` for a header of a mail that stands there, or
/// `plus:/ptr` for the mark behind the plus of an address.
pub(super) fn source<T>(text: &str, place: &Spanned<T>, problems: &mut Problems) -> Option<Source> {
    if let Some(header) = text.strip_prefix("header:") {
        return Some(Source::Header(header.to_owned()));
    }
    let mut places = |text: &str| -> Option<Vec<Pointer>> {
        text.split('|').map(|one| pointer(one.trim(), place, problems)).collect()
    };
    if let Some(at) = text.strip_prefix("plus:") {
        return Some(Source::Tag(places(at)?));
    }
    match text.strip_prefix("mail:").and_then(|rest| rest.split_once(':')) {
        Some((name, at)) => Some(Source::Mail(name.to_owned(), places(at)?)),
        None => Some(Source::Body(places(text)?)),
    }
}

fn own_test<T>(
    document: &BodyTestDoc,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<OwnTest> {
    let is = match document.is.as_ref().and_then(Value::as_str) {
        Some("{connection.id}") => OwnValue::Id,
        Some("{connection.tenant}") => OwnValue::Tenant,
        _ => return body_test(document, place, problems).map(OwnTest::Says),
    };
    // a place, or a text with places in it
    let at = &document.at;
    let text = if at.starts_with('/') { format!("{{{at}}}") } else { at.clone() };
    if !text.contains("{/") {
        let words = "ignore_own.at is a place (/a/b), or a text with places in it (\"app {/a/b}\")";
        problems.at(place, format!("{words}, not {at}"));
        return None;
    }
    Some(OwnTest::Account { at: template(&text, place, problems)?, is })
}

fn acks(document: &Spanned<AckDoc>, never: &[Value], problems: &mut Problems) -> Option<Acks> {
    let shape = &document.value;
    let all = [
        ("ok", shape.ok),
        ("duplicate", shape.duplicate),
        ("unknown_connection", shape.unknown_connection),
        ("bad_signature", shape.bad_signature),
        ("retry_later", shape.retry_later),
    ];
    let mut forbidden = Vec::new();
    for status in never {
        forbidden.extend(status_tests(status, document, problems)?);
    }
    for (name, status) in all {
        if !(200..600).contains(&status) {
            problems.at(document, format!("ack.{name} is no status"));
        }
        let bad = forbidden.iter().any(|test| match test {
            StatusTest::Exactly(never) => *never == status,
            StatusTest::Class(hundreds) => status / 100 == *hundreds,
        });
        if bad {
            problems.at(document, format!("ack.{name} is {status}, which never_return forbids"));
        }
    }
    Some(Acks {
        ok: shape.ok,
        duplicate: shape.duplicate,
        unknown_connection: shape.unknown_connection,
        bad_signature: shape.bad_signature,
        retry_later: shape.retry_later,
        body: shape.body.as_ref().map(|body| (body.media.clone(), body.text.clone())),
    })
}
