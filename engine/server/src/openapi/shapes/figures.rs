//! Figures over time.

use utoipa::ToSchema;

/// What was asked, decided and sent; the same definitions as those of the metrics.
#[derive(ToSchema)]
pub(crate) struct Stats {
    /// The begin of the first step.
    #[schema(format = DateTime)]
    from: String,
    /// The end of the last one.
    #[schema(format = DateTime)]
    to: String,
    #[schema(pattern = "^(PT5M|PT1H|P1D)$")]
    bucket: String,
    /// Whether all of the span is counted; if not, the next answer knows more.
    complete: bool,
    /// Since when is counted, where that is not since the beginning.
    #[schema(format = DateTime)]
    counted_since: Option<String>,
    buckets: Vec<StatsBucket>,
    total: StatsTotal,
    /// By provider, the most first.
    failures: Vec<StatsFailures>,
    queue: StatsQueue,
}

/// A step of the span.
#[derive(ToSchema)]
pub(crate) struct StatsBucket {
    #[schema(format = DateTime)]
    at: String,
    asked: u64,
    settled: StatsSettled,
    void: u64,
    decided: u64,
    median_ms: Option<u64>,
    p95_ms: Option<u64>,
    sent: StatsSent,
    failed: u64,
}

#[derive(ToSchema)]
pub(crate) struct StatsTotal {
    /// Decisions that were asked for.
    asked: u64,
    settled: StatsSettled,
    /// Decisions that could not be spent any more.
    void: u64,
    /// Decisions that people ended.
    decided: u64,
    /// From the request until then; rounded up by less than one in 128.
    median_ms: Option<u64>,
    p95_ms: Option<u64>,
    /// Approved calls that were sent; in sandbox mode: would have been.
    sent: StatsSent,
    /// Tries and doubts that ended badly.
    failed: u64,
}

#[derive(ToSchema)]
pub(crate) struct StatsSettled {
    approved: u64,
    rejected: u64,
    responded: u64,
    expired: u64,
    withdrawn: u64,
    superseded: u64,
}

#[derive(ToSchema)]
pub(crate) struct StatsSent {
    sandbox: u64,
    live: u64,
}

#[derive(ToSchema)]
pub(crate) struct StatsFailures {
    provider: String,
    refused: u64,
    reconnect: u64,
    deferred: u64,
    in_doubt: u64,
    given_up: u64,
    total: u64,
}

/// What waits for votes at this moment.
#[derive(ToSchema)]
pub(crate) struct StatsQueue {
    open: u64,
    oldest_ms: Option<u64>,
    /// By how long ago it was asked for.
    ages: Vec<StatsAge>,
    /// Only the first ones in the order of the inbox were looked at.
    partial: bool,
}

#[derive(ToSchema)]
pub(crate) struct StatsAge {
    /// Younger than this, and in no entry before; none: the others.
    below_ms: Option<u64>,
    count: u64,
}
