//! One call at a provider that is neither a run's nor a test: rendered from the manifest, made through the
//! live way out, and classified like every other.

use super::desk::Desk;
use super::hooks::{GONE, refused};
use super::own_calls::{Answered, OwnCall};
use super::rotate;
use super::test::used;
use crate::handle::Error;
use placet_adapters::inbound::{LifecycleCall, LifecycleStep, Subscribing};
use placet_adapters::{
    Answer, Call, CallIntegration, Manifest, Occurrence, Redirects, RenderInput, Response,
    SecretText, Sent, Transport, classify, render,
};
use placet_model::draft::{ActionId, send_id};
use placet_model::event::hook::{OwnCallOutcome, OwnCallPurpose};
use placet_model::event::integration::CredentialStored;
use placet_model::integration::Integration;
use placet_model::manifest::Outcome;
use placet_model::{Event, Iteration, TaskPath};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Letters of a provider's word that stand in an event.
const CODE_LETTERS_MAX: usize = 64;

/// A provider, as one integration knows it.
#[derive(Debug)]
pub(super) struct Remote<'d> {
    desk: &'d Desk,
    manifest: Arc<Manifest>,
    integration: Integration,
}

/// A call that may leave.
struct Ready {
    live: Arc<dyn Transport>,
    call: Call,
    /// What its answer is classified by; the sandbox is never asked.
    send_id: String,
}

/// What came of a call.
#[derive(Debug)]
pub(super) enum Came {
    /// It is done, and this was the answer.
    Done(Response),
    /// Nothing happened, and the provider's word for why.
    Refused(String),
    /// Nobody knows.
    Unclear(String),
}

impl Desk {
    /// # Errors
    /// A provider that is gone.
    pub(super) fn remote(&self, integration: &Integration) -> Result<Remote<'_>, Error> {
        let manifest = self.env.adapters.manifest(&integration.provider).cloned();
        let gone = || refused("PL4012", format!("there is no provider {}", integration.provider));
        let manifest = manifest.ok_or_else(gone)?;
        Ok(Remote { desk: self, manifest, integration: integration.clone() })
    }

    /// Makes a call of the manifest's `inbound`, which is on record before it leaves. The caller has recorded
    /// the use of the credential.
    ///
    /// # Errors
    /// Where it cannot be recorded: then nothing has left.
    pub(super) async fn asked(
        &self,
        remote: &Remote<'_>,
        (step, purpose): (LifecycleStep, OwnCallPurpose),
        about: Subscribing<'_>,
    ) -> Result<Came, Error> {
        let Some(call) = remote.call(step) else {
            return Ok(Came::Refused("there is no such call".to_owned()));
        };
        match call.input(about, &remote.integration.settings) {
            Ok(input) => remote.perform_on_record(call.operation(), input, purpose).await,
            Err(error) => Ok(Came::Refused(word(&error.to_string()))),
        }
    }

    /// Seals a secret that the provider has made, as the next version of the credential.
    pub(super) async fn keep(
        &self,
        remote: &Remote<'_>,
        (field, secret): (String, SecretText),
    ) -> Result<Event, Error> {
        let vault = self.connections.vault().ok_or_else(rotate::no_vault)?;
        let given = BTreeMap::from([(field, secret)]);
        let integration = &remote.integration;
        let next = rotate::next(&vault, &remote.manifest, integration, given).await?;
        let (version, fields) = rotate::seal(&vault, integration.id, next).await?;
        let by_lineage = integration.identity.tenant == integration.provider;
        let lineage =
            if by_lineage { integration.identity.id.clone() } else { integration.id.to_string() };
        Ok(CredentialStored { integration: integration.id, version, lineage, fields }.into())
    }
}

impl Remote<'_> {
    pub(super) const fn integration(&self) -> &Integration {
        &self.integration
    }

    pub(super) const fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    pub(super) fn title(&self) -> &str {
        self.manifest.title()
    }

    pub(super) fn call(&self, step: LifecycleStep) -> Option<&LifecycleCall> {
        self.manifest.inbound()?.lifecycle(step)
    }

    /// That the credential is about to be used for this.
    pub(super) fn used(&self, step: LifecycleStep) -> Event {
        let name = self.call(step).map(LifecycleCall::operation).unwrap_or_default();
        self.used_for(name)
    }

    pub(super) fn used_for(&self, operation: &str) -> Event {
        let operation = format!("{}.{operation}", self.integration.provider);
        used(&self.integration, self.integration.credential_version, &operation)
    }

    /// Calls an operation that reads, by its name without the provider.
    pub(super) async fn perform(&self, name: &str, input: Value) -> Came {
        match self.prepared(name, input) {
            Ok(ready) => {
                let answer = ready.live.perform(ready.call.clone()).await;
                self.came(&ready, answer)
            }
            Err(why) => Came::Refused(why),
        }
    }

    /// Calls an operation of ours that changes something, by its name without the provider: what leaves is on
    /// record before it does, and what came of it afterwards.
    ///
    /// # Errors
    /// Where it cannot be recorded.
    async fn perform_on_record(
        &self,
        name: &str,
        input: Value,
        purpose: OwnCallPurpose,
    ) -> Result<Came, Error> {
        let ready = match self.prepared(name, input) {
            Ok(ready) => ready,
            Err(why) => return Ok(Came::Refused(why)),
        };
        let own = OwnCall {
            integration: &self.integration,
            purpose,
            operation: ready.call.operation.name().to_owned(),
            request: &ready.call.request,
        };
        let begun = self.desk.begin(&own).await?;
        let answer = ready.live.perform(ready.call.clone()).await;
        let answered = Answered::of(&answer);
        let came = self.came(&ready, answer);
        let outcome = match &came {
            Came::Done(_) => (OwnCallOutcome::Done, None),
            Came::Refused(code) => (OwnCallOutcome::Refused, Some(code.clone())),
            Came::Unclear(code) => (OwnCallOutcome::Unclear, Some(code.clone())),
        };
        self.desk.end(begun, &answered, outcome).await?;
        Ok(came)
    }

    /// A call as it would leave; in words, why there is none.
    fn prepared(&self, name: &str, input: Value) -> Result<Ready, String> {
        let name = format!("{}.{name}", self.integration.provider);
        let operation = self.manifest.operations().get(&name).cloned();
        let operation = operation.ok_or("there is no such operation")?;
        let live = self.desk.connections.live.clone();
        let live = live.ok_or("an engine in sandbox mode asks nobody")?;
        let env = &self.desk.env;
        let now = env.now();
        let (task, iteration) = (TaskPath::root(), Iteration::none());
        let action = ActionId { run: env.mint.run(now), task: &task, iteration: &iteration };
        let send_id = send_id(&env.install_id, &action, 1);
        let given = RenderInput {
            settings: &self.integration.settings,
            input: &input,
            send_id: &send_id,
            draft_time: now,
            authentication: None,
        };
        let rendered = render(&operation, given);
        let rendered = rendered.map_err(|error| word(&crate::turn::describe(&error)))?;
        let most = Duration::from_millis(env.config.limits.call_ms_max);
        let call = Call {
            attempt: None,
            timeout: operation.timeout().min(most),
            operation: Arc::clone(&operation),
            integration: Some(CallIntegration {
                id: self.integration.id,
                name: self.integration.name.clone(),
                credential_version: self.integration.credential_version,
            }),
            request: Arc::new(rendered.request),
            input: Arc::new(input),
            occurrence: Occurrence { seen: None, now },
            redirects: Redirects::Never,
            send_id: String::new(),
            response_bytes_max: ANSWER_BYTES_MAX,
        };
        Ok(Ready { live, call, send_id })
    }

    fn came(&self, ready: &Ready, answer: Answer) -> Came {
        let (settings, send_id) = (&self.integration.settings, ready.send_id.as_str());
        let now = self.desk.env.now();
        let sent = Sent { input: &ready.call.input, settings, send_id };
        let classified = classify(&ready.call.operation, &answer, sent, now);
        let code = match (&classified.error, &answer) {
            (_, Ok(response)) if matches!(response.status, 404 | 410) => GONE.to_owned(),
            (Some(error), _) => word(&error.code),
            (None, Ok(response)) => format!("status {}", response.status),
            (None, Err(failed)) => word(&failed.to_string()),
        };
        match (classified.outcome, answer) {
            (Outcome::Sent, Ok(response)) => Came::Done(response),
            (Outcome::Sent | Outcome::InDoubt, _) => Came::Unclear(code),
            (
                Outcome::RefusedRetry
                | Outcome::RefusedPermanent
                | Outcome::Reconnect
                | Outcome::Quota,
                _,
            ) => Came::Refused(code),
        }
    }
}

/// A provider's word as it may stand in an event: short, one line, no odd letters.
pub(super) fn word(text: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_graphic() { letter } else { ' ' };
    text.chars().take(CODE_LETTERS_MAX).map(plain).collect()
}
