//! What was sent in an emergency is looked at afterwards, by somebody else.

use crate::handle::{Error, Handle};
use placet_core::Refusal;
use placet_model::decision::Verdict;
use placet_model::event::governance::{BreakGlassReviewed, Review};
use placet_model::{DecisionId, Event, PayloadRef, Principal, Revision, StreamId};
use placet_projections::{DecisionRow, Views};
use serde_json::Value;
use std::collections::BTreeSet;

impl Handle {
    /// What was sent in an emergency and nobody has looked at yet, oldest first.
    ///
    /// # Errors
    /// A project that cannot be read.
    pub fn unreviewed(&self) -> Result<Vec<DecisionRow>, Error> {
        let view = self.view()?;
        let mut reviewed = BTreeSet::new();
        for event in view.stream(&StreamId::Policy, Revision::START) {
            if let Event::BreakGlassReviewed(body) = event?.event {
                reviewed.insert(body.decision);
            }
        }
        let mut rows = Views::new(&view)?.broken_glass()?;
        rows.retain(|row| !reviewed.contains(&row.decision));
        Ok(rows)
    }

    /// Says of what was sent in an emergency whether it was one.
    ///
    /// # Errors
    /// When there is nothing to look at, it was looked at before, or this principal may not.
    pub async fn review(
        &self,
        reviewer: &Principal,
        (decision, review): (DecisionId, Review),
        reason: Option<String>,
    ) -> Result<(), Error> {
        let turn = self.act_turn().await;
        self.demand_person(reviewer)?;
        let refused = |detail: String| Error::Refused { code: "PL3034", detail };
        let rows = self.unreviewed()?;
        let row = rows.iter().find(|row| row.decision == decision);
        let row = row.ok_or_else(|| {
            refused(format!("{decision} was not sent in an emergency, or was reviewed already"))
        })?;
        let world = self.world();
        let reviewers = world.policy.break_glass.as_ref().map(|glass| glass.review.as_slice());
        let may = reviewers.is_some_and(|named| {
            let people = named.iter().flat_map(|name| match world.policy.groups.get(name) {
                Some(members) => members.iter().collect::<Vec<_>>(),
                None => vec![name],
            });
            people.into_iter().any(|person| person == reviewer)
        });
        if !may {
            return Err(Refusal::NotEntitled { voter: reviewer.clone() }.into());
        }
        // who has said yes to it, has written it, or has caused it, is no second pair of eyes
        let own = |(voter, verdict, _): &(Principal, Verdict, _)| {
            matches!(verdict, Verdict::BreakGlass | Verdict::Approve | Verdict::Edit)
                && voter == reviewer
        };
        let wrote = row.editor.as_ref() == Some(reviewer);
        if row.votes.iter().any(own) || wrote || row.requester == *reviewer {
            return Err(refused(format!(
                "{reviewer} has caused it: somebody else must look at it"
            )));
        }
        let revision = self.view()?.revision(&StreamId::Policy)?.next();
        let place = reason.is_some().then(|| PayloadRef::new(revision, 0));
        let reviewed =
            BreakGlassReviewed { decision, reviewer: reviewer.clone(), review, reason: place };
        let payloads: Vec<Vec<u8>> =
            reason.into_iter().map(|text| Value::String(text).to_string().into_bytes()).collect();
        let facts = vec![(StreamId::Policy, Event::from(reviewed), payloads)];
        self.act(reviewer, facts, (None, turn)).await.map(|_| ())
    }
}
