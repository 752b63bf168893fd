//! Appending: order, expectations, repetition, groups.

use crate::support::*;
use placet_log::{Append, AppendError, Expected, Novelty};
use placet_model::{Position, Revision, StreamId, Timestamp};

#[test]
fn events_get_gapless_positions_and_revisions_in_the_order_given() {
    let log = memory();
    log.append_blocking(NOW, exactly(run(1), 0, events([1, 2]))).unwrap();
    log.append_blocking(NOW, exactly(run(2), 0, events([3]))).unwrap();
    let third = log.append_blocking(NOW, exactly(run(1), 2, events([4, 5]))).unwrap();

    assert_eq!(third.first_position(), Position::new(4));
    assert_eq!(third.revision_of(&run(1)), Some(Revision::new(4)));
    let places: Vec<_> = all(&log)
        .into_iter()
        .map(|event| (event.position.get(), event.stream, event.revision.get()))
        .collect();
    let expected =
        vec![(1, run(1), 1), (2, run(1), 2), (3, run(2), 1), (4, run(1), 3), (5, run(1), 4)];
    assert_eq!(places, expected);
    for (event, n) in all(&log).iter().zip(1..) {
        assert!(is(event, n), "{event:?}");
    }
}

#[test]
fn a_stream_that_is_elsewhere_than_expected_refuses_and_writes_nothing() {
    let log = memory();
    log.append_blocking(NOW, exactly(run(1), 0, events([1, 2]))).unwrap();
    for (expected, at) in [
        (Expected::NoStream, 0),
        (Expected::Exact(Revision::new(1)), 1),
        (Expected::Exact(Revision::new(3)), 3),
    ] {
        let append = Append::new(run(1), expected, events([9]));
        let error = log.append_blocking(NOW, append).unwrap_err();
        let AppendError::WrongRevision { stream, expected, actual } = error else {
            panic!("{error}")
        };
        assert_eq!((stream, expected.get(), actual.get()), (run(1), at, 2));
    }
    assert_eq!(log.head(), Position::new(2));
}

#[test]
fn the_same_events_again_are_answered_with_their_old_positions() {
    for expected in [Expected::NoStream, Expected::Exact(Revision::START), Expected::Any] {
        let log = memory();
        let append = || Append::new(run(1), expected, events([1, 2]));
        let first = log.append_blocking(NOW, append()).unwrap();
        assert_eq!(first.novelty, Novelty::Written);
        for later in 0..3 {
            let again = log.append_blocking(NOW, append()).unwrap();
            assert_eq!(again.novelty, Novelty::Repeated, "{expected:?} {later}");
            assert_eq!(again.events, first.events);
            log.append_blocking(NOW, Append::new(run(1), Expected::Any, events([10 + later])))
                .unwrap();
        }
        assert_eq!(log.head(), Position::new(5));
    }
}

#[test]
fn the_same_events_again_with_a_fresh_expectation_are_not_written_twice() {
    let log = memory();
    log.append_blocking(NOW, exactly(run(1), 0, events([1]))).unwrap();
    let first = log.append_blocking(NOW, exactly(run(1), 1, events([2, 3]))).unwrap();
    let again = log.append_blocking(NOW, exactly(run(1), 3, events([2, 3]))).unwrap();
    assert_eq!(again.events, first.events);
    assert_eq!(log.head(), Position::new(3));
}

#[test]
fn an_event_id_in_another_append_is_refused() {
    let log = memory();
    log.append_blocking(NOW, exactly(run(1), 0, events([1, 2]))).unwrap();
    let error = log.append_blocking(NOW, exactly(run(1), 0, events([1, 3]))).unwrap_err();
    assert!(matches!(error, AppendError::EventIdTaken { .. }), "{error}");
    assert_eq!(log.head(), Position::new(2));
}

#[test]
fn a_group_is_written_for_all_of_its_streams_or_for_none() {
    let log = memory();
    log.append_blocking(NOW, exactly(run(1), 0, events([1]))).unwrap();
    let group =
        |expected| vec![exactly(run(2), 0, events([2])), exactly(run(1), expected, events([3, 4]))];

    let error = log.append_group(NOW, group(7)).wait().unwrap_err();
    assert!(matches!(error, AppendError::WrongRevision { actual, .. } if actual.get() == 1));
    assert_eq!(log.head(), Position::new(1));
    assert_eq!(log.read().unwrap().revision(&run(2)).unwrap(), Revision::START);

    let written = log.append_group(NOW, group(1)).wait().unwrap();
    assert_eq!(written.revision_of(&run(2)), Some(Revision::new(1)));
    assert_eq!(written.revision_of(&run(1)), Some(Revision::new(3)));
    let again = log.append_group(NOW, group(1)).wait().unwrap();
    assert_eq!((again.novelty, again.events), (Novelty::Repeated, written.events));

    let torn = vec![exactly(run(2), 0, events([2])), exactly(run(3), 0, events([5]))];
    let error = log.append_group(NOW, torn).wait().unwrap_err();
    assert!(matches!(error, AppendError::GroupInPart { stream } if stream == run(3)));
}

#[test]
fn what_no_row_can_hold_is_refused_before_it_is_queued() {
    let log = memory();
    let twice = vec![exactly(run(1), 0, events([1])), exactly(run(1), 1, events([2]))];
    let long = StreamId::Workflow("x".repeat(600));
    for group in [
        vec![],
        vec![exactly(run(1), 0, vec![])],
        vec![exactly(run(1), 0, events([1, 1]))],
        vec![exactly(run(1), 0, events(0..2000))],
        vec![exactly(long, 0, events([1]))],
        twice,
    ] {
        let error = log.append_group(NOW, group).wait().unwrap_err();
        assert!(matches!(error, AppendError::Invalid { .. }), "{error}");
    }
    assert_eq!(log.head(), Position::START);
}

#[test]
fn log_time_never_goes_back() {
    let log = memory();
    for (n, at) in [(1, 100), (2, 50), (3, 200)] {
        log.append_blocking(Timestamp::from_millis(at), exactly(run(n), 0, events([n]))).unwrap();
    }
    let times: Vec<_> = all(&log).iter().map(|event| event.recorded_at.as_millis()).collect();
    assert_eq!(times, [100, 100, 200]);
}

#[test]
fn every_one_of_many_writers_gets_its_own_answer() {
    let log = memory();
    std::thread::scope(|scope| {
        for writer in 0..16 {
            let log = log.clone();
            scope.spawn(move || {
                for n in 0..20u32 {
                    let number = writer * 100 + u128::from(n);
                    let new = events([number]);
                    let appended =
                        log.append_blocking(NOW, exactly(run(writer), n.into(), new)).unwrap();
                    assert!(is(&appended.events[0], number));
                }
            });
        }
    });
    assert_eq!(log.head(), Position::new(320));
    let told = std::cell::Cell::new(0);
    let count = |read| assert_eq!(told.replace(read) + 1, read, "each event is told of in turn");
    let verified = log.read().unwrap().verify_telling(&count).unwrap();
    assert_eq!((verified.events, told.get()), (320, 320));
}

#[test]
fn who_writes_on_the_own_thread_overtakes_nothing_that_is_queued() {
    // given two threads that queue an append, and at once write the one that must stand behind it
    let log = memory();
    let both = [1, 2].map(|stream| {
        let log = log.clone();
        std::thread::spawn(move || {
            for place in (0..100).step_by(2) {
                let id = |place| (stream << 32) + u128::from(place) + 1;
                let queued = log.append(NOW, exactly(run(stream), place, events([id(place)])));
                let behind = exactly(run(stream), place + 1, events([id(place + 1)]));
                // when
                let behind = log.append_blocking(NOW, behind);
                // then the order is that in which they were handed in
                behind.unwrap();
                queued.wait().unwrap();
            }
        })
    });
    for thread in both {
        thread.join().unwrap();
    }
    assert_eq!(log.head(), Position::new(200));
}

#[test]
fn who_writes_on_the_own_thread_is_answered_before_it_goes_on() {
    let log = memory();
    let (answer, answered) = std::sync::mpsc::channel();
    let here = std::thread::current().id();
    log.append_group_here(NOW, vec![exactly(run(1), 0, events([1]))], move |result| {
        answer.send((result.is_ok(), std::thread::current().id() == here)).unwrap();
    });
    // nothing else is queued, so nobody else has written it
    assert_eq!(answered.try_recv(), Ok((true, true)));
}
