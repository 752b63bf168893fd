//! Numbers: a list of candidates around the bounds, the first that meets all of them.

use super::{Error, Walk};
use serde_json::{Number, Value};

impl Walk<'_> {
    pub(super) fn number(
        &mut self,
        schema: &Value,
        hint: &str,
        whole: bool,
    ) -> Result<Value, Error> {
        let bounds = Bounds::of(schema, whole);
        let step = schema["multipleOf"].as_f64().filter(|step| *step > 0.0);
        let mut candidates = Vec::new();
        if whole && is_moment(hint) {
            #[expect(clippy::cast_precision_loss, reason = "log time is far below 2^53")]
            candidates.push(self.now.as_secs() as f64);
        }
        let (low, high) = bounds.ends();
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let some = self.choices.below(1000) as f64;
        candidates.extend([
            low + some,
            low + 1.0,
            low,
            high,
            high - 1.0,
            f64::midpoint(low, high),
            0.0,
            1.0,
            -1.0,
        ]);
        if self.attempt > 8 {
            // where one value is too many, such as in two branches of a `oneOf`, others may not be
            candidates.insert(0, low + 0.5);
            let turn = usize::try_from(self.attempt).unwrap_or(0) % candidates.len();
            candidates.rotate_left(turn);
        }
        if let Some(step) = step {
            let multiples: Vec<f64> = candidates
                .iter()
                .flat_map(|near| [(near / step).floor() * step, (near / step).ceil() * step])
                .collect();
            candidates.splice(0..0, multiples);
        }
        let fits = |candidate: &f64| {
            bounds.hold(*candidate)
                && (!whole || candidate.fract() == 0.0)
                && step.is_none_or(|step| is_multiple(*candidate, step))
        };
        let found = candidates
            .into_iter()
            .map(|number| if whole && step.is_none() { number.round() } else { number });
        match found.into_iter().find(fits).and_then(|found| to_number(found, whole)) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(self.stuck("no number meets the bounds")),
        }
    }
}

/// Both ends with whether they are included.
#[derive(Debug)]
struct Bounds {
    low: Option<(f64, bool)>,
    high: Option<(f64, bool)>,
}

impl Bounds {
    fn of(schema: &Value, _whole: bool) -> Self {
        let at = |keyword: &str| schema[keyword].as_f64();
        // the tighter one counts; exclusive wins a tie
        let low = match (at("minimum"), at("exclusiveMinimum")) {
            (Some(open), Some(closed)) if open > closed => Some((open, true)),
            (_, Some(closed)) => Some((closed, false)),
            (open, None) => open.map(|open| (open, true)),
        };
        let high = match (at("maximum"), at("exclusiveMaximum")) {
            (Some(open), Some(closed)) if open < closed => Some((open, true)),
            (_, Some(closed)) => Some((closed, false)),
            (open, None) => open.map(|open| (open, true)),
        };
        Self { low, high }
    }

    fn ends(&self) -> (f64, f64) {
        match (self.low, self.high) {
            (Some((low, _)), Some((high, _))) => (low, high),
            (Some((low, _)), None) => (low, low + 1000.0),
            (None, Some((high, _))) => (high - 1000.0, high),
            (None, None) => (0.0, 1000.0),
        }
    }

    fn hold(&self, number: f64) -> bool {
        self.low.is_none_or(|(low, included)| number > low || (included && number >= low))
            && self
                .high
                .is_none_or(|(high, included)| number < high || (included && number <= high))
    }
}

fn is_multiple(number: f64, step: f64) -> bool {
    let count = number / step;
    (count - count.round()).abs() < 1e-9
}

fn to_number(number: f64, whole: bool) -> Option<Number> {
    #[expect(clippy::cast_possible_truncation, reason = "checked to lie within 2^53")]
    if whole || (number.fract() == 0.0 && number.abs() < 9e15) {
        return (number.abs() < 9.007_199_254_740_992e15).then(|| Number::from(number as i64));
    }
    Number::from_f64(number)
}

/// Names under which APIs keep a moment in epoch seconds.
fn is_moment(hint: &str) -> bool {
    matches!(hint, "created" | "updated" | "last_set" | "timestamp" | "date" | "time")
        || hint.ends_with("_at")
}
