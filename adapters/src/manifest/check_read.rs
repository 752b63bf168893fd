//! Checks of `pagination` and `money`.

use super::check_answer::body_test;
use super::check_request::pointer;
use super::document::OperationDoc;
use super::document_read::{
    DirectionDoc, EndWhenDoc, MoneyDoc, PageKindDoc, PageSizeDoc, PaginationDoc,
};
use super::operation::{Placement, RequestSpec};
use super::problem::Problems;
use crate::money::{Direction, MoneySpec};
use crate::pages::{PageEnd, PageKind, PageSize, PageSource, Pagination};
use crate::pointer::Pointer;
use crate::render::is_header_name;
use placet_model::manifest::Effect;
use placet_schemas::Schema;
use serde_saphyr::Spanned;

/// Pages that are read at most where the manifest says nothing.
const PAGES_MAX_DEFAULT: u32 = 10;
/// Pages that are never exceeded.
const PAGES_MAX: u32 = 50;
/// No currency has more decimals.
const DECIMALS_MAX: u32 = 8;

pub(super) fn pagination(
    document: &Spanned<PaginationDoc>,
    (shape, request, placement): (&OperationDoc, &RequestSpec, Option<&Placement>),
    problems: &mut Problems,
) -> Option<Pagination> {
    let said = &document.value;
    if shape.effect.value != Effect::Read {
        problems.at(document, "only a read has pages");
    }
    if said.same_origin == Some(false) {
        problems.at(document, "a next page is asked for at the same origin, always");
    }
    let kind = match said.kind {
        PageKindDoc::Cursor => PageKind::Cursor,
        PageKindDoc::LastId => PageKind::LastId,
        PageKindDoc::Offset => PageKind::Offset,
        PageKindDoc::Page => PageKind::Page,
        PageKindDoc::Link => PageKind::Link,
    };
    let from = match &said.cursor_from {
        Some(text) => Some(source(text, kind, document, problems)?),
        None => None,
    };
    let to = match &said.cursor_to {
        Some(text) => Some(target(text, document, problems)?),
        None => None,
    };
    let needs_from = matches!(kind, PageKind::Cursor | PageKind::LastId | PageKind::Link);
    if needs_from != from.is_some() || (kind == PageKind::Link) == to.is_some() {
        problems.at(
            document,
            "cursor and last_id need cursor_from and cursor_to, offset and page cursor_to, link cursor_from",
        );
    }
    link_is_whole(kind, document, (request, placement), problems);
    let end = end(&said.end_when, said.page_size.is_some(), document, problems)?;
    let pages_max = said.pages_max.unwrap_or(PAGES_MAX_DEFAULT);
    if pages_max == 0 || pages_max > PAGES_MAX {
        problems.at(document, format!("pages_max is 1 to {PAGES_MAX}"));
    }
    let size = said.page_size.as_ref().map(|size| page_size(size, document, problems));
    let items = pointer(&said.items, document, problems)?;
    if items.segments().iter().any(|segment| segment == "-1" || is_number(segment)) {
        problems.at(document, "pagination.items is a list in objects, not in a list");
    }
    Some(Pagination { kind, from, to, items, end, size, pages_max })
}

fn is_number(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit())
}

fn source(
    text: &str,
    kind: PageKind,
    place: &Spanned<PaginationDoc>,
    problems: &mut Problems,
) -> Option<PageSource> {
    let Some(name) = text.strip_prefix("header:") else {
        return pointer(text, place, problems).map(PageSource::Body);
    };
    if !is_header_name(name) || kind != PageKind::Link {
        problems.at(place, "a header holds links: cursor_from is header:Name where kind is link");
    }
    Some(PageSource::Header(name.to_owned()))
}

fn target(text: &str, place: &Spanned<PaginationDoc>, problems: &mut Problems) -> Option<String> {
    let name = text.strip_prefix("query.").filter(|name| !name.is_empty());
    if name.is_none() {
        problems.at(place, "cursor_to is query.name");
    }
    name.map(str::to_owned)
}

/// The address of a link is taken as it is, so nothing of it may be a hole.
fn link_is_whole(
    kind: PageKind,
    place: &Spanned<PaginationDoc>,
    (request, placement): (&RequestSpec, Option<&Placement>),
    problems: &mut Problems,
) {
    let holed = match request {
        RequestSpec::Template(template) => template.url.has_hole(),
        RequestSpec::Http => true,
    };
    if kind == PageKind::Link && (holed || matches!(placement, Some(Placement::Query { .. }))) {
        problems.at(place, "a next address cannot hold the secret that this url needs");
    }
}

fn end(
    document: &EndWhenDoc,
    has_size: bool,
    place: &Spanned<PaginationDoc>,
    problems: &mut Problems,
) -> Option<PageEnd> {
    match document {
        EndWhenDoc::Says(test) => body_test(test, place, problems).map(PageEnd::Says),
        EndWhenDoc::Word(word) if word == "empty" => Some(PageEnd::Empty),
        EndWhenDoc::Word(word) if word == "short" => {
            if !has_size {
                problems.at(place, "end_when short needs page_size: what is a full page?");
            }
            Some(PageEnd::Short)
        }
        EndWhenDoc::Word(_) => {
            problems.at(place, "end_when is empty, short or {at, is}");
            None
        }
    }
}

fn page_size(
    document: &PageSizeDoc,
    place: &Spanned<PaginationDoc>,
    problems: &mut Problems,
) -> PageSize {
    if document.max == 0 || document.param.is_empty() {
        problems.at(place, "page_size is {param: name, max: items of the largest page}");
    }
    PageSize { param: document.param.clone(), max: document.max }
}

pub(super) fn money(
    document: &Spanned<MoneyDoc>,
    (shape, input): (&OperationDoc, Option<&Schema>),
    problems: &mut Problems,
) -> Option<MoneySpec> {
    let said = &document.value;
    if shape.effect.value == Effect::Read {
        problems.at(document, "a read moves no money");
    }
    let amount = places(&said.amount, (document, input), problems)?;
    let currency = match &said.currency {
        Some(text) => places(text, (document, input), problems)?,
        None => vec![],
    };
    for (currency, decimals) in &said.decimals {
        let is_code = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
        if !is_code || *decimals > DECIMALS_MAX {
            problems.at(
                document,
                format!("money.decimals: {currency:?} is no currency, or {decimals} too many"),
            );
        }
    }
    let direction = match said.direction {
        DirectionDoc::In => Direction::In,
        DirectionDoc::Out => Direction::Out,
    };
    Some(MoneySpec { amount, currency, direction, decimals: said.decimals.clone() })
}

/// `/a|/b`, each a field of the input.
fn places(
    text: &str,
    (place, input): (&Spanned<MoneyDoc>, Option<&Schema>),
    problems: &mut Problems,
) -> Option<Vec<Pointer>> {
    let mut found = vec![];
    for one in text.split('|') {
        let at = pointer(one.trim(), place, problems)?;
        if at.segments().is_empty() || !super::references::is_in(input, &at) {
            problems.at(place, format!("the input has no {at}"));
        }
        found.push(at);
    }
    Some(found)
}
