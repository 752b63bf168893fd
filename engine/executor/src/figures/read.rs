//! Reading the log into what is kept: what was appended since, and what lies before it.

use super::cell::Happened;
use super::kept::Kept;
use crate::handle::Error;
use crate::measures::{self, CallEnd, Of};
use placet_log::ReadView;
use placet_model::{AttemptId, Event, Position, RecordedEvent, Timestamp};
use std::collections::BTreeMap;
use std::ops::Range;

/// Counts what was appended since the last look, then what lies before what is counted, until it reaches
/// back to `from` or so many events were read. Where more was appended than that, it begins anew at the head.
pub(super) fn read_on<'k>(
    kept: &'k mut Option<Kept>,
    (view, from): (&ReadView, Timestamp),
    (now, at_once): (Timestamp, u64),
) -> Result<&'k Kept, Error> {
    let end = view.head().position().get() + 1;
    let behind = kept.as_ref().map_or(u64::MAX, |kept| end.saturating_sub(kept.counted().end));
    if behind > at_once {
        *kept = None;
    }
    let kept = kept.get_or_insert_with(|| Kept::ending_before(end));
    let ahead = kept.counted().end..end.max(kept.counted().end);
    let read = ahead.end - ahead.start;
    count(kept, (view, ahead), now)?;
    if !kept.reaches(from) {
        let start = kept.counted().start;
        let back = start.saturating_sub(at_once.saturating_sub(read)).max(1)..start;
        count(kept, (view, back), now)?;
    }
    kept.forget(now);
    Ok(kept)
}

/// Counts a range of events next to what is counted.
fn count(
    kept: &mut Kept,
    (view, range): (&ReadView, Range<u64>),
    now: Timestamp,
) -> Result<(), Error> {
    if range.is_empty() {
        return Ok(());
    }
    let mut under_way = BTreeMap::new();
    let mut first = None;
    let events = view.events(Position::new(range.start));
    for event in events.take(usize::try_from(range.end - range.start).unwrap_or(usize::MAX)) {
        let event = event?;
        first = first.or(Some(event.recorded_at));
        if let Some(happened) = happened(view, &event, &mut under_way) {
            kept.note(event.recorded_at, happened, now);
        }
    }
    kept.counts(&range, first);
    Ok(())
}

/// What an event is counted as: as the metrics do it.
#[expect(clippy::wildcard_enum_match_arm, reason = "what else happens is not counted")]
fn happened(
    view: &ReadView,
    event: &RecordedEvent,
    under_way: &mut BTreeMap<AttemptId, Of>,
) -> Option<Happened> {
    match &event.event {
        Event::DecisionRequested(_) => Some(Happened::Asked),
        Event::DecisionSettled(body) => {
            let took = measures::since(body.decision, event.recorded_at).as_millis();
            let took = measures::by_people(body.settlement)
                .then(|| u64::try_from(took).unwrap_or(u64::MAX));
            Some(Happened::Settled(body.settlement, took))
        }
        Event::DecisionVoided(_) => Some(Happened::Void),
        Event::AttemptStarted(body) => {
            under_way.insert(body.attempt, Of::new(body));
            None
        }
        other => {
            let (attempt, end, is_over) = CallEnd::of(other)?;
            let known =
                if is_over { under_way.remove(&attempt) } else { under_way.get(&attempt).cloned() };
            // it began before what is read here: its own stream knows
            let of = known.or_else(|| measures::find(view, &event.stream, attempt))?;
            let Of { provider, mode, is_gated } = of;
            Some(Happened::Ended { provider, mode, is_gated, end })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::kept::DAY_MS;
    use placet_log::{Append, Expected, Log, NewEvent, OpenOptions};
    use placet_model::attempt::{Evidence, RefuseReason};
    use placet_model::decision::{Resolution, Settlement};
    use placet_model::draft::Mode;
    use placet_model::event::attempt::{
        AnswerFacts, AttemptInDoubt, AttemptReconciled, AttemptRefused, AttemptStarted,
        ReconciledBy,
    };
    use placet_model::event::decision::DecisionSettled;
    use placet_model::manifest::Effect;
    use placet_model::{
        Actor, DecisionId, Digest, EventId, Iteration, PayloadRef, Revision, RunId, StreamId,
        TaskPath,
    };
    use serde_json::{Value, json};

    const MINUTE: i64 = 60_000;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * MINUTE)
    }

    struct World {
        log: Log,
        events: u8,
    }

    impl World {
        fn append(&mut self, minute: i64, run: u8, event: impl Into<Event>) {
            self.events += 1;
            let stream = StreamId::Run(RunId::from_bytes([run; 16]));
            let event = NewEvent::new(EventId::from_bytes([self.events; 16]), Actor::Engine, event);
            let append = Append::new(stream, Expected::Any, vec![event]);
            self.log.append(at(minute), append).wait().unwrap();
        }
    }

    fn attempt(number: u8) -> AttemptId {
        AttemptId::from_bytes([number; 16])
    }

    fn started(number: u8, operation: &str) -> AttemptStarted {
        AttemptStarted {
            attempt: attempt(number),
            try_number: 1,
            task: TaskPath::new("/do/0/send"),
            iteration: Iteration::default(),
            decision: Some(DecisionId::from_bytes([number; 16])),
            digest: None,
            send_id: String::new(),
            operation: operation.to_owned(),
            operation_digest: Digest::of(b""),
            effect: Effect::Send,
            mode: Mode::Live,
            integration: None,
            credential_version: 0,
            with: PayloadRef::new(Revision::new(1), 0),
            request: PayloadRef::new(Revision::new(1), 0),
            request_digest: Digest::of(b""),
            not_after: at(9_999),
            uptime: None,
        }
    }

    /// Attempts that begin long before they end, and decisions, over ten minutes.
    fn history() -> World {
        let log = Log::open(OpenOptions::in_memory("test")).unwrap();
        let mut world = World { log, events: 0 };
        for run in 1..=6 {
            world.append(0, run, started(run, if run < 4 { "slack.x" } else { "stripe.y" }));
        }
        for run in 1..=3 {
            let doubt = AttemptInDoubt {
                attempt: attempt(run),
                try_number: 1,
                evidence: Evidence::Timeout,
                answer: AnswerFacts::default(),
                detail: None,
            };
            world.append(2, run, doubt);
        }
        for run in 4..=6 {
            let refused = AttemptRefused {
                attempt: attempt(run),
                try_number: 1,
                reason: RefuseReason::Permanent,
                answer: AnswerFacts::default(),
                code: None,
                detail: None,
            };
            world.append(6, run, refused);
        }
        let reconciled = AttemptReconciled {
            attempt: attempt(1),
            resolution: Resolution::Sent,
            by: ReconciledBy::Person,
            output: None,
        };
        world.append(8, 1, reconciled);
        for run in 1..=3 {
            let settled = DecisionSettled {
                decision: DecisionId::from_bytes([0; 16]),
                digest: Digest::of(b""),
                settlement: Settlement::Approved,
                reason: None,
            };
            world.append(9, run, settled);
        }
        world
    }

    fn told(kept: &Kept) -> (Value, Vec<Value>) {
        let sum = kept.sum(0..DAY_MS, DAY_MS);
        (Value::from(sum.to_json()), sum.failures())
    }

    #[test]
    fn however_little_is_read_at_once_the_figures_are_the_same_in_the_end() {
        let world = history();
        let view = world.log.read().unwrap();
        let mut whole = None;
        read_on(&mut whole, (&view, at(0)), (at(10), 1_000)).unwrap();
        let (all, failures) = told(whole.as_ref().unwrap());
        assert_eq!((&all["sent"]["live"], &all["settled"]["approved"]), (&json!(1), &json!(3)));
        let counts = |row: &Value| {
            (row["provider"].clone(), row["in_doubt"].clone(), row["refused"].clone())
        };
        let expected =
            [(json!("slack"), json!(3), json!(0)), (json!("stripe"), json!(0), json!(3))];
        assert_eq!(failures.iter().map(counts).collect::<Vec<_>>(), expected);
        for at_once in 1..8 {
            let (mut kept, mut looks) = (None, 0);
            while !read_on(&mut kept, (&view, at(0)), (at(10), at_once)).unwrap().reaches(at(0)) {
                looks += 1;
            }
            assert_eq!(told(kept.as_ref().unwrap()), (all.clone(), failures.clone()), "{at_once}");
            assert_eq!(
                looks,
                u64::from(world.events).div_ceil(at_once) - 1,
                "no event is read twice"
            );
        }
    }

    #[test]
    fn a_look_reads_no_further_back_than_it_must_and_then_only_what_is_new() {
        let mut world = history();
        let mut kept = None;
        let view = world.log.read().unwrap();
        let read = read_on(&mut kept, (&view, at(9)), (at(10), 4)).unwrap();
        assert_eq!(read.counted(), &(13..17), "the last four");
        assert!(read.reaches(at(9)) && !read.reaches(at(8)));
        world.append(10, 7, started(7, "slack.x"));
        let view = world.log.read().unwrap();
        let read = read_on(&mut kept, (&view, at(9)), (at(10), 4)).unwrap();
        assert_eq!(read.counted(), &(13..18));
    }

    #[test]
    fn what_grew_too_much_between_two_looks_is_begun_anew_at_its_head() {
        let mut world = history();
        let mut kept = None;
        read_on(&mut kept, (&world.log.read().unwrap(), at(0)), (at(10), 1_000)).unwrap();
        for run in 10..16 {
            world.append(20, run, started(run, "slack.x"));
        }
        let end = u64::from(world.events) + 1;
        let view = world.log.read().unwrap();
        let read = read_on(&mut kept, (&view, at(0)), (at(20), 5)).unwrap();
        assert_eq!(read.counted(), &(end - 5..end));
        assert!(!read.reaches(at(0)) && read.since() == Some(at(20)), "it says so");
    }
}
