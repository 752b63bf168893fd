//! The shape of `auth.assertion`: how a credential that signs is turned into a token. Shapes only; the rules
//! stand in `check_assertion`.

use super::document::{TestDoc, WaitUnit, WhenDoc};
use super::document_oauth::{BodyFormatDoc, RevokeDoc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// A second kind of credential beside the token itself: a private key, and what it vouches for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AssertionDoc {
    pub(super) alg: AlgDoc,
    /// Field of the credentials: the private key, as PEM.
    pub(super) key: String,
    /// What is claimed besides `iat` and `exp`.
    #[serde(default)]
    pub(super) claims: BTreeMap<String, String>,
    /// How far back it is dated.
    pub(super) issued_before_s: Option<u32>,
    /// How long it is good for from now on.
    pub(super) lives_s: u32,
    /// The header in which it stands, in the exchange and in operations with `auth: assertion`.
    pub(super) placement: Option<AssertionPlacementDoc>,
    pub(super) request: Spanned<ExchangeDoc>,
    #[serde(default)]
    pub(super) success_when: Vec<WhenDoc>,
    pub(super) token_path: Option<String>,
    pub(super) expires_path: Option<String>,
    pub(super) expires_unit: Option<WaitUnit>,
    pub(super) refresh_before_s: Option<u32>,
    /// Answers after which no assertion of this credential helps.
    #[serde(default)]
    pub(super) dead_when: Vec<WhenDoc>,
    /// Whose such a credential is, where that is asked otherwise than of a token.
    pub(super) test: Option<Spanned<TestDoc>>,
    /// What a disconnect does with it, where that is other than with a token.
    pub(super) revoke: Option<Spanned<RevokeDoc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum AlgDoc {
    #[serde(rename = "RS256")]
    Rs256,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AssertionPlacementDoc {
    pub(super) header: String,
    /// Names `{secret:assertion}`.
    pub(super) value: String,
}

/// The request that a token answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExchangeDoc {
    pub(super) url: String,
    /// Fields of a form, or of a JSON object where `body_format` says so.
    #[serde(default)]
    pub(super) body: BTreeMap<String, Value>,
    pub(super) body_format: Option<BodyFormatDoc>,
}

/// With what an operation is called, where that is not the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CalledWithDoc {
    Assertion,
}
