//! What decisions and attempts mean for where a run stands.

use super::{Attempt, Line, Lookup, NO_ATTEMPT, Stage, Stands, State, Step};
use crate::WaitingFor;
use placet_model::attempt::RefuseReason;
use placet_model::decision::Settlement;
use placet_model::event::attempt::{AttemptDeferred, AttemptRefused, AttemptStarted};
use placet_model::event::decision::DecisionSettled;
use placet_model::{AttemptId, Event};

impl State {
    pub(super) fn settled(&mut self, body: &DecisionSettled) -> Step {
        self.not_over()?;
        let line = self.deciding(body.decision)?;
        match body.settlement {
            Settlement::Approved => {
                line.stands = Stands::Waiting(WaitingFor::Decision(body.decision));
            }
            Settlement::Rejected
            | Settlement::Responded
            | Settlement::Expired
            | Settlement::Withdrawn
            | Settlement::Superseded => {
                line.expiry = None;
                line.stands = Stands::Ready;
            }
        }
        Ok(())
    }

    pub(super) fn attempt_started(&mut self, body: &AttemptStarted) -> Step {
        self.lookup_needless(body.attempt);
        self.stand(&body.task, Stands::Waiting(WaitingFor::Answer))?;
        let place = self.line(&body.task);
        let line = &mut self.lines[place];
        line.expiry = None;
        line.attempt = Some(Attempt {
            id: body.attempt,
            decision: body.decision,
            not_after: body.not_after,
            stage: Stage::UnderWay,
            has_integration: body.integration.is_some(),
        });
        Ok(())
    }

    /// Takes the attempt out: with its line when its task is there, none when its task is gone.
    pub(super) fn take(
        &mut self,
        id: AttemptId,
    ) -> Result<Option<(&mut Line, Attempt)>, &'static str> {
        let mine = |line: &Line| line.attempt.as_ref().is_some_and(|attempt| attempt.id == id);
        if let Some(place) = self.lines.iter().position(mine) {
            self.not_over()?;
            let line = &mut self.lines[place];
            let attempt = line.attempt.take().ok_or(NO_ATTEMPT)?;
            return Ok(Some((line, attempt)));
        }
        let place = self.detached.iter().position(|detached| detached.id == id);
        self.detached.remove(place.ok_or(NO_ATTEMPT)?);
        Ok(None)
    }

    pub(super) fn attempt_ended(&mut self, id: AttemptId) -> Step {
        self.lookup_needless(id);
        if let Some((line, _)) = self.take(id)? {
            line.stands = Stands::Ready;
        }
        Ok(())
    }

    /// A refused credential proves that nothing was sent: the approval is unspent again.
    pub(super) fn attempt_refused(&mut self, body: &AttemptRefused) -> Step {
        let Some((line, attempt)) = self.take(body.attempt)? else { return Ok(()) };
        match (body.reason, attempt.spendable()) {
            (RefuseReason::Reconnect, Some(decision)) => {
                line.expiry = Some((decision, attempt.not_after));
                line.stands = Stands::Waiting(WaitingFor::Decision(decision));
            }
            (
                RefuseReason::Reconnect
                | RefuseReason::Permanent
                | RefuseReason::Quota
                | RefuseReason::Exhausted
                | RefuseReason::Unreadable,
                _,
            ) => line.stands = Stands::Ready,
        }
        Ok(())
    }

    pub(super) fn attempt_deferred(&mut self, body: &AttemptDeferred) -> Step {
        let Some((line, attempt)) = self.take(body.attempt)? else { return Ok(()) };
        line.expiry = attempt.decision.map(|decision| (decision, attempt.not_after));
        line.attempt = Some(Attempt { stage: Stage::Deferred(body.until), ..attempt });
        line.stands = Stands::Waiting(WaitingFor::Deferred);
        Ok(())
    }

    pub(super) fn attempt_in_doubt(&mut self, id: AttemptId) -> Step {
        for line in &mut self.lines {
            if let Some(attempt) = line.attempt.as_mut().filter(|attempt| attempt.id == id) {
                attempt.stage = Stage::InDoubt;
                line.stands = Stands::Waiting(WaitingFor::InDoubt);
                return self.not_over();
            }
        }
        let detached = self.detached.iter_mut().find(|detached| detached.id == id);
        detached.ok_or(NO_ATTEMPT)?.in_doubt = true;
        Ok(())
    }

    /// Whether a look-up of this attempt is due or under way.
    pub(crate) fn is_looked_up(&self, attempt: AttemptId) -> bool {
        self.lookups.iter().any(|lookup| lookup.attempt == attempt)
    }

    /// A look-up is due, is under way, or has ended.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest are no events of look-ups")]
    pub(super) fn looked_up(&mut self, event: &Event) -> Step {
        let (attempt, due_at) = match event {
            Event::LookupPlanned(body) => (body.attempt, Some(Some(body.due_at))),
            Event::LookupStarted(body) => (body.attempt, Some(None)),
            Event::LookupEnded(body) => (body.attempt, body.next_at.map(Some)),
            Event::EvidenceArrived(body) => {
                let known = self.known(body.attempt).is_some_and(|known| known.in_doubt);
                return if known { Ok(()) } else { Err(NO_ATTEMPT) };
            }
            _ => return Err("it is no event of a look-up"),
        };
        let known = self.is_looked_up(attempt);
        if !known && self.known(attempt).is_none_or(|known| !known.in_doubt) {
            return Err(NO_ATTEMPT);
        }
        self.lookups.retain(|lookup| lookup.attempt != attempt);
        self.lookups.extend(due_at.map(|due_at| Lookup { attempt, due_at }));
        Ok(())
    }

    /// It is known what became of the attempt, or it goes again: what was due is not made. What is
    /// under way still ends.
    fn lookup_needless(&mut self, attempt: AttemptId) {
        self.lookups.retain(|lookup| lookup.attempt != attempt || lookup.due_at.is_none());
    }
}
