//! How a provider is told where to post, how long that holds, and how it is found again and taken away.
//! The calls are ordinary operations of the manifest; here is what they are given and what their answers
//! say. A secret in an answer is taken out of it here, and goes into the vault and nowhere else.

use super::empty_scope;
use crate::pointer::Pointer;
use crate::secret::SecretText;
use crate::template::{Scope, ValueTemplate};
use crate::transport::Response;
use crate::wait::Unit;
use placet_model::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// When a provider is told something about where to post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LifecycleStep {
    /// Post there.
    Subscribe,
    /// Go on, before it ends by itself.
    Renew,
    /// No more.
    Unsubscribe,
    /// What stands there, so that what nobody remembers is found.
    Find,
}

/// An operation that tells it, what it is given, and where its answer says what.
#[derive(Debug)]
pub struct LifecycleCall {
    pub(crate) operation: String,
    pub(crate) with: ValueTemplate,
    pub(crate) id: Option<Pointer>,
    pub(crate) expires: Option<(Pointer, Unit)>,
    pub(crate) every: Option<Duration>,
    pub(crate) secret: Option<(Pointer, String)>,
    pub(crate) found: Option<Listed>,
}

/// Where a list of subscriptions stands, and what names one of them.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) list: Pointer,
    pub(crate) url: Pointer,
    pub(crate) id: Pointer,
}

/// What a call is about: `{input./hook_url}`, `{input./resource?}`, `{input./id?}`, and `{input./parts/0}`,
/// which stands before the first slash of the resource.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subscribing<'a> {
    /// Where the provider posts to.
    pub hook_url: &'a str,
    /// What is subscribed to, where an account has many.
    pub resource: &'a str,
    /// The provider's own id of the subscription.
    pub id: Option<&'a str>,
}

/// What an answer says of a subscription that was made.
#[derive(Debug, Default)]
pub struct Subscribed {
    /// The provider's own id.
    pub id: Option<String>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// The secret that the provider has made for it, and the credential's field that keeps it.
    pub secret: Option<(String, SecretText)>,
}

impl LifecycleCall {
    /// The operation's name without its provider.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// How often it is made again at the latest.
    pub const fn every(&self) -> Option<Duration> {
        self.every
    }

    /// Whether it names one subscription by the provider's own id.
    pub fn needs_id(&self) -> bool {
        let parts = self.with.templates().into_iter().flat_map(|template| &template.parts);
        let mut names = parts.filter_map(|part| match part {
            crate::template::Part::Place(place) => Some(place.label()),
            crate::template::Part::Text(_) => None,
        });
        names.any(|name| name == "input./id")
    }

    /// The operation's input.
    ///
    /// # Errors
    /// A placeholder that is absent.
    pub fn input(&self, about: Subscribing<'_>, config: &Value) -> Result<Value, crate::EvalError> {
        let mut input = json!({ "hook_url": about.hook_url });
        if !about.resource.is_empty() {
            input["resource"] = about.resource.into();
            input["parts"] = about.resource.split('/').collect();
        }
        if let Some(id) = about.id {
            input["id"] = id.into();
        }
        let scope = Scope { input: &input, config, ..empty_scope() };
        Ok(self.with.value(&scope)?.unwrap_or(Value::Null))
    }

    /// What the answer of a subscribing call says.
    pub fn subscribed(&self, response: &Response) -> Subscribed {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let text = |at: &Pointer| crate::json::scalar_text(at.get(&body)?);
        let expires_at = self.expires.as_ref().and_then(|(at, unit)| {
            let number: i64 = text(at)?.parse().ok()?;
            let millis =
                if *unit == Unit::EpochSeconds { number.checked_mul(1000)? } else { number };
            Some(Timestamp::from_millis(millis))
        });
        let secret = self
            .secret
            .as_ref()
            .and_then(|(at, field)| Some((field.clone(), SecretText::new(text(at)?.as_str()))));
        Subscribed { id: self.id.as_ref().and_then(text), expires_at, secret }
    }

    /// The provider's ids of those that post to this address.
    pub fn found(&self, response: &Response, url: &str) -> Vec<String> {
        let Some(listed) = &self.found else { return vec![] };
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let items = listed.list.get(&body).and_then(Value::as_array);
        let mine = items
            .into_iter()
            .flatten()
            .filter(|item| listed.url.get(item).and_then(Value::as_str) == Some(url));
        mine.filter_map(|item| crate::json::scalar_text(listed.id.get(item)?)).collect()
    }
}
