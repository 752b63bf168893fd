//! Events about telling people: notices to approvers at the addresses that the operator has
//! configured, and alarms about how fast somebody approves. None of them decides anything, and none
//! holds an address or a text: a notice is made from fixed words, by the engine alone.

use crate::draft::Mode;
use crate::wire::wire_enum;
use crate::{Digest, EventId, IntegrationId, Position, Principal, Timestamp};
use serde::{Deserialize, Serialize};

wire_enum! {
    /// What a notice is about.
    NoticeAbout {
        /// Requests that wait for this person's decision.
        Waiting = 1 "waiting",
        /// Requests that still wait.
        Reminder = 2 "reminder",
        /// Requests that have come to this person because nobody has decided them.
        Escalation = 3 "escalation",
        /// Somebody has sent alone in an emergency.
        BreakGlass = 4 "break_glass",
        /// Somebody approves faster than anybody reads.
        Alarm = 5 "alarm",
        /// A connection has failed, or is good again.
        Connection = 6 "connection",
    }
}

/// One notice is about to be sent to one person over one channel. Recorded before any byte leaves.
/// Its event id names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeQueued {
    /// Whom it tells.
    pub to: Principal,
    /// The channel's name in the operator's configuration; never the address.
    pub channel: String,
    /// The operation that carries it.
    pub operation: String,
    /// The connection that carries it, where the operation needs one.
    pub integration: Option<IntegrationId>,
    /// Version of the credential that is used; 0 where there is none.
    pub credential_version: u32,
    /// Mode of the runs that it is about: in sandbox mode nothing leaves.
    pub mode: Mode,
    /// What it says, and of how many.
    pub about: Vec<(NoticeAbout, u32)>,
    /// All that concerns this person over this channel up to here is told, or needs no telling.
    pub up_to: Position,
    /// An engine that starts reads on from here: before it nothing waits to be told to anybody.
    pub resume_after: Position,
    /// Digest of the bytes, holes open.
    pub request_digest: Digest,
}

/// It was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeSent {
    /// Which notice.
    pub notice: EventId,
    /// Whom it tells.
    pub to: Principal,
    /// Over which channel.
    pub channel: String,
    /// Which try, from 1.
    pub try_number: u32,
    /// Whether it would have been sent: in sandbox mode nothing leaves.
    pub would_have_sent: bool,
}

wire_enum! {
    /// Why a try of a notice came to nothing.
    NoticeFailure {
        /// Proven: nothing was sent.
        NotSent = 1 "not_sent",
        /// The provider, or our own rules, refuse it.
        Refused = 2 "refused",
        /// It may have arrived: it is never sent again.
        InDoubt = 3 "in_doubt",
        /// The engine ended while it was under way: as in doubt.
        Interrupted = 4 "interrupted",
    }
}

/// A try came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeFailed {
    /// Which notice.
    pub notice: EventId,
    /// Whom it was to tell.
    pub to: Principal,
    /// Over which channel.
    pub channel: String,
    /// Which try, from 1.
    pub try_number: u32,
    /// Why.
    pub failure: NoticeFailure,
    /// The cause in a word or two; never content.
    pub cause: String,
    /// When it is tried again; none where it is given up.
    pub retry_at: Option<Timestamp>,
}

wire_enum! {
    /// What is remarkable about somebody's approving.
    AlarmKind {
        /// More approvals within a minute than the bound.
        Rate = 1 "rate",
        /// A larger share of decisions in under three seconds than the bound.
        QuickShare = 2 "quick_share",
    }
}

/// Somebody approves faster than anybody reads. At most once per person, kind and window; it
/// neither blocks nor approves anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproverAlarmRaised {
    /// Who.
    pub approver: Principal,
    /// What is remarkable.
    pub alarm: AlarmKind,
    /// Where the time that was looked at begins.
    pub since: Timestamp,
    /// Where it ends.
    pub until: Timestamp,
    /// Decisions in it: approvals, with [`AlarmKind::Rate`].
    pub decisions: u32,
    /// Of these, the ones that took less than three seconds.
    pub quick: u32,
    /// The bound that was passed: approvals a minute, or per cent.
    pub bound: u32,
}
