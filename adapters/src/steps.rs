//! What a connection lacks after its credential: a choice among what the provider has there, which is then
//! a setting. Which reading lists the choices, and what the choice binds, is data of the manifest.

use crate::inbound::SyncCall;
use crate::pointer::Pointer;
use crate::transport::Response;
use placet_model::integration::{Integration, IntegrationStatus, UseScope};
use serde::Serialize;
use serde_json::Value;

/// One further step of connecting. Made only by loading a manifest.
#[derive(Debug)]
pub struct Step {
    pub(crate) setting: String,
    pub(crate) title: String,
    pub(crate) of: Of,
    pub(crate) call: SyncCall,
    /// The list, and where each of its items has its value and its name.
    pub(crate) items: Pointer,
    pub(crate) value: Pointer,
    pub(crate) label: Pointer,
    /// Where an answer says how many pages there are.
    pub(crate) pages: Option<Pointer>,
    pub(crate) only: Only,
}

/// Which connections it is asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Every,
    /// Those that act for agents alone, under an install that others share.
    Agents,
}

/// What the choice binds.
#[derive(Debug, Default)]
pub(crate) struct Only {
    /// A place of an operation's input that names nothing else.
    pub(crate) input: Option<Pointer>,
    /// A name of an inbound event's `data` that says the same of what comes in.
    pub(crate) data: Option<String>,
}

/// Something that can be chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// What the setting is then.
    pub value: Value,
    /// Its name at the provider.
    pub label: String,
}

impl Step {
    /// The setting that it leaves behind.
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// What is chosen, in words.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The reading that lists the choices.
    pub const fn call(&self) -> &SyncCall {
        &self.call
    }

    /// Whether it is asked of a connection that is used there.
    pub fn is_asked(&self, used_in: &UseScope) -> bool {
        self.of == Of::Every || !used_in.agents.is_empty()
    }

    /// Whether a connection waits for it. What has no credential has nothing yet of which a part could
    /// be chosen, and what is gone lacks nothing.
    pub fn is_pending(&self, integration: &Integration) -> bool {
        integration.credential_version > 0
            && integration.status != IntegrationStatus::Disconnected
            && self.is_asked(&integration.used_in)
            && !self.is_done(&integration.settings)
    }

    /// Whether it is done.
    pub fn is_done(&self, settings: &Value) -> bool {
        !settings[&self.setting].is_null()
    }

    /// What an answer lists.
    pub fn choices(&self, response: &Response) -> Vec<Choice> {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let items = self.items.get(&body).and_then(Value::as_array).cloned().unwrap_or_default();
        let choice = |item: &Value| {
            let value = self.value.get(item).filter(|value| value.is_string() || value.is_i64())?;
            let label = self.label.get(item).and_then(crate::json::scalar_text);
            let label = label.or_else(|| crate::json::scalar_text(value))?;
            Some(Choice { value: value.clone(), label })
        };
        items.iter().filter_map(choice).collect()
    }

    /// The page after this one, which was the n-th; none after the last.
    pub fn next(&self, response: &Response, nth: u64) -> Option<Value> {
        let Some(pages) = &self.pages else {
            return self.call.page(response).next.map(Value::String);
        };
        let body: Value = serde_json::from_slice(&response.body).ok()?;
        let last = pages.get(&body)?.as_u64()?;
        (nth < last).then(|| (nth + 1).into())
    }

    /// Whether an input names something else than what was chosen.
    pub fn is_outside(&self, settings: &Value, input: &Value) -> bool {
        let named = self.only.input.as_ref().and_then(|at| at.get(input));
        self.is_done(settings)
            && named.is_some_and(|named| !is_same(named, &settings[&self.setting]))
    }

    /// Whether something that came in is of something else than what was chosen, or than what is yet to
    /// be chosen.
    pub fn is_elsewhere(&self, integration: &Integration, data: &Value) -> bool {
        let settings = &integration.settings;
        let Some(named) = self.only.data.as_ref().map(|name| &data[name]) else { return false };
        self.is_pending(integration)
            || (self.is_done(settings) && !is_same(named, &settings[&self.setting]))
    }
}

/// An id is the same whether it is written as a number or as a text.
fn is_same(one: &Value, other: &Value) -> bool {
    let text = crate::json::scalar_text(one);
    text.is_some() && text == crate::json::scalar_text(other)
}
