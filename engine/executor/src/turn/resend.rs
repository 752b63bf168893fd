//! Whether the same bytes may go again by themselves: only while a second time surely does nothing, since
//! the provider knows their key, their id is ours, or the write is guarded or the same each time.
//!
//! A key is forgotten at the end of its life by the provider's clock, which nobody here can set. So its
//! age is judged by two clocks, and the older verdict counts: by log time, which stands still while
//! the wall clock is behind it, and by the machine's uptime, which does not, and which nobody can set
//! either. Where the uptime says nothing (the machine was started anew, or has no such clock) the age
//! is not known, and a person is asked.

use super::Turn;
use crate::perform::LEASE;
use placet_adapters::Operation;
use placet_adapters::manifest::Resend;
use placet_core::run::{Attempt, LookupStage};
use placet_model::attempt::Evidence;
use std::time::Duration;

/// Tries of one attempt whose provider deduplicates on our key, or proves that it does not have it.
const RESENDS_MAX: u32 = 5;

impl Turn<'_> {
    pub(super) fn may_resend(&self, operation: &Operation, last: &Attempt) -> bool {
        let resend = operation.delivery().resend();
        let young = |ttl| {
            let age = self.age_of_key(last);
            age.is_some_and(|age| age < trusted(ttl, operation.timeout()))
        };
        let (keyed, young) = match resend {
            Resend::Never => (false, false),
            Resend::Within(ttl) => (true, young(ttl)),
            Resend::Always => (true, true),
        };
        let keyed = keyed && goes_again(last);
        #[cfg(placet_mutants)]
        let keyed = keyed || placet_mutants::is_planted(placet_mutants::Mutant::ResendWithoutKey);
        #[cfg(placet_mutants)]
        let young = {
            let ttl = operation.delivery().ttl().unwrap_or_default();
            self.young_for_mutants(last, ttl).unwrap_or(young)
        };
        let timely = self.now < last.started.not_after;
        keyed && young && timely && last.started.try_number < RESENDS_MAX
    }

    /// Whether a look-up has proved that the provider does not have it, and the approval still holds.
    pub(super) fn is_absent(&self, last: &Attempt) -> bool {
        let proved = self.out.run.lookup_stage(last.started.attempt) == Some(LookupStage::Absent);
        proved
            && goes_again(last)
            && self.now < last.started.not_after
            && last.started.try_number < RESENDS_MAX
    }

    /// At least as old as the key is; none where that cannot be known.
    fn age_of_key(&self, last: &Attempt) -> Option<Duration> {
        let by_uptime = self.uptime?.millis_since(last.first_uptime?)?;
        let by_log = self.now.millis_since(last.first_started_at);
        Some(Duration::from_millis(by_uptime.max(u64::try_from(by_log).unwrap_or_default())))
    }

    #[cfg(placet_mutants)]
    fn young_for_mutants(&self, last: &Attempt, ttl: Duration) -> Option<bool> {
        use placet_mutants::{Mutant, is_planted};

        let by_log = self.now.millis_since(last.first_started_at);
        let by_log = Duration::from_millis(u64::try_from(by_log).unwrap_or_default());
        let by_log = by_log < trusted(ttl, Duration::ZERO);
        let by_log = is_planted(Mutant::KeyAgedByLogTime).then_some(by_log);
        let always = is_planted(Mutant::KeyReusedAfterExpiry);
        let unkeyed = is_planted(Mutant::ResendWithoutKey) && ttl.is_zero();
        (always || unkeyed).then_some(true).or(by_log)
    }
}

/// Not what has moved on, which would be refused for ever, and not what the provider has.
const fn goes_again(last: &Attempt) -> bool {
    match last.doubt {
        Some(Evidence::MovedOn | Evidence::NotFinal) => false,
        Some(
            Evidence::Restart
            | Evidence::Timeout
            | Evidence::Reset
            | Evidence::Answer
            | Evidence::LeaseExpired
            | Evidence::CommitUnknown,
        )
        | None => true,
    }
}

/// Up to which age a key is used: less a tenth, since the provider's clock may run faster than ours,
/// and less the time that a call may take from here until it has arrived.
fn trusted(ttl: Duration, timeout: Duration) -> Duration {
    ttl.saturating_sub(ttl / 10).saturating_sub(LEASE).saturating_sub(timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_trusted_for_less_than_its_life_and_a_short_lived_one_never() {
        let secs = Duration::from_secs;
        assert_eq!(trusted(secs(86_400), secs(30)), secs(77_700));
        assert_eq!(trusted(secs(60), secs(30)), Duration::ZERO);
        assert_eq!(trusted(Duration::ZERO, secs(30)), Duration::ZERO);
    }
}
