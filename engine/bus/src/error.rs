//! Why the bus does not work at the moment: unfit for good until somebody acts, or away for a while.

use std::fmt;

use placet_model::code;

/// The server or the stream is there and cannot be used. Somebody has to act; nothing is published until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `PL####`.
    pub code: &'static str,
    /// What was found, and where it stands in the way.
    pub detail: String,
}

impl Refusal {
    /// Server below 2.12: it would accept an atomic batch and silently store it message by message.
    pub(crate) fn too_old(version: &str) -> Self {
        Self { code: "PL5001", detail: format!("the server is {version}") }
    }

    pub(crate) fn no_jetstream(detail: impl Into<String>) -> Self {
        Self { code: "PL5002", detail: detail.into() }
    }

    /// Copies that lose what they have acknowledged come to contradict each other.
    pub(crate) fn does_not_sync(replicas: u8) -> Self {
        let detail = format!(
            "{replicas} copies of the stream are asked for, and jetstream.sync_interval is no `always`"
        );
        Self { code: "PL5006", detail }
    }

    pub(crate) fn stream(detail: impl Into<String>) -> Self {
        Self { code: "PL5003", detail: detail.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(page) = code::find(self.code) {
            write!(f, " {}: {}; {}", page.title, self.detail, page.help)
        } else {
            write!(f, " {}", self.detail)
        }
    }
}

impl std::error::Error for Refusal {}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What ends one go at using the server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Refused until somebody acts; looked at again now and then.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The server is away, is restarting, or did not answer: the outcome is unknown, look again.
    #[error("{doing}")]
    Unavailable {
        /// What we were doing.
        doing: &'static str,
        #[source]
        source: Source,
    },
    /// The connection broke while we were at it: the outcome is unknown.
    #[error("the connection broke")]
    Lost,
    /// The server answered a publish with an error: read the stream's end again before concluding anything.
    #[error("{doing}: the server answered {code} {description}")]
    Answered {
        /// What we were doing.
        doing: &'static str,
        /// Error code of `JetStream`, such as 10071.
        code: u64,
        /// The server's words.
        description: String,
    },
    /// The log could not be read.
    #[error("the log could not be read")]
    Log {
        #[source]
        source: Source,
    },
}

impl Error {
    pub(crate) fn unavailable<E: Into<Source>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Unavailable { doing, source: source.into() }
    }

    /// This error and what led to it, one after the other. async-nats prints its source in its own text, so only the
    /// outermost of theirs is taken.
    pub(crate) fn chain(&self) -> String {
        match std::error::Error::source(self) {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }
}
