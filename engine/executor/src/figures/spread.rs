//! How long things took, in memory that does not grow with their number.

use std::collections::BTreeMap;

/// Numbers of an octave that are told apart: a quantile is too high by less than one in 128.
const STEPS_LOG2: u32 = 7;
const STEPS: usize = 1 << STEPS_LOG2;
/// Octaves of a `u64` above the numbers that are counted one by one.
#[cfg(test)]
const BUCKETS: usize = STEPS * (64 - STEPS_LOG2 as usize + 1);

/// Counts of numbers of about the same size; sizes that did not occur take no memory.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    counts: BTreeMap<usize, u64>,
    total: u64,
}

impl Spread {
    pub(crate) fn add(&mut self, number: u64) {
        *self.counts.entry(bucket(number)).or_default() += 1;
        self.total += 1;
    }

    /// All of another one too.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.counts {
            *self.counts.entry(*bucket).or_default() += count;
        }
        self.total += other.total;
    }

    /// How many numbers.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// The smallest number that at least so many per cent do not exceed, rounded up by less than one
    /// in 128; none where there is none.
    pub(crate) fn quantile(&self, per_cent: u64) -> Option<u64> {
        let rank = (self.total * per_cent).div_ceil(100).max(1);
        let mut seen = 0;
        let found = self.counts.iter().find(|(_, count)| {
            seen += **count;
            seen >= rank
        });
        found.map(|(bucket, _)| largest(*bucket))
    }
}

/// Numbers below 128 have a bucket each; above, each octave has 128.
fn bucket(number: u64) -> usize {
    let octave = (64 - number.leading_zeros()).saturating_sub(STEPS_LOG2 + 1);
    let step = usize::try_from(number >> octave).expect("it is below 256");
    octave as usize * STEPS + step
}

/// The largest number of a bucket.
fn largest(bucket: usize) -> u64 {
    let octave = (bucket / STEPS).saturating_sub(1);
    let step = bucket - octave * STEPS;
    ((step as u64) << octave) | ((1 << octave) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_exact_one_or_too_high_by_less_than_one_in_128() {
        let mut numbers: Vec<u64> = (0..4_000u64).map(|n| (n * n * 7919) % 10_000_019).collect();
        let mut spread = Spread::default();
        for number in &numbers {
            spread.add(*number);
        }
        numbers.sort_unstable();
        for per_cent in [1, 50, 90, 99, 100] {
            let exact = numbers[(4_000 * per_cent / 100) - 1];
            let found = spread.quantile(per_cent as u64).unwrap();
            assert!(found >= exact && found - exact <= exact / 128, "{per_cent}: {found} {exact}");
        }
    }

    #[test]
    fn every_number_is_in_the_bucket_of_which_it_is_at_most_the_largest() {
        for number in (0..70_000).chain([u64::from(u32::MAX), u64::MAX / 3, u64::MAX]) {
            let bucket = bucket(number);
            assert!(bucket < BUCKETS && largest(bucket) >= number, "{number}");
            assert!(bucket == 0 || largest(bucket - 1) < number, "{number}");
        }
    }

    #[test]
    fn two_that_are_merged_are_one_that_was_told_everything() {
        let (mut all, mut low, mut high) =
            (Spread::default(), Spread::default(), Spread::default());
        for number in 0..1_000 {
            all.add(number * number);
            let half = if number % 3 == 0 { &mut low } else { &mut high };
            half.add(number * number);
        }
        low.merge(&high);
        assert_eq!(low.total(), all.total());
        for per_cent in [1, 50, 95, 100] {
            assert_eq!(low.quantile(per_cent), all.quantile(per_cent));
        }
    }

    #[test]
    fn of_nothing_there_is_no_quantile() {
        assert_eq!(Spread::default().quantile(50), None);
    }
}
