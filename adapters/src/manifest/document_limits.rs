//! The shape of `limits`: what a provider allows within a time.

use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitDoc {
    pub(super) scope: ScopeDoc,
    /// Calls, or units where calls weigh differently.
    pub(super) rate: Spanned<u32>,
    pub(super) window_s: Spanned<u32>,
    /// What a call counts: 1 if not said; or by operation, 1 for those that are not named.
    pub(super) weight: Option<Spanned<WeightDoc>>,
    /// The operations that count in it; all of them if not said.
    pub(super) ops: Option<Vec<Spanned<String>>>,
    /// Only for credentials of this mode (`auth.mode_from`).
    pub(super) mode: Option<Spanned<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ScopeDoc {
    Account,
    Channel,
    Method,
    User,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum WeightDoc {
    Each(u32),
    Of(BTreeMap<String, u32>),
}
