//! The shape of `inbound`, as facts/manifest.md draws it.

use super::document::{BodyTestDoc, WaitUnit, WhenDoc};
use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InboundDoc {
    pub(super) verify: Spanned<VerifyDoc>,
    pub(super) handshake: Option<Spanned<HandshakeDoc>>,
    /// Where a list of events stands, when one message brings several.
    pub(super) each: Option<String>,
    pub(super) events: Vec<Spanned<EventDoc>>,
    /// Of these, what may start runs as soon as it is connected; all of them where nothing is said.
    pub(super) triggers: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) carries_content: bool,
    pub(super) ack: Spanned<AckDoc>,
    pub(super) never_return: Vec<Value>,
    pub(super) deadline_ms: Spanned<u32>,
    /// What comes as a form, where that is proven in another way than the rest.
    pub(super) by_form: Option<Box<Spanned<Self>>>,
    /// Bytes of a body at most, where they are many.
    pub(super) body_max: Option<Spanned<u32>>,
    pub(super) subscribe: Option<Spanned<LifecycleDoc>>,
    pub(super) renew: Option<Spanned<LifecycleDoc>>,
    pub(super) unsubscribe: Option<Spanned<LifecycleDoc>>,
    /// What stands at the provider: how a subscription that nobody remembers is found again.
    pub(super) find: Option<Spanned<LifecycleDoc>>,
    /// How it is read, where what it posts is only a hint.
    pub(super) sync: Option<Spanned<SyncDoc>>,
    /// How a conversation shows that it is an operator's.
    pub(super) pairing: Option<Spanned<PairingDoc>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PairingDoc {
    pub(super) code: PairingCodeDoc,
    /// Where the conversation is named.
    pub(super) to: String,
    /// Which setting then names it.
    pub(super) setting: String,
    /// What is to be sent, with `{code}` in it.
    pub(super) say: String,
    /// A link that sends it, with `{code}`, and `{label}` where that is one word.
    pub(super) link: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PairingCodeDoc {
    pub(super) at: String,
    /// With a group named `code`.
    pub(super) matches: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SyncDoc {
    pub(super) start: SyncCallDoc,
    pub(super) changes: SyncCallDoc,
    pub(super) all: SyncCallDoc,
    pub(super) item: SyncCallDoc,
    /// When an item came.
    pub(super) came: ExpiresDoc,
    /// What makes an item our own: a word in one of its lists.
    pub(super) own: Option<SyncOwnDoc>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SyncCallDoc {
    pub(super) op: String,
    #[serde(default)]
    pub(super) with: Map<String, Value>,
    pub(super) ids: Option<String>,
    pub(super) position: Option<String>,
    pub(super) next: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SyncOwnDoc {
    pub(super) at: String,
    pub(super) has: String,
}

/// Names of settings that say the rest of what a token must.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenDoc {
    pub(super) issuer: String,
    pub(super) keys: String,
    pub(super) audience: String,
    pub(super) account: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LifecycleDoc {
    pub(super) op: String,
    #[serde(default)]
    pub(super) with: Map<String, Value>,
    /// Where the answer has the provider's own id: of the one made, or of each in the list.
    pub(super) id: Option<String>,
    /// When it ends by itself.
    pub(super) expires: Option<ExpiresDoc>,
    /// Made again so often, at the latest.
    pub(super) every_s: Option<u32>,
    /// A secret that the provider makes, and the credential field that keeps it.
    pub(super) secret: Option<MadeSecretDoc>,
    /// Of `find`: where the list stands, and where each has its address.
    pub(super) list: Option<String>,
    pub(super) url: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpiresDoc {
    pub(super) at: String,
    pub(super) unit: WaitUnit,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MadeSecretDoc {
    pub(super) at: String,
    pub(super) field: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyDoc {
    pub(super) alg: AlgorithmDoc,
    /// What a secret is; absent where a token proves who posts.
    pub(super) key: Option<KeyDoc>,
    /// What a token must say, with alg oidc-rs256.
    pub(super) token: Option<TokenDoc>,
    /// Header that holds the signature or the secret; `at` where the body holds it.
    pub(super) header: Option<String>,
    pub(super) at: Option<String>,
    #[serde(default)]
    pub(super) prefix: String,
    /// Several signatures in one header stand between these.
    pub(super) sep: Option<String>,
    /// A header of pairs: `{sep: ",", t: timestamp, v1: signatures}`.
    pub(super) parse: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) signed: Vec<Value>,
    pub(super) encoding: Option<EncodingDoc>,
    /// Where the signed moment stands: `{header}`, `{body}` or `{part: timestamp}`.
    pub(super) timestamp: Option<Map<String, Value>>,
    pub(super) skew_s: Option<u32>,
    pub(super) integrity: IntegrityDoc,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum AlgorithmDoc {
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    #[serde(rename = "hmac-sha1")]
    HmacSha1,
    #[serde(rename = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
    #[serde(rename = "shared_secret")]
    SharedSecret,
    #[serde(rename = "basic")]
    Basic,
    #[serde(rename = "oidc-rs256")]
    OidcRs256,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyDoc {
    pub(super) secret: String,
    #[serde(default)]
    pub(super) form: KeyFormDoc,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeyFormDoc {
    #[default]
    Text,
    Whsec,
    Spki,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EncodingDoc {
    Hex,
    Base64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IntegrityDoc {
    BodySigned,
    MetadataSigned,
    SharedSecret,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HandshakeDoc {
    pub(super) when: WhenDoc,
    /// Only `verify`: nothing is answered to somebody who has not proven who he is.
    pub(super) after: AfterDoc,
    pub(super) reply: ReplyDoc,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AfterDoc {
    Verify,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplyDoc {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventDoc {
    pub(super) when: WhenDoc,
    pub(super) key: String,
    pub(super) event_key: String,
    /// A place, or several that make one key together.
    pub(super) dedupe: PlacesDoc,
    /// Where the first is not complete.
    pub(super) dedupe_else: Option<PlacesDoc>,
    #[serde(default)]
    pub(super) ignore_own: Vec<BodyTestDoc>,
    #[serde(default)]
    pub(super) correlate: BTreeMap<String, String>,
    /// When a place says so, these names of `correlate` are enough.
    pub(super) correlate_alone: Option<AloneDoc>,
    #[serde(default)]
    pub(super) store: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) data: BTreeMap<String, String>,
    /// The message only names the object: how it is read.
    pub(super) refetch: Option<Spanned<RefetchDoc>>,
    /// Where it shows which of our sends it is about.
    pub(super) evidence: Option<EvidenceDoc>,
}

/// The read behind an event, and what of its answer counts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefetchDoc {
    pub(super) op: String,
    pub(super) with: Map<String, Value>,
    #[serde(default)]
    pub(super) correlate: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) data: BTreeMap<String, String>,
}

/// An event that bears the mark of what we have sent: it has arrived.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EvidenceDoc {
    pub(super) send_id: String,
    /// What the event must say for the outcome to be final.
    pub(super) final_when: Option<BodyTestDoc>,
    #[serde(default)]
    pub(super) result: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum PlacesDoc {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AloneDoc {
    pub(super) when: BodyTestDoc,
    pub(super) by: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AckDoc {
    pub(super) ok: u16,
    pub(super) duplicate: u16,
    pub(super) unknown_connection: u16,
    pub(super) bad_signature: u16,
    pub(super) retry_later: u16,
    /// What the good answers say, where the provider reads it.
    pub(super) body: Option<AckBodyDoc>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AckBodyDoc {
    pub(super) media: String,
    pub(super) text: String,
}
