//! A connection's error → how far the bytes got. Without proof that they stayed, they left.

use super::dial::Protocol;
use super::watch::Watch;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::TrySendError;
use placet_adapters::{Cause, Failed, Stage};
use std::error::Error;
use std::io;

/// The connection ended before the request was given to it.
pub(super) fn given_back(error: &hyper::Error) -> Failed {
    let words = format!("the connection ended before anything was written: {}", words(error));
    Failed::before(Cause::Reset, words).at(Stage::Write)
}

/// No answer came.
pub(super) fn lost(
    error: &TrySendError<Request<Full<Bytes>>>,
    (protocol, watch): (Protocol, &Watch),
) -> Failed {
    let untouched = protocol == Protocol::Http1 && !watch.has_begun();
    if error.message().is_some() || untouched {
        return given_back(error.error());
    }
    let stage = if watch.is_out() { Stage::FirstByte } else { Stage::Write };
    let error = error.error();
    if let Some(words) = not_processed(error) {
        return Failed::before(Cause::Reset, words).at(stage);
    }
    Failed::after(cause(error), words(error)).at(stage)
}

/// The answer broke off.
pub(super) fn cut_short(error: &hyper::Error) -> Failed {
    Failed::after(cause(error), words(error)).at(Stage::Body)
}

/// The server's own word that it has not processed this request, and will not (RFC 9113 §8.7).
///
/// h2 ends a stream with the server's `GOAWAY` only where the last stream that it names is an earlier
/// one; the streams up to it go on, and end as broken if the connection does.
fn not_processed(error: &hyper::Error) -> Option<&'static str> {
    let told = find::<h2::Error>(error).filter(|told| told.is_remote())?;
    if told.is_go_away() {
        return Some("the server went away (GOAWAY) and did not process the request");
    }
    let refused = told.is_reset() && told.reason() == Some(h2::Reason::REFUSED_STREAM);
    refused.then_some("the server did not process the request (REFUSED_STREAM)")
}

fn cause(error: &hyper::Error) -> Cause {
    if error.is_parse_too_large() {
        return Cause::TooLarge;
    }
    let broken = find::<io::Error>(error).is_some_and(is_broken)
        || find::<h2::Error>(error).is_some_and(|told| told.is_io() || told.is_remote());
    if broken || error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return Cause::Reset;
    }
    Cause::Unreadable
}

/// Whether the connection broke, and not what came over it was wrong.
pub(crate) fn is_broken(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
}

/// The innermost cause in words. It names errors of the system and of the protocol, never a URL or a
/// header: those stand nowhere in it.
fn words(error: &hyper::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn find<T: Error + 'static>(error: &hyper::Error) -> Option<&T> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(found) = inner.downcast_ref::<T>() {
            return Some(found);
        }
        if let Some(io) = inner.downcast_ref::<io::Error>()
            && let Some(found) = io.get_ref().and_then(|held| held.downcast_ref::<T>())
        {
            return Some(found);
        }
        cause = inner.source();
    }
    None
}
