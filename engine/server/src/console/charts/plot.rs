//! Where the marks of a chart stand. Pure, and in whole numbers: a picture is [`WIDTH`] wide and
//! [`HEIGHT`] high, whatever is on it.

use crate::console::times::length;
use std::fmt::Write as _;

pub(super) const WIDTH: u64 = 7_200;
pub(super) const HEIGHT: u64 = 2_200;
/// Where the marks begin: left of it stand the words of the scale.
const LEFT: u64 = 900;
const TOP: u64 = 150;
/// The line of nothing; below it stand the moments.
const FLOOR: u64 = 1_850;
/// Moments that are written below a chart.
const MOMENTS_MAX: usize = 6;
/// Bars that lie below one another.
const LYING_MAX: usize = 12;
const LYING_HEIGHT: u64 = 300;
/// Where they begin: left of it stand their names.
pub(super) const LYING_LEFT: u64 = 1_900;

/// A line of a scale, or a moment, with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) at: u64,
    pub(super) words: String,
}

/// A piece of a bar; `kind` is its colour, by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) kind: usize,
    pub(super) x: u64,
    pub(super) y: u64,
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) words: String,
}

/// Bars over time, each made of pieces on top of one another.
#[derive(Debug)]
pub(super) struct Bars {
    pub(super) kinds: Vec<&'static str>,
    pub(super) pieces: Vec<Piece>,
    pub(super) scale: Vec<Tick>,
    pub(super) moments: Vec<Tick>,
}

impl Bars {
    pub(super) fn of<const N: usize>(
        labels: &[String],
        (names, counts): ([&'static str; N], &[[u64; N]]),
    ) -> Self {
        let top = counts.iter().map(|bar| bar.iter().sum()).max().unwrap_or(0);
        let top = round_count(top);
        let slots = Slots::of(labels.len());
        let mut pieces = vec![];
        for (number, (bar, label)) in counts.iter().zip(labels).enumerate() {
            let mut below = 0;
            for (kind, count) in bar.iter().enumerate().filter(|(_, count)| **count > 0) {
                // the ends are scaled, not the lengths, so that pieces meet
                let (low, high) = (height(below, top), height(below + count, top));
                pieces.push(Piece {
                    kind,
                    x: slots.left(number),
                    y: FLOOR - high,
                    width: slots.bar(),
                    height: high - low,
                    words: format!("{label}: {count} {}", names[kind]),
                });
                below += count;
            }
        }
        let count = |part: u64| Tick { at: FLOOR - height(part, top), words: part.to_string() };
        let halves = if top.is_multiple_of(2) { vec![0, top / 2, top] } else { vec![0, top] };
        let scale = halves.into_iter().map(count).collect();
        Self { kinds: names.to_vec(), pieces, scale, moments: slots.moments(labels) }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

/// A moment of a curve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dot {
    pub(super) x: u64,
    pub(super) y: u64,
    pub(super) words: String,
}

/// Median and 95th percentile over time; where nobody decided there is no dot, and the line has a gap.
#[derive(Debug)]
pub(super) struct Curves {
    pub(super) median: Vec<Dot>,
    pub(super) p95: Vec<Dot>,
    pub(super) scale: Vec<Tick>,
    pub(super) moments: Vec<Tick>,
    /// For a `path`, of the median and of the 95th percentile.
    pub(super) lines: [String; 2],
}

impl Curves {
    pub(super) fn of(labels: &[String], times: &[Option<(u64, u64)>]) -> Self {
        let top = times.iter().flatten().map(|(_, p95)| *p95).max().unwrap_or(0);
        let top = round_time(top);
        let slots = Slots::of(labels.len());
        let (mut median, mut p95) = (vec![], vec![]);
        let mut lines = [String::new(), String::new()];
        let mut begins = true;
        for (number, (time, label)) in times.iter().zip(labels).enumerate() {
            let Some((middle, high)) = time else {
                begins = true;
                continue;
            };
            let curves = [(&mut median, *middle, "half"), (&mut p95, *high, "95 of 100")];
            for ((dots, took, which), line) in curves.into_iter().zip(&mut lines) {
                let (x, y) = (slots.middle(number), FLOOR - height(took, top));
                let words = format!("{label}: {which} within {}", words(took));
                dots.push(Dot { x, y, words });
                let step = if begins { 'M' } else { 'L' };
                write!(line, "{step} {x} {y} ").expect("a String takes all text");
            }
            begins = false;
        }
        let tick = |part: u64| Tick { at: FLOOR - height(part, top), words: words(part) };
        let scale = vec![tick(0), tick(top / 2), tick(top)];
        Self { median, p95, scale, moments: slots.moments(labels), lines }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.median.is_empty()
    }
}

/// A bar that lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) count: u64,
    pub(super) y: u64,
    pub(super) width: u64,
}

/// Bars that lie below one another, each with its name before it and its count behind it.
#[derive(Debug)]
pub(super) struct Lying {
    pub(super) rows: Vec<Row>,
    /// How many are not drawn.
    pub(super) more: usize,
}

impl Lying {
    pub(super) fn of(counts: impl Iterator<Item = (String, u64)>) -> Self {
        let mut counts: Vec<(String, u64)> = counts.collect();
        let more = counts.len().saturating_sub(LYING_MAX);
        counts.truncate(LYING_MAX);
        let top = counts.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
        let room = WIDTH - LYING_LEFT - 700;
        let rows = (0..).zip(counts).map(|(number, (name, count))| Row {
            y: number * LYING_HEIGHT,
            width: share(count, top, room),
            name: cut(name),
            count,
        });
        Self { rows: rows.collect(), more }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.iter().all(|row| row.count == 0)
    }

    pub(super) fn height(&self) -> u64 {
        self.rows.len() as u64 * LYING_HEIGHT
    }
}

/// A name that fits before a bar; the table has all of it.
fn cut(name: String) -> String {
    const LETTERS: usize = 18;
    if name.chars().count() <= LETTERS {
        return name;
    }
    let begin: String = name.chars().take(LETTERS - 1).collect();
    begin + "…"
}

/// Equal places along a chart.
struct Slots {
    count: u64,
}

impl Slots {
    const fn of(count: usize) -> Self {
        Self { count: if count == 0 { 1 } else { count as u64 } }
    }

    const fn width(&self) -> u64 {
        (WIDTH - LEFT) / self.count
    }

    fn left(&self, number: usize) -> u64 {
        LEFT + number as u64 * self.width() + self.width() / 10
    }

    fn bar(&self) -> u64 {
        (self.width() * 8 / 10).max(1)
    }

    fn middle(&self, number: usize) -> u64 {
        LEFT + number as u64 * self.width() + self.width() / 2
    }

    fn moments(&self, labels: &[String]) -> Vec<Tick> {
        let every = labels.len().div_ceil(MOMENTS_MAX).max(1);
        let some = labels.iter().enumerate().step_by(every);
        some.map(|(number, words)| Tick { at: self.middle(number), words: words.clone() }).collect()
    }
}

fn height(value: u64, top: u64) -> u64 {
    share(value, top, FLOOR - TOP)
}

/// `value` of `top`, of so much room.
fn share(value: u64, top: u64, room: u64) -> u64 {
    let share = u128::from(value) * u128::from(room) / u128::from(top.max(1));
    u64::try_from(share).unwrap_or(room).min(room)
}

/// The next of 1, 2, 4, 6, 10, 20, 40, 60, 100 …
fn round_count(top: u64) -> u64 {
    let mut ten = 1_u64;
    loop {
        for step in [1, 2, 4, 6] {
            if ten.saturating_mul(step) >= top {
                return ten.saturating_mul(step);
            }
        }
        ten = ten.saturating_mul(10);
    }
}

/// The next round length of time, in milliseconds.
fn round_time(top: u64) -> u64 {
    const SECOND: u64 = 1_000;
    const MINUTE: u64 = 60 * SECOND;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = [2, 4, 10, 20, 60].map(|count| count * SECOND);
    let minutes = [2, 4, 10, 20, 60].map(|count| count * MINUTE);
    let hours = [2, 4, 12, 24].map(|count| count * HOUR);
    let rounds = seconds.into_iter().chain(minutes).chain(hours);
    rounds.into_iter().find(|round| *round >= top).unwrap_or_else(|| {
        let days = top.div_ceil(2 * DAY);
        days * 2 * DAY
    })
}

fn words(millis: u64) -> String {
    length(i64::try_from(millis).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("at {number}")).collect()
    }

    #[test]
    fn pieces_of_a_bar_stand_on_one_another_and_none_leaves_the_picture() {
        let counts = [[3, 0, 2], [0, 0, 0], [u64::MAX / 4, u64::MAX / 4, 1]];
        for counts in [&counts[..2], &counts[..]] {
            let bars = Bars::of(&labels(counts.len()), (["a", "b", "c"], counts));
            for piece in &bars.pieces {
                assert!(piece.x >= LEFT && piece.x + piece.width <= WIDTH, "{piece:?}");
                assert!(piece.y >= TOP && piece.y + piece.height <= FLOOR, "{piece:?}");
            }
            let [lower, upper] = &bars.pieces[..2] else { panic!("{bars:?}") };
            assert_eq!((lower.kind, upper.kind), (0, 2));
            assert_eq!(upper.y + upper.height, lower.y);
            assert_eq!((lower.words.as_str(), upper.words.as_str()), ("at 0: 3 a", "at 0: 2 c"));
        }
    }

    #[test]
    fn the_scale_ends_at_a_round_number_that_nothing_exceeds() {
        for (top, round) in [(0, 1), (1, 1), (3, 4), (5, 6), (7, 10), (61, 100), (1_999, 2_000)] {
            assert_eq!(round_count(top), round);
        }
        assert!(round_count(u64::MAX) == u64::MAX);
        for (top, round) in
            [(0, 2_000), (2_001, 4_000), (61_000, 120_000), (90_000_000, 172_800_000)]
        {
            assert_eq!(round_time(top), round);
        }
        let bars = Bars::of(&labels(1), (["a"], &[[4]]));
        let scale: Vec<&str> = bars.scale.iter().map(|tick| tick.words.as_str()).collect();
        assert_eq!(scale, ["0", "2", "4"]);
        assert_eq!(bars.scale[2].at, TOP);
    }

    #[test]
    fn a_curve_has_a_gap_where_nobody_decided() {
        let times = [Some((1_000, 2_000)), Some((500, 500)), None, Some((1_000, 1_000))];
        let curves = Curves::of(&labels(4), &times);
        assert_eq!((curves.median.len(), curves.p95.len()), (3, 3));
        assert_eq!(curves.lines[0].matches('M').count(), 2, "{:?}", curves.lines);
        assert_eq!(curves.lines[0].matches('L').count(), 1);
        assert_eq!(curves.p95[0].y, TOP, "the highest is at the top");
        assert!(curves.p95[0].words.contains("95 of 100 within 2 s"), "{:?}", curves.p95[0]);
        assert!(Curves::of(&labels(2), &[None, None]).is_empty());
    }

    #[test]
    fn few_moments_are_written_however_many_there_are() {
        for count in [1, 6, 7, 25, 366, 400] {
            let moments = Slots::of(count).moments(&labels(count));
            assert!(!moments.is_empty() && moments.len() <= MOMENTS_MAX, "{count}");
            assert!(moments.iter().all(|moment| moment.at < WIDTH), "{count}");
        }
    }

    #[test]
    fn lying_bars_are_few_and_long_names_are_cut() {
        let counts = (0..20).map(|n| (format!("provider-with-a-long-name-{n}"), 20 - n));
        let lying = Lying::of(counts);
        assert_eq!((lying.rows.len(), lying.more), (LYING_MAX, 8));
        assert!(lying.rows[0].name.ends_with('…') && lying.rows[0].name.chars().count() == 18);
        assert!(lying.rows.iter().all(|row| LYING_LEFT + row.width + 700 <= WIDTH));
        assert!(Lying::of([("x".to_owned(), 0)].into_iter()).is_empty());
    }
}
