//! Events and states in words, for claims and for the grid.

use super::Scene;
use crate::run::{Activity, Attempt, LookupStage, Phase, Run};
use placet_model::Event;

/// An event's kind, and what tells it from others of its kind.
#[expect(clippy::wildcard_enum_match_arm, reason = "most kinds need no more than their name")]
pub fn describe(event: &Event) -> String {
    let what = match event {
        Event::VoteCast(body) => body.verdict.to_string(),
        Event::DecisionSettled(body) => body.settlement.to_string(),
        Event::DecisionVoided(body) => match body.field {
            Some(field) => format!("{}: {field}", body.reason),
            None => body.reason.to_string(),
        },
        Event::RequirementRaised(body) => body.missing.join(", "),
        Event::DraftEdited(body) => format!("by {}", body.editor),
        Event::DecisionReassigned(body) => {
            body.to.iter().map(placet_model::Principal::as_str).collect::<Vec<_>>().join(", ")
        }
        Event::StandingUsed(body) => format!("{} {}", body.standing, body.count),
        Event::VoteDelegated(body) => {
            let people: Vec<_> = body.instead_of.iter().map(ToString::to_string).collect();
            format!("{} for {}", body.voter, people.join(", "))
        }
        Event::ApproversReminded(body) => body.kind.to_string(),
        Event::DraftPrepared(body) => format!("revision {}", body.revision),
        Event::AttemptStarted(body) => format!("try {}", body.try_number),
        Event::AttemptRefused(body) => body.reason.to_string(),
        Event::AttemptDeferred(body) => body.reason.to_string(),
        Event::AttemptInDoubt(body) => body.evidence.to_string(),
        Event::ResolutionCast(body) => body.resolution.to_string(),
        Event::AttemptReconciled(body) => body.resolution.to_string(),
        Event::LookupEnded(body) => body.finding.to_string(),
        other => return other.type_name().to_owned(),
    };
    format!("{}({what})", event.type_name())
}

/// The state of a run in words: the phase unless it is running, else what its task does.
pub fn state(run: &Run) -> String {
    let gate = |attempt: &Attempt| if attempt.ask.is_some() { "gated" } else { "ungated" };
    let mut words = match (&run.phase, &run.main().activity) {
        (
            Phase::Running(_),
            Activity::Attempting(_, attempt)
            | Activity::Deferred(_, attempt, _)
            | Activity::InDoubt(_, attempt),
        ) => {
            format!("{} ({})", run.main().activity.name(), gate(attempt))
        }
        (Phase::Running(_), _) => run.doing().to_owned(),
        (phase, _) => phase.name().to_owned(),
    };
    for detached in run.detached.values() {
        words += if detached.in_doubt { " + detached in doubt" } else { " + detached attempt" };
    }
    for lookup in run.lookups.values() {
        words += match lookup.stage {
            LookupStage::Due(_) => " + look-up due",
            LookupStage::UnderWay => " + look-up under way",
            LookupStage::Over => " + looked up",
            LookupStage::Absent => " + proved absent",
            LookupStage::Outdated => " + look-up outdated",
        };
    }
    words
}

impl Scene {
    /// The state of the branch that the steps are about, in words; of the run where that is the
    /// workflow itself.
    pub fn state(&self) -> String {
        let branch = self.branch();
        if branch.key.is_main() {
            let forked = matches!(branch.activity, Activity::Forked(..));
            return if forked { "forked".to_owned() } else { state(&self.run) };
        }
        if branch.failed.is_some() {
            return "failed".to_owned();
        }
        if branch.fault.is_some() {
            return "faulting".to_owned();
        }
        match branch.activity.attempt() {
            Some(attempt) if attempt.ask.is_some() => format!("{} (gated)", branch.activity.name()),
            Some(_) => format!("{} (ungated)", branch.activity.name()),
            None => branch.activity.name().to_owned(),
        }
    }
}
