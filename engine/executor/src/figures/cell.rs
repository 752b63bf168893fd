//! What happened within a step of time, counted. Pure: a function of what it is told.

use super::spread::Spread;
use crate::measures::CallEnd;
use placet_model::decision::Settlement;
use placet_model::draft::Mode;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Something that is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Happened {
    /// A decision was asked for.
    Asked,
    /// It has ended, and where people ended it: after so many milliseconds.
    Settled(Settlement, Option<u64>),
    /// It could not be spent any more.
    Void,
    /// A try has ended, or a doubt about one.
    Ended { provider: String, mode: Mode, is_gated: bool, end: CallEnd },
}

/// Counts.
#[derive(Debug, Default)]
pub(super) struct Cell {
    asked: u64,
    settled: BTreeMap<Settlement, u64>,
    void: u64,
    took: Spread,
    sent: BTreeMap<Mode, u64>,
    failed: BTreeMap<(String, CallEnd), u64>,
}

/// Whether such an end is shown among failures.
const fn fails(end: CallEnd) -> bool {
    match end {
        CallEnd::Refused
        | CallEnd::Reconnect
        | CallEnd::Deferred
        | CallEnd::InDoubt
        | CallEnd::GivenUp => true,
        CallEnd::Succeeded | CallEnd::FoundSent | CallEnd::FoundNotSent => false,
    }
}

impl Cell {
    pub(super) fn note(&mut self, happened: &Happened) {
        match happened {
            Happened::Asked => self.asked += 1,
            Happened::Settled(how, took_ms) => {
                *self.settled.entry(*how).or_default() += 1;
                if let Some(took_ms) = took_ms {
                    self.took.add(*took_ms);
                }
            }
            Happened::Void => self.void += 1,
            Happened::Ended { provider, mode, is_gated, end } => {
                if end.is_sent() && *is_gated {
                    *self.sent.entry(*mode).or_default() += 1;
                }
                if fails(*end) {
                    *self.failed.entry((provider.clone(), *end)).or_default() += 1;
                }
            }
        }
    }

    /// All of another one too.
    pub(super) fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.void += other.void;
        self.took.merge(&other.took);
        for (how, count) in &other.settled {
            *self.settled.entry(*how).or_default() += count;
        }
        for (mode, count) in &other.sent {
            *self.sent.entry(*mode).or_default() += count;
        }
        for (of, count) in &other.failed {
            *self.failed.entry(of.clone()).or_default() += count;
        }
    }

    /// `{asked, settled, void, decided, median_ms, p95_ms, sent, failed}`.
    pub(super) fn to_json(&self) -> Map<String, Value> {
        let settled = Settlement::ALL
            .iter()
            .map(|how| (how.word().to_owned(), json!(self.settled.get(how).unwrap_or(&0))));
        let sent = Mode::ALL
            .iter()
            .map(|mode| (mode.word().to_owned(), json!(self.sent.get(mode).unwrap_or(&0))));
        let told = json!({
            "asked": self.asked,
            "settled": settled.collect::<Map<_, _>>(),
            "void": self.void,
            "decided": self.took.total(),
            "median_ms": self.took.quantile(50),
            "p95_ms": self.took.quantile(95),
            "sent": sent.collect::<Map<_, _>>(),
            "failed": self.failed.values().sum::<u64>(),
        });
        match told {
            Value::Object(told) => told,
            _ => Map::new(),
        }
    }

    /// `[{provider, refused, reconnect, deferred, in_doubt, given_up, total}]`, most first.
    pub(super) fn failures(&self) -> Vec<Value> {
        let mut by_provider: BTreeMap<&str, BTreeMap<CallEnd, u64>> = BTreeMap::new();
        for ((provider, end), count) in &self.failed {
            by_provider.entry(provider).or_default().insert(*end, *count);
        }
        let mut rows: Vec<(u64, Value)> = by_provider
            .into_iter()
            .map(|(provider, ends)| {
                let total: u64 = ends.values().sum();
                let mut row = json!({ "provider": provider, "total": total });
                for end in CallEnd::ALL.into_iter().filter(|end| fails(*end)) {
                    row[end.word()] = json!(ends.get(&end).unwrap_or(&0));
                }
                (total, row)
            })
            .collect();
        // stable: of the same size by name
        rows.sort_by_key(|(total, _)| std::cmp::Reverse(*total));
        rows.into_iter().map(|(_, row)| row).collect()
    }
}
