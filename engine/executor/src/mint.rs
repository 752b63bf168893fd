//! Ids and nonces: UUIDs of version 7 in strictly rising order, so that every index that is keyed
//! by an id is written at its right edge.
//!
//! A simulation gives a seed, so that it can tell one story twice; everybody else has the system's
//! randomness.

use placet_model::{
    AttemptId, DecisionId, Digest, EventId, IntegrationId, RunId, TimerId, Timestamp,
};
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::{Builder, Uuid};

/// Mints ids. One per engine.
#[derive(Debug)]
pub(crate) struct Mint {
    source: Source,
    last: Mutex<u128>,
}

#[derive(Debug)]
enum Source {
    System(SystemRandom),
    /// The seed, and how often it was asked.
    Seeded(u64, AtomicU64),
}

impl Default for Mint {
    fn default() -> Self {
        Self { source: Source::System(SystemRandom::new()), last: Mutex::new(0) }
    }
}

macro_rules! mint {
    ($($(#[$meta:meta])* $name:ident -> $id:ident),+ $(,)?) => {
        $($(#[$meta])* pub(crate) fn $name(&self, now: Timestamp) -> $id { $id::new(self.uuid(now)) })+
    };
}

impl Mint {
    /// Mints the same ids for the same seed.
    pub(crate) const fn seeded(seed: u64) -> Self {
        Self { source: Source::Seeded(seed, AtomicU64::new(0)), last: Mutex::new(0) }
    }

    mint! {
        /// A new run.
        run -> RunId,
        /// A new decision request.
        decision -> DecisionId,
        /// A new attempt.
        attempt -> AttemptId,
        /// A new event.
        event -> EventId,
        /// A new timer.
        timer -> TimerId,
        /// A new integration.
        integration -> IntegrationId,
    }

    /// 128 random bits, lower-case hex.
    pub(crate) fn nonce(&self) -> String {
        Digest::of(&self.bytes::<32>()).hex()[..32].to_owned()
    }

    /// Random bytes.
    ///
    /// # Panics
    /// When the system has no randomness: nothing may go on without it.
    pub(crate) fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.source {
            Source::System(random) => {
                random.fill(&mut bytes).expect("the system's randomness works");
            }
            Source::Seeded(seed, asked) => {
                let asked = asked.fetch_add(1, Ordering::Relaxed);
                let digest = Digest::of_parts(&[&seed.to_be_bytes(), &asked.to_be_bytes()]);
                for (byte, from) in bytes.iter_mut().zip(digest.as_bytes().iter().cycle()) {
                    *byte = *from;
                }
            }
        }
        bytes
    }

    fn uuid(&self, now: Timestamp) -> Uuid {
        let millis = u64::try_from(now.as_millis()).unwrap_or_default();
        let fresh =
            Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid().as_u128();
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // within one millisecond, count up from the last one instead of starting anew
        *last = if fresh > *last { fresh } else { *last + 1 };
        Uuid::from_u128(*last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_even_when_the_clock_stands_still_or_goes_back() {
        let mint = Mint::default();
        let moments = [5_000, 5_000, 4_000, 5_001, 5_001].map(Timestamp::from_millis);
        let ids: Vec<_> = moments.into_iter().map(|now| mint.event(now)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    }
}
