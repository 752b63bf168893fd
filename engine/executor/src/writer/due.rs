//! What is due, and when to look: durable rows in the projections, and a few reminders in memory
//! that a restart makes anew. No polling: the loop sleeps until the next moment.

use super::{Awaited, Writer};
use crate::env::Error;
use crate::turn::Job;
use placet_model::{RunId, Timestamp};
use placet_projections::{Due, DueRow, Views};
use std::collections::{BTreeMap, BTreeSet};

/// Rows taken at once.
const ROWS_MAX: usize = 1000;

/// After rows could not be read, this long until the next look.
const AGAIN_MS: i64 = 1000;

/// When to look at what.
#[derive(Debug, Default)]
pub(super) struct Dues {
    /// The earliest durable row that was not handed out yet.
    next: Option<Timestamp>,
    /// Rows that were handed out and still stand (a held retry): not handed out again until the
    /// project changes.
    handed_out: BTreeSet<(Timestamp, RunId, Due)>,
    /// Reminders that stand in no row.
    later: BTreeMap<(Timestamp, u64), (RunId, Job)>,
    serial: u64,
    /// Runs for which a budget may have room then.
    rooms: BTreeMap<RunId, Timestamp>,
}

impl Dues {
    /// Something durable is due at this moment.
    pub(super) fn note(&mut self, at: Timestamp) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    /// A reminder that a restart makes anew.
    pub(super) fn later(&mut self, at: Timestamp, run: RunId, job: Job) {
        self.serial += 1;
        self.later.insert((at, self.serial), (run, job));
    }

    /// A budget may have room for this run then. What it was told before and is still to come holds,
    /// unless this is sooner: a run that looks often is not woken more often.
    pub(super) fn room_at(&mut self, at: Timestamp, run: RunId, now: Timestamp) {
        if self.rooms.get(&run).is_some_and(|known| now < *known && *known <= at) {
            return;
        }
        self.rooms.insert(run, at);
        self.later(at, run, Job::Room);
    }

    /// Rows that were handed out and still stand, and reminders.
    pub(super) fn load(&self) -> (usize, usize) {
        (self.handed_out.len(), self.later.len())
    }

    /// The next moment at which to look.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next.into_iter().chain(self.next_reminder()).min()
    }

    /// The next reminder in memory.
    pub(super) fn next_reminder(&self) -> Option<Timestamp> {
        self.later.keys().next().map(|(at, _)| *at)
    }

    /// What of these rows is due now and was not handed out before. The rows are the earliest ones;
    /// what was handed out and stands there no more has done its work and is forgotten.
    fn take(&mut self, rows: Vec<DueRow>, now: Timestamp) -> Vec<DueRow> {
        let before = std::mem::take(&mut self.handed_out);
        let (due, later): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.at <= now);
        self.next = later.first().map(|row| row.at);
        let fresh: Vec<_> = due.iter().filter(|row| !before.contains(&key(row))).copied().collect();
        self.handed_out = due.iter().map(key).collect();
        fresh
    }

    fn take_later(&mut self, now: Timestamp) -> Vec<(RunId, Job)> {
        let rest = self.later.split_off(&(now.plus_millis(1), 0));
        self.rooms.retain(|_, at| *at > now);
        std::mem::replace(&mut self.later, rest).into_values().collect()
    }
}

impl Writer {
    /// Hands out what is due now.
    pub(super) fn fire_due(&mut self) {
        let now = self.env.now();
        for (run, job) in self.state.dues.take_later(now) {
            self.accept(run, job, None);
        }
        if self.state.dues.next.is_none_or(|next| next > now) {
            return;
        }
        match self.due_rows(now) {
            Ok(rows) => {
                for row in rows {
                    self.accept(row.run, job_of(row.due), None);
                }
            }
            Err(error) => {
                tracing::error!(%error, "due rows cannot be read");
                self.state.dues.next = Some(now.plus_millis(AGAIN_MS));
            }
        }
    }

    fn due_rows(&mut self, now: Timestamp) -> Result<Vec<DueRow>, Error> {
        let view = self.env.view()?;
        let views = Views::new(&view)?;
        let most = ROWS_MAX + self.state.dues.handed_out.len();
        let rows = views.due_and_next(now, most)?;
        let cut_short = rows.len() == most && rows.last().is_some_and(|row| row.at <= now);
        let due = self.state.dues.take(rows, now);
        if cut_short {
            self.state.dues.next = Some(now);
        }
        Ok(due)
    }

    /// The project has changed: what was held may go now, also what is in doubt and could not be
    /// sent again meanwhile.
    pub(super) fn look_again(&mut self) {
        self.state.dues.handed_out.clear();
        self.state.dues.note(self.env.now());
        for run in std::mem::take(&mut self.state.held_doubts) {
            self.accept(run, Job::ReconcileAny, None);
        }
        match self.held_runs() {
            Ok(runs) => {
                for run in runs {
                    self.accept(run, Job::Advance, None);
                }
            }
            Err(error) => self.unreadable("which runs are held", &error),
        }
    }

    fn held_runs(&self) -> Result<BTreeSet<RunId>, Error> {
        let view = self.env.view()?;
        let views = Views::new(&view)?;
        let approved = views.approved()?.into_iter().map(|row| row.run);
        Ok(approved.chain(views.ready()?).collect())
    }

    /// After a restart: what was in flight is in doubt, what was ready goes on, what is due is due.
    /// Parked runs are not touched.
    pub(super) fn recover(&mut self) {
        match self.under_way() {
            Ok((in_flight, in_doubt, held)) => {
                #[cfg(placet_mutants)]
                let in_flight = match placet_mutants::Mutant::RestartForgetsCalls {
                    mutant if placet_mutants::is_planted(mutant) => vec![],
                    _ => in_flight,
                };
                for run in in_flight {
                    self.accept(run, Job::Recover, None);
                }
                for run in in_doubt {
                    self.accept(run, Job::ReconcileAny, None);
                    // what comes before the loop knows its marks is found then
                    self.state.dues.later(self.env.now().plus_millis(AGAIN_MS), run, Job::LookBack);
                }
                for run in held {
                    self.accept(run, Job::Advance, None);
                }
                self.state.dues.note(self.env.now());
            }
            Err(error) => self.unreadable("what was under way", &error),
        }
        if let Err(error) = self.recover_deliveries() {
            self.unreadable("what was to be told", &error);
        }
        if self.env.clock.is_virtual()
            && let Err(error) = self.await_people()
        {
            self.unreadable("what waits for people", &error);
        }
    }

    /// A virtual clock stands still for people whom an earlier process has asked, too. The wall
    /// clock does not, so parked runs are not read for it.
    fn await_people(&mut self) -> Result<(), Error> {
        let view = self.env.view()?;
        let views = Views::new(&view)?;
        for row in views.open(None, usize::MAX)? {
            match row.in_doubt {
                Some((attempt, _)) if views.is_looked_up(row.run, attempt)? => {}
                Some((attempt, _)) => drop(self.state.people.insert(Awaited::Doubt(attempt))),
                None => drop(self.state.people.insert(Awaited::Decision(row.decision))),
            }
        }
        Ok(())
    }

    #[expect(clippy::type_complexity, reason = "three lists of runs, used once")]
    fn under_way(&self) -> Result<(Vec<RunId>, Vec<RunId>, BTreeSet<RunId>), Error> {
        let view = self.env.view()?;
        let views = Views::new(&view)?;
        Ok((views.in_flight()?, views.in_doubt()?, self.held_runs()?))
    }
}

fn key(row: &DueRow) -> (Timestamp, RunId, Due) {
    (row.at, row.run, row.due)
}

const fn job_of(due: Due) -> Job {
    match due {
        Due::Timer(timer) => Job::Timer(timer),
        Due::Expiry(decision) => Job::Expire(decision),
        Due::Retry(attempt) => Job::Retry(attempt),
        Due::Notice(decision) => Job::Remind(decision),
        Due::Lookup(attempt) => Job::LookUp(attempt),
        Due::RunDeadline => Job::Deadline,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(at: i64, run: u8) -> DueRow {
        let run = RunId::from_bytes([run; 16]);
        DueRow { at: Timestamp::from_millis(at), run, due: Due::RunDeadline }
    }

    fn take(dues: &mut Dues, rows: &[DueRow], now: i64) -> Vec<DueRow> {
        dues.take(rows.to_vec(), Timestamp::from_millis(now))
    }

    #[test]
    fn a_row_is_handed_out_once_while_it_stands_and_forgotten_when_it_is_gone() {
        let mut dues = Dues::default();
        let (first, second, third) = (row(1, 1), row(2, 2), row(30, 3));
        assert_eq!(take(&mut dues, &[first, second, third], 2), [first, second]);
        assert_eq!(dues.next(), Some(third.at));
        assert_eq!(take(&mut dues, &[first, second, third], 10), []);
        assert_eq!(take(&mut dues, &[second, third], 30), [third]);
        assert_eq!(dues.handed_out.len(), 2, "the first has done its work");
        assert_eq!(take(&mut dues, &[], 31), []);
        assert_eq!((dues.handed_out.len(), dues.next()), (0, None));
    }
}
