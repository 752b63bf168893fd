//! An engine in this process whose calls are answered at once.

use super::Failure;
use placet_adapters::{Adapters, Call, Performing, Response, Transport};
use placet_executor::govern::Connect;
use placet_executor::{Clock, Engine, Handle, Notice, Parts, Start, Transports};
use placet_language::{Environment, Source};
use placet_log::{KeyPlace, Log, OpenOptions, ProjectKey, Storage};
use placet_model::actor::{PrincipalKind, Role};
use placet_model::draft::Mode;
use placet_model::integration::Identity;
use placet_model::policy::{Policy, PrincipalInfo};
use placet_model::project::ProjectConfig;
use placet_model::{Digest, Principal, RunId};
use placet_projections::Projections;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Answers every call at once with the same small body.
#[derive(Debug)]
struct AtOnce(Response);

impl Transport for AtOnce {
    fn perform(&self, _call: Call) -> Performing<'_> {
        let answer = self.0.clone();
        Box::pin(async move { Ok(answer) })
    }
}

/// An engine with its people, an integration, and who waits for which run.
#[derive(Debug)]
pub(crate) struct Bench {
    engine: Engine,
    pub(crate) handle: Handle,
    ends: Ends,
    listener: JoinHandle<()>,
}

/// Who waits for the end of which run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ends(Arc<Mutex<HashMap<RunId, oneshot::Sender<()>>>>);

impl Ends {
    /// Waits until the run is over.
    pub(crate) async fn of(&self, handle: &Handle, run: RunId) -> Result<(), Failure> {
        let (end, ended) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(run, end);
        if handle.run_row(run)?.is_none_or(|row| row.output.is_none()) {
            ended.await?;
        }
        Ok(())
    }
}

impl Bench {
    pub(crate) async fn open(data: &Path) -> Result<Self, Failure> {
        Self::on(Storage::Directory(data.to_owned())).await
    }

    pub(crate) async fn on(storage: Storage) -> Result<Self, Failure> {
        let log = Log::open(
            OpenOptions::with_storage(storage, "bench")
                .keys(KeyPlace::Given(ProjectKey::from_bytes([7; 32])))
                .projector(Projections::new()),
        )?;
        let parts = Parts {
            log,
            config: ProjectConfig {
                project: "bench".to_owned(),
                // the stand-in has no rates
                egress_rates: vec!["slack:0".to_owned()],
                ..ProjectConfig::default()
            },
            adapters: Arc::new(Adapters::shipped()),
            transports: Transports { sandbox: None, live: Some(Arc::new(answers()?)) },
            clock: Clock::System,
            mode: Mode::Live,
        };
        let engine = Engine::start(parts).await?;
        let (handle, ends) = (engine.handle().clone(), Ends::default());
        let listener = tokio::spawn(listen(handle.notices(), ends.clone()));
        Ok(Self { engine, handle, ends, listener })
    }

    pub(crate) fn ends(&self) -> Ends {
        self.ends.clone()
    }

    /// People, an integration, and a workflow.
    pub(crate) async fn deploy(&self, workflow: &str) -> Result<Digest, Failure> {
        let author = principal("author");
        let mut policy = Policy::default();
        for (name, roles) in [
            ("author", vec![Role::Author, Role::Operator, Role::Admin]),
            ("approver", vec![Role::Approver]),
        ] {
            let roles = roles.into_iter().collect();
            let info = PrincipalInfo { kind: PrincipalKind::User, roles };
            policy.principals.insert(principal(name), info);
        }
        self.handle.apply_policy(&author, policy).await?;
        let connect = Connect {
            name: "slack".to_owned(),
            provider: "slack".to_owned(),
            settings: Value::Null,
            identity: Identity { id: "B1".to_owned(), tenant: "T1".to_owned() },
            label: "bench".to_owned(),
            is_default: true,
            credential: None,
            scopes: None,
        };
        self.handle.connect(&author, self.handle.integration_id("slack"), connect).await?;
        let catalogue = self.handle.adapters().catalogue();
        let environment = Environment {
            catalogue: &catalogue,
            integrations: None,
            scopes: None,
            silent: None,
            policy: None,
            schemas: self.handle.adapters().registry(),
        };
        let checked = placet_language::check(&Source::new("bench.yaml", workflow), &environment);
        let plan = checked.plan.ok_or("the benchmark's workflow does not check")?;
        Ok(self.handle.deploy(&author, plan, workflow).await?)
    }

    pub(crate) async fn stop(self) -> Result<(), Failure> {
        self.listener.abort();
        Ok(self.engine.stop().await?)
    }
}

/// Starts a run.
pub(crate) async fn start(handle: &Handle, plan: Digest) -> Result<RunId, Failure> {
    let requester = principal("author");
    let start = Start { plan, input: json!({}), requester, mode: Mode::Live, seed: 0 };
    Ok(handle.start(start).await?)
}

async fn listen(mut notices: tokio::sync::broadcast::Receiver<Notice>, ends: Ends) {
    while let Ok(notice) = notices.recv().await {
        if let Notice::Finished { run } = notice
            && let Some(end) = ends.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&run)
        {
            let _nobody_waits = end.send(());
        }
    }
}

/// As Slack declares both: an answer that is not is looked into and recorded, which is not what is
/// measured.
fn answers() -> Result<AtOnce, Failure> {
    let body = json!({"ok": true, "url": "https://x.slack.com/", "team": "T", "user": "u", "team_id": "T1", "user_id": "U1", "bot_id": "B1", "channel": "C1", "ts": "1700000000.000100"});
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Ok(AtOnce(Response::new(200, headers, serde_json::to_vec(&body)?)))
}

pub(crate) fn principal(name: &str) -> Principal {
    name.parse().expect("a literal name is well formed")
}
