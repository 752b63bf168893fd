//! What follows from a request: which of its votes count, and when people hear of it again.

use super::Ask;
use placet_model::event::decision::{NoticeKind, VoteCast};
use placet_model::policy::Policy;
use placet_model::{Principal, Timestamp};

impl Ask {
    /// The votes that stand: those that were given in advance only while their standing approval is
    /// in force, word for word.
    pub fn counted(&self, policy: &Policy, now: Timestamp) -> Vec<VoteCast> {
        let lost = self.standing.as_ref().filter(|used| {
            !policy.standing.iter().any(|s| s.digest() == used.digest && now < s.until)
        });
        let stands = |vote: &&VoteCast| !lost.is_some_and(|used| used.voters.contains(&vote.voter));
        self.votes.iter().filter(stands).cloned().collect()
    }

    /// Escalations and the next reminder that people have not had yet, in order of time.
    pub fn notices_due(&self) -> Vec<(Timestamp, NoticeKind, Vec<Principal>)> {
        self.requirement.notices_due(self.requested_at, &self.notices)
    }
}
