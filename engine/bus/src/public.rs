//! What the stream shows of an event: the form that every door of the engine gives.

use bytes::Bytes;
pub use placet_executor::public::render;
use placet_model::event::RecordedEvent;

use crate::outbox::OutboxMessage;

/// The outbox's message for an event.
pub(crate) fn message(event: &RecordedEvent) -> OutboxMessage {
    let body = Bytes::from(render(event).to_string());
    OutboxMessage { position: event.position, kind: event.event.type_name().to_owned(), body }
}
