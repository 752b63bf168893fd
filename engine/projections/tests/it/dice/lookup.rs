//! What may be asked of a provider about an attempt in doubt.

use super::Dice;
use crate::make::*;
use placet_core::Run;
use placet_core::run::{Activity, LookupStage};
use placet_model::event::attempt::AnswerFacts;
use placet_model::event::lookup::{AbsenceWorth, EvidenceArrived, LookupFinding};
use placet_model::{AttemptId, Event, Position};

impl Dice {
    /// The next event of a look-up of this run, if one of its attempts has, or may have, one.
    pub(super) fn looks(&mut self, run: &Run) -> Option<Event> {
        let branches = run.branches().iter();
        let attached = branches.filter_map(|branch| match &branch.activity {
            Activity::InDoubt(_, attempt) => Some(attempt.started.attempt),
            _ => None,
        });
        let detached = run.detached.iter().filter(|(_, one)| one.in_doubt).map(|(id, _)| *id);
        let ids: Vec<AttemptId> =
            attached.chain(detached).chain(run.lookups.keys().copied()).collect();
        if ids.is_empty() {
            return None;
        }
        let id = ids[self.below(ids.len())];
        if run.is_in_doubt(id) && self.one_in(6) {
            return shown(run, id);
        }
        let known = run.lookups.get(&id);
        let number = known.map_or(0, |known| known.number);
        Some(match known.map(|known| known.stage) {
            None | Some(LookupStage::Outdated) => planned(id, number + 1, self.soon(run)),
            Some(LookupStage::Due(_)) if !self.one_in(6) => looking(id, number),
            Some(LookupStage::Due(_) | LookupStage::UnderWay) => {
                let again = run.is_in_doubt(id) && self.one_in(2);
                let next_at = again.then(|| self.soon(run));
                let worth = self.one_in(2).then(|| self.pick(AbsenceWorth::ALL));
                let finding = match worth {
                    Some(_) => LookupFinding::Absent,
                    None => LookupFinding::Unanswered,
                };
                looked_up((id, number), (finding, worth), next_at)
            }
            Some(LookupStage::Over | LookupStage::Absent) => return None,
        })
    }
}

/// The provider tells of the attempt by itself.
fn shown(run: &Run, attempt: AttemptId) -> Option<Event> {
    let integration = run.attempt(attempt)?.started.integration.as_ref()?.id;
    let (arrival, answer) = (Position::new(1), AnswerFacts::default());
    let kind = "slack.message.echo".to_owned();
    Some(EvidenceArrived { attempt, arrival, integration, kind, answer }.into())
}
