//! How a caught fault is tried again.

use super::{DurationSpec, Expression};
use serde::{Deserialize, Serialize};

/// A retry policy. Every retry of a gated call asks again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Retried only when this holds; `.` is the error.
    pub when: Option<Expression>,
    /// Not retried when this holds; `.` is the error.
    pub except_when: Option<Expression>,
    /// The wait `d` that [`Backoff`] starts from; absent is no wait.
    pub delay: Option<DurationSpec>,
    /// How the wait grows.
    pub backoff: Backoff,
    /// A random addition to each wait.
    pub jitter: Option<Jitter>,
    /// When it ends.
    pub limit: RetryLimit,
}

/// How long the wait before retry `n` is, from 1, of the delay `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// `d`.
    #[default]
    Constant,
    /// `d · n`.
    Linear,
    /// `d · 2^(n−1)`.
    Exponential,
}

/// Drawn uniformly from both bounds and what is between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jitter {
    /// Shortest.
    pub from: DurationSpec,
    /// Longest.
    pub to: DurationSpec,
}

/// When retrying ends; what is absent does not end it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryLimit {
    /// Retries: 5 means up to 6 executions.
    pub count: Option<u16>,
    /// Limit on each attempt; a timeout fault in that attempt.
    pub attempt: Option<DurationSpec>,
    /// Since the first attempt started; a retry that would begin later is not made.
    pub total: Option<DurationSpec>,
}

impl RetryLimit {
    /// Whether nothing ends it.
    pub const fn is_endless(&self) -> bool {
        self.count.is_none() && self.total.is_none()
    }
}
