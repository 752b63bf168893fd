//! `notify.send`: telling a project's own people something, by a channel and not by an operation.
//!
//! Which operation of a provider carries a channel, and what it is called with, is data of its manifest
//! (`notify`). What comes out is the concrete call's `with`: from here on nothing knows that it was
//! asked for by a channel, and so there is one gate, one draft and one kind of bytes.

use crate::catalogue::Adapters;
use crate::template::{Scope, ValueTemplate};
use placet_model::integration::Integration;
use placet_model::manifest::{Effect, OperationInfo};
use placet_model::route::{Carrier, Carriers, NOTIFY_OPERATION};
use placet_schemas::Violations;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Where its schema stands.
const INPUT: &str = "schemas/providers/notify/send.input.json";

/// How a provider carries a channel.
#[derive(Debug)]
pub struct NotifyRoute {
    pub(crate) channel: String,
    pub(crate) carrier: Carrier,
    pub(crate) with: ValueTemplate,
}

/// Why a connection cannot carry it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The provider carries no channel.
    #[error("{provider} carries no channel")]
    CarriesNothing {
        /// Which provider.
        provider: String,
    },
    /// Nobody says whom it reaches, or from whom it is.
    #[error(
        "{integration} cannot carry it: {{{name}}} is not there; give `to` in the step, or set \
         notify_to (and notify_from) in the settings of {integration}"
    )]
    Incomplete {
        /// Which connection.
        integration: String,
        /// What is missing, as the manifest calls it.
        name: String,
    },
    /// The manifest's template cannot be filled in.
    #[error("{integration} cannot carry it")]
    Template {
        /// Which connection.
        integration: String,
        /// Why not.
        #[source]
        source: crate::EvalError,
    },
}

impl Adapters {
    /// Providers by the channel that they carry.
    pub fn carriers(&self) -> Carriers {
        let mut carriers = Carriers::new();
        for (provider, manifest) in self.manifests() {
            let Some(route) = manifest.notify() else { continue };
            let carrying: &mut BTreeMap<_, _> = carriers.entry(route.channel.clone()).or_default();
            carrying.insert(provider.clone(), route.carrier.clone());
        }
        carriers
    }

    /// What the operation that carries the channel is called with, through this connection.
    ///
    /// # Errors
    /// A connection that cannot carry it: what is missing, and where it is set.
    pub fn notify_with(&self, with: &Value, integration: &Integration) -> Result<Value, Error> {
        let Integration { name, provider, settings, .. } = integration;
        let route = self.manifest(provider).and_then(|manifest| manifest.notify());
        let route = route.ok_or_else(|| Error::CarriesNothing { provider: provider.clone() })?;
        let input = given(with);
        let scope = Scope { input: &input, config: settings, ..Scope::NOTHING };
        match route.with.value(&scope) {
            Ok(concrete) => Ok(concrete.unwrap_or_else(|| json!({}))),
            Err(crate::EvalError::Missing { name: missing }) => {
                Err(Error::Incomplete { integration: name.clone(), name: missing })
            }
            Err(source) => Err(Error::Template { integration: name.clone(), source }),
        }
    }

    /// Whether this is what `notify.send` takes.
    ///
    /// # Errors
    /// What its schema refuses.
    ///
    /// # Panics
    /// If the shipped schema is broken: a bug that the test of the shipped schemas finds.
    pub fn check_notify(&self, with: &Value) -> Result<(), Violations> {
        let form = self.registry().shipped(INPUT).expect("the shipped schema compiles");
        form.validate(with)
    }
}

/// What a manifest's template can use: the step's own words, a subject in any case, the whole as one
/// text for channels that have no subject, and the address as a number where it is one.
fn given(with: &Value) -> Value {
    let mut input = with.as_object().cloned().unwrap_or_else(Map::new);
    let text = with["text"].as_str().unwrap_or_default();
    let subject = with["subject"].as_str();
    let message = match subject {
        Some(subject) => format!("{subject}\n\n{text}"),
        None => text.to_owned(),
    };
    input.insert("message".to_owned(), json!(message));
    let first = || text.lines().next().unwrap_or_default().chars().take(120).collect::<String>();
    input.insert("headline".to_owned(), json!(subject.map_or_else(first, str::to_owned)));
    if let Some(number) = with["to"].as_str().and_then(|to| to.parse::<i64>().ok()) {
        input.insert("to_number".to_owned(), json!(number));
    }
    Value::Object(input)
}

/// What others must know of it. It has no bytes of its own, so its digest is that of its form.
pub(crate) fn info() -> OperationInfo {
    static FORM: OnceLock<(Value, placet_model::Digest)> = OnceLock::new();
    let (input_schema, digest) = FORM.get_or_init(|| {
        let text = placet_schemas::embedded(INPUT).expect("it ships with the binary");
        let schema = serde_json::from_str(text).expect("the shipped schema is JSON");
        (schema, placet_model::Digest::of(text.as_bytes()))
    });
    OperationInfo {
        name: NOTIFY_OPERATION.to_owned(),
        provider: "notify".to_owned(),
        effect: Effect::Send,
        digest: *digest,
        input_schema: input_schema.clone(),
        // what comes back is that of whichever operation it becomes
        output_schema: None,
        output_kept: None,
        output_named: vec![],
        title: "Tell the project's own people, by a channel".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use placet_model::IntegrationId;
    use placet_model::integration::{Identity, IntegrationStatus, UseScope};

    fn connected(provider: &str, settings: Value) -> Integration {
        Integration {
            id: IntegrationId::from_bytes([1; 16]),
            name: format!("our-{provider}"),
            provider: provider.to_owned(),
            settings,
            identity: Identity { id: "U1".to_owned(), tenant: "T1".to_owned() },
            label: String::new(),
            status: IntegrationStatus::Active,
            reason: None,
            credential_version: 1,
            is_default: true,
            scopes: vec![],
            used_in: UseScope::default(),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "literals of the table below")]
    fn check(provider: &str, (settings, with): (Value, Value), expected: Value) {
        let adapters = Adapters::shipped();
        let concrete = adapters.notify_with(&with, &connected(provider, settings)).unwrap();
        assert_eq!(concrete, expected, "{provider}");
        let carriers = adapters.carriers();
        let carrier = carriers.values().find_map(|by| by.get(provider)).unwrap();
        let operation = adapters.operation(&carrier.operation).unwrap();
        operation.input_schema().unwrap().validate(&concrete).expect("the operation takes it");
    }

    #[test]
    fn every_channel_becomes_what_its_operation_takes() {
        let words =
            |to: &str| json!({ "channel": "x", "to": to, "subject": "Late", "text": "A-1" });
        check(
            "slack",
            (json!({}), words("C0OPS")),
            json!({ "channel": "C0OPS", "text": "Late\n\nA-1" }),
        );
        let number = json!({ "chat_id": -100_123, "text": "Late\n\nA-1" });
        check("telegram", (json!({}), words("-100123")), number);
        let named = json!({ "chat_id": "@our_team", "text": "Late\n\nA-1" });
        check("telegram", (json!({}), words("@our_team")), named);
        let data = json!({ "subject": "Late", "text": "A-1", "to": "ops" });
        check(
            "webhook",
            (json!({}), words("ops")),
            json!({ "type": "placet.notice", "data": data }),
        );
        let mail = json!({ "to": "ops@example.com", "subject": "Late", "text": "A-1" });
        check("smtp", (json!({}), words("ops@example.com")), mail.clone());
        check("gmail", (json!({}), words("ops@example.com")), mail);
        let from = json!({ "notify_from": "placet@example.com" });
        let mail = json!({ "from": "placet@example.com", "to": "ops@example.com", "subject": "Late", "text": "A-1" });
        check("resend", (from.clone(), words("ops@example.com")), mail.clone());
        check("mailgun", (from.clone(), words("ops@example.com")), mail);
        let mail = json!({ "From": "placet@example.com", "To": "ops@example.com", "Subject": "Late", "TextBody": "A-1" });
        check("postmark", (from.clone(), words("ops@example.com")), mail);
        let mail = json!({
            "personalizations": [{ "to": [{ "email": "ops@example.com" }] }],
            "from": { "email": "placet@example.com" },
            "subject": "Late",
            "content": [{ "type": "text/plain", "value": "A-1" }],
        });
        check("sendgrid", (from, words("ops@example.com")), mail);
    }

    #[test]
    fn the_settings_of_a_connection_say_whom_it_tells_where_the_step_does_not() {
        let words = json!({ "channel": "slack", "text": "A-1\nis late" });
        let expected = json!({ "channel": "C0OPS", "text": "A-1\nis late" });
        check("slack", (json!({ "notify_to": "C0OPS" }), words.clone()), expected);
        let expected = json!({ "to": "ops@example.com", "subject": "A-1", "text": "A-1\nis late" });
        check("smtp", (json!({ "notify_to": "ops@example.com" }), words), expected);
    }

    #[test]
    fn a_connection_that_knows_nobody_says_where_that_is_set() {
        let adapters = Adapters::shipped();
        let words = json!({ "channel": "slack", "text": "A-1" });
        let refused = adapters.notify_with(&words, &connected("slack", json!({}))).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "our-slack cannot carry it: {input./to|config.notify_to} is not there; give `to` in the \
             step, or set notify_to (and notify_from) in the settings of our-slack"
        );
        let refused = adapters.notify_with(&words, &connected("github", json!({}))).unwrap_err();
        assert_eq!(refused.to_string(), "github carries no channel");
    }
}
