//! One budget: who has a share of it until when, and who waits for one.

use super::window_ms;
use placet_adapters::limits::Charge;
use std::collections::BTreeMap;

/// A call whose end was never told counts as ended after this long: none takes longer.
const CALL_MS_MAX: i64 = 11 * 60 * 1000;
/// Whoever does not come when it is their turn has gone: others go first after this long.
const GRACE_MS: i64 = 1_000;
/// Between those whom a provider of undeclared rates has held back.
const SPACING_MS: i64 = 50;

#[derive(Debug, Default)]
pub(super) struct Bucket {
    taken: Vec<Share>,
    held_until: i64,
    waiting: BTreeMap<String, Waiter>,
}

#[derive(Debug)]
struct Share {
    by: String,
    weight: u32,
    window: i64,
    until: Until,
}

#[derive(Debug, Clone, Copy)]
enum Until {
    /// The call is under way since.
    Ended { taken_at: i64 },
    /// This moment.
    At(i64),
}

#[derive(Debug, Clone, Copy)]
struct Waiter {
    /// The order in which they came.
    serial: u64,
    /// When they were told to come.
    wake: i64,
}

impl Share {
    /// When it is free again; of a call under way, if it ended now.
    fn free_at(&self, now: i64) -> i64 {
        match self.until {
            Until::At(at) => at,
            Until::Ended { taken_at } => now.min(taken_at + CALL_MS_MAX) + self.window,
        }
    }
}

impl Bucket {
    /// Whether the call may take its share now, those who came before it first; if not, when it may
    /// be its turn.
    pub(super) fn room_for(
        &mut self,
        (charge, by): (&Charge, &str),
        now: i64,
        serial: u64,
    ) -> Result<(), i64> {
        self.taken.retain(|share| share.free_at(now) > now);
        self.waiting.retain(|name, waiter| name == by || waiter.wake + GRACE_MS > now);
        let serial = self.waiting.get(by).map_or(serial, |waiter| waiter.serial);
        let ahead = self.waiting.values().filter(|waiter| waiter.serial < serial).count();
        let ahead = i64::try_from(ahead).unwrap_or(i64::MAX);
        let wake = if charge.rate == 0 {
            (now < self.held_until).then_some(self.held_until + ahead * SPACING_MS)
        } else {
            self.wait(charge, ahead, now)
        };
        match wake {
            None => {
                self.waiting.remove(by);
                Ok(())
            }
            Some(wake) => {
                self.waiting.insert(by.to_owned(), Waiter { serial, wake });
                Err(wake)
            }
        }
    }

    /// When enough is free for those ahead and this one; none where it is now.
    fn wait(&self, charge: &Charge, ahead: i64, now: i64) -> Option<i64> {
        let (rate, window) = (i64::from(charge.rate), window_ms(charge));
        let used: i64 = self.taken.iter().map(|share| i64::from(share.weight)).sum();
        let wanted = i64::from(charge.weight).saturating_mul(ahead.saturating_add(1));
        let missing = used.saturating_add(wanted) - rate;
        if missing <= 0 && now >= self.held_until {
            return None;
        }
        // what is missing beyond one whole window comes free a window later for each rate of it
        let missing = missing.max(1);
        let (rounds, rest) = ((missing - 1) / rate, (missing - 1) % rate + 1);
        let mut frees: Vec<_> =
            self.taken.iter().map(|share| (share.free_at(now), i64::from(share.weight))).collect();
        frees.sort_unstable();
        let mut freed = 0;
        let enough = frees.iter().find(|(_, weight)| {
            freed += weight;
            freed >= rest
        });
        let first = enough.or_else(|| frees.last()).map_or(now, |(at, _)| *at);
        let first = first.max(self.held_until).max(now + 1);
        Some(first.saturating_add(rounds.saturating_mul(window)))
    }

    pub(super) fn take(&mut self, charge: &Charge, by: &str, now: i64) {
        if charge.rate > 0 {
            self.taken.push(Share {
                by: by.to_owned(),
                weight: charge.weight,
                window: window_ms(charge),
                until: Until::Ended { taken_at: now },
            });
        }
    }

    /// As of a call that ended so long ago.
    pub(super) fn recall(&mut self, charge: &Charge, free_at: i64) {
        if charge.rate > 0 {
            self.taken.push(Share {
                by: String::new(),
                weight: charge.weight,
                window: window_ms(charge),
                until: Until::At(free_at),
            });
        }
    }

    /// What a call has that has not ended.
    pub(super) fn give_back(&mut self, by: &str) {
        self.taken.retain(|share| share.by != by || matches!(share.until, Until::At(_)));
    }

    pub(super) fn ended(&mut self, by: &str, now: i64) {
        for share in self.taken.iter_mut().filter(|share| share.by == by) {
            if let Until::Ended { .. } = share.until {
                share.until = Until::At(now + share.window);
            }
        }
    }

    pub(super) fn hold_until(&mut self, at: i64) {
        self.held_until = self.held_until.max(at);
    }

    pub(super) fn is_idle(&self, now: i64) -> bool {
        self.held_until <= now
            && self.taken.iter().all(|share| share.free_at(now) <= now)
            && self.waiting.values().all(|waiter| waiter.wake + GRACE_MS <= now)
    }
}
