//! The forms of what is answered. Nothing is made of these types: they are the description, and the
//! tests hold real answers against it.
#![expect(dead_code, reason = "they describe; what is answered is put together from rows")]
#![expect(clippy::struct_field_names, reason = "the members have these names on the wire")]

mod connections;
mod figures;
mod people;
mod runs;

pub(crate) use connections::*;
pub(crate) use figures::*;
pub(crate) use people::*;
pub(crate) use runs::*;

use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Why a request came to nothing (RFC 9457).
#[derive(ToSchema)]
pub(crate) struct Problem {
    /// Where the code is explained, below this server.
    #[schema(example = "/errors/PL4001")]
    r#type: String,
    title: String,
    status: u16,
    #[schema(pattern = "^PL[0-9]{4}$")]
    code: String,
    /// What it was this time, and what to do.
    detail: String,
    /// Of a document that was refused: every finding.
    diagnostics: Option<Vec<Diagnostic>>,
}

/// One finding in a document.
#[derive(ToSchema)]
pub(crate) struct Diagnostic {
    code: String,
    #[schema(pattern = "^(error|warning|hint)$")]
    severity: String,
    message: String,
    file: String,
    line: u32,
    column: u32,
    help: String,
}

#[derive(ToSchema)]
pub(crate) struct Status {
    project: String,
    version: String,
    install_id: String,
    /// Who asks.
    user: String,
    /// How runs are started that do not say.
    mode: Mode,
    modes: Modes,
    /// Position of the last event.
    head: u64,
    root: String,
    #[schema(format = DateTime)]
    now: String,
    paused: bool,
    nats: Option<Value>,
    paused_integrations: Vec<String>,
    stopping: bool,
    counts: Counts,
    /// Of the last day.
    alarms: Vec<Value>,
}

/// Whether anything leaves.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Mode {
    Sandbox,
    Live,
}

#[derive(ToSchema)]
pub(crate) struct Modes {
    sandbox: bool,
    live: bool,
}

/// Each up to a bound.
#[derive(ToSchema)]
pub(crate) struct Counts {
    open_decisions: u64,
    in_doubt: u64,
    live_runs: u64,
    workflows: u64,
    integrations: u64,
}

/// `items`, or `groups` where they were asked for.
#[derive(ToSchema)]
pub(crate) struct InboxPage {
    items: Option<Vec<InboxItem>>,
    groups: Option<Vec<InboxGroup>>,
    /// The `cursor` of the next page.
    next: Option<String>,
    /// Whether there is more than was looked through.
    partial: Option<bool>,
}

/// A decision request in a list.
#[derive(ToSchema)]
pub(crate) struct InboxItem {
    #[schema(pattern = "^dec_")]
    id: String,
    #[schema(pattern = "^run_")]
    run: String,
    workflow: String,
    task: String,
    iteration: String,
    operation: String,
    effect: Effect,
    /// What is decided in one act has one shape.
    shape: String,
    integration: Option<String>,
    mode: Mode,
    target: Option<String>,
    summary: String,
    #[schema(format = DateTime)]
    requested_at: String,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    revision: u32,
    /// What a vote names.
    digest: String,
    state: String,
    votes: u32,
    needed: u32,
    missing: Vec<String>,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Effect {
    Read,
    Write,
    Send,
    Destructive,
}

/// Requests of one shape.
#[derive(ToSchema)]
pub(crate) struct InboxGroup {
    shape: String,
    count: u64,
    operation: String,
    effect: Effect,
    integration: Option<String>,
    mode: Mode,
    workflow: String,
    state: String,
    first: String,
    #[schema(format = DateTime)]
    oldest: String,
}

/// How people have decided.
#[derive(ToSchema)]
pub(crate) struct InboxStats {
    /// None: since the beginning.
    #[schema(format = DateTime)]
    since: Option<String>,
    #[schema(format = DateTime)]
    until: String,
    quick_ms: u64,
    approvers: Vec<Value>,
}

/// The whole card: what would leave, as whom, to whom, under which policy.
#[derive(ToSchema)]
pub(crate) struct Card {
    #[schema(pattern = "^dec_")]
    id: String,
    run: String,
    workflow: String,
    task: String,
    operation: String,
    effect: Effect,
    mode: Mode,
    revision: u32,
    digest: String,
    state: String,
    votes: Vec<Value>,
    /// `{method, url, headers, body | body_base64}`, as it would leave; secrets are named holes.
    request: Option<Value>,
    request_digest: Option<String>,
    /// What the approval binds.
    document: Option<Value>,
    policy: Option<Value>,
    history: Vec<Value>,
    warnings: Vec<Value>,
}

/// A vote; signed, it is `document` and `signature` instead of the rest.
#[derive(ToSchema)]
pub(crate) struct VoteBody {
    /// `approve`, `reject`, `respond`, `edit`, `withdraw`, `reassign`, `break_glass`, `sent`, `not_sent` or `give_up`.
    verdict: Option<String>,
    /// The digest that the voter was shown.
    digest: Option<String>,
    nonce: Option<String>,
    #[schema(format = DateTime)]
    time: Option<String>,
    reason: Option<String>,
    /// The edited input.
    with: Option<Value>,
    /// To whom it is reassigned.
    to: Option<Value>,
    document: Option<Value>,
    signature: Option<String>,
    reason_salt: Option<String>,
}

/// One verdict on several of one shape.
#[derive(ToSchema)]
pub(crate) struct VotesBody {
    items: Vec<VotesItem>,
    verdict: Option<String>,
    nonce: Option<String>,
    time: Option<String>,
    reason: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct VotesItem {
    decision: String,
    digest: String,
}

/// A decision document that its voter has signed (Ed25519, the key is registered).
#[derive(ToSchema)]
pub(crate) struct SignedBody {
    document: Value,
    signature: String,
    with: Option<Value>,
    reason: Option<String>,
    reason_salt: Option<String>,
}

/// Of one decision `position` and `state`, of several `items`.
#[derive(ToSchema)]
pub(crate) struct Receipt {
    /// Position of the event, which is on disk.
    position: Option<u64>,
    state: Option<String>,
    /// The decision that took its place.
    successor: Option<String>,
    items: Option<Vec<Value>>,
}

/// One write of an agent, without a workflow.
#[derive(ToSchema)]
pub(crate) struct ActionBody {
    operation: String,
    integration: Option<String>,
    with: Value,
    idempotency_key: String,
    reason: String,
}

#[derive(ToSchema)]
pub(crate) struct Acted {
    run: String,
    decision: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct WithdrawBody {
    reason: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct At {
    position: u64,
}

#[derive(ToSchema)]
pub(crate) struct Versions {
    versions: Vec<Version>,
}

#[derive(ToSchema)]
pub(crate) struct Version {
    workflow: String,
    plan_digest: String,
    /// Whether a new run would get it.
    latest: bool,
    running: u64,
    waiting: u64,
    waiting_for: BTreeMap<String, u64>,
    oldest_started_at: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct Workflows {
    workflows: Vec<Workflow>,
    next: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct Workflow {
    workflow: String,
    name: String,
    version: String,
    plan_digest: String,
    #[schema(format = DateTime)]
    deployed_at: String,
}

#[derive(ToSchema)]
pub(crate) struct Deployed {
    workflow: String,
    plan_digest: String,
    diagnostics: Vec<Diagnostic>,
    change: Change,
}

/// What a deployment changes.
#[derive(ToSchema)]
pub(crate) struct Change {
    kind: String,
    name: String,
    standing: String,
    digest: String,
    replaces: Option<String>,
    /// Unified; empty when it is in force already.
    diff: String,
    holds: Value,
    trusts: Vec<String>,
}

#[derive(ToSchema)]
pub(crate) struct Changed {
    change: Change,
}

#[derive(ToSchema)]
pub(crate) struct Manifests {
    providers: Vec<String>,
    trusted: Vec<Trusted>,
}

#[derive(ToSchema)]
pub(crate) struct Trusted {
    operation: String,
    digest: String,
}

#[derive(ToSchema)]
pub(crate) struct Integrations {
    integrations: Vec<Integration>,
    next: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct Paused {
    paused: bool,
    /// None: everything outbound.
    integration: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct PolicyNow {
    policy: Value,
    endorsements: Vec<Value>,
}

#[derive(ToSchema)]
pub(crate) struct PolicyApplied {
    digest: String,
    diagnostics: Vec<Diagnostic>,
}

#[derive(ToSchema)]
pub(crate) struct PolicyTried {
    summary: Value,
    decisions: Vec<Value>,
    diagnostics: Vec<Diagnostic>,
}

#[derive(ToSchema)]
pub(crate) struct Endorsed {
    standing: String,
    by: String,
}

#[derive(ToSchema)]
pub(crate) struct Emergencies {
    items: Vec<Value>,
    next: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct Reviewed {
    decision: String,
    review: String,
}

#[derive(ToSchema)]
pub(crate) struct Staged {
    /// Below the data directory of the engine's host.
    staged: String,
    size: u64,
    root: String,
    #[schema(format = DateTime)]
    made_at: String,
}

#[derive(ToSchema)]
pub(crate) struct Erasure {
    runs: Vec<Value>,
    events: Vec<Value>,
    payloads: u64,
    /// Until when a backup may hold destroyed keys.
    backups_until: Option<String>,
    position: Option<u64>,
}

#[derive(ToSchema)]
pub(crate) struct Compacted {
    before: u64,
    after: u64,
    paused_ms: u64,
}

#[derive(ToSchema)]
pub(crate) struct EventPage {
    events: Vec<Event>,
    /// The `after` of the next page (`before` with `order=desc`).
    next: Option<u64>,
    head: u64,
}

/// An event; content is named by reference and never stands in it.
#[derive(ToSchema)]
pub(crate) struct Event {
    position: u64,
    stream: String,
    revision: u64,
    #[schema(pattern = "^evt_")]
    event_id: String,
    r#type: String,
    #[schema(format = DateTime)]
    recorded_at: String,
    actor: String,
    causation: Option<String>,
    correlation: Option<String>,
    body: Value,
}

/// Verifications that are under way.
#[derive(ToSchema)]
pub(crate) struct Verifying {
    running: Vec<VerifyingOne>,
}

/// Events read, and events there are.
#[derive(ToSchema)]
pub(crate) struct VerifyingOne {
    read: u64,
    of: u64,
}

#[derive(ToSchema)]
pub(crate) struct Verified {
    ok: bool,
    events: Option<u64>,
    payloads: Option<u64>,
    erased: Option<u64>,
    root: Option<String>,
    /// Of the first damage.
    position: Option<u64>,
    detail: Option<String>,
}

/// `equal` and `difference` of the live tables; with `at` the project as it was.
#[derive(ToSchema)]
pub(crate) struct Replayed {
    position: u64,
    equal: Option<bool>,
    difference: Option<Value>,
    inbox: Option<Vec<Value>>,
    runs: Option<Vec<Value>>,
    integrations: Option<Vec<Value>>,
}

#[derive(ToSchema)]
pub(crate) struct Checkpoint {
    origin: String,
    /// Verifier key (C2SP vkey).
    key: String,
    /// Signed note.
    checkpoint: Option<String>,
    size: u64,
    unsigned: u64,
}

#[derive(ToSchema)]
pub(crate) struct Hashes {
    hashes: Vec<String>,
}

#[derive(ToSchema)]
pub(crate) struct Records {
    /// Each `{leaf, body, sealed, plain}` in base64.
    records: Vec<Value>,
    next: Option<u64>,
}

#[derive(ToSchema)]
pub(crate) struct DecisionReceipt {
    receipt: u32,
    decision: String,
    how_to_check: String,
    events: Vec<Value>,
}

#[derive(ToSchema)]
pub(crate) struct Story {
    run: Option<String>,
    workflow: Option<String>,
    lines: Vec<Value>,
    whole: bool,
}

#[derive(ToSchema)]
pub(crate) struct Projections {
    cursor: u64,
    head: u64,
    tables: BTreeMap<String, u64>,
    rebuild: Option<Rebuild>,
}

/// `state` is `running`, `done`, `cancelled` or `failed`.
#[derive(ToSchema)]
pub(crate) struct Rebuild {
    id: u64,
    state: String,
    by: String,
    events: u64,
    head: u64,
    detail: Option<String>,
}

/// Which key seals how many credentials.
#[derive(ToSchema)]
pub(crate) struct Vault {
    key: String,
    /// Each `{key, records, out_of_reach}`.
    records: Vec<Value>,
    rotating: bool,
}

#[derive(ToSchema)]
pub(crate) struct VaultRotated {
    key: String,
    moved: u64,
    /// What no key at hand opens.
    stuck: Value,
}
