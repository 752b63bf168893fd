//! Runs, and what is done to them.

use super::Mode;
use serde_json::Value;
use utoipa::ToSchema;

#[derive(ToSchema)]
pub(crate) struct RunPage {
    runs: Vec<Run>,
    /// The `before` of the next page.
    next: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct Run {
    #[schema(pattern = "^run_")]
    run: String,
    workflow: String,
    plan_digest: String,
    mode: Mode,
    requester: String,
    status: RunStatus,
    waiting_for: Option<WaitingFor>,
    #[schema(format = DateTime)]
    started_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    revision: u64,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum RunStatus {
    Running,
    Waiting,
    Completed,
    Faulted,
    Cancelled,
}

/// `kind` is `decision`, `timer`, `answer`, `deferred`, `in_doubt`, `event` or `run`.
#[derive(ToSchema)]
pub(crate) struct WaitingFor {
    kind: String,
    decision: Option<String>,
    run: Option<String>,
}

/// A run with what came of it.
#[derive(ToSchema)]
pub(crate) struct RunReport {
    #[schema(pattern = "^run_")]
    run: String,
    workflow: String,
    plan_digest: String,
    mode: Mode,
    requester: String,
    status: RunStatus,
    waiting_for: Option<WaitingFor>,
    output: Option<Value>,
    error: Option<Value>,
    trace: Vec<TraceItem>,
    /// With `steps`: executions that the trace leaves out.
    steps_before: Option<u64>,
    cancelled: Option<Value>,
    /// Where what it waits for waits for its provider's budget: until when at least.
    held: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct TraceItem {
    task: String,
    name: Option<String>,
    status: String,
    output: Option<Value>,
    /// In sandbox mode: what would have left, `{method, url, headers, body | body_base64}`.
    would_have_sent: Option<Value>,
}

/// `run` at once; with `wait` also what came of it.
#[derive(ToSchema)]
pub(crate) struct Started {
    #[schema(pattern = "^run_")]
    run: String,
    status: Option<RunStatus>,
    waiting_for: Option<WaitingFor>,
    output: Option<Value>,
    error: Option<Value>,
}

#[derive(ToSchema)]
pub(crate) struct RunAt {
    run: String,
    position: Option<u64>,
}

#[derive(ToSchema)]
pub(crate) struct RunOnly {
    run: String,
}

#[derive(ToSchema)]
pub(crate) struct Migrated {
    run: String,
    workflow: String,
}
