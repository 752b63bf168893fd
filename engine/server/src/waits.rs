//! Requests that wait for a run: until it is over or waits for somebody. A run tells when it stands
//! still, and only those who wait for it look; nothing polls.

use placet_executor::Notice;
use placet_model::RunId;
use placet_projections::{RunRow, RunStatus, WaitingFor};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{broadcast, oneshot};

/// Who waits for which run.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    waiting: Mutex<BTreeMap<RunId, Vec<oneshot::Sender<()>>>>,
}

impl Waits {
    /// Follows what the engine tells, until it tells nothing more.
    pub(crate) fn follow(mut notices: broadcast::Receiver<Notice>) -> Arc<Self> {
        let waits = Arc::new(Self::default());
        let follower = Arc::clone(&waits);
        tokio::spawn(async move {
            loop {
                match notices.recv().await {
                    Ok(Notice::Finished { run } | Notice::Parked { run }) => follower.wake(run),
                    Ok(
                        Notice::Inbox { .. } | Notice::InDoubt { .. } | Notice::Integration { .. },
                    ) => {}
                    // some were missed: everybody looks
                    Ok(Notice::Failed) | Err(broadcast::error::RecvError::Lagged(_)) => {
                        follower.wake_all();
                    }
                    Err(broadcast::error::RecvError::Closed) => return follower.wake_all(),
                }
            }
        });
        waits
    }

    /// Somebody who waits until the run next stands still. Ask for it before looking at the run.
    pub(crate) fn next(self: &Arc<Self>, run: RunId) -> Waiter {
        let (wake, woken) = oneshot::channel();
        self.lock().entry(run).or_default().push(wake);
        Waiter { waits: Arc::clone(self), run, woken }
    }

    fn wake(&self, run: RunId) {
        let waiters = self.lock().remove(&run);
        for waiter in waiters.into_iter().flatten() {
            let _it_gave_up = waiter.send(());
        }
    }

    fn wake_all(&self) {
        let all = std::mem::take(&mut *self.lock());
        for waiter in all.into_values().flatten() {
            let _it_gave_up = waiter.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RunId, Vec<oneshot::Sender<()>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits; whoever gives up, or is cut off, leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Waiter {
    waits: Arc<Waits>,
    run: RunId,
    woken: oneshot::Receiver<()>,
}

impl Waiter {
    /// Comes to true when it is time to look at the run, to false when nothing will ever be told.
    pub(crate) async fn woken(&mut self) -> bool {
        (&mut self.woken).await.is_ok()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.woken.close();
        let mut waiting = self.waits.lock();
        let Some(waiters) = waiting.get_mut(&self.run) else { return };
        waiters.retain(|waiter| !waiter.is_closed());
        if waiters.is_empty() {
            waiting.remove(&self.run);
        }
    }
}

/// Whether there is nothing more to wait for: the run is over, or it is somebody's turn.
pub(crate) const fn stands_still(row: &RunRow) -> bool {
    match row.status {
        RunStatus::Completed | RunStatus::Faulted | RunStatus::Cancelled => true,
        RunStatus::Running | RunStatus::Waiting => matches!(
            row.waiting_for,
            Some(WaitingFor::Decision(_) | WaitingFor::InDoubt | WaitingFor::Event)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: RunId = RunId::from_bytes([1; 16]);
    const OTHER: RunId = RunId::from_bytes([2; 16]);

    #[tokio::test]
    async fn whoever_waits_for_a_run_is_woken_by_it_alone_and_by_missed_news() {
        let (notices, receiver) = broadcast::channel(1);
        let waits = Waits::follow(receiver);
        let (mut first, mut other) = (waits.next(RUN), waits.next(OTHER));
        notices.send(Notice::Finished { run: RUN }).unwrap();
        assert!(first.woken().await);
        assert_eq!(other.woken.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        notices.send(Notice::Failed).unwrap();
        assert!(other.woken().await);
        assert!(waits.lock().is_empty());
    }

    #[test]
    fn whoever_gives_up_leaves_nothing_behind() {
        let waits = Arc::new(Waits::default());
        let stays = waits.next(RUN);
        drop(waits.next(RUN));
        assert_eq!(waits.lock()[&RUN].len(), 1);
        drop(stays);
        assert!(waits.lock().is_empty());
    }
}
