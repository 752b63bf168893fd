//! `limits` → what each operation counts in.

use super::document::ManifestDoc;
use super::document_limits::{LimitDoc, ScopeDoc, WeightDoc};
use super::operation::Operation;
use super::problem::Problems;
use crate::limits::{Limit, LimitScope};
use serde_saphyr::Spanned;
use std::time::Duration;

/// A budget over a longer time than a day is no rate.
const WINDOW_S_MAX: u32 = 86_400;

/// Reports what is wrong with the list itself: names of no operation, rates that let nothing through.
pub(super) fn check(document: &ManifestDoc, modes: &[String], problems: &mut Problems) {
    for limit in &document.limits {
        check_one((document, &limit.value), modes, problems);
    }
}

fn check_one(
    (document, limit): (&ManifestDoc, &LimitDoc),
    modes: &[String],
    problems: &mut Problems,
) {
    if limit.window_s.value == 0 || limit.window_s.value > WINDOW_S_MAX {
        problems.at(&limit.window_s, format!("window_s is 1 to {WINDOW_S_MAX}"));
    }
    if limit.rate.value == 0 {
        problems.at(&limit.rate, "a rate of 0 lets nothing through");
    }
    for named in limit.ops.iter().flatten() {
        if !document.operations.contains_key(&named.value) {
            problems.at(named, format!("there is no operation {}", named.value));
        }
    }
    if let Some(weight) = &limit.weight {
        if let WeightDoc::Of(weights) = &weight.value {
            for name in weights.keys().filter(|name| !document.operations.contains_key(*name)) {
                problems.at(weight, format!("there is no operation {name}"));
            }
        }
        let heaviest = match &weight.value {
            WeightDoc::Each(weight) => Some(*weight),
            WeightDoc::Of(weights) => weights.values().copied().max(),
        };
        let lightest = match &weight.value {
            WeightDoc::Each(weight) => Some(*weight),
            WeightDoc::Of(weights) => weights.values().copied().min(),
        };
        if lightest == Some(0) || heaviest.is_some_and(|heaviest| heaviest > limit.rate.value) {
            problems.at(weight, "a weight is 1 to the rate: what weighs more could never go");
        }
    }
    if let Some(mode) = limit.mode.as_ref().filter(|mode| !modes.contains(&mode.value)) {
        problems.at(mode, "limits.mode is a mode of auth.mode_from");
    }
}

/// The limits that this operation counts in.
pub(super) fn of_operation(
    name: &str,
    document: &ManifestDoc,
    operation: &Operation,
    problems: &mut Problems,
) -> Vec<Limit> {
    let mut limits = vec![];
    for (entry, limit) in document.limits.iter().enumerate() {
        let named = limit.value.ops.as_ref();
        if named.is_some_and(|ops| ops.iter().all(|op| op.value != name)) {
            continue;
        }
        let Some(scope) = scope((limit, operation), named.is_some(), problems) else { continue };
        limits.push(Limit {
            entry,
            scope,
            rate: limit.value.rate.value,
            window: Duration::from_secs(u64::from(limit.value.window_s.value)),
            weight: limit.value.weight.as_ref().map_or(1, |weight| weight_of(name, &weight.value)),
            mode: limit.value.mode.as_ref().map(|mode| mode.value.clone()),
        });
    }
    limits
}

fn weight_of(name: &str, weight: &WeightDoc) -> u32 {
    match weight {
        WeightDoc::Each(weight) => *weight,
        WeightDoc::Of(weights) => weights.get(name).copied().unwrap_or(1),
    }
}

/// A channel is the first part that the target's format names; an operation that goes to none counts
/// in no budget of channels, unless it is named, which is a mistake.
fn scope(
    (limit, operation): (&Spanned<LimitDoc>, &Operation),
    is_named: bool,
    problems: &mut Problems,
) -> Option<LimitScope> {
    Some(match limit.value.scope {
        ScopeDoc::Account => LimitScope::Account,
        ScopeDoc::Method => LimitScope::Method,
        ScopeDoc::User => LimitScope::User,
        ScopeDoc::Channel => {
            let part = operation.target_spec().and_then(|target| target.grammar.first_part());
            if part.is_none() && is_named {
                let words = format!("{} has no target to count by", operation.name());
                problems.at(limit, words);
            }
            LimitScope::Channel(part?.to_owned())
        }
    })
}
