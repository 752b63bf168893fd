//! Following the log: waiting for new positions, being woken, snapshots, callbacks.

use crate::support::*;
use placet_log::AppendResult;
use placet_model::{Position, Revision};
use std::sync::mpsc;
use std::time::Duration;

const SOON: Duration = placet_test_support::DEADLINE;

#[test]
fn a_follower_is_woken_by_the_next_commit() {
    let log = memory();
    let follower = log.clone();
    let waiting = std::thread::spawn(move || follower.wait_past(Position::START, SOON));
    log.append_blocking(NOW, exactly(run(1), 0, events([1]))).unwrap();
    assert_eq!(waiting.join().unwrap(), Position::new(1));
    // what is past already is answered at once, what is not is answered when the time is over
    assert_eq!(log.wait_past(Position::START, SOON), Position::new(1));
    assert_eq!(log.wait_past(Position::new(1), Duration::ZERO), Position::new(1));
}

#[test]
fn a_subscription_hears_of_every_commit_until_it_is_dropped() {
    let log = memory();
    let (heard, hears) = mpsc::channel();
    let subscription = log.subscribe(move |head| heard.send(head).unwrap());
    log.append_blocking(NOW, exactly(run(1), 0, events([1, 2]))).unwrap();
    log.append_blocking(NOW, exactly(run(1), 2, events([3]))).unwrap();
    drop(subscription);
    log.append_blocking(NOW, exactly(run(1), 3, events([4]))).unwrap();
    let heads: Vec<u64> = hears.iter().map(Position::get).collect();
    assert_eq!(heads, [2, 3]);
}

#[test]
fn a_subscriber_can_read_what_it_hears_of() {
    let log = memory();
    let (read, reads) = mpsc::channel();
    let reader = log.clone();
    let _subscription = log.subscribe(move |head| {
        read.send(reader.read().unwrap().event(head).unwrap()).unwrap();
    });
    log.append_blocking(NOW, exactly(run(1), 0, events([1]))).unwrap();
    assert!(is(&reads.recv().unwrap(), 1));
}

#[test]
fn a_snapshot_does_not_move() {
    let log = memory();
    log.append_blocking(NOW, exactly(run(1), 0, events([1, 2]))).unwrap();
    let view = log.read().unwrap();
    log.append_blocking(NOW, exactly(run(1), 2, events([3]))).unwrap();
    assert_eq!(view.head().position(), Position::new(2));
    assert_eq!(view.events(Position::START).count(), 2);
    assert_eq!(view.stream(&run(1), Revision::START).count(), 2);
    assert_eq!(view.stream(&run(1), Revision::new(1)).count(), 1);
    assert_eq!(view.events(Position::new(2)).count(), 1);
    assert_eq!(view.events(Position::new(3)).count(), 0);
    assert!(view.event(Position::new(3)).is_err());
    assert!(view.event(Position::START).is_err());
    assert_eq!(log.read().unwrap().events(Position::START).count(), 3);
}

#[test]
fn a_callback_may_drop_the_last_handle() {
    let log = memory();
    let (answer, answered) = mpsc::channel::<AppendResult>();
    let last = log.clone();
    let append = exactly(run(1), 0, events([1]));
    log.append_with(NOW, append, move |result| {
        drop(last);
        answer.send(result).unwrap();
    });
    drop(log);
    answered.recv().unwrap().unwrap();
}

#[test]
fn a_ticket_can_be_awaited() {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};

    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let log = memory();
    let mut ticket = pin!(log.append(NOW, exactly(run(1), 0, events([1]))));
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let appended = loop {
        match ticket.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => break result.unwrap(),
            Poll::Pending => std::thread::park(),
        }
    };
    assert!(is(&appended.events[0], 1));
}
