//! Whether somebody approves faster than anybody reads. It is told, and stops nothing.

use crate::handle::Error;
use crate::inbox::stats::{QUICK_MS, decides};
use placet_model::decision::{Assurance, Verdict};
use placet_model::event::notice::{AlarmKind, ApproverAlarmRaised};
use placet_model::project::Alarms;
use placet_model::{Duration, Event, Principal, RecordedEvent, Timestamp};
use placet_projections::{TallyKind, Views};
use std::ops::ControlFlow;

const MINUTE_MS: i64 = 60_000;

/// Whose approving is to be looked at after this event. Test principals are no people.
pub(super) fn voter(event: &RecordedEvent) -> Option<Principal> {
    let Event::VoteCast(vote) = &event.event else { return None };
    (vote.assurance != Assurance::Test && decides(vote.verdict)).then(|| vote.voter.clone())
}

/// The alarms that this person's votes are worth now: each kind once in a window.
pub(super) fn of(
    views: &Views<'_>,
    who: &Principal,
    config: &Alarms,
    now: Timestamp,
) -> Result<Vec<ApproverAlarmRaised>, Error> {
    let window = config.window.map_or(MINUTE_MS, Duration::approximate_millis);
    let since = now.plus_millis(-window);
    let until = now.plus_millis(1);
    let mut raised = [false; 2];
    views.tally((Some(who), TallyKind::Alarm), since..until, |row| {
        match AlarmKind::from_number(row.word) {
            Some(AlarmKind::Rate) => raised[0] = true,
            Some(AlarmKind::QuickShare) => raised[1] = true,
            None => {}
        }
        ControlFlow::Continue(())
    })?;
    if raised == [true; 2] {
        return Ok(vec![]);
    }
    let minute = now.plus_millis(-MINUTE_MS);
    let (mut decisions, mut quick, mut approvals) = (0u32, 0u32, 0u32);
    let from = since.min(minute);
    views.tally((Some(who), TallyKind::Voted), from..until, |row| {
        let verdict = Verdict::from_number(row.word).filter(|verdict| decides(*verdict));
        if verdict.is_some() && row.at >= since {
            decisions += 1;
            quick += u32::from(row.took_ms < QUICK_MS);
        }
        approvals += u32::from(verdict == Some(Verdict::Approve) && row.at >= minute);
        ControlFlow::Continue(())
    })?;
    let bound = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let alarm = |alarm, since, decisions, quick, bound| ApproverAlarmRaised {
        approver: who.clone(),
        alarm,
        since,
        until: now,
        decisions,
        quick,
        bound,
    };
    let mut alarms = vec![];
    if !raised[0] && approvals > bound(config.minute_max) {
        let quick = quick.min(approvals);
        alarms.push(alarm(AlarmKind::Rate, minute, approvals, quick, bound(config.minute_max)));
    }
    let share = u64::from(quick) * 100;
    let enough = u64::from(decisions) >= config.quick_decisions_min;
    if !raised[1] && enough && share > config.quick_per_cent_max * u64::from(decisions) {
        let bound = bound(config.quick_per_cent_max);
        alarms.push(alarm(AlarmKind::QuickShare, since, decisions, quick, bound));
    }
    Ok(alarms)
}
