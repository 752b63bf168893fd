//! What another policy would have asked for. It looks at the requests of the log as they were made,
//! with what had been sent until then, and appends nothing.

use crate::handle::{Error, Handle};
use crate::signals::{self, Prepared};
use crate::turn::{CallShape, policy_subject};
use placet_core::policy::{Electorate, Moment, Subject, covers, resolve};
use placet_log::ReadView;
use placet_model::approval::Requirement;
use placet_model::event::decision::DraftPrepared;
use placet_model::policy::Policy;
use placet_model::request::PreparedRequest;
use placet_model::{DecisionId, Event, Principal, RecordedEvent, Revision, StreamId, Timestamp};
use placet_projections::{RunFilter, RunRow, Views};
use serde_json::{Value, json};

/// Runs of one page.
const PAGE: usize = 500;

/// A request as the log has it.
struct Asked {
    decision: DecisionId,
    draft: DraftPrepared,
    event: RecordedEvent,
}

impl Handle {
    /// `{decisions: [{decision, run, operation, then, now, changed, ...}], summary}`, newest runs
    /// first: all requests of the log, or one of them.
    ///
    /// # Errors
    /// An unknown decision; a project that cannot be read.
    pub fn simulate_policy(
        &self,
        policy: &Policy,
        only: Option<DecisionId>,
    ) -> Result<Value, Error> {
        let view = self.view()?;
        let views = Views::new(&view)?;
        let (mut found, mut unreadable, mut before) = (vec![], 0_u64, None);
        let wanted = match only {
            None => None,
            Some(id) => {
                let row = views.decision(id)?;
                Some(row.ok_or(placet_core::Refusal::UnknownDecision { decision: id })?.run)
            }
        };
        loop {
            let page = match wanted {
                Some(run) => views.run(run)?.into_iter().collect(),
                None => views.runs(&RunFilter::default(), before, PAGE)?,
            };
            for run in &page {
                for asked in asked(&view, run)? {
                    if only.is_some_and(|only| only != asked.decision) {
                        continue;
                    }
                    match self.simulated(&view, policy, (run, &asked))? {
                        Some(line) => found.push(line),
                        None => unreadable += 1,
                    }
                }
            }
            before = page.last().map(|run| run.run);
            if page.len() < PAGE || wanted.is_some() {
                break;
            }
        }
        let count = |key: &str| found.iter().filter(|line| line[key] == true).count();
        let summary = json!({
            "decisions": found.len(),
            "changed": count("changed"),
            "refused": count("refused"),
            "out_of_reach": count("stuck"),
            "unreadable": unreadable,
        });
        Ok(json!({ "summary": summary, "decisions": found }))
    }

    /// One request under the other policy; none where its content was erased.
    fn simulated(
        &self,
        view: &ReadView,
        policy: &Policy,
        (run, asked): (&RunRow, &Asked),
    ) -> Result<Option<Value>, Error> {
        let (draft, stream) = (&asked.draft, StreamId::Run(run.run));
        let (Ok(with), Ok(request)) =
            (view.payload(&stream, draft.with), view.payload(&stream, draft.request))
        else {
            return Ok(None);
        };
        let (Ok(with), Ok(request)) = (
            serde_json::from_slice::<Value>(with.as_bytes()),
            PreparedRequest::from_bytes(request.as_bytes()),
        ) else {
            return Ok(None);
        };
        let family = format!("{}/{}", run.workflow.namespace, run.workflow.name);
        let prepared = Prepared {
            operation: &draft.operation,
            workflow: &family,
            with: &with,
            request: &request,
            before: asked.event.position,
        };
        let found = signals::of(&self.env, policy, prepared).map_err(crate::turn::Error::from)?;
        let world = self.world();
        let integration = draft.integration.as_ref().and_then(|b| world.integrations.get(&b.id));
        let action = (draft.operation.as_str(), draft.effect);
        let plan = self.env.plan(run.plan_digest).ok();
        let task = plan.as_ref().and_then(|plan| plan.task(&draft.task));
        let call = task.and_then(|task| CallShape::of(&task.kind));
        let metadata = call.and_then(|call| call.approval);
        let via = call.as_ref().and_then(CallShape::via);
        let subject = Subject { via, ..policy_subject(action, integration, (&family, &found)) };
        let resolved = resolve(policy, subject, metadata);
        let standing = covering(policy, subject, asked.event.recorded_at);
        let moment = Moment::fresh(asked.event.recorded_at);
        let row = Views::new(view)?.decision(asked.decision)?;
        let editor = row.as_ref().and_then(|row| row.editor.as_ref());
        let words = |policy: &Policy, requirement: &Requirement| {
            let requester = &run.requester;
            let electorate =
                Electorate { policy, requirement, requester, editor, assigned: &[], moment };
            asked_for(electorate)
        };
        let (then, now) =
            (words(&world.policy, &draft.requirement), words(policy, &resolved.requirement));
        let changed = draft.requirement != resolved.requirement || !resolved.refused_by.is_empty();
        Ok(Some(json!({
            "decision": asked.decision,
            "run": run.run,
            "workflow": family,
            "task": draft.task.as_str(),
            "operation": draft.operation,
            "requester": run.requester,
            "requested_at": asked.event.recorded_at,
            "stuck": now["out_of_reach"].as_array().is_some_and(|lines| !lines.is_empty()),
            "then": then,
            "now": now,
            "changed": changed,
            "refused": !resolved.refused_by.is_empty(),
            "refused_by": resolved.refused_by,
            "notes": resolved.notes,
            "standing": standing,
        })))
    }
}

/// The standing approvals that would have covered it.
fn covering<'p>(policy: &'p Policy, subject: Subject<'_>, at: Timestamp) -> Vec<&'p str> {
    let given = policy.standing.iter().filter(|given| at < given.until);
    let given = given.filter(|given| covers(policy, &given.matches, subject));
    given.map(|given| given.name.as_str()).collect()
}

/// The requests of a run, in order.
fn asked(view: &ReadView, run: &RunRow) -> Result<Vec<Asked>, Error> {
    let (mut drafts, mut found) = (vec![], vec![]);
    for event in view.stream(&StreamId::Run(run.run), Revision::START) {
        let event = event?;
        match &event.event {
            Event::DraftPrepared(body) => drafts.push(body.clone()),
            Event::DecisionRequested(body) => {
                let draft = drafts.iter().rfind(|draft| draft.digest == body.digest).cloned();
                let decision = body.decision;
                found.extend(draft.map(|draft| Asked { decision, draft, event: event.clone() }));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// What a requirement asks for, and who could give it.
fn asked_for(electorate: Electorate<'_>) -> Value {
    let (policy, requirement) = (electorate.policy, electorate.requirement);
    let may = |name: &&Principal| electorate.is_entitled(name);
    json!({
        "needed": electorate.tally(&[]).missing,
        "who": policy.principals.keys().filter(may).collect::<Vec<_>>(),
        "valid_for": requirement.valid_for.to_string(),
        "reason_required": requirement.reason_required,
        "self_approval": requirement.self_approval,
        "assurance": requirement.assurance,
        "rules": requirement.rules,
        "out_of_reach": electorate.out_of_reach(),
    })
}
