//! The one rebuild of the derived tables that may be under way, and how the last one ended.

use crate::problem::with_sources;
use placet_model::{Position, Principal};
use placet_projections::{Error, Progress, Rebuilt};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use tokio::sync::watch;

/// What is known of rebuilds since the engine started.
#[derive(Debug)]
pub(crate) struct Rebuilds(watch::Sender<Option<Rebuild>>);

/// One rebuild.
#[derive(Debug, Clone)]
pub(crate) struct Rebuild {
    /// Counts from 1 since the engine started.
    id: u64,
    by: Principal,
    state: State,
    events: u64,
    head: Position,
}

#[derive(Debug, Clone)]
enum State {
    Running,
    /// Somebody wants it to end; it does at its next stretch.
    Cancelling,
    Done,
    Cancelled,
    Failed(String),
}

impl Rebuild {
    const fn is_running(&self) -> bool {
        matches!(self.state, State::Running | State::Cancelling)
    }

    /// `{id, state, by, events, head, detail}`.
    pub(crate) fn to_json(&self) -> Value {
        let (state, detail) = match &self.state {
            State::Running => ("running", None),
            State::Cancelling => ("running", Some("it is being cancelled")),
            State::Done => ("done", None),
            State::Cancelled => ("cancelled", None),
            State::Failed(detail) => ("failed", Some(detail.as_str())),
        };
        json!({
            "id": self.id,
            "state": state,
            "by": self.by,
            "events": self.events,
            "head": self.head,
            "detail": detail,
        })
    }
}

impl Default for Rebuilds {
    fn default() -> Self {
        Self(watch::channel(None).0)
    }
}

impl Rebuilds {
    /// Notes that one begins; none while another is under way.
    pub(crate) fn begin(&self, by: &Principal, head: Position) -> Option<Rebuild> {
        let mut begun = None;
        self.0.send_if_modified(|known| {
            if known.as_ref().is_some_and(Rebuild::is_running) {
                return false;
            }
            let id = known.as_ref().map_or(0, |last| last.id) + 1;
            let next = Rebuild { id, by: by.clone(), state: State::Running, events: 0, head };
            begun = Some(known.insert(next).clone());
            true
        });
        begun
    }

    /// The last one.
    pub(crate) fn last(&self) -> Option<Rebuild> {
        self.0.borrow().clone()
    }

    /// Comes when none is under way.
    pub(crate) async fn over(&self) {
        let mut known = self.0.subscribe();
        let over = |known: &Option<Rebuild>| !known.as_ref().is_some_and(Rebuild::is_running);
        drop(known.wait_for(over).await);
    }

    /// Asks the one that is under way to end; none when there is none.
    pub(crate) fn cancel(&self) -> Option<Rebuild> {
        let mut cancelled = None;
        self.0.send_if_modified(|known| {
            let running = known.as_mut().filter(|rebuild| rebuild.is_running());
            cancelled = running.map(|running| {
                running.state = State::Cancelling;
                running.clone()
            });
            cancelled.is_some()
        });
        cancelled
    }

    /// How far it is; breaks off when somebody wants it to end.
    pub(crate) fn note(&self, progress: Progress) -> ControlFlow<()> {
        let mut flow = ControlFlow::Break(());
        self.0.send_if_modified(|known| {
            let Some(running) = known else { return false };
            (running.events, running.head) = (progress.events, progress.head);
            if matches!(running.state, State::Running) {
                flow = ControlFlow::Continue(());
            }
            true
        });
        flow
    }

    /// How it ended.
    pub(crate) fn end(&self, ended: Result<Option<Rebuilt>, Error>) {
        match ended {
            Ok(made) => self.ended(|running| match made {
                Some(made) => {
                    (running.events, running.head) = (made.events, made.cursor);
                    State::Done
                }
                None => State::Cancelled,
            }),
            Err(error) => self.fail(with_sources(&error)),
        }
    }

    /// It came to nothing.
    pub(crate) fn fail(&self, detail: String) {
        self.ended(|_running| State::Failed(detail));
    }

    fn ended(&self, state: impl FnOnce(&mut Rebuild) -> State) {
        self.0.send_if_modified(|known| {
            let Some(running) = known else { return false };
            running.state = state(running);
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far(events: u64) -> Progress {
        Progress { events, head: Position::new(9) }
    }

    #[test]
    fn one_rebuild_at_a_time_and_the_next_has_the_next_number() {
        let (rebuilds, by) = (Rebuilds::default(), "author".parse().unwrap());
        assert!(rebuilds.last().is_none() && rebuilds.cancel().is_none());
        assert!(rebuilds.begin(&by, Position::new(9)).is_some());
        assert!(rebuilds.begin(&by, Position::new(9)).is_none());
        assert!(rebuilds.note(far(3)).is_continue());
        let shown = rebuilds.last().unwrap().to_json();
        assert_eq!((&shown["state"], &shown["events"]), (&json!("running"), &json!(3)));
        rebuilds.end(Ok(Some(Rebuilt { events: 9, cursor: Position::new(9) })));
        assert_eq!(rebuilds.last().unwrap().to_json()["state"], "done");
        assert_eq!(rebuilds.begin(&by, Position::new(9)).unwrap().to_json()["id"], 2);
    }

    #[tokio::test]
    async fn whoever_waits_hears_of_every_end() {
        let (rebuilds, by) = (Rebuilds::default(), "author".parse().unwrap());
        rebuilds.over().await;
        for end in [
            |all: &Rebuilds| all.end(Ok(None)),
            |all: &Rebuilds| all.fail("it panicked".to_owned()),
        ] {
            assert!(rebuilds.begin(&by, Position::new(9)).is_some());
            let ((), ()) = tokio::join!(rebuilds.over(), async { end(&rebuilds) });
        }
        assert_eq!(rebuilds.last().unwrap().to_json()["detail"], "it panicked");
    }

    #[test]
    fn one_that_is_cancelled_is_broken_off_at_its_next_stretch() {
        let (rebuilds, by) = (Rebuilds::default(), "author".parse().unwrap());
        drop(rebuilds.begin(&by, Position::new(9)));
        assert!(rebuilds.cancel().is_some());
        assert!(rebuilds.begin(&by, Position::new(9)).is_none(), "it has not ended yet");
        assert!(rebuilds.note(far(3)).is_break());
        rebuilds.end(Ok(None));
        assert_eq!(rebuilds.last().unwrap().to_json()["state"], "cancelled");
        assert!(rebuilds.cancel().is_none());
    }
}
