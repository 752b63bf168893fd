//! The shapes of how a read goes on from page to page, and of what a call moves.

use super::document::BodyTestDoc;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PaginationDoc {
    pub(super) kind: PageKindDoc,
    /// A place of the body, or `header:Name` that holds links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cursor_from: Option<String>,
    /// `query.name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cursor_to: Option<String>,
    pub(super) items: String,
    pub(super) end_when: EndWhenDoc,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) page_size: Option<PageSizeDoc>,
    /// Only `true`: a credential goes nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) same_origin: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pages_max: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PageKindDoc {
    Cursor,
    LastId,
    Offset,
    Page,
    Link,
}

/// `empty`, `short`, or what the body says.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum EndWhenDoc {
    Word(String),
    Says(BodyTestDoc),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageSizeDoc {
    pub(super) param: String,
    pub(super) max: u32,
}

/// What a call moves. No part of what an approval binds: the bytes are, and they hold it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MoneyDoc {
    /// Places of the input, `/a|/b`.
    pub(super) amount: String,
    pub(super) currency: Option<String>,
    pub(super) direction: DirectionDoc,
    /// Decimals of currencies that the provider counts otherwise than ISO 4217.
    #[serde(default)]
    pub(super) decimals: BTreeMap<String, u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DirectionDoc {
    In,
    Out,
}
