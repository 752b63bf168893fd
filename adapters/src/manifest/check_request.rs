//! Checks of the outgoing half of an operation: target, request, limits, preview.

use super::document::{
    BodyDoc, BodyKind, FromDoc, ListsDoc, OperationDoc, Over, PreviewDoc, PreviewLookupDoc,
    RequestCode, RequestDoc, TargetDoc, TextLimitDoc, TextLimitsDoc, TextUnit, WarnWhenDoc,
};
use super::operation::{BodyTemplate, RequestSpec, RequestTemplate, TargetSpec};
use super::problem::Problems;
use crate::pointer::Pointer;
use crate::preview::{Amounts, FieldSpec, PreviewRead, PreviewSpec, WarnSpec, WarnTest};
use crate::render::{is_header_name, is_mail_method, is_method};
use crate::target::Grammar;
use crate::template::{Name, Template, ValueTemplate};
use crate::text_limits::{TextLimit, Unit};
use regex::Regex;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// A template, or a problem at `place`.
pub(super) fn template<T>(
    text: &str,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<Template> {
    note(Template::parse(text), place, problems)
}

/// A pointer to one value, or a problem at `place`.
pub(super) fn pointer<T>(
    text: &str,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<Pointer> {
    note(Pointer::exact(text), place, problems)
}

/// A bounded regular expression, or a problem at `place`.
pub(super) fn regex<T>(text: &str, place: &Spanned<T>, problems: &mut Problems) -> Option<Regex> {
    let built = regex::RegexBuilder::new(text).size_limit(1 << 20).build();
    note(built, place, problems)
}

fn note<T, V, E: std::fmt::Display>(
    result: Result<V, E>,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<V> {
    result.map_err(|error| problems.at(place, error.to_string())).ok()
}

pub(super) fn target(document: &Spanned<TargetDoc>, problems: &mut Problems) -> Option<TargetSpec> {
    let regex = regex(&document.value.grammar, document, problems)?;
    let grammar = note(Grammar::new(regex, &document.value.format), document, problems)?;
    let mut from = BTreeMap::new();
    for part in grammar.part_names() {
        let sources = match document.value.from.get(part) {
            Some(FromDoc::One(source)) => vec![source.clone()],
            Some(FromDoc::Several(sources)) => sources.clone(),
            None => vec![format!("{{input./{part}?}}")],
        };
        let read = sources.iter().map(|source| template(source, document, problems));
        from.insert(part.to_owned(), read.collect::<Option<_>>()?);
    }
    for named in document.value.from.keys().filter(|named| !from.contains_key(*named)) {
        problems
            .at(document, format!("target.from names {named:?}, which the grammar does not have"));
    }
    if document.value.examples.is_empty() {
        problems.at(document, "a target needs examples");
    }
    for example in &document.value.examples {
        if let Err(error) = grammar.parse(example) {
            problems.at(document, format!("the example {example:?} is no target: {error}"));
        }
    }
    Some(TargetSpec { grammar, from })
}

pub(super) fn request(
    document: &Spanned<RequestDoc>,
    problems: &mut Problems,
) -> Option<RequestSpec> {
    let shape = &document.value;
    if let Some(RequestCode::Http) = shape.code {
        let alone = shape.method.is_none() && shape.url.is_none() && shape.body.is_none();
        if !alone || !shape.query.is_empty() || !shape.headers.is_empty() {
            problems.at(document, "request.code stands alone");
        }
        return Some(RequestSpec::Http);
    }
    let (Some(method), Some(url)) = (&shape.method, &shape.url) else {
        problems.at(document, "a request needs method and url");
        return None;
    };
    mail_is_whole(shape, document, problems);
    if !is_method(method) && !is_mail_method(method) {
        problems.at(document, format!("{method:?} is no method: write GET, POST …"));
    }
    let url = template(url, document, problems)?;
    let body = match &shape.body {
        Some(body) => Some(self::body(body, document, problems)?),
        None => None,
    };
    Some(RequestSpec::Template(Box::new(RequestTemplate {
        method: method.clone(),
        url,
        query: query(&shape.query, document, problems)?,
        headers: headers(&shape.headers, document, problems)?,
        body,
    })))
}

/// A mail goes to a mail server, and a mail server takes nothing else.
fn mail_is_whole<T>(shape: &RequestDoc, place: &Spanned<T>, problems: &mut Problems) {
    let mail = shape.body.as_ref().is_some_and(|body| body.kind == BodyKind::Mime);
    let for_mail = shape.method.as_deref().is_some_and(is_mail_method);
    let takes = shape.method.as_deref() == Some("MAIL");
    if mail != takes || (for_mail && !mail && shape.body.is_some()) {
        problems.at(place, "method MAIL and body.kind mime go together, and NOOP has no body");
    }
    if for_mail && !shape.query.is_empty() {
        problems.at(place, "a mail server takes no query");
    }
}

fn query<T>(
    query: &Map<String, Value>,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<Vec<(String, ValueTemplate)>> {
    let mut out = Vec::new();
    for (name, value) in query {
        let flat = |value: &Value| !value.is_object() && !value.is_array();
        if !flat(value) && !value.as_array().is_some_and(|items| items.iter().all(flat)) {
            problems.at(place, format!("the query's {name} is a value or a list of values"));
        }
        let value = note(ValueTemplate::parse(value), place, problems)?;
        refuse_holes(&value, place, problems);
        out.push((name.clone(), value));
    }
    Some(out)
}

fn headers<T>(
    headers: &Map<String, Value>,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<Vec<(String, Template)>> {
    let mut out = Vec::new();
    for (name, value) in headers {
        if !is_header_name(name) {
            problems.at(place, format!("{name:?} is no header name"));
        }
        let Some(text) = value.as_str() else {
            problems.at(place, format!("the header {name} is not text"));
            return None;
        };
        out.push((name.clone(), template(text, place, problems)?));
    }
    Some(out)
}

fn body<T>(
    document: &BodyDoc,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<BodyTemplate> {
    let value = note(ValueTemplate::parse(&document.value), place, problems)?;
    if document.kind != BodyKind::Json || !value.holes_are_plain() {
        refuse_holes(&value, place, problems);
    }
    match document.kind {
        BodyKind::Json => Some(BodyTemplate::Json(value)),
        BodyKind::Form if document.lists == Some(ListsDoc::Repeat) => {
            Some(BodyTemplate::RepeatingForm(value))
        }
        BodyKind::Form => Some(BodyTemplate::Form(value)),
        BodyKind::Multipart => Some(BodyTemplate::Multipart(value)),
        BodyKind::Mime => Some(BodyTemplate::Mail(value)),
        BodyKind::Graphql => {
            problems
                .at(place, "request.body.kind: json, form, multipart and mime are built so far");
            None
        }
    }
}

fn refuse_holes<T>(value: &ValueTemplate, place: &Spanned<T>, problems: &mut Problems) {
    if value.templates().iter().any(|template| template.has_hole()) {
        problems.at(
            place,
            "a secret stands in a header, or as a text of a JSON body that is always there; never in a \
             query, another body, or behind merge, mime, first_of, if_present or if_absent",
        );
    }
}

pub(super) fn text_limits(document: &OperationDoc, problems: &mut Problems) -> Vec<TextLimit> {
    let Some(place) = &document.text_limits else { return Vec::new() };
    match &place.value {
        TextLimitsDoc::Word(word) if word == "none" => Vec::new(),
        TextLimitsDoc::Word(word) => {
            problems.at(place, format!("text_limits is a list or none, not {word:?}"));
            Vec::new()
        }
        TextLimitsDoc::List(list) => {
            list.iter().filter_map(|limit| text_limit(limit, place, problems)).collect()
        }
    }
}

fn text_limit<T>(
    document: &TextLimitDoc,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<TextLimit> {
    let Over::Refuse = document.over;
    let unit = match document.unit {
        TextUnit::Chars => Unit::Chars,
        TextUnit::Utf16 => Unit::Utf16,
        TextUnit::Bytes => Unit::Bytes,
    };
    let path = pointer(&document.path, place, problems)?;
    if path.segments().is_empty() && unit != Unit::Bytes {
        problems.at(place, "the whole body is limited in bytes");
    }
    Some(TextLimit { path, unit, max: document.max })
}

pub(super) fn preview(
    shape: &OperationDoc,
    modes: &[String],
    problems: &mut Problems,
) -> Option<PreviewSpec> {
    let document = shape.preview.as_ref()?;
    if document.value.money.is_some() {
        problems.at(
            document,
            "money stands beside preview: what a call moves is a fact of the operation",
        );
    }
    let title = template(&document.value.title, document, problems)?;
    if title.has_hole() {
        problems.at(document, "a preview names no secret");
    }
    for name in title.names() {
        let unknown = match name {
            Name::Money => shape.money.is_none(),
            Name::Mode => modes.is_empty(),
            _ => false,
        };
        if matches!(name, Name::Lookup(_)) {
            problems.at(
                document,
                "a title is made from the bytes: what was read before stands in fields",
            );
        }
        if unknown {
            problems
                .at(document, format!("the preview names {}, which is not declared", name.label()));
        }
    }
    let (mut fields, mut read) = (Vec::new(), Vec::new());
    for name in &document.value.fields {
        if let Some(at) = name.strip_prefix("lookup.") {
            read.push(pointer(at, document, problems)?);
            continue;
        }
        fields.push(match name.split_once("target.") {
            Some(("", part)) => FieldSpec::TargetPart(part.to_owned()),
            _ if name == "target" => FieldSpec::Target,
            _ => FieldSpec::Input(pointer(name, document, problems)?),
        });
    }
    let mut warnings = Vec::new();
    for warn in &document.value.warn {
        let test = warn_test(&warn.when, modes, document, problems)?;
        warnings.push(WarnSpec { test, say: warn.say.clone() });
    }
    let lookup = look_up(document.value.lookup.as_ref(), (read, document), problems);
    if lookup.as_ref().is_some_and(|read| read.amounts.is_some()) && shape.money.is_none() {
        problems.at(document, "amounts of a lookup, and the operation says no money");
    }
    Some(PreviewSpec { title, fields, warnings, lookup })
}

/// The read before people are asked, and what of its answer the card shows.
fn look_up(
    said: Option<&Spanned<PreviewLookupDoc>>,
    (shown, card): (Vec<Pointer>, &Spanned<PreviewDoc>),
    problems: &mut Problems,
) -> Option<PreviewRead> {
    let Some(said) = said else {
        if !shown.is_empty() {
            problems.at(card, "fields of a lookup, and the preview has none");
        }
        return None;
    };
    if shown.is_empty() {
        problems.at(said, "nothing of its answer is shown: name lookup./… in fields");
    }
    let with = match ValueTemplate::parse(&Value::Object(said.value.with.clone())) {
        Ok(with) => with,
        Err(error) => {
            problems.at(said, error.to_string());
            return None;
        }
    };
    let asks = |name: &Name| {
        matches!(name, Name::Input(_) | Name::Config(_) | Name::Target | Name::TargetPart(_))
    };
    if with.templates().into_iter().flat_map(Template::names).any(|name| !asks(name)) {
        let words = "preview.lookup.with is made of {input./…}, {config.…} and {target…} alone";
        problems.at(said, words);
    }
    let amounts = amounts(said, problems);
    Some(PreviewRead { operation: said.value.op.clone(), with, shown, amounts })
}

fn amounts(said: &Spanned<PreviewLookupDoc>, problems: &mut Problems) -> Option<Amounts> {
    let Some(currency) = &said.value.currency else {
        if !said.value.amounts.is_empty() {
            problems.at(said, "amounts need the currency that they are of");
        }
        return None;
    };
    let currency = pointer(currency, said, problems)?;
    let places = said.value.amounts.iter();
    let places = places.map(|at| pointer(at, said, problems)).collect::<Option<_>>()?;
    Some(Amounts { currency, places })
}

fn warn_test<T>(
    document: &WarnWhenDoc,
    modes: &[String],
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<WarnTest> {
    match (&document.input, &document.is, &document.absent, &document.mode) {
        (Some(input), Some(is), None, None) => {
            Some(WarnTest::Is(pointer(input, place, problems)?, is.clone()))
        }
        (None, None, Some(absent), None) => {
            Some(WarnTest::Absent(pointer(absent, place, problems)?))
        }
        (None, None, None, Some(mode)) => {
            if !modes.contains(mode) {
                problems.at(place, "a warning's mode is a mode of auth.mode_from");
            }
            Some(WarnTest::Mode(mode.clone()))
        }
        _ => {
            problems.at(place, "a warning asks {input, is}, {absent} or {mode}");
            None
        }
    }
}
