//! Events of triggers: which events that a provider posts may start runs. What a workflow listens for is
//! its own word; a trigger says, for an event of a connection, whether it comes to that.

use crate::IntegrationId;
use crate::wire::wire_enum;
use serde::{Deserialize, Serialize};

wire_enum! {
    /// Where a trigger comes from.
    TriggerOrigin {
        /// The manifest states it: it came with the connection, and goes with it.
        Seeded = 1 "seeded",
        /// Somebody has set it: it stays when the connection goes.
        Written = 2 "written",
    }
}

/// From here on an event of a connection starts the runs of whatever listens for it, or starts none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerSet {
    /// The connection that had the name then.
    pub integration: IntegrationId,
    /// Its name: a trigger is that of the name, whichever connection bears it.
    pub name: String,
    /// The type of the event, such as `slack.message`.
    pub event: String,
    /// Where the trigger comes from.
    pub origin: TriggerOrigin,
    /// Whether the event starts runs.
    pub enabled: bool,
}

/// A trigger is gone: the event starts no runs, until there is one again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerRemoved {
    /// The connection that had the name then.
    pub integration: IntegrationId,
    /// Its name.
    pub name: String,
    /// The type of the event.
    pub event: String,
}
