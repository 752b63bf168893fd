//! How long each stage of a call may take, and which moment ends it.

use placet_adapters::{Cause, Failed, Stage};
use std::time::Duration;
use tokio::time::Instant;

/// The longest time of each stage. Whatever they say, a call's own time ends it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the name's addresses are known: 5 s.
    pub resolve: Duration,
    /// Until one of the addresses has answered: 10 s.
    pub connect: Duration,
    /// Until TLS stands: 10 s.
    pub tls: Duration,
    /// Until the last byte of the request is taken: 60 s.
    pub write: Duration,
    /// From there until the head of the answer is there: 120 s.
    pub first_byte: Duration,
    /// From there until the answer's last byte: 120 s.
    pub body: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            resolve: Duration::from_secs(5),
            connect: Duration::from_secs(10),
            tls: Duration::from_secs(10),
            write: Duration::from_mins(1),
            first_byte: Duration::from_mins(2),
            body: Duration::from_mins(2),
        }
    }
}

impl Timeouts {
    const fn of(&self, stage: Stage) -> Option<Duration> {
        Some(match stage {
            Stage::Queue => return None,
            Stage::Resolve => self.resolve,
            Stage::Connect => self.connect,
            Stage::Tls => self.tls,
            Stage::Write => self.write,
            Stage::FirstByte => self.first_byte,
            Stage::Body => self.body,
        })
    }
}

/// The time of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    limits: Timeouts,
    deadline: Instant,
    whole: Duration,
}

impl Clock {
    pub(crate) fn start(limits: Timeouts, whole: Duration) -> Self {
        Self { limits, deadline: Instant::now() + whole, whole }
    }

    /// The moment that ends a stage which begins now.
    pub(crate) fn until(&self, stage: Stage) -> Instant {
        let limit = self.limits.of(stage);
        limit.map_or(self.deadline, |limit| self.deadline.min(Instant::now() + limit))
    }

    /// A stage whose moment has come. The first four stages are before the send, and the others may
    /// be after it.
    pub(crate) fn late(&self, stage: Stage) -> Failed {
        let what = match stage {
            Stage::Queue => "waiting for other calls to this host",
            Stage::Resolve => "looking up the host",
            Stage::Connect => "connecting",
            Stage::Tls => "the TLS handshake",
            Stage::Write => "handing over the request",
            Stage::FirstByte => "waiting for an answer",
            Stage::Body => "reading the answer",
        };
        let limit = self.limits.of(stage).map_or(self.whole, |limit| limit.min(self.whole));
        let words = format!(
            "{what} took too long (limits: {} ms for it, {} ms for all of the call)",
            limit.as_millis(),
            self.whole.as_millis()
        );
        let failed = match stage {
            Stage::Queue | Stage::Resolve | Stage::Connect | Stage::Tls => {
                Failed::before(Cause::Timeout, words)
            }
            Stage::Write | Stage::FirstByte | Stage::Body => Failed::after(Cause::Timeout, words),
        };
        failed.at(stage)
    }
}
