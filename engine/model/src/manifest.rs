//! The nouns of provider manifests, and the operation catalogue as data.
//!
//! Manifests themselves are read, checked and executed by `placet-adapters`; what stands here is
//! what other crates must know of an operation without knowing adapters.

use crate::Digest;
use crate::plan::ApiDocument;
use crate::route::Carriers;
use crate::wire::wire_enum;
use serde_json::Value;
use std::collections::BTreeMap;

/// The operation behind `call: http`.
pub const HTTP_OPERATION: &str = "http.request";

wire_enum! {
    /// What an operation does to the world. Everything but `read` is gated.
    Effect {
        /// Reads only.
        Read = 1 "read",
        /// Changes a record elsewhere.
        Write = 2 "write",
        /// Reaches a person.
        Send = 3 "send",
        /// Deletes, refunds, revokes.
        Destructive = 4 "destructive",
    }
}

wire_enum! {
    /// What a manifest says about one answer of a provider.
    Outcome {
        /// Done.
        Sent = 1 "sent",
        /// Nothing happened; wait and try the same bytes.
        RefusedRetry = 2 "refused_retry",
        /// Nothing happened and never will.
        RefusedPermanent = 3 "refused_permanent",
        /// Nothing happened; the integration must be connected again.
        Reconnect = 4 "reconnect",
        /// Nothing happened; a quota is used up, do not retry by itself.
        Quota = 5 "quota",
        /// Sent, result unknown.
        InDoubt = 6 "in_doubt",
    }
}

wire_enum! {
    /// What a provider offers against sending twice.
    DeliveryKind {
        /// It deduplicates on our key.
        KeyHeader = 1 "key_header",
        /// We choose the resource id.
        ClientId = 2 "client_id",
        /// Conditional write.
        VersionGuard = 3 "version_guard",
        /// A marker rides along and can be found later.
        MarkerLookup = 4 "marker_lookup",
        /// Writing the same value twice is the same state.
        NaturalKey = 5 "natural_key",
        /// Nothing: a person decides.
        None = 6 "none",
    }
}

/// What `language` and the CLI must know of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationInfo {
    /// `provider.resource.operation`.
    pub name: String,
    /// The provider.
    pub provider: String,
    /// What it does to the world.
    pub effect: Effect,
    /// Semantic digest (GATE.md §2).
    pub digest: Digest,
    /// JSON Schema of `with`.
    pub input_schema: Value,
    /// JSON Schema of the answer, where one is declared.
    pub output_schema: Option<Value>,
    /// The places of the answer that a task gets, as JSON Pointers in which `*` is any key; `None`
    /// for the whole answer.
    pub output_kept: Option<Vec<String>>,
    /// What a task gets beside it, under these names: ids that the manifest takes from the answer.
    pub output_named: Vec<String>,
    /// Line for people.
    pub title: String,
}

/// A document that was fetched because a workflow names it.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// An `OpenAPI` document.
    Api(ApiDocument),
    /// Any other JSON, such as a JSON Schema.
    Json(Value),
}

/// Everything that a step may call, handed over as data.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalogue {
    /// The operations that the project knows, by name.
    pub operations: BTreeMap<String, OperationInfo>,
    /// Who carries the channels of `notify.send`.
    pub carriers: Carriers,
    /// Text of the function files of catalogs, by their path in the project:
    /// `<endpoint>/functions/<name>/<version>/function.yaml`, without the endpoint for the catalog
    /// `default`.
    pub functions: BTreeMap<String, String>,
    /// Documents that workflows name, by the URL as written there. Where one is missing, what
    /// depends on it is not checked.
    pub documents: BTreeMap<String, Document>,
}

impl Catalogue {
    /// The operation with this name.
    pub fn get(&self, name: &str) -> Option<&OperationInfo> {
        self.operations.get(name)
    }
}
