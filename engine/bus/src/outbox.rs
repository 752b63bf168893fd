//! The outbox: the log, followed into a stream, exactly once and in order.
//!
//! No cursor is stored. The stream's own last message says how far it got (read from its leader, never from a replica that
//! may lag), and the first message of each atomic batch is fenced by that message's sequence: a batch either continues
//! exactly what was read, or is rejected whole. So whatever happened — a lost answer, a killed engine or server, a second
//! publisher — the next look tells the truth, and the next batch goes on from there. The server's window for duplicate
//! message ids plays no part.
//!
//! A log that was restored goes on at a position that the stream has passed. Then the end of what both have in common is
//! looked for, backwards from the stream's end, and publishing goes on there, in the new epoch: the same position stands in
//! the stream twice, under two epochs and two message ids. Nothing of the restored log is missing, and nothing is taken for
//! something else. A log of an earlier epoch than the stream's is refused: another copy goes on with the project.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use async_nats::jetstream;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use placet_log::{Epoch, Log, Subscription};
use placet_model::Position;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::connect::Connection;
use crate::error::{Error, Refusal};
use crate::public;
use crate::subjects::{
    self, HEADER_BATCH_COMMIT, HEADER_BATCH_ID, HEADER_BATCH_SEQUENCE, HEADER_EPOCH,
    HEADER_EXPECTED_SEQUENCE, HEADER_EXPECTED_SUBJECT, HEADER_MESSAGE_ID, HEADER_POSITION, Token,
};

/// Events of one atomic batch; the server takes at most 1,000, and 200 already make the batch the smaller cost.
pub(crate) const BATCH_EVENTS_MAX: usize = 200;
/// Bodies of one batch together, so that a batch is sent in well under the server's 10 s for one.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What the headers of one message may take of the server's `max_payload`.
const HEADER_BYTES: usize = 1024;

/// One event as the outside sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxMessage {
    /// Place in the log.
    pub position: Position,
    /// Name of the event's kind in Pascal case; a token of the subject.
    pub kind: String,
    /// Public JSON: facts, structure and digests, never the content of a payload.
    pub body: Bytes,
}

type Epochs =
    dyn Fn() -> Result<Vec<Epoch>, Box<dyn std::error::Error + Send + Sync>> + Send + Sync;
type Read = dyn Fn(Position, usize) -> Result<Vec<OutboxMessage>, Box<dyn std::error::Error + Send + Sync>>
    + Send
    + Sync;

/// Where the outbox gets events from.
#[derive(Clone)]
pub struct EventSource {
    log: Token,
    read: Arc<Read>,
    epochs: Arc<Epochs>,
    tail: watch::Receiver<Position>,
}

impl EventSource {
    /// `log` names the log for good, across restarts. `read` gives up to so many events after a position, in order and
    /// without gaps; it may block. `tail` is the position of the last durable event.
    pub fn new<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        log: Token,
        tail: watch::Receiver<Position>,
        read: impl Fn(Position, usize) -> Result<Vec<OutboxMessage>, E> + Send + Sync + 'static,
    ) -> Self {
        let read = Arc::new(move |after, max| read(after, max).map_err(Into::into));
        Self { log, read, epochs: Arc::new(|| Ok(vec![])), tail }
    }

    /// The epochs of the log after its first, oldest first; it may block.
    #[must_use]
    pub fn in_epochs<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        self,
        epochs: impl Fn() -> Result<Vec<Epoch>, E> + Send + Sync + 'static,
    ) -> Self {
        Self { epochs: Arc::new(move || epochs().map_err(Into::into)), ..self }
    }

    /// The engine's own log, rendered for the outside.
    ///
    /// # Panics
    /// Never: an install id is 32 hexadecimal digits.
    pub fn of(log: &Log) -> Self {
        let name = Token::parse(&log.install_id()).expect("an install id is a token");
        let (moved, tail) = watch::channel(log.head());
        let forwards = move |head: Position| {
            moved.send_if_modified(|tail| {
                let ahead = head > *tail;
                *tail = head.max(*tail);
                ahead
            });
        };
        // the log calls for as long as the source lives; what came between the two lines is not missed
        let subscription = log.subscribe(forwards.clone());
        forwards(log.head());
        let (log, of_epochs) = (log.clone(), log.clone());
        Self::new(name, tail, move |after, max| {
            let _lives: &Subscription = &subscription;
            let view = log.read()?;
            let events = view.events(after.next()).take(max);
            let messages = events.map(|event| event.map(|event| public::message(&event)));
            messages.collect::<Result<Vec<_>, placet_log::Error>>()
        })
        .in_epochs(move || of_epochs.read()?.epochs())
    }

    async fn epochs(&self) -> Result<Arc<[Epoch]>, Error> {
        let epochs = Arc::clone(&self.epochs);
        let read = tokio::task::spawn_blocking(move || epochs()).await;
        let read = read.map_err(|source| Error::Log { source: source.into() })?;
        read.map(Arc::from).map_err(|source| Error::Log { source })
    }

    /// Position of the last durable event.
    pub(crate) fn tail(&self) -> Position {
        *self.tail.borrow()
    }

    async fn after(&self, position: Position) -> Result<Vec<OutboxMessage>, Error> {
        let read = Arc::clone(&self.read);
        let events = tokio::task::spawn_blocking(move || read(position, BATCH_EVENTS_MAX))
            .await
            .map_err(|source| Error::Log { source: source.into() })?
            .map_err(|source| Error::Log { source })?;
        let mut expected = position;
        for event in &events {
            expected = expected.next();
            if event.position != expected {
                let gap = format!("asked for position {expected}, got {}", event.position);
                return Err(Error::Log { source: gap.into() });
            }
        }
        Ok(events)
    }
}

impl fmt::Debug for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSource").field("log", &self.log).finish_non_exhaustive()
    }
}

/// How far the stream got, as read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    position: Position,
    /// The epochs of the log.
    epochs: Arc<[Epoch]>,
    /// Sequence of the message that this was read from: the fence of the next batch.
    sequence: u64,
}

/// One publisher for one project.
#[derive(Debug)]
pub(crate) struct Outbox<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) project: &'a Token,
    pub(crate) source: &'a EventSource,
    /// Told how far the stream got, each time that is certain.
    pub(crate) published: &'a watch::Sender<Position>,
}

impl Outbox<'_> {
    /// How far the stream got; an error when it is not this log's.
    pub(crate) async fn cursor(&self) -> Result<Cursor, Error> {
        self.connection.unless_lost(self.derive()).await
    }

    /// Follows the log from there until an error or a doubt; the caller makes sure of server and stream, and comes back.
    pub(crate) async fn follow(&self, mut cursor: Cursor) -> Result<Infallible, Error> {
        let mut tail = self.source.tail.clone();
        loop {
            self.published.send_replace(cursor.position);
            let events = self.source.after(cursor.position).await?;
            if events.is_empty() {
                let behind = cursor.position;
                let new = tail.wait_for(|tail| *tail > behind);
                self.connection
                    .unless_lost(async {
                        new.await.map(drop).map_err(|source| Error::Log { source: source.into() })
                    })
                    .await?;
            } else {
                cursor = self.connection.unless_lost(self.publish(&cursor, &events)).await?;
            }
        }
    }

    /// Reads the stream's end from its leader.
    async fn derive(&self) -> Result<Cursor, Error> {
        let doing = "reading the end of the stream";
        let name = subjects::event_stream(self.project);
        let stream = self
            .connection
            .jetstream()
            .get_stream(&name)
            .await
            .map_err(Error::unavailable(doing))?;
        let last =
            match stream.get_last_raw_message_by_subject(&subjects::events(self.project)).await {
                Ok(last) => Some(last),
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => None,
                Err(error) => return Err(Error::unavailable(doing)(error)),
            };
        let epochs = self.source.epochs().await?;
        let cursor = match last {
            Some(last) => self.cursor_of(&stream, &last, epochs).await?,
            None if stream.cached_info().state.last_sequence == 0 => {
                Cursor { position: Position::START, epochs, sequence: 0 }
            }
            None => {
                return Err(Refusal::stream(format!(
                    "{name}: its messages were removed by somebody"
                ))
                .into());
            }
        };
        tracing::debug!(
            stream = name,
            position = cursor.position.get(),
            sequence = cursor.sequence,
            "outbox cursor"
        );
        Ok(cursor)
    }

    /// The last message that this log has, too. Usually it is the stream's last one; of a restored log it stands before
    /// what was recorded between the copy and the loss.
    async fn cursor_of(
        &self,
        stream: &jetstream::stream::Stream,
        last: &StreamMessage,
        epochs: Arc<[Epoch]>,
    ) -> Result<Cursor, Error> {
        let doing = "reading the stream backwards";
        let sequence = last.sequence;
        let mut message = last.clone();
        loop {
            let known = self.known(&message)?;
            let there = known.position <= self.source.tail();
            if there && known.id == message_id(&self.source.log, known.position, &epochs) {
                return Ok(Cursor { position: known.position, epochs, sequence });
            }
            let ours = epochs.last().map_or(1, |epoch| epoch.number);
            if known.epoch >= ours {
                return Err(self.superseded(&known, ours).into());
            }
            match message.sequence.checked_sub(1).filter(|before| *before > 0) {
                Some(before) => {
                    let read = stream.get_raw_message(before).await;
                    message = read.map_err(Error::unavailable(doing))?;
                }
                None => return Ok(Cursor { position: Position::START, epochs, sequence }),
            }
        }
    }

    /// Refuses a message that is not of this log: the stream belongs to somebody else, and going on would mix the two.
    fn known(&self, message: &StreamMessage) -> Result<Known, Refusal> {
        let header = |name: &str| message.headers.get(name).map_or("", |value| value.as_str());
        let id = header(HEADER_MESSAGE_ID);
        let of_this_log = id.strip_prefix(self.source.log.as_str());
        let position = header(HEADER_POSITION).parse().map(Position::new);
        let epoch = match header(HEADER_EPOCH) {
            "" => Ok(1),
            number => number.parse(),
        };
        let of_this_log = of_this_log.is_some_and(|rest| rest.starts_with(':'));
        if let (true, Ok(position), Ok(epoch)) = (of_this_log, position, epoch) {
            return Ok(Known { position, epoch, id: id.to_owned() });
        }
        let name = subjects::event_stream(self.project);
        Err(Refusal::stream(format!(
            "{name}: message {} is {id:?} and not of this log ({}); give the project another name, or remove the \
             stream if its log is gone",
            message.sequence, self.source.log
        )))
    }

    fn superseded(&self, known: &Known, ours: u64) -> Refusal {
        let name = subjects::event_stream(self.project);
        Refusal::stream(format!(
            "{name} holds event {} of epoch {}, and this log (epoch {ours}, {} events) does not: the log is older than the \
             stream, or another copy of the project goes on; restore the newest data with placet restore, or use that copy",
            known.position,
            known.epoch,
            self.source.tail()
        ))
    }

    /// Publishes what continues `cursor` as one atomic batch; `Ok` only when the server says that all of it is stored.
    async fn publish(&self, cursor: &Cursor, events: &[OutboxMessage]) -> Result<Cursor, Error> {
        let batch = self.batch_id();
        let count = fitting(events);
        let mut stored = None;
        for (index, event) in events[..count].iter().enumerate() {
            let place = Place { first: index == 0, last: index + 1 == count, number: index + 1 };
            let headers = self.headers(event, &batch, &place, cursor);
            let kind =
                Token::parse(&event.kind).map_err(|source| Error::Log { source: source.into() })?;
            let subject = subjects::event(self.project, &kind);
            let body = self.body_that_fits(event);
            if place.first || place.last {
                // the first answer comes before the rest is sent: a stale fence is met at once
                let answer =
                    self.connection.client.request_with_headers(subject, headers, body).await;
                stored = acknowledged(&answer.map_err(Error::unavailable("publishing events"))?)?;
            } else {
                let sent =
                    self.connection.client.publish_with_headers(subject, headers, body).await;
                sent.map_err(Error::unavailable("publishing events"))?;
            }
        }
        let sequence = stored.ok_or_else(|| Error::Unavailable {
            doing: "publishing events",
            source: "the server did not confirm the batch".into(),
        })?;
        let epochs = Arc::clone(&cursor.epochs);
        Ok(Cursor { position: cursor.position.plus(count as u64), epochs, sequence })
    }

    /// Fresh for each try: the remains of a broken one must not join the next.
    fn batch_id(&self) -> String {
        let inbox = self.connection.client.new_inbox();
        inbox.rsplit('.').next().unwrap_or(&inbox).to_owned()
    }

    fn headers(
        &self,
        event: &OutboxMessage,
        batch: &str,
        place: &Place,
        cursor: &Cursor,
    ) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER_POSITION, event.position.to_string());
        let id = message_id(&self.source.log, event.position, &cursor.epochs);
        headers.insert(HEADER_MESSAGE_ID, id);
        if let Some(epoch) = epoch_of(event.position, &cursor.epochs) {
            headers.insert(HEADER_EPOCH, epoch.number.to_string());
        }
        headers.insert(HEADER_BATCH_ID, batch);
        headers.insert(HEADER_BATCH_SEQUENCE, place.number.to_string());
        if place.first {
            headers.insert(HEADER_EXPECTED_SEQUENCE, cursor.sequence.to_string());
            headers.insert(HEADER_EXPECTED_SUBJECT, subjects::events(self.project));
        }
        if place.last {
            headers.insert(HEADER_BATCH_COMMIT, "1");
        }
        headers
    }

    /// Events are small. One that the server would not take must not stop all that come after it: it goes out as its
    /// place and kind, and the reader fetches the rest from the log.
    fn body_that_fits(&self, event: &OutboxMessage) -> Bytes {
        if event.body.len() + HEADER_BYTES <= self.connection.client.max_payload() {
            return event.body.clone();
        }
        tracing::warn!(
            position = event.position.get(),
            bytes = event.body.len(),
            "event is too large for the server"
        );
        let stub =
            json!({"position": event.position.get(), "type": event.kind, "omitted": "too_large"});
        Bytes::from(stub.to_string())
    }
}

/// Where a message stands in its batch.
struct Place {
    first: bool,
    last: bool,
    number: usize,
}

/// What a message of the stream says of itself.
struct Known {
    position: Position,
    epoch: u64,
    id: String,
}

/// The epoch of a position; none in the first one.
fn epoch_of(position: Position, epochs: &[Epoch]) -> Option<&Epoch> {
    epochs.iter().rev().find(|epoch| epoch.position <= position)
}

/// The same position of two epochs has two ids, also where two copies of a log have begun one each.
fn message_id(log: &Token, position: Position, epochs: &[Epoch]) -> String {
    match epoch_of(position, epochs) {
        None => format!("{log}:{position}"),
        Some(epoch) => format!("{log}:{position}:{}", epoch.id),
    }
}

/// How many of the events go into one batch by size; at least one.
fn fitting(events: &[OutboxMessage]) -> usize {
    let mut bytes = 0;
    let taken = events.iter().take_while(|event| {
        bytes += event.body.len() + HEADER_BYTES;
        bytes <= BATCH_BYTES_MAX
    });
    taken.count().max(1)
}

/// The sequence of the batch's last message; `None` for the empty answer to a message that does not end its batch.
fn acknowledged(answer: &Message) -> Result<Option<u64>, Error> {
    if answer.payload.is_empty() {
        return Ok(None);
    }
    let doing = "publishing events";
    let answer: Value =
        serde_json::from_slice(&answer.payload).map_err(Error::unavailable(doing))?;
    let error = &answer["error"];
    if error.is_null() {
        return Ok(answer["seq"].as_u64());
    }
    let description = error["description"].as_str().unwrap_or_default().to_owned();
    Err(Error::Answered {
        doing,
        code: error["err_code"].as_u64().unwrap_or_default(),
        description,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_bounded_by_bytes_and_never_empty() {
        let event = |bytes: usize| OutboxMessage {
            position: Position::new(1),
            kind: "RunStarted".to_owned(),
            body: Bytes::from(vec![0; bytes]),
        };
        assert_eq!(fitting(&[event(10), event(10)]), 2);
        assert_eq!(fitting(&[event(BATCH_BYTES_MAX), event(1)]), 1);
        assert_eq!(fitting(&[event(BATCH_BYTES_MAX / 2), event(BATCH_BYTES_MAX / 2), event(1)]), 1);
    }
}
