//! The shape of a manifest file, exactly as facts/manifest.md draws it. Shapes only: every rule
//! stands in `check` and `lint`. Fields of later capabilities are known here by name, so that
//! they are refused as *not built yet* and never ignored.

use super::check_notify::NotifyDoc;
use super::check_steps::StepDoc;
use super::check_undo::UndoDoc;
use super::document_assertion::{AssertionDoc, CalledWithDoc};
use super::document_auth::{ApiVersionDoc, ModeFromDoc};
use super::document_inbound::InboundDoc;
use super::document_limits::LimitDoc;
use super::document_oauth::{OauthDoc, RevokeDoc};
use super::document_read::{MoneyDoc, PaginationDoc};
use crate::mock::{MockTime, StateVerb};
use placet_model::manifest::{DeliveryKind, Effect, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// Something that this build does not know how to honour.
pub(super) type NotBuilt = Option<Spanned<Value>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ManifestDoc {
    pub(super) manifest: Spanned<u32>,
    pub(super) provider: Spanned<String>,
    pub(super) title: String,
    pub(super) category: Option<String>,
    #[serde(default)]
    pub(super) planned: bool,
    #[serde(default)]
    pub(super) hosts: Vec<Spanned<String>>,
    pub(super) config: Option<Spanned<SchemaDoc>>,
    pub(super) credentials: Option<Spanned<SchemaDoc>>,
    pub(super) auth: Spanned<AuthDoc>,
    #[serde(default)]
    pub(super) scopes: BTreeMap<String, Spanned<ScopesDoc>>,
    pub(super) test: Option<Spanned<TestDoc>>,
    #[serde(default)]
    pub(super) operations: BTreeMap<String, Spanned<OperationDoc>>,
    pub(super) api_version: Option<Spanned<ApiVersionDoc>>,
    pub(super) revoke: Option<Spanned<RevokeDoc>>,
    #[serde(default)]
    pub(super) limits: Vec<Spanned<LimitDoc>>,
    pub(super) inbound: Option<Spanned<InboundDoc>>,
    pub(super) notify: Option<Spanned<NotifyDoc>>,
    #[serde(default)]
    pub(super) steps: Vec<Spanned<StepDoc>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SchemaDoc {
    pub(super) schema: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthDoc {
    pub(super) kind: AuthKind,
    pub(super) placement: Option<Spanned<PlacementDoc>>,
    pub(super) sign: Option<Spanned<SignDoc>>,
    pub(super) oauth: Option<Spanned<OauthDoc>>,
    /// How a credential that signs is turned into the token.
    pub(super) assertion: Option<Spanned<AssertionDoc>>,
    /// Headers of every request, besides the credential's.
    pub(super) extra_headers: Option<Spanned<BTreeMap<String, String>>>,
    pub(super) mode_from: Option<Spanned<ModeFromDoc>>,
}

/// How a provider knows who calls. The kinds that need a dance (OAuth, JWT) are connected by the
/// vault; here only the place of the credential in the request matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AuthKind {
    None,
    ApiKey,
    Bearer,
    Oauth2Code,
    /// Each request is signed; nothing else shows who calls.
    Signature,
    /// Whatever the caller of `call: http` names.
    Caller,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlacementDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) header: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    /// The parameter of the query that holds the secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) query: Option<String>,
    /// The path segment that holds the secret, as it stands in each url: `bot{secret:token}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) basic: Option<BasicDoc>,
    /// Alone, or with any of the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mtls: Option<MtlsDoc>,
}

/// A certificate of ours that the provider asks for while the connection is made.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MtlsDoc {
    /// Field of the credentials: the chain, as PEM.
    pub(super) certificate: String,
    /// Field of the credentials: its private key, as PEM.
    pub(super) key: String,
}

/// `Authorization: Basic`, of a user that is no secret and a credential field.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BasicDoc {
    pub(super) user: String,
    /// Field of the credentials.
    pub(super) password: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignDoc {
    pub(super) scheme: SignScheme,
    /// Field of the credentials that holds the key.
    pub(super) secret: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SignScheme {
    StandardWebhooks,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopesDoc {
    pub(super) list: Vec<String>,
    #[serde(default)]
    pub(super) any_of: Vec<String>,
    #[serde(default)]
    pub(super) buys: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestDoc {
    pub(super) op: Spanned<String>,
    pub(super) success_when: Vec<WhenDoc>,
    /// Absent where the provider does not say whose a credential is.
    pub(super) identity: Option<Spanned<IdentityDoc>>,
    pub(super) scopes_from: Option<ScopesFromDoc>,
    #[serde(default)]
    pub(super) store: Vec<Spanned<String>>,
    /// Answers of a credential that is good and may only send.
    #[serde(default)]
    pub(super) limited_when: Vec<WhenDoc>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityDoc {
    pub(super) label: String,
    pub(super) id: String,
    pub(super) tenant: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopesFromDoc {
    pub(super) header: Option<String>,
    pub(super) sep: Option<String>,
    /// A list of names in the body.
    pub(super) body: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OperationDoc {
    pub(super) title: Option<String>,
    pub(super) effect: Spanned<Effect>,
    /// With what it is called; with the token if not said.
    pub(super) auth: Option<Spanned<CalledWithDoc>>,
    pub(super) input_schema: Option<Spanned<String>>,
    pub(super) output_schema: Option<Spanned<String>>,
    pub(super) target: Option<Spanned<TargetDoc>>,
    /// Where in the input those stand whom it reaches besides the target.
    pub(super) recipients: Option<Vec<Spanned<String>>>,
    pub(super) request: Spanned<RequestDoc>,
    pub(super) text_limits: Option<Spanned<TextLimitsDoc>>,
    pub(super) preview: Option<Spanned<PreviewDoc>>,
    pub(super) classify: Vec<Spanned<RuleDoc>>,
    pub(super) error_code: Option<Spanned<ErrorCodeDoc>>,
    #[serde(default)]
    pub(super) wait_from: Vec<Spanned<WaitDoc>>,
    pub(super) result: Option<Spanned<BTreeMap<String, String>>>,
    /// What an answer to it names besides the result: taken from input and output when one comes, kept nowhere.
    pub(super) answered: Option<Spanned<BTreeMap<String, String>>>,
    pub(super) store: Option<Vec<Spanned<String>>>,
    pub(super) output: Option<Vec<Spanned<String>>>,
    pub(super) delivery: Option<Spanned<DeliveryDoc>>,
    pub(super) vendor_dry_run: Option<Spanned<Value>>,
    pub(super) mock: Option<Spanned<MockDoc>>,
    pub(super) timeout_s: Option<Spanned<u32>>,
    pub(super) undo: Option<Spanned<UndoDoc>>,
    pub(super) pagination: Option<Spanned<PaginationDoc>>,
    pub(super) money: Option<Spanned<MoneyDoc>>,
    /// What a 2xx must say besides, for the outcome to be final.
    pub(super) final_when: Option<Spanned<BodyTestDoc>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetDoc {
    pub(super) grammar: String,
    pub(super) format: String,
    /// Where each part comes from; the input's field of the same name if not said.
    #[serde(default)]
    pub(super) from: BTreeMap<String, FromDoc>,
    #[serde(skip_serializing)]
    pub(super) examples: Vec<String>,
}

/// One template, or several whose values are put together: everybody whom a mail reaches.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum FromDoc {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestDoc {
    /// `http`: built by code from the caller's own words; everything else stays away then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<RequestCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
    #[serde(default)]
    pub(super) query: Map<String, Value>,
    #[serde(default)]
    pub(super) headers: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<BodyDoc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RequestCode {
    Http,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BodyDoc {
    pub(super) kind: BodyKind,
    pub(super) value: Value,
    /// How a form writes a list: `name[0]=…` if not said, or the name repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lists: Option<ListsDoc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ListsDoc {
    Index,
    Repeat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BodyKind {
    Json,
    Form,
    Multipart,
    Mime,
    Graphql,
}

/// `none`, or a list.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum TextLimitsDoc {
    Word(String),
    List(Vec<TextLimitDoc>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TextLimitDoc {
    pub(super) path: String,
    pub(super) unit: TextUnit,
    pub(super) max: usize,
    /// Only `refuse`: nothing is ever cut or split silently.
    pub(super) over: Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TextUnit {
    Chars,
    Utf16,
    Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Over {
    Refuse,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PreviewDoc {
    pub(super) title: String,
    pub(super) fields: Vec<String>,
    #[serde(default)]
    pub(super) warn: Vec<WarnDoc>,
    /// A read before people are asked: what its answer names stands in `fields` as `lookup./…`.
    pub(super) lookup: Option<Spanned<PreviewLookupDoc>>,
    pub(super) money: NotBuilt,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PreviewLookupDoc {
    /// The read operation, without its provider.
    pub(super) op: String,
    #[serde(default)]
    pub(super) with: Map<String, Value>,
    /// Where its answer says of which currency the `amounts` are.
    pub(super) currency: Option<String>,
    /// Places of its answer that are smallest units of that currency.
    #[serde(default)]
    pub(super) amounts: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WarnDoc {
    pub(super) when: WarnWhenDoc,
    pub(super) say: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WarnWhenDoc {
    pub(super) input: Option<String>,
    pub(super) is: Option<Value>,
    pub(super) absent: Option<String>,
    /// The mode of the credential.
    pub(super) mode: Option<String>,
}

/// `{when, outcome}` or `{else}`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) when: Option<WhenDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<Outcome>,
    #[serde(rename = "else", skip_serializing_if = "Option::is_none")]
    pub(super) otherwise: Option<Outcome>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhenDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) transport: Option<PhaseDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<BodyTestDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) header: Option<HeaderTestDoc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PhaseDoc {
    BeforeSend,
    AfterSend,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BodyTestDoc {
    pub(super) at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is: Option<Value>,
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    pub(super) one_of: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) matches: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exists: Option<bool>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderTestDoc {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is: Option<String>,
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    pub(super) one_of: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exists: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorCodeDoc {
    pub(super) at: String,
    #[serde(default)]
    pub(super) detail: Vec<String>,
    pub(super) message: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitDoc {
    pub(super) header: Option<String>,
    pub(super) body: Option<String>,
    pub(super) unit: Option<WaitUnit>,
    pub(super) max_s: Option<u32>,
    pub(super) default_s: Option<u32>,
    pub(super) factor: Option<u32>,
    #[serde(default)]
    pub(super) jitter: bool,
    /// Its first group, in the text of the body.
    pub(super) regex: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WaitUnit {
    S,
    Ms,
    EpochS,
    EpochMs,
    Iso8601,
    HttpDate,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveryDoc {
    pub(super) kind: DeliveryKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) header: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ttl_s: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_len: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) marker: Option<MarkerDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reconcile: Option<ReconcileDoc>,
    #[serde(skip_serializing)]
    pub(super) replay_shows: NotBuilt,
    /// Where the request holds the id, the key or the guard: `/ptr`, `header:Name`, `query:name`, `url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<IdFormatDoc>,
    /// What says that it is there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) conflict: Option<ConflictDoc>,
    /// What says that somebody has changed it since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) moved_on: Option<ConflictDoc>,
    /// The look-up's request, where `reconcile` does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) query: Option<LookupDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lookup_first: Option<bool>,
}

impl DeliveryDoc {
    /// The look-up's request, wherever it stands.
    pub(super) fn looks_with(&self) -> Option<&LookupDoc> {
        self.reconcile.as_ref()?.request.as_ref().or(self.query.as_ref())
    }
}

/// The form of the send id that a provider takes as the id of what it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IdFormatDoc {
    SendId,
    Uuid,
    Base32hex,
}

/// A status, several, or a whole condition with the names that then stand in the result.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum ConflictDoc {
    Status(u16),
    Statuses(Vec<u16>),
    When(Box<ConflictWhenDoc>),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConflictWhenDoc {
    pub(super) when: WhenDoc,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) result: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MarkerDoc {
    pub(super) at: String,
    pub(super) value: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReconcileDoc {
    #[serde(default)]
    pub(super) needs_scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<LookupDoc>,
    #[serde(rename = "match")]
    pub(super) matching: MatchDoc,
    pub(super) found: FoundDoc,
    pub(super) read_lag_s: Option<u32>,
    pub(super) absent_after_s: u32,
    pub(super) absent: AbsentDoc,
    /// An answer of the look-up that says that there is none: 404, or null where it would stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) absent_when: Option<WhenDoc>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LookupDoc {
    pub(super) op: String,
    /// The look-up operation's input.
    #[serde(default)]
    pub(super) with: Map<String, Value>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MatchDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) list: Option<String>,
    /// Where one thing stands that was asked for by its own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item: Option<String>,
    /// One test, or several that must all hold.
    #[serde(rename = "where")]
    pub(super) tests: MatchTestsDoc,
    /// The item's own moment, which is not before the attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<SinceDoc>,
    /// Matches that agree here are one: a mail has an event for each recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) one_by: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum MatchTestsDoc {
    One(MatchTestDoc),
    All(Vec<MatchTestDoc>),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SinceDoc {
    pub(super) at: String,
    pub(super) unit: WaitUnit,
    /// How far the provider's clock may be behind ours.
    pub(super) minus_s: u32,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MatchTestDoc {
    pub(super) at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is: Option<String>,
    /// A text that holds this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contains: Option<String>,
    /// The same text once tags, entities and runs of white space are gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) html: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FoundDoc {
    pub(super) outcome: Outcome,
    #[serde(default)]
    pub(super) result: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AbsentDoc {
    Trusted,
    Evidence,
    Human,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MockDoc {
    #[serde(default)]
    pub(super) ids: BTreeMap<String, Value>,
    #[serde(default)]
    pub(super) echo: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) constants: BTreeMap<String, Value>,
    /// Status of a mock answer; 200 if not said.
    pub(super) status: Option<u16>,
    #[serde(default)]
    pub(super) errors: BTreeMap<String, Spanned<MockErrorDoc>>,
    /// Places of the virtual now.
    #[serde(default)]
    pub(super) time: BTreeMap<String, MockTime>,
    pub(super) state: Option<MockStateDoc>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MockStateDoc {
    pub(super) store: String,
    pub(super) does: StateVerb,
    /// Where the request names the thing: an input pointer or `target.PART`.
    pub(super) asked: Option<String>,
    /// The same of what it belongs to.
    pub(super) within: Option<String>,
    #[serde(default)]
    pub(super) object: String,
    pub(super) id: Option<String>,
    pub(super) items: Option<String>,
    pub(super) version: Option<MockVersionDoc>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MockVersionDoc {
    pub(super) at: String,
    pub(super) asked: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MockErrorDoc {
    pub(super) status: Option<u16>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Option<Value>,
    /// A body that is no JSON.
    pub(super) text: Option<String>,
    pub(super) transport: Option<PhaseDoc>,
    pub(super) happened: Option<bool>,
}
