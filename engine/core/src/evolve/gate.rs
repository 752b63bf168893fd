//! The half of the fold that concerns drafts, decisions and attempts.

use super::{No, Step};
use crate::run::{Activity, Ask, Attempt, Denial, Detached, Leaf, Preview, Refused, Run};
use placet_model::attempt::{Evidence, RefuseReason};
use placet_model::decision::{DecisionState, Resolution, Settlement, Verdict, VoidReason};
use placet_model::event::attempt::{
    AttemptDeferred, AttemptInDoubt, AttemptReconciled, AttemptRefused, AttemptStarted,
    AttemptSucceeded,
};
use placet_model::event::decision::{
    ApproversReminded, DecisionReassigned, DecisionRequested, DecisionSettled, DecisionVoided,
    DraftEdited, DraftOrigin, DraftPrepared, RequirementRaised, ResolutionCast, StandingUsed,
    VoteCast, VoteDelegated,
};
use placet_model::event::preview::{PreviewRead, PreviewStep};
use placet_model::event::route::SendRouted;
use placet_model::manifest::Effect;
use placet_model::{AttemptId, DecisionId, Event, TaskPath, Timestamp, Uptime};

/// What a try that may begin continues.
struct Startable {
    leaf: Leaf,
    ask: Option<Ask>,
    first: Option<(Timestamp, Option<Uptime>)>,
    doubted: bool,
    doubt: Option<Evidence>,
}

impl Run {
    /// What the task of a leaf is doing, in the branch that works on it.
    fn activity_of(&mut self, task: &TaskPath) -> Result<&mut Activity, No> {
        let place = self.place_of(task);
        let branch = &mut self.branches_mut()[place];
        if branch.fault.is_some() { Err(No) } else { Ok(&mut branch.activity) }
    }

    /// What goes on with this decision, which is open or unspent.
    fn deciding(&mut self, decision: DecisionId) -> Result<&mut Activity, No> {
        let activities = self.branches_mut().iter_mut().map(|branch| &mut branch.activity);
        let mine = |activity: &&mut Activity| {
            activity.unsettled().is_some_and(|ask| ask.decision == decision)
        };
        activities.into_iter().find(mine).ok_or(No)
    }

    /// It says where the draft that follows goes; the state stays the same.
    pub(super) fn send_routed(&mut self, body: &SendRouted) -> Step {
        let activity = self.activity_of(&body.task)?;
        let Activity::Started(leaf) = &*activity else { return Err(No) };
        if leaf.task != body.task || leaf.iteration != body.iteration {
            return Err(No);
        }
        self.routes.insert((body.task.clone(), body.iteration.clone()), body.clone());
        Ok(())
    }

    /// What its card will show is asked for, or was answered; the state stays the same. Beginning anew
    /// ends the one before: nobody waits for its answer any more.
    pub(super) fn preview_read(&mut self, body: &PreviewRead, at: Timestamp) -> Step {
        let activity = self.activity_of(&body.task)?;
        let (Activity::Started(leaf) | Activity::Unsent(leaf, _)) = &*activity else {
            return Err(No);
        };
        if leaf.task != body.task || leaf.iteration != body.iteration {
            return Err(No);
        }
        let key = (body.task.clone(), body.iteration.clone());
        let due = self.drafts.get(&key).map_or(1, |last| last + 1);
        let known = self.previews.get_mut(&key);
        match (body.step, known, body.with) {
            (PreviewStep::Begun, _, Some(with)) if body.revision == due => {
                let preview = Preview { read: body.read, begun_at: at, ended: false, with };
                self.previews.insert(key, preview);
                Ok(())
            }
            // what could not be asked
            (PreviewStep::Unanswered, None, Some(with)) if body.revision == due => {
                let preview = Preview { read: body.read, begun_at: at, ended: true, with };
                self.previews.insert(key, preview);
                Ok(())
            }
            (PreviewStep::Answered | PreviewStep::Unanswered, Some(known), _)
                if known.read == body.read && !known.ended && body.revision == due =>
            {
                known.ended = true;
                Ok(())
            }
            (PreviewStep::Begun | PreviewStep::Answered | PreviewStep::Unanswered, _, _) => Err(No),
        }
    }

    pub(super) fn draft_prepared(&mut self, body: &DraftPrepared) -> Step {
        let activity = self.activity_of(&body.task)?;
        let (Activity::Started(leaf) | Activity::Unsent(leaf, _)) = &*activity else {
            return Err(No);
        };
        if let Activity::Unsent(_, last) = &*activity
            && (last.send_id == body.send_id
                || last.nonce == body.nonce
                || last.digest == body.digest)
        {
            return Err(No);
        }
        let leaf = leaf.clone();
        let unsent = matches!(activity, Activity::Unsent(..));
        let last = leaf.decision.and_then(|decision| self.closed.get(&decision));
        let edited = unsent && last == Some(&DecisionState::Superseded);
        if (body.origin == DraftOrigin::Edit) != edited || (edited && leaf.editor.is_none()) {
            return Err(No);
        }
        let key = (body.task.clone(), body.iteration.clone());
        let due = self.drafts.get(&key).map_or(1, |last| last + 1);
        if leaf.task != body.task || leaf.iteration != body.iteration || body.revision != due {
            return Err(No);
        }
        self.previews.remove(&key);
        self.drafts.insert(key, due);
        let place = self.place_of(&body.task);
        let branch = &mut self.branches_mut()[place];
        // whatever comes from the moment on at which the task began may answer it
        branch.frames.last_mut().ok_or(No)?.effect_at = Some(leaf.started_at);
        branch.activity = Activity::Drafted(leaf, Box::new(body.clone()));
        Ok(())
    }

    pub(super) fn decision_requested(&mut self, body: &DecisionRequested, at: Timestamp) -> Step {
        if self.closed.contains_key(&body.decision) {
            return Err(No);
        }
        let activity = self.activity_of(&body.task)?;
        let Activity::Drafted(leaf, draft) = &*activity else { return Err(No) };
        if draft.digest != body.digest {
            return Err(No);
        }
        let ask = Ask {
            decision: body.decision,
            requirement: draft.requirement.clone(),
            draft: (**draft).clone(),
            drafted_at: at,
            requested_at: at,
            requested_uptime: body.uptime,
            expires_at: body.expires_at,
            votes: vec![],
            editor: leaf.editor.clone(),
            assigned: vec![],
            standing: None,
            notices: vec![],
            prior: None,
        };
        let leaf = Leaf { decision: Some(body.decision), ..leaf.clone() };
        *activity = Activity::Asked(leaf, Box::new(ask));
        Ok(())
    }

    pub(super) fn vote_cast(&mut self, body: &VoteCast) -> Step {
        let Activity::Asked(_, ask) = self.deciding(body.decision)? else { return Err(No) };
        if ask.draft.digest != body.digest {
            return Err(No);
        }
        ask.votes.push(body.clone());
        if let Some(request) = &body.request_id {
            self.requests.insert((body.voter.to_string(), request.clone()), body.clone());
        }
        Ok(())
    }

    pub(super) fn standing_used(&mut self, body: &StandingUsed) -> Step {
        let Activity::Asked(_, ask) = self.deciding(body.decision)? else { return Err(No) };
        ask.standing = Some(body.clone());
        Ok(())
    }

    /// It says more of the vote before it, which the run has.
    pub(super) fn vote_delegated(&mut self, body: &VoteDelegated) -> Step {
        let Activity::Asked(..) = self.deciding(body.decision)? else { return Err(No) };
        Ok(())
    }

    pub(super) fn approvers_reminded(&mut self, body: &ApproversReminded) -> Step {
        let Activity::Asked(_, ask) = self.deciding(body.decision)? else { return Err(No) };
        ask.notices.push((body.due_at, body.kind));
        Ok(())
    }

    pub(super) fn decision_settled(&mut self, body: &DecisionSettled) -> Step {
        let activity = self.deciding(body.decision)?;
        let Activity::Asked(leaf, ask) = &*activity else { return Err(No) };
        if ask.draft.digest != body.digest {
            return Err(No);
        }
        let (leaf, ask) = (leaf.clone(), ask.clone());
        match body.settlement {
            Settlement::Approved => *activity = Activity::Approved(leaf, ask),
            Settlement::Rejected
            | Settlement::Responded
            | Settlement::Expired
            | Settlement::Withdrawn
            | Settlement::Superseded => {
                let edited = ask.votes.last().is_some_and(|vote| vote.verdict == Verdict::Edit);
                let state = DecisionState::from(body.settlement);
                let denial =
                    Denial { decision: body.decision, state, reason: body.reason, void: None };
                *activity = if edited {
                    Activity::Unsent(leaf, Box::new(ask.draft))
                } else {
                    Activity::Denied(leaf, Box::new(denial))
                };
                self.closed.insert(body.decision, state);
            }
        }
        Ok(())
    }

    /// The draft is its editor's from here on; the next revision follows.
    pub(super) fn draft_edited(&mut self, body: &DraftEdited) -> Step {
        let superseded = self.closed.get(&body.decision) == Some(&DecisionState::Superseded);
        let Activity::Unsent(leaf, last) = self.activity_of(&body.task)? else { return Err(No) };
        let mine = leaf.iteration == body.iteration && leaf.decision == Some(body.decision);
        if !superseded || !mine || last.digest != body.digest {
            return Err(No);
        }
        leaf.editor = Some(body.editor.clone());
        Ok(())
    }

    /// Whoever has said yes or no by then stays among those whose vote counts: a reassignment takes
    /// back neither.
    pub(super) fn decision_reassigned(&mut self, body: &DecisionReassigned) -> Step {
        let Activity::Asked(_, ask) = self.deciding(body.decision)? else { return Err(No) };
        let said = |vote: &&VoteCast| matches!(vote.verdict, Verdict::Approve | Verdict::Reject);
        let said = ask.votes.iter().filter(said).map(|vote| vote.voter.clone());
        ask.assigned = body.to.iter().cloned().chain(said).collect();
        Ok(())
    }

    pub(super) fn requirement_raised(&mut self, body: &RequirementRaised) -> Step {
        let activity = self.deciding(body.decision)?;
        let (leaf, mut ask) = spendable(activity)?;
        ask.requirement = body.requirement.clone();
        *activity = Activity::Asked(leaf, Box::new(ask));
        self.closed.remove(&body.decision);
        Ok(())
    }

    pub(super) fn decision_voided(&mut self, body: &DecisionVoided) -> Step {
        let activity = self.deciding(body.decision)?;
        if body.reason == VoidReason::NewEpoch {
            // nobody has said no: the same task asks again
            let leaf = activity.leaf().ok_or(No)?.clone();
            let edited = leaf.editor.is_some();
            *activity = match activity.unsettled() {
                // what an approver has written is not lost with the decision
                Some(ask) if edited => Activity::Unsent(leaf, Box::new(ask.draft.clone())),
                Some(_) | None => Activity::Started(leaf),
            };
            self.closed.insert(body.decision, DecisionState::Void);
            return Ok(());
        }
        let (leaf, _) = spendable(activity)?;
        let denial = Denial {
            decision: body.decision,
            state: DecisionState::Void,
            reason: None,
            void: Some((body.reason, body.field)),
        };
        *activity = Activity::Denied(leaf, Box::new(denial));
        self.closed.insert(body.decision, DecisionState::Void);
        Ok(())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest are no events of attempts")]
    pub(super) fn attempted(&mut self, event: &Event, at: Timestamp) -> Step {
        match event {
            Event::AttemptStarted(body) => self.attempt_started(body, at),
            Event::AttemptSucceeded(body) => self.attempt_succeeded(body),
            Event::AttemptRefused(body) => self.attempt_refused(body),
            Event::AttemptDeferred(body) => self.attempt_deferred(body),
            Event::AttemptInDoubt(body) => self.attempt_in_doubt(body),
            Event::AttemptReconciled(body) => self.attempt_reconciled(body),
            _ => Err(No),
        }
    }

    fn attempt_started(&mut self, body: &AttemptStarted, at: Timestamp) -> Step {
        let activity = self.activity_of(&body.task)?;
        let Startable { leaf, ask, first, doubted, doubt } = startable(activity, body).ok_or(No)?;
        let mine = match &ask {
            Some(ask) => is_of(body, ask),
            None => is_ungated_read(body),
        };
        let here = leaf.task == body.task && leaf.iteration == body.iteration;
        if !mine || !here || self.facts().is_none_or(|facts| facts.started.mode != body.mode) {
            return Err(No);
        }
        self.lookup_outdated(body.attempt)?;
        if let Some(ask) = &ask {
            self.closed.insert(ask.decision, DecisionState::Consumed);
        }
        let (first_started_at, first_uptime) = first.unwrap_or((at, body.uptime));
        let started = body.clone();
        let attempt = Attempt {
            started,
            started_at: at,
            first_started_at,
            first_uptime,
            ask,
            doubted,
            doubt,
        };
        *self.activity_of(&body.task)? = Activity::Attempting(leaf, Box::new(attempt));
        Ok(())
    }

    /// Takes the attempt out of the detached ones, if this is its try, is under way, and its task
    /// is gone.
    fn take_detached(&mut self, id: AttemptId, try_number: u32) -> Option<Detached> {
        let known = self.detached.get(&id)?;
        if known.in_doubt || known.attempt.started.try_number != try_number {
            return None;
        }
        self.detached.remove(&id)
    }

    fn under_way(&mut self, id: AttemptId, try_number: u32) -> Result<UnderWay<'_>, No> {
        for branch in self.branches_mut() {
            let Activity::Attempting(leaf, attempt) = &branch.activity else { continue };
            if (attempt.started.attempt, attempt.started.try_number) == (id, try_number) {
                let (leaf, attempt) = (leaf.clone(), (**attempt).clone());
                return Ok(UnderWay { leaf, attempt, activity: &mut branch.activity });
            }
        }
        Err(No)
    }

    fn attempt_succeeded(&mut self, body: &AttemptSucceeded) -> Step {
        let (id, try_number) = (body.attempt, body.try_number);
        if self.take_detached(id, try_number).is_none() {
            let UnderWay { leaf, activity, .. } = self.under_way(id, try_number)?;
            *activity = Activity::Answered(leaf, body.output);
        }
        self.lookup_needless(id);
        Ok(())
    }

    fn attempt_refused(&mut self, body: &AttemptRefused) -> Step {
        let (id, try_number, refused) = (body.attempt, body.try_number, Refused::of(body));
        if let Some(detached) = self.take_detached(id, try_number) {
            return nothing_happened(&detached.attempt);
        }
        let UnderWay { leaf, attempt, activity } = self.under_way(id, try_number)?;
        nothing_happened(&attempt)?;
        let spendable = attempt.ask.filter(|ask| ask.draft.integration.is_some());
        match (refused.reason, spendable) {
            (RefuseReason::Reconnect, Some(mut ask)) => {
                ask.prior = Some((id, try_number));
                let decision = ask.decision;
                *activity = Activity::Approved(leaf, Box::new(ask));
                self.closed.remove(&decision);
            }
            (
                RefuseReason::Reconnect
                | RefuseReason::Permanent
                | RefuseReason::Quota
                | RefuseReason::Exhausted
                | RefuseReason::Unreadable,
                _,
            ) => *activity = Activity::Refused(leaf, refused),
        }
        Ok(())
    }

    fn attempt_deferred(&mut self, body: &AttemptDeferred) -> Step {
        let (id, try_number, until) = (body.attempt, body.try_number, body.until);
        if let Some(detached) = self.take_detached(id, try_number) {
            return nothing_happened(&detached.attempt);
        }
        let UnderWay { leaf, attempt, activity } = self.under_way(id, try_number)?;
        nothing_happened(&attempt)?;
        *activity = Activity::Deferred(leaf, Box::new(attempt), until);
        Ok(())
    }

    fn attempt_in_doubt(&mut self, body: &AttemptInDoubt) -> Step {
        let (id, try_number, doubt) = (body.attempt, body.try_number, body.evidence);
        if let Some(mut detached) = self.take_detached(id, try_number) {
            can_be_in_doubt(&detached.attempt)?;
            detached.attempt.doubted = true;
            detached.attempt.doubt = Some(doubt);
            self.detached.insert(id, Detached { in_doubt: true, ..detached });
            return Ok(());
        }
        let UnderWay { leaf, mut attempt, activity } = self.under_way(id, try_number)?;
        can_be_in_doubt(&attempt)?;
        attempt.doubted = true;
        attempt.doubt = Some(doubt);
        #[cfg(placet_mutants)]
        if placet_mutants::is_planted(placet_mutants::Mutant::ApprovalNotConsumed) {
            let mut ask = attempt.ask.ok_or(No)?;
            ask.prior = Some((id, try_number));
            let decision = ask.decision;
            *activity = Activity::Approved(leaf, Box::new(ask));
            self.closed.remove(&decision);
            return Ok(());
        }
        *activity = Activity::InDoubt(leaf, Box::new(attempt));
        Ok(())
    }

    /// It says who settles the doubt; the settling follows.
    pub(super) fn resolution_cast(&mut self, body: &ResolutionCast) -> Step {
        let attempt = self.in_doubt(body.decision).ok_or(No)?;
        if attempt.started.digest != Some(body.digest) {
            return Err(No);
        }
        if let Some(request) = &body.request_id {
            self.resolutions.insert((body.by.to_string(), request.clone()), body.clone());
        }
        Ok(())
    }

    fn attempt_reconciled(&mut self, body: &AttemptReconciled) -> Step {
        self.doubt_settled(body)?;
        self.lookup_needless(body.attempt);
        Ok(())
    }

    fn doubt_settled(&mut self, body: &AttemptReconciled) -> Step {
        if self.detached.get(&body.attempt).is_some_and(|detached| detached.in_doubt) {
            self.detached.remove(&body.attempt);
            return Ok(());
        }
        self.running()?;
        for branch in self.branches_mut() {
            let Activity::InDoubt(leaf, attempt) = &branch.activity else { continue };
            if attempt.started.attempt != body.attempt {
                continue;
            }
            let leaf = leaf.clone();
            branch.activity = match (body.resolution, body.output, &attempt.ask) {
                (Resolution::Sent, Some(output), _) => Activity::Answered(leaf, output),
                (Resolution::NotSent, None, Some(ask)) => {
                    Activity::Unsent(leaf, Box::new(ask.draft.clone()))
                }
                (Resolution::GiveUp, None, _) => Activity::GivenUp(leaf),
                (Resolution::Sent, None, _)
                | (Resolution::NotSent, None, None)
                | (Resolution::NotSent | Resolution::GiveUp, Some(_), _) => return Err(No),
            };
            return Ok(());
        }
        Err(No)
    }
}

/// A try that is under way, and where what comes of it is kept.
struct UnderWay<'r> {
    leaf: Leaf,
    attempt: Attempt,
    activity: &'r mut Activity,
}

/// The unspent approval, also one whose attempt has proved that nothing was sent.
fn spendable(activity: &Activity) -> Result<(Leaf, Ask), No> {
    if let Activity::Approved(leaf, ask) = activity {
        return Ok((leaf.clone(), (**ask).clone()));
    }
    let Activity::Deferred(leaf, attempt, _) = activity else { return Err(No) };
    let mut ask = attempt.ask.clone().ok_or(No)?;
    ask.prior = Some((attempt.started.attempt, attempt.started.try_number));
    Ok((leaf.clone(), ask))
}

/// Whose try this may be: the first of an ungated read, the first of an unspent approval, or the
/// next of an attempt that was put off or is in doubt.
fn startable(activity: &Activity, body: &AttemptStarted) -> Option<Startable> {
    let fresh = |leaf: &Leaf, ask| Startable {
        leaf: leaf.clone(),
        ask,
        first: None,
        doubted: false,
        doubt: None,
    };
    let id = (body.attempt, body.try_number);
    if let Activity::Started(leaf) = activity {
        return (body.try_number == 1).then(|| fresh(leaf, None));
    }
    if let Activity::Approved(leaf, ask) = activity {
        let due = ask.prior.map_or((body.attempt, 1), |(attempt, tries)| (attempt, tries + 1));
        return (id == due).then(|| fresh(leaf, Some((**ask).clone())));
    }
    let (Activity::Deferred(leaf, last, _) | Activity::InDoubt(leaf, last)) = activity else {
        return None;
    };
    let due = (last.started.attempt, last.started.try_number + 1);
    (id == due).then(|| Startable {
        leaf: leaf.clone(),
        ask: last.ask.clone(),
        first: Some((last.first_started_at, last.first_uptime)),
        doubted: last.doubted,
        doubt: last.doubt,
    })
}

/// A person settles a doubt by its decision; a read without one is read again instead.
fn can_be_in_doubt(attempt: &Attempt) -> Step {
    if attempt.ask.is_some() { Ok(()) } else { Err(No) }
}

/// No try can prove this once another one is in doubt.
fn nothing_happened(attempt: &Attempt) -> Step {
    if attempt.doubted { Err(No) } else { Ok(()) }
}

/// Whether the try is of exactly what was approved.
fn is_of(body: &AttemptStarted, ask: &Ask) -> bool {
    let draft = &ask.draft;
    body.decision == Some(ask.decision)
        && body.digest == Some(draft.digest)
        && body.send_id == draft.send_id
        && body.operation == draft.operation
        && body.operation_digest == draft.operation_digest
        && body.effect == draft.effect
        && body.integration == draft.integration
        && body.with == draft.with
        && body.request == draft.request
        && body.request_digest == draft.request_digest
        && body.not_after == ask.expires_at
}

/// Whether the try needs no approval: only reads do not, and they carry none.
fn is_ungated_read(body: &AttemptStarted) -> bool {
    body.effect == Effect::Read && body.decision.is_none() && body.digest.is_none()
}
