//! Every key of a `placet.toml`, once: what it means, what it may be, where it goes. The reader, the
//! overrides, the JSON Schema and the reference table are made from this list.

use placet_model::Duration;
use placet_model::draft::Mode;
use placet_model::project::{DataPolicy, ProjectConfig};
use serde_json::{Value, json};

use super::hosts::{
    Fits, is_bare_host, is_grant, is_host, is_link, is_nats_url, is_path, is_person, is_rate,
    is_target, is_variable, is_witness, is_word, is_workflows,
};

/// One key, by its path.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// `table.key`, `table.table.key`, or `key` at the top.
    pub path: &'static str,
    /// What it decides, one line.
    pub about: &'static str,
    pub(super) kind: Kind,
}

/// A place in the configuration.
type At<T> = fn(&mut ProjectConfig) -> &mut T;

/// What a key may be, and where it goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A single lower-case token.
    Token(At<String>),
    /// Texts of one form.
    List(Fits, At<Vec<String>>),
    /// A whole number from 1 to this one.
    Number(u64, At<u64>),
    /// A text of one form, or nothing.
    Text(Fits, At<Option<String>>),
    /// `ADDRESS:PORT`.
    Address(At<String>),
    /// `sandbox` or `live`.
    Mode(At<Mode>),
    /// `full` or `metadata_only`.
    Data(At<DataPolicy>),
    /// A duration, longer than nothing.
    Period(At<Option<Duration>>),
}

macro_rules! limits {
    ($($field:ident $max:literal $about:literal;)+) => {
        &[$(Key {
            path: concat!("limits.", stringify!($field)),
            about: $about,
            kind: Kind::Number($max, |config| &mut config.limits.$field),
        }),+]
    };
}

const LIMITS: &[Key] = limits! {
    steps_max 1_000_000 "task executions of one run";
    iterations_max 1_000_000 "items of one `for`";
    nesting_max 256 "depth of nested containers of one run";
    branches_max 1_024 "branches of one `fork`";
    children_depth_max 64 "depth of `run.workflow`: children of children";
    history_events_max 10_000_000 "events of one run";
    events_buffered_max 100_000 "inbound events that one run keeps for a `listen` to come";
    payload_bytes_max 67_108_864 "bytes of one payload";
    output_bytes_max 67_108_864 "bytes of what one expression gives";
    expression_ms_max 60_000 "milliseconds for one evaluation of an expression";
    call_ms_max 600_000 "milliseconds for one call of a provider";
    caller_second_max 1_000_000 "requests of one caller of `serve` within a second, five seconds' worth at once";
    host_calls_max 512 "calls that are under way at once towards one host";
    credential_calls_max 512 "calls of one connection that are under way at once towards one host";
    cache_bytes_max 68_719_476_736 "bytes of the log that are kept in memory";
    agent_open_max 100_000 "open requests of one agent";
    agent_minute_max 1_000_000 "actions and runs that one agent begins within a minute";
};

const OTHERS: &[Key] = &[
    Key {
        path: "project",
        about: "name of the project: stands in every digest and subject, so choose it once",
        kind: Kind::Token(|config| &mut config.project),
    },
    Key {
        path: "egress.read_hosts",
        about: "hosts to which GET, HEAD and OPTIONS go without asking",
        kind: Kind::List(is_host, |config| &mut config.read_hosts),
    },
    Key {
        path: "egress.allow",
        about: "HOST:PORT targets that may be on this machine, private, or plain http",
        kind: Kind::List(is_target, |config| &mut config.egress_allow),
    },
    Key {
        path: "egress.rates",
        about: "per cent of a provider's declared rates that are used: `PROVIDER:PERCENT`; `0` keeps no budget and leaves it to the provider's answers",
        kind: Kind::List(is_rate, |config| &mut config.egress_rates),
    },
    Key {
        path: "agents.grants",
        about: "connections that agents may use for actions of their own: `AGENT:INTEGRATION`, `*` for every one, `AGENT:http` for plain calls",
        kind: Kind::List(is_grant, |config| &mut config.agents.grants),
    },
    Key {
        path: "data.policy",
        about: "what of a run's content is kept once it has ended: `full`, or `metadata_only` (nothing)",
        kind: Kind::Data(|config| &mut config.data.policy),
    },
    Key {
        path: "data.keep",
        about: "workflows whose content `metadata_only` keeps: `namespace/name` or `namespace/*`",
        kind: Kind::List(is_workflows, |config| &mut config.data.keep),
    },
    Key {
        path: "retention.runs",
        about: "how long the content of a run is kept after its end, such as `P90D`",
        kind: Kind::Period(|config| &mut config.retention.runs),
    },
    Key {
        path: "retention.completed",
        about: "in the place of `retention.runs`, for a run that completed",
        kind: Kind::Period(|config| &mut config.retention.completed),
    },
    Key {
        path: "retention.faulted",
        about: "in the place of `retention.runs`, for a run that faulted",
        kind: Kind::Period(|config| &mut config.retention.faulted),
    },
    Key {
        path: "retention.cancelled",
        about: "in the place of `retention.runs`, for a run that was cancelled",
        kind: Kind::Period(|config| &mut config.retention.cancelled),
    },
    Key {
        path: "retention.events",
        about: "how long the content of an event from outside is kept",
        kind: Kind::Period(|config| &mut config.retention.events),
    },
    Key {
        path: "retention.backups",
        about: "how long you keep a backup: erasing says until when one may hold destroyed keys",
        kind: Kind::Period(|config| &mut config.retention.backups),
    },
    Key {
        path: "health.hour",
        about: "hour of the day (UTC, 24 is midnight) at which each connection is checked",
        kind: Kind::Number(24, |config| &mut config.health.hour),
    },
    Key {
        path: "health.jitter_minutes",
        about: "minutes after that hour within which each connection has a moment of its own",
        kind: Kind::Number(720, |config| &mut config.health.jitter_minutes),
    },
    Key {
        path: "alarms.minute_max",
        about: "approvals of one person within a minute that raise no alarm",
        kind: Kind::Number(1_000_000, |config| &mut config.alarms.minute_max),
    },
    Key {
        path: "alarms.quick_per_cent_max",
        about: "per cent of one person's decisions that may take less than three seconds",
        kind: Kind::Number(100, |config| &mut config.alarms.quick_per_cent_max),
    },
    Key {
        path: "alarms.quick_decisions_min",
        about: "decisions of one person below which their share raises no alarm",
        kind: Kind::Number(1_000_000, |config| &mut config.alarms.quick_decisions_min),
    },
    Key {
        path: "alarms.window",
        about: "the time that the share is taken of, and in which an alarm is raised once",
        kind: Kind::Period(|config| &mut config.alarms.window),
    },
    Key {
        path: "notify.url",
        about: "where people find the inbox: the one link in a notice",
        kind: Kind::Text(is_link, |config| &mut config.notify.url),
    },
    Key {
        path: "notify.interval",
        about: "time between two messages to one person over one channel",
        kind: Kind::Period(|config| &mut config.notify.interval),
    },
    Key {
        path: "notify.tries_max",
        about: "tries of one message, where it is proven that nothing was sent",
        kind: Kind::Number(10, |config| &mut config.notify.tries_max),
    },
    Key {
        path: "nats.url",
        about: "the NATS server that events follow to",
        kind: Kind::Text(is_nats_url, |config| &mut config.nats.url),
    },
    Key {
        path: "nats.seed_env",
        about: "the variable that holds the seed of the engine's user nkey",
        kind: Kind::Text(is_variable, |config| &mut config.nats.seed_env),
    },
    Key {
        path: "nats.replicas",
        about: "copies of the stream; more than 1 needs a cluster",
        kind: Kind::Number(5, |config| &mut config.nats.replicas),
    },
    Key {
        path: "serve.listen",
        about: "where `placet serve` listens",
        kind: Kind::Address(|config| &mut config.serve.listen),
    },
    Key {
        path: "serve.hosts",
        about: "names under which it is reached, such as that of the proxy that ends TLS",
        kind: Kind::List(is_host, |config| &mut config.serve.hosts),
    },
    Key {
        path: "serve.mode",
        about: "mode of its runs: `sandbox` (nothing leaves) or `live` (approved bytes leave)",
        kind: Kind::Mode(|config| &mut config.serve.mode),
    },
    Key {
        path: "login.oidc.issuer",
        about: "the login server of your organization (OpenID Connect), as it names itself; without one people have tokens only",
        kind: Kind::Text(is_link, |config| &mut config.login.oidc.issuer),
    },
    Key {
        path: "login.oidc.client_id",
        about: "its name for this engine, whose redirect address there is `https://HOST/login/callback`",
        kind: Kind::Text(is_word, |config| &mut config.login.oidc.client_id),
    },
    Key {
        path: "login.oidc.secret_env",
        about: "the variable that holds the client's secret",
        kind: Kind::Text(is_variable, |config| &mut config.login.oidc.secret_env),
    },
    Key {
        path: "login.oidc.secret_file",
        about: "a file that holds it, in the place of the variable",
        kind: Kind::Text(is_path, |config| &mut config.login.oidc.secret_file),
    },
    Key {
        path: "login.oidc.scopes",
        about: "what is asked for, in the place of `openid`, `profile` and `email`",
        kind: Kind::List(is_word, |config| &mut config.login.oidc.scopes),
    },
    Key {
        path: "login.oidc.claim",
        about: "the claim that names a person, in the place of `preferred_username`; of `email`, what stands before the only one of `domains`",
        kind: Kind::Text(is_word, |config| &mut config.login.oidc.claim),
    },
    Key {
        path: "login.oidc.domains",
        about: "domains of verified addresses that may come in; any without one",
        kind: Kind::List(is_bare_host, |config| &mut config.login.oidc.domains),
    },
    Key {
        path: "login.oidc.groups",
        about: "groups of the login server that may come in; without one everybody whom the policy knows",
        kind: Kind::List(is_word, |config| &mut config.login.oidc.groups),
    },
    Key {
        path: "login.oidc.groups_claim",
        about: "the claim that names them, in the place of `groups`",
        kind: Kind::Text(is_word, |config| &mut config.login.oidc.groups_claim),
    },
    Key {
        path: "login.oidc.people",
        about: "principals of people whom the claim names otherwise: `VALUE=PRINCIPAL`",
        kind: Kind::List(is_person, |config| &mut config.login.oidc.people),
    },
    Key {
        path: "audit.checkpoint_events",
        about: "events after which the log is signed",
        kind: Kind::Number(1_000_000, |config| &mut config.audit.checkpoint_events),
    },
    Key {
        path: "audit.checkpoint_seconds",
        about: "seconds after which an event is signed at the latest",
        kind: Kind::Number(86_400, |config| &mut config.audit.checkpoint_seconds),
    },
    Key {
        path: "audit.checkpoint_file",
        about: "a second file for the newest checkpoint, such as one that is copied elsewhere",
        kind: Kind::Text(is_path, |config| &mut config.audit.checkpoint_file),
    },
    Key {
        path: "audit.witnesses",
        about: "witnesses that are asked to sign each checkpoint, each as `URL KEY`",
        kind: Kind::List(is_witness, |config| &mut config.audit.witnesses),
    },
    Key {
        path: "telemetry.otlp.endpoint",
        about: "collector that is told traces of runs (OTLP over HTTP, in JSON), such as `http://127.0.0.1:4318`; in sandbox mode on this machine only",
        kind: Kind::Text(is_link, |config| &mut config.telemetry.otlp.endpoint),
    },
];

/// Keys that are known by name only, with what to do until then. A key below one of them is one too.
pub(super) const NOT_BUILT: &[(&str, &str)] = &[
    ("data.integrations", "every integration has the project's data policy"),
    ("nats.account", "name the account's user in `nats.url`, or its nkey by `nats.seed_env`"),
    ("nats.credentials", "use a user nkey: `nats.seed_env`"),
    ("nats.domain", "the stream is made in the account's own domain"),
    ("serve.tls", "end TLS in a proxy before it, and name that proxy's host in `serve.hosts`"),
    ("tls", "end TLS in a proxy before it, and name that proxy's host in `serve.hosts`"),
];

/// Every key, in the order of the reference.
pub fn project_keys() -> impl Iterator<Item = &'static Key> {
    let (first, rest) = OTHERS.split_at(4);
    first.iter().chain(LIMITS).chain(rest)
}

impl Key {
    /// Its value where nothing is said.
    pub fn default(&self) -> Value {
        self.value(&ProjectConfig::default())
    }

    /// Its value in a configuration.
    pub fn value(&self, config: &ProjectConfig) -> Value {
        let mut config = config.clone();
        match self.kind {
            Kind::Token(at) | Kind::Address(at) => json!(at(&mut config)),
            Kind::List(_, at) => json!(at(&mut config)),
            Kind::Number(_, at) => json!(at(&mut config)),
            Kind::Text(_, at) => json!(at(&mut config)),
            Kind::Mode(at) => json!(at(&mut config)),
            Kind::Data(at) => json!(at(&mut config)),
            Kind::Period(at) => json!(at(&mut config).map(|period| period.to_string())),
        }
    }

    /// Table and key within it; the table is empty at the top, and may stand in another (`login.oidc`).
    pub(super) fn parts(&self) -> (&'static str, &'static str) {
        self.path.rsplit_once('.').unwrap_or(("", self.path))
    }
}
