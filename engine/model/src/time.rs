//! Moments and durations.
//!
//! A [`Timestamp`] is log time: milliseconds since 1970 UTC, monotone over one log. A
//! [`Duration`] keeps calendar months apart from exact milliseconds, because `P1M` has no length
//! until a start is known (Open Workflow DSL durations, ISO 8601).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A moment in log time, in whole milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// The moment this many milliseconds after 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The moment `millis` later, saturating at the ends of the range.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// The moment `duration` later; months are calendar months in UTC. `None` beyond the year 9999.
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let start = jiff::Timestamp::from_millisecond(self.0).ok()?;
        let zoned = start.to_zoned(jiff::tz::TimeZone::UTC);
        let later = zoned.checked_add(jiff::Span::new().months(duration.months)).ok()?;
        let millis = later.timestamp().as_millisecond().checked_add(duration.millis)?;
        jiff::Timestamp::from_millisecond(millis).ok()?;
        Some(Self(millis))
    }

    /// Milliseconds from `earlier` to `self`; negative when `earlier` is later.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// How long the machine has been running: read from a clock that nobody can set, that goes on while
/// the machine sleeps, and that begins anew when it is started. Only two readings of one boot can be
/// compared. It is the witness beside log time, which stands still while the wall clock is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uptime {
    /// Which boot; a number that says nothing about the machine.
    pub boot: u64,
    /// Milliseconds since an arbitrary moment of that boot.
    pub millis: u64,
}

impl Uptime {
    /// Milliseconds from `earlier` to `self`; none where that cannot be known: of another boot, or
    /// a clock that has gone back.
    pub fn millis_since(self, earlier: Self) -> Option<u64> {
        let passed = self.millis.checked_sub(earlier.millis);
        passed.filter(|_| self.boot == earlier.boot)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds, `2026-01-01T00:00:00.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => write!(f, "{moment:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// Text that is not an RFC 3339 moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a moment such as 2026-01-01T00:00:00Z")]
pub struct ParseTimestampError {
    text: String,
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;
    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        let moment: jiff::Timestamp = text
            .parse()
            .map_err(|_ignored: jiff::Error| ParseTimestampError { text: text.to_owned() })?;
        Ok(Self(moment.as_millisecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

/// A length of time: calendar months, and exact milliseconds (a day is 24 hours).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Duration {
    /// Calendar months, added in UTC.
    pub months: i32,
    /// Exact milliseconds.
    pub millis: i64,
}

impl Duration {
    /// Exactly this many milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self { months: 0, millis }
    }

    /// Exactly this many days of 24 hours.
    pub const fn from_days(days: i64) -> Self {
        Self::from_millis(days * 86_400_000)
    }

    /// Whether this is no time at all.
    pub const fn is_zero(self) -> bool {
        self.months == 0 && self.millis == 0
    }

    /// Milliseconds with a month taken as 30 days: for comparing two durations, never for a due
    /// moment.
    pub const fn approximate_millis(self) -> i64 {
        (self.months as i64).saturating_mul(30 * 86_400_000).saturating_add(self.millis)
    }
}

impl fmt::Display for Duration {
    /// ISO 8601, `P1M2DT3H4M5.006S`; no time at all is `PT0S`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("PT0S");
        }
        f.write_str("P")?;
        let (days, rest) = (self.millis / 86_400_000, self.millis % 86_400_000);
        for (count, unit) in [(i64::from(self.months), "M"), (days, "D")] {
            if count != 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        if rest == 0 {
            return Ok(());
        }
        f.write_str("T")?;
        for (count, unit) in [(rest / 3_600_000, "H"), (rest / 60_000 % 60, "M")] {
            if count != 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        match (rest / 1000 % 60, rest % 1000) {
            (0, 0) => Ok(()),
            (secs, 0) => write!(f, "{secs}S"),
            (secs, millis) => write!(f, "{secs}.{millis:03}S"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_in_utc_with_milliseconds_and_parses_back() {
        let moment = Timestamp::from_millis(1_767_225_600_000);
        assert_eq!(moment.to_string(), "2026-01-01T00:00:00.000Z");
        assert_eq!("2026-01-01T00:00:00Z".parse(), Ok(moment));
    }

    #[test]
    fn uptimes_of_two_boots_cannot_be_compared_and_none_goes_back() {
        let at = |boot, millis| Uptime { boot, millis };
        assert_eq!(at(1, 5).millis_since(at(1, 3)), Some(2));
        assert_eq!(at(1, 3).millis_since(at(1, 5)), None);
        assert_eq!(at(2, 5).millis_since(at(1, 3)), None);
    }

    #[test]
    fn a_month_is_a_calendar_month() {
        let january: Timestamp = "2026-01-31T00:00:00Z".parse().unwrap();
        let due = january.checked_add(Duration { months: 1, millis: 0 }).unwrap();
        assert_eq!(due.to_string(), "2026-02-28T00:00:00.000Z");
    }

    #[test]
    fn a_duration_is_shown_in_iso_8601() {
        let duration = Duration { months: 1, millis: 2 * 86_400_000 + 3_723_004 };
        assert_eq!(duration.to_string(), "P1M2DT1H2M3.004S");
        assert_eq!(Duration::default().to_string(), "PT0S");
        assert_eq!(Duration::from_days(7).to_string(), "P7D");
    }
}
