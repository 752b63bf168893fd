//! How often a provider's answers were not as declared, by operation.

use crate::handle::{Error, Handle};
use placet_model::event::integration::DriftedPlace;
use placet_model::{AttemptId, Event, IntegrationId, Revision, StreamId, Timestamp};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Places of one operation that are listed.
const PLACES_MAX: usize = 20;

/// What differs between an operation's answers and its response schema.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// Operation name.
    pub operation: String,
    /// Answers that differed.
    pub count: u64,
    /// When the last one came.
    pub last_at: Timestamp,
    /// Its attempt.
    pub last_attempt: AttemptId,
    /// Where they differed and how, all of them together.
    pub places: Vec<Place>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Place {
    /// JSON Pointer; `*` is any item.
    pub at: String,
    /// The keyword of the schema that is broken.
    pub kind: String,
}

impl From<DriftedPlace> for Place {
    fn from(DriftedPlace { at, kind }: DriftedPlace) -> Self {
        Self { at, kind }
    }
}

impl Handle {
    /// The drift of an integration's operations, by name. It is counted from the integration's own
    /// events.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn drift_of(&self, id: IntegrationId) -> Result<Vec<Drift>, Error> {
        let view = self.view()?;
        let mut found: BTreeMap<String, (u64, Timestamp, AttemptId, BTreeSet<DriftedPlace>)> =
            BTreeMap::new();
        for event in view.stream(&StreamId::Integration(id), Revision::START) {
            let event = event?;
            let Event::ResponseDrifted(body) = event.event else { continue };
            let row = found
                .entry(body.operation)
                .or_insert_with(|| (0, event.recorded_at, body.attempt, BTreeSet::new()));
            row.0 += 1;
            (row.1, row.2) = (event.recorded_at, body.attempt);
            row.3.extend(body.places);
        }
        let drift = |(operation, (count, last_at, last_attempt, places))| Drift {
            operation,
            count,
            last_at,
            last_attempt,
            places: BTreeSet::into_iter(places).take(PLACES_MAX).map(Place::from).collect(),
        };
        Ok(found.into_iter().map(drift).collect())
    }
}
