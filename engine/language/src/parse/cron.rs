//! The five fields of a cron expression, in UTC: is it one?

/// What a field may hold.
struct Unit {
    name: &'static str,
    min: u8,
    max: u8,
    names: &'static [&'static str],
}

const UNITS: &[Unit] = &[
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

/// Why `text` is no cron expression: lists, ranges, steps and names of months and days are read.
pub(super) fn check(text: &str) -> Result<(), String> {
    if text.starts_with('@') {
        return Err(format!("`{text}` is a name of another tool, cron has five fields"));
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != UNITS.len() {
        return Err(format!("cron has five fields, this has {}", fields.len()));
    }
    for (field, unit) in fields.iter().zip(UNITS) {
        if !field.split(',').all(|part| unit.holds(part)) {
            return Err(format!("`{field}` is no {} of a cron expression", unit.name));
        }
    }
    Ok(())
}

impl Unit {
    /// `*`, a value or a range, each with an optional step; a step needs `*` or a range.
    fn holds(&self, part: &str) -> bool {
        let (base, step) = match part.split_once('/') {
            Some((base, step)) => (base, Some(step)),
            None => (part, None),
        };
        let step_fits =
            step.is_none_or(|step| number(step).is_some_and(|n| n >= 1 && n <= self.max));
        let base_fits = match base.split_once('-') {
            _ if base == "*" => true,
            Some((from, to)) => match (self.value(from), self.value(to)) {
                (Some(from), Some(to)) => from <= to,
                (None, _) | (_, None) => false,
            },
            None => step.is_none() && self.value(base).is_some(),
        };
        step_fits && base_fits
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

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn five_fields_with_lists_ranges_steps_and_names_are_read() {
        for text in ["0 0 * * *", "*/5 9-17 * * MON-FRI", "0,30 8 1 jan,JUL 7", "1-9/3 * * * *"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
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
            assert!(check(text).is_err(), "{text}");
        }
    }
}
