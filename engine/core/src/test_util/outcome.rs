//! What came of a command, and claims about it.

use super::{Scene, describe};
use crate::decide::Error;
use placet_model::Event;

/// What came of a command: the scene before and after, and the decision itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Before the command.
    pub before: Scene,
    /// With what was recorded.
    pub after: Scene,
    /// What was decided.
    pub result: Result<Vec<Event>, Error>,
}

impl Outcome {
    pub(super) fn new(before: Scene, result: Result<Vec<Event>, Error>) -> Self {
        let mut after = before.clone();
        for event in result.iter().flatten() {
            after.append(event.clone());
        }
        Self { before, after, result }
    }

    /// Exactly these events were recorded, in the words of [`describe`].
    ///
    /// # Panics
    /// Where the claim does not hold.
    #[track_caller]
    pub fn records(self, events: &[&str]) -> Scene {
        let found = self.result.as_ref().map(|events| events.iter().map(describe).collect());
        let expected: Vec<String> = events.iter().map(|event| (*event).to_owned()).collect();
        assert_eq!(found, Ok(expected), "what was recorded");
        self.after
    }

    /// The command was answered well and nothing was recorded.
    ///
    /// # Panics
    /// Where the claim does not hold.
    #[track_caller]
    pub fn records_nothing(self) -> Scene {
        self.records(&[])
    }

    /// A lawful no with this code; nothing was recorded.
    ///
    /// # Panics
    /// Where the claim does not hold.
    #[track_caller]
    pub fn refuses(self, code: &str) -> Scene {
        assert_eq!(self.code(), Some(code), "the refusal of {:?}", self.result);
        assert!(self.after == self.before, "nothing is recorded");
        self.after
    }

    /// The executor asked for what cannot follow; nothing was recorded.
    ///
    /// # Panics
    /// Where the claim does not hold.
    #[track_caller]
    pub fn cannot_follow(self) -> Scene {
        let illegal = matches!(self.result, Err(Error::Illegal(_)));
        assert!(illegal, "not illegal: {:?}", self.result);
        assert!(self.after == self.before, "nothing is recorded");
        self.after
    }

    /// The run is in this state now, in the words of [`Scene::state`].
    ///
    /// # Panics
    /// Where the claim does not hold.
    #[track_caller]
    pub fn leaves_it(self, expected: &str) -> Scene {
        assert_eq!(self.after.state(), expected, "the state after {:?}", self.result);
        self.after
    }

    /// The code of the refusal, where it was refused.
    pub fn code(&self) -> Option<&'static str> {
        match &self.result {
            Err(Error::Refused(refusal)) => Some(refusal.code()),
            Err(Error::Illegal(_)) | Ok(_) => None,
        }
    }
}
