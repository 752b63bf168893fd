//! The fold of look-ups. They stand beside what the run does: the doubt may be settled by a person, or
//! the run may end, while one is under way.
//!
//! What a provider tells by itself (`EvidenceArrived`) changes no stage: the settling that follows does.
//!
//! | stage | `LookupPlanned` | `LookupStarted` | `LookupEnded` | the next try | the doubt is settled |
//! | --- | --- | --- | --- | --- | --- |
//! | none, outdated | due | | | outdated | none |
//! | due | | under way | due again, over or absent | outdated | none |
//! | under way | | | due again, over or absent; none where the doubt is settled | | under way |
//! | over, absent | | | | outdated | none |

use super::{No, Step};
use crate::run::{Lookup, LookupStage, Run};
use placet_model::event::lookup::{
    AbsenceWorth, EvidenceArrived, LookupEnded, LookupFinding, LookupPlanned, LookupStarted,
};
use placet_model::{AttemptId, Event};

impl Run {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest are no events of look-ups")]
    pub(super) fn looked_up(&mut self, event: &Event) -> Step {
        match event {
            Event::LookupPlanned(body) => self.lookup_planned(body),
            Event::LookupStarted(body) => self.lookup_started(body),
            Event::LookupEnded(body) => self.lookup_ended(body),
            Event::EvidenceArrived(body) => self.evidence_arrived(body),
            _ => Err(No),
        }
    }

    fn lookup_planned(&mut self, body: &LookupPlanned) -> Step {
        let known = self.lookups.get(&body.attempt);
        let idle = match known.map(|known| known.stage) {
            None | Some(LookupStage::Outdated) => true,
            Some(
                LookupStage::Due(_)
                | LookupStage::UnderWay
                | LookupStage::Over
                | LookupStage::Absent,
            ) => false,
        };
        let next = known.map_or(0, |known| known.number) + 1;
        if !idle || body.number != next || !self.is_in_doubt(body.attempt) {
            return Err(No);
        }
        let stage = LookupStage::Due(body.due_at);
        self.lookups.insert(body.attempt, Lookup { number: next, stage });
        Ok(())
    }

    fn lookup_started(&mut self, body: &LookupStarted) -> Step {
        let in_doubt = self.is_in_doubt(body.attempt);
        let mode = self.facts().map(|facts| facts.started.mode);
        let known = self.lookups.get_mut(&body.attempt).ok_or(No)?;
        let due = matches!(known.stage, LookupStage::Due(_)) && known.number == body.number;
        if !due || !in_doubt || mode != Some(body.mode) {
            return Err(No);
        }
        known.stage = LookupStage::UnderWay;
        Ok(())
    }

    fn lookup_ended(&mut self, body: &LookupEnded) -> Step {
        let in_doubt = self.is_in_doubt(body.attempt);
        let known = self.lookups.get_mut(&body.attempt).ok_or(No)?;
        let open = match known.stage {
            LookupStage::Due(_) | LookupStage::UnderWay => true,
            LookupStage::Over | LookupStage::Absent | LookupStage::Outdated => false,
        };
        if !open || known.number != body.number || (!in_doubt && body.next_at.is_some()) {
            return Err(No);
        }
        if !in_doubt {
            self.lookups.remove(&body.attempt);
            return Ok(());
        }
        let absent =
            (body.finding, body.worth) == (LookupFinding::Absent, Some(AbsenceWorth::Proof));
        known.stage = match body.next_at {
            Some(at) => {
                known.number += 1;
                LookupStage::Due(at)
            }
            None if absent => LookupStage::Absent,
            None => LookupStage::Over,
        };
        Ok(())
    }

    /// It says what settles the doubt; the settling follows.
    fn evidence_arrived(&self, body: &EvidenceArrived) -> Step {
        let known = self.attempt(body.attempt).ok_or(No)?;
        let through = known.started.integration.as_ref().map(|bound| bound.id);
        let fits = through == Some(body.integration) && self.is_in_doubt(body.attempt);
        if fits { Ok(()) } else { Err(No) }
    }

    /// The same bytes go again: not while somebody asks after them.
    pub(super) fn lookup_outdated(&mut self, id: AttemptId) -> Step {
        let Some(known) = self.lookups.get_mut(&id) else { return Ok(()) };
        if known.stage == LookupStage::UnderWay {
            return Err(No);
        }
        known.stage = LookupStage::Outdated;
        Ok(())
    }

    /// It is known what became of the attempt. What is under way still ends.
    pub(super) fn lookup_needless(&mut self, id: AttemptId) {
        if self.lookup_stage(id) != Some(LookupStage::UnderWay) {
            self.lookups.remove(&id);
        }
    }
}
