//! Strings: by the property's name before the format, by the format before the pattern, and a
//! word stretched or cut to length where none of them says anything.

use super::pattern::{matches, text_for};
use super::{Error, Walk, count_of, words};
use serde_json::Value;

/// Longest stretch of a pattern's open repetition, by turns.
const WIDTHS: [u32; 6] = [3, 8, 1, 12, 24, 0];
/// Longest string that is made where only a minimum is asked.
const LENGTH_MAX: usize = 100_000;

impl Walk<'_> {
    pub(super) fn string(&mut self, schema: &Value, hint: &str) -> Result<String, Error> {
        let limits = Limits::of(schema);
        if let Some(pattern) = schema["pattern"].as_str() {
            return self.by_pattern(pattern, schema, hint, &limits);
        }
        let format = schema["format"].as_str();
        let named = if format.is_none() { words::by_name(hint, &mut self.choices) } else { None };
        let formatted =
            format.and_then(|format| words::by_format(format, hint, &mut self.choices, self.now));
        for candidate in [named, formatted].into_iter().flatten() {
            if limits.hold(&candidate) {
                return Ok(candidate);
            }
        }
        self.stretched(&limits)
    }

    fn by_pattern(
        &mut self,
        pattern: &str,
        schema: &Value,
        hint: &str,
        limits: &Limits,
    ) -> Result<String, Error> {
        let fits = |text: &str| limits.hold(text) && matches(pattern, text).unwrap_or(true);
        let format = schema["format"].as_str();
        let formatted =
            format.and_then(|format| words::by_format(format, hint, &mut self.choices, self.now));
        let named = words::by_name(hint, &mut self.choices);
        if let Some(found) = [formatted, named].into_iter().flatten().find(|text| fits(text)) {
            return Ok(found);
        }
        for turn in 0..40_usize {
            let wanted = u32::try_from(limits.min).unwrap_or(0);
            let width = WIDTHS[turn % WIDTHS.len()] + if turn >= 6 { wanted } else { 0 };
            let Some(text) = text_for(pattern, &mut self.choices, width) else { break };
            if fits(&text) {
                return Ok(text);
            }
            // a pattern that is not anchored leaves room beside it
            let missing = limits.min.saturating_sub(text.chars().count());
            let longer = text + &"a".repeat(missing.min(LENGTH_MAX));
            if missing > 0 && fits(&longer) {
                return Ok(longer);
            }
        }
        Err(self.stuck("no text was found for the pattern"))
    }

    fn stretched(&mut self, limits: &Limits) -> Result<String, Error> {
        if limits.min > limits.max || limits.min > LENGTH_MAX {
            return Err(self.stuck("no text has this length"));
        }
        let mut text = words::sentence(&mut self.choices);
        while text.chars().count() < limits.min {
            text.push(' ');
            text.push_str(&words::sentence(&mut self.choices));
        }
        let count = text.chars().count();
        let length = if count > limits.max { limits.max } else { count.min(limits.min.max(count)) };
        let cut: String = text.chars().take(length).collect();
        // no blank at the end, unless the length asks for it
        let trimmed = cut.trim_end();
        Ok(if trimmed.chars().count() >= limits.min { trimmed.to_owned() } else { cut })
    }
}

#[derive(Debug)]
struct Limits {
    min: usize,
    max: usize,
}

impl Limits {
    fn of(schema: &Value) -> Self {
        let length = |keyword: &str| count_of(schema, keyword);
        Self {
            min: length("minLength").unwrap_or(0),
            max: length("maxLength").unwrap_or(usize::MAX),
        }
    }

    fn hold(&self, text: &str) -> bool {
        (self.min..=self.max).contains(&text.chars().count())
    }
}
