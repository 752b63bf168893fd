//! What a policy's rules match on besides the call itself: found in the prepared bytes and in the
//! log, never in the words of whoever asks.
//!
//! Only what some rule waits for is looked at. What cannot be found out is unknown, and then a rule
//! applies and a standing approval does not cover.

use crate::env::Env;
use crate::inbox::{has_card_number, has_secret};
use placet_adapters::money::Money;
use placet_core::policy::{Signals, Truth};
use placet_language::Scope;
use placet_log::{Erasable, ReadView};
use placet_model::plan::Expression;
use placet_model::policy::{Match, Policy, Signal};
use placet_model::request::{Body, PreparedRequest};
use placet_model::{AttemptId, Event, Position, Revision, StreamId, subject};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Streams in which an earlier send to somebody is looked for, the latest first; beyond them it
/// counts as the first.
const STREAMS_MAX: usize = 500;

/// A prepared action.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prepared<'a> {
    pub(crate) operation: &'a str,
    pub(crate) workflow: &'a str,
    pub(crate) with: &'a Value,
    pub(crate) request: &'a PreparedRequest,
    /// What was sent from here on is not looked at.
    pub(crate) before: Position,
}

/// Whatever is in the log.
pub(crate) const UP_TO_NOW: Position = Position::new(u64::MAX);

/// Why signals could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Log(#[from] placet_log::Error),
}

/// Whether any rule looks at more than the call itself.
pub(crate) fn are_needed(policy: &Policy) -> bool {
    matches(policy).any(|wanted| {
        let call = Match {
            effect: vec![],
            provider: vec![],
            operation: vec![],
            integration: vec![],
            workflow: vec![],
            reversibility: vec![],
            ..wanted.clone()
        };
        call != Match::default()
    })
}

fn matches(policy: &Policy) -> impl Iterator<Item = &Match> {
    let standing = policy.standing.iter().map(|standing| &standing.matches);
    policy.rules.iter().map(|rule| &rule.matches).chain(standing)
}

/// What the rules of this policy wait for, found in the action.
pub(crate) fn of(env: &Env, policy: &Policy, prepared: Prepared<'_>) -> Result<Signals, Error> {
    let target = target(env, prepared);
    let recipients = recipients(env, prepared);
    let beside = each(beside(env, prepared).iter().map(String::as_str));
    let waits = |signal: fn(&Match) -> Signal| matches(policy).any(|m| !signal(m).is_either());
    let first_contact = match waits(|m| m.first_contact) {
        false => Truth::Unknown,
        true if recipients.is_empty() => Truth::Unknown,
        true => first_contact(env, &recipients, prepared.before)?,
    };
    let text = (waits(|m| m.secrets_found) || waits(|m| m.card_numbers_found))
        .then(|| words_of(prepared.request));
    let looked = |find: fn(&str) -> bool| match &text {
        Some((text, _)) if find(text) => Truth::Yes,
        // nobody asks, or there are bytes that are no text and cannot be searched
        None | Some((_, Searched::InPart)) => Truth::Unknown,
        Some((_, Searched::Whole)) => Truth::No,
    };
    Ok(Signals {
        first_contact,
        secrets: looked(has_secret),
        card_numbers: looked(has_card_number),
        bytes: Some(body_bytes(prepared.request)),
        when: when(env, policy, (prepared, target.as_deref(), &recipients)),
        target,
        recipients,
        beside,
    })
}

/// Every expression of the policy on `{ with, operation, workflow, target, recipients, money }`; one that
/// fails gives nothing, and is unknown.
fn when(
    env: &Env,
    policy: &Policy,
    (prepared, target, recipients): (Prepared<'_>, Option<&str>, &[String]),
) -> BTreeMap<String, Truth> {
    let expressions: BTreeSet<&Expression> =
        matches(policy).filter_map(|wanted| wanted.when.as_ref()).collect();
    if expressions.is_empty() {
        return BTreeMap::new();
    }
    let operation = env.adapters.operation(prepared.operation);
    let money = operation.and_then(|operation| operation.money(prepared.with));
    let input = json!({
        "money": money.as_ref().filter(|money| money.is_known()).map(for_rules),
        "with": prepared.with,
        "operation": prepared.operation,
        "workflow": prepared.workflow,
        "target": target,
        "recipients": recipients,
    });
    let scope = Scope::new();
    let unknown_money = money.is_some_and(|money| !money.is_known());
    let result = |expression: &&Expression| {
        // a call that moves nobody knows how much is unknown to every rule that looks at money
        if unknown_money && expression.0.contains("money") {
            return None;
        }
        let result = env.evaluator.condition(expression, &input, &scope).ok()?;
        Some((expression.0.clone(), Truth::from(result)))
    };
    expressions.iter().filter_map(result).collect()
}

/// `{amount, minor, currency, direction}`: the amount as a number of whole units.
fn for_rules(money: &Money) -> Value {
    let amount: Option<serde_json::Number> = money.amount().and_then(|text| text.parse().ok());
    json!({
        "amount": amount,
        "minor": money.minor,
        "currency": money.currency,
        "direction": money.direction.word(),
    })
}

/// Where it goes, in the provider's words; where the settings have a say, the address itself.
fn target(env: &Env, prepared: Prepared<'_>) -> Option<String> {
    let operation = env.adapters.operation(prepared.operation)?;
    let named = placet_adapters::target_of(operation, prepared.with);
    named.map(|target| target.text().to_owned()).or_else(|| prepared.request.url.as_plain())
}

/// Those whom it reaches besides its target, as the operation's manifest says where they stand.
fn beside(env: &Env, prepared: Prepared<'_>) -> Vec<String> {
    let operation = env.adapters.operation(prepared.operation);
    operation.map(|operation| operation.reached_beside(prepared.with)).unwrap_or_default()
}

/// Everybody whom an action reaches, each in one form: addresses, a channel or user without its
/// thread, or the host of a URL. Nobody where the target is not known.
pub(crate) fn recipients(env: &Env, prepared: Prepared<'_>) -> Vec<String> {
    let Some(target) = target(env, prepared) else { return vec![] };
    let beside = beside(env, prepared);
    // before the bar of a mail's target stands the message, thread or mailbox that is answered
    let to = target.rsplit('|').next().filter(|to| to.contains('@')).unwrap_or(&target);
    each(std::iter::once(to).chain(beside.iter().map(String::as_str)))
}

/// Each of those whom these texts name, once.
fn each<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<String> {
    let mut found: Vec<String> = texts.flat_map(named_in).filter(|one| !one.is_empty()).collect();
    found.sort();
    found.dedup();
    found
}

fn named_in(text: &str) -> Vec<String> {
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.rsplit_once(':').map_or(host, |(host, _port)| host);
        vec![host.to_lowercase()]
    } else if text.contains('@') {
        let parts = text.split(|letter: char| letter.is_whitespace() || ",;<>|".contains(letter));
        parts.filter(|part| part.contains('@')).map(subject::normalise).collect()
    } else {
        // a channel and its thread; a way and the number that is reached by it
        let one = match text.split_once(':') {
            Some((_way, number)) if number.starts_with('+') => number,
            Some((channel, _thread)) => channel,
            None => text,
        };
        vec![subject::normalise(one)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_whom_a_target_names_is_found_in_one_form() {
        for (text, expected) in [
            ("C0SALES:1700000000.000100", vec!["C0SALES"]),
            ("sms:+49 30 1234567", vec!["+49301234567"]),
            ("Ana <Ana@Example.org>, ben@example.org", vec!["ana@example.org", "ben@example.org"]),
            ("eve@evil.test|ana@example.org", vec!["ana@example.org", "eve@evil.test"]),
            ("https://Hooks.example:8443/x?y#z", vec!["hooks.example"]),
        ] {
            assert_eq!(each(std::iter::once(text)), expected, "{text}");
        }
    }
}

/// Whether nothing has been sent to one of them, as far as the log tells.
fn first_contact(env: &Env, recipients: &[String], before: Position) -> Result<Truth, Error> {
    let view = env.view()?;
    for recipient in recipients {
        let found = view.subject(&env.log.pseudonym(recipient))?;
        let runs = found.into_iter().rev().filter_map(|held| match held {
            Erasable::Stream(stream @ StreamId::Run(_)) => Some(stream),
            Erasable::Stream(_) | Erasable::Arrival(_) => None,
        });
        let mut known = false;
        for stream in runs.take(STREAMS_MAX) {
            if has_sent(env, &view, (&stream, recipient, before))? {
                known = true;
                break;
            }
        }
        if !known {
            return Ok(Truth::Yes);
        }
    }
    Ok(Truth::No)
}

/// Whether a gated call of this run has reached the recipient.
fn has_sent(
    env: &Env,
    view: &ReadView,
    (stream, recipient, before): (&StreamId, &str, Position),
) -> Result<bool, Error> {
    let mut sent: BTreeSet<AttemptId> = BTreeSet::new();
    let mut started = vec![];
    for event in view.stream(stream, Revision::START) {
        let event = event?;
        if event.position >= before {
            break;
        }
        match event.event {
            Event::AttemptStarted(body) if body.decision.is_some() => started.push(body),
            Event::AttemptSucceeded(body) => {
                sent.insert(body.attempt);
            }
            _ => {}
        }
    }
    for body in started.into_iter().filter(|body| sent.contains(&body.attempt)) {
        // what was erased is not known any more
        let (Ok(with), Ok(request)) =
            (view.payload(stream, body.with), view.payload(stream, body.request))
        else {
            continue;
        };
        let (Ok(with), Ok(request)) = (
            serde_json::from_slice::<Value>(with.as_bytes()),
            PreparedRequest::from_bytes(request.as_bytes()),
        ) else {
            continue;
        };
        let (operation, with, request) = (body.operation.as_str(), &with, &request);
        let prepared = Prepared { operation, workflow: "", with, request, before };
        if recipients(env, prepared).iter().any(|one| one == recipient) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether all of the bytes could be searched.
#[derive(Debug, Clone, Copy)]
enum Searched {
    Whole,
    InPart,
}

/// All text of a request, and whether there is more than text.
fn words_of(request: &PreparedRequest) -> (String, Searched) {
    let mut text = request.to_view().to_string();
    let searched = match &request.body {
        Body::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(plain) => {
                text.push('\n');
                text.push_str(plain);
                Searched::Whole
            }
            Err(_binary) => Searched::InPart,
        },
        Body::Empty | Body::Text(_) => Searched::Whole,
    };
    (text, searched)
}

fn body_bytes(request: &PreparedRequest) -> u64 {
    let bytes = match &request.body {
        Body::Empty => 0,
        Body::Bytes(bytes) => bytes.len(),
        Body::Text(text) => text.to_string().len(),
    };
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
