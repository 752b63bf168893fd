//! What a connection lacks after its credential: a choice among what the provider lists there, which is
//! then one of its settings.
//!
//! Invariants:
//!
//! * A choice is one of those that the provider has just listed, to the very account that the connection
//!   still is. It is on record with whoever chose.
//! * Until it is made the connection is shown as pending, and nothing goes through it.
//! * What it binds (a place of a call's input, what comes in) is looked at by data of the manifest, before
//!   anything is drafted and before anything is recorded.
//! * It is a setting, so that an approval which was given under another choice is void at its claim.

use super::hooks::refused;
use super::remote::Came;
use crate::handle::{Error, Handle};
use placet_adapters::steps::{Choice, Step};
use placet_model::actor::Role;
use placet_model::event::integration::{HealthCheckFailed, IntegrationConnected};
use placet_model::integration::{Integration, IntegrationStatus};
use placet_model::{Actor, Event, Principal, StreamId, canonical};
use serde::Serialize;
use serde_json::{Value, json};

/// Pages of choices that are read.
const PAGES_MAX: u64 = 20;

/// A step of connecting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The setting that it leaves behind.
    pub setting: String,
    /// What is chosen, in words.
    pub title: String,
}

/// A step with what can be chosen.
#[derive(Debug, Serialize)]
pub struct ToChoose {
    /// The setting that it leaves behind.
    pub setting: String,
    /// What is chosen, in words.
    pub title: String,
    /// What it is now.
    pub chosen: Value,
    /// What it can be.
    pub choices: Vec<Choice>,
    /// Whether the provider has more than is listed.
    pub more: bool,
}

impl Handle {
    /// What a connection lacks before it is complete; nothing of one that is gone.
    pub fn missing(&self, integration: &Integration) -> Vec<Missing> {
        let manifest = self.env.adapters.manifest(&integration.provider);
        let missing = |step: &Step| Missing {
            setting: step.setting().to_owned(),
            title: step.title().to_owned(),
        };
        manifest
            .map(|manifest| manifest.pending(integration).map(missing).collect())
            .unwrap_or_default()
    }

    /// Asks the provider what can be chosen, step by step; without a setting, of every step.
    ///
    /// # Errors
    /// When the actor may not, there is no such step, or the provider was not heard.
    pub async fn choices(
        &self,
        actor: &Principal,
        name: &str,
        setting: Option<&str>,
    ) -> Result<Vec<ToChoose>, Error> {
        self.demand(actor, Role::Operator)?;
        self.to_choose(actor, &self.named(name)?, setting).await
    }

    async fn to_choose(
        &self,
        actor: &Principal,
        integration: &Integration,
        setting: Option<&str>,
    ) -> Result<Vec<ToChoose>, Error> {
        let name = &integration.name;
        if integration.status == IntegrationStatus::Disconnected {
            return Err(refused("PL3074", format!("{name} is disconnected")));
        }
        if integration.credential_version == 0 {
            let detail = format!("{name} has no credential with which the provider could be asked");
            return Err(refused("PL4064", detail));
        }
        let manifest = self.manifest(&integration.provider)?;
        let asked = |step: &&Step| match setting {
            Some(setting) => step.setting() == setting,
            None => step.is_asked(&integration.used_in),
        };
        let steps: Vec<&Step> = manifest.steps().iter().filter(asked).collect();
        if steps.is_empty() {
            let what = setting.map_or_else(String::new, |setting| format!(" named {setting}"));
            let detail = format!("connecting {} has no further step{what}", manifest.title());
            return Err(refused("PL3072", detail));
        }
        let mut all = vec![];
        for step in steps {
            let (choices, more) = self.listed(actor, integration, step).await?;
            let (setting, title) = (step.setting().to_owned(), step.title().to_owned());
            let chosen = integration.settings[step.setting()].clone();
            all.push(ToChoose { setting, title, chosen, choices, more });
        }
        Ok(all)
    }

    /// Makes a choice, which is one of those that the provider lists now.
    ///
    /// # Errors
    /// As [`Handle::choices`]; and where the provider lists nothing of the kind.
    pub async fn choose(
        &self,
        actor: &Principal,
        name: &str,
        (setting, value): (&str, &Value),
    ) -> Result<Integration, Error> {
        self.demand(actor, Role::Operator)?;
        let listed_to = self.named(name)?;
        let mut steps = self.to_choose(actor, &listed_to, Some(setting)).await?;
        let step = steps.swap_remove(0);
        let meant = meant(&step, value)
            .map_err(|why| refused("PL3073", format!("{value} as {setting} of {name}: {why}")))?;
        let turn = self.act_turn().await;
        self.demand(actor, Role::Operator)?;
        let integration = self.named(name)?;
        let is_same = integration.id == listed_to.id && integration.identity == listed_to.identity;
        if !is_same || integration.status == IntegrationStatus::Disconnected {
            let detail = format!("{name} is disconnected, or another account's, by now");
            return Err(refused("PL3074", detail));
        }
        if integration.settings[setting] == meant.value {
            return Ok(integration);
        }
        let events = self.with_setting(&integration, (setting, &meant.value))?;
        let stream = StreamId::Integration(integration.id);
        let facts = events.into_iter().map(|event| (stream.clone(), event, vec![])).collect();
        self.govern(&Actor::Principal(actor.clone()), facts, None, turn).await?;
        self.named(name)
    }

    async fn listed(
        &self,
        actor: &Principal,
        integration: &Integration,
        step: &Step,
    ) -> Result<(Vec<Choice>, bool), Error> {
        let desk = self.desk(Actor::Principal(actor.clone()));
        let remote = desk.remote(integration)?;
        let call = step.call();
        let unheard =
            |why: &str| refused("PL4061", format!("{} was not heard: {why}", remote.title()));
        if self.connections.live.is_none() {
            return Err(unheard("an engine in sandbox mode asks nobody"));
        }
        desk.record(integration.id, vec![remote.used_for(call.operation())]).await?;
        let (mut all, mut page) = (vec![], Value::Null);
        for nth in 1..=PAGES_MAX {
            let input = call.input(&json!({ "page": page }), &integration.settings);
            let input = input.map_err(|error| unheard(&error.to_string()))?;
            let response = match remote.perform(call.operation(), input).await {
                Came::Done(response) => response,
                Came::Refused(why) | Came::Unclear(why) => return Err(unheard(&why)),
            };
            all.extend(step.choices(&response));
            match step.next(&response, nth) {
                Some(next) => page = next,
                None => return Ok((all, false)),
            }
        }
        Ok((all, true))
    }

    /// The events that give a connection one more setting. Configured anew, a connection would count as
    /// well again; it is as well as it was.
    ///
    /// # Errors
    /// Settings that the manifest does not take.
    pub(super) fn with_setting(
        &self,
        integration: &Integration,
        (name, value): (&str, &Value),
    ) -> Result<Vec<Event>, Error> {
        let manifest = self.manifest(&integration.provider)?;
        let mut settings = integration.settings.clone();
        if let Some(settings) = settings.as_object_mut() {
            settings.insert(name.to_owned(), value.clone());
        }
        let settings = manifest.settings(&settings).map_err(|violations| {
            refused("PL4003", format!("settings of {}: {violations}", integration.provider))
        })?;
        let bytes = canonical::to_bytes(&settings).map_err(crate::turn::Error::from)?;
        let again = IntegrationConnected {
            integration: integration.id,
            name: integration.name.clone(),
            provider: integration.provider.clone(),
            settings: String::from_utf8_lossy(&bytes).into_owned(),
            identity: integration.identity.clone(),
            label: integration.label.clone(),
            is_default: integration.is_default,
        };
        let mut events = vec![Event::from(again)];
        if let (IntegrationStatus::Failed, Some(code)) = (integration.status, &integration.reason) {
            let (integration, code) = (integration.id, code.clone());
            events.push(HealthCheckFailed { integration, code }.into());
        }
        Ok(events)
    }
}

/// By its value, or by its name at the provider, where only one has it.
fn meant<'s>(step: &'s ToChoose, value: &Value) -> Result<&'s Choice, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let wanted = text(value);
    if let Some(choice) = step.choices.iter().find(|choice| text(&choice.value) == wanted) {
        return Ok(choice);
    }
    let named: Vec<&Choice> = step.choices.iter().filter(|one| one.label == wanted).collect();
    match named[..] {
        [one] => Ok(one),
        [] if step.more => Err("it is not among the first that the provider lists".to_owned()),
        [] => Err("the provider lists nothing of that id or name".to_owned()),
        [..] => {
            let ids: Vec<String> = named.iter().map(|choice| text(&choice.value)).collect();
            Err(format!("several have that name, so choose by id: {}", ids.join(", ")))
        }
    }
}
