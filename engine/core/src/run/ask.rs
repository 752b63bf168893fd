//! What follows from a request: which of its votes count, and when people hear of it again.

use super::Ask;
use crate::policy::{Electorate, Moment};
use placet_model::event::decision::{NoticeKind, VoteCast};
use placet_model::policy::Policy;
use placet_model::{Principal, Timestamp, Uptime};
use std::collections::BTreeSet;

impl Ask {
    /// Whether its time is over: by log time, or by the clock that goes on while log time stands
    /// still because the wall clock is behind it.
    pub fn is_expired(&self, now: Timestamp, uptime: Option<Uptime>) -> bool {
        let valid = self.expires_at.millis_since(self.requested_at);
        let passed =
            uptime.zip(self.requested_uptime).and_then(|(now, then)| now.millis_since(then));
        let outlived = passed.is_some_and(|passed| i64::try_from(passed).is_ok_and(|p| p >= valid));
        now >= self.expires_at || outlived
    }

    /// Whose votes count for it now.
    pub fn electorate<'a>(
        &'a self,
        policy: &'a Policy,
        requester: &'a Principal,
        now: Timestamp,
    ) -> Electorate<'a> {
        Electorate {
            policy,
            requirement: &self.requirement,
            requester,
            editor: self.editor.as_ref(),
            assigned: &self.assigned,
            moment: Moment { now, requested_at: self.requested_at },
        }
    }

    /// The votes that stand: not those whose key was revoked since, and those that were given in
    /// advance only while their standing approval is in force, word for word.
    pub fn counted(&self, policy: &Policy, now: Timestamp) -> Vec<VoteCast> {
        let lost = self.standing.as_ref().filter(|used| {
            !policy.standing.iter().any(|s| s.digest() == used.digest && now < s.until)
        });
        // the first vote of each of them is the one that was given in advance: whatever they say
        // later is of its own moment
        let mut gone: BTreeSet<&Principal> =
            lost.map(|used| used.voters.iter().collect()).unwrap_or_default();
        let stands = |vote: &&VoteCast| !gone.remove(&vote.voter);
        self.votes.iter().filter(stands).filter(|vote| policy.trusts(vote)).cloned().collect()
    }

    /// Escalations and the next reminder that people have not had yet, in order of time.
    pub fn notices_due(&self) -> Vec<(Timestamp, NoticeKind, Vec<Principal>)> {
        self.requirement.notices_due(self.requested_at, &self.notices)
    }
}
