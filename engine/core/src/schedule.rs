//! When a schedule starts its next run (language 1.4). Pure: moments are arguments.
//!
//! Ticks that were missed while no engine ran are caught up once, not one by one; how many were
//! skipped is told.

use placet_model::cron::{Cron, next_tick};
use placet_model::event::child::Trigger;
use placet_model::plan::Schedule;
use placet_model::{Duration, Timestamp};

/// Ticks that are counted when some were missed; of more only the last is found.
const TICKS_MAX: u32 = 1_000_000;

/// The times of one deployed schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Times {
    every: Option<Duration>,
    cron: Option<Cron>,
    after: Option<Duration>,
    /// The last tick of the interval, or when it began to count.
    every_at: Timestamp,
    /// The last tick of the calendar, or when it began to count.
    cron_at: Timestamp,
    /// When the run after the last one is due; none while that one goes on.
    after_due: Option<Timestamp>,
}

/// A run that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fire {
    /// Why.
    pub trigger: Trigger,
    /// When it was due.
    pub due_at: Timestamp,
    /// Ticks before it that were missed.
    pub skipped: u32,
}

impl Times {
    /// The times of a schedule that was deployed at this moment.
    pub fn new(schedule: &Schedule, deployed_at: Timestamp) -> Self {
        Self {
            every: schedule.every,
            cron: schedule.cron.as_deref().and_then(|text| Cron::parse(text).ok()),
            after: schedule.after,
            every_at: deployed_at,
            cron_at: deployed_at,
            // the first run is at deploy
            after_due: schedule.after.map(|_| deployed_at),
        }
    }

    /// A run was started.
    pub fn fired(&mut self, trigger: Trigger, due_at: Timestamp) {
        match trigger {
            Trigger::Every => self.every_at = due_at,
            Trigger::Cron => self.cron_at = due_at,
            Trigger::After => self.after_due = None,
            Trigger::On => {}
        }
    }

    /// The last run has ended, however it did.
    pub fn ended(&mut self, at: Timestamp) {
        if self.after_due.is_none() {
            self.after_due = self.after.and_then(|after| at.checked_add(after));
        }
    }

    /// What was due until this moment may have been started by another copy of the project: it is not
    /// started again. Where the end of a run starts the next one, counting begins anew.
    pub fn skip_to(&mut self, at: Timestamp) {
        let last = |from: Timestamp, next: &dyn Fn(Timestamp) -> Option<Timestamp>| {
            let mut last = from;
            for _ in 0..TICKS_MAX {
                match next(last).filter(|tick| *tick <= at) {
                    Some(tick) => last = tick,
                    None => return last,
                }
            }
            at
        };
        if let Some(every) = self.every {
            self.every_at = last(self.every_at, &|from| next_tick(from, every));
        }
        if let Some(cron) = self.cron {
            self.cron_at = last(self.cron_at, &|from| cron.next_after(from));
        }
        if self.after_due.is_some_and(|due| due <= at) {
            self.after_due = self.after.and_then(|after| at.checked_add(after));
        }
    }

    /// Whether the end of a run starts the next one.
    pub const fn awaits_ends(&self) -> bool {
        self.after.is_some()
    }

    /// What is due next, and when.
    pub fn next(&self) -> Option<(Timestamp, Trigger)> {
        let every = self.every.and_then(|every| next_tick(self.every_at, every));
        let cron = self.cron.and_then(|cron| cron.next_after(self.cron_at));
        let all = [
            every.map(|at| (at, Trigger::Every)),
            cron.map(|at| (at, Trigger::Cron)),
            self.after_due.map(|at| (at, Trigger::After)),
        ];
        all.into_iter().flatten().min()
    }

    /// The run that is due now: the last of the ticks that have passed.
    pub fn due(&self, now: Timestamp) -> Option<Fire> {
        let (first, trigger) = self.next().filter(|(at, _)| *at <= now)?;
        let tick = |last: Timestamp| match trigger {
            Trigger::Every => next_tick(last, self.every?),
            Trigger::Cron => self.cron?.next_after(last),
            Trigger::After | Trigger::On => None,
        };
        let (mut due_at, mut skipped) = (first, 0);
        while let Some(next) = tick(due_at).filter(|next| *next <= now && skipped < TICKS_MAX) {
            (due_at, skipped) = (next, skipped + 1);
        }
        Some(Fire { trigger, due_at, skipped })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(1_767_225_600_000 + minutes * MINUTE)
    }

    fn every(minutes: i64) -> Schedule {
        let every = Some(Duration::from_millis(minutes * MINUTE));
        Schedule { every, ..Schedule::default() }
    }

    #[test]
    fn an_interval_ticks_from_its_deployment_on() {
        let mut times = Times::new(&every(30), at(0));
        assert_eq!((times.next(), times.due(at(29))), (Some((at(30), Trigger::Every)), None));
        let fire = times.due(at(30)).unwrap();
        assert_eq!(fire, Fire { trigger: Trigger::Every, due_at: at(30), skipped: 0 });
        times.fired(fire.trigger, fire.due_at);
        assert_eq!(times.next(), Some((at(60), Trigger::Every)));
    }

    #[test]
    fn missed_ticks_are_caught_up_once_and_counted() {
        let times = Times::new(&every(30), at(0));
        let fire = times.due(at(100)).unwrap();
        assert_eq!((fire.due_at, fire.skipped), (at(90), 2));
        let cron = Schedule { cron: Some("0 * * * *".to_owned()), ..Schedule::default() };
        let fire = Times::new(&cron, at(1)).due(at(150)).unwrap();
        assert_eq!((fire.due_at, fire.skipped), (at(120), 1));
    }

    #[test]
    fn after_starts_at_deploy_and_then_this_long_after_each_end() {
        let after = Some(Duration::from_millis(30 * MINUTE));
        let mut times = Times::new(&Schedule { after, ..Schedule::default() }, at(0));
        assert_eq!(times.due(at(0)).map(|fire| fire.due_at), Some(at(0)));
        times.fired(Trigger::After, at(0));
        assert_eq!(times.next(), None, "the run goes on");
        times.ended(at(7));
        assert_eq!(times.next(), Some((at(37), Trigger::After)));
        times.ended(at(9));
        assert_eq!(times.next(), Some((at(37), Trigger::After)), "an end counts once");
    }

    #[test]
    fn what_another_copy_may_have_started_is_not_started_again_and_the_rest_keeps_its_beat() {
        let mut times = Times::new(&every(30), at(0));
        times.skip_to(at(100));
        assert_eq!(times.due(at(119)), None, "the ticks of the gap are over");
        assert_eq!(times.next(), Some((at(120), Trigger::Every)));
        times.skip_to(at(100));
        assert_eq!(
            times.next(),
            Some((at(120), Trigger::Every)),
            "saying it again changes nothing"
        );

        let cron = Schedule { cron: Some("0 * * * *".to_owned()), ..Schedule::default() };
        let mut times = Times::new(&cron, at(1));
        times.skip_to(at(150));
        assert_eq!(times.next(), Some((at(180), Trigger::Cron)));

        let after =
            Schedule { after: Some(Duration::from_millis(30 * MINUTE)), ..Schedule::default() };
        let mut times = Times::new(&after, at(0));
        times.skip_to(at(100));
        assert_eq!(times.next(), Some((at(130), Trigger::After)), "the chain goes on");
    }

    #[test]
    fn several_times_of_one_schedule_each_count_by_themselves() {
        let schedule = Schedule { cron: Some("45 * * * *".to_owned()), ..every(30) };
        let mut times = Times::new(&schedule, at(0));
        let mut fired = vec![];
        while let Some(fire) =
            times.next().and_then(|(at, _)| times.due(at)).filter(|f| f.due_at <= at(110))
        {
            times.fired(fire.trigger, fire.due_at);
            fired.push((fire.trigger, fire.due_at.millis_since(at(0)) / MINUTE));
        }
        let expected = [
            (Trigger::Every, 30),
            (Trigger::Cron, 45),
            (Trigger::Every, 60),
            (Trigger::Every, 90),
            (Trigger::Cron, 105),
        ];
        assert_eq!(fired, expected);
    }
}
