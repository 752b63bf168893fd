//! The one rebuild of the derived tables that may be under way, and how the last one ended.

use crate::problem::with_sources;
use placet_model::{Position, Principal};
use placet_projections::{Error, Progress, Rebuilt};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is known of rebuilds since the engine started.
#[derive(Debug, Default)]
pub(crate) struct Rebuilds(Mutex<Option<Rebuild>>);

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

impl Rebuilds {
    /// Notes that one begins; none while another is under way.
    pub(crate) fn begin(&self, by: &Principal, head: Position) -> Option<Rebuild> {
        let mut known = self.lock();
        if known.as_ref().is_some_and(Rebuild::is_running) {
            return None;
        }
        let id = known.as_ref().map_or(0, |last| last.id) + 1;
        let begun = Rebuild { id, by: by.clone(), state: State::Running, events: 0, head };
        Some(known.insert(begun).clone())
    }

    /// The last one.
    pub(crate) fn last(&self) -> Option<Rebuild> {
        self.lock().clone()
    }

    /// Asks the one that is under way to end; none when there is none.
    pub(crate) fn cancel(&self) -> Option<Rebuild> {
        let mut known = self.lock();
        let running = known.as_mut().filter(|rebuild| rebuild.is_running())?;
        running.state = State::Cancelling;
        Some(running.clone())
    }

    /// How far it is; breaks off when somebody wants it to end.
    pub(crate) fn note(&self, progress: Progress) -> ControlFlow<()> {
        let mut known = self.lock();
        let Some(running) = known.as_mut() else { return ControlFlow::Break(()) };
        (running.events, running.head) = (progress.events, progress.head);
        match running.state {
            State::Running => ControlFlow::Continue(()),
            State::Cancelling | State::Done | State::Cancelled | State::Failed(_) => {
                ControlFlow::Break(())
            }
        }
    }

    /// How it ended.
    pub(crate) fn end(&self, ended: Result<Option<Rebuilt>, Error>) {
        let mut known = self.lock();
        let Some(running) = known.as_mut() else { return };
        running.state = match ended {
            Ok(Some(made)) => {
                (running.events, running.head) = (made.events, made.cursor);
                State::Done
            }
            Ok(None) => State::Cancelled,
            Err(error) => State::Failed(with_sources(&error)),
        };
    }

    fn lock(&self) -> MutexGuard<'_, Option<Rebuild>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
