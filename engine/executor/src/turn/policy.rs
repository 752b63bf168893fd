//! What the policy in force says of an action: what it asks for, whether it refuses, and whether a
//! standing approval has given the votes already.

use super::perform::CallShape;
use super::{Error, Turn};
use crate::signals::{self, Prepared, UP_TO_NOW};
use placet_core::decide::AdvanceVotes;
use placet_core::policy::{self, Resolved, Signals, Subject};
use placet_core::{Command, Refusal};
use placet_model::integration::Integration;
use placet_model::manifest::Effect;
use placet_model::policy::Standing;
use placet_model::request::PreparedRequest;
use placet_model::{DecisionId, Timestamp};
use placet_projections::Views;
use serde_json::Value;

/// Operation and effect.
pub(super) type Action<'a> = (&'a str, Effect);
/// `with` and the request, as stored.
pub(super) type Content<'a> = Option<(&'a Value, &'a PreparedRequest)>;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Turn<'_> {
    /// What must be met now before this action may leave.
    pub(super) fn resolved(
        &self,
        action: Action<'_>,
        integration: Option<&Integration>,
        (call, content): (CallShape<'_>, Content<'_>),
    ) -> Result<Resolved, Error> {
        let signals = self.signals(action.0, content)?;
        let workflow = self.workflow();
        let subject =
            Subject { via: call.via(), ..subject(action, integration, (&workflow, &signals)) };
        Ok(policy::resolve(&self.world.policy, subject, call.approval))
    }

    /// The standing approvals that cover the action, with the people who have given their votes.
    pub(super) fn in_advance(
        &self,
        action: Action<'_>,
        integration: Option<&Integration>,
        (call, content): (CallShape<'_>, Content<'_>),
    ) -> Result<Vec<Standing>, Error> {
        let policy = &self.world.policy;
        if policy.standing.is_empty() {
            return Ok(vec![]);
        }
        let signals = self.signals(action.0, content)?;
        let workflow = self.workflow();
        let subject =
            Subject { via: call.via(), ..subject(action, integration, (&workflow, &signals)) };
        let covers = |standing: &&Standing| {
            self.now < standing.until && policy::covers(policy, &standing.matches, subject)
        };
        Ok(policy.standing.iter().filter(covers).cloned().collect())
    }

    /// Casts the votes that were given in advance, under the first standing approval that is enough
    /// and not used up. Where none is, the request waits for people like any other.
    pub(super) fn stand(
        &mut self,
        decision: DecisionId,
        (send_id, given): (&str, Vec<Standing>),
    ) -> Result<(), Error> {
        for standing in given {
            let digest = standing.digest();
            let Some(people) = self.world.endorsements.get(&digest) else { continue };
            let votes = people
                .iter()
                .map(|(voter, assurance)| (voter.clone(), *assurance, self.env.mint.nonce()));
            let votes = votes.collect();
            let day = day_of(self.now);
            let Some(count) = self.reserve(&standing, day, send_id)? else { continue };
            let name = standing.name;
            let given = AdvanceVotes { decision, standing: name, digest, votes, day, count };
            match self.command(Command::Stand(Box::new(given)), vec![]) {
                Err(Error::Refused(Refusal::StandingInsufficient { standing, why })) => {
                    self.env.uses.give_back((&standing, day), send_id);
                    tracing::info!(%standing, %why, "a standing approval covers a request and does not settle it");
                }
                done => return done,
            }
        }
        Ok(())
    }

    /// Takes one of the uses of the day, counted in the log and in the turns that are under way.
    fn reserve(&self, standing: &Standing, day: i64, send_id: &str) -> Result<Option<u32>, Error> {
        let view = self.env.view()?;
        let recorded = Views::new(&view)
            .and_then(|views| views.standing_uses(&standing.name, day))
            .map_err(crate::env::Error::from)?;
        Ok(self.env.uses.take((&standing.name, day), send_id, (recorded, standing.max_per_day)))
    }

    /// Whom the bytes reach, each by themselves.
    pub(super) fn recipients(
        &self,
        operation: &str,
        with: &Value,
        request: &PreparedRequest,
    ) -> Vec<String> {
        let workflow = self.workflow();
        let prepared =
            Prepared { operation, workflow: &workflow, with, request, before: UP_TO_NOW };
        signals::recipients(self.env, prepared)
    }

    fn signals(&self, operation: &str, content: Content<'_>) -> Result<Signals, Error> {
        let Some((with, request)) = content.filter(|_| signals::are_needed(&self.world.policy))
        else {
            return Ok(Signals::unknown());
        };
        let workflow = self.workflow();
        let prepared =
            Prepared { operation, workflow: &workflow, with, request, before: UP_TO_NOW };
        Ok(signals::of(self.env, &self.world.policy, prepared)?)
    }

    fn workflow(&self) -> String {
        self.out.plan.as_ref().map(|plan| plan.family()).unwrap_or_default()
    }
}

/// What the rules match on.
pub(crate) fn subject<'a>(
    (operation, effect): (&'a str, Effect),
    integration: Option<&'a Integration>,
    (workflow, signals): (&'a str, &'a Signals),
) -> Subject<'a> {
    Subject {
        effect,
        provider: operation.split('.').next().unwrap_or_default(),
        operation,
        via: None,
        integration: integration.map(|i| i.name.as_str()),
        workflow,
        signals,
    }
}

/// Days since 1970, UTC.
const fn day_of(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(DAY_MS)
}
