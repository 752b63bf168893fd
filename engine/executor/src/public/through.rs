//! What went through an integration: the events of its own stream, and those of the drafts,
//! decisions and attempts that are bound to it.
//!
//! An event of a run names its decision or its attempt, and those name the integration in an earlier
//! event of the same stream, so the streams of runs are looked through as they are met.

use super::about::About;
use placet_log::ReadView;
use placet_model::event::Event;
use placet_model::{
    AttemptId, DecisionId, Digest, IntegrationId, RecordedEvent, Revision, RunId, StreamId,
};
use std::collections::{BTreeMap, BTreeSet};

/// Runs of which it is remembered what they did; beyond that it is looked up again.
const RUNS_MAX: usize = 1024;

/// Says of one event after the other whether it went through one of the integrations.
pub(super) struct Through<'v> {
    view: &'v ReadView,
    integrations: &'v BTreeSet<IntegrationId>,
    runs: BTreeMap<RunId, Uses>,
}

/// What of a run went through the integrations.
#[derive(Debug, Default)]
struct Uses {
    decisions: BTreeSet<DecisionId>,
    attempts: BTreeSet<AttemptId>,
}

impl<'v> Through<'v> {
    pub(super) const fn new(view: &'v ReadView, integrations: &'v BTreeSet<IntegrationId>) -> Self {
        Self { view, integrations, runs: BTreeMap::new() }
    }

    pub(super) fn fits(&mut self, event: &RecordedEvent) -> Result<bool, placet_log::Error> {
        let about = About::of(&event.event);
        if let Some(id) = about.integration {
            return Ok(self.integrations.contains(&id));
        }
        let StreamId::Run(run) = event.stream else { return Ok(false) };
        if about.decision.is_none() && about.attempt.is_none() {
            return Ok(false);
        }
        if !self.runs.contains_key(&run) {
            if self.runs.len() == RUNS_MAX {
                self.runs.clear();
            }
            self.runs.insert(run, self.look(run)?);
        }
        let uses = &self.runs[&run];
        Ok(about.decision.is_some_and(|id| uses.decisions.contains(&id))
            || about.attempt.is_some_and(|id| uses.attempts.contains(&id)))
    }

    fn look(&self, run: RunId) -> Result<Uses, placet_log::Error> {
        let (mut uses, mut drafts) = (Uses::default(), BTreeSet::<Digest>::new());
        for event in self.view.stream(&StreamId::Run(run), Revision::START) {
            let event = event?.event;
            let about = About::of(&event);
            if about.integration.is_some_and(|id| self.integrations.contains(&id)) {
                drafts.extend(about.digest);
                uses.attempts.extend(about.attempt);
            }
            if matches!(event, Event::DecisionRequested(_))
                && about.digest.is_some_and(|digest| drafts.contains(&digest))
            {
                uses.decisions.extend(about.decision);
            }
        }
        Ok(uses)
    }
}
