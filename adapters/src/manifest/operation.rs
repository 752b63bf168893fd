//! A checked operation: everything that rendering, classifying and mocking need, and nothing that
//! a caller can change.

use crate::classify::{ErrorCode, Rule};
use crate::examples::Examples;
use crate::limits::Limit;
use crate::mock::Mock;
use crate::money::{Money, MoneySpec};
use crate::oauth::{AssertionSpec, Grants};
use crate::pages::Pagination;
use crate::pointer::Pointer;
use crate::predicate::{BodyTest, When};
use crate::preview::{PreviewRead, PreviewSpec};
use crate::reduce::Store;
use crate::target::Grammar;
use crate::template::{Template, ValueTemplate};
use crate::text_limits::TextLimit;
use crate::undo::Undo;
use crate::wait::WaitRule;
use placet_model::Digest;
use placet_model::manifest::{DeliveryKind, Effect, Outcome};
use placet_schemas::Schema;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// One operation of a provider. Made only by loading a manifest.
#[derive(Debug)]
pub struct Operation {
    pub(crate) name: String,
    pub(crate) provider: String,
    pub(crate) title: String,
    pub(crate) effect: Effect,
    pub(crate) digest: Digest,
    pub(crate) input_schema: Option<Arc<Schema>>,
    pub(crate) output_schema: Option<Arc<Schema>>,
    pub(crate) config_schema: Option<Arc<Schema>>,
    pub(crate) hosts: Arc<[String]>,
    pub(crate) placement: Option<Placement>,
    pub(crate) client_certificate: Option<ClientCertificate>,
    /// Of every request of the provider: the API's version, and what else it is told.
    pub(crate) shared_headers: Arc<[(String, Template)]>,
    pub(crate) api_version: Option<Arc<str>>,
    /// The modes that a credential of this provider can have.
    pub(crate) modes: Arc<[String]>,
    pub(crate) grants: Option<Arc<Grants>>,
    /// What it is called with in the place of the token.
    pub(crate) signed: Option<Arc<AssertionSpec>>,
    pub(crate) signature: Option<Signature>,
    pub(crate) target: Option<TargetSpec>,
    pub(crate) recipients: Vec<Pointer>,
    pub(crate) request: RequestSpec,
    pub(crate) text_limits: Vec<TextLimit>,
    pub(crate) preview: Option<PreviewSpec>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) error_code: Option<ErrorCode>,
    pub(crate) waits: Vec<WaitRule>,
    pub(crate) result: BTreeMap<String, Template>,
    pub(crate) answered: BTreeMap<String, Template>,
    pub(crate) store: Store,
    pub(crate) output: Option<Vec<Pointer>>,
    pub(crate) delivery: Delivery,
    pub(crate) final_when: Option<BodyTest>,
    pub(crate) vendor_dry_run: Option<Value>,
    pub(crate) mock: Mock,
    pub(crate) timeout: Duration,
    pub(crate) limits: Vec<Limit>,
    pub(crate) undo: Option<Undo>,
    pub(crate) pagination: Option<Pagination>,
    pub(crate) money: Option<MoneySpec>,
    /// Looked at when they are first asked for, which is in the sandbox alone.
    pub(crate) examples: OnceLock<Examples>,
}

impl Operation {
    /// `provider.resource.operation`.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// A line for people.
    pub fn title(&self) -> &str {
        &self.title
    }

    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// Those whom a call with this input reaches besides its target: every text at the places that
    /// the manifest names (`recipients`).
    pub fn reached_beside(&self, input: &Value) -> Vec<String> {
        let mut found = Value::Null;
        for place in &self.recipients {
            place.copy_into(input, &mut found);
        }
        let mut texts = vec![];
        collect_texts(found, &mut texts);
        texts
    }

    /// The digest of the semantic part: request, target, classify, delivery, auth placement, hosts
    /// (GATE.md §2). Titles, limits and previews are outside.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    pub const fn input_schema(&self) -> Option<&Arc<Schema>> {
        self.input_schema.as_ref()
    }

    /// What an answer must look like; none = only the status counts.
    pub const fn output_schema(&self) -> Option<&Arc<Schema>> {
        self.output_schema.as_ref()
    }

    pub const fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// How the provider itself can be asked to accept and deliver nothing: an input's value, or a
    /// credential of its own. `None` where it cannot.
    pub const fn vendor_dry_run(&self) -> Option<&Value> {
        self.vendor_dry_run.as_ref()
    }

    pub const fn mock(&self) -> &Mock {
        &self.mock
    }

    /// The certificate by which we are known on the connection; none where requests show who calls.
    pub const fn client_certificate(&self) -> Option<&ClientCertificate> {
        self.client_certificate.as_ref()
    }

    /// How the read goes on from page to page; none where one answer is all, or nobody has said.
    pub const fn pagination(&self) -> Option<&Pagination> {
        self.pagination.as_ref()
    }

    /// What a call with this input moves; none where the operation moves no money.
    pub fn money(&self, input: &Value) -> Option<Money> {
        self.money.as_ref().map(|spec| spec.read(input))
    }

    /// How the token behind its credential is renewed; none where it is not.
    pub const fn grants(&self) -> Option<&Arc<Grants>> {
        self.grants.as_ref()
    }

    /// What signs the call itself, where it is called with an assertion and with no token.
    pub const fn signed(&self) -> Option<&Arc<AssertionSpec>> {
        self.signed.as_ref()
    }

    /// What its provider is asked before people are; none where the card says what there is to say.
    pub fn preview_read(&self) -> Option<&PreviewRead> {
        self.preview.as_ref()?.lookup.as_ref()
    }

    /// Hosts that a literal URL of this provider may name; a configured host is the settings'.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// Longest time from the first look-up to the last byte.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether this is one of the operations behind `call: http`.
    pub const fn is_http_call(&self) -> bool {
        matches!(self.request, RequestSpec::Http)
    }

    /// Examples of its answers: those that its response schema declares, and what was recorded.
    pub fn examples(&self) -> &Examples {
        self.examples.get_or_init(|| {
            self.output_schema.as_deref().map(Examples::declared).unwrap_or_default()
        })
    }

    /// What was recorded, with what is declared; told before anybody asks.
    pub(crate) fn learn(&self, examples: Examples) {
        let learnt = self.examples.set(examples);
        debug_assert!(learnt.is_ok(), "adapters are still being put together");
    }

    /// The places of an answer that a task gets; `None` for the whole of it.
    pub fn output_kept(&self) -> Option<&[Pointer]> {
        match &self.output {
            Some(pointers) => Some(pointers),
            None if self.is_http_call() || self.effect == Effect::Read => None,
            None => Some(&self.store.pointers),
        }
    }

    /// Names of ids that a task gets beside them.
    pub fn output_named(&self) -> impl Iterator<Item = &str> {
        let named = self.output.is_none() && self.effect != Effect::Read;
        self.result.keys().filter(move |_| named).map(String::as_str)
    }

    pub(crate) const fn target_spec(&self) -> Option<&TargetSpec> {
        self.target.as_ref()
    }
}

/// Where the credential stands in a request.
#[derive(Debug, Clone)]
pub(crate) enum Placement {
    Header(HeaderPlacement),
    /// `Authorization: Basic`: the user's name, and the credential field of the password.
    Basic {
        user: Template,
        password: String,
    },
    /// A parameter of the query, and the credential field of its value.
    Query {
        name: String,
        field: String,
    },
}

/// The credential fields of a certificate that is shown while the connection is made, and of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl ClientCertificate {
    /// The field that holds the chain, as PEM, our own certificate first.
    pub fn chain(&self) -> &str {
        &self.chain
    }

    /// The field that holds the private key, as PEM.
    pub fn key(&self) -> &str {
        &self.key
    }
}

#[derive(Debug, Clone)]
pub(crate) struct HeaderPlacement {
    pub(crate) header: String,
    pub(crate) value: Template,
}

/// How a request is signed, and with which credential field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) scheme: Scheme,
    pub(crate) secret: String,
}

/// Signature schemes; their word is the first half of a signature hole's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    StandardWebhooks,
}

impl Scheme {
    pub const ALL: [Self; 1] = [Self::StandardWebhooks];

    pub const fn word(self) -> &'static str {
        match self {
            Self::StandardWebhooks => "standard-webhooks",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A target's grammar, and where its parts come from.
#[derive(Debug)]
pub(crate) struct TargetSpec {
    pub(crate) grammar: Grammar,
    /// The values of one part's templates are put together with commas.
    pub(crate) from: BTreeMap<String, Vec<Template>>,
}

fn collect_texts(value: Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.into_iter().for_each(|item| collect_texts(item, texts)),
        Value::Object(fields) => {
            fields.into_iter().for_each(|(_, field)| collect_texts(field, texts));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// How the request is made.
#[derive(Debug)]
pub(crate) enum RequestSpec {
    Template(Box<RequestTemplate>),
    /// From the caller's own words.
    Http,
}

#[derive(Debug)]
pub(crate) struct RequestTemplate {
    pub(crate) method: String,
    pub(crate) url: Template,
    pub(crate) query: Vec<(String, ValueTemplate)>,
    pub(crate) headers: Vec<(String, Template)>,
    pub(crate) body: Option<BodyTemplate>,
}

#[derive(Debug)]
pub(crate) enum BodyTemplate {
    Json(ValueTemplate),
    Form(ValueTemplate),
    /// A form in which a list is its name repeated.
    RepeatingForm(ValueTemplate),
    /// `multipart/form-data`: fields and files.
    Multipart(ValueTemplate),
    /// A mail for a mail server: the message, and its envelope beside it.
    Mail(ValueTemplate),
}

impl BodyTemplate {
    pub(crate) const fn value(&self) -> &ValueTemplate {
        match self {
            Self::Json(value)
            | Self::Form(value)
            | Self::RepeatingForm(value)
            | Self::Multipart(value)
            | Self::Mail(value) => value,
        }
    }
}

/// What the provider offers against sending twice.
#[derive(Debug)]
pub struct Delivery {
    pub(crate) kind: DeliveryKind,
    pub(crate) key_header: Option<String>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) order: Order,
    pub(crate) conflict: Option<Conflict>,
    pub(crate) moved_on: Option<Conflict>,
    pub(crate) reconcile: Option<Reconcile>,
}

/// What comes first when nobody knows whether it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The same bytes again, as long as the kind allows it.
    SendFirst,
    /// The look-up: only what it has proved absent goes again.
    LookFirst,
}

/// An answer that tells more to who has sent these bytes before.
#[derive(Debug)]
pub(crate) struct Conflict {
    pub(crate) when: When,
    pub(crate) result: BTreeMap<String, Template>,
}

/// Whether the same bytes may go again by themselves while nobody knows what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resend {
    /// Never: it is looked up, or a person decides.
    Never,
    /// While the first try is surely younger than this.
    Within(Duration),
    /// As long as the approval lasts: what they make can be made once only.
    Always,
}

/// For how long a write that changes nothing the second time may be made a second time, where the
/// manifest names no other window: whatever others have written since would be written over.
const REWRITE_WITHIN: Duration = Duration::from_mins(10);

impl Delivery {
    pub const fn kind(&self) -> DeliveryKind {
        self.kind
    }

    /// The header that carries our key.
    pub fn key_header(&self) -> Option<&str> {
        self.key_header.as_deref()
    }

    /// How long the provider remembers our key.
    pub const fn ttl(&self) -> Option<Duration> {
        self.ttl
    }

    /// Whether the same bytes may go again by themselves.
    pub fn resend(&self) -> Resend {
        if self.order == Order::LookFirst {
            return Resend::Never;
        }
        match (self.kind, self.ttl) {
            (DeliveryKind::KeyHeader, ttl) => Resend::Within(ttl.unwrap_or_default()),
            (DeliveryKind::ClientId, None) => Resend::Always,
            (DeliveryKind::ClientId, Some(ttl)) => Resend::Within(ttl),
            (DeliveryKind::VersionGuard | DeliveryKind::NaturalKey, ttl) => {
                Resend::Within(ttl.unwrap_or(REWRITE_WITHIN))
            }
            (DeliveryKind::MarkerLookup | DeliveryKind::None, _) => Resend::Never,
        }
    }

    /// The look-up that answers "did it go?".
    pub const fn reconcile(&self) -> Option<&Reconcile> {
        self.reconcile.as_ref()
    }
}

/// A look-up of something that may have been sent.
#[derive(Debug)]
pub struct Reconcile {
    pub(crate) operation: String,
    pub(crate) with: ValueTemplate,
    pub(crate) shown: Shown,
    pub(crate) tests: Vec<MatchTest>,
    pub(crate) since: Option<Since>,
    /// Matches that agree here are one.
    pub(crate) one_by: Option<Pointer>,
    pub(crate) found: Outcome,
    pub(crate) result: BTreeMap<String, Template>,
    pub(crate) needs_scopes: Vec<String>,
    pub(crate) read_lag: Duration,
    pub(crate) absent_after: Duration,
    pub(crate) absent: Absent,
    pub(crate) absent_when: Option<When>,
    /// What an item must say for its outcome to be final.
    pub(crate) final_when: Option<BodyTest>,
}

/// Where a look-up shows what there is.
#[derive(Debug)]
pub(crate) enum Shown {
    List(Pointer),
    /// One thing, by its own id.
    Item(Pointer),
}

/// What an item of a look-up must say to be ours.
#[derive(Debug)]
pub(crate) struct MatchTest {
    pub(crate) at: Pointer,
    pub(crate) how: MatchHow,
    pub(crate) wanted: Template,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MatchHow {
    Is,
    Contains,
    /// Equal as people read it: without tags, entities and runs of white space.
    Html,
}

/// Where an item says when it was made.
#[derive(Debug)]
pub(crate) struct Since {
    pub(crate) at: Pointer,
    pub(crate) unit: crate::wait::Unit,
    pub(crate) minus_s: u32,
}

/// What "not found" is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// It was not sent: one more attempt of the same bytes is allowed.
    Trusted,
    /// A person decides, with the finding shown.
    Evidence,
    /// The finding says nothing.
    Human,
}

impl Reconcile {
    /// The read operation that looks.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// Scope sets without which the look-up cannot answer.
    pub fn needs_scopes(&self) -> &[String] {
        &self.needs_scopes
    }

    pub const fn read_lag(&self) -> Duration {
        self.read_lag
    }

    /// Not found before this much time has passed says nothing.
    pub const fn absent_after(&self) -> Duration {
        self.absent_after
    }

    pub const fn absent(&self) -> Absent {
        self.absent
    }
}
