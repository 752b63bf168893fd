//! The inbox as people and programs see it: list, get, decide. NATS, HTTP and the CLI all answer
//! with what stands here, so that every door gives the same card and the same refusals.

mod bulk;
mod card;
mod changes;
mod doubt;
mod inspect;
mod list;
mod looked_up;
pub(crate) mod requests;
mod signed;
pub(crate) mod stats;

pub(crate) use inspect::{has_card_number, has_secret};
pub use inspect::{one_line, visible};

use crate::handle::{Error, Handle, Receipt, Vote};
use crate::resolve::Resolve;
use crate::world::World;
use placet_core::Refusal;
use placet_core::policy::{Electorate, Moment};
use placet_model::actor::Role;
use placet_model::decision::{Assurance, Ballot, Resolution, Verdict, Voter};
use placet_model::{DecisionId, Digest, Principal, Timestamp, code};
use placet_projections::{DecisionRow, Views};
use requests::DecideBody;
use serde_json::{Value, json};

/// Items of one page at most.
const PAGE_MAX: usize = 200;
/// Items of a page when nobody asks for another number.
const PAGE: usize = 50;

/// Which open items are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ItemsOf {
    /// What waits for the caller.
    Mine,
    /// Every one that the caller may see.
    All,
}

/// Somebody who asks, and how that is known.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// How sure we are.
    pub assurance: Assurance,
    /// The client's request id: asked again, it gets the same answer.
    pub request_id: Option<String>,
}

/// A refusal in its public form: `{code, title, detail}`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// `PL####`.
    pub code: String,
    /// What the code means.
    pub title: String,
    /// What stands in the way this time.
    pub detail: String,
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let name = error.code();
        let title = code::find(name).map_or("", |code| code.title);
        let detail = crate::turn::describe(error);
        Self { code: name.to_owned(), title: title.to_owned(), detail }
    }
}

/// What is asked of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Vote(Verdict),
    Resolution(Resolution),
}

impl Handle {
    /// `{decision}` → the whole card.
    ///
    /// # Errors
    /// An unknown decision, or one that does not concern the caller.
    pub fn inbox_get(&self, caller: &Caller, body: &Value) -> Result<Value, Error> {
        self.known(&caller.principal)?;
        let decision = requests::decision(body)?;
        let view = self.view()?;
        let row = Views::new(&view)?.decision(decision)?;
        let row = row.ok_or(Refusal::UnknownDecision { decision })?;
        let world = self.world();
        if !concerns((&world, self.now()), &row, &caller.principal, ItemsOf::All) {
            return Err(Refusal::UnknownDecision { decision }.into());
        }
        let mut card = self.card(&view, &world, &row)?;
        card["sign"] = self.to_sign(caller, (decision, row.digest))?;
        Ok(card)
    }

    /// An inbox is somebody's: a name that the policy does not know is told so, instead of seeing
    /// an empty one.
    fn known(&self, who: &Principal) -> Result<(), Error> {
        if self.world().policy.principals.contains_key(who) {
            return Ok(());
        }
        Err(Refusal::UnknownPrincipal { name: who.clone() }.into())
    }

    /// A decision → `{position, state}`, after the commit; of a signed document about several,
    /// `{items: [{decision, position, state} | {decision, error}]}`.
    ///
    /// # Errors
    /// Every refusal of GATE.md §3, and a malformed document.
    pub async fn inbox_decide(&self, caller: &Caller, body: &Value) -> Result<Value, Error> {
        if body.get("document").is_some() {
            return self.decide_signed(caller, body).await;
        }
        if self.demands_signatures() {
            return Err(crate::keys::unsigned());
        }
        self.decide_unsigned(caller, body).await.map(reply)
    }

    async fn decide_unsigned(&self, caller: &Caller, body: &Value) -> Result<Receipt, Error> {
        let body: DecideBody = requests::parse(body)?;
        let decision = requests::id(&body.decision)?;
        match requests::asked(&body.verdict)? {
            Asked::Vote(verdict) => {
                let (with, to) = (body.with.clone(), body.to.clone());
                let ballot = ballot(decision, verdict, body)?;
                let voter =
                    Voter { principal: caller.principal.clone(), assurance: caller.assurance };
                let request_id = caller.request_id.clone();
                let vote = Vote { ballot, voter, request_id, signed: None };
                self.decided(vote, with, to).await
            }
            Asked::Resolution(resolution) => {
                self.resolve_as(resolve(caller, (decision, resolution), body)?).await
            }
        }
    }

    /// A vote with what belongs to its verdict: an edit its `with`, a reassignment its people.
    async fn decided(
        &self,
        vote: Vote,
        with: Option<Value>,
        to: Vec<Principal>,
    ) -> Result<Receipt, Error> {
        let verdict = vote.ballot.verdict;
        match (verdict, with, to.is_empty()) {
            (Verdict::Edit, Some(with), true) if with.is_object() => self.edit(vote, with).await,
            (Verdict::Edit, _, _) => {
                Err(requests::malformed("with: an edit takes the new `with`, an object".to_owned()))
            }
            (Verdict::Reassign, None, false) => self.reassign(vote, to).await,
            (Verdict::Reassign, _, _) => Err(requests::malformed(
                "to: a reassignment names the users or groups that are to decide".to_owned(),
            )),
            (_, None, true) => self.vote(vote).await,
            (_, _, _) => {
                let detail = format!("with and to do not belong to the verdict {verdict}");
                Err(requests::malformed(detail))
            }
        }
    }

    /// Whose inbox an item is in, for notices: everybody whose vote counts, and the requester.
    ///
    /// # Errors
    /// A project that cannot be read.
    pub fn audience(&self, decision: DecisionId) -> Result<Vec<Principal>, Error> {
        let view = self.view()?;
        let Some(row) = Views::new(&view)?.decision(decision)? else { return Ok(vec![]) };
        let (world, now) = (self.world(), self.now());
        let mut people: Vec<Principal> = world
            .policy
            .principals
            .keys()
            .filter(|name| electorate(&world, &row, now).is_entitled(name))
            .cloned()
            .collect();
        people.push(row.requester);
        people.sort();
        people.dedup();
        Ok(people)
    }
}

fn reply(receipt: Receipt) -> Value {
    json!(receipt)
}

fn electorate<'a>(world: &'a World, row: &'a DecisionRow, now: Timestamp) -> Electorate<'a> {
    Electorate {
        policy: &world.policy,
        requirement: &row.requirement,
        requester: &row.requester,
        editor: row.editor.as_ref(),
        assigned: &row.assigned,
        moment: Moment { now, requested_at: row.requested_at },
    }
}

/// Whether an item concerns a principal. With `all`: also requesters, operators, auditors, admins.
fn concerns(
    (world, now): (&World, Timestamp),
    row: &DecisionRow,
    who: &Principal,
    items: ItemsOf,
) -> bool {
    let voted = row.votes.iter().any(|(voter, ..)| voter == who);
    let electorate = electorate(world, row, now);
    let all = items == ItemsOf::All;
    let entitled = electorate.is_entitled(who) || electorate.may_break_glass(who) && all;
    let operator = world.policy.has_role(who, Role::Operator);
    let doubt = row.in_doubt.is_some() && (world.policy.may_approve(who) || operator);
    // whoever has said something to it, or has written it, goes on seeing what becomes of it
    let sees =
        *who == row.requester || voted || row.editor.as_ref() == Some(who) || oversees(world, who);
    doubt || (entitled && (all || !voted)) || (all && sees)
}

/// Operators, auditors and admins see every item.
fn oversees(world: &World, who: &Principal) -> bool {
    let roles = [Role::Operator, Role::Auditor, Role::Admin];
    roles.iter().any(|role| world.policy.has_role(who, *role))
}

/// Whether hardly an item is kept from this principal: whoever may break the glass sees all but
/// their own.
fn sees_all(world: &World, who: &Principal) -> bool {
    let glass = world.policy.break_glass.as_ref();
    let may_break = glass.is_some_and(|glass| world.policy.people(&glass.who).contains(who));
    may_break || oversees(world, who)
}

/// What somebody says of an attempt in doubt, unsigned: it names what a vote names.
fn resolve(
    caller: &Caller,
    (decision, resolution): (DecisionId, Resolution),
    body: DecideBody,
) -> Result<Resolve, Error> {
    if body.with.is_some() || !body.to.is_empty() {
        let detail = format!("with and to do not belong to the verdict {resolution}");
        return Err(requests::malformed(detail));
    }
    let (digest, nonce, time) = bound(&body)?;
    let by = Voter { principal: caller.principal.clone(), assurance: caller.assurance };
    let (reason, request_id, signed) = (body.reason, caller.request_id.clone(), None);
    Ok(Resolve { decision, digest, resolution, nonce, time, reason, by, request_id, signed })
}

fn ballot(decision: DecisionId, verdict: Verdict, body: DecideBody) -> Result<Ballot, Error> {
    let (digest, nonce, time) = bound(&body)?;
    Ok(Ballot { decision, digest, verdict, nonce, time, reason: body.reason })
}

/// What ties an unsigned act to what was shown, to one use, and to its time.
fn bound(body: &DecideBody) -> Result<(Digest, String, Timestamp), Error> {
    let digest: Digest = body.digest.as_deref().unwrap_or_default().parse().map_err(
        |error: placet_model::digest::ParseDigestError| {
            requests::malformed(format!("digest: {error}"))
        },
    )?;
    let nonce = body.nonce.clone().filter(|nonce| (16..=64).contains(&nonce.len()));
    let nonce = nonce.ok_or_else(|| {
        requests::malformed("nonce: 16 random bytes are needed, base64url or hex".to_owned())
    })?;
    let time: Timestamp = body.time.as_deref().unwrap_or_default().parse().map_err(
        |error: placet_model::time::ParseTimestampError| {
            requests::malformed(format!("time: {error}"))
        },
    )?;
    Ok((digest, nonce, time))
}
