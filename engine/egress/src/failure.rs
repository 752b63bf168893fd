//! A client's error → how far the bytes got. When nothing proves that they stayed, they left.

use crate::once::is_broken;
use crate::resolver::ResolveError;
use placet_adapters::{Cause, Failed, Stage};
use std::error::Error;

/// `BeforeSend` only for what happens before the connection stands: look-up, connect, handshake,
/// and requests that could not even be built.
pub(crate) fn failed(error: &reqwest::Error) -> Failed {
    if error.is_builder() {
        return Failed::before(Cause::Refused, "the request cannot be built");
    }
    if let Some(resolve) = find::<ResolveError>(error) {
        return Failed::before(resolve.cause(), resolve.to_string()).at(Stage::Resolve);
    }
    if error.is_connect() {
        let (cause, stage) = match find::<rustls::Error>(error) {
            Some(_) => (Cause::Tls, Stage::Tls),
            None if error.is_timeout() => (Cause::Timeout, Stage::Connect),
            None => (Cause::Connect, Stage::Connect),
        };
        return Failed::before(cause, words(error)).at(stage);
    }
    let cause = match () {
        () if error.is_timeout() => Cause::Timeout,
        () if find::<std::io::Error>(error).is_some_and(is_broken) => Cause::Reset,
        () => Cause::Unreadable,
    };
    Failed::after(cause, words(error))
}

/// The innermost cause in words. It names addresses and errors of the system, never a URL or a
/// header: those stand in the outer errors.
fn words(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    let mut depth = 0;
    while let Some(inner) = cause.source() {
        cause = inner;
        depth += 1;
    }
    if depth == 0 { "the call failed".to_owned() } else { cause.to_string() }
}

fn find<T: Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(found) = inner.downcast_ref::<T>() {
            return Some(found);
        }
        // io errors carry rustls errors without naming them as their source
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && let Some(found) = io.get_ref().and_then(|held| held.downcast_ref::<T>())
        {
            return Some(found);
        }
        cause = inner.source();
    }
    None
}
