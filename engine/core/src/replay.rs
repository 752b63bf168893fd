//! Replay: recovery *is* folding the stream through the same `apply`.

use crate::evolve::Illegal;
use crate::run::Run;
use placet_model::{Event, Revision, RunId, Timestamp};

/// A stream that cannot be a run's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An event that cannot follow: the log is corrupt.
    #[error("the stream of {run} cannot be replayed")]
    Illegal {
        /// Whose stream.
        run: RunId,
        /// Where and why.
        source: Illegal,
    },
    /// A revision is missing or doubled: the log is corrupt.
    #[error("the stream of {run} has revision {found} where {expected} is due")]
    Gap {
        /// Whose stream.
        run: RunId,
        /// The revision that is due.
        expected: Revision,
        /// The revision that stands there.
        found: Revision,
    },
}

/// Folds a run's events, in order, into its state.
///
/// # Errors
/// Where the stream has a gap or an event that cannot follow.
pub fn replay<'a>(
    id: RunId,
    events: impl IntoIterator<Item = (Revision, Timestamp, &'a Event)>,
) -> Result<Run, Error> {
    let mut run = Run::absent(id);
    for (revision, at, event) in events {
        let expected = run.revision.next();
        if revision != expected {
            return Err(Error::Gap { run: id, expected, found: revision });
        }
        run.apply(event, at).map_err(|source| Error::Illegal { run: id, source })?;
    }
    Ok(run)
}
