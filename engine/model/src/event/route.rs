//! Events of calls that name a channel and not an operation.

use crate::{IntegrationId, Iteration, TaskPath};
use serde::{Deserialize, Serialize};

/// A call by a channel was led to one operation of one connection. The draft that follows is of that,
/// and the approval binds that; if the channel leads elsewhere at the claim, the approval is void.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendRouted {
    /// Which task.
    pub task: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// What the step calls.
    pub operation: String,
    /// By which channel: `slack`, `telegram:ops-bot`.
    pub channel: String,
    /// The operation that carries it.
    pub to: String,
    /// The connection that carries it.
    pub integration: IntegrationId,
}
