//! Requests that expired, and who could have decided them: by the policy that was in force then.

use crate::handle::Error;
use placet_core::policy::{Electorate, Moment};
use placet_log::ReadView;
use placet_model::policy::Policy;
use placet_model::{
    DecisionId, Event, PayloadRef, Position, Principal, RecordedEvent, Revision, StreamId,
    Timestamp,
};
use placet_projections::{DecisionRow, TallyKind, TallyRow, Views};
use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

type Events<'v> = Box<dyn Iterator<Item = Result<RecordedEvent, placet_log::Error>> + 'v>;

/// Walks through expired requests and the policies of their times, both in order.
pub(super) struct Expired<'v> {
    view: &'v ReadView,
    policies: Events<'v>,
    /// The next change of the policy.
    ahead: Option<(Position, PayloadRef)>,
    policy: Policy,
}

impl<'v> Expired<'v> {
    pub(super) fn new(view: &'v ReadView) -> Self {
        let policies = Box::new(view.stream(&StreamId::Policy, Revision::START));
        Self { view, policies, ahead: None, policy: Policy::default() }
    }

    /// Tells of each person who could have voted on an expired request and had not, and whether
    /// anybody can have seen it.
    pub(super) fn each(
        &mut self,
        views: &Views<'_>,
        span: &Range<Timestamp>,
        mut tell: impl FnMut(Principal, bool),
    ) -> Result<(), Error> {
        let mut failed = None;
        views.tally((None, TallyKind::Expired), span.clone(), |row| {
            match self.one(views, &row, &mut tell) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    fn one(
        &mut self,
        views: &Views<'_>,
        expiry: &TallyRow,
        tell: &mut impl FnMut(Principal, bool),
    ) -> Result<(), Error> {
        let row = expiry.decision.map(|decision: DecisionId| views.decision(decision));
        let Some(row) = row.transpose()?.flatten() else { return Ok(()) };
        self.go_to(expiry.position)?;
        for who in self.entitled(&row, expiry.at) {
            if row.votes.iter().any(|(voter, ..)| *voter == who) {
                continue;
            }
            let seen = expiry.word > 0 || was_told(views, &who, row.requested_at..expiry.at)?;
            tell(who, seen);
        }
        Ok(())
    }

    fn entitled(&self, row: &DecisionRow, at: Timestamp) -> BTreeSet<Principal> {
        let electorate = Electorate {
            policy: &self.policy,
            requirement: &row.requirement,
            requester: &row.requester,
            editor: row.editor.as_ref(),
            assigned: &row.assigned,
            moment: Moment { now: at, requested_at: row.requested_at },
        };
        row.requirement.thresholds.iter().flat_map(|t| electorate.entitled(t)).collect()
    }

    /// Goes on to the policy that was in force at a position.
    fn go_to(&mut self, position: Position) -> Result<(), Error> {
        let mut last = None;
        loop {
            if self.ahead.is_none() {
                self.ahead = self.next_change()?;
            }
            match self.ahead.take_if(|(at, _)| *at <= position) {
                Some((_, policy)) => last = Some(policy),
                None => break,
            }
        }
        let Some(policy) = last else { return Ok(()) };
        let payload = self.view.payload(&StreamId::Policy, policy)?;
        self.policy = serde_json::from_slice(payload.as_bytes()).map_err(|error| {
            let detail = format!("a policy of the log cannot be read: {error}");
            Error::Refused { code: "PL1003", detail }
        })?;
        Ok(())
    }

    fn next_change(&mut self) -> Result<Option<(Position, PayloadRef)>, Error> {
        for event in self.policies.by_ref() {
            let event = event?;
            if let Event::PolicyChanged(body) = event.event {
                return Ok(Some((event.position, body.policy)));
            }
        }
        Ok(None)
    }
}

/// Whether a notice about requests got through to somebody in this time.
fn was_told(views: &Views<'_>, who: &Principal, span: Range<Timestamp>) -> Result<bool, Error> {
    let mut told = false;
    views.tally((Some(who), TallyKind::Heard), span, |_row| {
        told = true;
        ControlFlow::Break(())
    })?;
    Ok(told)
}
