//! Why a request was not made. Each says what to change; none holds the input's values.

use crate::template::EvalError;
use crate::{target, text_limits};
use placet_model::fault::FaultKind;
use placet_schemas::Violations;

/// A call that cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the integration's settings are not valid")]
    Settings {
        #[source]
        violations: Violations,
    },
    #[error("the input does not match the operation's schema")]
    Input {
        #[source]
        violations: Violations,
    },
    #[error("the input names no valid target")]
    Target {
        #[source]
        source: target::Error,
    },
    #[error("a part of the target is an object or a list of lists where text is needed")]
    TargetPart,
    #[error("a text is too long")]
    TextLimit {
        #[source]
        source: text_limits::Error,
    },
    #[error("the request cannot be filled in")]
    Template {
        #[source]
        source: EvalError,
    },
    #[error(
        "the path parameter {name} is refused: it is empty or holds a slash, a dot segment or a control character"
    )]
    PathParameter { name: String },
    #[error("the header {name} is refused: {reason}")]
    Header { name: String, reason: &'static str },
    #[error("the url is refused: {reason}")]
    Url { reason: &'static str },
    #[error("the host {host} is not one of this provider's")]
    Host { host: String },
    #[error("a secret of the request cannot be placed: {reason}")]
    Hole { reason: &'static str },
    #[error("the body cannot be written: {reason}")]
    Body { reason: &'static str },
    #[error("the body has {size} bytes, the most is {}", super::BODY_BYTES_MAX)]
    BodyTooLarge { size: usize },
}

impl From<EvalError> for Error {
    fn from(source: EvalError) -> Self {
        Self::Template { source }
    }
}

impl Error {
    /// The fault that the task gets.
    pub const fn fault_kind(&self) -> FaultKind {
        match self {
            Self::Settings { .. } | Self::Host { .. } => FaultKind::Configuration,
            Self::Input { .. }
            | Self::Target { .. }
            | Self::TargetPart
            | Self::TextLimit { .. }
            | Self::Template { .. }
            | Self::PathParameter { .. }
            | Self::Header { .. }
            | Self::Url { .. }
            | Self::Hole { .. }
            | Self::Body { .. }
            | Self::BodyTooLarge { .. } => FaultKind::Validation,
        }
    }

    /// The whole story in one line: the error and its sources.
    pub fn story(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}
