//! The project that one test runs in: the real policy and adapters, the sandbox, a virtual clock. It is
//! in memory and nothing of it is left behind, unless a scenario is played on data that were named.

use super::answers::Answers;
use super::find::Workflow;
use crate::compose;
use crate::exit::refused;
use crate::people::{self, AUTHOR};
use crate::project::Project;
use anyhow::{Context, Result};
use placet_adapters::{Adapters, Transport};
use placet_executor::govern::Connect;
use placet_executor::{Clock, Engine, Handle, Parts, Start, Transports};
use placet_language::test_file::{Spanned, TestCase};
use placet_log::{Log, OpenOptions};
use placet_model::draft::Mode;
use placet_model::policy::Policy;
use placet_model::{Digest, Principal, RunId};
use placet_projections::{Projections, Views};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A log of one run needs no more.
const CACHE_BYTES: usize = 4 << 20;

/// What every test of a suite shares.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    pub(crate) project: Project,
    pub(crate) adapters: Arc<Adapters>,
    pub(crate) policy: Policy,
}

/// The engine of one test.
#[derive(Debug)]
pub(crate) struct Bench {
    engine: Engine,
    pub(crate) clock: Clock,
    pub(crate) answers: Arc<Answers>,
    /// The plan that is tested, once it is deployed.
    plan: Option<Digest>,
}

impl Bench {
    /// Starts an engine, applies the policy, connects integrations, deploys.
    pub(crate) async fn set_up(
        ground: &Ground,
        workflow: &Workflow,
        integrations: &BTreeMap<String, Spanned<String>>,
        (test, seed): (&TestCase, u64),
    ) -> Result<Self> {
        let options = OpenOptions::in_memory(&ground.project.config.project)
            .cache_bytes(CACHE_BYTES)
            .projector(Projections::new());
        let clock = test.start_at.map_or_else(Clock::virtual_start, Clock::virtual_at);
        let bench = Self::open(ground, (Log::open(options)?, clock), (test, seed)).await?;
        bench.furnished(ground, workflow, integrations).await
    }

    /// Starts an engine on a log, and changes nothing in it.
    pub(crate) async fn open(
        ground: &Ground,
        (log, clock): (Log, Clock),
        (test, seed): (&TestCase, u64),
    ) -> Result<Self> {
        if !test.events.is_empty() {
            // the engine does not jump past what is to come, from its first moment on
            clock.hold_at(Some(clock.now()));
        }
        let answers = Arc::new(Answers::new(seed, test, &clock));
        let sandbox: Arc<dyn Transport> = Arc::<Answers>::clone(&answers);
        let parts = Parts {
            config: compose::config_of(&ground.project, &log),
            log,
            adapters: Arc::clone(&ground.adapters),
            transports: Transports { sandbox: Some(sandbox), live: None },
            clock: clock.clone(),
            mode: Mode::Sandbox,
        };
        let engine = Engine::start(parts).await.map_err(|error| refused(&error))?;
        Ok(Self { engine, clock, answers, plan: None })
    }

    /// With the policy, unless there is one, the integrations and the workflows.
    pub(crate) async fn furnished(
        mut self,
        ground: &Ground,
        workflow: &Workflow,
        integrations: &BTreeMap<String, Spanned<String>>,
    ) -> Result<Self> {
        match furnish(self.engine.handle(), ground, workflow, integrations).await {
            Ok(plan) => {
                self.plan = Some(plan);
                Ok(self)
            }
            Err(error) => {
                drop(self.engine.stop().await);
                Err(error)
            }
        }
    }

    pub(crate) const fn handle(&self) -> &Handle {
        self.engine.handle()
    }

    /// Begins the run.
    pub(crate) async fn start(
        &self,
        test: &TestCase,
        seed: u64,
    ) -> Result<RunId, placet_executor::Error> {
        let start = Start {
            plan: self.plan.expect("a bench is furnished before a run begins"),
            input: test.input.clone(),
            requester: requester(test),
            mode: Mode::Sandbox,
            seed,
        };
        self.handle().start(start).await
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.engine.stop().await.map_err(|error| refused(&error))
    }
}

/// Whoever starts the run.
pub(crate) fn requester(test: &TestCase) -> Principal {
    test.started_by
        .as_ref()
        .map_or_else(|| people::principal(AUTHOR), |principal| principal.value.clone())
}

async fn furnish(
    handle: &Handle,
    ground: &Ground,
    workflow: &Workflow,
    integrations: &BTreeMap<String, Spanned<String>>,
) -> Result<Digest> {
    let author = people::principal(AUTHOR);
    let is_fresh = {
        let view = handle.view().map_err(|error| refused(&error))?;
        Views::new(&view)?.policy()?.is_none()
    };
    if is_fresh {
        let applied = handle.apply_policy(&author, ground.policy.clone()).await;
        applied.map_err(|error| refused(&error))?;
    }
    compose::connect_sandbox(handle).await?;
    for (name, provider) in integrations {
        connect(handle, name, &provider.value).await?;
    }
    for (plan, text) in &workflow.others {
        let _digest =
            handle.deploy(&author, plan.clone(), text).await.map_err(|error| refused(&error))?;
    }
    let (plan, text) = &workflow.tested;
    handle.deploy(&author, plan.clone(), text).await.map_err(|error| refused(&error))
}

/// One more integration of a provider, set up as its default one is.
async fn connect(handle: &Handle, name: &str, provider: &str) -> Result<()> {
    let world = handle.world();
    let default = world.integration(provider, None);
    let default = default.with_context(|| format!("{provider} takes no integration"))?;
    let connect = Connect {
        name: name.to_owned(),
        provider: provider.to_owned(),
        settings: default.settings.clone(),
        identity: default.identity.clone(),
        label: default.label.clone(),
        is_default: false,
        credential: None,
        scopes: None,
    };
    let id = handle.integration_id(name);
    handle
        .connect(&people::principal(AUTHOR), id, connect)
        .await
        .map(|_events| ())
        .map_err(|error| refused(&error))
}
