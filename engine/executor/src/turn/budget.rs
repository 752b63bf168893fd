//! A call's share of what its provider allows: taken before the call is claimed, free again a window
//! after it has ended. Where there is none, the call waits as for any other hold.

use super::{CallPlan, Error, Turn};
use crate::budgets;
use crate::env::Env;
use placet_adapters::limits::Charge;
use placet_adapters::wait::WaitSource;
use placet_adapters::{Classified, Operation};
use placet_core::claim::Hold;
use placet_core::run::Activity;
use placet_model::draft::Mode;
use placet_model::integration::Integration;
use placet_model::manifest::Outcome;
use placet_model::{Iteration, PayloadRef, TaskPath, Timestamp};
use serde_json::Value;
use std::sync::Arc;

/// What a call takes of its provider's budgets, and in whose name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Share {
    charges: Arc<[Charge]>,
    by: String,
}

impl Share {
    /// That of a further page of the same read, which is a call of its own.
    pub(crate) fn of_page(&self, number: u32) -> Self {
        Self { charges: Arc::clone(&self.charges), by: format!("{} page {number}", self.by) }
    }

    pub(crate) fn take(&self, env: &Env) -> Result<(), i64> {
        env.budgets.take(&self.charges, &self.by)
    }

    pub(crate) fn give_back(&self, env: &Env) {
        env.budgets.give_back(&self.charges, &self.by);
    }

    pub(crate) fn ended(&self, env: &Env) {
        env.budgets.ended(&self.charges, &self.by);
    }
}

impl Turn<'_> {
    /// What the next call of this task counts in; nothing where it does not leave or acts as nobody.
    pub(super) fn share(
        &self,
        (operation, integration): (&Operation, Option<&Integration>),
        (task, iteration): (&TaskPath, &Iteration),
        with: Option<&Value>,
    ) -> Share {
        let Some(integration) = integration.filter(|_| self.mode() == Mode::Live) else {
            return Share::default();
        };
        let charges = self.env.charges(operation, integration, with).into();
        Share { charges, by: budgets::caller(self.out.run.id, task, iteration) }
    }

    /// As [`Turn::share`], of a call whose `with` is stored.
    pub(super) fn share_of(
        &mut self,
        (operation, integration): (Option<&Operation>, Option<&Integration>),
        task: (&TaskPath, &Iteration),
        with: PayloadRef,
    ) -> Result<Share, Error> {
        let Some(operation) = operation else { return Ok(Share::default()) };
        let today = self.env.adapters.operation(operation.name());
        let by_target = today.is_some_and(|today| today.limits_by_target());
        let with = if by_target { Some(self.value(with)?) } else { None };
        Ok(self.share((operation, integration), task, with.as_deref()))
    }

    /// Takes the share, or says that the call must wait, and when to look again.
    pub(super) fn take_share(&mut self, share: &Share) -> Option<Hold> {
        let Err(millis) = self.env.budgets.take(&share.charges, &share.by) else { return None };
        let at = self.now.plus_millis(millis);
        self.out.room_at = Some(self.out.room_at.map_or(at, |sooner: Timestamp| sooner.min(at)));
        Some(Hold::RateLimited)
    }

    /// The call was not claimed after all.
    pub(super) fn give_back(&self, share: &Share) {
        self.env.budgets.give_back(&share.charges, &share.by);
    }

    /// The call has ended; where its provider said to wait, everybody who counts in the same
    /// budgets waits.
    pub(super) fn share_ended(&self, plan: &CallPlan, classified: &Classified, until: Timestamp) {
        let Share { charges, by } = &plan.share;
        self.env.budgets.ended(charges, by);
        let said_so = classified.status == Some(429)
            || classified.wait.is_some_and(|wait| wait.source == WaitSource::Provider);
        if classified.outcome == Outcome::RefusedRetry && said_so {
            self.env.budgets.hold(charges, until.millis_since(self.now));
        }
    }

    /// There may be room now for what was put off.
    pub(super) fn room(&mut self) -> Result<(), Error> {
        let put_off = self.out.run.attempts().filter_map(|(branch, known)| {
            matches!(branch.activity, Activity::Deferred(..)).then_some(known.started.attempt)
        });
        for attempt in put_off.collect::<Vec<_>>() {
            self.retry(attempt)?;
        }
        for attempt in self.out.run.lookups.keys().copied().collect::<Vec<_>>() {
            self.look_up(attempt)?;
        }
        self.reconcile(None)
    }
}
