//! Turns: how many calls are under way at once towards a host, and of one credential there.
//!
//! Each host has its own queue, so that a slow one holds nobody else up. Within a host each credential
//! has a lane, and the lanes are served in turn: a crowd of one integration waits for itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Calls under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnLimits {
    /// Towards one host and port: 64.
    pub host: usize,
    /// Of one credential towards one host and port: 32. Calls without one have no such bound.
    pub credential: usize,
}

impl Default for TurnLimits {
    fn default() -> Self {
        Self { host: 64, credential: 32 }
    }
}

/// Whose calls share a lane; none for calls that act as nobody.
pub(crate) type Lane = Option<String>;

/// Host and port of a URL: a queue for each. Mail servers have theirs too.
pub(crate) fn host(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let port = url.port_or_known_default().unwrap_or_default();
    Some(format!("{}:{port}", url.host_str()?))
}

/// All queues of one process.
#[derive(Debug)]
pub(crate) struct Turns {
    limits: TurnLimits,
    hosts: Mutex<BTreeMap<String, Host>>,
}

#[derive(Debug, Default)]
struct Host {
    under_way: usize,
    lanes: BTreeMap<Lane, Waiting>,
    /// Lanes in which somebody waits, the next one first.
    order: VecDeque<Lane>,
}

#[derive(Debug, Default)]
struct Waiting {
    under_way: usize,
    queue: VecDeque<oneshot::Sender<Held>>,
}

/// A turn. Whoever drops it passes it on.
#[derive(Debug)]
pub(crate) struct Held {
    turns: Arc<Turns>,
    host: String,
    lane: Lane,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.turns.give_back(&self.host, &self.lane);
    }
}

impl Turns {
    pub(crate) fn new(limits: TurnLimits) -> Self {
        Self { limits, hosts: Mutex::default() }
    }

    /// Waits for a turn. A wait that is dropped leaves the queue.
    pub(crate) async fn wait(self: &Arc<Self>, host: String, lane: Lane) -> Option<Held> {
        let (sender, turn) = oneshot::channel();
        {
            let mut hosts = self.lock();
            let at = hosts.entry(host.clone()).or_default();
            let waiting = at.lanes.entry(lane.clone()).or_default();
            // those who have gone wait for nothing
            waiting.queue.retain(|sender| !sender.is_closed());
            if waiting.queue.is_empty() && !at.order.contains(&lane) {
                at.order.push_back(lane);
            }
            waiting.queue.push_back(sender);
        }
        self.pass_on(&host);
        turn.await.ok()
    }

    fn give_back(self: &Arc<Self>, host: &str, lane: &Lane) {
        {
            let mut hosts = self.lock();
            let Some(at) = hosts.get_mut(host) else { return };
            at.under_way -= 1;
            if let Some(waiting) = at.lanes.get_mut(lane) {
                waiting.under_way -= 1;
            }
        }
        self.pass_on(host);
    }

    /// Gives every free turn to the next lane that may have one.
    fn pass_on(self: &Arc<Self>, host: &str) {
        // whoever has gone meanwhile hands it back, which must find nothing locked
        while let Some((sender, held)) = self.next(host) {
            drop(sender.send(held));
        }
    }

    fn next(self: &Arc<Self>, host: &str) -> Option<(oneshot::Sender<Held>, Held)> {
        let mut hosts = self.lock();
        let at = hosts.get_mut(host)?;
        at.lanes.retain(|_, waiting| waiting.under_way > 0 || !waiting.queue.is_empty());
        if at.under_way == 0 && at.lanes.is_empty() {
            hosts.remove(host);
            return None;
        }
        if at.under_way >= self.limits.host {
            return None;
        }
        let may = |lane: &Lane| {
            let under_way = at.lanes.get(lane).map_or(0, |waiting| waiting.under_way);
            lane.is_none() || under_way < self.limits.credential
        };
        let place = at.order.iter().position(may)?;
        let lane = at.order.remove(place)?;
        let waiting = at.lanes.get_mut(&lane)?;
        let sender = waiting.queue.pop_front();
        if !waiting.queue.is_empty() {
            at.order.push_back(lane.clone());
        }
        let sender = sender?;
        waiting.under_way += 1;
        at.under_way += 1;
        Some((sender, Held { turns: Arc::clone(self), host: host.to_owned(), lane }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    type Wait = Pin<Box<dyn Future<Output = Option<Held>>>>;

    fn turns(host: usize, credential: usize) -> Arc<Turns> {
        Arc::new(Turns::new(TurnLimits { host, credential }))
    }

    /// Begins to wait; the order of these calls is the order of the queue.
    fn wait(turns: &Arc<Turns>, host: &str, lane: &str) -> Wait {
        let lane = (!lane.is_empty()).then(|| lane.to_owned());
        let (turns, host) = (Arc::clone(turns), host.to_owned());
        let mut wait: Wait = Box::pin(async move { turns.wait(host, lane).await });
        // the first look enters the queue; a turn that is free stays in the future's hands
        let first = wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        match first {
            Poll::Ready(held) => Box::pin(std::future::ready(held)),
            Poll::Pending => wait,
        }
    }

    fn has(wait: &mut Wait) -> Option<Held> {
        match wait.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(held) => held,
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_host_that_is_full_holds_up_no_other() {
        let turns = turns(2, 2);
        let mut slow: Vec<Wait> = (0..10).map(|_| wait(&turns, "slow", "a")).collect();
        let held: Vec<Held> = slow.iter_mut().filter_map(has).collect();
        assert_eq!(held.len(), 2);
        assert!(has(&mut wait(&turns, "other", "a")).is_some());
    }

    #[test]
    fn the_crowd_of_one_credential_waits_for_itself() {
        let turns = turns(2, 2);
        let mut crowd: Vec<Wait> = (0..100).map(|_| wait(&turns, "host", "crowd")).collect();
        let held: Vec<Held> = crowd[..2].iter_mut().filter_map(has).collect();
        let mut held = held.into_iter();
        let mut one = wait(&turns, "host", "one");
        assert!(has(&mut one).is_none());
        // one call ends, the crowd has the next turn that was its before, and then it is one's
        drop(held.next());
        let after_one = has(&mut crowd[2]).is_some();
        drop(held.next());
        let after_two = has(&mut one).is_some();
        assert!(after_one && after_two, "of 98 that came before it, one went before it");
    }

    #[test]
    fn a_credential_never_has_more_than_its_share_of_a_host() {
        let turns = turns(10, 3);
        let mut crowd: Vec<Wait> = (0..10).map(|_| wait(&turns, "host", "crowd")).collect();
        let held: Vec<Held> = crowd.iter_mut().filter_map(has).collect();
        assert_eq!(held.len(), 3);
        let mut others: Vec<Wait> = (0..10).map(|_| wait(&turns, "host", "")).collect();
        let rest: Vec<Held> = others.iter_mut().filter_map(has).collect();
        assert_eq!(rest.len(), 7, "the rest of the host is free");
    }

    #[test]
    fn who_goes_while_waiting_or_with_a_turn_in_hand_leaves_nothing_behind() {
        let turns = turns(1, 1);
        let mut first = wait(&turns, "host", "a");
        let held = has(&mut first);
        let gone = wait(&turns, "host", "a");
        let handed = wait(&turns, "host", "b");
        let mut last = wait(&turns, "host", "c");
        drop(gone);
        // the turn goes past the one who has gone to `handed`, who goes without taking it
        drop(held);
        drop(handed);
        let held = has(&mut last);
        assert!(held.is_some());
        drop(held);
        assert!(turns.lock().is_empty(), "{turns:?}");
    }
}
