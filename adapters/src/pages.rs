//! Following the pages of a read: where the next one begins, when there is none, and how several
//! become one answer. Pure; who asks for them, and how many, is the executor's.
//!
//! Invariant: a page is asked for at the origin of the page before it. An address that a provider
//! writes elsewhere is refused, since our credential would go with it.

use crate::manifest::Operation;
use crate::pointer::Pointer;
use crate::predicate::BodyTest;
use crate::render::{Error, RenderInput, Rendered, checked_url, render_with};
use crate::transport::Response;
use placet_model::request::{HoledText, Part, PreparedRequest};
use serde_json::Value;
use url::Url;

/// How a read goes on.
#[derive(Debug)]
pub struct Pagination {
    pub(crate) kind: PageKind,
    pub(crate) from: Option<PageSource>,
    /// The parameter of the query that says where a page begins; none where it is an address.
    pub(crate) to: Option<String>,
    /// The list of which a page is a part.
    pub(crate) items: Pointer,
    pub(crate) end: PageEnd,
    pub(crate) size: Option<PageSize>,
    pub(crate) pages_max: u32,
}

/// What says where the next page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageKind {
    /// A text that the provider gives.
    Cursor,
    /// The id of the last item.
    LastId,
    /// How many items were read before.
    Offset,
    /// Its number, from 1.
    Page,
    /// The address that the provider gives.
    Link,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PageSource {
    Body(Pointer),
    /// The header, as RFC 8288 writes links: `<address>; rel="next"`.
    Header(String),
}

/// When there is no further page. One without items is always the last.
#[derive(Debug)]
pub(crate) enum PageEnd {
    /// Where nothing says how to go on.
    Empty,
    /// A page with fewer items than were asked for.
    Short,
    Says(BodyTest),
}

#[derive(Debug, Clone)]
pub(crate) struct PageSize {
    pub(crate) param: String,
    pub(crate) max: u32,
}

/// Where the next page is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextPage {
    /// The same request, with this parameter of the query.
    Parameter(String, String),
    /// The same request at this address, of the same origin.
    Address(String),
}

/// A next page that is not asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    #[error("the next page is said to be at another origin")]
    OtherOrigin,
    #[error("the next page is said to be the same once more")]
    Stuck,
    #[error("the page has no list where the manifest says, or does not say how to go on")]
    Unreadable,
}

impl Pagination {
    /// Pages that are read at most.
    pub const fn pages_max(&self) -> u32 {
        self.pages_max
    }

    /// The list of which a page is a part.
    pub(crate) const fn items(&self) -> &Pointer {
        &self.items
    }

    /// Where the page after this one is; none where this was the last.
    ///
    /// # Errors
    /// A next page at another origin, the same page again, an answer that is no page.
    pub fn next(
        &self,
        request: &PreparedRequest,
        response: &Response,
    ) -> Result<Option<NextPage>, PageError> {
        let body = response.json().ok_or(PageError::Unreadable)?;
        let items = self.items.get(&body).and_then(Value::as_array).ok_or(PageError::Unreadable)?;
        let url = plain(request).ok_or(PageError::Unreadable)?;
        let is_last = items.is_empty()
            || match &self.end {
                PageEnd::Empty => false,
                PageEnd::Short => items.len() < self.asked(&url),
                PageEnd::Says(test) => test.test.holds(test.at.get(&body)),
            };
        if is_last {
            return Ok(None);
        }
        let to = || self.to.clone().ok_or(PageError::Unreadable);
        let before = |name: &str, first: u64| {
            parameter(&url, name).and_then(|text| text.parse().ok()).unwrap_or(first)
        };
        let next = match self.kind {
            PageKind::Offset => {
                let to = to()?;
                let read = u64::try_from(items.len()).unwrap_or(u64::MAX);
                let next = before(&to, 0).saturating_add(read).to_string();
                Some(NextPage::Parameter(to, next))
            }
            PageKind::Page => {
                let to = to()?;
                let next = before(&to, 1).saturating_add(1).to_string();
                Some(NextPage::Parameter(to, next))
            }
            PageKind::Cursor | PageKind::LastId => {
                let cursor = self.said(&body, response).map(|cursor| Ok((to()?, cursor)));
                cursor.transpose()?.map(|(to, cursor)| NextPage::Parameter(to, cursor))
            }
            PageKind::Link => match self.said(&body, response) {
                Some(address) => Some(NextPage::Address(same_origin(&url, &address)?)),
                None => None,
            },
        };
        match &next {
            Some(NextPage::Parameter(name, value))
                if parameter(&url, name).as_ref() == Some(value) =>
            {
                Err(PageError::Stuck)
            }
            Some(NextPage::Address(address)) if address == url.as_str() => Err(PageError::Stuck),
            // that there is more, and not where, is no end
            None if !matches!(self.end, PageEnd::Empty) => Err(PageError::Unreadable),
            Some(_) | None => Ok(next),
        }
    }

    /// Items that were asked for.
    fn asked(&self, url: &Url) -> usize {
        let Some(size) = &self.size else { return 0 };
        let said = parameter(url, &size.param).and_then(|text| text.parse().ok());
        let most = usize::try_from(size.max).unwrap_or(usize::MAX);
        said.unwrap_or(most).min(most)
    }

    /// The text that says how to go on; an empty one says that nothing does.
    fn said(&self, body: &Value, response: &Response) -> Option<String> {
        let text = match self.from.as_ref()? {
            PageSource::Body(at) => crate::json::scalar_text(at.get(body)?)?,
            PageSource::Header(name) => linked(response.header(name)?)?,
        };
        (!text.is_empty()).then_some(text)
    }

    /// Puts the items of a further page behind those that are there; `false` where one is no page.
    #[must_use]
    pub fn merge(&self, into: &mut Value, mut more: Value) -> bool {
        let Some(Value::Array(items)) = place(&self.items, &mut more).map(Value::take) else {
            return false;
        };
        match place(&self.items, into) {
            Some(Value::Array(all)) => {
                all.extend(items);
                true
            }
            Some(_) | None => false,
        }
    }
}

/// Renders the same read for another page.
///
/// # Errors
/// As [`crate::render()`].
pub fn render_page(
    operation: &Operation,
    given: RenderInput<'_>,
    next: &NextPage,
) -> Result<Rendered, Error> {
    match next {
        NextPage::Parameter(name, value) => render_with(operation, given, Some((name, value))),
        NextPage::Address(address) => {
            let mut rendered = render_with(operation, given, None)?;
            rendered.request.url = HoledText::plain(checked_url(address)?);
            Ok(rendered)
        }
    }
}

/// The address, where no hole is in it.
fn plain(request: &PreparedRequest) -> Option<Url> {
    let stand_in = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Hole(_) => "secret".to_owned(),
    };
    Url::parse(&request.url.0.iter().map(stand_in).collect::<String>()).ok()
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn same_origin(before: &Url, address: &str) -> Result<String, PageError> {
    let next = before.join(address).map_err(|_no_url| PageError::Unreadable)?;
    if next.origin() != before.origin() {
        return Err(PageError::OtherOrigin);
    }
    Ok(next.into())
}

/// The address with `rel="next"` (RFC 8288).
fn linked(header: &str) -> Option<String> {
    header.split(',').find_map(|link| {
        let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            let words = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel") && words.split(' ').any(|word| word == "next")
        });
        is_next.then(|| address.to_owned())
    })
}

fn place<'v>(at: &Pointer, document: &'v mut Value) -> Option<&'v mut Value> {
    at.segments().iter().try_fold(document, |value, segment| match value {
        Value::Object(fields) => fields.get_mut(segment),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            None
        }
    })
}
