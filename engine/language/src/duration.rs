//! Durations as authors write them: ISO 8601, or an object of integers.
//!
//! Years and months are calendar units; a week is seven days, a day 24 hours. Fractions stand only
//! in the smallest unit given and only for W, D, H, M (minutes) and S. At most ten years.

use placet_model::Duration;
use serde_json::Value;

const MILLIS_PER_SECOND: i64 = 1_000;
const MILLIS_PER_MINUTE: i64 = 60 * MILLIS_PER_SECOND;
const MILLIS_PER_HOUR: i64 = 60 * MILLIS_PER_MINUTE;
const MILLIS_PER_DAY: i64 = 24 * MILLIS_PER_HOUR;
const MILLIS_PER_WEEK: i64 = 7 * MILLIS_PER_DAY;
/// Ten years of 366 days.
const MILLIS_MAX: i64 = 3_660 * MILLIS_PER_DAY;
const MONTHS_MAX: i64 = 120;

/// The keys of a duration object.
pub(crate) const KEYS: &[&str] = &["days", "hours", "minutes", "seconds", "milliseconds"];

/// Why something is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not ISO 8601.
    #[error("`{text}` is not an ISO 8601 duration")]
    Text {
        /// As written.
        text: String,
    },
    /// The object has no such key, or a value that is no whole number of at least zero.
    #[error("a duration object holds whole numbers of at least 0 under {}", KEYS.join(", "))]
    Object,
    /// Neither text nor object.
    #[error("a duration is an ISO 8601 string or an object")]
    Kind,
    /// Over ten years.
    #[error("a duration may be at most ten years")]
    TooLong,
}

/// The duration that a value gives (a literal, or the result of an expression).
///
/// # Errors
/// See [`Error`].
pub fn from_value(value: &Value) -> Result<Duration, Error> {
    match value {
        Value::String(text) => from_text(text),
        Value::Object(map) if map.is_empty() => Err(Error::Object),
        Value::Object(map) => map.iter().try_fold(Duration::default(), |total, (key, count)| {
            let unit = match key.as_str() {
                "days" => MILLIS_PER_DAY,
                "hours" => MILLIS_PER_HOUR,
                "minutes" => MILLIS_PER_MINUTE,
                "seconds" => MILLIS_PER_SECOND,
                "milliseconds" => 1,
                _ => return Err(Error::Object),
            };
            let count = count.as_i64().filter(|count| *count >= 0).ok_or(Error::Object)?;
            plus(total, 0, count.checked_mul(unit))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Err(Error::Kind),
    }
}

/// The duration that an ISO 8601 text gives.
///
/// # Errors
/// See [`Error`].
pub fn from_text(text: &str) -> Result<Duration, Error> {
    let wrong = || Error::Text { text: text.chars().take(40).collect() };
    let rest = text.strip_prefix('P').ok_or_else(wrong)?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return Err(wrong()),
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    if rest.is_empty() {
        return Err(wrong());
    }
    let date = units(
        date,
        &[('Y', None), ('M', None), ('W', Some(MILLIS_PER_WEEK)), ('D', Some(MILLIS_PER_DAY))],
    );
    let time = units(
        time,
        &[
            ('H', Some(MILLIS_PER_HOUR)),
            ('M', Some(MILLIS_PER_MINUTE)),
            ('S', Some(MILLIS_PER_SECOND)),
        ],
    );
    let (date, time) = (date.ok_or_else(wrong)?, time.ok_or_else(wrong)?);
    let all: Vec<&Unit> = date.iter().chain(&time).collect();
    all.iter().enumerate().try_fold(Duration::default(), |total, (place, unit)| {
        if unit.thousandths % 1_000 != 0 && place + 1 != all.len() {
            return Err(wrong());
        }
        match unit.millis {
            Some(millis) => {
                let scaled = i128::from(unit.thousandths) * i128::from(millis) / 1_000;
                plus(total, 0, i64::try_from(scaled).ok())
            }
            None if unit.thousandths % 1_000 != 0 => Err(wrong()),
            None => {
                let months = if unit.letter == 'Y' { 12 } else { 1 };
                plus(total, unit.thousandths / 1_000 * months, Some(0))
            }
        }
    })
}

struct Unit {
    letter: char,
    /// None for calendar units.
    millis: Option<i64>,
    thousandths: i64,
}

/// Numbers each followed by its letter, letters in the given order.
fn units(text: &str, order: &[(char, Option<i64>)]) -> Option<Vec<Unit>> {
    let (mut rest, mut order) = (text, order.iter());
    let mut found = Vec::new();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let letter = after.chars().next()?;
        let (letter, millis) = order.by_ref().find(|(known, _)| *known == letter)?;
        found.push(Unit { letter: *letter, millis: *millis, thousandths: thousandths(number)? });
        rest = after.get(1..)?;
    }
    Some(found)
}

/// `12.345` as 12345; digits beyond the third are cut, as results are whole milliseconds.
fn thousandths(number: &str) -> Option<i64> {
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (number, ""),
    };
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    whole.parse::<i64>().ok()?.checked_mul(1_000)?.checked_add(digits.parse().ok()?)
}

fn plus(total: Duration, months: i64, millis: Option<i64>) -> Result<Duration, Error> {
    let months = i64::from(total.months).checked_add(months).filter(|n| *n <= MONTHS_MAX);
    let millis =
        millis.and_then(|more| total.millis.checked_add(more)).filter(|n| *n <= MILLIS_MAX);
    let months = months.and_then(|months| i32::try_from(months).ok());
    match (months, millis) {
        (Some(months), Some(millis)) => Ok(Duration { months, millis }),
        (None, _) | (_, None) => Err(Error::TooLong),
    }
}

/// The ISO form of an object with one fractional member, for a help line.
pub(crate) fn iso_of_fraction(value: &Value) -> Option<String> {
    let (key, count) = value.as_object().filter(|map| map.len() == 1)?.iter().next()?;
    let count = count.as_f64()?;
    let iso = match key.as_str() {
        "days" => format!("P{count}D"),
        "hours" => format!("PT{count}H"),
        "minutes" => format!("PT{count}M"),
        "seconds" => format!("PT{count}S"),
        _ => return None,
    };
    from_text(&iso).ok().map(|_| iso)
}

/// The ISO form of a habit such as `30m`, `2d` or `1h30m`, for a help line.
pub(crate) fn iso_of_habit(text: &str) -> Option<String> {
    let mut date = String::new();
    let mut time = String::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(end);
        let after = after.trim_start();
        let word_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (word, next) = after.split_at(word_end);
        if number.is_empty() {
            return None;
        }
        match word.to_ascii_lowercase().as_str() {
            "w" | "week" | "weeks" => date.extend([number, "W"]),
            "d" | "day" | "days" => date.extend([number, "D"]),
            "h" | "hour" | "hours" => time.extend([number, "H"]),
            "m" | "min" | "mins" | "minute" | "minutes" => time.extend([number, "M"]),
            "s" | "sec" | "secs" | "second" | "seconds" => time.extend([number, "S"]),
            _ => return None,
        }
        rest = next.trim_start();
    }
    let time = if time.is_empty() { time } else { format!("T{time}") };
    let iso = format!("P{date}{time}");
    from_text(&iso).ok().map(|_| iso)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn iso_durations_mean_whole_milliseconds_and_calendar_months() {
        for (text, months, millis) in [
            ("PT30M", 0, 1_800_000),
            ("P2D", 0, 172_800_000),
            ("P1W", 0, 604_800_000),
            ("P1Y2M", 14, 0),
            ("P1DT1H1M1.5S", 0, 90_061_500),
            ("PT0.5H", 0, 1_800_000),
            ("PT0S", 0, 0),
        ] {
            assert_eq!(from_text(text), Ok(Duration { months, millis }), "{text}");
        }
    }

    #[test]
    fn habits_of_other_tools_are_no_durations_but_have_an_iso_form() {
        for (text, iso) in
            [("30m", "PT30M"), ("2d", "P2D"), ("1h30m", "PT1H30M"), ("5 min", "PT5M")]
        {
            assert!(from_text(text).is_err(), "{text}");
            assert_eq!(iso_of_habit(text).as_deref(), Some(iso), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "P",
            "PT",
            "P1",
            "1D",
            "P1DT",
            "PT1.5H1M",
            "P0.5M",
            "P1.Y",
            "PT1M1H",
            "P-1D",
            "-P1D",
            "P1H",
            "p1d",
            "P1D ",
            "P11Y",
            "P99999999999999999999D",
            "PT.5S",
            "PT1.S",
        ] {
            assert!(from_text(text).is_err(), "{text}");
        }
        for value in [
            json!({}),
            json!({"weeks": 1}),
            json!({"days": -1}),
            json!({"hours": 1.5}),
            json!(5),
            json!(null),
            json!([]),
        ] {
            assert!(from_value(&value).is_err(), "{value}");
        }
        assert_eq!(
            from_value(&json!({"days": 1, "milliseconds": 5})),
            Ok(Duration::from_millis(86_400_005))
        );
    }
}
