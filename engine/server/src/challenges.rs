//! Challenges for authenticators that are to make a passkey: one for each person, good for five minutes
//! and once. They live in this process only; a restart ends them.

use placet_model::Principal;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const LIFETIME: Duration = Duration::from_mins(5);

/// The challenges that are open, with the host that each was given for.
#[derive(Debug, Default)]
pub(crate) struct Challenges {
    open: Mutex<BTreeMap<Principal, Open>>,
}

/// A challenge, the host, and since when it is open.
type Open = ([u8; 32], String, Instant);

impl Challenges {
    /// Opens one, in the place of another that the person may have.
    pub(crate) fn open(&self, who: &Principal, challenge: [u8; 32], host: String, now: Instant) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, (.., since)| now.saturating_duration_since(*since) < LIFETIME);
        open.insert(who.clone(), (challenge, host, now));
    }

    /// Uses a person's challenge up.
    pub(crate) fn take(&self, who: &Principal, now: Instant) -> Option<([u8; 32], String)> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (challenge, host, since) = open.remove(who)?;
        (now.saturating_duration_since(since) < LIFETIME).then_some((challenge, host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_good_once_and_for_a_while() {
        let (challenges, now) = (Challenges::default(), Instant::now());
        let ana: Principal = "ana".parse().unwrap();
        let given = ([7; 32], "localhost".to_owned());
        challenges.open(&ana, given.0, given.1.clone(), now);
        assert_eq!(challenges.take(&"ben".parse().unwrap(), now), None);
        assert_eq!(challenges.take(&ana, now), Some(given.clone()));
        assert_eq!(challenges.take(&ana, now), None, "used up");
        challenges.open(&ana, given.0, given.1, now);
        assert_eq!(challenges.take(&ana, now + LIFETIME), None, "over");
    }
}
