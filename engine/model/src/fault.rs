//! Faults: what a workflow can raise and catch (RFC 7807 objects of the workflow language).

use crate::TaskPath;
use serde::{Deserialize, Serialize};

/// Prefix of the standard error types as we emit them.
pub const STANDARD: &str = "https://open-workflow-specification.org/spec/1.0.0/errors/";

/// Other prefixes under which documents name the same standard types.
pub const STANDARD_ALIASES: [&str; 4] = [
    STANDARD,
    "https://open-workflow-specification.org/dsl/errors/types/",
    "https://serverlessworkflow.io/spec/1.0.0/errors/",
    "https://serverlessworkflow.io/dsl/errors/types/",
];

/// Prefix of Placet's own error types.
pub const PLACET: &str = "urn:placet:errors:";

/// An error of the workflow language. `detail` may hold a person's words, so a fault as a whole is
/// content: events carry its type, status and title, and the rest by payload reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// URI that identifies the kind of error.
    #[serde(rename = "type")]
    pub kind: String,
    /// Status in the manner of HTTP.
    pub status: u16,
    /// Short words for the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Words for this occurrence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Pointer of the task that raised it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// The standard kinds of fault, and Placet's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// Unknown function, bad endpoint, missing integration.
    Configuration,
    /// A schema failure.
    Validation,
    /// An expression failed.
    Expression,
    /// Credentials were refused.
    Authentication,
    /// A secret or a right is missing.
    Authorization,
    /// A timeout passed.
    Timeout,
    /// A call failed.
    Communication,
    /// A limit was reached, or an internal error.
    Runtime,
    /// An approver said no.
    ApprovalRejected,
    /// Nobody decided in time.
    ApprovalExpired,
    /// An approver sent the draft back with feedback.
    ApprovalResponse,
    /// The requester or an operator took the draft back.
    ApprovalWithdrawn,
    /// Something that the approval bound has changed.
    ApprovalVoid,
    /// Sent, answer unknown, given up.
    SendInDoubt,
}

impl FaultKind {
    /// The type URI as we emit it.
    pub fn uri(self) -> String {
        match self {
            Self::Configuration => format!("{STANDARD}configuration"),
            Self::Validation => format!("{STANDARD}validation"),
            Self::Expression => format!("{STANDARD}expression"),
            Self::Authentication => format!("{STANDARD}authentication"),
            Self::Authorization => format!("{STANDARD}authorization"),
            Self::Timeout => format!("{STANDARD}timeout"),
            Self::Communication => format!("{STANDARD}communication"),
            Self::Runtime => format!("{STANDARD}runtime"),
            Self::ApprovalRejected => format!("{PLACET}approval-rejected"),
            Self::ApprovalExpired => format!("{PLACET}approval-expired"),
            Self::ApprovalResponse => format!("{PLACET}approval-response"),
            Self::ApprovalWithdrawn => format!("{PLACET}approval-withdrawn"),
            Self::ApprovalVoid => format!("{PLACET}approval-void"),
            Self::SendInDoubt => format!("{PLACET}send-in-doubt"),
        }
    }

    /// The status that goes with the kind.
    pub const fn status(self) -> u16 {
        match self {
            Self::Configuration | Self::Validation | Self::Expression => 400,
            Self::Authentication => 401,
            Self::Authorization | Self::ApprovalRejected => 403,
            Self::Timeout | Self::ApprovalExpired => 408,
            Self::ApprovalResponse | Self::ApprovalWithdrawn | Self::ApprovalVoid => 409,
            Self::Communication | Self::Runtime | Self::SendInDoubt => 500,
        }
    }

    /// Short words for the kind.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Configuration => "Configuration error",
            Self::Validation => "Validation error",
            Self::Expression => "Expression error",
            Self::Authentication => "Authentication error",
            Self::Authorization => "Authorization error",
            Self::Timeout => "Timeout",
            Self::Communication => "Communication error",
            Self::Runtime => "Runtime error",
            Self::ApprovalRejected => "Approval rejected",
            Self::ApprovalExpired => "Approval expired",
            Self::ApprovalResponse => "Sent back with feedback",
            Self::ApprovalWithdrawn => "Approval request withdrawn",
            Self::ApprovalVoid => "Approval void",
            Self::SendInDoubt => "Send in doubt",
        }
    }
}

impl Fault {
    /// A fault of this kind with its standard status and title.
    pub fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self {
            kind: kind.uri(),
            status: kind.status(),
            title: Some(kind.title().to_owned()),
            detail: Some(detail.into()),
            instance: None,
        }
    }

    /// The same fault, raised by this task.
    #[must_use]
    pub fn at(mut self, task: &TaskPath) -> Self {
        self.instance =
            Some(if task.as_str().is_empty() { "/".to_owned() } else { task.to_string() });
        self
    }

    /// The same fault with another status (a communication error carries the HTTP status).
    #[must_use]
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

/// Whether two type URIs name the same kind of error, the standard ones under any of their hosts.
pub fn same_kind(left: &str, right: &str) -> bool {
    fn suffix(uri: &str) -> Option<&str> {
        STANDARD_ALIASES.iter().find_map(|prefix| uri.strip_prefix(prefix))
    }
    match (suffix(left), suffix(right)) {
        (Some(left), Some(right)) => left == right,
        (Some(_), None) | (None, Some(_)) => false,
        (None, None) => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_types_match_under_every_host_and_path() {
        for left in STANDARD_ALIASES {
            for right in STANDARD_ALIASES {
                assert!(same_kind(&format!("{left}timeout"), &format!("{right}timeout")));
                assert!(!same_kind(&format!("{left}timeout"), &format!("{right}runtime")));
            }
        }
        assert!(same_kind("https://example.com/a", "https://example.com/a"));
        assert!(!same_kind("urn:placet:errors:timeout", &format!("{STANDARD}timeout")));
    }
}
