//! Figures over time as pictures: drawn on the server as SVG within the page, coloured by the style sheet
//! alone, each with the same figures as a table below it.

mod plot;

use super::shell::{Section, Shell, Shown, shown};
use super::text::{Line, read};
use super::times::length;
use super::viewer::Viewer;
use crate::api;
use crate::app::App;
use crate::extract::Params;
use crate::problem::Problem;
use askama::Template;
use axum::extract::State;
use placet_model::Timestamp;
use plot::{Bars, Curves, Lying};
use serde::Deserialize;
use std::sync::Arc;

/// Spans that can be chosen: their word in the address, what is asked for, and how they are called.
const SPANS: [(&str, &str, &str); 5] = [
    ("hours", "PT6H", "6 hours"),
    ("day", "P1D", "day"),
    ("week", "P7D", "week"),
    ("month", "P30D", "month"),
    ("year", "P365D", "year"),
];
/// The one without a word.
const USUAL: usize = 1;

/// What `GET /api/v1/stats` answers.
#[derive(Debug, Deserialize)]
struct Figures {
    bucket: String,
    complete: bool,
    counted_since: Option<Timestamp>,
    buckets: Vec<Bucket>,
    total: Total,
    failures: Vec<Failures>,
    queue: Queue,
}

#[derive(Debug, Deserialize)]
struct Bucket {
    at: Timestamp,
    #[serde(flatten)]
    counts: Total,
}

impl Bucket {
    const fn at(&self) -> Timestamp {
        self.at
    }
}

#[derive(Debug, Deserialize)]
struct Total {
    asked: u64,
    settled: Settled,
    void: u64,
    decided: u64,
    median_ms: Option<u64>,
    p95_ms: Option<u64>,
    sent: Sent,
    failed: u64,
}

#[derive(Debug, Deserialize)]
struct Settled {
    approved: u64,
    rejected: u64,
    responded: u64,
    expired: u64,
    withdrawn: u64,
    superseded: u64,
}

impl Settled {
    const fn other(&self) -> u64 {
        self.withdrawn + self.superseded
    }

    const fn refused(&self) -> u64 {
        self.rejected + self.responded
    }
}

#[derive(Debug, Deserialize)]
struct Sent {
    sandbox: u64,
    live: u64,
}

#[derive(Debug, Deserialize)]
struct Failures {
    provider: Line,
    refused: u64,
    reconnect: u64,
    deferred: u64,
    in_doubt: u64,
    given_up: u64,
    total: u64,
}

/// How old what waits is.
#[derive(Debug, Deserialize)]
pub(super) struct Queue {
    pub(super) open: u64,
    oldest_ms: Option<i64>,
    ages: Vec<Age>,
    pub(super) partial: bool,
}

#[derive(Debug, Deserialize)]
struct Age {
    below_ms: Option<i64>,
    count: u64,
}

impl Queue {
    /// How long the oldest has waited.
    pub(super) fn oldest(&self) -> Option<String> {
        self.oldest_ms.map(length)
    }

    /// Each class of ages in words.
    fn classes(&self) -> Vec<(String, u64)> {
        let mut before: Option<i64> = None;
        let classes = self.ages.iter().map(|age| {
            let words = match (age.below_ms, before) {
                (Some(below), None) => format!("under {}", short(below)),
                (Some(below), Some(from)) => format!("{} to {}", short(from), short(below)),
                (None, from) => format!("{} and more", short(from.unwrap_or(0))),
            };
            before = age.below_ms;
            (words, age.count)
        });
        classes.collect()
    }
}

/// A round length of time.
fn short(millis: i64) -> String {
    let minutes = millis / 60_000;
    match minutes {
        ..60 => format!("{minutes} min"),
        60..1440 => format!("{} h", minutes / 60),
        1440.. => format!("{} d", minutes / 1440),
    }
}

#[derive(Template)]
#[template(path = "charts/page.html", blocks = ["live"])]
struct Page {
    shell: Shell,
    span: usize,
    figures: Figures,
    sent: Bars,
    decisions: Bars,
    took: Curves,
    failures: Lying,
    queue: Lying,
}

/// `GET /charts?span=hours|day|week|month|year`.
pub(super) async fn page(State(app): State<Arc<App>>, viewer: Viewer, params: Params) -> Shown {
    let params = params.only(&["span"])?;
    let span = match params.text("span") {
        None => USUAL,
        Some(word) => SPANS.iter().position(|(known, ..)| *known == word).ok_or_else(|| {
            let known = SPANS.map(|(known, ..)| known).join(", ");
            Problem::malformed(format!("query: span: {word:?} is none of {known}"))
        })?,
    };
    let asked = Params::default().with("from", SPANS[span].1);
    let (state, caller) = (State(Arc::clone(&app)), viewer.caller.clone());
    let axum::Json(answer) = api::figures::stats(state, caller, asked).await?;
    let figures: Figures = read(answer)?;
    let page = Page {
        shell: Shell::of(&app, &viewer, (Section::Charts, "Charts".to_owned())),
        span,
        sent: sent(&figures),
        decisions: decisions(&figures),
        took: took(&figures),
        failures: Lying::of(
            figures.failures.iter().map(|row| (row.provider.to_string(), row.total)),
        ),
        queue: Lying::of(figures.queue.classes().into_iter()),
        figures,
    };
    shown(viewer.part, &page, &page.as_live())
}

impl Figures {
    /// The moment of a step, as short as the size of the steps lets it be; UTC.
    fn at(&self, at: Timestamp) -> String {
        let text = at.to_string();
        let part = match self.bucket.as_str() {
            "PT5M" => text.get(11..16),
            "PT1H" => text.get(5..16),
            _ => text.get(..10),
        };
        part.unwrap_or(&text).replace('T', " ")
    }

    fn labels(&self) -> Vec<String> {
        self.buckets.iter().map(|bucket| self.at(bucket.at)).collect()
    }

    fn each<const N: usize>(&self, of: fn(&Total) -> [u64; N]) -> Vec<[u64; N]> {
        self.buckets.iter().map(|bucket| of(&bucket.counts)).collect()
    }
}

fn sent(figures: &Figures) -> Bars {
    let counts = figures.each(|counts| [counts.sent.live, counts.sent.sandbox]);
    Bars::of(&figures.labels(), (["live", "sandbox"], &counts))
}

fn decisions(figures: &Figures) -> Bars {
    let counts = figures.each(|counts| {
        let settled = &counts.settled;
        [settled.approved, settled.refused(), settled.expired, settled.other()]
    });
    let names = ["approved", "rejected or sent back", "expired", "taken back or replaced"];
    Bars::of(&figures.labels(), (names, &counts))
}

fn took(figures: &Figures) -> Curves {
    let times = figures.buckets.iter().map(|bucket| {
        let Total { median_ms, p95_ms, .. } = bucket.counts;
        median_ms.zip(p95_ms)
    });
    Curves::of(&figures.labels(), &times.collect::<Vec<_>>())
}

/// A time to decide, or nothing where nobody decided.
fn time(millis: Option<&u64>) -> String {
    let millis = millis.map(|millis| i64::try_from(*millis).unwrap_or(i64::MAX));
    millis.map_or_else(|| "–".to_owned(), length)
}
