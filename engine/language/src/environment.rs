//! What a document is checked against, all of it handed over as data.

use std::collections::{BTreeMap, BTreeSet};

use placet_model::manifest::Catalogue;
use placet_model::policy::Policy;
use placet_schemas::Registry;

use crate::reach::Scopes;

/// What is known of the project while a document is checked.
#[derive(Clone, Copy, Debug)]
pub struct Environment<'a> {
    /// The operations that steps may call.
    pub catalogue: &'a Catalogue,
    /// Providers of the project's integrations, by the integration's name. `None` while no project
    /// is known: then names of integrations are not checked.
    pub integrations: Option<&'a BTreeMap<String, String>>,
    /// Where they may be used. `None` while that is not known: then it is seen at deploy.
    pub scopes: Option<&'a Scopes>,
    /// Names of integrations with types of their events that start no run: their trigger is off, or removed.
    pub silent: Option<&'a BTreeSet<(String, String)>>,
    /// The policy in force. `None` while no project is known: then approvers are not checked.
    pub policy: Option<&'a Policy>,
    /// Compiles and keeps schemas.
    pub schemas: &'a Registry,
}
