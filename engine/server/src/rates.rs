//! How often one caller of `serve` may ask: a bucket each, which fills by `limits.caller_second_max` a
//! second and holds five seconds' worth. One caller's haste takes nothing from another.
//!
//! Callers are principals of the policy, so the buckets are as few as they are; whoever is nobody is
//! refused before anything is looked at.

use crate::problem::Problem;
use placet_model::Principal;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Seconds' worth that a bucket holds.
const BURST: f64 = 5.0;
/// Buckets at once; full ones are forgotten first, which changes nothing.
const BUCKETS_MAX: usize = 10_000;

/// A bucket for each caller.
#[derive(Debug)]
pub(crate) struct Rates {
    /// Requests a second; none where everybody may ask as often as they like.
    each: Option<f64>,
    buckets: Mutex<BTreeMap<Principal, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn fill(&mut self, each: f64, now: Instant) {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + since * each).min(each * BURST);
        self.at = now;
    }
}

impl Rates {
    pub(crate) fn new(each: Option<u64>) -> Self {
        // a bound of a configuration is far below what a float tells apart
        let each = each.map(|each| f64::from(u32::try_from(each).unwrap_or(u32::MAX)));
        Self { each, buckets: Mutex::default() }
    }

    /// One request of this caller.
    ///
    /// # Errors
    /// `PL4074` when there were too many.
    pub(crate) fn take(&self, caller: &Principal, now: Instant) -> Result<(), Problem> {
        let Some(each) = self.each else { return Ok(()) };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(caller) {
            buckets.retain(|_, bucket| {
                bucket.fill(each, now);
                bucket.left < each * BURST
            });
        }
        let bucket =
            buckets.entry(caller.clone()).or_insert_with(|| Bucket { left: each * BURST, at: now });
        bucket.fill(each, now);
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            return Ok(());
        }
        let detail = format!("{caller} may ask {each} times a second (limits.caller_second_max)");
        Err(Problem::new("PL4074", detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn who(name: &str) -> Principal {
        name.parse().unwrap()
    }

    #[test]
    fn who_asks_too_often_waits_a_moment_and_nobody_else_does() {
        let (rates, now) = (Rates::new(Some(2)), Instant::now());
        let asked = |who: &Principal, at| rates.take(who, at).is_ok();
        let taken = (0..20).filter(|_| asked(&who("ana"), now)).count();
        assert_eq!(taken, 10, "five seconds' worth");
        assert!(asked(&who("ben"), now));
        let later = now + Duration::from_millis(600);
        assert!(asked(&who("ana"), later) && !asked(&who("ana"), later));
        let refused = rates.take(&who("ana"), later).unwrap_err();
        assert_eq!(refused.code(), "PL4074");
        // however long it is quiet, no more than a bucket is saved up
        let much = later + Duration::from_hours(1);
        assert_eq!((0..20).filter(|_| asked(&who("ana"), much)).count(), 10);
    }

    #[test]
    fn without_a_bound_nothing_is_counted() {
        let (rates, now) = (Rates::new(None), Instant::now());
        assert!((0..1000).all(|_| rates.take(&who("ana"), now).is_ok()));
        assert!(rates.buckets.lock().unwrap().is_empty());
    }
}
