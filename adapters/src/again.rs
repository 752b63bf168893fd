//! What an answer says to somebody who may have sent the same bytes before, and whether it is the last
//! word: what [`classify()`] cannot know, because it sees one answer and not the tries before it.

use crate::classify::{Basis, Classified, Sent, classify, named};
use crate::manifest::Operation;
use crate::predicate::Observed;
use crate::transport::Answer;
use placet_model::Timestamp;
use placet_model::attempt::Evidence;
use placet_model::manifest::{DeliveryKind, Outcome};

/// Whether an earlier try of the same bytes may have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    First,
    Again,
}

/// Decides what the answer to a try means.
///
/// "It is there already" is *sent* where the id is ours, since nobody else can have made it; where it is
/// a natural key, only for a second try: to the first it says that somebody else was there before.
/// "It has moved on" tells a second try nothing: the first may have moved it, or somebody else.
pub fn classify_try(
    operation: &Operation,
    answer: &Answer,
    (sent, tried): (Sent<'_>, Tried),
    now: Timestamp,
) -> Classified {
    let plain = classify(operation, answer, sent, now);
    let observed = Observed::new(answer);
    let delivery = operation.delivery();
    let ours = delivery.kind() == DeliveryKind::ClientId || tried == Tried::Again;
    if let Some(exists) =
        delivery.conflict.as_ref().filter(|said| ours && said.when.holds(&observed))
    {
        return Classified {
            outcome: Outcome::Sent,
            basis: Basis::Exists,
            wait: None,
            result: named(&exists.result, &observed, sent),
            error: None,
            evidence: None,
            ..plain
        };
    }
    let moved_on = delivery.moved_on.as_ref().filter(|_| tried == Tried::Again);
    if moved_on.is_some_and(|said| said.when.holds(&observed)) {
        let (outcome, evidence) = (Outcome::InDoubt, Some(Evidence::MovedOn));
        return Classified { outcome, evidence, wait: None, ..plain };
    }
    if plain.outcome == Outcome::Sent && !is_final(operation, &observed) {
        let (outcome, evidence) = (Outcome::InDoubt, Some(Evidence::NotFinal));
        return Classified { outcome, evidence, ..plain };
    }
    plain
}

fn is_final(operation: &Operation, observed: &Observed<'_>) -> bool {
    let body = observed.body.as_ref();
    let said = |test: &crate::predicate::BodyTest| {
        test.test.holds(body.and_then(|body| test.at.get(body)))
    };
    operation.final_when.as_ref().is_none_or(said)
}
