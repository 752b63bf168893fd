//! What every turn needs: the log, the adapters, the evaluator, the clock. Shared, immutable.

use crate::budgets::Budgets;
use crate::clock::Clock;
use crate::measures::Measures;
use crate::mint::Mint;
use crate::triggers::Triggers;
use crate::uses::Uses;
use placet_adapters::limits::{Caller, Charge};
use placet_adapters::{
    Adapters, LoadContext, Manifest, Operation, Origin, Transport, http_call, target_under,
};
use placet_language::Evaluator;
use placet_log::{Log, ReadView};
use placet_model::draft::Mode;
use placet_model::integration::Integration;
use placet_model::manifest::Effect;
use placet_model::plan::Plan;
use placet_model::project::ProjectConfig;
use placet_model::request::PreparedRequest;
use placet_model::{Digest, Timestamp};
use placet_projections::Views;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

/// Everything that a turn may use.
#[derive(Debug)]
pub(crate) struct Env {
    pub(crate) log: Log,
    pub(crate) install_id: String,
    pub(crate) config: ProjectConfig,
    pub(crate) adapters: Arc<Adapters>,
    pub(crate) evaluator: Evaluator,
    pub(crate) clock: Clock,
    /// Mode of the runs that a schedule starts.
    pub(crate) mode: Mode,
    /// No moment before this one is now: log time, and what was handed out before.
    pub(crate) latest: AtomicI64,
    pub(crate) mint: Mint,
    pub(crate) plans: RwLock<BTreeMap<Digest, Arc<Plan>>>,
    /// Uses of standing approvals that are under way.
    pub(crate) uses: Uses,
    /// What providers allow within a time.
    pub(crate) budgets: Budgets,
    /// The live way out, to be asked whether a call may be recorded.
    pub(crate) live: Option<Arc<dyn Transport>>,
    /// What is counted.
    pub(crate) measures: Measures,
    /// What may start runs.
    pub(crate) triggers: Triggers,
}

/// A plan or an operation that a run pins and that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such plan was deployed.
    #[error("the plan {digest} is not deployed in this project")]
    UnknownPlan {
        /// Which plan.
        digest: Digest,
    },
    /// The log cannot be read.
    #[error("the project's log cannot be read")]
    Log(#[from] placet_log::Error),
    /// The projections cannot be read.
    #[error("the project's projections cannot be read")]
    Projections(#[from] placet_projections::Error),
    /// The stored document is of another form.
    #[error("the stored plan {digest} cannot be read")]
    Plan {
        /// Which plan.
        digest: Digest,
        /// Why.
        source: serde_json::Error,
    },
}

impl Error {
    /// The code of the reference page.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::UnknownPlan { .. } => "PL4002",
            Self::Log(error) => error.code(),
            Self::Projections(error) => error.code(),
            Self::Plan { .. } => "PL1003",
        }
    }
}

impl Env {
    /// Now: what the clock says, or log time where that is later. A clock that is set back neither
    /// opens what has expired nor hides what was due.
    pub(crate) fn now(&self) -> Timestamp {
        let read = self.clock.now().as_millis();
        #[cfg(placet_mutants)]
        if placet_mutants::is_planted(placet_mutants::Mutant::LogTimeGoesBack) {
            return Timestamp::from_millis(read);
        }
        Timestamp::from_millis(self.latest.fetch_max(read, Ordering::SeqCst).max(read))
    }

    /// Something was recorded at this moment.
    pub(crate) fn not_before(&self, recorded_at: Timestamp) {
        self.latest.fetch_max(recorded_at.as_millis(), Ordering::SeqCst);
    }

    /// A snapshot of the log.
    pub(crate) fn view(&self) -> Result<ReadView, placet_log::Error> {
        self.log.read()
    }

    /// The plan with this digest.
    pub(crate) fn plan(&self, digest: Digest) -> Result<Arc<Plan>, Error> {
        let known = self.plans.read().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        if let Some(plan) = known {
            return Ok(plan);
        }
        let view = self.view()?;
        let place = Views::new(&view)?.plan(digest)?.ok_or(Error::UnknownPlan { digest })?;
        let payload = view.payload(&place.stream, place.payload)?;
        if Digest::of(payload.as_bytes()) != digest {
            let source = serde::de::Error::custom("another plan stands in its place");
            return Err(Error::Plan { digest, source });
        }
        let plan: Plan = serde_json::from_slice(payload.as_bytes())
            .map_err(|source| Error::Plan { digest, source })?;
        let plan = Arc::new(plan);
        self.keep_plan(digest, Arc::clone(&plan));
        Ok(plan)
    }

    /// Keeps a plan at hand.
    pub(crate) fn keep_plan(&self, digest: Digest, plan: Arc<Plan>) {
        self.plans.write().unwrap_or_else(PoisonError::into_inner).insert(digest, plan);
    }

    /// Whether an ungated read may go to this URL: a shipped manifest was read by us, whatever else
    /// comes from the project needs the operator's word for the host (GATE.md §1).
    pub(crate) fn may_read(&self, operation: &Operation, request: &PreparedRequest) -> bool {
        static SHIPPED: LazyLock<BTreeSet<String>> =
            LazyLock::new(|| Adapters::shipped().manifests().keys().cloned().collect());
        if SHIPPED.contains(operation.provider()) {
            return true;
        }
        let read = json!({"method": "GET", "endpoint": request.url.to_string()});
        let gate = http_call::gate(&read, &self.config.read_hosts);
        gate.is_ok_and(|gate| gate.effect == Effect::Read)
    }

    /// The budgets that a call counts in, by the operation as it is declared today: limits are no
    /// part of what an approval binds. `with` is looked at only where a budget is a destination's.
    pub(crate) fn charges(
        &self,
        operation: &Operation,
        integration: &Integration,
        with: Option<&Value>,
    ) -> Vec<Charge> {
        let today = self.adapters.operation(operation.name());
        let operation = today.map_or(operation, |today| &**today);
        let target = with.filter(|_| operation.limits_by_target());
        let target = target.and_then(|with| target_under(operation, with, &integration.settings));
        let caller = Caller { integration, target: target.as_ref() };
        let mut charges = operation.charges(caller);
        let percent = self.config.rate_percent(operation.provider());
        for charge in charges.iter_mut().filter(|charge| charge.rate > 0) {
            let rate = u64::from(charge.rate) * u64::from(percent);
            // rounded up to one call: less would be none at all
            let rate = if percent == 0 { 0 } else { (rate / 100).max(u64::from(charge.weight)) };
            charge.rate = u32::try_from(rate).unwrap_or(u32::MAX);
        }
        charges
    }

    /// The operation with this digest: the one of today, if it is still the same, else the one of
    /// the manifest that was stored when the project first saw it. An upgrade voids nothing.
    pub(crate) fn operation(&self, name: &str, digest: Digest) -> Option<Arc<Operation>> {
        let today = self.adapters.operation(name).filter(|today| today.digest() == digest);
        today.cloned().or_else(|| self.stored_operation(name, digest))
    }

    fn stored_operation(&self, name: &str, digest: Digest) -> Option<Arc<Operation>> {
        let view = self.view().ok()?;
        let place = Views::new(&view).ok()?.operation(digest).ok()??;
        let payload = view.payload(&place.stream, place.payload).ok()?;
        let text = std::str::from_utf8(payload.as_bytes()).ok()?;
        let context = LoadContext {
            registry: self.adapters.registry(),
            schema_files: &|path| placet_adapters::shipped_schema(path),
            origin: Origin::Shipped,
        };
        let manifest = Manifest::load(&format!("{} (stored)", place.stream), text, context).ok()?;
        manifest.operations().get(name).filter(|stored| stored.digest() == digest).cloned()
    }
}
