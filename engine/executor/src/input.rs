//! All that can wake the writer loop, as one closed enum.

use crate::handle::{Error, Load};
use crate::pool::Done;
use crate::turn::{CallPlan, Ending, Job};
use placet_log::{Append, AppendResult};
use placet_model::policy::Policy;
use placet_model::{Event, IntegrationId, RecordedEvent, RunId};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Where the answer to an outside input goes; always after the commit.
pub(crate) type ReplyTo = oneshot::Sender<Result<Vec<RecordedEvent>, Error>>;

/// Held by whoever changes the project, until the change is on disk or refused: acts come one after
/// the other, so that what one has looked at still holds when it is recorded.
pub(crate) type ActTurn = tokio::sync::OwnedMutexGuard<()>;

/// Something that wakes the loop.
#[derive(Debug)]
pub(crate) enum Input {
    /// Somebody, or the engine itself, wants something of a run.
    Job { run: RunId, job: Job, reply: Option<ReplyTo> },
    /// Somebody changes the project.
    Govern(Box<Change>),
    /// A turn was worked through.
    Turned(Box<Done>),
    /// An append of a run has come to something.
    Committed(Box<Committed>),
    /// An append of the project has come to something.
    Governed {
        result: AppendResult,
        reply: ReplyTo,
        turn: Option<ActTurn>,
        /// Connections that stand otherwise after it.
        changed: Vec<IntegrationId>,
    },
    /// An append that was made beside the loop, and that changes nothing in it, has come to something.
    Appended { result: AppendResult, reply: ReplyTo },
    /// Something that a provider posted has come to something; whoever waits knows already.
    Arrived(AppendResult),
    /// A call has ended.
    Answered { run: RunId, plan: Box<CallPlan>, ending: Ending },
    /// Say how much is in memory.
    Count(oneshot::Sender<Load>),
    /// Schedules start runs from now on.
    RunSchedules,
    /// Look at the clock.
    Wake,
    /// Finish what is under way and end.
    Stop(oneshot::Sender<()>),
}

/// A change of the project: the events, and the policy that one of them carries.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) group: Vec<Append>,
    pub(crate) policy: Option<Arc<Policy>>,
    pub(crate) reply: ReplyTo,
    pub(crate) turn: Option<ActTurn>,
}

impl Change {
    /// The events of the change.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.group.iter().flat_map(|append| append.events.iter().map(|new| &new.event))
    }
}

/// An append of a run, back from the log.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) run: RunId,
    /// Calls that have begun with it.
    pub(crate) calls: i64,
    pub(crate) more: bool,
    pub(crate) reply: Option<ReplyTo>,
    pub(crate) result: AppendResult,
}
