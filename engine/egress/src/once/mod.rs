//! A gated call: one request on a connection of its own, and the truth about how far it came.
//!
//! It speaks through hyper's connections and not through reqwest, which tells neither at which stage a
//! call has failed nor whether a byte of it was written. Here a call is before the send only if
//!
//! - it failed while its host was looked up, connected to or shaken hands with,
//! - or, over HTTP/1.1, no write to the connection was as much as tried,
//! - or hyper gave the request back as one that it has not begun to write,
//! - or, over HTTP/2, the server has said that it did not process it: `REFUSED_STREAM`, or a `GOAWAY`
//!   whose last stream is an earlier one (RFC 9113 §8.7).
//!
//! The connection is driven by the call itself and by nothing else: when the call has given up,
//! nothing more is written. Nothing is ever sent a second time.

mod dial;
mod speak;
mod unsent;
mod watch;

use crate::headers;
use crate::timeouts::Clock;
use crate::transport::{Egress, Errand, Hop};
use hyper::HeaderMap;
use placet_adapters::{Answer, Failed, Response};
use rustls::ClientConfig;
use speak::Road;
use std::sync::Arc;
pub(crate) use unsent::is_broken;

impl Egress {
    /// Sends the request once.
    pub(crate) async fn send_once(
        &self,
        errand: &Errand<'_>,
        (hop, secured): (&Hop, Option<Arc<ClientConfig>>),
        clock: &Clock,
    ) -> Answer {
        let dialled = dial::dial(self, (&hop.destination, secured), clock).await?;
        let (road, head, body) = speak::ask(dialled, hop, clock).await?;
        let notes = unpacked_note(&head.headers);
        let headers = headers::incoming(&head.headers)?;
        let body = read(road, body, (errand.bytes_max, clock)).await?;
        Ok(Response { notes, ..Response::new(head.status.as_u16(), headers, body) })
    }
}

/// The body, never more than `bytes_max` of it in memory.
async fn read(
    mut road: Road,
    mut body: hyper::body::Incoming,
    (bytes_max, clock): (usize, &Clock),
) -> Result<Vec<u8>, Failed> {
    let announced = hyper::body::Body::size_hint(&body).lower();
    if usize::try_from(announced).is_ok_and(|announced| announced <= bytes_max) {
        let mut bytes = Vec::new();
        while let Some(chunk) = road.next(&mut body, clock).await? {
            if bytes.len() + chunk.len() > bytes_max {
                return Err(headers::too_large(bytes_max));
            }
            bytes.extend_from_slice(&chunk);
        }
        return Ok(bytes);
    }
    Err(headers::too_large(bytes_max))
}

/// No encoding is ever asked for, and none is unpacked: so a small answer cannot become a large one.
pub(crate) fn unpacked_note(headers: &HeaderMap) -> Vec<String> {
    let encoding = headers.get(hyper::header::CONTENT_ENCODING).and_then(|name| name.to_str().ok());
    let encoding = encoding.filter(|name| !name.eq_ignore_ascii_case("identity"));
    let note = encoding.map(|name| {
        let name: String = name.chars().filter(char::is_ascii_graphic).take(40).collect();
        format!("the answer is encoded ({name}), which was not asked for; it was not unpacked")
    });
    note.into_iter().collect()
}
