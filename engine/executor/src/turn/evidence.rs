//! Who has agreed to a call, for `$runtime.metadata.approval` (language 8.5). Read from the log
//! when an expression asks for it.

use placet_model::decision::{Settlement, Verdict};
use placet_model::event::decision::VoteCast;
use placet_model::{DecisionId, Digest, Event, PayloadRef, RecordedEvent, Timestamp};
use serde_json::{Value, json};

/// The votes on one decision, and when they were enough.
#[derive(Debug)]
pub(super) struct Evidence {
    decision: DecisionId,
    /// Whether an approver has written the draft.
    edited: bool,
    digest: Option<Digest>,
    votes: Vec<(VoteCast, Timestamp)>,
    settled: Option<(Settlement, Timestamp)>,
    /// The policy in force when the votes were enough.
    policy: Option<Digest>,
}

impl Evidence {
    pub(super) const fn new(decision: DecisionId, edited: bool) -> Self {
        Self { decision, edited, digest: None, votes: vec![], settled: None, policy: None }
    }

    /// Looks at the next event of the run.
    pub(super) fn see(&mut self, recorded: &RecordedEvent) {
        match &recorded.event {
            Event::VoteCast(vote) if vote.decision == self.decision => {
                self.votes.push((vote.clone(), recorded.recorded_at));
            }
            Event::DecisionSettled(body) if body.decision == self.decision => {
                self.digest = Some(body.digest);
                self.settled = Some((body.settlement, recorded.recorded_at));
            }
            _ => {}
        }
    }

    /// Looks at the next event of the policy, once the run's events have been seen.
    pub(super) fn see_policy(&mut self, recorded: &RecordedEvent) {
        let Event::PolicyChanged(body) = &recorded.event else { return };
        if self.settled.is_some_and(|(_, at)| recorded.recorded_at <= at) {
            self.policy = Some(body.digest);
        }
    }

    /// Where the reasons of the votes stand.
    pub(super) fn reasons(&self) -> Vec<Option<PayloadRef>> {
        self.counted().map(|(vote, _)| vote.reason).collect()
    }

    fn counted(&self) -> impl Iterator<Item = &(VoteCast, Timestamp)> {
        self.votes.iter().filter(|(vote, _)| vote.verdict == Verdict::Approve)
    }

    /// `{decision, digest, verdict, votes: [{principal, at, reason}], policy, settled_at, edited}`.
    pub(super) fn into_value(self, reasons: &[Value]) -> Value {
        let votes = self.counted().zip(reasons).map(|((vote, at), reason)| {
            json!({"principal": vote.voter, "at": at.to_string(), "reason": reason})
        });
        let votes: Vec<Value> = votes.collect();
        json!({
            "decision": self.decision,
            "digest": self.digest,
            "verdict": self.settled.map(|(settlement, _)| settlement),
            "votes": votes,
            "policy": self.policy,
            "settled_at": self.settled.map(|(_, at)| at.to_string()),
            "edited": self.edited,
        })
    }
}
