//! The manifest: a provider as data (facts/manifest.md). [`Manifest::load`] is the only door; what
//! comes through it has been checked whole.

mod check;
mod check_again;
mod check_answer;
mod check_assertion;
mod check_auth;
mod check_delivery;
mod check_inbound;
mod check_lifecycle;
mod check_limits;
mod check_notify;
mod check_oauth;
mod check_operation;
mod check_pairing;
mod check_read;
mod check_refetch;
mod check_request;
mod check_state;
mod check_steps;
mod check_sync;
mod check_triggers;
mod check_undo;
mod check_verify;
mod document;
mod document_assertion;
mod document_auth;
mod document_inbound;
mod document_limits;
mod document_oauth;
mod document_read;
mod lint;
mod operation;
mod own_request;
mod problem;
mod references;
mod revoke;

pub use operation::{Absent, ClientCertificate, Delivery, Operation, Reconcile, Resend, Scheme};
pub(crate) use operation::{
    BodyTemplate, MatchHow, MatchTest, Placement, RequestSpec, RequestTemplate, Shown,
};
pub(crate) use own_request::OwnRequest;
pub use own_request::own_filled;
pub use problem::{LoadError, Problem};
pub use revoke::{Revoke, RevokeAlso, Revoked};

use crate::identity::{IdentityTest, ModeFrom};
use crate::inbound::Inbound;
use crate::notify::NotifyRoute;
use crate::oauth::{AssertionSpec, GrantSpec};
use crate::steps::Step;
use placet_model::Digest;
use placet_model::integration::Integration;
use placet_schemas::{Registry, Schema, Violations};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A checked manifest.
#[derive(Debug)]
pub struct Manifest {
    provider: String,
    title: String,
    category: Option<String>,
    planned: bool,
    config_schema: Option<Arc<Schema>>,
    credential_schema: Option<Arc<Schema>>,
    scopes: BTreeMap<String, ScopeSet>,
    test: Option<IdentityTest>,
    revoke: Option<Revoke>,
    mode_from: Option<ModeFrom>,
    grant: Option<Arc<GrantSpec>>,
    signed: Option<Signed>,
    inbound: Option<Inbound>,
    notify: Option<NotifyRoute>,
    steps: Vec<Step>,
    operations: BTreeMap<String, Arc<Operation>>,
    source: Arc<str>,
}

/// A connection whose credential signs for its tokens.
#[derive(Debug)]
struct Signed {
    spec: Arc<AssertionSpec>,
    test: Option<IdentityTest>,
    revoke: Option<Revoke>,
}

/// Which kind of credential a connection has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is shown as it is, or a person has given a grant for it.
    Shown,
    /// It signs for each token.
    Signed,
}

/// Scopes that are asked for together, and what they make possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeSet {
    pub list: Vec<String>,
    /// At least one of these besides.
    pub any_of: Vec<String>,
    pub buys: Vec<String>,
}

/// Who wrote a manifest.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// It ships with the binary.
    Shipped,
    /// A project's own file: `read` is believed only for GET, HEAD and OPTIONS, or for operations
    /// that an admin has marked as trusted (full names).
    Project { trusted_reads: &'a BTreeSet<String> },
}

/// Where a manifest's schemas come from: path → text.
pub type SchemaFiles<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What loading needs besides the text.
#[derive(Clone, Copy)]
pub struct LoadContext<'a> {
    pub registry: &'a Registry,
    pub schema_files: SchemaFiles<'a>,
    pub origin: Origin<'a>,
}

impl std::fmt::Debug for LoadContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadContext").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Manifest {
    /// Reads and checks a manifest file.
    ///
    /// # Errors
    /// All problems found, each with line and column: YAML that cannot be read, an unknown field, a
    /// field that is not built yet, a broken rule of facts/manifest.md §6.
    pub fn load(file: &str, text: &str, context: LoadContext<'_>) -> Result<Self, LoadError> {
        check::manifest(file, text, context)
    }

    pub fn provider(&self) -> &str {
        &self.provider
    }

    pub fn title(&self) -> &str {
        &self.title
    }

    pub fn category(&self) -> Option<&str> {
        self.category.as_deref()
    }

    /// Declared, not yet usable.
    pub const fn is_planned(&self) -> bool {
        self.planned
    }

    pub const fn config_schema(&self) -> Option<&Arc<Schema>> {
        self.config_schema.as_ref()
    }

    pub const fn credential_schema(&self) -> Option<&Arc<Schema>> {
        self.credential_schema.as_ref()
    }

    pub const fn scopes(&self) -> &BTreeMap<String, ScopeSet> {
        &self.scopes
    }

    /// How to ask who an integration acts as; `None` binds the credential's lineage instead.
    pub const fn identity_test(&self) -> Option<&IdentityTest> {
        self.test.as_ref()
    }

    /// How a credential shows its mode (test, live); none where a provider has one mode.
    pub const fn mode_from(&self) -> Option<&ModeFrom> {
        self.mode_from.as_ref()
    }

    /// What a disconnect says about the credential.
    pub const fn revoke(&self) -> Option<&Revoke> {
        self.revoke.as_ref()
    }

    /// How a person gives an integration its grant; none where there is no way but a credential.
    pub const fn grant(&self) -> Option<&Arc<GrantSpec>> {
        self.grant.as_ref()
    }

    /// How a credential that signs is turned into tokens; none where no credential does.
    pub fn assertion(&self) -> Option<&Arc<AssertionSpec>> {
        self.signed.as_ref().map(|signed| &signed.spec)
    }

    /// The kind of a credential with these fields.
    pub fn way<'f>(&self, fields: impl Iterator<Item = &'f String>) -> Way {
        match &self.signed {
            Some(signed) if signed.spec.signs_with(fields) => Way::Signed,
            Some(_) | None => Way::Shown,
        }
    }

    /// As [`Self::identity_test`], of a credential of this kind.
    pub fn identity_test_of(&self, way: Way) -> Option<&IdentityTest> {
        let own = self.signed.as_ref().filter(|_| way == Way::Signed);
        own.and_then(|signed| signed.test.as_ref()).or(self.test.as_ref())
    }

    /// As [`Self::revoke`], of a credential of this kind.
    pub fn revoke_of(&self, way: Way) -> Option<&Revoke> {
        let own = self.signed.as_ref().filter(|_| way == Way::Signed);
        own.and_then(|signed| signed.revoke.as_ref()).or(self.revoke.as_ref())
    }

    /// What the provider posts to us, and how it is known to be the provider.
    pub const fn inbound(&self) -> Option<&Inbound> {
        self.inbound.as_ref()
    }

    /// Which channel the provider carries, for telling a project's own people something.
    pub const fn notify(&self) -> Option<&NotifyRoute> {
        self.notify.as_ref()
    }

    /// What a connection lacks after its credential, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Those that a connection of it still waits for.
    pub fn pending(&self, integration: &Integration) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.is_pending(integration))
    }

    /// By full name, sorted.
    pub const fn operations(&self) -> &BTreeMap<String, Arc<Operation>> {
        &self.operations
    }

    /// The file's text: kept with a draft, so that an upgrade voids no approval.
    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    pub fn source_digest(&self) -> Digest {
        Digest::of(self.source.as_bytes())
    }

    /// The settings of a new integration: checked, with the schema's defaults filled in. An
    /// approval binds them, so they are stored whole.
    ///
    /// # Errors
    /// What the `config` schema refuses; any setting where none is declared.
    pub fn settings(&self, given: &Value) -> Result<Value, Violations> {
        crate::settings::checked(self.config_schema.as_deref(), given)
    }
}
