//! The read side, over one snapshot of the log, or over the log as it was at a position
//! ([`crate::Past`]). Every row is checked when it is read, and a page
//! costs what it holds, not what stands before it, unless its method says otherwise.

mod events;
mod inbox;
mod lists;
mod project;
mod tally;

pub use inbox::ShapePlace;

use crate::decision::Decision;
use crate::key;
use crate::run::{End, Facts, State};
use crate::store::{Snapshot, guarded};
use crate::table::TableName;
use crate::{DecisionRow, Error, RunFilter, RunRow, RunStatus, Spent};
use placet_log::ReadView;
use placet_model::signed::Act;
use placet_model::{AttemptId, DecisionId, Digest, Principal, RunId};
use std::iter::Peekable;
use std::ops::Bound;

/// The projections as they are in one snapshot. Cheap to make: one row is read.
#[derive(Debug, Clone)]
pub struct Views<'a> {
    snapshot: Snapshot<'a>,
}

impl<'a> Views<'a> {
    /// The projections in this snapshot.
    ///
    /// # Errors
    /// [`Error::Absent`], [`Error::Behind`] or [`Error::Ahead`] when they are not those of the
    /// snapshot's own log at its head.
    pub fn new(view: &'a ReadView) -> Result<Self, Error> {
        let snapshot = Snapshot::new(view.transaction());
        let cursor = guarded(|| snapshot.cursor())?;
        let head = view.head().position();
        match cursor.cmp(&head) {
            std::cmp::Ordering::Less => Err(Error::Behind { cursor, head }),
            std::cmp::Ordering::Equal => Ok(Self { snapshot }),
            std::cmp::Ordering::Greater => Err(Error::Ahead { cursor, head }),
        }
    }

    /// Tables that are known to stand where their reader thinks.
    pub(crate) const fn over(snapshot: Snapshot<'a>) -> Self {
        Self { snapshot }
    }

    /// One run.
    ///
    /// # Errors
    /// A damaged row.
    pub fn run(&self, id: RunId) -> Result<Option<RunRow>, Error> {
        guarded(|| {
            let key = id.to_bytes();
            let Some(facts) = self.snapshot.open(TableName::Runs)?.get::<Facts>(&key)? else {
                return Ok(None);
            };
            let live = self.snapshot.open(TableName::Hot)?.get::<State>(&key::live(key))?;
            let state = match live {
                Some(state) => state,
                None => self.snapshot.open(TableName::Ended)?.need(&key)?,
            };
            Ok(Some(run_row(id, facts, state)))
        })
    }

    /// Whether the engine is about to ask, or is asking, the provider of an attempt in doubt.
    ///
    /// # Errors
    /// A damaged row.
    pub fn is_looked_up(&self, run: RunId, attempt: AttemptId) -> Result<bool, Error> {
        guarded(|| {
            let live = self.snapshot.open(TableName::Hot)?;
            let live = live.get::<State>(&key::live(run.to_bytes()))?;
            Ok(live.is_some_and(|state| state.is_looked_up(attempt)))
        })
    }

    /// Runs before `before`, newest first. Running and waiting ones are found among those that
    /// are not over; for other filters it looks through older runs until the page is full.
    ///
    /// # Errors
    /// A damaged row.
    pub fn runs(
        &self,
        filter: &RunFilter,
        before: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunRow>, Error> {
        guarded(|| {
            let before = before.map(RunId::to_bytes);
            let to = before.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(&key[..]));
            let live = self.live_before(before)?;
            let ended = self.snapshot.open(TableName::Ended)?.range(Bound::Unbounded, to)?;
            let ended = ended.rev().take(may_be_ended(filter.status));
            let facts = self.snapshot.open(TableName::Runs)?;
            let mut page = Vec::new();
            for row in NewestFirst::new(live.rev(), ended) {
                let (key, state) = row?;
                if page.len() == limit {
                    break;
                }
                if filter.status.is_some_and(|status| status != state.status()) {
                    continue;
                }
                let facts: Facts = facts.need(&key)?;
                if filter.workflow.as_ref().is_none_or(|family| *family == facts.workflow.family())
                {
                    page.push(run_row(run_id(&key)?, facts, state));
                }
            }
            Ok(page)
        })
    }

    /// How many runs are not over, of so many rows at most.
    ///
    /// # Errors
    /// A damaged row.
    pub fn live_count(&self, limit: usize) -> Result<usize, Error> {
        guarded(|| {
            // runs that are over stay there while an attempt of theirs is not
            let rows = self.live_before(None)?.take(limit);
            rows.map(|row| Ok(usize::from(row?.1.end.is_none()))).sum()
        })
    }

    /// How many runs can go on by themselves and how many wait, of so many rows at most.
    ///
    /// # Errors
    /// A damaged row.
    pub fn live_counts(&self, limit: usize) -> Result<(usize, usize), Error> {
        guarded(|| {
            let (mut running, mut waiting) = (0, 0);
            for row in self.live_before(None)?.take(limit) {
                match row?.1.status() {
                    RunStatus::Running => running += 1,
                    RunStatus::Waiting => waiting += 1,
                    RunStatus::Completed | RunStatus::Faulted | RunStatus::Cancelled => {}
                }
            }
            Ok((running, waiting))
        })
    }

    /// States of runs that are not over, before a run; the last rows of their table.
    fn live_before(
        &self,
        before: Option<[u8; 16]>,
    ) -> Result<impl DoubleEndedIterator<Item = StateRow> + use<>, Error> {
        let (from, to) = (key::live([0; 16]), before.map(key::live));
        let to = to.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(&key[..]));
        let rows = self.snapshot.open(TableName::Hot)?.range(Bound::Included(&from), to)?;
        Ok(rows.map(|row| {
            let (key, state) = row?;
            let run = key::run(&key).ok_or_else(|| TableName::Hot.damaged(&key, "its key"))?;
            Ok((run, state))
        }))
    }

    /// One decision, in any state.
    ///
    /// # Errors
    /// A damaged row.
    pub fn decision(&self, id: DecisionId) -> Result<Option<DecisionRow>, Error> {
        guarded(|| {
            let decisions = self.snapshot.open(TableName::Decisions)?;
            let Some(decision) = decisions.get::<Decision>(&id.to_bytes())? else {
                return Ok(None);
            };
            let facts = self.snapshot.open(TableName::Runs)?.need(&decision.run.to_bytes())?;
            decision.into_row(id, facts).map(Some)
        })
    }

    /// The run of the action with this key, and the pseudonym of what was asked for.
    ///
    /// # Errors
    /// A damaged row.
    pub fn action(&self, key: Digest) -> Result<Option<(RunId, Digest)>, Error> {
        guarded(|| {
            let table = self.snapshot.open(TableName::Actions)?;
            let action = table.get::<crate::action::Action>(key.as_bytes())?;
            Ok(action.map(|action| (action.run, action.content)))
        })
    }

    /// The last decision that an edit superseded whose draft said this.
    ///
    /// # Errors
    /// A damaged row.
    pub fn edited(&self, original: Digest) -> Result<Option<DecisionId>, Error> {
        guarded(|| self.snapshot.open(TableName::Edited)?.get(original.as_bytes()))
    }

    /// The decision on which this principal voted with this request id.
    ///
    /// # Errors
    /// A damaged row.
    pub fn request(
        &self,
        principal: &Principal,
        request_id: &str,
    ) -> Result<Option<DecisionId>, Error> {
        let key = crate::fold::request_key(principal.as_str(), request_id);
        guarded(|| self.snapshot.open(TableName::Requests)?.get(&key))
    }

    /// What a nonce was used for, by whoever the act is: a key, or a voter who did not sign.
    ///
    /// # Errors
    /// A damaged row.
    pub fn spent(&self, act: &Act, nonce: &str) -> Result<Option<Spent>, Error> {
        let key = crate::nonce::key(act, nonce);
        guarded(|| self.snapshot.open(TableName::Nonces)?.get(&key))
    }
}

/// How many runs that are over may pass the filter.
const fn may_be_ended(status: Option<RunStatus>) -> usize {
    match status {
        Some(RunStatus::Running | RunStatus::Waiting) => 0,
        Some(RunStatus::Completed | RunStatus::Faulted | RunStatus::Cancelled) | None => usize::MAX,
    }
}

type StateRow = Result<(Vec<u8>, State), Error>;

/// Two tables of runs as one, from the newest. A row that cannot be read comes at once.
struct NewestFirst<L: Iterator, R: Iterator> {
    left: Peekable<L>,
    right: Peekable<R>,
}

impl<L, R> NewestFirst<L, R>
where
    L: Iterator<Item = StateRow>,
    R: Iterator<Item = StateRow>,
{
    fn new(left: L, right: R) -> Self {
        Self { left: left.peekable(), right: right.peekable() }
    }
}

impl<L, R> Iterator for NewestFirst<L, R>
where
    L: Iterator<Item = StateRow>,
    R: Iterator<Item = StateRow>,
{
    type Item = StateRow;

    fn next(&mut self) -> Option<StateRow> {
        let left_is_next = match (self.left.peek(), self.right.peek()) {
            (Some(Ok((left, _))), Some(Ok((right, _)))) => left > right,
            (Some(Err(_)), _) | (Some(_), None) => true,
            (_, Some(Err(_))) | (None, _) => false,
        };
        if left_is_next { self.left.next() } else { self.right.next() }
    }
}

fn run_id(key: &[u8]) -> Result<RunId, Error> {
    let bytes = key.try_into().map_err(|_length| TableName::Runs.damaged(key, "its key"))?;
    Ok(RunId::from_bytes(bytes))
}

fn run_row(run: RunId, facts: Facts, state: State) -> RunRow {
    let (status, waiting_for) = (state.status(), state.waiting_for());
    let (output, fault) = match state.end {
        None | Some(End::Cancelled) => (None, None),
        Some(End::Completed(output)) => (Some(output), None),
        Some(End::Faulted(fault)) => (None, Some((fault.kind, fault.status, fault.content))),
    };
    RunRow {
        run,
        workflow: facts.workflow,
        plan_digest: facts.plan_digest,
        mode: facts.mode,
        requester: facts.requester,
        status,
        waiting_for,
        started_at: facts.started_at,
        updated_at: state.updated_at,
        revision: state.revision,
        output,
        fault,
    }
}
