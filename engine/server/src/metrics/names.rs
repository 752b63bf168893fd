//! Every metric by its name, once: what is told is told under these, and the reference page, the
//! dashboard and the alert rules are held against them by tests.

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Grows; begins at 0 with the process.
    Counter,
    /// As it is at the moment.
    Gauge,
    /// How many took at most so long.
    Histogram,
}

impl Kind {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Each with what it may be.
    pub(crate) labels: &'static [(&'static str, &'static str)],
    pub(crate) help: &'static str,
}

macro_rules! metrics {
    ($($konst:ident = $name:literal $kind:ident [$($label:literal: $values:literal),*] $help:literal;)+) => {
        $(pub(crate) static $konst: Metric = Metric {
            name: $name, kind: Kind::$kind, labels: &[$(($label, $values)),*], help: $help,
        };)+

        /// All of them, in the order in which they are told.
        pub(crate) static ALL: &[&Metric] = &[$(&$konst),+];
    };
}

metrics! {
    BUILD = "placet_build_info" Gauge ["version": "of the program"] "Always 1";
    PAUSED = "placet_outbound_paused" Gauge [] "1 while everything outbound is paused";
    RUNS = "placet_runs" Gauge ["status": "running, waiting"] "Runs that are not over, counted up to 10,000";
    RUNS_STARTED = "placet_runs_started_total" Counter ["mode": "sandbox, live"] "Runs that have begun";
    RUNS_ENDED = "placet_runs_ended_total" Counter ["status": "completed, faulted, cancelled"] "Runs that are over";
    DECISIONS_OPEN = "placet_decisions_open" Gauge [] "Decisions that wait for people, attempts in doubt included";
    QUEUE_AGE = "placet_decisions_oldest_seconds" Gauge [] "Age of the oldest open decision; 0 without one";
    DECISIONS_ASKED = "placet_decisions_asked_total" Counter [] "Decisions that were asked for";
    DECISIONS_SETTLED = "placet_decisions_settled_total" Counter
        ["settlement": "approved, rejected, responded, expired, withdrawn, superseded, void"]
        "Decisions that have ended; void: it could not be spent any more, approved or not";
    DECISION_TIME = "placet_decision_seconds" Histogram [] "From the request until people had approved, rejected or answered it";
    ATTEMPTS = "placet_attempts_total" Counter
        ["provider": "the first 64, then other", "mode": "sandbox, live",
         "outcome": "succeeded, refused, reconnect, deferred, in_doubt, found_sent, found_not_sent, given_up"]
        "Tries of calls, by how they ended, and doubts, by how they were settled";
    SENDS = "placet_sends_total" Counter ["provider": "as above", "mode": "sandbox, live"]
        "Approved calls that were sent; in sandbox mode: would have been";
    IN_DOUBT = "placet_in_doubt" Gauge [] "Runs with an attempt of which nobody knows whether it was sent";
    INTEGRATIONS = "placet_integrations" Gauge ["status": "active, disabled, failed, disconnected"] "Connections to providers";
    WEBHOOKS = "placet_webhook_arrivals_total" Counter
        ["provider": "as above", "result": "stored, duplicate, retry_later, or why it was not taken"]
        "What providers have posted to us";
    WEBHOOK_ACK = "placet_webhook_ack_seconds" Histogram [] "From the head of what a provider posts until it is answered";
    HTTP = "placet_http_requests_total" Counter ["class": "1xx, 2xx, 3xx, 4xx, 5xx"] "Answers of the API and the pages; webhooks are not among them";
    HTTP_TIME = "placet_http_request_seconds" Histogram [] "From the head of a request until the head of its answer";
    STREAMS = "placet_event_streams" Gauge [] "Streams of events that are open";
    LOG_POSITION = "placet_log_position" Gauge [] "Position of the last event";
    LOG_BYTES = "placet_log_bytes" Gauge [] "Bytes of the log's file";
    LOG_COMMIT = "placet_log_commit_seconds" Histogram [] "Durable commits of events: begin of the transaction until it is on disk";
    LOG_SYNCS = "placet_log_fdatasyncs_total" Counter [] "Syncs of the log's file and its journal";
    PROJECTION_LAG = "placet_projection_lag_events" Gauge [] "Events that the derived tables do not hold yet";
    NATS = "placet_nats_connected" Gauge [] "1 while NATS is ready; not told where there is none";
    SPANS = "placet_telemetry_spans_total" Counter ["result": "sent, dropped"] "Spans of traces that a collector has taken, and those that were dropped";
    CPU = "process_cpu_seconds_total" Counter [] "Processor time of the process";
    MEMORY = "process_resident_memory_bytes" Gauge [] "Memory that the process holds";
}

/// The reference page.
pub(crate) fn reference() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         `GET /metrics` tells these in the Prometheus text format, to whoever may read the project: a token of an\n\
         operator, auditor or admin (`authorization: {credentials_file: …}` in the scrape configuration). Counters begin\n\
         at 0 with the process. No label is ever an id, a name that somebody chose, or content; the values of `provider`\n\
         are those of at most 64 manifests. `deploy/grafana/placet.json` is a dashboard and `deploy/prometheus/alerts.yaml`\n\
         are alert rules over them.\n\n\
         | name | kind | labels | what |\n| --- | --- | --- | --- |\n",
    );
    let rows = ALL.iter().map(|metric| {
        let labels = metric.labels.iter().map(|(name, values)| format!("`{name}`: {values}"));
        let labels: Vec<String> = labels.collect();
        let (name, kind) = (metric.name, metric.kind.word());
        format!("| `{name}` | {kind} | {} | {} |\n", labels.join("; "), metric.help)
    });
    page.extend(rows);
    page
}
