//! Several decisions in one act: N digests, each bound by itself, of one shape. It is no blanket
//! grant: each item gets a vote of its own, and what does not fit is refused before anything is said.

use super::{Asked, Caller, Error, Handle, Problem, ballot, requests};
use crate::handle::{Receipt, Vote};
use placet_core::Refusal;
use placet_model::decision::{Verdict, Voter};
use placet_model::manifest::Effect;
use placet_model::{DecisionId, Digest};
use placet_projections::{DecisionRow, Rank, Views};
use requests::{BulkBody, DecideBody};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Items of one act at most.
const ITEMS_MAX: usize = 100;

impl Handle {
    /// As [`Handle::inbox_decide`]; `{items: [{decision, digest}], …}` decides several at once and
    /// answers `{items: [{decision, position, state} | {decision, error}]}`, in the same order.
    ///
    /// # Errors
    /// As [`Handle::inbox_decide`]; for several, when they are of different shapes or too grave to be
    /// decided together, and nothing is recorded then.
    pub async fn inbox_act(&self, caller: &Caller, body: &Value) -> Result<Value, Error> {
        if body.get("items").is_none() {
            return self.inbox_decide(caller, body).await;
        }
        if self.demands_signatures() {
            return Err(crate::keys::unsigned());
        }
        let votes = votes(caller, body)?;
        let ids: Vec<DecisionId> = votes.iter().map(|vote| vote.ballot.decision).collect();
        let answers = self.vote_all(votes).await?;
        let items = ids.into_iter().zip(answers).map(|(decision, answer)| match answer {
            Ok(receipt) => {
                json!({"decision": decision, "position": receipt.position, "state": receipt.state})
            }
            Err(error) => json!({"decision": decision, "error": Problem::from(&error)}),
        });
        Ok(json!({ "items": items.collect::<Vec<_>>() }))
    }

    /// Casts several votes of one shape, one for each item. An item that is refused leaves the others
    /// as they are; the answers stand in the order of the votes.
    ///
    /// # Errors
    /// When the items are of different shapes, or one of them is too grave; nothing is recorded then.
    pub async fn vote_all(&self, votes: Vec<Vote>) -> Result<Vec<Result<Receipt, Error>>, Error> {
        let mut open = Vec::with_capacity(votes.len());
        for vote in &votes {
            let (who, id) = (&vote.voter.principal, vote.request_id.as_deref());
            let decision = vote.ballot.decision;
            open.push((decision, self.answered(who, id, decision)?));
        }
        self.check_shape(&open)?;
        let mut answers = Vec::with_capacity(votes.len());
        for vote in votes {
            match self.vote(vote).await {
                // no answer about the item: the same act goes on from here
                Err(error @ (Error::Stopping | Error::CommitFailed { .. })) => return Err(error),
                answer => answers.push(answer),
            }
        }
        Ok(answers)
    }

    /// All of one shape, so that they are the same kind of decision, and it is not too grave to be
    /// taken together (OWASP AISVS 9.2.10).
    ///
    /// An item that this act has had its answer about is not weighed again: an act that was cut short goes on, whatever
    /// has become of its first items meanwhile.
    pub(super) fn check_shape(&self, items: &[(DecisionId, Answered)]) -> Result<(), Error> {
        let refused = |detail: String| Err(Error::Refused { code: "PL3053", detail });
        if items.is_empty() || items.len() > ITEMS_MAX {
            return refused(format!("{} items: 1 to {ITEMS_MAX} at once", items.len()));
        }
        let unique: BTreeMap<DecisionId, Answered> = items.iter().copied().collect();
        if unique.len() != items.len() {
            return refused("a decision stands twice among them".to_owned());
        }
        let rows = self.rows(unique.keys())?;
        let Some(first) = rows.first() else { return Ok(()) };
        for row in &rows {
            if kind(row) != kind(first) {
                return refused(format!(
                    "{} is {} and {} is {}: only items of one operation, integration, mode, step and requirement",
                    first.decision, first.operation, row.decision, row.operation
                ));
            }
            let is_open = unique.get(&row.decision) == Some(&Answered::Not);
            if let Some(why) = grave(row).filter(|_| is_open) {
                return refused(format!("{}: {why}", row.decision));
            }
        }
        Ok(())
    }

    fn rows<'d>(
        &self,
        decisions: impl Iterator<Item = &'d DecisionId>,
    ) -> Result<Vec<DecisionRow>, Error> {
        let view = self.view()?;
        let views = Views::new(&view)?;
        let row = |decision: &DecisionId| {
            let decision = *decision;
            views.decision(decision)?.ok_or_else(|| Refusal::UnknownDecision { decision }.into())
        };
        decisions.map(row).collect()
    }
}

/// What makes items the same kind of decision. A vote on one of them does not change it, so that an
/// act that was interrupted can be handed in again.
fn kind(row: &DecisionRow) -> impl PartialEq + '_ {
    let step = (row.workflow.family(), &row.task);
    (&row.operation, row.integration, row.mode, step, &row.requirement, &row.assigned)
}

/// Whether an item of an act has its answer already, from an earlier try of the same act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    Not,
    Before,
}

fn grave(row: &DecisionRow) -> Option<&'static str> {
    let rank = row.place.map(|place| place.rank());
    too_grave(row.effect, rank.unwrap_or(Rank::Change), row.editor.is_some())
}

/// What is decided one by one only.
pub(super) const fn too_grave(effect: Effect, rank: Rank, edited: bool) -> Option<&'static str> {
    match (effect, rank) {
        (Effect::Destructive, _) => Some("what cannot be undone is decided one by one"),
        (_, Rank::InDoubt) => Some("an attempt in doubt is settled one by one"),
        (_, _) if edited => Some("what an approver has edited is decided one by one"),
        (_, _) => None,
    }
}

/// A nonce is good for one vote, so each item gets one of its own out of that of the act: the same
/// act again gives the same ones.
fn nonce_of(act: &str, decision: DecisionId) -> String {
    let digest = Digest::of_parts(&[act.as_bytes(), &[0], &decision.to_bytes()]);
    let hex = digest.to_string();
    hex.trim_start_matches("sha256:").chars().take(32).collect()
}

fn votes(caller: &Caller, body: &Value) -> Result<Vec<Vote>, Error> {
    let BulkBody { items, verdict, nonce, time, reason } = requests::parse(body)?;
    let Asked::Vote(verdict @ (Verdict::Approve | Verdict::Reject)) = requests::asked(&verdict)?
    else {
        let detail = format!("several are approved or rejected together, never {verdict}");
        return Err(Error::Refused { code: "PL3053", detail });
    };
    let one = |item: requests::BulkItem| {
        let decision = requests::id(&item.decision)?;
        let body = DecideBody {
            decision: item.decision,
            verdict: verdict.to_string(),
            digest: Some(item.digest),
            nonce: nonce.as_deref().map(|nonce| nonce_of(nonce, decision)),
            time: time.clone(),
            reason: reason.clone(),
            with: None,
            to: vec![],
        };
        Ok(Vote {
            ballot: ballot(decision, verdict, body)?,
            voter: Voter { principal: caller.principal.clone(), assurance: caller.assurance },
            request_id: caller.request_id.as_ref().map(|id| format!("{id}/{decision}")),
            signed: None,
        })
    };
    items.into_iter().map(one).collect()
}
