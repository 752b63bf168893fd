//! A project in memory with an engine, and transports that a test controls.

use placet_adapters::{Adapters, Answer, Call, Failed, Performing, Redirects, Response, Transport};
use placet_executor::govern::Connect;
use placet_executor::{Clock, Engine, Handle, Notice, Parts, Start, Transports};
use placet_language::{Environment, Source};
use placet_log::{Log, OpenOptions, Storage};
use placet_model::actor::{PrincipalKind, Role};
use placet_model::decision::{Assurance, Ballot, DecisionState, Verdict, Voter};
use placet_model::draft::Mode;
use placet_model::integration::Identity;
use placet_model::plan::Plan;
use placet_model::policy::{Policy, PrincipalInfo};
use placet_model::project::ProjectConfig;
use placet_model::request::PreparedRequest;
use placet_model::{Digest, Principal, RunId};
use placet_projections::{DecisionRow, Projections, Views};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use tokio::sync::broadcast;

pub(crate) fn name(text: &str) -> Principal {
    text.parse().unwrap()
}

/// `author`, two approvers, an auditor, an agent.
pub(crate) fn people() -> Policy {
    let mut policy = Policy::default();
    let mut add = |who: &str, kind, roles: &[Role]| {
        policy
            .principals
            .insert(name(who), PrincipalInfo { kind, roles: roles.iter().copied().collect() });
    };
    add("author", PrincipalKind::User, &[Role::Author, Role::Operator, Role::Admin]);
    add("approver", PrincipalKind::User, &[Role::Approver]);
    add("second", PrincipalKind::User, &[Role::Approver]);
    add("auditor", PrincipalKind::User, &[Role::Auditor]);
    add("agent", PrincipalKind::Agent, &[Role::Agent]);
    policy
}

/// A live transport that records every request as it would leave, and answers what it is told.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) seen: Mutex<Vec<PreparedRequest>>,
    pub(crate) answers: Mutex<VecDeque<Answer>>,
    pub(crate) redirects: Mutex<Vec<Redirects>>,
}

impl Recorder {
    pub(crate) fn answer(&self, status: u16, body: &Value) {
        let body = serde_json::to_vec(body).unwrap();
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        self.answers.lock().unwrap().push_back(Ok(Response::new(status, headers, body)));
    }

    pub(crate) fn fail(&self, failed: Failed) {
        self.answers.lock().unwrap().push_back(Err(failed));
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Requests that are no look-ups of what may have arrived.
    pub(crate) fn sends(&self) -> Vec<PreparedRequest> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|request| !is_look_up(request)).cloned().collect()
    }
}

/// Whether it asks after what may have arrived, in the manifests that the tests use.
pub(crate) fn is_look_up(request: &PreparedRequest) -> bool {
    request.url.to_string().contains("conversations.history")
}

impl Transport for Recorder {
    fn perform(&self, call: Call) -> Performing<'_> {
        self.seen.lock().unwrap().push((*call.request).clone());
        self.redirects.lock().unwrap().push(call.redirects);
        let next = self.answers.lock().unwrap().pop_front();
        let answer = next.unwrap_or_else(|| {
            let body = json!({"ok": true, "channel": call.input["channel"], "ts": "1700000000.000100", "message": {}});
            Ok(Response::new(200, vec![("content-type".into(), "application/json".into())], serde_json::to_vec(&body).unwrap()))
        });
        Box::pin(async move { answer })
    }
}

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) engine: Engine,
    pub(crate) handle: Handle,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) notices: broadcast::Receiver<Notice>,
}

pub(crate) fn open_log(storage: Option<Storage>) -> Log {
    let options = match storage {
        None => OpenOptions::in_memory("test"),
        Some(storage) => OpenOptions::with_storage(storage, "test")
            .keys(placet_log::KeyPlace::Given(placet_log::ProjectKey::from_bytes([7; 32]))),
    };
    Log::open(options.projector(Projections::new())).unwrap()
}

static ADAPTERS: LazyLock<Arc<Adapters>> = LazyLock::new(|| Arc::new(Adapters::shipped()));

pub(crate) async fn start_on(log: Log, clock: Clock) -> World {
    try_start(log, clock, Arc::new(Recorder::default())).await.unwrap()
}

/// Starts an engine on a log that may fail, with a transport that may have a past.
pub(crate) async fn try_start(
    log: Log,
    clock: Clock,
    recorder: Arc<Recorder>,
) -> Result<World, placet_executor::Error> {
    let config = ProjectConfig { project: "test".into(), ..ProjectConfig::default() };
    start_with(config, (log, clock), Arc::clone(&recorder) as Arc<dyn Transport>, recorder).await
}

/// Starts an engine under this configuration, with this live transport.
pub(crate) async fn start_with(
    config: ProjectConfig,
    place: (Log, Clock),
    live: Arc<dyn Transport>,
    recorder: Arc<Recorder>,
) -> Result<World, placet_executor::Error> {
    start_parts((config, Arc::clone(&ADAPTERS)), place, live, recorder).await
}

/// As [`start_with`], with these manifests.
pub(crate) async fn start_parts(
    (config, adapters): (ProjectConfig, Arc<Adapters>),
    (log, clock): (Log, Clock),
    live: Arc<dyn Transport>,
    recorder: Arc<Recorder>,
) -> Result<World, placet_executor::Error> {
    let transports =
        Transports { sandbox: Some(Arc::new(placet_sandbox::Sandbox::new(0))), live: Some(live) };
    let parts =
        Parts { log, config, adapters, transports, clock: clock.clone(), mode: Mode::Sandbox };
    let engine = Engine::start(parts).await?;
    let handle = engine.handle().clone();
    let notices = handle.notices();
    Ok(World { clock, engine, handle, recorder, notices })
}

pub(crate) async fn start() -> World {
    let world = start_on(open_log(None), Clock::virtual_start()).await;
    world.furnish().await;
    world
}

impl World {
    /// People and a default connection.
    pub(crate) async fn furnish(&self) {
        self.handle.apply_policy(&name("author"), people()).await.unwrap();
        self.connect("slack").await;
    }

    pub(crate) async fn connect(&self, provider: &str) {
        let connect = Connect {
            name: provider.to_owned(),
            provider: provider.to_owned(),
            settings: match provider {
                "webhook" => json!({"url": "https://example.com/hooks/1"}),
                "twilio" => json!({"account_sid": "AC0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"}),
                _ => Value::Null,
            },
            identity: Identity { id: "B1".into(), tenant: "T1".into() },
            label: "Test".into(),
            is_default: true,
            credential: None,
            scopes: None,
        };
        let id = self.handle.integration_id(provider);
        self.handle.connect(&name("author"), id, connect).await.unwrap();
    }

    pub(crate) fn plan(&self, text: &str) -> Plan {
        let catalogue = self.handle.adapters().catalogue();
        let environment = Environment {
            catalogue: &catalogue,
            integrations: None,
            scopes: None,
            silent: None,
            policy: None,
            schemas: self.handle.adapters().registry(),
        };
        let checked = placet_language::check(&Source::new("test.yaml", text), &environment);
        checked.plan.unwrap_or_else(|| panic!("{:#?}", checked.diagnostics))
    }

    pub(crate) async fn deploy(&self, text: &str) -> Digest {
        let plan = self.plan(text);
        self.handle.deploy(&name("author"), plan, text).await.unwrap()
    }

    pub(crate) async fn run(&self, text: &str, input: Value, mode: Mode) -> RunId {
        let plan = self.deploy(text).await;
        let start = Start { plan, input, requester: name("author"), mode, seed: 0 };
        self.handle.start(start).await.unwrap()
    }

    /// Waits until the run is over and gives its report.
    pub(crate) async fn finished(&mut self, run: RunId) -> Value {
        self.until(run, |notice| matches!(notice, Notice::Finished { run: r } if *r == run)).await
    }

    /// Waits until the run waits for something from outside, or is over.
    pub(crate) async fn settled(&mut self, run: RunId) -> Value {
        self.until(run, |notice| {
            matches!(notice, Notice::Parked { run: r } | Notice::Finished { run: r } if *r == run)
        })
        .await
    }

    /// Waits until a task of the run stands like this in the trace.
    pub(crate) async fn entry(&mut self, run: RunId, task: &str, status: &str) -> Value {
        loop {
            let report = self.handle.report(run).unwrap();
            let trace = report["trace"].as_array().unwrap();
            if trace.iter().any(|entry| entry["name"] == task && entry["status"] == status) {
                return report;
            }
            self.settled(run).await;
        }
    }

    /// How long the run took, in milliseconds of its log.
    pub(crate) fn took(&self, run: RunId) -> i64 {
        let row = self.handle.run_row(run).unwrap().unwrap();
        row.updated_at.millis_since(row.started_at)
    }

    async fn until(&mut self, run: RunId, wanted: impl Fn(&Notice) -> bool) -> Value {
        loop {
            let notice = tokio::time::timeout(placet_test_support::DEADLINE, self.notices.recv());
            let notice = notice
                .await
                .unwrap_or_else(|_| panic!("stuck: {:#}", self.handle.report(run).unwrap()))
                .unwrap();
            if wanted(&notice) {
                return self.handle.report(run).unwrap();
            }
        }
    }

    /// Moves the virtual clock and wakes the engine.
    pub(crate) fn advance_to(&self, moment: placet_model::Timestamp) {
        self.clock.advance_to(moment);
        self.handle.wake();
    }

    /// Moves the clock to what is due next, also while a person is waited for.
    pub(crate) fn advance_to_due(&self) {
        let due = {
            let view = self.handle.view().unwrap();
            Views::new(&view).unwrap().next_due().unwrap()
        };
        self.advance_to(due.expect("something is due"));
    }

    /// Moves the clock to whatever is due next, as often as the run waits, until it is over. A run
    /// may park more often than it waits: when it looked and found nothing to do.
    pub(crate) async fn run_out(&mut self, run: RunId) -> Value {
        loop {
            let report = self.settled(run).await;
            if is_over(&report) {
                return report;
            }
            let due = {
                let view = self.handle.view().unwrap();
                Views::new(&view).unwrap().next_due().unwrap()
            };
            if let Some(due) = due {
                self.advance_to(due);
            }
        }
    }

    pub(crate) fn open_items(&self) -> Vec<DecisionRow> {
        let view = self.handle.view().unwrap();
        Views::new(&view).unwrap().open(None, 100).unwrap()
    }

    /// The decision with this id, while it waits for votes.
    pub(crate) fn open_item(&self, id: &str) -> Option<DecisionRow> {
        let view = self.handle.view().unwrap();
        let row = Views::new(&view).unwrap().decision(id.parse().unwrap()).unwrap().unwrap();
        (row.state == DecisionState::Requested).then_some(row)
    }

    /// Waits until an open item is as wanted; of several the oldest.
    pub(crate) async fn item(&mut self, wanted: impl Fn(&DecisionRow) -> bool) -> DecisionRow {
        loop {
            if let Some(row) = self.open_items().into_iter().find(&wanted) {
                return row;
            }
            let notice = tokio::time::timeout(placet_test_support::DEADLINE, self.notices.recv());
            notice.await.unwrap_or_else(|_| panic!("stuck: {:#?}", self.open_items())).unwrap();
        }
    }

    pub(crate) fn ballot(&self, row: &DecisionRow, verdict: Verdict) -> Ballot {
        Ballot {
            decision: row.decision,
            digest: row.digest,
            verdict,
            nonce: self.handle.nonce(),
            time: self.handle.now(),
            reason: (verdict != Verdict::Approve).then(|| "because".to_owned()),
        }
    }

    pub(crate) async fn vote(
        &self,
        row: &DecisionRow,
        who: &str,
        verdict: Verdict,
    ) -> Result<placet_executor::Receipt, placet_executor::Error> {
        let vote = placet_executor::Vote {
            ballot: self.ballot(row, verdict),
            voter: Voter { principal: name(who), assurance: Assurance::Test },
            request_id: None,
            signed: None,
        };
        self.handle.vote(vote).await
    }

    pub(crate) fn events(&self, run: RunId) -> Vec<&'static str> {
        let view = self.handle.view().unwrap();
        let stream = placet_model::StreamId::Run(run);
        view.stream(&stream, placet_model::Revision::START)
            .map(|e| e.unwrap().event.type_name())
            .collect()
    }
}

/// Nothing more comes of it: between two steps it neither waits nor is it over.
pub(crate) fn is_over(report: &Value) -> bool {
    report["status"] != "waiting" && report["status"] != "running"
}

pub(crate) fn fixture(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/workflows");
    std::fs::read_to_string(root.join(path)).unwrap()
}
