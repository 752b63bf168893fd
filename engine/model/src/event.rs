//! Events: what happened, in the past tense.
//!
//! Every variant holds one plain struct, and that struct **is** the frozen body that the log
//! writes (`<Type>V1`): fields are never added, removed, reordered or retyped once released; a
//! change is a new struct, a new version and an upcaster in `placet-log`. Bodies hold facts,
//! structure and digests. Content (inputs, outputs, requests, reasons) and personal data stand in
//! the payload store and appear here as [`crate::PayloadRef`].

pub mod attempt;
pub mod child;
pub mod decision;
pub mod governance;
pub mod hook;
pub mod inbound;
pub mod integration;
pub mod lookup;
pub mod notice;
pub mod people;
pub mod preview;
pub mod route;
pub mod run;
pub mod trigger;
pub mod wait;

use crate::{Actor, EventId, Position, Revision, StreamId, Timestamp};
use attempt::{
    AttemptDeferred, AttemptInDoubt, AttemptReconciled, AttemptRefused, AttemptStarted,
    AttemptSucceeded,
};
use child::{ChildDropped, ChildEnded, ChildStarted, ScheduleFired, ScheduleMatched};
use decision::{
    ActionRequested, ApproversReminded, DecisionReassigned, DecisionRequested, DecisionSettled,
    DecisionVoided, DraftEdited, DraftPrepared, RequirementRaised, ResolutionCast, StandingUsed,
    VoteCast, VoteDelegated,
};
use governance::{
    BreakGlassReviewed, CheckpointCosigned, CheckpointSigned, EngineStarted, EpochStarted,
    OperationRegistered, OutboundPaused, OutboundResumed, PayloadErased, PolicyChanged,
    StandingEndorsed, VaultRotated, WorkflowDeployed,
};
use hook::{OwnCallEnded, OwnCallStarted, PairingChanged, SubscriptionChanged, SyncCompleted};
use inbound::{InboundReceived, InboundRejected};
use integration::{
    CredentialStored, CredentialUsed, HealthCheckFailed, IntegrationConnected, IntegrationDisabled,
    IntegrationDisconnected, IntegrationEnabled, IntegrationScoped, IntegrationTested,
    ResponseDrifted,
};
use lookup::{EvidenceArrived, LookupEnded, LookupPlanned, LookupStarted};
use notice::{ApproverAlarmRaised, NoticeFailed, NoticeQueued, NoticeSent};
use people::{
    KeyRegistered, KeyRevoked, PasskeyConfirmed, PasskeyEnrolled, PasskeyRevoked, RequestSigned,
};
use preview::PreviewRead;
use route::SendRouted;
use run::{
    BranchFaulted, FaultCaught, IterationStarted, RetryScheduled, RunCancelled, RunCompleted,
    RunFaulted, RunMigrated, RunStarted, TaskCompleted, TaskFaulted, TaskSkipped, TaskStarted,
    TimerArmed, TimerFired,
};
use trigger::{TriggerRemoved, TriggerSet};
use wait::{EventEmitted, EventHandled, EventMatched, EventReceived, EventsDelivered, WaitStarted};

/// Calls `$callback!` with every event type as `Type = type_id,`: the one list from which the
/// enum, the codec and the meta-tests are made. Numbers are never reused.
#[macro_export]
macro_rules! for_each_event {
    ($callback:ident) => {
        $callback! {
            RunStarted = 1,
            TaskStarted = 2,
            IterationStarted = 3,
            TaskCompleted = 4,
            TaskSkipped = 5,
            TaskFaulted = 6,
            FaultCaught = 7,
            TimerArmed = 8,
            TimerFired = 9,
            RunCompleted = 10,
            RunFaulted = 11,
            RunCancelled = 12,
            RetryScheduled = 13,
            BranchFaulted = 14,
            WaitStarted = 15,
            EventMatched = 16,
            EventHandled = 17,
            EventEmitted = 18,
            RunMigrated = 19,
            DraftPrepared = 20,
            DecisionRequested = 21,
            VoteCast = 22,
            DecisionSettled = 23,
            RequirementRaised = 24,
            DecisionVoided = 25,
            DraftEdited = 26,
            DecisionReassigned = 27,
            ActionRequested = 28,
            AttemptStarted = 30,
            AttemptSucceeded = 31,
            AttemptRefused = 32,
            AttemptDeferred = 33,
            AttemptInDoubt = 34,
            AttemptReconciled = 35,
            ChildStarted = 40,
            ChildEnded = 41,
            ChildDropped = 42,
            IntegrationConnected = 50,
            CredentialStored = 51,
            CredentialUsed = 52,
            IntegrationTested = 53,
            HealthCheckFailed = 54,
            IntegrationDisabled = 55,
            IntegrationEnabled = 56,
            IntegrationDisconnected = 57,
            PolicyChanged = 70,
            OutboundPaused = 71,
            OutboundResumed = 72,
            WorkflowDeployed = 73,
            OperationRegistered = 74,
            EngineStarted = 75,
            EventReceived = 76,
            EventsDelivered = 77,
            ScheduleFired = 78,
            ScheduleMatched = 79,
            CheckpointSigned = 80,
            CheckpointCosigned = 81,
            PayloadErased = 82,
            EpochStarted = 83,
            StandingEndorsed = 90,
            StandingUsed = 91,
            VoteDelegated = 92,
            ApproversReminded = 93,
            BreakGlassReviewed = 94,
            KeyRegistered = 95,
            KeyRevoked = 96,
            InboundReceived = 97,
            InboundRejected = 98,
            EvidenceArrived = 99,
            NoticeQueued = 100,
            NoticeSent = 101,
            NoticeFailed = 102,
            ApproverAlarmRaised = 103,
            PreviewRead = 104,
            ResolutionCast = 105,
            TriggerSet = 106,
            TriggerRemoved = 107,
            OwnCallStarted = 108,
            ResponseDrifted = 109,
            LookupPlanned = 110,
            LookupStarted = 111,
            LookupEnded = 112,
            PairingChanged = 113,
            PasskeyEnrolled = 114,
            PasskeyRevoked = 115,
            RequestSigned = 116,
            PasskeyConfirmed = 117,
            OwnCallEnded = 118,
            VaultRotated = 119,
            SendRouted = 120,
            SubscriptionChanged = 121,
            SyncCompleted = 122,
            IntegrationScoped = 125,
        }
    };
}

/// The events about people (their keys, what they were told, alarms), as a pattern: none of them is
/// an event of a run.
#[macro_export]
macro_rules! people_event {
    () => {
        $crate::Event::KeyRegistered(_)
            | $crate::Event::KeyRevoked(_)
            | $crate::Event::RequestSigned(_)
            | $crate::Event::PasskeyEnrolled(_)
            | $crate::Event::PasskeyConfirmed(_)
            | $crate::Event::PasskeyRevoked(_)
            | $crate::Event::NoticeQueued(_)
            | $crate::Event::NoticeSent(_)
            | $crate::Event::NoticeFailed(_)
            | $crate::Event::ApproverAlarmRaised(_)
    };
}

/// The events about what providers post to us, as a pattern: none of them is an event of a run.
#[macro_export]
macro_rules! inbound_event {
    () => {
        $crate::Event::InboundReceived(_) | $crate::Event::InboundRejected(_)
    };
}

/// The events of what a provider is asked to tell us, of the calls by which we ask, and of what that may
/// start, as a pattern: none of them is an event of a run.
#[macro_export]
macro_rules! hook_event {
    () => {
        $crate::Event::SubscriptionChanged(_)
            | $crate::Event::SyncCompleted(_)
            | $crate::Event::PairingChanged(_)
            | $crate::Event::TriggerSet(_)
            | $crate::Event::TriggerRemoved(_)
            | $crate::Event::OwnCallStarted(_)
            | $crate::Event::OwnCallEnded(_)
    };
}

/// The events of the keeping of the project from which nothing follows for it, as a pattern: none of them is
/// an event of a run.
#[macro_export]
macro_rules! upkeep_event {
    () => {
        $crate::Event::EngineStarted(_) | $crate::Event::VaultRotated(_)
    };
}

/// The events of look-ups, and of evidence that came by itself, as a pattern.
#[macro_export]
macro_rules! lookup_event {
    () => {
        $crate::Event::LookupPlanned(_)
            | $crate::Event::LookupStarted(_)
            | $crate::Event::LookupEnded(_)
            | $crate::Event::EvidenceArrived(_)
    };
}

/// The events that say something of what a run is about to do and change nothing by themselves, as a
/// pattern.
#[macro_export]
macro_rules! aside_event {
    () => {
        $crate::Event::ActionRequested(_)
            | $crate::Event::SendRouted(_)
            | $crate::Event::PreviewRead(_)
    };
}

/// The events of an attempt, as a pattern; its look-ups are not among them.
#[macro_export]
macro_rules! attempt_event {
    () => {
        $crate::Event::AttemptStarted(_)
            | $crate::Event::AttemptSucceeded(_)
            | $crate::Event::AttemptRefused(_)
            | $crate::Event::AttemptDeferred(_)
            | $crate::Event::AttemptInDoubt(_)
            | $crate::Event::AttemptReconciled(_)
    };
}

/// The events about people, about what providers post and how they answer, and about what they are
/// asked to, as a pattern.
#[macro_export]
macro_rules! beside_event {
    () => {
        $crate::inbound_event!()
            | $crate::people_event!()
            | $crate::hook_event!()
            | $crate::Event::ResponseDrifted(_)
    };
}

macro_rules! define_event {
    ($($name:ident = $id:literal,)+) => {
        /// Anything that can stand in the log.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Event {
            $(
                #[doc = concat!("See [`", stringify!($name), "`].")]
                $name($name),
            )+
        }

        /// The kinds of event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventKind {
            $(
                #[doc = concat!("See [`", stringify!($name), "`].")]
                $name,
            )+
        }

        impl EventKind {
            /// Every kind, in the order of the type ids.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name in Pascal case: in NATS subjects, JSON and `audit log`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// The number in the envelope.
            pub const fn type_id(self) -> u16 {
                match self { $(Self::$name => $id),+ }
            }

            /// The kind with this number.
            pub const fn from_type_id(type_id: u16) -> Option<Self> {
                match type_id { $($id => Some(Self::$name),)+ _ => None }
            }
        }

        impl Event {
            /// Which kind of event this is.
            pub const fn kind(&self) -> EventKind {
                match self { $(Self::$name(_) => EventKind::$name),+ }
            }
        }

        $(
            impl From<$name> for Event {
                fn from(body: $name) -> Self {
                    Self::$name(body)
                }
            }
        )+
    };
}
for_each_event!(define_event);

impl Event {
    /// The name (Pascal case) of its kind.
    pub const fn type_name(&self) -> &'static str {
        self.kind().name()
    }
}

/// An event with its place in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvent {
    /// Place in the log.
    pub position: Position,
    /// Whose event it is.
    pub stream: StreamId,
    /// Place in the stream.
    pub revision: Revision,
    /// Its id.
    pub event_id: EventId,
    /// Log time: never before the event at the position before it.
    pub recorded_at: Timestamp,
    /// Who caused it.
    pub actor: Actor,
    /// The event that led to it.
    pub causation: Option<EventId>,
    /// The first event of the whole story.
    pub correlation: Option<EventId>,
    /// What happened.
    pub event: Event,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_a_number_and_a_name_of_its_own() {
        let ids: BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.type_id()).collect();
        let names: BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(ids.len(), EventKind::ALL.len());
        assert_eq!(names.len(), EventKind::ALL.len());
        for kind in EventKind::ALL {
            assert_eq!(EventKind::from_type_id(kind.type_id()), Some(*kind));
        }
    }
}
