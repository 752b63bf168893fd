//! Cells of time, filled from the log: forwards as it grows, and backwards as far as somebody looks.
//! An event counts by itself, so the order in which the parts of the log are read does not matter, and
//! what is kept is lost with the process and made again. Memory is bounded by time: five minutes are
//! told apart within two days, hours within [`KEPT_DAYS`].

use super::cell::{Cell, Happened};
use crate::measures::PROVIDERS_MAX;
use placet_model::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The smallest step.
pub(super) const FINE_MS: i64 = 5 * 60_000;
pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;
/// How long small steps are told apart.
pub(super) const FINE_FOR_MS: i64 = 2 * DAY_MS;
/// How far back is counted.
pub(super) const KEPT_DAYS: i64 = 400;

/// What is counted so far.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The events that are counted: from this position to before that one.
    counted: Range<u64>,
    /// The moment of the earliest of them; all before the first one where there is none.
    since: Option<Timestamp>,
    fine: BTreeMap<i64, Cell>,
    hours: BTreeMap<i64, Cell>,
    providers: BTreeSet<String>,
}

impl Kept {
    /// Nothing yet: what is counted will end before `end` and grow from there.
    pub(super) fn ending_before(end: u64) -> Self {
        Self { counted: end..end, ..Self::default() }
    }

    pub(super) const fn counted(&self) -> &Range<u64> {
        &self.counted
    }

    /// Whether all is counted that happened at this moment or later.
    pub(super) fn reaches(&self, from: Timestamp) -> bool {
        self.counted.start <= 1 || self.since.is_some_and(|since| since < from)
    }

    /// Since when; none where it is since the beginning.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.since.filter(|_| self.counted.start > 1)
    }

    /// All events of a range next to what is counted have been noted.
    pub(super) fn counts(&mut self, read: &Range<u64>, first: Option<Timestamp>) {
        if read.start < self.counted.start || self.counted.is_empty() {
            self.since = first.or(self.since);
        }
        let start = self.counted.start.min(read.start);
        self.counted = start..self.counted.end.max(read.end);
    }

    /// Something that happened at a moment; `now` says what is too old for small steps.
    pub(super) fn note(&mut self, at: Timestamp, mut happened: Happened, now: Timestamp) {
        if let Happened::Ended { provider, .. } = &mut happened {
            if !self.providers.contains(provider) && self.providers.len() >= PROVIDERS_MAX {
                "other".clone_into(provider);
            }
            self.providers.insert(provider.clone());
        }
        let of = |step: i64| at.as_millis().div_euclid(step) * step;
        if now.millis_since(at) < FINE_FOR_MS + FINE_MS {
            self.fine.entry(of(FINE_MS)).or_default().note(&happened);
        }
        self.hours.entry(of(HOUR_MS)).or_default().note(&happened);
    }

    /// Forgets what is older than it is kept.
    pub(super) fn forget(&mut self, now: Timestamp) {
        let before = |age: i64| now.as_millis().saturating_sub(age);
        self.fine = self.fine.split_off(&before(FINE_FOR_MS + FINE_MS));
        self.hours = self.hours.split_off(&before((KEPT_DAYS + 1) * DAY_MS));
    }

    /// The sum over a span that begins and ends with its steps.
    pub(super) fn sum(&self, span: Range<i64>, step: i64) -> Cell {
        let cells = if step < HOUR_MS { &self.fine } else { &self.hours };
        let mut sum = Cell::default();
        for (_, cell) in cells.range(span) {
            sum.add(cell);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measures::CallEnd;
    use placet_model::decision::Settlement;
    use placet_model::draft::Mode;
    use serde_json::{Value, json};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn ended(provider: &str, end: CallEnd) -> Happened {
        Happened::Ended { provider: provider.to_owned(), mode: Mode::Live, is_gated: true, end }
    }

    #[test]
    fn what_happened_is_in_the_step_of_its_moment_at_every_size_of_step() {
        let (mut kept, now) = (Kept::ending_before(9), at(3 * DAY_MS));
        for took in [1_000, 2_000, 90_000] {
            let settled = Happened::Settled(Settlement::Approved, Some(took));
            kept.note(at(2 * DAY_MS + 299_999), settled, now);
        }
        kept.note(at(2 * DAY_MS + 300_000), Happened::Asked, now);
        kept.note(at(2 * DAY_MS + HOUR_MS), ended("slack", CallEnd::Succeeded), now);
        let day = 2 * DAY_MS;
        let first = Value::from(kept.sum(day..day + FINE_MS, FINE_MS).to_json());
        assert_eq!((&first["settled"]["approved"], &first["asked"]), (&json!(3), &json!(0)));
        assert!(
            first["median_ms"].as_u64() >= Some(2_000) && first["median_ms"].as_u64() < Some(2_016)
        );
        assert!(first["p95_ms"].as_u64() >= Some(90_000), "{first}");
        let hour = Value::from(kept.sum(day..day + HOUR_MS, HOUR_MS).to_json());
        assert_eq!((&hour["decided"], &hour["asked"]), (&json!(3), &json!(1)));
        assert_eq!(hour["sent"], json!({"sandbox": 0, "live": 0}));
        let all = Value::from(kept.sum(day..day + DAY_MS, DAY_MS).to_json());
        assert_eq!(all["sent"], json!({"sandbox": 0, "live": 1}));
    }

    #[test]
    fn failures_are_told_by_provider_the_most_first_and_names_are_few() {
        let (mut kept, now) = (Kept::ending_before(9), at(0));
        for number in 0..PROVIDERS_MAX + 9 {
            kept.note(at(0), ended(&format!("p{number:03}"), CallEnd::Refused), now);
        }
        kept.note(at(0), ended("p001", CallEnd::InDoubt), now);
        kept.note(at(0), ended("p001", CallEnd::Succeeded), now);
        let failures = kept.sum(0..HOUR_MS, HOUR_MS).failures();
        assert_eq!(failures.len(), PROVIDERS_MAX + 1);
        let other = &failures[0];
        assert_eq!((&other["provider"], &other["total"]), (&json!("other"), &json!(9)));
        let second = json!({
            "provider": "p001", "total": 2, "refused": 1, "reconnect": 0, "deferred": 0,
            "in_doubt": 1, "given_up": 0,
        });
        assert_eq!(failures[1], second);
    }

    #[test]
    fn small_steps_are_forgotten_before_hours_and_hours_in_the_end() {
        let mut kept = Kept::ending_before(9);
        kept.note(at(0), Happened::Asked, at(0));
        let asked = |kept: &Kept, step| kept.sum(0..step, step).to_json()["asked"].clone();
        assert_eq!((asked(&kept, FINE_MS), asked(&kept, HOUR_MS)), (json!(1), json!(1)));
        kept.forget(at(3 * DAY_MS));
        assert_eq!((asked(&kept, FINE_MS), asked(&kept, HOUR_MS)), (json!(0), json!(1)));
        // what is counted late is not told apart in small steps either
        kept.note(at(1), Happened::Asked, at(3 * DAY_MS));
        assert_eq!((asked(&kept, FINE_MS), asked(&kept, HOUR_MS)), (json!(0), json!(2)));
        kept.forget(at((KEPT_DAYS + 2) * DAY_MS));
        assert_eq!(asked(&kept, HOUR_MS), json!(0));
    }

    #[test]
    fn it_reaches_as_far_back_as_it_was_read_and_no_further() {
        let mut kept = Kept::ending_before(100);
        assert!(!kept.reaches(at(50)));
        kept.counts(&(60..100), Some(at(60)));
        assert!(kept.reaches(at(61)) && !kept.reaches(at(60)), "others may be of the same moment");
        kept.counts(&(100..120), Some(at(100)));
        assert_eq!((kept.counted(), kept.since()), (&(60..120), Some(at(60))));
        kept.counts(&(1..60), Some(at(1)));
        assert_eq!((kept.counted(), kept.since()), (&(1..120), None));
        assert!(kept.reaches(at(0)));
    }
}
