//! Figures over time: what was asked, decided and sent, how long people took, where calls failed, and how
//! old what waits is. They decide nothing.
//!
//! Nothing is counted as it happens, so an append costs nothing for them: they are made from the log when
//! somebody looks, and kept. A look reads what was appended since the one before, and as much of what
//! lies further back as it needs, [`READ_AT_ONCE`] events at most; an answer that does not reach back as
//! far as it was asked says so, and [`Handle::count_back`] reads on.

mod cell;
mod kept;
mod read;
mod spread;

pub(crate) use spread::Spread;

use crate::handle::{Error, Handle};
use crate::inbox::requests;
use crate::measures;
use crate::public::select::Moment;
use kept::{DAY_MS, FINE_FOR_MS, FINE_MS, HOUR_MS, KEPT_DAYS, Kept};
use placet_model::{DecisionId, Timestamp};
use placet_projections::Views;
use read::read_on;
use serde::Deserialize;
use serde_json::{Value, json};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Events that one look reads: about a tenth of a second.
const READ_AT_ONCE: u64 = 100_000;
/// Steps of one answer.
const STEPS_MAX: i64 = 400;
/// Items of the inbox whose age is looked at.
const AGES_MAX: usize = 10_000;
/// Ages that are told apart: items that are younger than this.
const AGES_MS: [i64; 5] = [15 * 60_000, HOUR_MS, 4 * HOUR_MS, DAY_MS, 3 * DAY_MS];
/// Sizes of a step, by the words for them.
const STEPS: [(&str, i64); 3] = [("PT5M", FINE_MS), ("PT1H", HOUR_MS), ("P1D", DAY_MS)];

/// What is kept between two looks.
#[derive(Debug, Default)]
pub(crate) struct Figures(Mutex<Option<Kept>>);

impl Figures {
    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `figures`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FiguresBody {
    from: Option<String>,
    to: Option<String>,
    bucket: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    /// Whole steps, in milliseconds since 1970.
    span: Range<i64>,
    bucket: &'static str,
    step: i64,
}

impl Asked {
    fn of(body: &FiguresBody, now: Timestamp) -> Result<Self, Error> {
        let moment = |name: &str, text: &Option<String>, other: Timestamp| match text {
            None => Ok(other),
            Some(text) => {
                let moment = text.parse::<Moment>();
                let moment = moment.map_err(|error| malformed(format!("{name}: {error}")))?;
                Ok::<_, Error>(moment.before(now))
            }
        };
        let to = moment("to", &body.to, now)?.min(now);
        let from = moment("from", &body.from, to.plus_millis(-DAY_MS))?;
        let length = to.millis_since(from);
        if length < 0 {
            return Err(malformed(format!("from: {from} is after {to}")));
        }
        let usual = if length <= 6 * HOUR_MS {
            "PT5M"
        } else if length <= 4 * DAY_MS {
            "PT1H"
        } else {
            "P1D"
        };
        let word = body.bucket.as_deref().unwrap_or(usual);
        let Some((bucket, step)) = STEPS.into_iter().find(|(known, _)| *known == word) else {
            return Err(malformed(format!("bucket: {word:?} is none of PT5M, PT1H, P1D")));
        };
        let floor = |at: Timestamp| at.as_millis().div_euclid(step).saturating_mul(step);
        let span = floor(from)..floor(to).saturating_add(step);
        if (span.end.saturating_sub(span.start)) / step > STEPS_MAX {
            let detail =
                format!("bucket: from {from} to {to} are more than {STEPS_MAX} of {bucket}");
            return Err(malformed(detail));
        }
        let kept_for = if step < HOUR_MS { FINE_FOR_MS } else { KEPT_DAYS * DAY_MS };
        if now.millis_since(from) > kept_for {
            let days = kept_for / DAY_MS;
            let detail =
                format!("from: steps of {bucket} are kept for {days} days, not since {from}");
            return Err(malformed(detail));
        }
        Ok(Self { span, bucket, step })
    }

    const fn begins(&self) -> Timestamp {
        Timestamp::from_millis(self.span.start)
    }
}

fn malformed(detail: String) -> Error {
    requests::malformed(detail)
}

impl Handle {
    /// `{from?, to?, bucket?}` → `{from, to, bucket, complete, counted_since, buckets, total, failures,
    /// queue}`: the last day by hours when nothing is said. The same definitions as those of the metrics.
    /// Not `complete` is an answer that does not reach back to `from` yet; [`Self::count_back`] helps.
    ///
    /// # Errors
    /// A malformed request; a project that cannot be read.
    pub fn figures(&self, body: &Value) -> Result<Value, Error> {
        let now = self.now();
        let asked = Asked::of(&requests::parse(body)?, now)?;
        let view = self.view()?;
        let mut kept = self.figures.kept();
        let kept = read_on(&mut kept, (&view, asked.begins()), (now, READ_AT_ONCE))?;
        let span = asked.span.clone();
        let starts = (0..STEPS_MAX).map(|number| span.start + number * asked.step);
        let buckets = starts.take_while(|start| *start < span.end).map(|start| {
            let mut told = kept.sum(start..start + asked.step, asked.step).to_json();
            told.insert("at".to_owned(), json!(Timestamp::from_millis(start)));
            Value::Object(told)
        });
        let buckets: Vec<Value> = buckets.collect();
        let total = kept.sum(span.clone(), asked.step);
        Ok(json!({
            "from": Timestamp::from_millis(span.start),
            "to": Timestamp::from_millis(span.end),
            "bucket": asked.bucket,
            "complete": kept.reaches(asked.begins()),
            "counted_since": kept.since(),
            "buckets": buckets,
            "total": total.to_json(),
            "failures": total.failures(),
            "queue": self.queue(&Views::new(&view)?)?,
        }))
    }

    /// Reads some more of what lies before what is counted; whether it now reaches back to the span that
    /// such a request asks for.
    ///
    /// # Errors
    /// As [`Self::figures`].
    pub fn count_back(&self, body: &Value) -> Result<bool, Error> {
        let now = self.now();
        let asked = Asked::of(&requests::parse(body)?, now)?;
        let view = self.view()?;
        let mut kept = self.figures.kept();
        Ok(read_on(&mut kept, (&view, asked.begins()), (now, READ_AT_ONCE))?
            .reaches(asked.begins()))
    }

    /// `{open, oldest_ms, ages: [{below_ms, count}], partial}`: what waits for votes, by how long ago it
    /// was asked for. An id begins with the moment at which it was made.
    ///
    /// # Errors
    /// A project that cannot be read.
    pub fn queue(&self, views: &Views<'_>) -> Result<Value, Error> {
        let mut waiting = views.waiting_for_votes(AGES_MAX + 1)?;
        let is_partial = waiting.len() > AGES_MAX;
        waiting.truncate(AGES_MAX);
        let now = self.now();
        let mut ages = [0_u64; AGES_MS.len() + 1];
        let mut oldest = None;
        for decision in &waiting {
            let age = age(*decision, now);
            oldest = oldest.max(Some(age));
            let class = AGES_MS.iter().position(|below| age < *below);
            ages[class.unwrap_or(AGES_MS.len())] += 1;
        }
        let bounds = AGES_MS.iter().map(|below| Some(*below)).chain([None]);
        let ages: Vec<Value> = bounds
            .zip(ages)
            .map(|(below, count)| json!({ "below_ms": below, "count": count }))
            .collect();
        Ok(json!({
            "open": waiting.len(), "oldest_ms": oldest, "ages": ages, "partial": is_partial,
        }))
    }
}

fn age(decision: DecisionId, now: Timestamp) -> i64 {
    i64::try_from(measures::since(decision, now).as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(from: Option<&str>, to: Option<&str>, bucket: Option<&str>) -> Result<Asked, Error> {
        let now: Timestamp = "2026-06-15T10:20:30Z".parse().unwrap();
        let text = |text: Option<&str>| text.map(str::to_owned);
        let body = FiguresBody { from: text(from), to: text(to), bucket: text(bucket) };
        Asked::of(&body, now)
    }

    #[track_caller]
    fn check(asked: &Asked, bucket: &str, from: &str, steps: i64) {
        let begins: Timestamp = from.parse().unwrap();
        assert_eq!((asked.bucket, asked.begins()), (bucket, begins));
        assert_eq!((asked.span.end - asked.span.start) / asked.step, steps);
    }

    #[test]
    fn a_span_is_whole_steps_of_the_size_that_suits_it() {
        let all = asked(None, None, None).unwrap();
        check(&all, "PT1H", "2026-06-14T10:00:00Z", 25);
        let hours = asked(Some("PT2H"), None, None).unwrap();
        check(&hours, "PT5M", "2026-06-15T08:20:00Z", 25);
        let month = asked(Some("P30D"), None, None).unwrap();
        check(&month, "P1D", "2026-05-16T00:00:00Z", 31);
        let (from, to) = ("2026-06-01T12:00:00Z", "2026-06-02T12:00:00Z");
        let past = asked(Some(from), Some(to), Some("PT1H")).unwrap();
        check(&past, "PT1H", from, 25);
        let future = asked(Some("PT1H"), Some("2027-01-01T00:00:00Z"), None).unwrap();
        check(&future, "PT5M", "2026-06-15T09:20:00Z", 13);
    }

    #[test]
    fn what_cannot_be_told_is_refused_and_says_which_word_it_was() {
        for (from, to, bucket, word) in [
            (Some("yesterday"), None, None, "from:"),
            (None, Some("PT"), None, "to:"),
            (Some("PT1H"), Some("PT2H"), None, "from:"),
            (None, None, Some("PT7M"), "bucket:"),
            (Some("P30D"), None, Some("PT1H"), "bucket:"),
            (Some("P3D"), Some("P2DT20H"), Some("PT5M"), "from:"),
            (Some("P500D"), Some("P400D"), None, "from:"),
        ] {
            let error = asked(from, to, bucket).unwrap_err();
            assert_eq!(error.code(), "PL4003");
            assert!(error.to_string().starts_with(word), "{error}");
        }
    }
}
