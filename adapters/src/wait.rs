//! How long a provider wants us to wait, in the many shapes in which they say it.

use crate::pointer::Pointer;
use crate::predicate::Observed;
use placet_model::Timestamp;
use regex::Regex;
use serde_json::Value;

/// A wait before the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Milliseconds from now.
    pub millis: u64,
    pub source: WaitSource,
}

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitSource {
    /// The answer named it: wait at least so long.
    Provider,
    /// The manifest's default; the caller adds jitter if `jitter`, and multiplies by `factor` for
    /// each try before this one.
    Default { jitter: bool, factor: u32 },
}

/// One rule of `wait_from`, tried in order.
#[derive(Debug, Clone)]
pub(crate) enum WaitRule {
    Header {
        name: String,
        unit: Unit,
        max_s: u32,
    },
    Body {
        at: Pointer,
        unit: Unit,
        max_s: u32,
    },
    /// The first group of the expression, in a body that is prose.
    Prose {
        regex: Regex,
        unit: Unit,
        max_s: u32,
    },
    Default {
        seconds: u32,
        jitter: bool,
        factor: u32,
    },
}

/// What a number or a text in an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Millis,
    EpochSeconds,
    EpochMillis,
    Iso8601,
    HttpDate,
}

/// Waits when a manifest says nothing.
const FALLBACK: Wait =
    Wait { millis: 30_000, source: WaitSource::Default { jitter: true, factor: 1 } };

/// The first rule that finds something; a wait in the past is no wait.
pub(crate) fn wait(rules: &[WaitRule], observed: &Observed<'_>, now: Timestamp) -> Wait {
    rules.iter().find_map(|rule| rule.read(observed, now)).unwrap_or(FALLBACK)
}

impl WaitRule {
    fn read(&self, observed: &Observed<'_>, now: Timestamp) -> Option<Wait> {
        let (text, unit, max_s) = match self {
            Self::Header { name, unit, max_s } => {
                let response = observed.answer.as_ref().ok()?;
                (response.header(name)?.to_owned(), *unit, *max_s)
            }
            Self::Body { at, unit, max_s } => match at.get(observed.body.as_ref()?)? {
                Value::String(text) => (text.clone(), *unit, *max_s),
                number @ Value::Number(_) => (number.to_string(), *unit, *max_s),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
            },
            Self::Prose { regex, unit, max_s } => {
                let response = observed.answer.as_ref().ok()?;
                let text = std::str::from_utf8(&response.body).ok()?;
                (regex.captures(text)?.get(1)?.as_str().to_owned(), *unit, *max_s)
            }
            Self::Default { seconds, jitter, factor } => {
                return Some(Wait {
                    millis: u64::from(*seconds) * 1000,
                    source: WaitSource::Default { jitter: *jitter, factor: *factor },
                });
            }
        };
        let millis = unit.millis_from(text.trim(), now)?.min(u64::from(max_s) * 1000);
        Some(Wait { millis, source: WaitSource::Provider })
    }
}

impl Unit {
    /// The moment that a text names, in milliseconds since 1970; a length of time names none.
    pub(crate) fn moment(self, text: &str) -> Option<i64> {
        match self {
            Self::Seconds | Self::Millis => None,
            Self::EpochSeconds => text.parse::<i64>().ok()?.checked_mul(1000),
            Self::EpochMillis => text.parse().ok(),
            Self::Iso8601 => text.parse::<Timestamp>().ok().map(Timestamp::as_millis),
            Self::HttpDate => http_date(text),
        }
    }

    fn millis_from(self, text: &str, now: Timestamp) -> Option<u64> {
        let until = |at: i64| u64::try_from(at.saturating_sub(now.as_millis())).unwrap_or(0);
        match self {
            Self::Seconds => thousandths(text),
            Self::Millis => text.parse().ok(),
            Self::EpochSeconds => text.parse::<i64>().ok().map(|s| until(s.saturating_mul(1000))),
            Self::EpochMillis => text.parse().ok().map(until),
            Self::Iso8601 => text.parse::<Timestamp>().ok().map(|at| until(at.as_millis())),
            Self::HttpDate => http_date(text).map(until),
        }
    }
}

/// Seconds with at most three decimals that count, `1.5` = 1500.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u64 = format!("{part:0<3}")[..3].parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(part)
}

/// The three forms of RFC 9110 §5.6.7, all of which a recipient must read, as milliseconds since
/// 1970: `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`.
fn http_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (day, month, year, time) = match words.as_slice() {
        [_, day, month, year, time, "GMT"] | [_, month, day, time, year] => {
            (*day, *month, (*year).to_owned(), *time)
        }
        [_, date, time, "GMT"] => {
            let mut parts = date.split('-');
            let (day, month, short) = (parts.next()?, parts.next()?, parts.next()?);
            let century = if short.parse::<u8>().ok()? < 70 { "20" } else { "19" };
            (day, month, format!("{century}{short}"), *time)
        }
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let iso = format!("{year}-{month:02}-{day:0>2}T{time}Z");
    iso.parse::<Timestamp>().ok().map(Timestamp::as_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{Answer, Response};

    fn waited(unit: Unit, text: &str) -> Option<u64> {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        unit.millis_from(text, now)
    }

    #[test]
    fn every_unit_is_read_and_the_past_is_no_wait() {
        assert_eq!(waited(Unit::Seconds, "30"), Some(30_000));
        assert_eq!(waited(Unit::Seconds, "1.5"), Some(1500));
        assert_eq!(waited(Unit::Millis, "250"), Some(250));
        assert_eq!(waited(Unit::EpochSeconds, "1767225610"), Some(10_000));
        assert_eq!(waited(Unit::EpochMillis, "1767225600500"), Some(500));
        assert_eq!(waited(Unit::Iso8601, "2026-01-01T00:01:00Z"), Some(60_000));
        assert_eq!(waited(Unit::HttpDate, "Thu, 01 Jan 2026 00:00:05 GMT"), Some(5000));
        assert_eq!(waited(Unit::EpochSeconds, "5"), Some(0));
        for date in [
            "Thu, 01 Jan 2026 00:00:05 GMT",
            "Thursday, 01-Jan-26 00:00:05 GMT",
            "Thu Jan  1 00:00:05 2026",
        ] {
            assert_eq!(waited(Unit::HttpDate, date), Some(5000), "{date}");
        }
        for bad in [
            "Thu, 01 Foo 2026 00:00:05 GMT",
            "Thu, 01 Jan 2026 00:00:05 CET",
            "01-01-26",
            "Thursday, 01-Jan GMT",
        ] {
            assert_eq!(waited(Unit::HttpDate, bad), None, "{bad}");
        }
    }

    #[test]
    fn garbage_is_skipped_and_the_next_rule_is_asked() {
        for text in ["", "soon", "-5", "1e3", "Thu 01 Jan"] {
            assert_eq!(waited(Unit::Seconds, text), None, "{text}");
        }
        let answer: Answer =
            Ok(Response::new(429, vec![("retry-after".into(), "soon".into())], Vec::new()));
        let rules = [
            WaitRule::Header { name: "Retry-After".into(), unit: Unit::Seconds, max_s: 600 },
            WaitRule::Default { seconds: 30, jitter: true, factor: 1 },
        ];
        let wait = wait(&rules, &Observed::new(&answer), Timestamp::EPOCH);
        assert_eq!(wait.millis, 30_000);
        assert_eq!(wait.source, WaitSource::Default { jitter: true, factor: 1 });
    }

    #[test]
    fn a_wait_is_capped() {
        let answer: Answer =
            Ok(Response::new(429, vec![("retry-after".into(), "999999".into())], Vec::new()));
        let rules =
            [WaitRule::Header { name: "retry-after".into(), unit: Unit::Seconds, max_s: 600 }];
        assert_eq!(wait(&rules, &Observed::new(&answer), Timestamp::EPOCH).millis, 600_000);
    }
}
