//! From an answer to what it means: the manifest's rules in order, the last one always `else`.
//!
//! Invariant: for every effect but `read`, an answer that no rule knows is *in doubt*, never
//! "failed". The lint makes `else: in_doubt` a condition of loading; this file only reads rules.

use crate::manifest::Operation;
use crate::pointer::Pointer;
use crate::predicate::{Observed, When};
use crate::reduce;
use crate::template::{Scope, Template};
use crate::transport::{Answer, Cause, Phase};
use crate::wait::{Wait, wait};
use placet_model::manifest::Outcome;
use placet_model::{Timestamp, attempt::Evidence};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// One rule; the last of a list has no condition.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) when: Option<When>,
    pub(crate) outcome: Outcome,
}

/// Where the provider's own error word stands.
#[derive(Debug, Clone)]
pub(crate) struct ErrorCode {
    pub(crate) at: Pointer,
    pub(crate) detail: Vec<Pointer>,
    pub(crate) message: Option<Pointer>,
}

/// What an outcome is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The answer to the call itself.
    Answer,
    /// The provider has what the call would make: its answer is a refusal, and no output.
    Exists,
}

/// What a try came to.
#[derive(Clone, PartialEq)]
pub struct Classified {
    pub outcome: Outcome,
    /// What it is known from.
    pub basis: Basis,
    /// Index of the rule that decided; the manifest's order.
    pub rule: Option<usize>,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Before the next try; only for `refused_retry`.
    pub wait: Option<Wait>,
    /// `external_id`, `thread_id`, `message_id`, …; only for `sent`.
    pub result: BTreeMap<String, String>,
    /// The fields of `store`, in their place, headers under `headers`: what may stand in events.
    pub stored: Value,
    /// The provider's own error word, for a person and for an alert rule.
    pub error: Option<ProviderError>,
    /// Why nobody knows; only for `in_doubt`.
    pub evidence: Option<Evidence>,
}

impl fmt::Debug for Classified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classified")
            .field("outcome", &self.outcome)
            .field("rule", &self.rule)
            .field("status", &self.status)
            .field("wait", &self.wait)
            .field("error", &self.error.as_ref().map(|error| &error.code))
            .finish_non_exhaustive()
    }
}

/// What the provider calls its refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderError {
    /// `channel_not_found`, or our own word where there was no answer.
    pub code: String,
    /// Further fields that the manifest names; may hold names of scopes or parameters.
    pub detail: Vec<Value>,
    pub message: Option<String>,
}

/// What a template needs to name the result.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    pub input: &'a Value,
    pub settings: &'a Value,
    pub send_id: &'a str,
}

/// Decides what an answer means. Pure: equal answers, equal outcomes.
pub fn classify(
    operation: &Operation,
    answer: &Answer,
    sent: Sent<'_>,
    now: Timestamp,
) -> Classified {
    let observed = Observed::new(answer);
    let (rule, outcome) = decide(operation, &observed);
    Classified {
        outcome,
        basis: Basis::Answer,
        rule,
        status: answer.as_ref().ok().map(|response| response.status),
        wait: (outcome == Outcome::RefusedRetry).then(|| wait(&operation.waits, &observed, now)),
        result: if outcome == Outcome::Sent {
            result_ids(operation, &observed, sent)
        } else {
            BTreeMap::new()
        },
        stored: stored(operation, &observed),
        error: error_of(operation, &observed, outcome),
        evidence: (outcome == Outcome::InDoubt).then(|| evidence_of(answer)),
    }
}

/// A target or bytes that our own rules forbid stay forbidden: trying again cannot help.
fn decide(operation: &Operation, observed: &Observed<'_>) -> (Option<usize>, Outcome) {
    if let Err(failed) = observed.answer
        && failed.phase == Phase::BeforeSend
        && failed.cause == Cause::Refused
    {
        return (None, Outcome::RefusedPermanent);
    }
    let found = operation
        .rules
        .iter()
        .enumerate()
        .find(|(_, rule)| rule.when.as_ref().is_none_or(|when| when.holds(observed)));
    match found {
        Some((index, rule)) => (Some(index), rule.outcome),
        None => (None, Outcome::InDoubt),
    }
}

fn evidence_of(answer: &Answer) -> Evidence {
    match answer {
        Ok(_) => Evidence::Answer,
        Err(failed) => match failed.cause {
            Cause::Timeout => Evidence::Timeout,
            Cause::TooLarge | Cause::Unreadable => Evidence::Answer,
            Cause::Refused
            | Cause::Hole
            | Cause::Grant
            | Cause::Dns
            | Cause::Connect
            | Cause::Tls
            | Cause::Reset => Evidence::Reset,
        },
    }
}

/// What the manifest keeps of an answer; of no answer, where on its way the call ended.
fn stored(operation: &Operation, observed: &Observed<'_>) -> Value {
    match observed.answer {
        Ok(_) => reduce::stored(&operation.store, observed),
        Err(failed) => match failed.stage {
            Some(stage) => serde_json::json!({"transport": {"stage": stage.as_str()}}),
            None => Value::Null,
        },
    }
}

/// Names of the result; one that cannot be read is left out.
pub(crate) fn result_ids(
    operation: &Operation,
    observed: &Observed<'_>,
    sent: Sent<'_>,
) -> BTreeMap<String, String> {
    named(&operation.result, observed, sent)
}

/// What an answer to a call names besides its result, from what was sent and what came of it. It may
/// name people: it is compared, and kept nowhere.
pub fn answered(operation: &Operation, sent: Sent<'_>, output: &Value) -> BTreeMap<String, String> {
    let scope = Scope {
        input: sent.input,
        response: output,
        config: sent.settings,
        send_id: sent.send_id,
        ..Scope::NOTHING
    };
    let names = operation.answered.iter();
    names
        .filter_map(|(name, template)| Some((name.clone(), template.text(&scope).ok()??)))
        .collect()
}

pub(crate) fn named(
    names: &BTreeMap<String, Template>,
    observed: &Observed<'_>,
    sent: Sent<'_>,
) -> BTreeMap<String, String> {
    let none = Value::Null;
    let scope = Scope {
        input: sent.input,
        response: observed.body.as_ref().unwrap_or(&none),
        headers: observed.answer.as_ref().map_or(&[], |response| &response.headers),
        config: sent.settings,
        send_id: sent.send_id,
        ..Scope::NOTHING
    };
    names
        .iter()
        .filter_map(|(name, template)| Some((name.clone(), template.text(&scope).ok()??)))
        .collect()
}

fn error_of(
    operation: &Operation,
    observed: &Observed<'_>,
    outcome: Outcome,
) -> Option<ProviderError> {
    if outcome == Outcome::Sent {
        return None;
    }
    let response = match observed.answer {
        Err(failed) => {
            let code = format!("transport.{:?}", failed.cause).to_lowercase();
            return Some(ProviderError {
                code,
                detail: Vec::new(),
                message: Some(failed.detail.clone()),
            });
        }
        Ok(response) => response,
    };
    let plain = || ProviderError {
        code: format!("http.{}", response.status),
        detail: Vec::new(),
        message: None,
    };
    let (Some(spec), Some(body)) = (&operation.error_code, &observed.body) else {
        return Some(plain());
    };
    let Some(code) = spec.at.get(body).and_then(crate::json::scalar_text) else {
        return Some(plain());
    };
    Some(ProviderError {
        code,
        detail: spec.detail.iter().filter_map(|at| at.get(body)).cloned().collect(),
        message: spec.message.as_ref().and_then(|at| at.get(body)?.as_str()).map(str::to_owned),
    })
}
