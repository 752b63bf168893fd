//! The read side, over one snapshot of the log.

use crate::{DecisionRow, DueRow, Error, Located, Pauses, RunFilter, RunRow, WorkflowRow};
use placet_log::ReadView;
use placet_model::integration::Integration;
use placet_model::{DecisionId, Digest, Principal, RunId, Timestamp};

/// The projections as they are in one snapshot.
#[derive(Debug)]
pub struct Views<'a> {
    view: &'a ReadView,
}

#[expect(clippy::todo, clippy::missing_errors_doc, clippy::unused_self, reason = "bodies follow")]
impl<'a> Views<'a> {
    /// The projections in this snapshot.
    pub fn new(view: &'a ReadView) -> Result<Self, Error> {
        Ok(Self { view })
    }

    /// One run.
    pub fn run(&self, id: RunId) -> Result<Option<RunRow>, Error> {
        todo!("{id} {:?}", self.view)
    }

    /// Runs before `before`, newest first.
    pub fn runs(
        &self,
        filter: &RunFilter,
        before: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunRow>, Error> {
        todo!("{filter:?} {before:?} {limit}")
    }

    /// One decision, in any state.
    pub fn decision(&self, id: DecisionId) -> Result<Option<DecisionRow>, Error> {
        todo!("{id}")
    }

    /// Decisions after `after` that are requested, approved and unspent, or in doubt; oldest first.
    pub fn open(&self, after: Option<DecisionId>, limit: usize) -> Result<Vec<DecisionRow>, Error> {
        todo!("{after:?} {limit}")
    }

    /// Decisions that are approved and unspent: what a lifted hold must look at.
    pub fn approved(&self) -> Result<Vec<DecisionRow>, Error> {
        todo!()
    }

    /// What is due until `until` (included), earliest first.
    pub fn due(&self, until: Timestamp, limit: usize) -> Result<Vec<DueRow>, Error> {
        todo!("{until} {limit}")
    }

    /// When something is due next.
    pub fn next_due(&self) -> Result<Option<Timestamp>, Error> {
        todo!()
    }

    /// Runs with a try under way, runs that are over included.
    pub fn in_flight(&self) -> Result<Vec<RunId>, Error> {
        todo!()
    }

    /// Runs with an attempt in doubt, runs that are over included.
    pub fn in_doubt(&self) -> Result<Vec<RunId>, Error> {
        todo!()
    }

    /// Runs that can go on by themselves.
    pub fn ready(&self) -> Result<Vec<RunId>, Error> {
        todo!()
    }

    /// Every integration, in order of their ids; disconnected ones included.
    pub fn integrations(&self) -> Result<Vec<Integration>, Error> {
        todo!()
    }

    /// Where the plan with this digest stands.
    pub fn plan(&self, digest: Digest) -> Result<Option<Located>, Error> {
        todo!("{digest}")
    }

    /// Where the source text of the plan with this digest stands.
    pub fn source(&self, digest_of_plan: Digest) -> Result<Option<Located>, Error> {
        todo!("{digest_of_plan}")
    }

    /// Every deployment: by family, the latest first.
    pub fn workflows(&self) -> Result<Vec<WorkflowRow>, Error> {
        todo!()
    }

    /// Where the semantic part of the operation with this digest stands.
    pub fn operation(&self, digest: Digest) -> Result<Option<Located>, Error> {
        todo!("{digest}")
    }

    /// The policy in force: its digest, and where it stands.
    pub fn policy(&self) -> Result<Option<(Digest, Located)>, Error> {
        todo!()
    }

    /// What is paused.
    pub fn pauses(&self) -> Result<Pauses, Error> {
        todo!()
    }

    /// The decision on which this principal voted with this request id.
    pub fn request(
        &self,
        principal: &Principal,
        request_id: &str,
    ) -> Result<Option<DecisionId>, Error> {
        todo!("{principal} {request_id}")
    }
}
