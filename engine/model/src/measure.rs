//! What is counted while an engine runs: counters and spreads of times, without a clock of their own.
//! They are lost with the process, and decide nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// None so far.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// One more.
    pub fn one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long things took: how many took at most so long, for each of `N` bounds.
#[derive(Debug)]
pub struct Spread<const N: usize> {
    bounds: &'static [Duration; N],
    within: [Counter; N],
    beyond: Counter,
    micros: Counter,
}

impl<const N: usize> Spread<N> {
    /// Nothing so far; the bounds must rise.
    pub const fn new(bounds: &'static [Duration; N]) -> Self {
        let within = [const { Counter::new() }; N];
        Self { bounds, within, beyond: Counter::new(), micros: Counter::new() }
    }

    /// Something took so long.
    pub fn note(&self, took: Duration) {
        let place = self.bounds.iter().position(|bound| took <= *bound);
        place.map_or(&self.beyond, |place| &self.within[place]).one();
        self.micros.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// What there is so far.
    pub fn read(&self) -> Times {
        let mut count = 0;
        let mut within = Vec::with_capacity(N);
        for (bound, more) in self.bounds.iter().zip(&self.within) {
            count += more.get();
            within.push((*bound, count));
        }
        let sum = Duration::from_micros(self.micros.get());
        Times { within, count: count + self.beyond.get(), sum }
    }
}

/// A spread at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// How many took at most so long, by rising bounds.
    pub within: Vec<(Duration, u64)>,
    /// How many there were at all.
    pub count: u64,
    /// How long all of them took together.
    pub sum: Duration,
}

/// Bounds for what a machine does: from a tenth of a millisecond to ten seconds.
pub static SHORT: [Duration; 14] = [
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(10),
];

/// Bounds for what people do: from three seconds, in which nobody has read anything, to a week.
pub static LONG: [Duration; 12] = [
    Duration::from_secs(3),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
    Duration::from_hours(4),
    Duration::from_hours(12),
    Duration::from_hours(24),
    Duration::from_hours(3 * 24),
    Duration::from_hours(7 * 24),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_counts_what_took_at_most_so_long() {
        let spread = Spread::new(&SHORT);
        for took in [100, 101, 20_000_000] {
            spread.note(Duration::from_micros(took));
        }
        let times = spread.read();
        assert_eq!(times.within[0], (Duration::from_micros(100), 1));
        assert_eq!(times.within[1].1, 2);
        assert_eq!(times.within[SHORT.len() - 1].1, 2, "what took longer than all of them");
        assert_eq!((times.count, times.sum), (3, Duration::from_micros(20_000_201)));
    }

    #[test]
    fn bounds_rise() {
        assert!(SHORT.is_sorted() && LONG.is_sorted());
    }
}
