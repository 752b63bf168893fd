//! Cron expressions of five fields, in UTC: minute, hour, day of the month, month, day of the week.
//!
//! Lists, ranges, steps and English names of months and days are read. Where both days are
//! restricted, either of them counts, as in every cron.

use crate::{Duration, Timestamp};
use jiff::tz::TimeZone;

/// What a field may hold.
struct Unit {
    name: &'static str,
    min: u8,
    max: u8,
    names: &'static [&'static str],
}

const UNITS: [Unit; 5] = [
    Unit { name: "minute", min: 0, max: 59, names: &[] },
    Unit { name: "hour", min: 0, max: 23, names: &[] },
    Unit { name: "day of the month", min: 1, max: 31, names: &[] },
    Unit {
        name: "month",
        min: 1,
        max: 12,
        names: &[
            "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
        ],
    },
    // 7 is Sunday as well.
    Unit {
        name: "day of the week",
        min: 0,
        max: 7,
        names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    },
];

/// Days that are looked at for the next moment: more than four years, so that 29 February is found
/// also around a year that skips it.
const DAYS_MAX: u32 = 366 * 9;
const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// A cron expression. Each field is a set of numbers, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether the day of the month, or of the week, is left open.
    any_day: bool,
    any_weekday: bool,
}

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// Which field cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('@') {
            return Err(format!("`{text}` is a name of another tool, cron has five fields"));
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(format!("cron has five fields, this has {}", fields.len()));
        };
        let [minutes, hours, days, months, week] = &UNITS;
        let weekdays = week.bits(weekday)?;
        Ok(Self {
            minutes: minutes.bits(minute)?,
            hours: hours.bits(hour)?,
            days: days.bits(day)?,
            months: months.bits(month)?,
            weekdays: (weekdays | (weekdays >> 7 & 1)) & 0x7f,
            any_day: day.starts_with('*'),
            any_weekday: weekday.starts_with('*'),
        })
    }

    /// The first moment after this one; none within nine years.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let first = (after.as_millis().div_euclid(MINUTE_MS) + 1) * MINUTE_MS;
        let midnight = first.div_euclid(DAY_MS) * DAY_MS;
        for day in 0..DAYS_MAX {
            let begins = midnight + i64::from(day) * DAY_MS;
            if !self.holds_day(begins)? {
                continue;
            }
            let from = (first - begins).max(0) / MINUTE_MS;
            let minute = (from..24 * 60)
                .find(|minute| has(self.hours, minute / 60) && has(self.minutes, minute % 60));
            if let Some(minute) = minute {
                return Some(Timestamp::from_millis(begins + minute * MINUTE_MS));
            }
        }
        None
    }

    fn holds_day(&self, midnight: i64) -> Option<bool> {
        let date = jiff::Timestamp::from_millisecond(midnight).ok()?.to_zoned(TimeZone::UTC).date();
        let day = has(self.days, i64::from(date.day()));
        let weekday = has(self.weekdays, i64::from(date.weekday().to_sunday_zero_offset()));
        let fits = match (self.any_day, self.any_weekday) {
            (false, false) => day || weekday,
            (_, _) => day && weekday,
        };
        Some(fits && has(self.months, i64::from(date.month())))
    }
}

fn has(bits: u64, number: i64) -> bool {
    bits >> number & 1 == 1
}

impl Unit {
    fn bits(&self, field: &str) -> Result<u64, String> {
        let parts = field.split(',').map(|part| self.part(part));
        let bits = parts.collect::<Option<Vec<u64>>>();
        let bits =
            bits.ok_or_else(|| format!("`{field}` is no {} of a cron expression", self.name))?;
        Ok(bits.into_iter().fold(0, |all, part| all | part))
    }

    /// `*`, a value or a range, each with an optional step; a step needs `*` or a range.
    fn part(&self, part: &str) -> Option<u64> {
        let (base, step) = match part.split_once('/') {
            Some((base, step)) => (base, Some(number(step)?)),
            None => (part, None),
        };
        let (from, to) = match base.split_once('-') {
            _ if base == "*" => (self.min, self.max),
            Some((from, to)) => (self.value(from)?, self.value(to)?),
            None if step.is_none() => (self.value(base)?, self.value(base)?),
            None => return None,
        };
        let step = step.unwrap_or(1);
        if from > to || step == 0 || step > self.max {
            return None;
        }
        Some((from..=to).step_by(usize::from(step)).fold(0, |bits, value| bits | 1 << value))
    }

    fn value(&self, text: &str) -> Option<u8> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(place) => u8::try_from(place).ok()? + self.min,
            None => number(text)?,
        };
        (self.min..=self.max).contains(&value).then_some(value)
    }
}

fn number(text: &str) -> Option<u8> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// The next tick of a fixed interval after the one at `last`; none beyond the calendar.
pub fn next_tick(last: Timestamp, every: Duration) -> Option<Timestamp> {
    last.checked_add(every).filter(|next| *next > last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(cron: &str, after: &str) -> String {
        let after: Timestamp = after.parse().unwrap();
        let next = Cron::parse(cron).unwrap().next_after(after);
        next.map_or_else(|| "never".to_owned(), |at| at.to_string())
    }

    #[test]
    fn the_next_moment_is_the_first_minute_that_all_fields_hold() {
        for (cron, after, expected) in [
            ("* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00.000Z"),
            ("0 0 * * *", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00.000Z"),
            ("*/5 9-17 * * MON-FRI", "2026-11-28T10:00:00Z", "2026-11-30T09:00:00.000Z"),
            ("0,30 8 1 jan,JUL *", "2026-02-01T00:00:00Z", "2026-07-01T08:00:00.000Z"),
            ("59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00.000Z"),
            ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00.000Z"),
            ("0 0 * * 7", "2026-11-28T00:00:00Z", "2026-11-29T00:00:00.000Z"),
            ("0 0 * * 0", "2026-11-28T00:00:00Z", "2026-11-29T00:00:00.000Z"),
            ("1-9/3 * * * *", "2026-01-01T00:04:00Z", "2026-01-01T00:07:00.000Z"),
            ("0 0 31 2 *", "2026-01-01T00:00:00Z", "never"),
        ] {
            assert_eq!(next(cron, after), expected, "{cron} after {after}");
        }
    }

    #[test]
    fn where_both_days_are_restricted_either_counts() {
        assert_eq!(next("0 0 15 * FRI", "2026-01-01T00:00:00Z"), "2026-01-02T00:00:00.000Z");
        assert_eq!(next("0 0 15 * FRI", "2026-01-14T00:00:00Z"), "2026-01-15T00:00:00.000Z");
    }

    #[test]
    fn what_is_no_cron_expression_is_refused_with_its_field() {
        for text in [
            "",
            "@daily",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5/2 * * * *",
            "*/0 * * * *",
            "9-1 * * * *",
            "a * * * *",
            "+1 * * * *",
            "1,,2 * * * *",
            "- * * * *",
            "* * * * L",
        ] {
            assert!(Cron::parse(text).is_err(), "{text}");
        }
        let error = Cron::parse("0 25 * * *").unwrap_err();
        assert_eq!(error, "`25` is no hour of a cron expression");
    }
}
