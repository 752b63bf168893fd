//! What callers hand to the log and get back.

use crate::codec::{self, BODY_MAX};
use crate::envelope::{PAYLOADS_MAX, STREAM_MAX};
use crate::erase::Erasable;
use crate::payload::{PAYLOAD_MAX, Payload};
use crate::subjects::SUBJECTS_MAX;
use crate::{AppendError, Error};
use placet_model::{
    Actor, DataKeyId, Digest, Event, EventId, Position, RecordedEvent, Revision, StreamId,
};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// At most this many events in one append or group.
pub const EVENTS_MAX: usize = 1024;

/// Where a stream must stand for an append to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Its last event is at this revision ([`Revision::START`]: it has none).
    Exact(Revision),
    /// It has no event yet.
    NoStream,
    /// Anywhere.
    Any,
}

/// An event that is to be appended.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id, minted once: a repeated append is known by it.
    pub event_id: EventId,
    /// Who causes it.
    pub actor: Actor,
    /// The event that led to it.
    pub causation: Option<EventId>,
    /// The first event of the whole story.
    pub correlation: Option<EventId>,
    /// What happened.
    pub event: Event,
    /// Its payloads: the n-th is what `PayloadRef { revision, index: n }` names.
    pub payloads: Vec<Payload>,
}

impl NewEvent {
    /// An event without payloads or history.
    pub fn new(event_id: EventId, actor: Actor, event: impl Into<Event>) -> Self {
        Self {
            event_id,
            actor,
            causation: None,
            correlation: None,
            event: event.into(),
            payloads: Vec::new(),
        }
    }

    /// The same event with one more payload.
    #[must_use]
    pub fn with_payload(mut self, content: Vec<u8>) -> Self {
        self.payloads.push(content.into());
        self
    }
}

/// Events for one stream.
#[derive(Debug, Clone)]
pub struct Append {
    /// Whose events they are.
    pub stream: StreamId,
    /// Where the stream must stand.
    pub expected: Expected,
    /// The events, in order; at least one.
    pub events: Vec<NewEvent>,
    /// The data key for the payloads, from [`crate::Log::new_data_key`]; `None`: the key that the
    /// stream has, or a new one. Events that come from outside are each sealed with one of their own: the first with this.
    pub key: Option<DataKeyId>,
    /// Pseudonyms of those whom the payloads are about ([`crate::Log::pseudonym`]); those past
    /// [`SUBJECTS_MAX`] are not indexed.
    pub subjects: Vec<Digest>,
    /// What is erased by the transaction that writes these events, if it writes them now; its keys
    /// are destroyed by [`crate::Log::finish_erasures`].
    pub erases: Vec<Erasable>,
}

impl Append {
    /// An append that seals with the stream's own key.
    pub const fn new(stream: StreamId, expected: Expected, events: Vec<NewEvent>) -> Self {
        Self { stream, expected, events, key: None, subjects: Vec::new(), erases: Vec::new() }
    }

    /// The same append, sealing with this key.
    #[must_use]
    pub const fn with_key(mut self, key: DataKeyId) -> Self {
        self.key = Some(key);
        self
    }

    /// The same append, of content about these.
    #[must_use]
    pub fn about(mut self, subjects: Vec<Digest>) -> Self {
        self.subjects = subjects;
        self.subjects.truncate(SUBJECTS_MAX);
        self
    }

    /// The same append, which says that this is erased, and erases it.
    #[must_use]
    pub fn erasing(mut self, erases: Vec<Erasable>) -> Self {
        self.erases = erases;
        self
    }

    /// Encodes the bodies and refuses what no row can hold.
    pub(crate) fn check(&self) -> Result<Vec<Vec<u8>>, AppendError> {
        let invalid = |what: String| AppendError::Invalid { stream: self.stream.clone(), what };
        if self.events.is_empty() {
            return Err(invalid("it has no events".to_owned()));
        }
        if self.stream.to_string().len() > STREAM_MAX {
            return Err(invalid(format!("its stream name is longer than {STREAM_MAX} bytes")));
        }
        self.events.iter().map(|event| check_event(event).map_err(invalid)).collect()
    }
}

fn check_event(new: &NewEvent) -> Result<Vec<u8>, String> {
    let name = new.event.type_name();
    if new.payloads.len() > PAYLOADS_MAX {
        return Err(format!("{name} has more than {PAYLOADS_MAX} payloads"));
    }
    if new.payloads.iter().any(|payload| payload.as_bytes().len() > PAYLOAD_MAX) {
        return Err(format!("a payload of {name} is longer than {PAYLOAD_MAX} bytes"));
    }
    let body =
        codec::encode(&new.event).map_err(|error| format!("{name} cannot be written: {error}"))?;
    if body.len() > BODY_MAX {
        return Err(format!("the body of {name} is longer than {BODY_MAX} bytes"));
    }
    Ok(body)
}

/// Whether an append wrote its events or found them there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// They were written now.
    Written,
    /// The same events were in the log already; nothing was written.
    Repeated,
}

/// An acknowledged append: its events are on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Appended {
    /// The events as recorded, in the order given. Never empty.
    pub events: Vec<RecordedEvent>,
    /// Whether this append wrote them.
    pub novelty: Novelty,
}

impl Appended {
    /// Position of the first event.
    pub fn first_position(&self) -> Position {
        self.events.first().map_or(Position::START, |event| event.position)
    }

    /// Position of the last event.
    pub fn last_position(&self) -> Position {
        self.events.last().map_or(Position::START, |event| event.position)
    }

    /// Revision of the last event of `stream` in this append.
    pub fn revision_of(&self, stream: &StreamId) -> Option<Revision> {
        self.events.iter().rev().find(|event| event.stream == *stream).map(|event| event.revision)
    }

    /// Revision of the last event.
    pub fn revision(&self) -> Revision {
        self.events.last().map_or(Revision::START, |event| event.revision)
    }
}

/// What an append comes to.
pub type AppendResult = Result<Appended, AppendError>;

/// An append on its way. Wait for it on a thread, or await it on any runtime.
#[must_use = "an append is not acknowledged before its ticket says so"]
pub struct Ticket(Arc<Slot>);

#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    result: Option<AppendResult>,
    waker: Option<Waker>,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// A ticket and the function that fills it.
    pub(crate) fn new() -> (Self, impl FnOnce(AppendResult) + Send + 'static) {
        let slot = Arc::new(Slot::default());
        let filler = Arc::clone(&slot);
        let fill = move |result| {
            let mut state = filler.lock();
            state.result = Some(result);
            let waker = state.waker.take();
            drop(state);
            filler.filled.notify_all();
            if let Some(waker) = waker {
                waker.wake();
            }
        };
        (Self(slot), fill)
    }

    /// Waits for the answer on this thread.
    ///
    /// # Errors
    /// The append's own [`AppendError`].
    pub fn wait(self) -> AppendResult {
        let mut state = self.0.lock();
        loop {
            if let Some(result) = state.result.take() {
                return result;
            }
            state = self.0.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Future for Ticket {
    type Output = AppendResult;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<AppendResult> {
        let mut state = self.0.lock();
        if let Some(result) = state.result.take() {
            return Poll::Ready(result);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl AppendError {
    /// Whether the events are certainly not in the log.
    pub const fn wrote_nothing(&self) -> bool {
        match self {
            Self::WrongRevision { .. }
            | Self::EventIdTaken { .. }
            | Self::GroupInPart { .. }
            | Self::Invalid { .. }
            | Self::Projection { .. }
            | Self::Log { .. } => true,
            Self::CommitUnknown { .. } => false,
        }
    }
}

impl From<Error> for Box<AppendError> {
    fn from(error: Error) -> Self {
        Self::new(error.into())
    }
}
