//! `placet.toml` as data: what the operator of a process has decided.

use crate::Principal;
use crate::draft::Mode;
use crate::event::notice::NoticeAbout;
use crate::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The operator's configuration of one project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectConfig {
    /// Project name: a single lower-case token, part of subjects and digests.
    pub project: String,
    /// Hosts to which GET, HEAD and OPTIONS go ungated.
    pub read_hosts: Vec<String>,
    /// `HOST:PORT` targets that may be private, loopback or plain HTTP.
    pub egress_allow: Vec<String>,
    /// `PROVIDER:PERCENT` of the rates that its manifest declares; 0 keeps no budget.
    pub egress_rates: Vec<String>,
    /// Secrets and the hosts they are bound to.
    pub secrets: BTreeMap<String, SecretBinding>,
    /// Bounds.
    pub limits: Limits,
    /// What agents may use.
    pub agents: Agents,
    /// The NATS server.
    pub nats: Nats,
    /// What `placet serve` does.
    pub serve: Serve,
    /// Where people log in to it.
    #[serde(default)]
    pub login: Login,
    /// When the log is signed, and who is shown that.
    pub audit: Audit,
    /// What of a run's content is kept once it has ended.
    pub data: Data,
    /// How long content is kept.
    pub retention: Retention,
    /// When somebody's approving is worth an alarm.
    pub alarms: Alarms,
    /// When connections are checked.
    pub health: Health,
    /// How people hear of what waits for them.
    pub notify: Notify,
    /// Where they hear of it, by the name of the channel.
    pub channels: BTreeMap<String, Channel>,
    /// Whom traces of runs are told.
    pub telemetry: Telemetry,
}

/// Whom traces of runs are told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// A collector that speaks OTLP.
    pub otlp: Otlp,
}

/// A collector that speaks OTLP over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Otlp {
    /// Its address, below which `v1/traces` stands; without one nothing is told.
    pub endpoint: Option<String>,
}

/// When somebody's approving is worth an alarm: it tells people, and neither blocks nor approves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alarms {
    /// Approvals of one person within a minute that are worth none.
    pub minute_max: u64,
    /// Per cent of one person's decisions that may take less than three seconds.
    pub quick_per_cent_max: u64,
    /// Decisions of one person below which their share is none.
    pub quick_decisions_min: u64,
    /// The time that a share is taken of, and in which an alarm is raised once.
    pub window: Option<Duration>,
}

impl Default for Alarms {
    /// Half a minute of reading for sixty requests a minute is no reading; below twenty decisions a
    /// share says nothing.
    fn default() -> Self {
        Self {
            minute_max: 30,
            quick_per_cent_max: 50,
            quick_decisions_min: 20,
            window: Some(Duration::from_millis(3_600_000)),
        }
    }
}

/// When every connection is checked, once a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Hour of the day, UTC; 24 is midnight.
    pub hour: u64,
    /// Minutes after it within which each connection has its own.
    pub jitter_minutes: u64,
}

impl Default for Health {
    fn default() -> Self {
        Self { hour: 3, jitter_minutes: 60 }
    }
}

/// How people hear of what waits for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Where people find the inbox: the one link in a notice.
    pub url: Option<String>,
    /// Time between two messages to one person over one channel; what comes meanwhile is told in one.
    pub interval: Option<Duration>,
    /// Tries of one message, where it is proven that nothing was sent.
    pub tries_max: u64,
}

impl Default for Notify {
    fn default() -> Self {
        Self { url: None, interval: Some(Duration::from_millis(300_000)), tries_max: 3 }
    }
}

/// A way on which people are told: an operation that sends, with what the operator has fixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Whom it tells: users.
    pub to: Vec<Principal>,
    /// The operation.
    pub operation: String,
    /// The connection; without a name the provider's default one.
    pub integration: Option<String>,
    /// What the operation takes; `{text}`, `{subject}` and `{link}` in its texts are the engine's.
    pub with: serde_json::Value,
    /// What it tells of.
    pub about: Vec<NoticeAbout>,
}

/// Where people log in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The login server of the organization.
    pub oidc: Oidc,
}

/// A login server (OIDC), and who comes in by it. It says who somebody is; what they may do is
/// the policy's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Its name for itself, letter by letter; without one there is no such login.
    pub issuer: Option<String>,
    /// Its name for this engine.
    pub client_id: Option<String>,
    /// The variable that holds the client's secret.
    pub secret_env: Option<String>,
    /// A file that holds it, in the place of the variable.
    pub secret_file: Option<String>,
    /// What is asked for; `openid profile email` where nothing is said.
    pub scopes: Vec<String>,
    /// The claim that names a person; `preferred_username` where nothing is said.
    pub claim: Option<String>,
    /// Domains of verified addresses that may come in.
    pub domains: Vec<String>,
    /// Groups that may come in.
    pub groups: Vec<String>,
    /// The claim that names them; `groups` where nothing is said.
    pub groups_claim: Option<String>,
    /// `VALUE=PRINCIPAL` where what the claim says is not the name of the principal.
    pub people: Vec<String>,
}

/// What agents may use for actions of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agents {
    /// `AGENT:INTEGRATION`; `*` stands for every one, `AGENT:http` for plain HTTP calls. What stands
    /// here is allowed to be asked for, never to be sent without the gate.
    pub grants: Vec<String>,
}

/// Checkpoints of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Events after which the log is signed.
    pub checkpoint_events: u64,
    /// Seconds after which an event is signed at the latest.
    pub checkpoint_seconds: u64,
    /// A second file for the newest checkpoint, such as one that is copied elsewhere.
    pub checkpoint_file: Option<String>,
    /// Witnesses that are asked to sign each checkpoint: `URL KEY`.
    pub witnesses: Vec<String>,
}

impl Default for Audit {
    /// A checkpoint costs a signature, two syncs of a small file beside the keys and one event: every
    /// 10,000 events that is nothing, and what a start has to check again stays below a tenth of a
    /// second. A minute bounds how long the end of a quiet log can be cut off unseen.
    fn default() -> Self {
        Self {
            checkpoint_events: 10_000,
            checkpoint_seconds: 60,
            checkpoint_file: None,
            witnesses: vec![],
        }
    }
}

/// What of a run's content is kept once it has ended. While it lives it needs its content.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// All of it, or none.
    pub policy: DataPolicy,
    /// Workflows whose content is kept all the same: `namespace/name`, or `namespace/*`.
    pub keep: Vec<String>,
}

impl Data {
    /// Whether the content of this workflow's runs is kept though the policy is `metadata_only`.
    pub fn is_kept(&self, family: &str) -> bool {
        self.keep.iter().any(|kept| match kept.strip_suffix('*') {
            Some(namespace) => family.starts_with(namespace),
            None => kept == family,
        })
    }

    /// Whether the content of this workflow's runs may outlive them.
    pub fn keeps(&self, family: &str) -> bool {
        self.policy == DataPolicy::Full || self.is_kept(family)
    }
}

/// What of a run's content is kept once it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataPolicy {
    /// Until it is erased, or retention does.
    #[default]
    Full,
    /// Events with their facts and digests; the content is erased when the run has ended.
    MetadataOnly,
}

impl DataPolicy {
    /// Every policy.
    pub const ALL: [Self; 2] = [Self::Full, Self::MetadataOnly];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::MetadataOnly => "metadata_only",
        }
    }
}

/// How long content is kept; what is not said is kept until somebody erases it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Content of a run, from its end, however it ended.
    pub runs: Option<Duration>,
    /// In the place of `runs`, for one that completed.
    pub completed: Option<Duration>,
    /// In the place of `runs`, for one that faulted.
    pub faulted: Option<Duration>,
    /// In the place of `runs`, for one that was cancelled.
    pub cancelled: Option<Duration>,
    /// Content of an event from outside, from its coming.
    pub events: Option<Duration>,
    /// How long the operator keeps a backup; it is told, not enforced.
    pub backups: Option<Duration>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            runs: None,
            completed: None,
            faulted: None,
            cancelled: None,
            events: None,
            backups: Some(Duration::from_days(30)),
        }
    }
}

/// The NATS server that events follow to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nats {
    /// Its address; without one there is none.
    pub url: Option<String>,
    /// Environment variable that holds the seed of the engine's user nkey.
    pub seed_env: Option<String>,
    /// Copies of the stream.
    pub replicas: u64,
}

/// How an engine in production is reached and what its runs do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serve {
    /// Where it listens: `ADDRESS:PORT`, read before it stands here.
    pub listen: String,
    /// Names under which it is reached besides those of this machine: `host` or `host:port`.
    pub hosts: Vec<String>,
    /// Mode of runs whose request names none; with `sandbox` nothing can leave at all.
    pub mode: Mode,
}

impl Default for Nats {
    fn default() -> Self {
        Self { url: None, seed_env: None, replicas: 1 }
    }
}

impl Default for Serve {
    fn default() -> Self {
        Self { listen: "127.0.0.1:7480".to_owned(), hosts: vec![], mode: Mode::Sandbox }
    }
}

/// Where a secret comes from and where it may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretBinding {
    /// Environment variable that holds it.
    pub env: String,
    /// Hosts towards which its hole is filled.
    pub hosts: Vec<String>,
}

/// Bounds of a project; each has a default.
#[expect(clippy::struct_field_names, reason = "the qualifier stands last, as everywhere")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Task executions per run.
    pub steps_max: u64,
    /// Bytes of one payload.
    pub payload_bytes_max: u64,
    /// Milliseconds for one evaluation of an expression.
    pub expression_ms_max: u64,
    /// Milliseconds for one call of a provider.
    pub call_ms_max: u64,
    /// Requests of one caller of `serve` within a second, five seconds' worth at once.
    pub caller_second_max: u64,
    /// Calls under way at once towards one host.
    pub host_calls_max: u64,
    /// Calls under way at once of one connection towards one host.
    pub credential_calls_max: u64,
    /// Items of one `for`.
    pub iterations_max: u64,
    /// Depth of nested containers at run time.
    pub nesting_max: u64,
    /// Events of one run.
    pub history_events_max: u64,
    /// Branches of one `fork`.
    pub branches_max: u64,
    /// Inbound events that one run keeps for a `listen` to come.
    pub events_buffered_max: u64,
    /// Depth of `run.workflow`: children of children.
    pub children_depth_max: u64,
    /// Bytes of what one expression gives.
    pub output_bytes_max: u64,
    /// Bytes of the log that are kept in memory; what is not is read from the system's cache.
    pub cache_bytes_max: u64,
    /// Open requests of one agent.
    pub agent_open_max: u64,
    /// Actions and runs that one agent begins within a minute.
    pub agent_minute_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps_max: 10_000,
            payload_bytes_max: 4 << 20,
            expression_ms_max: 250,
            call_ms_max: 30_000,
            caller_second_max: 200,
            host_calls_max: 64,
            credential_calls_max: 32,
            iterations_max: 10_000,
            nesting_max: 64,
            history_events_max: 100_000,
            branches_max: 64,
            events_buffered_max: 1_000,
            children_depth_max: 16,
            output_bytes_max: 1 << 20,
            cache_bytes_max: 32 << 20,
            agent_open_max: 100,
            agent_minute_max: 60,
        }
    }
}

impl ProjectConfig {
    /// Per cent of a provider's declared rates that this engine may use.
    pub fn rate_percent(&self, provider: &str) -> u32 {
        let mut said = self.egress_rates.iter().rev().filter_map(|rate| rate.split_once(':'));
        let said = said.find(|(of, _)| *of == provider);
        said.and_then(|(_, percent)| percent.parse().ok()).unwrap_or(100)
    }
}

impl Default for ProjectConfig {
    fn default() -> Self {
        Self {
            project: "default".to_owned(),
            read_hosts: vec![],
            egress_allow: vec![],
            egress_rates: vec![],
            secrets: BTreeMap::new(),
            limits: Limits::default(),
            agents: Agents::default(),
            nats: Nats::default(),
            serve: Serve::default(),
            login: Login::default(),
            audit: Audit::default(),
            data: Data::default(),
            retention: Retention::default(),
            alarms: Alarms::default(),
            health: Health::default(),
            notify: Notify::default(),
            channels: BTreeMap::new(),
            telemetry: Telemetry::default(),
        }
    }
}
