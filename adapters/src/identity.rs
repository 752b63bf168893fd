//! Who an integration acts as: asked of the provider, pinned by id and tenant, never by label.

use crate::manifest::Operation;
use crate::predicate::{Observed, When};
use crate::reduce::Store;
use crate::template::{EvalError, Scope, Template};
use crate::transport::{Answer, Response};
use placet_model::Timestamp;
use placet_model::integration::Identity;
use serde_json::Value;
use std::sync::Arc;

/// The `test` of a manifest.
#[derive(Debug)]
pub struct IdentityTest {
    pub(crate) operation: Arc<Operation>,
    pub(crate) success: Vec<When>,
    pub(crate) label: Template,
    pub(crate) id: Template,
    pub(crate) tenant: Template,
    pub(crate) scopes_from: Option<(String, String)>,
    pub(crate) store: Store,
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

    /// Pointers and headers that may stand in events.
    pub fn stored(&self, answer: &Answer) -> Value {
        crate::reduce::stored(&self.store, &Observed::new(answer))
    }

    /// # Errors
    /// A refusal, or an answer without id or tenant.
    pub fn account(&self, answer: &Answer) -> Result<Account, Error> {
        let observed = Observed::new(answer);
        if !self.success.iter().all(|when| when.holds(&observed)) {
            return Err(Error::Refused);
        }
        let body = observed.body.as_ref().unwrap_or(&Value::Null);
        let identity = Identity { id: read(&self.id, body)?, tenant: read(&self.tenant, body)? };
        let label = read(&self.label, body).unwrap_or_else(|_| identity.id.clone());
        Ok(Account { identity, label, scopes: self.scopes(answer.as_ref().ok()) })
    }

    fn scopes(&self, response: Option<&Response>) -> Option<Vec<String>> {
        let (header, sep) = self.scopes_from.as_ref()?;
        let value = response?.header(header)?;
        let names = value.split(sep.as_str()).map(str::trim).filter(|name| !name.is_empty());
        Some(names.map(str::to_owned).collect())
    }
}

fn read(template: &Template, body: &Value) -> Result<String, Error> {
    let scope = Scope {
        input: &Value::Null,
        response: body,
        config: &Value::Null,
        target: None,
        send_id: "",
        draft_time: Timestamp::EPOCH,
        sent_at: None,
    };
    let missing = || EvalError::Missing { name: "identity".to_owned() };
    template
        .text(&scope)
        .and_then(|text| text.ok_or_else(missing))
        .map_err(|source| Error::Unnamed { source })
}
