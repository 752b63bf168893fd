//! What people do to a request besides saying yes or no: replace its draft, name others.

use super::gate::CallTarget;
use super::perform::CallShape;
use super::{Error, Turn};
use crate::values::Content;
use placet_core::Command;
use placet_core::decide::VoteCommand;
use placet_core::run::Activity;
use placet_model::draft::BoundIntegration;
use placet_model::event::decision::{DraftOrigin, DraftPrepared};
use placet_model::manifest::Effect;
use placet_model::signed::Salt;
use placet_model::{Actor, DecisionId, Digest, Fault, IntegrationId, Principal, canonical};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a draft says, whatever its revision: the same text, the same proposal.
pub(crate) fn proposal(
    operation: &str,
    integration: Option<IntegrationId>,
    with: &Value,
) -> Result<String, canonical::Error> {
    let said = json!({ "operation": operation, "integration": integration, "with": with });
    let bytes = canonical::to_bytes(&said)?;
    Ok(format!("draft {}", String::from_utf8_lossy(&bytes)))
}

impl Turn<'_> {
    /// Replaces the draft: the next revision has this `with`, other bytes, another send id, and asks
    /// anew. One append: the vote, the end of the request, the edit, the draft, the next request.
    pub(super) fn edit(
        &mut self,
        vote: VoteCommand,
        salt: Option<Salt>,
        with: &Arc<Value>,
    ) -> Result<(), Error> {
        self.out.used_world = true;
        let original = match self.draft_of(vote.ballot.decision) {
            Some(draft) => self.original(&draft)?,
            // the law says why not
            None => Digest::of(&[]),
        };
        let actor = Actor::Principal(vote.voter.principal.clone());
        let payloads = words(vote.ballot.reason.as_deref(), salt);
        let before = self.out.facts.len();
        let command = Command::Edit { vote: Box::new(vote), original };
        self.command_by(command, payloads, &actor)?;
        if self.out.facts.len() == before {
            return Ok(());
        }
        self.propose_edited(with)
    }

    /// Leaves the request to others.
    pub(super) fn reassign(
        &mut self,
        vote: VoteCommand,
        salt: Option<Salt>,
        to: Vec<Principal>,
    ) -> Result<(), Error> {
        self.out.used_world = true;
        let actor = Actor::Principal(vote.voter.principal.clone());
        let payloads = words(vote.ballot.reason.as_deref(), salt);
        let command = Command::Reassign { vote: Box::new(vote), to };
        self.command_by(command, payloads, &actor)
    }

    /// The draft of an open request; its branch is worked on from now on.
    fn draft_of(&mut self, decision: DecisionId) -> Option<DraftPrepared> {
        let (branch, ask) = self.out.run.unsettled(decision)?;
        let (key, draft) = (branch.key.clone(), ask.draft.clone());
        self.branch = key;
        Some(draft)
    }

    fn original(&mut self, draft: &DraftPrepared) -> Result<Digest, Error> {
        let with = self.value(draft.with)?;
        let integration = draft.integration.as_ref().map(|bound| bound.id);
        let said = proposal(&draft.operation, integration, &with)?;
        Ok(self.env.log.pseudonym(&said))
    }

    fn propose_edited(&mut self, with: &Arc<Value>) -> Result<(), Error> {
        let refused = |reason: String| Error::Edit { reason };
        let Activity::Unsent(leaf, last) = self.here().activity.clone() else {
            return Err(refused("there is no draft any more".to_owned()));
        };
        if *self.value(last.with)? == **with {
            return Err(refused("it changes nothing: approve the draft as it is".to_owned()));
        }
        let plan = self.out.plan.clone();
        let task = plan.as_ref().and_then(|plan| plan.task(&leaf.task));
        let Some(call) = task.and_then(|task| CallShape::of(&task.kind)) else {
            return Err(refused("its workflow has no such task".to_owned()));
        };
        let target =
            self.target_again(call, (with, &last)).map_err(|fault| refused(said(fault)))?;
        let target = same_target(target, &last).map_err(refused)?;
        let summary = match last.summary {
            Some(reference) => Some((*self.value(reference)?).clone()),
            None => None,
        };
        let given = (target, Value::clone(with));
        let proposed = self.propose(call, &leaf, given, (DraftOrigin::Edit, summary))?;
        proposed.map_err(|fault| refused(said(fault)))
    }
}

/// An edit changes what is sent, never which operation sends it or through which connection. It was
/// gated before, whatever it is called now.
fn same_target(mut target: CallTarget, last: &DraftPrepared) -> Result<CallTarget, String> {
    let name = target.operation.name();
    if name != last.operation {
        return Err(format!("it would be {name} instead of {}", last.operation));
    }
    let bound = last.integration.as_ref();
    let before: Option<IntegrationId> = bound.map(|bound: &BoundIntegration| bound.id);
    if target.integration.as_ref().map(|integration| integration.id) != before {
        return Err("it would go through another integration".to_owned());
    }
    if target.effect == Effect::Read {
        target.effect = last.effect;
    }
    Ok(target)
}

/// What a fault says.
fn said(fault: Fault) -> String {
    fault.detail.unwrap_or(fault.kind)
}

/// The reason of a vote as content; a signed one once more, under the salt that was signed.
pub(super) fn words(reason: Option<&str>, salt: Option<Salt>) -> Vec<Content> {
    let signed = salt.map(|salt| Content::of_text(reason.unwrap_or_default(), salt));
    let reason = reason.map(|text| Content::of_value(Arc::new(Value::String(text.to_owned()))));
    reason.into_iter().chain(signed).collect()
}
