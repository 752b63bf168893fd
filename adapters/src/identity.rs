//! Who an integration acts as: asked of the provider, pinned by id and tenant, never by label.

use crate::manifest::Operation;
use crate::pointer::Pointer;
use crate::predicate::{Observed, When};
use crate::reduce::Store;
use crate::secret::SecretText;
use crate::template::{EvalError, Scope, Template};
use crate::transport::Answer;
use placet_model::integration::Identity;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The `test` of a manifest.
#[derive(Debug)]
pub struct IdentityTest {
    pub(crate) operation: Arc<Operation>,
    pub(crate) success: Vec<When>,
    /// Answers of a credential that is good for sending and for nothing else.
    pub(crate) limited: Vec<When>,
    pub(crate) named: Option<NamedBy>,
    pub(crate) scopes_from: Option<ScopesFrom>,
    pub(crate) store: Store,
}

/// Where an answer names the account.
#[derive(Debug)]
pub(crate) struct NamedBy {
    pub(crate) label: Template,
    pub(crate) id: Template,
    pub(crate) tenant: Template,
}

/// Where an answer tells the granted scopes.
#[derive(Debug)]
pub(crate) enum ScopesFrom {
    Header { name: String, sep: String },
    Body(Pointer),
}

/// What the provider says about the account behind a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub identity: Identity,
    /// For people; never bound.
    pub label: String,
    /// Granted scopes, where the provider tells them.
    pub scopes: Option<Vec<String>>,
}

/// How a credential shows its mode: by what it begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModeFrom {
    pub(crate) credential: String,
    pub(crate) by_prefix: Vec<(String, String)>,
}

impl ModeFrom {
    /// The field of the credentials that shows it.
    pub fn credential(&self) -> &str {
        &self.credential
    }

    /// The mode of a credential; `None` where it begins with nothing that is known.
    pub fn of(&self, secret: &SecretText) -> Option<&str> {
        let begins = |(prefix, _): &&(String, String)| secret.expose().starts_with(prefix.as_str());
        self.by_prefix.iter().find(begins).map(|(_, mode)| mode.as_str())
    }

    /// Every mode, once.
    pub fn modes(&self) -> Vec<String> {
        let all: BTreeSet<&String> = self.by_prefix.iter().map(|(_, mode)| mode).collect();
        all.into_iter().cloned().collect()
    }
}

/// The provider did not say who it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the provider refused the identity test")]
    Refused,
    #[error("the provider's answer names no account")]
    Unnamed {
        #[source]
        source: EvalError,
    },
}

impl IdentityTest {
    /// The read operation to call, with an empty input.
    pub const fn operation(&self) -> &Arc<Operation> {
        &self.operation
    }

    /// Whether the provider says whose a credential is.
    pub const fn names_the_account(&self) -> bool {
        self.named.is_some()
    }

    /// Pointers and headers that may stand in events.
    pub fn stored(&self, answer: &Answer) -> Value {
        crate::reduce::stored(&self.store, &Observed::new(answer))
    }

    /// The account, in the credential's mode where it has one; `None` where the credential is good
    /// and the provider does not say whose it is: then its lineage is the identity.
    ///
    /// # Errors
    /// A refusal, or an answer without id or tenant.
    pub fn account(&self, answer: &Answer, mode: Option<&str>) -> Result<Option<Account>, Error> {
        let observed = Observed::new(answer);
        if self.limited.iter().any(|when| when.holds(&observed)) {
            return Ok(None);
        }
        if !self.success.iter().all(|when| when.holds(&observed)) {
            return Err(Error::Refused);
        }
        let body = observed.body.as_ref().unwrap_or(&Value::Null);
        let Some(named) = &self.named else { return Ok(None) };
        let seen = (body, mode);
        let identity = Identity { id: read(&named.id, seen)?, tenant: read(&named.tenant, seen)? };
        let label = read(&named.label, seen).unwrap_or_else(|_| identity.id.clone());
        let identity = identity.in_mode(mode);
        Ok(Some(Account { identity, label, scopes: self.scopes(answer) }))
    }

    /// The granted scopes, where the provider tells them.
    pub fn scopes(&self, answer: &Answer) -> Option<Vec<String>> {
        let response = answer.as_ref().ok()?;
        match self.scopes_from.as_ref()? {
            ScopesFrom::Header { name, sep } => {
                let names = response.header(name)?.split(sep.as_str());
                let names = names.map(str::trim).filter(|name| !name.is_empty());
                Some(names.map(str::to_owned).collect())
            }
            ScopesFrom::Body(at) => {
                let body = response.json()?;
                let names = at.get(&body)?.as_array()?.iter().filter_map(|name| name.as_str());
                Some(names.map(str::to_owned).collect())
            }
        }
    }
}

fn read(template: &Template, (response, mode): (&Value, Option<&str>)) -> Result<String, Error> {
    let scope = Scope { response, mode, ..Scope::NOTHING };
    let missing = || EvalError::Missing { name: "identity".to_owned() };
    template
        .text(&scope)
        .and_then(|text| text.ok_or_else(missing))
        .map_err(|source| Error::Unnamed { source })
}
