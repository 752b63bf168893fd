//! Events of what a provider is asked to tell us: webhooks that stand at the provider, and how far a
//! mailbox was read. No secret stands here.

use crate::wire::wire_enum;
use crate::{IntegrationId, Timestamp};
use serde::{Deserialize, Serialize};

wire_enum! {
    /// How far a subscription at a provider has come.
    SubscriptionStep {
        /// The provider is about to be asked for it: whatever happens now, it may stand there.
        Begun = 1 "begun",
        /// It stands there.
        Made = 2 "made",
        /// The provider refused; nothing stands there.
        Refused = 3 "refused",
        /// What came of it is not known: it is looked for before anything else.
        Unclear = 4 "unclear",
        /// The provider is about to be asked to take it away.
        Removing = 5 "removing",
        /// Nothing stands there any more.
        Removed = 6 "removed",
    }
}

/// A subscription at a provider has come one step further.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionChanged {
    /// Whose.
    pub integration: IntegrationId,
    /// What is subscribed to, where an account has many: `owner/repository`; empty otherwise.
    pub resource: String,
    /// How far it has come.
    pub step: SubscriptionStep,
    /// Where the provider posts to: how it is found again.
    pub url: String,
    /// The provider's own id for it.
    pub remote: Option<String>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Why not, in the provider's word.
    pub code: Option<String>,
}

wire_enum! {
    /// How a mailbox was read.
    SyncKind {
        /// Where the reading begins: nothing before it is looked at.
        Baseline = 1 "baseline",
        /// What came since the last position.
        Changes = 2 "changes",
        /// The position was too old: all that the mailbox lists was looked at.
        Full = 3 "full",
    }
}

/// A mailbox was read up to a position; what was found in it is in the log before this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncCompleted {
    /// Whose.
    pub integration: IntegrationId,
    /// How.
    pub kind: SyncKind,
    /// From where: the provider's own position.
    pub from: Option<String>,
    /// Up to where.
    pub position: String,
    /// Messages that were looked at.
    pub seen: u32,
    /// Those of them that came into the log by this.
    pub taken: u32,
}
