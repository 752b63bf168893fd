//! Events of what a provider is asked to tell us: webhooks that stand at the provider, how far a
//! mailbox was read, and who has shown that a conversation there is theirs; and the calls of our own by
//! which that comes about. No secret stands here.

use crate::wire::wire_enum;
use crate::{Digest, EventId, IntegrationId, Timestamp, Uptime};
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

wire_enum! {
    /// How far the pairing of a connection with a conversation at its provider has come.
    PairingStep {
        /// A code was made for an operator; one that was made before is good for nothing from here on.
        Offered = 1 "offered",
        /// The code came back, from a conversation that the connection now means. It is good for
        /// nothing more.
        Paired = 2 "paired",
    }
}

/// A connection is to be paired, or was paired, with the conversation from which a code is sent: what
/// it means for the settings stands in the `IntegrationConnected` beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingChanged {
    /// Whose.
    pub integration: IntegrationId,
    /// How far it has come.
    pub step: PairingStep,
    /// A pseudonym of the code; the code itself was shown once, and stands nowhere.
    pub code: Digest,
    /// From when the code is good for nothing.
    pub expires_at: Timestamp,
    /// The clock that nobody can set, when the code was made.
    pub uptime: Option<Uptime>,
    /// The conversation, in the provider's own words; none before it has shown itself.
    pub to: Option<String>,
}

wire_enum! {
    /// What a call of our own to a provider is for. No workflow and no agent can ask for one.
    OwnCallPurpose {
        /// To post here what happens there.
        Subscribe = 1 "subscribe",
        /// To go on with that, before it ends by itself.
        Renew = 2 "renew",
        /// To post here no more.
        Unsubscribe = 3 "unsubscribe",
        /// To say what posts here: a read.
        Find = 4 "find",
        /// To take a credential back, or what ends with it.
        Revoke = 5 "revoke",
    }
}

/// A call of our own to a provider is about to leave: recorded before its first byte does, with the digest of
/// what leaves. Where no [`OwnCallEnded`] names it, the process ended first, and what came of it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnCallStarted {
    /// Whose credential it goes with.
    pub integration: IntegrationId,
    /// What for.
    pub purpose: OwnCallPurpose,
    /// The operation of the manifest; `<provider>.revoke` for what takes a credential back.
    pub operation: String,
    /// Version of the credential that fills its holes.
    pub credential_version: u32,
    /// HTTP method.
    pub method: String,
    /// Where it goes, up to the query; holes stand as `‹kind:name›`.
    pub url: String,
    /// Digest of the prepared request, as that of a draft: every byte, secrets as named holes.
    pub request_digest: Digest,
}

wire_enum! {
    /// What came of a call of our own.
    OwnCallOutcome {
        /// The provider has done it.
        Done = 1 "done",
        /// The provider answered, and has not.
        Refused = 2 "refused",
        /// Nothing of it left.
        Unsent = 3 "unsent",
        /// It may have arrived; no answer says so.
        Unclear = 4 "unclear",
    }
}

/// A call of our own has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnCallEnded {
    /// Whose credential it went with.
    pub integration: IntegrationId,
    /// The event that it began with.
    pub call: EventId,
    /// What came of it.
    pub outcome: OwnCallOutcome,
    /// HTTP status of the answer; none where there was no answer.
    pub status: Option<u16>,
    /// Why not, in the provider's word or ours.
    pub code: Option<String>,
}
