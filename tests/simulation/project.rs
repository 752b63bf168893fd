//! The project that every seed begins with: people, connections, workflows. It is made once, with
//! the real engine, and each seed gets a copy of its disks.

use crate::provider::Providers;
use placet_adapters::{Adapters, Transport};
use placet_executor::govern::Connect;
use placet_executor::{Clock, Engine, Parts, Transports};
use placet_language::{Environment, Source};
use placet_log::{KeyPlace, Log, OpenOptions, ProjectKey, Storage};
use placet_model::actor::{PrincipalKind, Role};
use placet_model::approval::Threshold;
use placet_model::draft::Mode;
use placet_model::integration::Identity;
use placet_model::plan::Plan;
use placet_model::policy::{Policy, PrincipalInfo, Require, Rule};
use placet_model::project::ProjectConfig;
use placet_model::{Digest, Principal};
use placet_projections::Projections;
use placet_test_support::disk::{Disk, Honesty};
use placet_test_support::random::Random;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

/// What the runs of a simulation do.
const WORKFLOWS: [(&str, &str); 7] = [
    ("post", "  - post: { call: slack.chat.postMessage, with: { channel: C1, text: hello } }\n"),
    ("hook", "  - hook: { call: webhook.event.send, with: { type: a.b, data: { n: 1 } } }\n"),
    (
        "again",
        "  - guard:\n      try:\n        - post: { call: slack.chat.postMessage, with: { channel: C2, text: again } }\n      catch:\n        retry: { delay: PT1M, limit: { attempt: { count: 2 } } }\n        do: [ { gave: { set: { up: true } } } ]\n  - hook: { call: webhook.event.send, with: { type: a.c, data: { n: 2 } } }\n",
    ),
    (
        "fork",
        "  - both:\n      fork:\n        branches:\n          - left: { call: slack.chat.postMessage, with: { channel: C3, text: left } }\n          - right: { do: [ { w: { wait: PT1H } }, { s: { call: webhook.event.send, with: { type: a.d, data: { n: 3 } } } } ] }\n",
    ),
    (
        "read",
        "  - who: { call: slack.auth.test }\n  - rest: { wait: PT2M }\n  - post: { call: slack.chat.postMessage, with: { channel: C4, text: '${ .team_id }' } }\n",
    ),
    (
        "hear",
        "  - hear: { listen: { to: { one: { with: { type: ping } } } } }\n  - hook: { call: webhook.event.send, with: { type: a.e, data: { n: 4 } } }\n",
    ),
    (
        "each",
        "  - loop:\n      for: { each: n, in: '[1, 2]' }\n      do: [ { post: { call: slack.chat.postMessage, with: { channel: C5, text: '${ \"number \\($n)\" }' } } } ]\n",
    ),
];

/// The files of a log.
#[derive(Debug, Clone)]
pub(crate) struct Disks {
    pub(crate) log: Disk,
    pub(crate) keys: Disk,
    pub(crate) journal: Disk,
}

impl Disks {
    pub(crate) const fn all(&self) -> [&Disk; 3] {
        [&self.log, &self.keys, &self.journal]
    }

    /// One of the two that an append goes to.
    pub(crate) fn one(&self, random: &mut Random) -> &Disk {
        if random.one_in(2) { &self.log } else { &self.journal }
    }
}

/// The project, ready to copy.
struct Base {
    log: Vec<u8>,
    keys: Vec<u8>,
    journal: Vec<u8>,
    plans: Vec<(&'static str, Digest)>,
}

static BASE: LazyLock<Base> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(furnish()).expect("the project is made while nothing is wrong")
});

static ADAPTERS: LazyLock<Arc<Adapters>> = LazyLock::new(|| Arc::new(Adapters::shipped()));

/// The disks of a new project.
pub(crate) fn disks(honesty: Honesty) -> Disks {
    let log = Disk::of(BASE.log.clone(), honesty);
    let keys = log.beside(BASE.keys.clone(), Honesty::Honest);
    let journal = log.beside(BASE.journal.clone(), honesty);
    Disks { log, keys, journal }
}

/// Its workflows.
pub(crate) fn plans() -> &'static [(&'static str, Digest)] {
    &BASE.plans
}

pub(crate) fn name(text: &str) -> Principal {
    text.parse().expect("a good name")
}

/// Who approves.
pub(crate) const APPROVERS: [&str; 3] = ["ana", "ben", "cho"];

/// `author` causes every run; three people approve; `op` operates; an auditor and an agent may not.
/// Every gated call needs this many approvals.
pub(crate) fn policy(quorum: u16) -> Policy {
    let mut policy = Policy::default();
    let mut add = |who: &str, kind, roles: &[Role]| {
        let roles = roles.iter().copied().collect();
        policy.principals.insert(name(who), PrincipalInfo { kind, roles });
    };
    let author = [Role::Author, Role::Operator, Role::Admin, Role::Approver];
    add("author", PrincipalKind::User, &author);
    for who in APPROVERS {
        add(who, PrincipalKind::User, &[Role::Approver]);
    }
    add("auditor", PrincipalKind::User, &[Role::Auditor]);
    add("agent", PrincipalKind::Agent, &[Role::Agent]);
    let threshold = Threshold::of(vec![], quorum);
    let require = Require { thresholds: vec![threshold], ..Require::default() };
    policy.rules.push(Rule { name: "all".to_owned(), require, ..Rule::default() });
    policy
}

/// Opens the log on these disks.
pub(crate) fn open_log(disks: &Disks) -> Result<Log, placet_log::Error> {
    let storage = Storage::Backends {
        log: disks.log.backend(),
        keys: disks.keys.backend(),
        journal: disks.journal.backend(),
    };
    let options = OpenOptions::with_storage(storage, "simulation")
        .keys(KeyPlace::Given(ProjectKey::from_bytes([7; 32])))
        .cache_bytes(1 << 20)
        // some tens of appends
        .journal_bytes(40 * 4096)
        .projector(Projections::new());
    Log::open(options)
}

/// Starts an engine on these disks.
pub(crate) async fn open(
    disks: &Disks,
    clock: &Clock,
    (providers, seed): (&Providers, u64),
) -> Result<Engine, placet_executor::Error> {
    let mut config = ProjectConfig { project: "simulation".into(), ..ProjectConfig::default() };
    // a busy machine is no fault of the engine
    config.limits.expression_ms_max = 20_000;
    let live: Arc<dyn Transport> = Arc::new(providers.clone());
    let sandbox = Some(Arc::new(placet_sandbox::Sandbox::new(0)) as Arc<dyn Transport>);
    let parts = Parts {
        log: open_log(disks)?,
        config,
        adapters: Arc::clone(&ADAPTERS),
        transports: Transports { sandbox, live: Some(live) },
        clock: clock.clone(),
        mode: Mode::Live,
    };
    Engine::start_stepwise(parts, seed).await
}

async fn furnish() -> Result<Base, placet_executor::Error> {
    let fresh = || Disk::new(Honesty::Honest);
    let disks = Disks { log: fresh(), keys: fresh(), journal: fresh() };
    let engine = open(&disks, &Clock::virtual_start(), (&Providers::default(), 0)).await?;
    let handle = engine.handle().clone();
    let author = name("author");
    handle.apply_policy(&author, policy(1)).await?;
    for provider in ["slack", "webhook"] {
        let id = handle.integration_id(provider);
        handle.connect(&author, id, connection(provider)).await?;
    }
    let mut plans = vec![];
    for (workflow, tasks) in WORKFLOWS {
        let text = format!(
            "document: {{ dsl: '1.0.3', namespace: simulation, name: {workflow}, version: '1.0.0' }}\ndo:\n{tasks}"
        );
        let plan = checked(&handle, &text);
        plans.push((workflow, handle.deploy(&author, plan, &text).await?));
    }
    engine.stop().await?;
    drop(handle);
    let Disks { log, keys, journal } = &disks;
    let [log, keys, journal] = [log, keys, journal].map(|disk| {
        disk.keep_all();
        disk.image()
    });
    Ok(Base { log, keys, journal, plans })
}

pub(crate) fn connection(provider: &str) -> Connect {
    Connect {
        name: provider.to_owned(),
        provider: provider.to_owned(),
        settings: match provider {
            "webhook" => json!({"url": "https://example.com/hooks/1"}),
            _ => Value::Null,
        },
        identity: Identity { id: "B1".into(), tenant: "T1".into() },
        label: "Simulated".into(),
        is_default: true,
        credential: None,
        scopes: None,
    }
}

fn checked(handle: &placet_executor::Handle, text: &str) -> Plan {
    let catalogue = handle.adapters().catalogue();
    let environment = Environment {
        catalogue: &catalogue,
        integrations: None,
        scopes: None,
        silent: None,
        policy: None,
        schemas: handle.adapters().registry(),
    };
    let checked = placet_language::check(&Source::new("simulation.yaml", text), &environment);
    checked.plan.unwrap_or_else(|| panic!("{:#?}", checked.diagnostics))
}
