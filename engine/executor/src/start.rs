//! Beginning a run.

use crate::handle::{Error, Handle};
use crate::telemetry::TraceParent;
use crate::turn::{Job, StartRun};
use placet_model::draft::Mode;
use placet_model::event::decision::ActionRequested;
use placet_model::{Digest, Principal, RunId};
use serde_json::Value;
use std::sync::Arc;

/// A run that is to begin.
#[derive(Debug, Clone)]
pub struct Start {
    /// The plan, deployed before.
    pub plan: Digest,
    /// The workflow's raw input.
    pub input: Value,
    /// Who causes it.
    pub requester: Principal,
    /// Sandbox or live.
    pub mode: Mode,
    /// Feeds everything in the run that looks random.
    pub seed: u64,
}

impl Handle {
    /// Begins a run. Answers when its first events are on disk.
    ///
    /// # Errors
    /// An unknown plan, or an input that the workflow's schema refuses; nothing is recorded then.
    pub async fn start(&self, start: Start) -> Result<RunId, Error> {
        self.start_for(start, None).await
    }

    /// The same, because of somebody's span: the run's trace will name it.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_for(
        &self,
        start: Start,
        caller: Option<TraceParent>,
    ) -> Result<RunId, Error> {
        // held until the run is on disk: what it opens counts for the next one
        let _turn = self.agent_turn(&start.requester).await?;
        self.begin(start, None, caller).await
    }

    pub(crate) async fn begin(
        &self,
        start: Start,
        action: Option<ActionRequested>,
        caller: Option<TraceParent>,
    ) -> Result<RunId, Error> {
        self.plan(start.plan)?;
        let run = self.env.mint.run(self.now());
        if let Some(caller) = caller {
            self.telemetry.called(run, caller);
        }
        let key = self.env.log.new_data_key()?;
        let Start { plan, input, requester, mode, seed } = start;
        let start =
            StartRun { plan, input: Arc::new(input), requester, mode, seed, key, action: None };
        let start = start.asked_as(action);
        self.wish(run, Job::Start(Box::new(start))).await?;
        Ok(run)
    }
}
