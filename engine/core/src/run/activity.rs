//! What the current leaf task of a branch is doing.

use super::{Ask, Attempt, Denial, Refused};
use placet_model::event::decision::DraftPrepared;
use placet_model::{
    DecisionId, Iteration, PayloadRef, Principal, RunId, TaskPath, TimerId, Timestamp,
};

/// A leaf task that takes time.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    /// Which task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// Its transformed input.
    pub input: PayloadRef,
    /// When it began.
    pub started_at: Timestamp,
    /// The last decision that was requested for it.
    pub decision: Option<DecisionId>,
    /// Who has written what its draft says now, where that is not the workflow.
    pub editor: Option<Principal>,
}

/// What the current leaf task is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum Activity {
    /// There is none: the flow decides.
    Idle,
    /// It began and has done nothing yet.
    Started(Leaf),
    /// It waits for a timer.
    Waiting(Leaf, TimerId),
    /// Its timer fired.
    Waited(Leaf),
    /// A draft was made and is not yet in the inbox.
    Drafted(Leaf, Box<DraftPrepared>),
    /// The draft is in the inbox.
    Asked(Leaf, Box<Ask>),
    /// Approved and not yet claimed.
    Approved(Leaf, Box<Ask>),
    /// The request ended without permission.
    Denied(Leaf, Box<Denial>),
    /// A try is under way.
    Attempting(Leaf, Box<Attempt>),
    /// A try proved that nothing happened; the same bytes go again later.
    Deferred(Leaf, Box<Attempt>, Timestamp),
    /// Sent, answer unknown.
    InDoubt(Leaf, Box<Attempt>),
    /// It has its raw output.
    Answered(Leaf, PayloadRef),
    /// The provider refused for good.
    Refused(Leaf, Refused),
    /// A person said that it was not sent, or has edited it: a new draft revision is due.
    Unsent(Leaf, Box<DraftPrepared>),
    /// A person gave it up.
    GivenUp(Leaf),
    /// Its branches are under way, or have ended.
    Forked(Leaf, Fork),
    /// It waits for the end of another run.
    Awaiting(Leaf, RunId),
    /// It waited for another run, which it has let go: it is about to end.
    Dropped(Leaf),
}

/// The branches of a `fork`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fork {
    /// How many there are.
    pub count: u32,
    /// Whether the first that ends well is enough.
    pub race: bool,
}

impl Activity {
    /// The leaf task, unless idle.
    pub const fn leaf(&self) -> Option<&Leaf> {
        match self {
            Self::Idle => None,
            Self::Started(leaf)
            | Self::Waiting(leaf, _)
            | Self::Waited(leaf)
            | Self::Drafted(leaf, _)
            | Self::Asked(leaf, _)
            | Self::Approved(leaf, _)
            | Self::Denied(leaf, _)
            | Self::Attempting(leaf, _)
            | Self::Deferred(leaf, ..)
            | Self::InDoubt(leaf, _)
            | Self::Answered(leaf, _)
            | Self::Refused(leaf, _)
            | Self::Unsent(leaf, _)
            | Self::GivenUp(leaf)
            | Self::Forked(leaf, _)
            | Self::Awaiting(leaf, _)
            | Self::Dropped(leaf) => Some(leaf),
        }
    }

    /// The request that is open.
    pub fn asked(&self) -> Option<&Ask> {
        let Self::Asked(_, ask) = self else { return None };
        Some(ask)
    }

    /// The attempt of which a try is under way.
    pub fn attempting(&self) -> Option<&Attempt> {
        let Self::Attempting(_, attempt) = self else { return None };
        Some(attempt)
    }

    /// The attempt that is in doubt.
    pub fn in_doubt(&self) -> Option<&Attempt> {
        let Self::InDoubt(_, attempt) = self else { return None };
        Some(attempt)
    }

    /// The request that is open or approved and unspent.
    pub fn ask(&self) -> Option<&Ask> {
        let (Self::Asked(_, ask) | Self::Approved(_, ask)) = self else { return None };
        Some(ask)
    }

    /// The request that is open or unspent, also where a try has proved that nothing was sent.
    pub fn unsettled(&self) -> Option<&Ask> {
        if let Self::Deferred(_, attempt, _) = self {
            return attempt.ask.as_ref();
        }
        self.ask()
    }

    /// The attempt that is under way, deferred or in doubt.
    pub fn attempt(&self) -> Option<&Attempt> {
        let (Self::Attempting(_, attempt)
        | Self::Deferred(_, attempt, _)
        | Self::InDoubt(_, attempt)) = self
        else {
            return None;
        };
        Some(attempt)
    }

    /// Whether a draft, a request, an unspent approval or an awaited run is open: these are settled
    /// before the task may end.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Drafted(..) | Self::Asked(..) | Self::Approved(..) | Self::Awaiting(..) => true,
            Self::Deferred(_, attempt, _) => attempt.ask.is_some(),
            Self::Idle
            | Self::Started(_)
            | Self::Waiting(..)
            | Self::Waited(_)
            | Self::Denied(..)
            | Self::Attempting(..)
            | Self::InDoubt(..)
            | Self::Answered(..)
            | Self::Refused(..)
            | Self::Unsent(..)
            | Self::GivenUp(_)
            | Self::Forked(..)
            | Self::Dropped(_) => false,
        }
    }

    /// Whether the leaf has its outcome and only has to end: no timer of its own changes that.
    pub const fn is_settled(&self) -> bool {
        match self {
            Self::Waited(_)
            | Self::Denied(..)
            | Self::Answered(..)
            | Self::Refused(..)
            | Self::GivenUp(_) => true,
            Self::Idle
            | Self::Started(_)
            | Self::Waiting(..)
            | Self::Drafted(..)
            | Self::Asked(..)
            | Self::Approved(..)
            | Self::Attempting(..)
            | Self::Deferred(..)
            | Self::InDoubt(..)
            | Self::Unsent(..)
            | Self::Forked(..)
            | Self::Awaiting(..)
            | Self::Dropped(_) => false,
        }
    }

    /// The name of the state, for messages and the grid.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Started(_) => "started",
            Self::Waiting(..) => "waiting",
            Self::Waited(_) => "waited",
            Self::Drafted(..) => "drafted",
            Self::Asked(..) => "asked",
            Self::Approved(..) => "approved",
            Self::Denied(..) => "denied",
            Self::Attempting(..) => "attempting",
            Self::Deferred(..) => "deferred",
            Self::InDoubt(..) => "in doubt",
            Self::Answered(..) => "answered",
            Self::Refused(..) => "refused",
            Self::Unsent(..) => "unsent",
            Self::GivenUp(_) => "given up",
            Self::Forked(..) => "forked",
            Self::Awaiting(..) => "awaiting",
            Self::Dropped(_) => "dropped",
        }
    }
}
